"""Does the verdict hang on revenue? Break-even revenues, and whether total and per-revenue verdicts name the same.

Per revenue, organization k is first in a draw where S_k / D_k exceeds the best of the others. So each draw has one
*break-even* revenue, S_k over that best: k is first if its revenue is below it. The distribution of the break-even
holds P(k first) for every revenue that k might be found to have, all else as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from violencescore.decision import judge
from violencescore.errors import RefusedError
from violencescore.montecarlo import Probability, effective_size, read_scores
from violencescore.names import ORGANIZATION
from violencescore.ranks import N_ERRORS, best_other, first_probability, first_shares
from violencescore.report.text import number_format
from violencescore.robustness.basis import Basis
from violencescore.robustness.findings import Finding, Part, described
from violencescore.robustness.margins import Margin
from violencescore.sampling import Progress
from violencescore.scores import score_draws

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = npt.NDArray[np.float64]

FACTORS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0, 10.0)
"""Multiples of the median revenue at which P(first) is told."""

LEVELS = (0.5,)
"""Probabilities of being first, beside the required one, of which the break-even revenue is given."""


def break_even_draws(totals: FloatArray, revenue: FloatArray, margin: float = 0.0) -> FloatArray:
    """Return the revenue below which each organization is first per revenue, by draw (chain, draw, organization).

    Parameters
    ----------
    totals, revenue
        Scores that are not divided, and revenues (chain, draw, organization).
    margin
        Share by which the first must exceed the second.

    Returns
    -------
    FloatArray
        0 where it did nothing, infinite where nobody else did anything.
    """
    rival = (1 + margin) * best_other(totals / revenue)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(totals > 0, totals / rival, 0.0))


def break_even_table(
    totals: xr.DataArray, revenue: xr.DataArray, confidence: float, margin: float = 0.0
) -> pd.DataFrame:
    """Return the revenue that each organization would need to have, or to stay below, to be first.

    Parameters
    ----------
    totals, revenue
        As in `break_even_draws`, with coordinates.
    confidence
        What a selection requires.

    Returns
    -------
    pandas.DataFrame
        organization_id; p_first per revenue; revenue_median, revenue_low, revenue_high (5 % and 95 %); level, and
        break_even: P(first) exceeds the level if its revenue is known to be lower, and does not if it is higher; low
        and high, its interval by two Monte-Carlo errors of P(first); factor, break_even over revenue_median;
        p_below, the probability that its revenue is below. 0 where no revenue is low enough.
    """
    scores, money = read_scores(totals), read_scores(revenue.sel({ORGANIZATION: totals[ORGANIZATION]}))
    edge = break_even_draws(scores.values, money.values, margin)
    first = first_probability(totals / revenue)
    rows = []
    for k, organization in enumerate(scores.ids):
        own = money.values[..., k]
        low, median, high = np.quantile(own, (0.05, 0.5, 0.95))
        for level in sorted({*LEVELS, confidence}):
            value, *ends = _quantiles(edge[..., k], level)
            rows.append(
                {
                    "organization_id": organization,
                    "p_first": first[organization].p,
                    "revenue_median": float(median),
                    "revenue_low": float(low),
                    "revenue_high": float(high),
                    "level": level,
                    "break_even": value,
                    "low": ends[0],
                    "high": ends[1],
                    "factor": value / float(median),
                    "p_below": float((own < value).mean()),
                }
            )
    return pd.DataFrame(rows)


def _quantiles(edge: FloatArray, level: float) -> tuple[float, float, float]:
    """Return where P(edge > x) falls to a level, and where it is two errors above and below it."""
    value = float(np.quantile(edge, 1 - level, method="inverted_cdf"))
    n = float(effective_size((edge > value)[np.newaxis].astype(float))[0])
    error = N_ERRORS * np.sqrt(level * (1 - level) / n)
    low, high = (
        float(np.quantile(edge, 1 - end, method="inverted_cdf"))
        for end in (min(level + error, 1), max(level - error, 0))
    )
    return value, low, high


def curve_table(totals: xr.DataArray, revenue: xr.DataArray, factors: Sequence[float]) -> pd.DataFrame:
    """Return P(first per revenue) of each organization were its revenue a multiple of its median, known exactly.

    Returns
    -------
    pandas.DataFrame
        organization_id, factor, revenue, p_first.
    """
    scores, money = read_scores(totals), read_scores(revenue.sel({ORGANIZATION: totals[ORGANIZATION]}))
    edge = break_even_draws(scores.values, money.values)
    rows = []
    for k, organization in enumerate(scores.ids):
        median = float(np.median(money.values[..., k]))
        for factor in factors:
            rows.append((organization, factor, factor * median, float((edge[..., k] > factor * median).mean())))
    return pd.DataFrame(rows, columns=["organization_id", "factor", "revenue", "p_first"])


def agreement_table(totals: xr.DataArray, divided: xr.DataArray) -> tuple[pd.DataFrame, float, float]:
    """Return who is first in total and who per revenue, together; and the probability that it is the same.

    Returns
    -------
    tuple
        total_id, per_id and p, the probability of the pair, ties shared, likeliest first and nothing that does not
        occur; P(same) and its Monte-Carlo standard error.
    """
    by_total, by_size = read_scores(totals), read_scores(divided)
    one, other = first_shares(by_total), first_shares(by_size)
    joint = np.einsum("cdk,cdl->kl", one, other) / by_total.n_samples
    rows = [
        (by_total.ids[k], by_size.ids[m], float(joint[k, m]))
        for k, m in zip(*np.nonzero(joint), strict=True)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["total_id", "per_id", "p"]).sort_values("p", ascending=False, kind="stable")
    same = (one * other).sum(axis=-1)
    n = float(effective_size(same[np.newaxis])[0])
    return table.reset_index(drop=True), float(same.mean()), max(float(same.std() / np.sqrt(n)), 1 / (n + 1))


def examine(basis: Basis, progress: Progress) -> Finding:
    """Answer all questions about revenue from the draws, for each kind of which there are estimates.

    Raises
    ------
    RefusedError
        If there are no estimates.
    """
    leader = basis.leader
    kinds = () if "revenue" not in basis.posterior.children else tuple(map(str, basis.posterior["revenue"].data_vars))
    if not kinds:
        raise RefusedError("There are no estimates of revenue or flow: the table `revenue` is missing or empty.")
    totals = score_draws(basis.posterior, basis.methodology, per="none")
    rule = basis.methodology.decision
    tables, margins, notes = {}, [], []
    for i, kind in enumerate(kinds):
        progress("revenue", i, len(kinds))
        money = basis.posterior["revenue"].to_dataset()[kind]
        divided = score_draws(basis.posterior, basis.methodology, per=kind)
        table = break_even_table(totals, money, basis.confidence, rule.margin)
        pairs, same, error = agreement_table(totals, divided)
        tables[f"{kind}_break_even"] = described(
            table,
            f"{kind} below which an organization is first per {kind} with the probability, all else equal",
            "draws",
        )
        tables[f"{kind}_curve"] = described(
            curve_table(totals, money, FACTORS), f"P(first per {kind}) were its {kind} known to be so much", "draws"
        )
        tables[f"{kind}_agreement"] = described(pairs, f"P(first in total, and first per {kind})", "draws")
        margins += _margins(basis, leader, kind, table, Probability(same, error))
        notes.append(_verdicts_note(basis, kind, totals, divided))
    progress("revenue", len(kinds), len(kinds))
    return Finding("revenue", tables, tuple(margins), tuple(notes))


def _margins(basis: Basis, leader: str, kind: str, table: pd.DataFrame, same: Probability) -> list[Margin]:
    said = f"Total violence and violence per {kind} put the same organization first with probability {same}."
    low, high = max(same.p - N_ERRORS * same.mcse, 0.0), min(same.p + N_ERRORS * same.mcse, 1.0)
    found = [Margin(f"{kind}_agreement", None, same.p, low, high, same.mcse, "probability", said, "draws")]
    if basis.methodology.score.per == kind:
        row = table[(table["organization_id"] == leader) & np.isclose(table["level"], basis.confidence)].iloc[0]
        median = float(row["revenue_median"])
        value, below, above = (float(row[name]) / median for name in ("break_even", "low", "high"))
        shown = number_format([median, float(row["break_even"])])
        said = (
            f"{basis.names[leader]} would be named as long as its {kind} is known to be below "
            f"{shown.with_unit(float(row['break_even']))}; its median estimate is {shown.with_unit(median)}."
        )
        error = (above - below) / (2 * N_ERRORS)
        name = f"{kind}_break_even"
        found.append(Margin(name, leader, value, below, above, error, "times its median", said, "draws"))
    return found


def _verdicts_note(basis: Basis, kind: str, totals: xr.DataArray, divided: xr.DataArray) -> str:
    rule = basis.methodology.decision
    words = []
    for scores, what in ((totals, "In total"), (divided, f"per {kind}")):
        first = first_probability(scores, rule.margin)
        who = max(first, key=lambda i: first[i].p)
        outcome = judge(first[who], rule.confidence, rule.extend_within, has_obstacle=False)
        words.append(f"{what} {basis.names[who]} is the likeliest first ({first[who]}: {outcome.replace('_', ' ')})")
    return f"{'; '.join(words)}."


def draw(finding: Finding, names: Mapping[str, str]) -> dict[str, Figure]:
    """Draw what each organization's revenue is estimated at, and where it would break even."""
    from violencescore.report.weighing_figures import break_even_figure

    return {
        f"revenue-{name.replace('_', '-')}": break_even_figure(table, names, name.partition("_")[0])
        for name, table in finding.tables.items()
        if name.endswith("_break_even")
    }


PART = Part("revenue", "Does the verdict hang on what the organizations earn?", False, examine, draw)
