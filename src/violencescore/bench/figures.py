"""Figures of the bench: forests, leave-one-out comparison and Pareto k by arviz-plots, the others in its manner."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from violencescore.bench.scoring import Reliability
from violencescore.bench.waterfall import Waterfall
from violencescore.report.figures import BLUE, GRID, INK, MUTED, blank_figure
from violencescore.report.text import shown_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAME_LIMIT = 40
_CHECKS = {
    "named": "pieces that name the organization (window)",
    "disagree": "incidents on which two channels disagree",
    "unattributed": "incidents of which no channel speaks, by region",
}


def accuracy_forest(posterior: xr.Dataset, prior: Mapping[str, tuple[float, float]], chance: float) -> Figure:
    """Draw the accuracy of each channel before and after the data: median, 50 % and 90 % intervals.

    Parameters
    ----------
    posterior
        Named quantities.
    prior
        Beta parameters of each channel.
    chance
        Accuracies lie above it.
    """
    from scipy.stats import beta

    names = [str(name) for name in posterior["channel"].values]
    # As many draws as those after the data, in the same chains: the two are drawn over one another.
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    n = shape[0] * shape[1]
    grid = (np.arange(n) + 0.5) / n
    below = [beta.cdf(chance, *prior[name]) for name in names]
    draws = [beta.ppf(low + (1 - low) * grid, *prior[name]) for low, name in zip(below, names, strict=True)]
    values = np.array(draws).T.reshape(*shape, len(names))
    before = _numbered(xr.Dataset({"accuracy": (("chain", "draw", "channel"), values)}, coords={"channel": names}))
    trees = {
        "before the data": xr.DataTree.from_dict({"posterior": before}),
        "after": xr.DataTree.from_dict({"posterior": _numbered(posterior[["accuracy"]])}),
    }
    return _forest(trees, "accuracy", "how often it is right when it names one")


def reach_forest(posterior: xr.Dataset) -> Figure:
    """Draw how often each channel speaks of the incidents of each actor: median, 50 % and 90 % intervals."""
    reach = posterior[["reach"]].assign_coords(actor=[_harmless(str(name)) for name in posterior["actor"].values])
    trees = xr.DataTree.from_dict({"posterior": _numbered(reach)})
    return _forest(trees, "reach", "how often it speaks of an incident")


def _harmless(text: str) -> str:
    """Return text that arviz-plots, which leaves mathematics on, shows as it stands."""
    return shown_text(text, _NAME_LIMIT).replace("$", r"\$")


def _numbered(draws: xr.Dataset) -> xr.Dataset:
    return draws.assign_coords({dim: np.arange(draws.sizes[dim]) for dim in ("chain", "draw")})


def _forest(trees: Any, name: str, label: str) -> Figure:
    import arviz_plots

    drawn: Any = arviz_plots.plot_forest(
        trees,
        var_names=[name],
        combined=True,
        ci_kind="eti",
        ci_probs=(0.5, 0.9),
        point_estimate="median",
        backend="matplotlib",
    )
    if isinstance(trees, dict):
        drawn.add_legend("model", title="")
    figure = _released(drawn)
    # Its first axes hold the names, the second the intervals.
    figure.axes[1].set_xlabel(label, color=MUTED)
    return figure


def _released(drawn: Any) -> Figure:
    """Take a figure out of pyplot's keeping."""
    from matplotlib import pyplot

    figure: Figure = drawn.viz["figure"].item()
    pyplot.close(figure)
    return figure


def comparison_figure(table: pd.DataFrame) -> Figure:
    """Draw variants by their leave-one-out density, by arviz-plots."""
    import arviz_plots

    return _released(arviz_plots.plot_compare(table.rename_axis(None), backend="matplotlib"))


def khat_figure(loo: Any) -> Figure:
    """Draw Pareto k of every incident: above the line, leaving it out is not foreseen reliably."""
    import arviz_plots

    ids = [_harmless(str(name)) for name in loo.pareto_k["incident"].values]
    shown = dataclasses.replace(loo, pareto_k=loo.pareto_k.assign_coords(incident=ids))
    return _released(
        arviz_plots.plot_khat(
            shown,
            threshold=loo.good_k,
            hline_values=[loo.good_k],
            backend="matplotlib",
            visuals={"hlines": {"color": MUTED}},
        )
    )


