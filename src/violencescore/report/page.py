"""The page: one self-contained HTML file that needs no network and runs no script."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from violencescore.montecarlo import format_probability
from violencescore.panel import panel_sentences
from violencescore.report.figures import score_intervals, svg_text
from violencescore.report.identification import family_rows, parameter_rows
from violencescore.report.scenarios import scenario_rows
from violencescore.report.sentences import (
    OUTCOME_LABELS,
    assumption_sentences,
    score_name,
    selected_score_sentences,
    shown_name,
    verdict_sentence,
)
from violencescore.report.text import (
    MISSING,
    NumberFormat,
    cell_format,
    error_text,
    interval_text,
    number_format,
    percent,
    rank_text,
    shown_text,
)
from violencescore.report.worlds import hundred_worlds
from violencescore.scenarios import ScenarioResult, scenario_sentences

if TYPE_CHECKING:
    import pandas as pd
    from jinja2 import Template

    from violencescore.decision import Decision

_DIGEST = re.compile(r"[0-9a-f]{64}")
_DIGEST_SHOWN = 12
_SHADE = (29, 79, 145)
_DARK_FROM = 0.55


@dataclass(frozen=True)
class PageContext:
    """What the page shows beside the decision.

    Parameters
    ----------
    title
        Heading of the page.
    window_text
        The window in words, such as ``1 July to 26 August 2026``; empty where there is none.
    messages
        What was left out or changed while reading, as sentences.
    diagnostics, run
        Contents of ``diagnostics.json`` and ``run.json``; either may be empty.
    methodology
        The methodology as plain values, as by ``model_dump(mode="json")``; may be empty.
    fictional
        Whether organizations and events are invented, which the page then says at the top.
    panel
        As by `violencescore.panel.panel_table`; None without a panel.
    scenarios
        What the scenarios of the methodology found.
    robustness
        As by `violencescore.report.robustness.passport_section`; None where it was not examined.
    """

    title: str
    window_text: str = ""
    messages: tuple[str, ...] = ()
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    methodology: Mapping[str, Any] = field(default_factory=dict)
    fictional: bool = False
    panel: pd.DataFrame | None = None
    scenarios: tuple[ScenarioResult, ...] = ()
    robustness: Mapping[str, Any] | None = None


def render_page(decision: Decision, context: PageContext) -> str:
    """Return the page of a decision as HTML text.

    Every figure is read from the decision; the same input gives the same text. Cells carry the unrounded
    value in ``<data value="...">``. Whatever comes from the input is shown as text: control and direction
    marks are written out, and HTML is escaped, by the template engine.
    """
    panel = context.panel if decision.outcome != "not_estimable" else None
    identified = context.diagnostics.get("identification") or ()
    return _template().render(
        context=context,
        decision=decision,
        label=OUTCOME_LABELS[decision.outcome],
        verdict=verdict_sentence(decision),
        selected_score=selected_score_sentences(decision),
        worlds=hundred_worlds(decision),
        required=percent(decision.confidence_required),
        ranking=_ranking_rows(decision),
        score_heading=_score_format(decision).heading(score_name(decision)),
        heat=_heat_rows(decision),
        intervals=_interval_figure(decision),
        pairs=_pair_rows(decision),
        assumptions=assumption_sentences(decision, context.run),
        checks=_diagnostic_rows(context),
        n_identified=len(identified),
        families=family_rows(identified),
        identification=parameter_rows(identified),
        panel=_panel_rows(decision, panel),
        panel_sentences=_panel_sentences(decision, panel),
        scenarios=scenario_rows(decision, context.scenarios),
        scenario_sentences=scenario_sentences(context.scenarios, decision),
        leader_name="" if decision.leader is None else shown_name(decision, decision.leader),
        origin=_origin_rows(decision, context),
        missing=MISSING,
    )


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    # `finalize` sees every value that is printed, so that no place in the template can forget it.
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown_value,
    )
    return environment.from_string(files(__package__).joinpath("page.html.j2").read_text(encoding="utf-8"))


def _shown_value(value: Any) -> Any:
    from markupsafe import Markup

    return shown_text(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _score_format(decision: Decision) -> NumberFormat:
    scores = decision.ranking[["score_low", "score_median", "score_high"]]
    return number_format(scores.to_numpy(float).ravel().tolist())


def _ranking_rows(decision: Decision) -> list[dict[str, Any]]:
    shown = _score_format(decision)
    rows = []
    for line in _records(decision):
        rows.append(
            line
            | {
                "shown_first": format_probability(line["p_first"], line["p_first_mcse"]),
                "shown_error": error_text(line["p_first_mcse"]),
                "shown_rank": f"{line['expected_rank']:.1f}",
                "shown_ranks": interval_text(rank_text(line["rank_low"]), rank_text(line["rank_high"])),
                "shown_score": shown(line["score_median"]),
                "shown_scores": interval_text(shown(line["score_low"]), shown(line["score_high"])),
                "selected": line["organization_id"] == decision.selected,
            }
        )
    return rows


def _records(decision: Decision) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in line.items()} for line in decision.ranking.to_dict("records")]


def _heat_rows(decision: Decision) -> list[dict[str, Any]]:
    shown = cell_format(min(decision.ranking["p_first_mcse"], default=0.0))
    columns = [f"p_rank_{rank}" for rank in range(1, len(decision.ranking) + 1)]
    return [
        {"name": line["name"], "cells": [_cell(float(line[column]), shown) for column in columns]}
        for line in _records(decision)
    ]


def _pair_rows(decision: Decision) -> list[dict[str, Any]]:
    """Return the pairs as a square in the order of the ranking; None stands on the diagonal."""
    keys = zip(decision.pairwise["organization_id"], decision.pairwise["other_id"], strict=True)
    values = dict(zip(keys, decision.pairwise["p_greater"].astype(float), strict=True))
    shown = cell_format(min(decision.ranking["p_first_mcse"], default=0.0))
    ids = decision.ranking["organization_id"].tolist()
    return [
        {
            "name": decision.names[row],
            "cells": [None if row == other else _cell(values[row, other], shown) for other in ids],
        }
        for row in ids
    ]


def _cell(p: float, shown: Callable[[float], str]) -> dict[str, Any]:
    shade = 0.0 if math.isnan(p) else min(max(p, 0.0), 1.0)
    red, green, blue = (round(255 + (full - 255) * shade) for full in _SHADE)
    return {
        "value": p,
        "text": shown(p),
        "background": f"#{red:02x}{green:02x}{blue:02x}",
        "ink": "#ffffff" if shade > _DARK_FROM else "#1f2933",
        "faint": shown(p).startswith("<"),
    }


def _interval_figure(decision: Decision) -> str:
    from markupsafe import Markup

    if decision.ranking.empty:
        return ""
    svg = svg_text(
        score_intervals(decision),
        title=f"{score_name(decision)}: median and 90 % interval of each organization",
        description="The numbers stand beside the names and in the ranking table.",
        prefix="scores",
    )
    # Built by an XML library from escaped text, so it is markup by right.
    return Markup(svg)  # noqa: S704


def _diagnostic_rows(context: PageContext) -> list[tuple[str, str, str]]:
    """Return (check, found, wanted) for whatever the diagnostics hold."""
    found, limits = context.diagnostics, context.methodology.get("sampling", {})
    rows = []
    if "converged" in found:
        rows.append(("Converged", "yes" if found["converged"] else "NO", "yes"))
    for key, label, limit, form in (
        ("max_rhat", "R-hat, the largest", "at most {max_rhat}", ".3f"),
        ("min_ess", "Effective draws, the fewest", "at least {min_ess:,.0f}", ",.0f"),
        ("divergences", "Divergences", "at most {max_divergences}", ",.0f"),
        ("n_draws", "Draws", "", ",.0f"),
    ):
        if key in found:
            value = found[key]
            rows.append((label, MISSING if value is None else format(value, form), _limit(limit, limits)))
    return rows


def _limit(text: str, limits: Mapping[str, Any]) -> str:
    try:
        return text.format_map(limits)
    except KeyError:
        return ""


def _panel_rows(decision: Decision, panel: pd.DataFrame | None) -> list[dict[str, Any]]:
    """Return each panelist with whom that panelist's weights put first, and who is first without the panelist."""
    rows = []
    for line in [] if panel is None else panel.to_dict("records"):
        left_out = isinstance(line["leader_without"], str)
        rows.append(
            {
                "panelist": str(line["panelist_id"]),
                "leader": shown_name(decision, line["leader"]),
                "p": line["p_first"],
                "shown": format_probability(line["p_first"], line["mcse"]),
                "differs": not line["same_as_verdict"],
                "without": shown_name(decision, line["leader_without"]) if left_out else "",
                "without_differs": left_out and line["leader_without"] != decision.leader,
            }
        )
    return rows


def _panel_sentences(decision: Decision, panel: pd.DataFrame | None) -> tuple[str, ...]:
    return () if panel is None else panel_sentences(panel, str(decision.leader), decision.names)


def _origin_rows(decision: Decision, context: PageContext) -> list[dict[str, Any]]:
    """Return the run's record as groups of (key, shown, full); single values form the first group."""
    record = {"methodology": decision.methodology, **context.run}
    record |= {"seconds": context.diagnostics["seconds"]} if "seconds" in context.diagnostics else {}
    groups: dict[str, list[tuple[str, str, str]]] = {"run": []}
    for key, value in record.items():
        if isinstance(value, Mapping):
            groups[key] = [(str(inner), *_origin_value(content)) for inner, content in value.items()]
        elif isinstance(value, str | int | float):
            groups["run"].append((key, *_origin_value(value)))
    return [{"name": name.replace("_", " "), "rows": rows} for name, rows in groups.items() if rows]


def _origin_value(value: Any) -> tuple[str, str]:
    """Return a value as shown and in full; they differ only for a digest."""
    text = f"{value:.1f}" if isinstance(value, float) else str(value)
    return (f"{text[:_DIGEST_SHOWN]}…" if _DIGEST.fullmatch(text) else text), text
