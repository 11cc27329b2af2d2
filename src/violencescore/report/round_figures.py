"""A figure of the rounds: verdicts against the line, the violence of target and rest, market and enforcement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from violencescore.report.changes import verdict_words
from violencescore.report.figures import BLUE, GRID, INK, MUTED, blank_figure
from violencescore.report.text import shown_text
from violencescore.rounds.history import Round, build_rounds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from violencescore.rounds.ledger import Entry

_NAME_LIMIT = 24
_WIDTH_EACH, _WIDTH_MIN, _PANEL_HEIGHT = 1.5, 6.4, 2.1
_ACTIONS = "#8a5a00"


@dataclass(frozen=True)
class _Column:
    """One period: the window of a round, or a report after it."""

    round: Round
    label: str
    violence: Mapping[str, Any] | None
    progress: Mapping[str, Any] | None

    @property
    def is_window(self) -> bool:
        return self.progress is None


def rounds_figure(entries: Sequence[Entry]) -> Figure:
    """Draw the rounds of a ledger that holds, one column for each window and each progress report.

    Above: P(first) of the organization that leads, with the line that it is held against. Then weighted harm per day of
    the target (of the leader, before anybody is named) and of all others, with 90 % intervals. Below, where there are
    figures: the target's share of revenue, and the share of enforcement actions that were on it.
    """
    columns = list(_columns(build_rounds(entries)))
    shares = any(c.progress and (c.progress["market"] or _share_on(c.progress)) for c in columns)
    n_panels = 3 if shares else 2
    figure, axes = blank_figure(max(_WIDTH_MIN, 1.2 + _WIDTH_EACH * len(columns)), 0.9 + _PANEL_HEIGHT * n_panels)
    axes.remove()
    panels = figure.subplots(n_panels, 1, sharex=True, squeeze=False)[:, 0]
    _draw_verdicts(panels[0], columns)
    _draw_violence(panels[1], columns)
    if shares:
        _draw_shares(panels[2], columns)
    for panel in panels:
        _dress(panel, columns)
    panels[-1].set_xticks(range(len(columns)), [column.label for column in columns], parse_math=False)
    if entries[0].facts["rehearsal"]:
        figure.suptitle("Rehearsal: this binds nobody", x=0.01, ha="left", fontsize=9, color=MUTED)
    return figure


def _columns(rounds: Sequence[Round]) -> Iterator[_Column]:
    for r in rounds:
        found = None if r.verdict is None else r.verdict.facts["violence"]
        yield _Column(r, f"round {r.number}: window\nto {r.in_force['window']['end']}", found, None)
        for entry in r.progress:
            yield _Column(r, f"round {r.number}: report\nto {entry.facts['to']}", entry.facts["violence"], entry.facts)


def _draw_verdicts(axes: Axes, columns: Sequence[_Column]) -> None:
    label: str | None = "what a selection needs"
    for x, column in enumerate(columns):
        if not column.is_window:
            continue
        names = column.round.names
        if column.round.verdict is None:
            axes.annotate("no verdict yet", (x, 0.5), ha="center", va="center", fontsize=8, color=MUTED)
            continue
        facts = column.round.verdict.facts
        axes.plot([x - 0.35, x + 0.35], [facts["required"]] * 2, color=INK, linewidth=1.2, linestyle="--", label=label)
        label = None
        words = verdict_words(facts["outcome"], facts["selected"], names)
        lowest = float(facts["required"])
        if facts["leader"] is not None:
            found = facts["p_first"][facts["leader"]]
            named = facts["selected"] is not None
            axes.errorbar(
                [x], [found["p"]], yerr=[2 * found["mcse"]], color=BLUE, marker="o", markersize=8, capsize=0,
                markerfacecolor=BLUE if named else "white",
            )  # fmt: skip
            if not named:
                words += f"\n({shown_text(names.get(facts['leader'], facts['leader']), _NAME_LIMIT)} leads)"
            lowest = min(lowest, found["p"] - 2 * found["mcse"])
        below = lowest > 0.3
        axes.annotate(
            words, (x, lowest if below else facts["required"]), (0, -6 if below else 6), textcoords="offset points",
            ha="center", va="top" if below else "bottom", fontsize=8, color=INK, parse_math=False,
        )  # fmt: skip
    axes.set_ylim(0, 1.06)
    axes.set_ylabel("P(most violent)\nof the leader", color=MUTED, fontsize=9)


def _draw_violence(axes: Axes, columns: Sequence[_Column]) -> None:
    for key, colour, words, shift in (("rest", MUTED, "all others", 0.08), ("target", BLUE, "target", -0.08)):
        label: str | None = words
        for r in {column.round.number: column.round for column in columns}.values():
            points = [
                (x + shift, column.violence[key])
                for x, column in enumerate(columns)
                if column.round.number == r.number and column.violence is not None and column.violence[key] is not None
            ]
            if points:
                _draw_intervals(axes, points, colour, label)
                label = None
    axes.set_ylim(bottom=0)
    axes.set_ylabel("weighted harm\nper day", color=MUTED, fontsize=9)


def _draw_shares(axes: Axes, columns: Sequence[_Column]) -> None:
    market = [(x, c.progress["market"]) for x, c in enumerate(columns) if c.progress and c.progress["market"]]
    actions = [(x + 0.1, share) for x, c in enumerate(columns) if c.progress and (share := _share_on(c.progress))]
    if market:
        _draw_intervals(axes, market, BLUE, f"target's share of {market[0][1]['kind']}", line=False)
    if actions:
        _draw_intervals(axes, actions, _ACTIONS, "enforcement on the target", line=False)
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("share", color=MUTED, fontsize=9)


def _share_on(progress: Mapping[str, Any]) -> Mapping[str, float] | None:
    found: Mapping[str, float] | None = None if progress["actions"] is None else progress["actions"]["share_on"]
    return found


def _draw_intervals(
    axes: Axes,
    points: Sequence[tuple[float, Mapping[str, float]]],
    colour: str,
    label: str | None,
    *,
    line: bool = True,
) -> None:
    xs = [x for x, _ in points]
    medians = [value["median"] for _, value in points]
    for x, value in points:
        axes.plot([x, x], [value["low"], value["high"]], color=colour, linewidth=4, alpha=0.45)
    axes.plot(xs, medians, marker="o", color=colour, markersize=6, linewidth=1.2 if line else 0, label=label)


def _dress(axes: Axes, columns: Sequence[_Column]) -> None:
    """Set a grid, a line between rounds, and the legend above."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=2, borderpad=0)
    for x, (left, right) in enumerate(pairwise(columns)):
        if left.round.number != right.round.number:
            axes.axvline(x + 0.5, color=GRID, linewidth=1.2)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlim(-0.6, len(columns) - 0.4)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, length=0, labelsize=8)
