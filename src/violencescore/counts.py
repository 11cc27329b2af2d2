"""True counts of harms of which a range is known: draws, and their mean."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from violencescore.model.types import Index
from violencescore.model.zerosum import OPTIONS

FloatArray = npt.NDArray[np.float64]


@njit(**OPTIONS)
def draw_count(low: int, best: int, high: int) -> int:
    """Draw a true count on [low, high]: the weight falls linearly from the mode ``best`` to either side."""
    if low == high:
        return best
    drawn: int = count_at(low, best, high, np.random.random())
    return drawn


@njit(**OPTIONS)
def count_at(low: int, best: int, high: int, share: float) -> int:
    """Return the true count below which the given share of its distribution lies."""
    left = best - low + 1.0
    right = high - best + 1.0
    # Weights 1/left .. 1 up to the mode, then down to 1/right: their sums are (left + 1) / 2 and (right - 1) / 2.
    u = share * ((left + 1.0) / 2.0 + (right - 1.0) / 2.0)
    if u < (left + 1.0) / 2.0:
        # The sum of the first n weights is n (n + 1) / (2 left).
        n = int(np.ceil((-1.0 + np.sqrt(1.0 + 8.0 * left * u)) / 2.0))
        return low + min(max(n, 1), int(left)) - 1
    u -= (left + 1.0) / 2.0
    # Counted from the far end, the remaining weights are again 1/right, 2/right, ...
    u = (right - 1.0) / 2.0 - u
    n = int(np.ceil((-1.0 + np.sqrt(1.0 + 8.0 * right * max(u, 0.0))) / 2.0))
    return high - min(max(n, 1), int(right) - 1) + 1


@njit(**OPTIONS)
def draw_harm(n: int, low: int, best: int, high: int) -> int:
    """Draw the true count of ``n`` incidents together."""
    if low == high:
        return n * best
    harm = 0
    for _ in range(n):
        harm += draw_count(low, best, high)
    return harm


def mean_count(low: Index, best: Index, high: Index) -> FloatArray:
    """Mean of the true counts that ``draw_count`` draws."""
    left, right = best - low + 1.0, high - best + 1.0
    weight = (left + 1) / 2 + (right - 1) / 2
    # Sums of i * i over both sides, counted from either end as in ``draw_count``.
    below = (low - 1) * (left + 1) / 2 + (left + 1) * (2 * left + 1) / 6
    above = (high + 1) * (right - 1) / 2 - (right - 1) * (2 * right - 1) / 6
    mean: FloatArray = (below + above) / weight
    return mean
