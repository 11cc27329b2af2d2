"""Figures of weights, revenue, the ledger and waiting; from tables alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from violencescore.report.figures import BLUE, GRID, INK, MUTED, blank_figure
from violencescore.report.robustness_figures import bars
from violencescore.report.text import number_format, shown_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_LIMIT = 26
_TWO_ERRORS = 2.0


def pair_map(pairs: pd.DataFrame) -> Figure:
    """Draw how many points of weight must move from one category (row) to another (column) to change the first.

    The darker the nearer. In brackets: points after which today's first would no longer be named, where even all of the
    row's weight makes nobody else the likeliest. Rows without either are left out.
    """
    # Whom the rule does not name today it cannot stop naming.
    unnamed = np.where(pairs["points_unnamed"] > 0, pairs["points_unnamed"], np.inf)
    pairs = pairs.assign(points_unnamed=unnamed)
    ordered = pairs.sort_values("available", ascending=False, kind="stable")
    told = ordered[np.isfinite(ordered["points"]) | np.isfinite(ordered["points_unnamed"])]
    order = list(dict.fromkeys((told if len(told) else ordered)["from"]))
    columns = [*dict.fromkeys(ordered["from"]), *sorted(set(pairs["to"]) - set(pairs["from"]))]
    figure, axes = blank_figure(width=2.8 + 0.5 * len(columns), height=2.2 + 0.36 * len(order))
    finite = pairs.loc[np.isfinite(pairs["points"]), "points"]
    least = float(finite.min()) if len(finite) else 1.0
    for row in pairs[pairs["from"].isin(order)].to_dict("records"):
        i, j = order.index(row["from"]), columns.index(row["to"])
        if not np.isfinite(row["points"]):
            shown = f"({row['points_unnamed']:.1f})" if np.isfinite(row["points_unnamed"]) else "·"
            axes.text(j, i, shown, ha="center", va="center", fontsize=8, color=MUTED)
            continue
        shade = least / float(row["points"])
        axes.fill_between([j - 0.48, j + 0.48], i - 0.46, i + 0.46, color=BLUE, alpha=0.85 * shade, lw=0)
        axes.text(
            j, i, f"{row['points']:.1f}", ha="center", va="center", fontsize=8, color="white" if shade > 0.6 else INK
        )
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.set_xticks(
        range(len(columns)), [shown_text(c, _LIMIT) for c in columns], rotation=45, ha="left", parse_math=False
    )
    axes.set_yticks(range(len(order)), [shown_text(c, _LIMIT) for c in order], parse_math=False)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("to", color=MUTED)
    axes.set_ylabel("points moved from", color=MUTED)
    axes.tick_params(length=0, colors=INK, labelsize=9)
    return figure


def break_even_figure(table: pd.DataFrame, names: Mapping[str, str], kind: str) -> Figure:
    """Draw what each organization's revenue is estimated at (median and 90 %), and where it breaks even.

    To the left of a mark the organization is first with at least the probability of the mark.
    """
    ids = list(dict.fromkeys(table.sort_values("p_first", ascending=False, kind="stable")["organization_id"]))
    shown = number_format(table["revenue_median"].tolist())
    figure, axes = blank_figure(width=6.4, height=1.2 + 0.42 * len(ids))
    marks = dict(zip(sorted(table["level"].unique()), ("|", "d", "x", "+"), strict=False))
    for row in table.to_dict("records"):
        i = ids.index(row["organization_id"])
        low, median, high = (row[f"revenue_{end}"] / shown.power for end in ("low", "median", "high"))
        axes.plot([low, high], [i, i], color=GRID, linewidth=6, solid_capstyle="round", zorder=1)
        axes.plot([median], [i], marker="o", color=MUTED, markersize=6, zorder=2)
        if row["break_even"] > 0:
            axes.plot([row["break_even"] / shown.power], [i], marker=marks[row["level"]], color=BLUE, markersize=10,
                      markeredgewidth=2.5, linestyle="none", zorder=3)  # fmt: skip
    for level, mark in marks.items():
        axes.plot([], [], marker=mark, color=BLUE, markersize=10, markeredgewidth=2.5, linestyle="none",
                  label=f"below it: first with probability {level:g}")  # fmt: skip
    axes.plot([], [], marker="o", color=MUTED, linestyle="none", label=f"estimated {kind}, with 90 % interval")
    axes.set_xscale("log")
    axes.set_yticks(range(len(ids)), [shown_text(names.get(i, i), _LIMIT) for i in ids], parse_math=False)
    axes.set_ylim(len(ids) - 0.5, -0.5)
    axes.set_xlabel(shown.heading(kind), color=MUTED, parse_math=False)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, length=0, labelsize=9)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def share_bars(own: pd.DataFrame, names: Mapping[str, str]) -> Figure:
    """Draw of what the doubt about one organization is made, with two Monte-Carlo errors."""
    ordered = own.sort_values("share", ascending=False, kind="stable")
    whole = float(ordered["total"].iloc[0])
    texts = [
        f"{100 * row['share']:.0f} %" + (f" ± {200 * row['mcse'] / whole:.0f}" if row["mcse"] > 0 else "")
        for row in ordered.to_dict("records")
    ]
    who = names.get(str(own["organization_id"].iloc[0]), str(own["organization_id"].iloc[0]))
    label = f"% of the doubt whether {shown_text(who, _LIMIT)} is first"
    return bars(ordered["part"].tolist(), (100 * ordered["share"]).tolist(), x_label=label, texts=texts)


def waiting_figure(table: pd.DataFrame) -> Figure:
    """Draw the probability of naming rightly after each kind of waiting, and without it as a line."""
    figure, axes = blank_figure(width=6.4, height=1.1 + 0.36 * len(table))
    for i, row in enumerate(table.to_dict("records")):
        error = _TWO_ERRORS * row["mcse"]
        axes.plot([row["after"] - error, min(row["after"] + error, 1.0)], [i, i], color=BLUE, linewidth=4, alpha=0.4)
        axes.plot([row["after"]], [i], marker="o", color=BLUE, markersize=7)
        axes.plot([row["now"]] * 2, [i - 0.35, i + 0.35], color=INK, linewidth=2, label="now" if i == 0 else None)
        said = f"{100 * row['gain']:+.1f} points"
        axes.annotate(
            said, (1.0, i), (6, 0), xycoords=axes.get_yaxis_transform(), textcoords="offset points", va="center",
            fontsize=9, color=INK, annotation_clip=False,
        )  # fmt: skip
    axes.set_yticks(range(len(table)), [shown_text(w, 40) for w in table["what"]], parse_math=False)
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.set_xlabel("probability of naming rightly, if somebody must be named", color=MUTED)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, length=0, labelsize=9)
    figure.legend(loc="outside lower right", frameon=False, fontsize=9)
    return figure
