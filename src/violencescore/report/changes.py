"""Two runs compared, in words and as tables for the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from violencescore.changes.causes import AFTER, BEFORE, DATA_ONLY, RULES_ONLY
from violencescore.montecarlo import Probability
from violencescore.ranks import N_ERRORS
from violencescore.report.tables import plain_table
from violencescore.report.text import MISSING, error_text, joined, shown_text

if TYPE_CHECKING:
    from violencescore.changes.causes import Corner
    from violencescore.changes.comparison import Comparison

CAUSES: Mapping[str, str] = {
    "none": "The verdict is the same.",
    "data": "The verdict changes because of the data: the methodology alone would not have changed it so.",
    "rules": "The verdict changes because of the methodology: the data alone would not have changed it so.",
    "both": "The verdict changes because of data and methodology together: neither alone would have changed it so.",
    "either": "The verdict changes because of data and methodology: each alone would have changed it so.",
    "chance": "The verdict changes by no more than Monte-Carlo error can explain: other draws of the same posterior "
    "may do that. Take more draws.",
    "unexplained": "The verdict changes, by more than Monte-Carlo error can explain, though neither data nor "
    "methodology differ: one of the two was not drawn from the posterior that it claims.",
    "unknown": "The verdict changes; whether because of the data or the methodology cannot be told.",
}
_ONLY = {"data": "The verdict changes because of the data.", "rules": "The verdict changes because of the methodology."}
_PARTS = {"change": "change", "data": "data", "rules": "methodology", "chance": "chance"}
_CORNERS = {
    BEFORE: "before",
    DATA_ONLY: "old methodology, new data",
    RULES_ONLY: "new methodology, old data",
    AFTER: "after",
}
_REACH = {
    "words": "words only",
    "rule": "the line for naming",
    "sampling": "how it is sampled",
    "score": "the score, from the same draws",
    "model": "the model, which needs other draws",
}
_OUTCOMES = {"no_selection": "nobody named", "extend": "nobody named yet", "not_estimable": "no verdict"}
_NAME_LIMIT = 40
_MAX_FILES = 6


def verdict_words(outcome: str, selected: str | None, names: Mapping[str, str]) -> str:
    """Return a verdict in a few words: ``Amber named``."""
    if selected is not None:
        return f"{shown_text(names.get(selected, selected), _NAME_LIMIT)} named"
    return _OUTCOMES[outcome]


def change_sentences(found: Comparison) -> Iterator[str]:
    """Yield in words what caused the change, and what cannot be told."""
    if found.cause in _ONLY and found.crossed == "none":
        yield _ONLY[found.cause]
    else:
        yield CAUSES[found.cause]
    table = found.probabilities
    if len(table):
        row = table.iloc[0]
        name = shown_text(found.names.get(row["organization_id"], row["organization_id"]), _NAME_LIMIT)
        error = row["change_error"]
        within = abs(row["change"]) <= N_ERRORS * error
        most = f"The largest change of P(first) is {row['change']:+.3f}, of {name} (error {error_text(error)})"
        yield f"{most}: it could be Monte-Carlo error alone." if within else f"{most}: more than Monte-Carlo error."
    how = {
        "scored": "The crossed combinations are the draws of the two runs, scored again: nothing was fitted.",
        "fitted": "The crossed combinations were fitted.",
        "missing": f"The change cannot be split. {found.note}",
    }
    if found.crossed in how:
        yield how[found.crossed]
    if found.software:
        yield f"Other versions of {joined(found.software)}: what that does cannot be told from the rest."


def change_view(found: Comparison) -> Group:
    """Build what `violencescore compare` prints."""
    parts: list[Any] = []
    if found.tables is not None:
        parts += [_row_table(found), Text()]
    elif found.files:
        few = ", ".join(found.files[:_MAX_FILES])
        parts += [Text(f"Tables of other content: {few}. Name the assessments to see the rows: --assessments."), Text()]
    if found.choices.keys or found.choices.panel:
        parts += [_choice_table(found), Text()]
    parts += [_probability_table(found), Text()]
    if len(found.corners) > 2 or found.cause != "none":
        parts += [_verdict_table(found), Text()]
    return Group(*parts, *(Text(shown_text(sentence)) for sentence in change_sentences(found)))


def _row_table(found: Comparison) -> Table:
    table = plain_table("Rows", "Rows are paired by key; a changed row holds other values under the same key.")
    table.add_column("table")
    for heading in ("before", "after", "added", "changed", "withdrawn"):
        table.add_column(heading, justify="right")
    for name, change in (found.tables or {}).items():
        counts = change.counts()
        if any(counts.values()):
            cells = (f"{counts[key]:,}" for key in ("before", "after", "added", "changed", "withdrawn"))
            table.add_row(name, *cells, style="dim" if change.is_same else "")
    return table


def _choice_table(found: Comparison) -> Table:
    table = plain_table("What was chosen otherwise", "")
    table.add_column("key", overflow="fold")
    table.add_column("what it reaches", overflow="fold")
    for key, reach in found.choices.keys.items():
        table.add_row(Text(shown_text(key)), _REACH[reach])
    if found.choices.panel:
        table.add_row("panel_weights", _REACH["score"])
    return table


def _probability_table(found: Comparison) -> Table:
    caption = (
        "Each part with one Monte-Carlo standard error. Data and methodology: the mean over which of them is changed "
        "first; they add up to the change. Chance: the change where nothing differs but the draws."
    )
    table = plain_table("P(first), and what moved it", caption)
    table.add_column("organization", min_width=12, max_width=16, overflow="fold")
    parts = [part for part in _PARTS if not (found.probabilities[[part, f"{part}_error"]] == 0).all(axis=None)]
    for heading in (BEFORE, AFTER, *(_PARTS[part] for part in parts)):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in found.probabilities.to_dict("records"):
        cells = [_probability(row[end], row[f"{end}_error"]) for end in (BEFORE, AFTER)]
        cells += [_part(row[part], row[f"{part}_error"]) for part in parts]
        name = found.names.get(row["organization_id"], row["organization_id"])
        table.add_row(Text(shown_text(name, _NAME_LIMIT)), *cells)
    return table


def _probability(p: float, error: float) -> str:
    return MISSING if math.isnan(p) else str(Probability(p, error))


def _part(value: float, error: float) -> str:
    return "?" if math.isnan(value) else f"{value:+.3f} ±{error_text(error)}"


def _verdict_table(found: Comparison) -> Table:
    table = plain_table("The verdict, under each combination", "")
    table.add_column("data and methodology")
    table.add_column("verdict", overflow="fold")
    table.add_column("held against the line", justify="right")
    for key, words in _CORNERS.items():
        if (corner := found.corners.get(key)) is not None:
            table.add_row(words, Text(_verdict(corner, found.names)), _stand_out(corner))
    return table


def _verdict(corner: Corner, names: Mapping[str, str]) -> str:
    return verdict_words(corner.outcome, corner.selected, names)


def _stand_out(corner: Corner) -> str:
    return MISSING if corner.p_stand_out is None else str(Probability(*corner.p_stand_out))
