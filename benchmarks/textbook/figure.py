"""The figure of the comparison: effective samples per second, and time to a verdict, by number of incidents."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLES = {
    "violencescore": ("#0072B2", "o"),
    "PyMC, nutpie": ("#D55E00", "s"),
    "PyMC": ("#E69F00", "^"),
    "NumPyro": ("#009E73", "D"),
    "Stan": ("#CC79A7", "v"),
}
"""Colour (Okabe and Ito's, told apart by the colour-blind) and marker of each sampler."""

INK, MUTED, GRID = "#1f2933", "#52606d", "#d9dfe6"


def draw_peers(rows: pd.DataFrame) -> bytes:
    """Return the figure as PNG: medians over the rounds with their range.

    What did not finish, or disagrees, is not drawn; what finished only with fewer draws has a hollow marker and no
    time.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 4.2), dpi=160, layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2)
    finished = rows[(rows["status"] == "finished") & ~rows["void"]]
    finished = finished.assign(whole=finished["draws"] == rows["draws"].max())
    _panel(left, finished, "ess_per_second", "effective samples a second (least of the scores)")
    _panel(
        right,
        finished[(finished["caches"] == "cold") & finished["whole"]],
        "seconds_total",
        "seconds to a verdict, nothing cached",
    )
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False, fontsize=10)
    stream = BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def _panel(axes: Axes, rows: pd.DataFrame, column: str, title: str) -> None:
    from matplotlib.ticker import LogFormatter

    for sampler, (colour, marker) in STYLES.items():
        own = rows[rows["sampler"] == sampler]
        if own.empty:
            continue
        by_size = own.groupby("incidents")[column].agg(["median", "min", "max"])
        below, above = by_size["median"] - by_size["min"], by_size["max"] - by_size["median"]
        axes.errorbar(
            by_size.index, by_size["median"], yerr=[below, above], color=colour, marker=marker, markersize=7,
            linewidth=1.8, capsize=3, label=sampler,
        )  # fmt: skip
        fewer = by_size.loc[~own.groupby("incidents")["whole"].all(), "median"]
        axes.plot(fewer.index, fewer, marker, color=colour, markerfacecolor="white", markersize=7, zorder=3)
    axes.set_xscale("log")
    axes.set_yscale("log")
    sizes = sorted(rows["incidents"].unique())
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.xaxis.minorticks_off()
    axes.tick_params(which="minor", length=0)
    axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1.0, 0.5)))  # labels within less than a decade
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.set_xlabel("incidents", color=MUTED)
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    style(axes)


def style(axes: Axes) -> None:
    """Grid behind, no frame, muted labels."""
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", colors=MUTED)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GRID)
