"""The bench in the terminal: tables with what they mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
from rich.console import Group
from rich.table import Table
from rich.text import Text

from violencescore.bench.waterfall import Waterfall
from violencescore.report.tables import plain_table, wide
from violencescore.report.text import MISSING, shown_text

_LIMIT = 60
_CHECKS = {
    "named": "named (window)",
    "disagree": "channels disagree",
    "unattributed": "nobody speaks",
}


def channels_table(channels: pd.DataFrame, settled: pd.DataFrame | None) -> Group:
    """Build the accuracy of each channel, and what settled incidents say of it without the model."""
    title = "Accuracy: how often a channel is right when it names one"
    caption = "Medians and 90 % intervals."
    if settled is not None:
        caption += (
            " Settled: the share of right pieces on settled incidents, the model apart; corrected: each weighed by the "
            "inverse of the probability with which its incident was chosen, since courts settle the easy ones."
        )
    table = plain_table(title, caption)
    columns = [
        "channel",
        "accuracy",
        "90 %",
        *(["settled n", "right", "corrected", "90 %"] if settled is not None else []),
    ]
    rows = []
    by_channel = None if settled is None else settled.set_index("channel")
    for line in channels[channels["quantity"] == "accuracy"].to_dict("records"):
        cells = [str(line["channel"]), _number(line["median"]), _interval(line["low"], line["high"])]
        if by_channel is not None:
            known = by_channel.loc[line["channel"]] if line["channel"] in by_channel.index else None
            cells += _settled_cells(known)
        rows.append(cells)
    return _filled(table, columns, rows)


def _settled_cells(known: Any) -> list[str]:
    if known is None:
        return ["0", MISSING, MISSING, MISSING]
    corrected = [known[f"{c}_weighted"] for c in ("low", "high")]
    return [str(int(known["n"])), _number(known["share"]), _number(known["share_weighted"]), _interval(*corrected)]


def quantity_table(channels: pd.DataFrame, quantity: str) -> Group:
    """Build reach or notoriety: a row for each actor, a column for each channel."""
    title, caption = {
        "reach": (
            "Reach: how often a channel speaks of an incident of ...",
            "Medians. A channel silent on whom it reaches often speaks against it.",
        ),
        "notoriety": (
            "Notoriety: whom a channel names when it is wrong",
            "Medians; of a channel they add up to about 1.",
        ),
    }[quantity]
    wide = channels[channels["quantity"] == quantity].pivot(index="organization_id", columns="channel", values="median")
    wide = wide.reindex(index=channels.loc[channels["quantity"] == quantity, "organization_id"].unique())
    names = list(dict.fromkeys(channels["channel"]))
    rows = [[str(actor), *(_number(float(wide[name][actor])) for name in names)] for actor in wide.index]
    return _filled(plain_table(title, caption), ["", *names], rows)


def waterfall_table(found: Waterfall) -> Group:
    """Build the evidence on one incident, item by item."""
    caption = (
        f"Bits: by how much the log odds that {found.focus} did it change, to base 2: one bit doubles the odds. "
        "Items are taken in this order, on which the share of each depends; together they add up. "
        f"P(staged) after all of it: {found.p_staged:.2f}."
    )
    if found.settled:
        caption += f" A court has settled it: {found.settled} did it. The table does not use that."
    table = plain_table(f"Incident {shown_text(found.incident_id, _LIMIT)}: the evidence in bits", shown_text(caption))
    rows = [[item, f"{bits:+.2f}", _number(p)] for item, bits, p in zip(
        found.steps["item"], found.steps["bits"], found.steps["p"], strict=True
    )]  # fmt: skip
    rows.append(["together", f"{found.steps['bits'].sum():+.2f}", rows[-1][2]])
    return _filled(table, ["evidence", "bits", f"P({shown_text(found.focus, 24)})"], rows)


def scores_table(scores: pd.DataFrame) -> Group:
    """Build the scores of predictions of settled incidents."""
    corrected = "brier_weighted" in scores
    caption = (
        "Settled incidents, each predicted by a fit that did not know the settlement. Brier: 0 is best. Log: mean "
        "logarithm of the probability given to who did it, 0 is best. Cllr: what the evidence costs against knowing, "
        "0 perfect, 1 no better than saying nothing. In brackets: what rates of place and kind alone would score. "
        "By organization: did it do it or not."
    )
    if corrected:
        caption += " Corrected: weighed by the inverse of the inclusion probability, so that it is for all incidents."
    table = plain_table("How well are settled incidents predicted?", caption)
    more = ["Brier\ncorrected", "Cllr\ncorrected"] if corrected else []
    rows = []
    for line in scores.to_dict("records"):
        cells = [
            line["name"] or "all",
            str(line["n"]),
            f"{_number(line['brier'])} ± {_number(line['brier_error'])} ({_number(line['brier_prior'])})",
            f"{_number(line['log_score'])} ({_number(line['log_prior'])})",
            _number(line["cllr"]),
        ]
        rows.append([*cells, *((_number(line["brier_weighted"]), _number(line["cllr_weighted"])) if corrected else ())])
    return _filled(table, ["", "n", "Brier ± error (prior)", "log (prior)", "Cllr", *more], rows)


def checks_table(checks: pd.DataFrame) -> Group:
    """Build the posterior predictive checks."""
    caption = (
        "Model: mean and 90 % of evidence that the model makes up for the same incidents. p: share of it above what "
        "was observed; near 0 or 1 the model does not produce such evidence. One in ten lies outside 90 % by chance."
    )
    rows = [
        [_CHECKS[line["check"]], line["name"], f"{line['observed']:.0f}", f"{line['mean']:.1f}",
         f"{line['low']:.0f}–{line['high']:.0f}", _number(line["p"])]
        for line in checks.to_dict("records")
    ]  # fmt: skip
    table = plain_table("Would the model have produced this evidence?", caption)
    return _filled(table, ["check", "of", "observed", "model", "90 %", "p"], rows, left=2)


def comparison_table(compared: pd.DataFrame) -> Group:
    """Build the comparison of model variants."""
    caption = (
        "Expected log density of an incident left out, by PSIS-LOO, summed over incidents; diff: to the best, with its "
        "error. Weight: share in the mixture of all that foresees best (stacking). Unsure: incidents whose Pareto k is "
        "too high."
    )
    table = plain_table("Variants of the model", caption)
    rows = [
        [str(name), f"{line['elpd']:.1f}", f"{line['elpd_diff']:.1f} ± {line['dse']:.1f}", f"{line['p']:.0f}",
         _number(line["weight"]), str(int(line["n_bad"]))]
        for name, line in compared.iterrows()
    ]  # fmt: skip
    return _filled(table, ["variant", "elpd", "diff ± error", "p", "weight", "unsure"], rows)


def loo_sentence(loo: Any) -> str:
    """Return the leave-one-out density in words."""
    bad = int((loo.pareto_k > loo.good_k).sum())
    return (
        f"Leaving out one incident at a time (PSIS-LOO over {loo.n_data_points:,} incidents): expected log density "
        f"{loo.elpd:.1f}, error {loo.se:.1f}, effective parameters {loo.p:.0f}; {bad} incident"
        f"{'' if bad == 1 else 's'} with Pareto k above {loo.good_k:.2f}."
    )


def _filled(table: Table, columns: list[str], rows: list[list[str]], left: int = 1) -> Group:
    """Fill a table, and set its title and caption across the screen: they are wider than most of these tables."""
    for i, name in enumerate(columns):
        justify: Any = "left" if i < left else "right"
        table.add_column(
            Text(shown_text(name, _LIMIT)) if "\n" not in name else Text(name), justify=justify, overflow="fold"
        )
    for cells in rows:
        table.add_row(*(Text(shown_text(cell, _LIMIT)) for cell in cells))
    return wide(table)


def _number(value: float) -> str:
    return MISSING if pd.isna(value) else f"{value:.2f}"


def _interval(low: float, high: float) -> str:
    form: Callable[[float], str] = _number
    return MISSING if pd.isna(low) else f"{form(low)}–{form(high)}"
