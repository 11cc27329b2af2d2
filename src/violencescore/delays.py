"""How late reports come in, from reports whose day is known and of which the latest are still missing.

What is seen of the delays up to the cut-off is truncated on the right: of young incidents only quick reports are there.
So the chance that a report comes in a class of delays *given that it comes by the end of that class* is estimated, from
the incidents that are old enough for it (the reverse hazard: Kalbfleisch and Lawless 1991, Regression models for
right truncated data). Each is a share of a count of its own, so that Beta draws of them are exact.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from violencescore.grouping import IntArray
from violencescore.listings import COMPLETE, EDGES, age_class

FloatArray = npt.NDArray[np.float64]

POOLED = 20.0
"""Reports' worth of what all sources have in common, that each source's own delays are shrunk towards."""


def sample_arrivals(delays: IntArray, n_sources: int, n_draws: int, rng: np.random.Generator) -> FloatArray:
    """Draw the share of each source's reports that have come in, by class of age (draw, class, source).

    Parameters
    ----------
    delays
        Source, delay and age at the cut-off of each report whose day is known (report, 3), days.

    Returns
    -------
    numpy.ndarray
        Mean over the days of each class; one in the last. Ones where no day is known. The share is of what comes
        within the longest delay that the data can show.
    """
    out = np.ones((n_draws, len(EDGES), n_sources))
    if not len(delays):
        return out
    came, could = reverse_counts(delays, n_sources)
    pooled = (came.sum(axis=1) + 0.5) / (could.sum(axis=1) + 1.0)
    hazard = rng.beta(
        POOLED * pooled[:, None] + came, POOLED * (1 - pooled[:, None]) + could - came, (n_draws, COMPLETE, n_sources)
    )
    hazard[:, 0] = 1.0
    shown = (could.sum(axis=1) > 0).nonzero()[0].max(initial=0)
    hazard[:, shown + 1 :] = 0.0
    # By the end of class e has come what did not wait for a later one.
    ends = np.cumprod((1 - hazard)[:, ::-1], axis=1)[:, ::-1]
    by_end = np.concatenate([ends[:, 1:], np.ones((n_draws, 1, n_sources))], axis=1)
    before = np.concatenate([np.zeros((n_draws, 1, n_sources)), by_end[:, :-1]], axis=1)
    width = np.diff(EDGES)[None, :, None]
    # Mean over the days of the class, what comes in it spread evenly over them.
    out[:, :COMPLETE] = before + (by_end - before) * (width + 1) / (2 * width)
    return np.maximum(out, 1e-6)


def reverse_counts(delays: IntArray, n_sources: int) -> tuple[FloatArray, FloatArray]:
    """Count, by class of delay and source, the reports that came in it, and those that came by its end.

    Both among incidents old enough for the whole class to be seen.
    """
    source, delay, age = delays.T
    came, could = np.zeros((COMPLETE, n_sources)), np.zeros((COMPLETE, n_sources))
    of = age_class(delay)
    for e in range(COMPLETE):
        seen = (age >= EDGES[e + 1] - 1) & (delay < EDGES[e + 1])
        could[e] = np.bincount(source[seen], minlength=n_sources)
        came[e] = np.bincount(source[seen & (of == e)], minlength=n_sources)
    return came, could
