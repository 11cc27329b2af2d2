"""Tables of a calibration for the terminal, by rich: verdicts, coverage, probabilities, weekly looks, ranks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from violencescore.errors import Fault, InputError
from violencescore.report.captions import reliability_caption
from violencescore.report.plots import Plot

if TYPE_CHECKING:
    import pandas as pd

_SHORT = {
    "no false flags": "no flags",
    "counting names": "counting",
    "most named, always": "most named",
    "one look at the end": "at the end",
    "weekly, judged that day": "weekly (day)",
    "weekly, judged at the end": "weekly (end)",
}
"""Words of the tables in files, and what is shown for them where there is little room."""


def calibration_tables(found: Mapping[str, pd.DataFrame]) -> Iterator[Table]:
    """Build the tables that fit a terminal; the rest stands in the folder."""
    if "verdicts" in found:
        yield _verdicts("What the rule did", found["verdicts"], {})
    if "probabilities" in found:
        yield _coverage(found["coverage"])
        yield _probabilities(found["probabilities"])
    if "weekly looks" in found:
        yield _verdicts("Weekly looks", found["weekly looks"], {"rule": "rule"})
    if "ranks" in found:
        yield _ranks(found["ranks"])


def plot_reliability(folder: Path) -> Plot:
    """Draw how often stated probabilities of being first came true, from the refits of a calibration folder.

    Raises
    ------
    InputError
        If the folder holds no refits of simulated worlds.
    """
    from violencescore.calibration import figures, frames, tables
    from violencescore.calibration.folder import read_records

    first = frames.first_frame(read_records(folder, "world"))
    if first.empty:
        rule = "holds no refits of simulated worlds; make some with `violencescore calibrate --out DIR --world plain`"
        raise InputError([Fault(str(folder), rule)])
    table = tables.reliability(first, ["world"])
    title = "Reliability of P(first)"
    return Plot(figures.reliability_figure(table), title, reliability_caption(table), table)


def _table(title: str, left: int, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i < left else "right", no_wrap=i < left)
    return table


def _short(name: Any) -> str:
    return _SHORT.get(str(name), str(name))


def _percent(value: float) -> str:
    return "-" if value != value else f"{100 * value:.0f} %"


def _verdicts(title: str, rows: pd.DataFrame, more: Mapping[str, str]) -> Table:
    silent = [] if more else ["silent"]
    heads = ["world", *more.values(), "method", "stated", "right", "wrong", *silent, "of named (95 %)"]
    table = _table(title, 2 + len(more), *heads)
    for row in rows.to_dict("records"):
        selected = int(row["right"]) + int(row["wrong"])
        error = (
            f"{_percent(row['wrong_share'])} ({100 * row['wrong_share_low']:.0f}-{_percent(row['wrong_share_high'])})"
        )
        stated = row["confidence"]
        cells = [row["world"], *(_short(row[key]) for key in more), _short(row["method"])]
        cells += ["any" if stated != stated else f"{stated:.2f}", row["right"], row["wrong"]]
        cells += [] if more else [row["abstained"]]
        mark = "" if row["keeps_word"] in (True, None) else " ✗"
        table.add_row(*map(str, cells), (error if selected else "-") + mark)
    return table


def _coverage(rows: pd.DataFrame) -> Table:
    table = _table("True scores inside 90 % intervals", 3, "world", "method", "score", "inside", "95 % interval", "n")
    for row in rows[rows["level"] == 0.9].to_dict("records"):
        ends = f"{_percent(row['low'])} to {_percent(row['high'])}"
        cells = (
            row["world"],
            _short(row["method"]),
            row["estimand"],
            _percent(row["coverage"]),
            ends,
            row["intervals"],
        )
        table.add_row(*map(str, cells))
    return table


def _probabilities(rows: pd.DataFrame) -> Table:
    heads = ("world", "method", "n", "right", "stated", "log", "Brier", "off by", "chance")
    table = _table("Is P(first) true?", 2, *heads)
    for row in rows.to_dict("records"):
        errors = (f"{row['calibration_error']:.3f}", f"{row['calibration_error_if_calibrated']:.3f}")
        cells = (row["world"], _short(row["method"]), row["assessments"], _percent(row["top_is_first"]))
        numbers = (_percent(row["largest_p"]), f"{row['log_score']:.2f}", f"{row['brier']:.2f}", *errors)
        table.add_row(*map(str, (*cells, *numbers)))
    return table


def _ranks(rows: pd.DataFrame) -> Table:
    heads = ("structure", "quantities", "refits", "outside their own band", "uneven")
    table = _table("Simulation-based calibration", 1, *heads)
    for structure, part in rows.groupby("structure", sort=False):
        uneven = part.loc[~part["passes"], "quantity"]
        named = ", ".join(map(str, uneven)) or "none"
        cells = (structure, len(part), int(part["n"].max()), int((~part["inside_band"]).sum()), named)
        table.add_row(*map(str, cells))
    return table
