"""The passport as a table for the terminal, as JSON, and as rows for the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from violencescore.report.text import MISSING, shown_text
from violencescore.robustness.margins import Margin, Required
from violencescore.robustness_choices import MARGINS

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Group

_NAME_LIMIT = 24
_COUNTED = ("incidents", "panelists", "organizations")
CAPTION = (
    "Each margin says how much it takes to change the verdict: the larger, the safer. In brackets: what two "
    "Monte-Carlo errors, refits or the ways in which incidents may come leave open. How: from the draws of the "
    "verdict; by reweighting them (Pareto-smoothed importance sampling, with its k); or by sampling the model again."
)


def passport_rows(margins: Sequence[Margin], required: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each margin, ready to be shown.

    Parameters
    ----------
    margins
        As a run folder keeps them.
    required
        ``required`` of ``robustness.json``.
    """
    wanted = {str(row["name"]): row for row in required}
    rows = []
    for margin in margins:
        own = wanted.get(margin.name)
        rows.append(
            {
                "name": margin.name.replace("_", " "),
                "meaning": MARGINS.get(margin.name, ""),
                "value": _number(margin.value, margin.unit),
                "interval": _interval(margin),
                "unit": margin.unit,
                "minimum": "" if own is None else _number(float(own["minimum"]), margin.unit),
                "holds": None if own is None else bool(own["holds"]),
                "sentence": shown_text(margin.sentence),
                "method": margin.method,
            }
        )
    return rows


def passport_section(record: Mapping[str, Any] | None, margins: Sequence[Margin]) -> dict[str, Any] | None:
    """Return what the page shows of the passport: rows, notes, left_out, caption; None where it was not examined.

    Parameters
    ----------
    record, margins
        ``Run.robustness`` and ``Run.margins``.
    """
    if record is None:
        return None
    return {
        "rows": passport_rows(margins, record.get("required", ())),
        "notes": [shown_text(str(note)) for notes in record.get("parts", {}).values() for note in notes],
        "left_out": [f"{name}: {why}" for name, why in record.get("left_out", {}).items()],
        "caption": CAPTION,
    }


def margins_section(margins: Sequence[Margin], required: Sequence[Required]) -> dict[str, Any] | None:
    """Return the same of a bundle, which holds those margins that are required and no more; None where none is.

    Parameters
    ----------
    margins, required
        ``margins`` of what the bundle states, and ``required_margins`` of its decision.
    """
    if not required:
        return None
    rows = passport_rows(margins, [part.to_json_dict() for part in required])
    left_out = [f"{part.name.replace('_', ' ')} ({MARGINS[part.name]})" for part in required if part.margin is None]
    return {"rows": rows, "notes": [], "left_out": left_out, "caption": CAPTION}


def _number(value: float, unit: str) -> str:
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "none found" if unit in _COUNTED else "without limit"
    if unit in _COUNTED:
        return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"
    if unit == "share":
        return f"{100 * value:.0f} %"
    return f"{value:.2f}"


def _interval(margin: Margin) -> str:
    ends = (margin.low, margin.high)
    if margin.low == margin.high or any(math.isnan(end) for end in ends):
        return ""
    low, high = (_number(end, margin.unit) for end in ends)
    return "" if low == high else f"{low} – {high}"


def passport_view(section: Mapping[str, Any], title: str) -> Group:
    """Build the passport as a table for the terminal, and its notes."""
    from rich.console import Group
    from rich.text import Text

    from violencescore.report.tables import plain_table

    table = plain_table(title, str(section["caption"]))
    table.add_column("margin", min_width=12, max_width=_NAME_LIMIT, overflow="fold")
    table.add_column("found", justify="right")
    if any(row["minimum"] for row in section["rows"]):
        table.add_column("required", justify="right")
    table.add_column("what it means", overflow="fold")
    table.add_column("how", max_width=14, overflow="fold")
    for row in section["rows"]:
        style = "bold red" if row["holds"] is False else ""
        found = row["value"] + (f"\n({row['interval']})" if row["interval"] else "")
        minimum = [Text(row["minimum"])] if len(table.columns) == 5 else []
        table.add_row(Text(row["name"]), Text(found), *minimum, Text(row["sentence"]), Text(row["method"]), style=style)
    said = [Text(f"• {shown_text(note)}") for note in section["notes"]]
    missing = [Text(f"Not examined: {shown_text(words)}", style="dim") for words in section["left_out"]]
    return Group(table, Text(), *said, *missing)


def table_view(name: str, table: pd.DataFrame, names: Mapping[str, str], limit: int = 40) -> Group:
    """Build one table of a part for the terminal; long ones are cut, and say so."""
    from rich.console import Group
    from rich.text import Text

    from violencescore.report.tables import plain_table

    rest = len(table) - limit
    caption = f"{table.attrs.get('estimand', '')} ({table.attrs.get('method', '')})."
    if rest > 0:
        caption += f" {rest:,} more rows: write them with --out FOLDER."
    view = plain_table(name.replace("_", " "), caption[:1].upper() + caption[1:])
    for column in table.columns:
        numeric = table[column].dtype.kind in "fiu"
        view.add_column(Text(str(column).replace("_id", "").replace("_", " ")), justify="right" if numeric else "left")
    for row in table.head(limit).itertuples(index=False):
        view.add_row(*(Text(_cell(value, names)) for value in row))
    return Group(view, Text())


def _cell(value: Any, names: Mapping[str, str]) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if math.isnan(value):
            return MISSING
        return "∞" if math.isinf(value) else f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return shown_text(names.get(str(value), str(value)), _NAME_LIMIT)
