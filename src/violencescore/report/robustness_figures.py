"""Figures of robustness: curves by organization, squares of changes, bars; from tables alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from violencescore.report.figures import BLUE, GRID, INK, MUTED, blank_figure
from violencescore.report.text import shown_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAME_LIMIT = 24
_LINES = ("-", "--", "-.", ":")
_LABELLED_FROM = 0.02
_LINE_APART = 0.065
_AGAINST = "#8a4b08"
"""For changes downwards, beside the blue of those upwards; also darker in grey print the larger they are."""


def curves(
    table: pd.DataFrame,
    x: str,
    y: str,
    names: Mapping[str, str],
    *,
    x_label: str,
    y_label: str,
    by: str = "organization_id",
    line: float | None = None,
    mcse: str = "mcse",
    reverse: bool = False,
) -> Figure:
    """Draw a line for each organization, with its name at its right end and a band of two Monte-Carlo errors.

    Organizations that never exceed a small share are drawn faintly, without a name.

    Parameters
    ----------
    line
        A level to mark, such as the required confidence.
    reverse
        Whether the horizontal axis runs from high to low.
    """
    figure, axes = blank_figure(width=6.4, height=3.8)
    ends: list[tuple[float, float, str]] = []
    loud = 0
    for key, own in table.groupby(by, sort=False):
        xs, ys = own[x].to_numpy(float), own[y].to_numpy(float)
        seen = float(np.nanmax(ys)) >= _LABELLED_FROM
        style = _LINES[loud % len(_LINES)] if seen else "-"
        colour = (BLUE if loud == 0 else INK if loud == 1 else MUTED) if seen else GRID
        axes.plot(xs, ys, linestyle=style, color=colour, linewidth=2 if seen else 1, solid_capstyle="round")
        if seen:
            error = 2 * own[mcse].to_numpy(float) if mcse in own else np.zeros(len(own))
            axes.fill_between(xs, np.clip(ys - error, 0, 1), np.clip(ys + error, 0, 1), color=colour, alpha=0.12, lw=0)
            ends.append((float(ys[-1]), float(xs[-1]), names.get(str(key), str(key))))
            loud += 1
    _write_ends(axes, ends)
    if line is not None:
        axes.axhline(line, color=MUTED, linewidth=0.8, linestyle=(0, (2, 3)))
    _finish(axes, x_label, y_label)
    axes.set_ylim(-0.02, 1.02)
    if reverse:
        axes.invert_xaxis()
    return figure


def _write_ends(axes: Axes, ends: list[tuple[float, float, str]]) -> None:
    """Write names beside the ends of their lines, apart from one another."""
    places = [y for y, _, _ in sorted(ends)]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + _LINE_APART)
    for i in range(len(places) - 1, -1, -1):  # down again from the top, where they ran out of room
        above = 1.0 if i == len(places) - 1 else places[i + 1] - _LINE_APART
        places[i] = min(places[i], above)
    for place, (_, x, name) in zip(places, sorted(ends), strict=True):
        axes.annotate(
            shown_text(name, _NAME_LIMIT), (x, place), (6, 0), textcoords="offset points", color=INK, fontsize=9,
            va="center", parse_math=False, annotation_clip=False,
        )  # fmt: skip


def matrix(table: pd.DataFrame, names: Mapping[str, str], *, row_label: str, column_label: str) -> Figure:
    """Draw a square of signed changes: rows act, columns feel it. Each cell carries its number."""
    values = table.to_numpy(float)
    rows = [shown_text(names.get(str(i), str(i)), _NAME_LIMIT) for i in table.index]
    columns = [shown_text(names.get(str(i), str(i)), _NAME_LIMIT) for i in table.columns]
    figure, axes = blank_figure(width=2.4 + 0.8 * len(columns), height=1.3 + 0.45 * len(rows))
    largest = max(float(np.nanmax(np.abs(values), initial=0.0)), 1e-9)
    for i, line in enumerate(values):
        for j, value in enumerate(line):
            shade = 0.0 if np.isnan(value) else min(abs(value) / largest, 1.0)
            colour = BLUE if value > 0 else _AGAINST
            axes.fill_between([j - 0.48, j + 0.48], i - 0.46, i + 0.46, color=colour, alpha=0.85 * shade, lw=0)
            shown = "" if np.isnan(value) else "0" if abs(value) < 0.005 else f"{value:+.2f}"
            axes.text(j, i, shown, ha="center", va="center", fontsize=9, color="white" if shade > 0.6 else INK)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks(range(len(columns)), columns, rotation=30, ha="left", parse_math=False)
    axes.set_yticks(range(len(rows)), rows, parse_math=False)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel(column_label, color=MUTED, parse_math=False)
    axes.set_ylabel(row_label, color=MUTED, parse_math=False)
    axes.tick_params(length=0, colors=INK, labelsize=9)
    return figure


def bars(labels: list[str], values: list[float], *, x_label: str, texts: list[str] | None = None) -> Figure:
    """Draw horizontal bars, a number at the end of each."""
    figure, axes = blank_figure(width=6.0, height=0.9 + 0.34 * len(labels))
    at = np.arange(len(labels))
    finite = [value if np.isfinite(value) else 0.0 for value in values]
    axes.barh(at, finite, color=BLUE, height=0.62)
    for i, value in enumerate(finite):
        shown = texts[i] if texts is not None else f"{value:.3g}"
        axes.annotate(
            shown_text(shown, 60), (value, i), (4, 0), textcoords="offset points", va="center", fontsize=9, color=INK,
            parse_math=False,
        )  # fmt: skip
    axes.set_yticks(at, [shown_text(label, 48) for label in labels], parse_math=False)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.margins(x=0.15)
    _finish(axes, x_label, "")
    return figure


def _finish(axes: Axes, x_label: str, y_label: str) -> None:
    axes.set_xlabel(x_label, color=MUTED, parse_math=False)
    axes.set_ylabel(y_label, color=MUTED, parse_math=False)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, length=0, labelsize=9)
