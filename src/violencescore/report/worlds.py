"""A hundred worlds: the verdict as squares that can be counted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from violencescore.report.sentences import shown_name
from violencescore.report.text import percent

if TYPE_CHECKING:
    from violencescore.decision import Decision

N_WORLDS = 100
_ROWS = 5


@dataclass(frozen=True)
class Square:
    """One world: its column and row, and the entry of the legend that it belongs to."""

    x: int
    y: int
    group: int


@dataclass(frozen=True)
class HundredWorlds:
    """Squares, column by column; what each group is and its number; the column at which the bar stands."""

    squares: tuple[Square, ...]
    legend: tuple[tuple[str, int], ...]
    bar: float


def hundred_worlds(decision: Decision) -> HundredWorlds | None:
    """Return a hundred worlds by who is first in them; None where the figures are not fit to be shown so.

    Rounding never fills the last square where there is a rival, nor lifts the leader to a bar it missed.
    """
    if decision.outcome == "not_estimable" or decision.leader is None or decision.p_stand_out is None:
        return None
    leading = _leading_count(decision, decision.p_stand_out.p)
    legend = [(shown_name(decision, decision.leader), leading), *_others(decision, N_WORLDS - leading)]
    if decision.margin > 0:
        legend[0] = (f"{legend[0][0]} first by {percent(decision.margin)} or more", leading)
    groups = [group for group, (_, count) in enumerate(legend) for _ in range(count)]
    squares = tuple(Square(place // _ROWS, place % _ROWS, group) for place, group in enumerate(groups))
    return HundredWorlds(squares, tuple(legend), decision.confidence_required * N_WORLDS / _ROWS)


def _leading_count(decision: Decision, p: float) -> int:
    required = decision.confidence_required
    count = round(N_WORLDS * p)
    if p < required:
        count = min(count, math.ceil(N_WORLDS * required - 1e-9) - 1)
    return count if len(decision.organizations) == 1 else min(count, N_WORLDS - 1)


def _others(decision: Decision, left: int) -> list[tuple[str, int]]:
    if decision.margin > 0:
        return [("another first, or none by that much", left)]
    if len(decision.organizations) == 1:
        return []
    second = str(decision.ranking["organization_id"].iloc[1])
    count = left if len(decision.organizations) == 2 else min(round(N_WORLDS * decision.p_first[second].p), left)
    rest = [("any other", left - count)] if len(decision.organizations) > 2 else []
    return [(shown_name(decision, second), count), *rest]
