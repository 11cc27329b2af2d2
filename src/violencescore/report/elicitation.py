"""A panel's weights as a table, in words, as JSON and as a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from violencescore.elicitation.agreement import APART, CONSISTENT, Panel, category_ranges, farthest_pair
from violencescore.report.figures import BLUE, GRID, INK, MUTED, blank_figure
from violencescore.report.text import joined, shown_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table

_LIMIT = 30


def panel_json(panel: Panel) -> dict[str, Any]:
    """Return the panel's weights, their pool and the disagreement as plain values; weights are shares of one."""
    labels = panel.answers[0].labels
    pooled = dict(zip(labels, panel.pooled.values.tolist(), strict=True))
    panelists = []
    for form, row in zip(panel.answers, panel.weights.values, strict=True):
        entry: dict[str, Any] = {
            "panelist_id": form.panelist,
            "file": form.file,
            "kind": form.kind,
            "weights": dict(zip(labels, row.tolist(), strict=True)),
            "distance_to_others": float(panel.distance_to_others[form.panelist]),
        }
        if (found := panel.consistency.get(form.panelist)) is not None:
            entry |= {"consistency_ratio": found.ratio, "inconsistency_factor": found.factor}
            if found.worst is not None:
                (left, right), said, fitted = found.worst
                entry["worst"] = {
                    "first": form.labels[left], "second": form.labels[right], "said": said, "weights_say": fitted
                }  # fmt: skip
        panelists.append(entry)
    return {
        "pool": panel.pool,
        "pooled": pooled,
        "panelists": panelists,
        "categories": category_ranges(panel).to_dict("records"),
        "distances": {a: {b: float(d) for b, d in row.items()} for a, row in panel.distances.to_dict("index").items()},
        "kendall_w": panel.kendall_w,
        "stands_apart": list(panel.apart),
    }


def panel_weights_table(panel: Panel) -> Table:
    """Return the categories with the panel's shares of weight, those it differs on most first."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"Weights of {len(panel.answers)} panelists, of 100 points", title_justify="left")
    for name in ("category", "least", "median", "most", "pooled", "least from", "most from"):
        table.add_column(name, justify="left" if name in ("category", "least from", "most from") else "right")
    for row in category_ranges(panel).to_dict("records"):
        numbers = [f"{row[name]:.1f}" for name in ("low", "median", "high", "pooled")]
        texts = [Text(shown_text(str(row[name]), _LIMIT)) for name in ("category", "lowest", "highest")]
        table.add_row(texts[0], *numbers, *texts[1:])
    return table


def panel_weight_sentences(panel: Panel) -> tuple[str, ...]:
    """Return in words how far the panel agrees, who stands apart, and whose answers contradict one another."""
    found = [f"Pooled by the {panel.pool} rule, each panelist counting alike."]
    if panel.kendall_w is not None:
        found.append(
            f"Agreement on the order of the categories (Kendall's W): {panel.kendall_w:.2f}; 1 is full, 0 none."
        )
    if (pair := farthest_pair(panel)) is not None:
        left, right, distance = pair
        found.append(
            f"Farthest apart are {left} and {right}: {distance:.0f} of 100 points would have to move to make their "
            "weights the same."
        )
    median = panel.distance_to_others.median()
    if panel.apart:
        who = joined([f"{i} ({panel.distance_to_others[i]:.0f} points)" for i in panel.apart])
        found.append(
            f"Farther from the pool of the others than {APART:g} times the median panelist ({median:.0f} points): "
            f"{who}. "
            "This is a reason to ask why, not to leave anyone out."
        )
    elif len(panel.answers) > 2:
        found.append("Nobody stands apart.")
    return (*found, *_consistency_sentences(panel))


def _consistency_sentences(panel: Panel) -> list[str]:
    found = []
    for form in panel.answers:
        if (examined := panel.consistency.get(form.panelist)) is None:
            continue
        if examined.factor is None:
            found.append(f"{form.panelist}: just enough comparisons for weights, too few to check one by another.")
            continue
        words = (
            f"{form.panelist}: comparisons depart from the weights by a factor of {examined.factor:.2f} on the whole"
        )
        if examined.ratio is not None:
            verdict = "consistent" if examined.ratio <= CONSISTENT else f"above {CONSISTENT:g}: look at them again"
            words += f"; consistency ratio {examined.ratio:.3f} ({verdict})"
        if examined.worst is not None and (examined.ratio is None or examined.ratio > CONSISTENT):
            (left, right), said, fitted = examined.worst
            words += (
                f". Most at odds: {form.labels[left]} was put at {said:.2g} times {form.labels[right]}, and the other "
                f"answers together say {fitted:.2g}"
            )
        found.append(f"{words}.")
    return found


def panel_weights_figure(panel: Panel) -> Figure:
    """Draw each category's share of the weight: a ring for each panelist, a line to the pooled value.

    Who stands apart has a cross in place of the ring. Categories stand in the order of the pooled weight.
    """
    ranges = category_ranges(panel).sort_values("pooled", ascending=False, kind="stable")
    shares = 100.0 * panel.weights.to_pandas()
    figure, axes = blank_figure(width=6.4, height=1.3 + 0.34 * len(ranges))
    for row, entry in enumerate(ranges.to_dict("records")):
        axes.plot([entry["low"], entry["high"]], [row, row], color=GRID, linewidth=5, zorder=1)
        axes.plot([entry["pooled"]], [row], marker="|", markersize=16, markeredgewidth=3, color=INK, zorder=2,
                  linestyle="none", label="pooled" if row == 0 else None)  # fmt: skip
        for apart, marker, words in ((False, "o", "a panelist"), (True, "x", "a panelist who stands apart")):
            chosen = [i in panel.apart for i in shares.index]
            values = shares.loc[[c == apart for c in chosen], entry["category"]]
            if len(values):
                axes.plot(values, [row] * len(values), marker=marker, linestyle="none", markersize=7, zorder=3,
                          markerfacecolor="none", markeredgecolor=BLUE, markeredgewidth=1.5, clip_on=False,
                          label=words if row == 0 else None)  # fmt: skip
    names = [shown_text(str(name), _LIMIT) for name in ranges["category"]]
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.set_xlabel("points of 100", color=MUTED)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, length=0, labelsize=9)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure
