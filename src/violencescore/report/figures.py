"""Figures of a decision as matplotlib's own objects.

Figures are built with matplotlib's objects alone: no pyplot, no window, no global state. Names of
organizations are never read as mathematics, whatever dollar signs they hold.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from violencescore.report.sentences import score_name
from violencescore.report.text import cell_format, interval_text, number_format, shown_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

    from violencescore.decision import Decision

INK = "#1f2933"
MUTED = "#52606d"
GRID = "#d9dfe6"
BLUE = "#1d4f91"
"""The one hue of all charts: told apart by lightness, so colour blindness and grey print lose nothing."""

_NAME_LIMIT = 40
_SHORT_NAME_LIMIT = 24
_LOG_FROM = 50.0
_SVG = "{http://www.w3.org/2000/svg}"
_XLINK_HREF = "{http://www.w3.org/1999/xlink}href"


def rank_heat_map(decision: Decision) -> Figure:
    """Draw P(rank = j) of every organization: a row per organization, a column per rank.

    Cells carry their number, so that nothing is read from the colour alone. Rows stand in the order of
    the ranking.
    """
    probabilities = _ordered_rank_probabilities(decision)
    n = len(probabilities)
    figure, axes = blank_figure(width=2.6 + 0.5 * n, height=1.0 + 0.42 * n)
    axes.imshow(probabilities, cmap=_shades(), vmin=0.0, vmax=1.0, aspect="auto")
    cell = cell_format(min(decision.ranking["p_first_mcse"], default=0.0))
    for row, values in enumerate(probabilities):
        for column, p in enumerate(values):
            colour = "white" if p > 0.5 else INK
            axes.text(column, row, cell(p), ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(n), [str(rank + 1) for rank in range(n)])
    names = [shown_text(name, _SHORT_NAME_LIMIT) for name in _ordered_names(decision)]
    axes.set_yticks(range(n), names, parse_math=False)
    axes.set_xlabel("rank (1 = most violent)", color=MUTED)
    axes.xaxis.set_label_position("top")
    axes.tick_params(length=0, labeltop=True, labelbottom=False, colors=INK)
    _white_lines_between_cells(axes, n)
    return figure


def score_intervals(decision: Decision) -> Figure:
    """Draw the median and the 90 % interval of every organization's score, in the order of the ranking.

    Names and numbers stand above their interval, so the figure stays legible on a narrow screen. A score
    per revenue or flow that spans orders of magnitude is drawn on a logarithmic axis.
    """
    ranking = decision.ranking
    ends = [ranking[f"score_{end}"].astype(float).tolist() for end in ("low", "median", "high")]
    shown = number_format(value for column in ends for value in column)
    figure, axes = blank_figure(width=5.2, height=0.75 + 0.48 * len(ranking))
    for row, (low, median, high) in enumerate(zip(*ends, strict=True)):
        chosen = ranking["organization_id"].iloc[row] == decision.selected
        name = shown_text(_ordered_names(decision)[row], _NAME_LIMIT)
        numbers = f"{shown(median)} ({interval_text(shown(low), shown(high))})"
        # Two texts: in one, a name written from right to left would turn the numbers round.
        _write_above(axes, row, name, side="left", bold=chosen)
        _write_above(axes, row, numbers, side="right", bold=chosen)
        _draw_interval(axes, row, [value / shown.power for value in (low, median, high)], bold=chosen)
    if decision.per != "none" and _spans_magnitudes(ends[0], ends[2]):
        axes.set_xscale("log")
    else:
        axes.set_xlim(left=min(0.0, *axes.get_xlim()))
    axes.set_ylim(len(ranking) - 0.5, -0.65)
    axes.set_yticks([])
    axes.set_xlabel(shown.heading(score_name(decision)), color=MUTED, parse_math=False)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, length=0, labelsize=9)
    return figure


def rankogram(decision: Decision) -> Figure:
    """Draw P(rank = j) as bars, a panel for each organization, in the order of the ranking (Salanti et al. 2011).

    One tall bar is a rank that is known; a flat row of bars is one that is not.
    """
    probabilities = _ordered_rank_probabilities(decision)
    n = len(probabilities)
    figure, axes = panel_grid(n, 1.9, 1.55)
    names = [shown_text(name, _SHORT_NAME_LIMIT) for name in _ordered_names(decision)]
    for axis, name, values in zip(axes, names, probabilities, strict=True):
        axis.bar(range(1, n + 1), values, color=BLUE, width=0.8)
        axis.set(ylim=(0, 1.02), xlim=(0.4, n + 0.6), yticks=[0, 0.5, 1], xticks=_whole_ticks(n))
        axis.grid(visible=False, axis="x")
        axis.set_title(name, fontsize=9, color=INK, parse_math=False)
    figure.supxlabel("rank (1 = most violent)", fontsize=9, color=MUTED)
    figure.supylabel("probability", fontsize=9, color=MUTED)
    return figure


def _whole_ticks(n: int) -> list[int]:
    step = -(-n // 8)
    return list(range(1, n + 1, step))


def blank_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """Return an empty figure and its axes, without frame, outside of pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure, axes


