"""What the verdict rests on, as tables for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from violencescore.montecarlo import format_probability
from violencescore.report.text import shown_text
from violencescore.sensitivity import BAND_COLUMNS, SENSITIVE, SOUND, Sensitivity

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Group

_MEANINGS: Mapping[str, str] = {
    "accuracy": "prior: how often channels are right",
    "false_flag": "prior: false flags",
    "reach": "prior: how often channels speak of whom",
    "notoriety": "prior: on whom wrong names fall",
    "confusion": "prior: who is taken for whom",
    "rate": "prior: how much each did, of what",
    "presence": "prior: where each was active",
    "candidates": "prior: how candidates share",
    "data": "the incidents and their evidence",
}
_NAME_LIMIT = 40


def sensitivity_json(found: Sensitivity) -> dict[str, Any]:
    """Return everything that was computed, for ``sensitivity --json``."""
    return {
        "leader": found.leader,
        "parts": _records(found.parts),
        "band": _records(found.band),
        "reasons": list(sensitivity_sentences(found, {})),
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict(orient="records")]


def sensitivity_sentences(found: Sensitivity, names: Mapping[str, str]) -> list[str]:
    """Say in words what the lead rests on."""
    leader = shown_text(names.get(found.leader, found.leader), _NAME_LIMIT)
    sensitivity = {row["part"]: row["sensitivity"] for row in _records(found.parts)}
    moving = [part for part, value in sensitivity.items() if part != "data" and value >= SENSITIVE]
    said = []
    if sensitivity["data"] < SENSITIVE:
        said.append(f"The data say next to nothing of whether {leader} leads: the lead is assumed, not found.")
    if moving:
        listed = ", ".join(_MEANINGS[part].removeprefix("prior: ") for part in moving)
        said.append(f"The lead of {leader} moves with what was assumed of: {listed}.")
    else:
        said.append(f"No prior moves the lead of {leader} much.")
    sound = [row for row in _records(found.band) if row["sound"]]
    if sound:
        low, high = (end(row[found.leader] for row in sound) for end in (min, max))
        reach = f"from {sound[0]['factor']:g} to {sound[-1]['factor']:g} times as many false flags"
        said.append(f"Expecting {reach} puts P(first) of {leader} between {low:.2f} and {high:.2f}.")
    left = [row for row in _records(found.band) if not row["sound"]]
    if any(not row["refit"] for row in left):
        said.append(
            "Where the draws cannot be reweighted that far, only a refit can tell: name the assessment with "
            "--assessment, and those rows are fitted again."
        )
    if any(row["refit"] for row in left):
        said.append("Refits that have not converged are left out.")
    return said


def sensitivity_view(found: Sensitivity, names: Mapping[str, str]) -> Group:
    """Build both tables, and in words what they mean."""
    from rich.console import Group
    from rich.text import Text

    from violencescore.report.tables import plain_table

    leader = shown_text(names.get(found.leader, found.leader), _NAME_LIMIT)
    caption = (
        f"Sensitivity: how much the margin of {leader} over the next changes when the part is given more weight "
        f"(power scaling); from {SENSITIVE:g} on it matters. Per doubling: the change of P(first) of {leader} for "
        "twice the weight, by the slope where we are, with its Monte-Carlo error."
    )
    parts = plain_table("What the lead rests on", caption)
    parts.add_column("part")
    parts.add_column("sensitivity", justify="right")
    parts.add_column("per doubling", justify="right")
    for row in _records(found.parts):
        style = "bold yellow" if row["part"] != "data" and row["sensitivity"] >= SENSITIVE else ""
        shown = f"{row['per_doubling']:+.3f} ± {row['mcse']:.3f}"
        parts.add_row(Text(_MEANINGS[row["part"]]), Text(f"{row['sensitivity']:.2f}"), Text(shown), style=style)
    said = [Text(sentence) for sentence in sensitivity_sentences(found, names)]
    if found.band.empty:
        return Group(parts, Text(), *said)

    ids = [name for name in found.band.columns[len(BAND_COLUMNS) :] if f"{name}_mcse" in found.band.columns]
    rows = _records(found.band)
    top = sorted(ids, key=lambda i: -max(row[i] for row in rows))[:3]
    caption = (
        "P(first) if the share of false flags in the window was expected to be this many times as large, other things "
        f"equal: draws are reweighted, or fitted again (refit). k: Pareto's; above {SOUND:g} reweighting cannot be "
        "trusted, and its numbers are left out."
    )
    band = plain_table("If more or fewer false flags were expected", caption)
    band.add_column("times", justify="right")
    band.add_column("expected share", justify="right")
    for i in top:
        band.add_column(Text(f"P(1st)\n{shown_text(names.get(i, i), 16)}"), justify="right")
    band.add_column("k", justify="right")
    for row in rows:
        missing = "not converged" if row["refit"] else "needs a refit"
        shares = [format_probability(row[i], row[f"{i}_mcse"]) if row["sound"] else missing for i in top]
        k = "refit" if row["refit"] else f"{row['pareto_k']:.2f}"
        cells = [f"{row['factor']:g}", f"{row['prior_mean']:.3f}", *shares, k]
        band.add_row(*(Text(cell) for cell in cells), style="" if row["sound"] else "dim")
    return Group(parts, Text(), band, Text(), *said)
