"""Small tools of the simulator: draws from rows of probabilities, logits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def softmax(logits: Array) -> Array:
    """Probabilities from logits along the last axis."""
    weights: Array = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def logistic(x: Array) -> Array:
    """Probability from a logit."""
    return 1.0 / (1.0 + np.exp(-x))


def logit(p: npt.ArrayLike) -> Array:
    """Logit of a probability."""
    share = np.asarray(p, dtype=np.float64)
    result: Array = np.log(share) - np.log1p(-share)
    return result


def choose_rows(weight: Array, row: Ints, rng: np.random.Generator) -> Ints:
    """One draw for each entry of ``row`` from that row of weights; cumulated once a row, not once a draw."""
    cumulative = weight.cumsum(axis=-1)
    u = rng.random(len(row)) * cumulative[row, -1]
    chosen: Ints = (u[:, None] > cumulative[row]).sum(axis=-1)
    return chosen


def draw_counts(low: Ints, best: Ints, high: Ints, rng: np.random.Generator) -> Ints:
    """True counts: on [low, high], falling linearly from the mode ``best`` to either side."""
    u = rng.random(len(low))
    count = best.copy()
    open_ones = np.flatnonzero(low < high)
    if not len(open_ones):
        return count
    low, best, high = low[open_ones], best[open_ones], high[open_ones]
    cumulative = count_weights(low, best, high).cumsum(axis=1)
    above = (u[open_ones] * cumulative[:, -1])[:, None] > cumulative
    count[open_ones] = low + above.sum(axis=1)
    return count


def count_weights(low: Ints, best: Ints, high: Ints) -> Array:
    """Weight of each count from ``low`` on (row, count - low): what `draw_counts` draws from."""
    value = low[:, None] + np.arange(int((high - low).max(initial=0)) + 1)
    left = (value - low[:, None] + 1) / (best - low + 1)[:, None]
    right = (high[:, None] - value + 1) / (high - best + 1)[:, None]
    return np.where(value <= high[:, None], np.minimum(left, right), 0.0)
