"""Who is first as weights move along a line: exact on the draws, without a grid.

Along a line of weights each score of a draw is a straight line, and who is first is their upper envelope. It is walked
from one crossing to the next, in all draws at once, so that P(first) is known at every point of the line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Path:
    """P(first) along a line, a step function.

    Attributes
    ----------
    at
        Where somebody becomes first in some draw, from 0 (the start) to 1 (the end), ascending; the first is 0 (step).
    p_first
        Share of the draws in which each organization is first from there on (step, organization).
    """

    at: FloatArray
    p_first: FloatArray


def first_along(start: FloatArray, end: FloatArray) -> Path:
    """Return P(first) on the line between two sets of scores.

    Parameters
    ----------
    start, end
        Scores of each draw at either end (sample, organization): weights on a line give scores on a line.
        Where scores are equal at the start, who is first is who is so just after it; those equal all along are one,
        the first of them.
    """
    slope = end - start
    n = len(start)
    rows = np.arange(n)
    top = start == start.max(axis=1, keepdims=True)
    leader = np.where(top, slope, -np.inf).argmax(axis=1)
    counts = np.bincount(leader, minlength=start.shape[1])
    events: list[tuple[FloatArray, IntArray, IntArray]] = []
    while len(rows):
        at = np.arange(len(rows))
        steeper = slope[rows] - slope[rows, leader][:, None]
        behind = start[rows, leader][:, None] - start[rows]
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = np.where(steeper > 0, behind / steeper, np.inf)
        when = crossing.min(axis=1)
        # Of several that cross at one point the steepest is first after it.
        follower = np.where(crossing == when[:, None], steeper, -np.inf).argmax(axis=1)
        going = when < 1.0
        rows, at = rows[going], at[going]
        events.append((np.maximum(when[at], 0.0), leader[at], follower[at]))
        leader = follower[at]
    return _steps(counts, events, n)


def _steps(counts: IntArray, events: list[tuple[FloatArray, IntArray, IntArray]], n: int) -> Path:
    at, before, after = (np.concatenate(part) for part in zip(*events, strict=True))
    order = np.argsort(at, kind="stable")
    change = np.zeros((len(at) + 1, len(counts)))
    change[0] = counts
    rows = np.arange(1, len(at) + 1)
    np.add.at(change, (rows, before[order]), -1.0)
    np.add.at(change, (rows, after[order]), 1.0)
    where = np.concatenate([[0.0], at[order]])
    last = np.append(where[1:] > where[:-1], True)  # of steps at one point the state after all of them
    return Path(where[last], change.cumsum(axis=0)[last] / n)


def change_of_first(path: Path, leader: int) -> tuple[float, int]:
    """Return where another becomes the likeliest first, and who; infinity and the leader where nobody does.

    Another must exceed the leader: a tie changes nothing.
    """
    ahead = path.p_first.max(axis=1) > path.p_first[:, leader] + 1e-12
    if not ahead.any():
        return float("inf"), leader
    step = int(ahead.argmax())
    return float(path.at[step]), int(path.p_first[step].argmax())


def fall_below(path: Path, leader: int, level: float) -> float:
    """Return where P(first) of the leader first falls below a level; infinity where it does not."""
    below = path.p_first[:, leader] < level - 1e-12
    return float(path.at[below.argmax()]) if below.any() else float("inf")
