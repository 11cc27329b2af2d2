"""The nearest weights under which somebody else is the likeliest first.

Weights are shares of one; the distance between two sets is the number of points of 100 that must move to turn one into
the other (half the sum of the absolute differences, total variation). The region where another is the likeliest first
is a union of pieces of cones that the draws alone define, so the least distance has no formula. It is searched for:
every line is exact (see ``paths``), from the best lines a sequence of linear programs leads on, and random exchanges
between categories try to shorten what was found. The weights that are returned do change the first; that none nearer do
is as good as the search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from violencescore.robustness.findings import described
from violencescore.robustness.paths import change_of_first, fall_below, first_along

FloatArray = npt.NDArray[np.float64]

N_TARGETS = 400
"""Random weights that lines are drawn to."""
N_STARTS = 6
"""Lines from which linear programs lead on."""
N_PROGRAMS = 12
"""Linear programs in a sequence, at most."""
N_EXCHANGES = 300
"""Random exchanges that try to shorten the best line."""
NEAR_TIE = 0.15
"""Share of the draws, those nearest to a tie of the two, that show in which direction the first changes."""
BEYOND = 1e-9
MOST_TIMES = 100.0
"""Factor of one weight up to which a change is looked for."""


@dataclass(frozen=True)
class Nearest:
    """The nearest weights found that change the first.

    Attributes
    ----------
    points
        Distance in points of 100; infinite where no weights at all were found that change the first.
    weights
        They, as shares of one (category,).
    first
        Position of who is then the likeliest first.
    """

    points: float
    weights: FloatArray
    first: int


def distance_points(left: FloatArray, right: FloatArray) -> float:
    """Return how many of 100 points of weight must move to turn one set of shares into the other."""
    return float(50.0 * np.abs(left - right).sum())


@dataclass(frozen=True)
class _Search:
    """Harm of each draw (sample, organization, category), the weights to start from, and who is first under them."""

    harm: FloatArray
    start: FloatArray
    leader: int

    def line(self, end: FloatArray) -> Nearest:
        """Follow the line to other weights until the first changes."""
        at, first = change_of_first(first_along(self.harm @ self.start, self.harm @ end), self.leader)
        if not np.isfinite(at):
            return Nearest(float("inf"), end, self.leader)
        # Just beyond the crossing, so that the weights returned do change the first.
        found = self.start + min(1.0, at + BEYOND) * (end - self.start)
        return Nearest(distance_points(found, self.start), found, first)


def nearest_weights(harm: FloatArray, weights: FloatArray, rng: np.random.Generator) -> Nearest:
    """Search for the nearest weights under which another is the likeliest first.

    Parameters
    ----------
    harm
        What the score weighs, of each draw (sample, organization, category).
    weights
        Weights to start from (category,), not negative; they are scaled to sum to one.
    rng
        For the targets and exchanges that are tried at random.
    """
    start = weights / weights.sum()
    search = _Search(harm, start, leader_under(harm, start))
    n = len(start)
    targets = [
        *np.eye(n),
        *(start + start[a] * (np.eye(n)[b] - np.eye(n)[a]) for a in np.flatnonzero(start) for b in range(n) if a != b),
        *_targets_elsewhere(search, rng),
    ]
    found = sorted((search.line(end) for end in targets), key=lambda line: line.points)[:N_STARTS]
    best = min((_follow(search, line) for line in found), key=lambda line: line.points)
    return _shorten(search, best, rng)


def leader_under(harm: FloatArray, weights: FloatArray) -> int:
    """Return the position of the likeliest first under weights, ties shared."""
    scores = harm @ weights
    top = scores == scores.max(axis=1, keepdims=True)
    return int((top / top.sum(axis=1, keepdims=True)).mean(axis=0).argmax())


def _targets_elsewhere(search: _Search, rng: np.random.Generator) -> list[FloatArray]:
    """Random weights, the even ones and those near the start, under which another is first."""
    n = len(search.start)
    drawn = rng.dirichlet(np.ones(n), size=N_TARGETS)
    drawn[::2] = 0.5 * drawn[::2] + 0.5 * search.start
    return [w for w in drawn if leader_under(search.harm, w) != search.leader]


def _follow(search: _Search, found: Nearest) -> Nearest:
    """Solve linear programs, each around the last point, as long as they lead nearer."""
    for _ in range(N_PROGRAMS):
        if not np.isfinite(found.points):
            return found
        gain = _gain(search, found)
        need = float(gain @ (found.weights - search.start))
        lines = [search.line(_cheapest(search.start, gain, factor * need)) for factor in (1.02, 1.3, 2.0)]
        nearer = min(lines, key=lambda line: line.points)
        if nearer.points >= found.points * (1 - 1e-6):
            return found
        found = nearer
    return found


def _gain(search: _Search, found: Nearest) -> FloatArray:
    """How much each category helps the new first against the old, in the draws where the two are nearly tied."""
    scores = search.harm @ found.weights
    two = scores[:, found.first] - scores[:, search.leader]
    best = scores.max(axis=1)
    behind = np.abs(two) + (best - np.maximum(scores[:, found.first], scores[:, search.leader]))
    near = np.argsort(behind, kind="stable")[: max(10, int(NEAR_TIE * len(scores)))]
    gain: FloatArray = (search.harm[near, found.first] - search.harm[near, search.leader]).mean(axis=0)
    return gain


def _cheapest(start: FloatArray, gain: FloatArray, need: float) -> FloatArray:
    """Return the weights nearest to the start that gain so much: all goes to the best category, from the worst first.

    This solves the linear program min |w - start| over the simplex under gain (w - start) >= need. Where the need is
    out of reach, all of the weight goes to the best.
    """
    to = int(gain.argmax())
    end = start.copy()
    for category in np.argsort(gain, kind="stable"):
        per_point = gain[to] - gain[category]
        if need <= 0 or per_point <= 0:
            break
        moved = min(end[category], need / per_point)
        end[category] -= moved
        end[to] += moved
        need -= moved * per_point
    return end


def _shorten(search: _Search, best: Nearest, rng: np.random.Generator) -> Nearest:
    """Move weight between two categories at random, in ever smaller steps, and keep what is nearer."""
    if not np.isfinite(best.points):
        return best
    n = len(search.start)
    for step in np.geomspace(0.5, 0.01, N_EXCHANGES):
        giver, taker = rng.choice(n, size=2, replace=False) if n > 1 else (0, 0)
        end = best.weights + 0.02 * (best.weights - search.start)
        moved = step * rng.random() * best.points / 100.0
        end[giver] -= moved
        end[taker] += moved
        end = np.maximum(end, 0.0)
        tried = search.line(end / end.sum())
        best = tried if tried.points < best.points else best
    return best


def pair_table(
    harm: FloatArray, weights: FloatArray, categories: Sequence[str], ids: Sequence[str], confidence: float
) -> pd.DataFrame:
    """Return how many points must move from one category to another until the first changes, for each pair.

    Parameters
    ----------
    harm, weights
        As in `nearest_weights`.
    categories, ids
        Labels of the categories and of the organizations.
    confidence
        What the first must reach to be named.

    Returns
    -------
    pandas.DataFrame
        from, to, available (points that the first has), points (infinite where all of them do not change the first),
        first (id of who is then the likeliest; empty), and points_unnamed, from which on P(first) of today's first is
        below the confidence. Exact on the draws; nearest first.
    """
    start = weights / weights.sum()
    leader = leader_under(harm, start)
    rows = []
    for giver in map(int, np.flatnonzero(start)):
        for taker in range(len(start)):
            if giver == taker:
                continue
            end = start.copy()
            end[taker] += end[giver]
            end[giver] = 0.0
            path = first_along(harm @ start, harm @ end)
            at, first = change_of_first(path, leader)
            points = 100.0 * start[giver]
            rows.append(
                {
                    "from": categories[giver],
                    "to": categories[taker],
                    "available": points,
                    "points": points * at,
                    "first": ids[first] if np.isfinite(at) else "",
                    "points_unnamed": points * fall_below(path, leader, confidence),
                }
            )
    table = _nearest_first(rows, ["from", "to", "available", "points", "first", "points_unnamed"], "points")
    return described(table, "points of 100 moved from one category to another until the first changes", "draws")


def factor_table(
    harm: FloatArray, weights: FloatArray, categories: Sequence[str], ids: Sequence[str], confidence: float
) -> pd.DataFrame:
    """Return by what one category's weight must be multiplied, the others as they are, until the first changes.

    Returns
    -------
    pandas.DataFrame
        category, direction (``up`` to a hundredfold or ``down`` to nothing), factor (missing where the first does not
        change), first, and factor_unnamed. Parameters as in `pair_table`; categories without weight have no factor.
    """
    leader = leader_under(harm, weights)
    rows = []
    for category in map(int, np.flatnonzero(weights)):
        for direction, reach in (("up", MOST_TIMES - 1.0), ("down", -1.0)):
            end = weights.astype(float).copy()
            end[category] *= 1.0 + reach
            path = first_along(harm @ weights, harm @ end)
            at, first = change_of_first(path, leader)
            below = fall_below(path, leader, confidence)
            rows.append(
                {
                    "category": categories[category],
                    "direction": direction,
                    "factor": 1.0 + reach * at if np.isfinite(at) else np.nan,
                    "first": ids[first] if np.isfinite(at) else "",
                    "factor_unnamed": 1.0 + reach * below if np.isfinite(below) else np.nan,
                    "_order": abs(np.log(max(1.0 + reach * at, 1e-9))) if np.isfinite(at) else np.inf,
                }
            )
    table = _nearest_first(rows, ["category", "direction", "factor", "first", "factor_unnamed", "_order"], "_order")
    estimand = "factor of one category's weight, the others as they are, at which the first changes"
    return described(table.drop(columns="_order"), estimand, "draws")


def _nearest_first(rows: list[dict[str, object]], columns: list[str], by: str) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns).sort_values(by, kind="stable").reset_index(drop=True)
