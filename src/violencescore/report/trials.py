"""Tables for the terminal of trials in simulated worlds: feasibility, and the red team."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from violencescore.robustness.redteam import RedTeamResult


def _table(title: str, left: int, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i < left else "right")
    return table


def feasibility_view(table: pd.DataFrame) -> Table:
    """Build the table of a feasibility study: a row for each setting."""
    from violencescore.robustness.feasibility import FACTORS, SHOWN

    columns = ("weeks", "named", "settled", "accuracy", "worlds", "right", "95 %", "wrong", "none")
    view = _table("Could the rule decide?", 0, *columns)
    for row in table.to_dict("records"):
        view.add_row(
            *(SHOWN[name][1].format(row[name]) for name in FACTORS),
            str(row["assessments"]),
            f"{100 * row['right_share']:.0f} %",
            f"{100 * row['right_share_low']:.0f}–{100 * row['right_share_high']:.0f}",
            str(row["wrong"]),
            str(row["abstained"]),
        )
    return view


def redteam_view(found: RedTeamResult) -> Table:
    """Build the table of what each adversary achieves."""
    columns = ("adversary", "change of P", "95 %", "named", "another", "fooled", "95 %")
    view = _table("What the red team achieves", 1, *columns)
    for row in found.achieved.to_dict("records"):
        view.add_row(
            row["adversary"],
            f"{row['change']:+.2f}",
            f"{row['change_low']:+.2f} to {row['change_high']:+.2f}",
            f"{row['named_before']}→{row['named_after']}",
            f"{row['another_before']}→{row['another_after']}",
            f"{row['fooled']} of {row['worlds']}",
            f"{100 * row['fooled_low']:.0f}–{100 * row['fooled_high']:.0f} %",
        )
    return view