def panel_grid(n: int, width_each: float, height_each: float, width: int = 4) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure and a grid of its bare panels, at most ``width`` in a row, those not needed left out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(n, width)
    rows = -(-n // columns)
    figure = Figure(figsize=(width_each * columns, height_each * rows), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(rows, columns, i + 1) for i in range(n)]
    for axis in axes:
        for spine in axis.spines.values():
            spine.set_visible(False)
        axis.tick_params(colors=MUTED, length=0, labelsize=8)
        axis.grid(color=GRID, linewidth=0.5)
        axis.set_axisbelow(True)
    return figure, axes


def _shades() -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("white_to_blue", ["#ffffff", BLUE])


def _white_lines_between_cells(axes: Axes, n: int) -> None:
    edges = [edge - 0.5 for edge in range(1, n)]
    axes.set_xticks(edges, minor=True)
    axes.set_yticks(edges, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="minor", length=0)


def _write_above(axes: Axes, row: int, words: str, *, side: Literal["left", "right"], bold: bool) -> None:
    axes.annotate(
        words,
        xy=(0.0 if side == "left" else 1.0, row - 0.28),
        xycoords=axes.get_yaxis_transform(),
        ha=side,
        va="center",
        fontsize=10,
        color=INK,
        fontweight="bold" if bold else "normal",
        parse_math=False,
    )


def _draw_interval(axes: Axes, row: int, ends: Sequence[float], *, bold: bool) -> None:
    if not all(math.isfinite(end) for end in ends):
        return
    low, median, high = ends
    colour = BLUE if bold else MUTED
    axes.plot([low, high], [row + 0.1] * 2, color=colour, linewidth=5 if bold else 4, alpha=0.55)
    axes.plot([median], [row + 0.1], marker="o", color=colour, markersize=7 if bold else 6)


def _spans_magnitudes(low: Sequence[float], high: Sequence[float]) -> bool:
    ends = [value for value in (*low, *high) if math.isfinite(value)]
    return bool(ends) and min(ends) > 0.0 and max(ends) / min(ends) > _LOG_FROM


def _ordered_names(decision: Decision) -> list[str]:
    return [decision.names[identity] for identity in decision.ranking["organization_id"]]


def _ordered_rank_probabilities(decision: Decision) -> list[list[float]]:
    n = len(decision.ranking)
    columns = [f"p_rank_{rank}" for rank in range(1, n + 1)]
    return [[float(p) for p in row] for row in decision.ranking[columns].to_numpy()]


@contextmanager
def reproducible_svg() -> Iterator[None]:
    """Text stays text, ids come from a fixed salt, and a glyph that our font lacks is no matter.

    The reader's own fonts draw the text; matplotlib's only measure it.
    """
    import matplotlib

    salted = matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "violencescore"})
    with salted, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support", category=UserWarning)
        yield
