"""Figures of trials in simulated worlds: how often a rule can decide, and what adversaries achieve against it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from violencescore.report.figures import BLUE, GRID, INK, MUTED, blank_figure, panel_grid
from violencescore.robustness.feasibility import SHOWN, along

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from violencescore.robustness.redteam import RedTeamResult

_NEAR_WHITE = "#e6ebf1"


def feasibility_figure(table: pd.DataFrame, centre: Sequence[Any]) -> Figure | None:
    """Draw P(right decision) and P(wrong decision) along each factor, the others at their middle value.

    None where no factor has two values.
    """
    parts = along(table, centre)
    if not parts:
        return None
    figure, axes = panel_grid(len(parts), 2.7, 2.9, width=2)
    for axis, (name, part) in zip(axes, parts.items(), strict=True):
        words, form = SHOWN[name]
        x = list(range(len(part)))
        bars = [part["right_share"] - part["right_share_low"], part["right_share_high"] - part["right_share"]]
        axis.errorbar(x, part["right_share"], yerr=bars, color=BLUE, marker="o", linewidth=1.4, elinewidth=0.8,
                      label="names the right one")  # fmt: skip
        axis.plot(x, part["wrong"] / part["assessments"], color=INK, marker="x", linewidth=1.2, linestyle="--",
                  label="names a wrong one")  # fmt: skip
        axis.set_xticks(x, [form.format(value) for value in part[name]])
        axis.set(ylim=(-0.03, 1.03), xlim=(-0.4, len(part) - 0.6), yticks=[0, 0.5, 1])
        axis.set_xlabel(words, fontsize=9, color=MUTED)
    figure.supylabel("share of worlds", fontsize=9, color=MUTED)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    return figure


def redteam_figure(found: RedTeamResult) -> Figure:
    """Draw what the rule does in the fresh worlds, unattacked and after each adversary's best attack."""
    rows = [("no attack", found.before.iloc[0]["right"], found.before.iloc[0]["wrong"])]
    rows += [(row["adversary"], row["named_after"], row["another_after"]) for row in found.achieved.to_dict("records")]
    n = int(found.before.iloc[0]["worlds"])
    figure, axes = blank_figure(width=6.4, height=1.0 + 0.42 * len(rows))
    for y, (_, guilty, another) in enumerate(rows):
        left = 0.0
        parts = (("the most violent is named", guilty, BLUE, "white"), ("another is named", another, INK, "white"),
                 ("nobody is named", n - guilty - another, _NEAR_WHITE, INK))  # fmt: skip
        for words, count, colour, ink in parts:
            axes.barh(y, count, left=left, height=0.78, color=colour, label=words if y == 0 else None)
            if count:
                axes.text(left + count / 2, y, f"{count:.0f}", ha="center", va="center", fontsize=9, color=ink)
            left += count
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlim=(0, n))
    axes.set_xlabel(f"of {n} fresh worlds", color=MUTED)
    axes.tick_params(colors=INK, length=0, labelsize=9)
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return figure