def reliability_figure(parts: Mapping[str, Reliability]) -> Figure:
    """Draw reliability diagrams side by side: stated probability against the share that came true.

    The band is where the curve would lie in 90 % of cases if every stated probability were true; ticks at the foot are
    the stated probabilities.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    n_columns = min(3, len(parts))
    n_rows = -(-len(parts) // n_columns)
    figure = Figure(figsize=(3.4 * n_columns, 3.6 * n_rows), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    for i, (name, found) in enumerate(parts.items()):
        axes = figure.add_subplot(n_rows, n_columns, i + 1)
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--")
        axes.fill_between(found.p, found.low, found.high, color=BLUE, alpha=0.15, linewidth=0)
        axes.plot(found.p, found.recalibrated, color=BLUE, linewidth=2)
        axes.plot(found.p, np.full(found.n, -0.02), "|", color=INK, markersize=5, alpha=0.4, clip_on=False)
        axes.set(xlim=(0, 1), ylim=(-0.03, 1.0), aspect="equal")
        title = f"{shown_text(name, _NAME_LIMIT)}\nMCB {found.miscalibration:.3f}  DSC {found.discrimination:.3f}"
        axes.set_title(title, fontsize=9, color=INK, parse_math=False)
        _plain(axes)
        if i % n_columns == 0:
            axes.set_ylabel("share that came true", color=MUTED)
        if i // n_columns == n_rows - 1:
            axes.set_xlabel("stated probability", color=MUTED)
    return figure


def waterfall_figure(found: Waterfall) -> Figure:
    """Draw the weight of each item of evidence, in bits, from before the evidence to the attribution."""
    steps = found.steps
    figure, axes = blank_figure(width=7.0, height=1.3 + 0.45 * (len(steps) + 1))
    ends = np.cumsum(steps["bits"].to_numpy(dtype=float))
    begins = np.concatenate([[0.0], ends[:-1]])
    for row, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        colour = MUTED if row == 0 else BLUE if end >= begin else "#b3541e"
        axes.barh(row, end - begin, left=begin, height=0.6, color=colour)
        bits = f"{end - begin:+.1f}"
        side = end >= begin
        axes.annotate(bits, (end, row), xytext=(4 if side else -4, 0), textcoords="offset points",
                      ha="left" if side else "right", va="center", fontsize=9, color=INK)  # fmt: skip
        if row:
            axes.plot([begin, begin], [row - 0.7, row + 0.3], color=MUTED, linewidth=0.8)
    n = len(steps)
    axes.plot([ends[-1]] * 2, [n - 0.7, n + 0.3], color=MUTED, linewidth=0.8)
    axes.barh(n, ends[-1], height=0.6, color=INK)
    labels = [shown_text(item, 60) for item in steps["item"]]
    last = f"together: P = {steps['p'].iloc[-1]:.2f}"
    axes.set_yticks(range(n + 1), [*labels, last], parse_math=False)
    axes.set_ylim(n + 0.6, -0.6)
    axes.axvline(0, color=MUTED, linewidth=0.8)
    axes.use_sticky_edges = False
    axes.margins(x=0.15)
    focus = shown_text(found.focus, _NAME_LIMIT)
    axes.set_xlabel(f"log odds that {focus} did it (bits)", color=MUTED, parse_math=False)
    _plain(axes)
    return figure


def checks_figure(table: pd.DataFrame) -> Figure:
    """Draw the evidence (dots) over what the model makes up (median band of 90 %), one panel a check."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    kinds = [check for check in _CHECKS if (table["check"] == check).any()]
    most = max((int((table["check"] == check).sum()) for check in kinds), default=1)
    figure = Figure(figsize=(4.6 * len(kinds), 1.4 + 0.28 * most), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    for i, check in enumerate(kinds):
        rows = table[table["check"] == check].reset_index(drop=True)
        axes = figure.add_subplot(1, len(kinds), i + 1)
        inside = rows["observed"].between(rows["low"], rows["high"])
        axes.hlines(rows.index, rows["low"], rows["high"], color=BLUE, linewidth=5, alpha=0.3)
        axes.plot(rows["mean"], rows.index, "|", color=BLUE, markersize=9)
        axes.scatter(rows["observed"], rows.index, c=np.where(inside, INK, "#b3541e"), s=22, zorder=3)
        axes.set_yticks(rows.index, [shown_text(name, _NAME_LIMIT) for name in rows["name"]], parse_math=False)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel(_CHECKS[check], color=MUTED)
        _plain(axes)
    return figure


def _plain(axes: Axes) -> None:
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.grid(axis="both", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, length=0, labelsize=9)
