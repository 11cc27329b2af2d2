"""Figures of what else might have been chosen: the stated confidence, and two weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from violencescore.decision import Decision, Outcome, judge
from violencescore.ranks import N_ERRORS
from violencescore.report.figures import BLUE, GRID, INK, MUTED, blank_figure
from violencescore.report.text import shown_text
from violencescore.weight_plane import WeightPlane

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HUES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")
"""Okabe and Ito's colours (2008), told apart by those who see red and green alike; each region also has its name."""
_REST = "#9aa5b1"
_NAME_LIMIT = 24
_SHOWN_FROM = 0.03
_LEAST_LABELLED = 0.005
_STEP = 0.001
_STRIP: Mapping[str, tuple[str, str, str]] = {
    "selected": (BLUE, "white", "named"),
    "extend": ("#a9c1e0", INK, "more weeks"),
    "no_selection": ("#e6ebf1", INK, "nobody"),
    "not_estimable": ("#e6ebf1", INK, "no verdict can be given"),
}
"""Of each outcome: the strip's colour, that of its words, and the words."""


@dataclass(frozen=True)
class Stretch:
    """A range of stated confidences with one outcome."""

    low: float
    high: float
    outcome: Outcome


def stretches(decision: Decision) -> list[Stretch]:
    """Return the outcome at every confidence that can be stated, from above 0.5 to under 1, in steps of 0.001.

    Where the leader clears the line that was stated and is not selected for another reason, no confidence selects it.
    """

    def outcome_at(level: float) -> Outcome:
        return judge(decision.p_stand_out, level, decision.extend_within, decision.outcome == "not_estimable")

    is_held_back = outcome_at(decision.confidence_required) == "selected" != decision.outcome
    found: list[Stretch] = []
    for level in np.arange(0.501, 1.0, _STEP).round(3).tolist():
        outcome = outcome_at(level)
        outcome = decision.outcome if is_held_back and outcome == "selected" else outcome
        if found and found[-1].outcome == outcome:
            found[-1] = Stretch(found[-1].low, level, outcome)
        else:
            found.append(Stretch(level, level, outcome))
    return found


