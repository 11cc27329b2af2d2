"""How much the lists miss, as a table and as JSON: what `violencescore reporting` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr
from rich.table import Table

from violencescore.report.tables import plain_table
from violencescore.report.text import shown_text


@dataclass(frozen=True)
class ShareRow:
    """Share of the incidents that are on some list: of what, median, and the ends of the 90 % interval."""

    of: str
    median: float
    low: float
    high: float


def share_rows(listed: xr.DataArray) -> list[ShareRow]:
    """Return a row for each region and period of draws (chain, draw, region, period)."""
    found = listed.quantile([0.05, 0.5, 0.95], dim=("chain", "draw"))
    return [
        ShareRow(
            f"{region}, {period}",
            *(float(found.sel(region=region, period=period, quantile=q)) for q in (0.5, 0.05, 0.95)),
        )
        for region in listed["region"].values
        for period in listed["period"].values
    ]


def share_table(rows: Sequence[ShareRow], ranges: Sequence[tuple[float, Sequence[ShareRow]]], *, title: str) -> Table:
    """Build a table of shares; beside them the medians under other odds ratios between all pairs of sources."""
    caption = (
        "Share of the incidents that some source lists. Beside it, its median if every two sources were dependent by "
        "the odds ratio at the head: above one they follow one another, and more is missed than seems."
    )
    table = plain_table(title, caption if ranges else caption.partition(" Beside")[0])
    table.add_column("")
    for heading in ("listed", "90 %", *(f"OR {ratio:g}" for ratio, _ in ranges)):
        table.add_column(heading, justify="right")
    for i, row in enumerate(rows):
        others = [f"{100 * other[i].median:.0f} %" for _, other in ranges]
        interval = f"{100 * row.low:.0f} to {100 * row.high:.0f} %"
        table.add_row(shown_text(row.of), f"{100 * row.median:.0f} %", interval, *others)
    return table


def cases_text(ratio: float, cases: xr.DataArray) -> str:
    """Say how many cases there are, listed or not."""
    low, middle, high = (float(x) for x in cases.quantile([0.05, 0.5, 0.95]))
    if ratio == 1.0:
        return f"All cases, listed or not: {middle:,.0f}; with 90 % probability between {low:,.0f} and {high:,.0f}."
    condition = f"if the odds ratio between every two lists were {ratio:g} times that"
    return f"The same {condition}: {middle:,.0f} ({low:,.0f} to {high:,.0f})."


def shares_json(rows: Sequence[ShareRow], ranges: Sequence[tuple[float, Sequence[ShareRow]]]) -> dict[str, Any]:
    """Return the same as plain values."""
    return {
        "listed": [vars(row) for row in rows],
        "odds_ratios": [{"odds_ratio": ratio, "listed": [vars(row) for row in other]} for ratio, other in ranges],
    }
