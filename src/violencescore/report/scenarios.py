"""The scenarios beside the verdict: as rows for the page and a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from violencescore.report.text import MISSING, shown_text
from violencescore.scenarios import STATUS_TEXTS, ScenarioResult, scenario_sentences

if TYPE_CHECKING:
    from rich.console import Group

    from violencescore.decision import Decision

OUTCOMES: Mapping[str, str] = {
    "selected": "named",
    "extend": "not yet",
    "no_selection": "nobody named",
    "not_estimable": "no verdict",
}
_NAME_LIMIT = 60


def scenario_rows(decision: Decision, results: Sequence[ScenarioResult]) -> list[dict[str, Any]]:
    """Return a row for each scenario: name, changes, likeliest first, P(first), what the rule would say, a note.

    ``of_leader`` is the probability, under the scenario, of the verdict's own leader.
    """
    return [_row(decision, result) for result in results]


def _row(decision: Decision, result: ScenarioResult) -> dict[str, Any]:
    p_first = result.p_first or {}
    own = p_first.get(str(decision.leader))
    leader = result.leader
    outcome = result.outcome(decision.confidence_required, decision.extend_within)
    return {
        "name": shown_text(result.name, _NAME_LIMIT),
        "changes": shown_text(result.changes),
        "leader": MISSING if leader is None else shown_text(decision.names.get(leader, leader), _NAME_LIMIT),
        "p": None if leader is None else p_first[leader].p,
        "shown": MISSING if leader is None else str(p_first[leader]),
        "of_leader": None if own is None else own.p,
        "shown_of_leader": MISSING if own is None else str(own),
        "differs": leader is not None and leader != decision.leader,
        "outcome": OUTCOMES[outcome] if result.status == "done" else STATUS_TEXTS[result.status],
        "status": result.status,
        "note": shown_text(result.note),
    }


def scenarios_json(decision: Decision, results: Sequence[ScenarioResult]) -> dict[str, Any]:
    """Return the scenarios and what they mean, for ``decide --json``."""
    line = (decision.confidence_required, decision.extend_within)
    return {
        "results": [result.to_json_dict() | {"outcome": result.outcome(*line)} for result in results],
        "reasons": list(scenario_sentences(results, decision)),
    }


def scenarios_view(decision: Decision, results: Sequence[ScenarioResult]) -> Group:
    """Build the scenarios as a table for the terminal, and in words what they mean."""
    from rich.console import Group
    from rich.text import Text

    from violencescore.report.tables import plain_table

    caption = "Verdict: what the rule would say under the scenario. Nothing but the change named is different."
    if decision.required_margins:
        caption += " Margins that are required are not looked at there."
    table = plain_table("The verdict under other assumptions", caption)
    table.add_column("scenario", min_width=12, overflow="fold")
    table.add_column("likeliest first", max_width=24, overflow="fold")
    table.add_column("P(1st)", justify="right", no_wrap=True)
    names = decision.names
    leader = shown_text(names.get(str(decision.leader), ""), 16)
    table.add_column(Text(f"P(1st) of\n{leader}"), justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for row in scenario_rows(decision, results):
        marked = "bold yellow" if row["differs"] else ""
        faint = "" if row["status"] == "done" else "dim"
        cells = (Text(row["leader"], style=marked), Text(row["shown"]), Text(row["shown_of_leader"]))
        table.add_row(Text(row["name"]), *cells, Text(row["outcome"]), style=faint)
    said = scenario_sentences(results, decision)
    return Group(table, Text(), *(Text(shown_text(sentence)) for sentence in said))
