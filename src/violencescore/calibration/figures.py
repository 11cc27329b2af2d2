"""Figures of a calibration: reliability of P(first), what the rule did, coverage, evenness of ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from violencescore.calibration.methods import ALL_METHODS, DOUBTS, MODEL, NAMES, NO_FLAGS
from violencescore.report.figures import BLUE, GRID, INK, MUTED, panel_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKS = {
    MODEL: ("o", BLUE, BLUE),
    DOUBTS: ("D", BLUE, BLUE),
    NO_FLAGS: ("s", "white", BLUE),
    NAMES: ("^", "white", MUTED),
}
"""Marker, face and edge of each method."""
_LEVELS = ((0.9, "o"), (0.8, "s"), (0.5, "^"))
_NEAR_WHITE = "#e6ebf1"


def reliability_figure(table: pd.DataFrame) -> Figure:
    """Draw how often a stated P(first) came true, world by world; on the diagonal the two agree.

    Bars are 95 % intervals of the frequency; a mark's size says how many statements it stands for.
    """
    worlds = list(table["world"].unique())
    figure, axes = panel_grid(len(worlds), 2.5, 2.7)
    for axis, world in zip(axes, worlds, strict=False):
        axis.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle="--")
        for method in (NAMES, MODEL):
            part = table[(table["world"] == world) & (table["method"] == method)]
            marker, face, edge = _MARKS[method]
            errors = [part["observed"] - part["low"], part["high"] - part["observed"]]
            axis.errorbar(part["stated"], part["observed"], yerr=errors, fmt="none", ecolor=edge, elinewidth=0.8)
            size = 10 + 70 * part["n"] / max(part["n"].max(), 1)
            axis.scatter(
                part["stated"], part["observed"], s=size, marker=marker, c=face, edgecolors=edge, zorder=3, label=method
            )
        axis.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
        axis.set_title(world, fontsize=10, color=INK)
    _label(figure, axes, "stated P(first)", "share that was first")
    return figure


def operating_figure(table: pd.DataFrame) -> Figure:
    """Draw, by world and stated confidence, in which share of assessments the rule was right, wrong, or abstained."""
    methods = [m for m in ALL_METHODS if m in set(table["method"])]
    worlds = list(table["world"].unique())
    known = table[table["confidence"].notna()]
    levels = sorted(known["confidence"].unique())
    height = 0.9 + len(worlds) * (0.24 * len(levels) + 0.14)
    figure, axes = panel_grid(len(methods), 3.3, height, width=len(methods))
    ticks: list[tuple[float, str]] = []
    for axis, method in zip(axes, methods, strict=False):
        y, ticks = 0.0, []
        for world in worlds:
            for level in levels:
                row = known[(known["world"] == world) & (known["method"] == method) & (known["confidence"] == level)]
                _stacked(axis, y, row.iloc[0])
                ticks.append((y, f"{world}  {level:.2f}" if level == levels[0] else f"{level:.2f}"))
                y += 1.0
            y += 0.6
        axis.set_title(method, fontsize=10, color=INK)
        axis.set(xlim=(0, 1), ylim=(y - 0.9, -0.7), xticks=[0, 0.5, 1])
        axis.set_xlabel("share of assessments", fontsize=9, color=MUTED)
        axis.set_yticks([at for at, _ in ticks], [words for _, words in ticks] if axis is axes[0] else [])
    handles, labels = axes[0].get_legend_handles_labels()
    named = dict(zip(labels, handles, strict=True))
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def _stacked(axis: Axes, y: float, row: pd.Series) -> None:
    n, left = float(row["assessments"]), 0.0
    styles = (("right", BLUE, ""), ("wrong", INK, ""), ("abstained", _NEAR_WHITE, ""))
    for name, colour, hatch in styles:
        share = float(row[name]) / n
        axis.barh(y, share, left=left, height=0.82, color=colour, hatch=hatch, label=name)
        if name == "wrong" and row["wrong"]:
            axis.text(left + share + 0.01, y, f"{int(row['wrong'])}", va="center", fontsize=7, color=INK)
        left += share


def coverage_figure(table: pd.DataFrame) -> Figure:
    """Draw the share of true scores inside their 50, 80 and 90 % intervals, world by world, for both estimands."""
    part = table[table["method"] == MODEL]
    estimands = list(part["estimand"].unique())
    worlds = list(part["world"].unique())
    figure, axes = panel_grid(len(estimands), 4.2, 1.2 + 0.36 * len(worlds), width=len(estimands))
    for axis, estimand in zip(axes, estimands, strict=False):
        for offset, (level, marker) in zip((-0.22, 0.0, 0.22), _LEVELS, strict=True):
            axis.axvline(level, color=GRID, linewidth=1.2, zorder=0)
            rows = part[(part["estimand"] == estimand) & (part["level"] == level)].set_index("world").reindex(worlds)
            y = np.arange(len(worlds)) + offset
            axis.hlines(y, rows["low"], rows["high"], color=BLUE, linewidth=1.2)
            axis.scatter(rows["coverage"], y, marker=marker, c=BLUE, s=26, label=f"{level:.0%} intervals")
        axis.set_title(f"{estimand} score", fontsize=10, color=INK)
        axis.set(xlim=(min(0.4, float(part["low"].min()) - 0.02), 1.02), ylim=(len(worlds) - 0.5, -0.5))
        axis.set_xlabel("share of true scores inside", fontsize=9, color=MUTED)
        axis.set_yticks(range(len(worlds)), worlds if axis is axes[0] else [""] * len(worlds))
        axis.set_xticks([level for level, _ in _LEVELS], [f"{level:.0%}" for level, _ in _LEVELS])
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def band_figure(data: Mapping[str, Mapping[str, Any]], passes: Mapping[str, bool]) -> Figure:
    """Draw how far the ranks of each true quantity are from even, within the band that chance allows."""
    figure, axes = panel_grid(len(data), 1.75, 1.5, width=6)
    reach = max(0.12, *(float(np.abs([d["y"], d["low"], d["high"]]).max()) for d in data.values()))
    for axis, (name, curve) in zip(axes, data.items(), strict=False):
        axis.fill_between(curve["x"], curve["low"], curve["high"], color=_NEAR_WHITE, linewidth=0, step="post")
        axis.plot(curve["x"], curve["y"], color=BLUE if passes[name] else INK, linewidth=1.2, drawstyle="steps-post")
        axis.axhline(0, color=MUTED, linewidth=0.6)
        axis.set(xlim=(0, 1), ylim=(-reach * 1.05, reach * 1.05), xticks=[], yticks=[])
        axis.set_title(name if passes[name] else f"✗ {name}", fontsize=7, color=INK, pad=2)
    return figure


def _label(figure: Figure, axes: Sequence[Axes], x: str, y: str) -> None:
    figure.supxlabel(x, fontsize=9, color=MUTED)
    figure.supylabel(y, fontsize=9, color=MUTED)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False, fontsize=9)