def first_by_confidence(decision: Decision) -> Figure:
    """Draw P(first) of each organization against the confidence that might be stated, and the verdict at each.

    An organization is named where its line, less two Monte-Carlo errors (the band), lies above the diagonal. With a
    stand-out margin the leader's line is its probability of standing out by it.
    """
    figure, axes = blank_figure(width=6.4, height=4.0)
    axes.plot([0.5, 1.0], [0.5, 1.0], color=MUTED, linewidth=1, linestyle="--")
    axes.text(0.67, 0.63, "required", color=MUTED, fontsize=8, rotation=33, ha="center", va="center")
    labels: list[tuple[float, str]] = []
    for key in decision.ranking["organization_id"]:
        is_leader = key == decision.leader
        value = decision.p_stand_out if is_leader and decision.p_stand_out is not None else decision.p_first[key]
        colour = BLUE if is_leader else MUTED
        low, high = value.p - N_ERRORS * value.mcse, value.p + N_ERRORS * value.mcse
        axes.fill_between([0.5, 1.0], max(low, 0.0), min(high, 1.0), color=colour, alpha=0.2, linewidth=0)
        axes.plot([0.5, 1.0], [value.p] * 2, color=colour, linewidth=2.2 if is_leader else 1.2)
        if is_leader or value.p >= _SHOWN_FROM:
            labels.append((value.p, f"{shown_text(decision.names[key], _NAME_LIMIT)}  {value}"))
    hidden = len(decision.ranking) - len(labels)
    if hidden:
        labels.append((0.0, f"{hidden} other{'s' if hidden > 1 else ''} below {_SHOWN_FROM:g}"))
    _write_beside(axes, labels)
    _draw_strip(axes, stretches(decision))
    axes.axvline(decision.confidence_required, color=INK, linewidth=0.8)
    axes.annotate("stated", xy=(decision.confidence_required, 1.06), xytext=(-4, 0), textcoords="offset points",
                  fontsize=8, color=INK, ha="right", va="center")  # fmt: skip
    axes.set(xlim=(0.5, 1.0), ylim=(-0.19, 1.1), yticks=[0, 0.25, 0.5, 0.75, 1])
    axes.set_xlabel("stated confidence", color=MUTED)
    axes.set_ylabel("probability of being first", color=MUTED)
    axes.tick_params(colors=MUTED, length=0, labelsize=9)
    axes.grid(color=GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    return figure


def _write_beside(axes: Axes, labels: Sequence[tuple[float, str]]) -> None:
    """Write labels at the right edge at their heights, moved apart where they would overlap."""
    least, height = 0.075, float("inf")
    for p, words in sorted(labels, key=lambda pair: -pair[0]):
        height = min(p, height - least)
        axes.annotate(words, xy=(1.0, p), xytext=(1.015, height), textcoords="data", fontsize=9, color=INK,
                      va="center", annotation_clip=False, parse_math=False)  # fmt: skip


def _draw_strip(axes: Axes, found: Sequence[Stretch]) -> None:
    for part in found:
        colour, ink, words = _STRIP[part.outcome]
        low, high = max(part.low - _STEP, 0.5), part.high
        axes.barh(-0.12, high - low, left=low, height=0.09, color=colour, edgecolor="white", linewidth=1)
        if high - low > 0.02 + 0.009 * len(words):
            axes.text((low + high) / 2, -0.12, words, ha="center", va="center", fontsize=8, color=ink)


def weight_plane_figure(plane: WeightPlane, decision: Decision) -> Figure:
    """Draw who is the likeliest first over two weights: full colour where it reaches the stated confidence.

    The cross marks the weights that count; regions carry the names, so that nothing rests on colour alone.
    """
    figure, axes = blank_figure(width=6.0, height=4.8)
    leaders = plane.leader
    order = [plane.organizations.index(str(key)) for key in decision.ranking["organization_id"]]
    hue = {k: HUES[place] if place < len(HUES) else _REST for place, k in enumerate(order)}
    axes.imshow(
        _colours(plane, hue, decision.confidence_required),
        origin="lower",
        aspect="auto",
        extent=_extent(plane),
        interpolation="nearest",
    )
    level = decision.confidence_required
    best = plane.p_first.max(axis=2)
    if best.min() < level < best.max():
        axes.contour(plane.x, plane.y, best, levels=[level], colors=[INK], linewidths=0.8, linestyles="--")
    for k in np.unique(leaders):
        name = shown_text(decision.names[plane.organizations[k]], _NAME_LIMIT)
        for part, words in (((best >= level), name), ((best < level), f"{name},\nbelow {level:g}")):
            region = part & (leaders == k)
            if region.mean() >= _LEAST_LABELLED:
                x, y = _label_place(plane, region)
                axes.text(x, y, words, ha="center", va="center", fontsize=9, color=INK, parse_math=False,
                          fontweight="bold" if words == name else "normal",
                          bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 2})  # fmt: skip
    for colour, width in (("white", 5.0), (INK, 2.5)):
        axes.plot(*plane.published, marker="x", color=colour, markersize=10, markeredgewidth=width, linestyle="none")
    axes.annotate("as published", xy=plane.published, xytext=(9, 9), textcoords="offset points", fontsize=9, color=INK,
                  bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.5})  # fmt: skip
    x_label, y_label = (f"weight of {shown_text(name, 40)}" for name in plane.categories)
    axes.set_xlabel(x_label, color=MUTED, parse_math=False)
    axes.set_ylabel(y_label, color=MUTED, parse_math=False)
    axes.tick_params(colors=MUTED, length=0, labelsize=9)
    return figure


def _extent(plane: WeightPlane) -> tuple[float, float, float, float]:
    """Return the outer edges of the cells around the first and last values."""
    (left, right), (low, high) = (
        (float(v[0] - (v[1] - v[0]) / 2), float(v[-1] + (v[1] - v[0]) / 2)) for v in (plane.x, plane.y)
    )
    return left, right, low, high


def _colours(plane: WeightPlane, hue: Mapping[int, str], level: float) -> np.ndarray:
    from matplotlib.colors import to_rgb

    table = np.array([to_rgb(hue[k]) for k in range(len(plane.organizations))])
    full = table[plane.leader]
    sure = (plane.p_first.max(axis=2) >= level)[..., None]
    return np.where(sure, full, 0.45 * full + 0.55)


def _label_place(plane: WeightPlane, region: np.ndarray) -> tuple[float, float]:
    """Return the middle of the largest disc inside a region: where its name fits best, clear of the cross if it can."""
    from scipy.ndimage import distance_transform_edt

    row, column = (
        int(np.abs(v - w).argmin()) for v, w in ((plane.y, plane.published[1]), (plane.x, plane.published[0]))
    )
    padded = np.pad(region, 1)
    if region[row, column] and region.sum() > 1:
        padded[row + 1, column + 1] = False
    depth = distance_transform_edt(padded)[1:-1, 1:-1]
    top, across = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(plane.x[across]), float(plane.y[top])
