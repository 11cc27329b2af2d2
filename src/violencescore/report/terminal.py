"""What commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from violencescore.jsontext import json_text
from violencescore.report.text import shown_text

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from violencescore.decision import Decision
    from violencescore.errors import Fault
    from violencescore.scenarios import ScenarioResult


def screen() -> Console:
    """Return the console of standard output, as wide as the terminal (80 columns where there is none)."""
    return Console()


def errors() -> Console:
    """Return the console of standard error."""
    return Console(stderr=True)


def print_json(value: Any) -> None:
    """Print JSON, and nothing else, on standard output; null stands for a number that is missing or infinite."""
    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    print(json_text(value, ascii_only=plain))


def print_line(text: str, style: str = "") -> None:
    """Print one line, never broken, so that paths can be copied."""
    screen().print(Text(shown_text(text), style=style), soft_wrap=True)


def print_messages(messages: Iterable[str]) -> None:
    """Print what was left out or changed while reading."""
    for message in messages:
        screen().print(Text(shown_text(message), style="dim"))


def print_ranking(decision: Decision, sets: pd.DataFrame | None = None) -> None:
    """Print the probability-of-rank table, and frequentist confidence sets where they are given."""
    from violencescore.report.tables import confidence_sets_table, ranking_table

    console = screen()
    console.print(ranking_table(decision, console.width))
    console.print()
    if sets is not None:
        console.print(confidence_sets_table(decision, sets))
        console.print()


def print_trees(posterior: xr.DataTree, decision: Decision, trees: Mapping[str, ScenarioResult]) -> None:
    """Print who is first under other published trees of units; nothing where there are none."""
    from violencescore.report.units import trees_view

    if trees:
        console = screen()
        console.print(trees_view(posterior, decision, trees))
        console.print()


def ranking_json(
    decision: Decision,
    sets: pd.DataFrame | None = None,
    posterior: xr.DataTree | None = None,
    trees: Mapping[str, ScenarioResult] | None = None,
) -> list[dict[str, Any]]:
    """Return the rows of the ranking, with the ends of the confidence sets and the units of other trees, if given."""
    ranking = decision.ranking
    if sets is not None:
        ends = {"low": "set_low", "high": "set_high", "low_all": "set_low_all", "high_all": "set_high_all"}
        ranking = ranking.merge(sets.rename(columns=ends)[["organization_id", *ends.values()]], on="organization_id")
    rows = [{str(key): value for key, value in row.items()} for row in ranking.to_dict(orient="records")]
    if posterior is None or not trees:
        return rows
    from violencescore.report.units import with_units

    return with_units(rows, posterior, trees)


def print_verdict(decision: Decision, panel: pd.DataFrame | None, scenarios: Sequence[ScenarioResult] = ()) -> None:
    """Print the verdict in words, what each panelist's own weights would say, and the scenarios."""
    from violencescore.report.tables import panel_view, verdict_panel

    console = screen()
    console.print(verdict_panel(decision))
    if panel is not None and decision.outcome != "not_estimable":
        console.print(panel_view(decision, panel))
        console.print()
    print_scenarios(decision, scenarios)


def print_scenarios(decision: Decision, scenarios: Sequence[ScenarioResult]) -> None:
    """Print the verdict under other assumptions; nothing where the methodology lists none."""
    from violencescore.report.scenarios import scenarios_view

    if not scenarios:
        return
    console = screen()
    console.print(scenarios_view(decision, scenarios))
    console.print()


def print_seconds(seconds: Mapping[str, float]) -> None:
    """Print where the time went."""
    parts = ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
    screen().print(Text(f"Where the time went: {parts}.", style="dim"))


def print_faults(faults: Sequence[Fault]) -> None:
    """Print all faults on standard error: numbered to whoever watches, one a line to a program."""
    from violencescore.report.tables import faults_table

    console = errors()
    if console.is_terminal:
        console.print(faults_table(faults))
        return
    for fault in faults:
        console.print(Text(shown_text(str(fault))), soft_wrap=True)


def verdict_json(
    decision: Decision, panel: pd.DataFrame | None, scenarios: Sequence[ScenarioResult] = ()
) -> dict[str, Any]:
    """Return what ``decide --json`` prints: ``decision.json``, the panel one by one, and the scenarios."""
    found = decision.to_json_dict()
    if panel is not None:
        from violencescore.panel import panel_sentences

        rows = panel.astype(object).where(panel.notna(), None).to_dict("records")
        said = panel_sentences(panel, str(decision.leader), decision.names)
        found |= {"panel": {"panelists": rows, "reasons": list(said)}}
    if scenarios:
        from violencescore.report.scenarios import scenarios_json

        found |= {"scenarios": scenarios_json(decision, scenarios)}
    return found
