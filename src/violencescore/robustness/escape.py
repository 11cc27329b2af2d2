"""The cut of its own violence at which an organization is no longer first: all of it follows from the scores."""

from __future__ import annotations

import numpy as np

from violencescore.montecarlo import FloatArray, effective_size
from violencescore.ranks import N_ERRORS, best_other


def critical_cuts(values: FloatArray, done: FloatArray, margin: float = 0.0) -> FloatArray:
    """Return the least relative cut of ``done`` at which each organization is no longer first, by draw.

    Parameters
    ----------
    values
        Scores (chain, draw, organization).
    done
        What of each score would be cut, same shape.
    margin
        Share by which the first must exceed the second.

    Returns
    -------
    FloatArray
        Same shape. Negative where it is not first anyway; infinite where it is first whatever it cuts.
    """
    gap = values - (1 + margin) * best_other(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        cut = np.where(done > 0, gap / done, np.where(gap > 0, np.inf, -np.inf))
    return np.asarray(cut)


def cut_to(cut: FloatArray, level: float) -> tuple[float, float, float]:
    """Return the least cut at which the share of draws that are still first is below a level, and its interval."""
    n = float(effective_size((cut > np.quantile(cut, 1 - level))[np.newaxis].astype(float))[0])
    error = N_ERRORS * np.sqrt(level * (1 - level) / n)
    ends = (level, min(level + error, 1.0), max(level - error, 0.0))
    found = [float(np.quantile(cut, 1 - end, method="higher")) for end in ends]
    value, low, high = (min(max(x, 0.0), 1.0) for x in found)
    return value, low, high
