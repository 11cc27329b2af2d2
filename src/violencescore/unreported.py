"""Harm of incidents that no source lists, draw by draw: each is like a recorded one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from violencescore.attribution import SEVERITY_PRIOR
from violencescore.counts import draw_count, mean_count
from violencescore.design import Design
from violencescore.grouping import ints
from violencescore.model.types import Array, Index
from violencescore.model.zerosum import OPTIONS

FloatArray = npt.NDArray[np.float64]

MANY = 400
"""Unreported incidents of a draw, period, kind and actor from which their harm is drawn as a sum, not one by one."""


@njit(**OPTIONS)
def draw_harms(
    seed: int,
    counts: Array,
    cumulative: Array,
    order: Index,
    first: Index,
    start: Index,
    category: Index,
    low: Index,
    best: Index,
    high: Index,
    mean: Array,
    variance: Array,
    out: Array,
) -> None:
    """Add the harm of unreported incidents (draw, period, actor, category), each like a recorded one.

    Parameters
    ----------
    counts
        Unreported incidents (draw, period, kind, actor).
    cumulative
        Cumulated weights of the profiles for each actor (actor, place), those of kind ``c`` from place ``first[c]`` on.
    order
        Which profile has each place.
    mean, variance
        Of the harm of an incident (kind, actor, category): for sums of many.
    """
    np.random.seed(seed)
    n_draws, n_periods, n_kinds, n_actors = counts.shape
    for d in range(n_draws):
        for t in range(n_periods):
            for c in range(n_kinds):
                for k in range(n_actors):
                    n = counts[d, t, c, k]
                    if n > MANY:
                        for a in range(mean.shape[2]):
                            total = n * mean[c, k, a] + np.sqrt(n * variance[c, k, a]) * np.random.normal()
                            out[d, t, k, a] += max(np.round(total), 0.0)
                        continue
                    of = cumulative[k, first[c] : first[c + 1]]
                    for _ in range(int(n)):
                        place = np.searchsorted(of, np.random.random() * of[-1], side="right")
                        f = order[first[c] + min(place, of.size - 1)]
                        for i in range(start[f], start[f + 1]):
                            out[d, t, k, category[i]] += draw_count(low[i], best[i], high[i])


def unreported_harms(design: Design, responsibility: FloatArray, counts: FloatArray, seed: int) -> FloatArray:
    """Draw the harm of unreported incidents (chain, draw, period, actor, category).

    Each is like a recorded incident of its kind, picked in proportion to how probably that one was the actor's; with
    the weight of ``SEVERITY_PRIOR`` incidents it is picked among all of the kind.

    Parameters
    ----------
    responsibility
        Of each group of recorded incidents (group, actor).
    counts
        Unreported incidents (chain, draw, period, kind, actor).
    """
    profiles = design.profiles
    n, kind = profiles.n.astype(np.float64), design.groups.kind[profiles.group]
    of_kind = np.bincount(kind, weights=n, minlength=len(design.kinds))
    weight = n[:, None] * responsibility[profiles.group] + SEVERITY_PRIOR * (n / of_kind[kind])[:, None]
    order = np.argsort(kind, kind="stable")
    first = np.searchsorted(kind[order], np.arange(len(design.kinds) + 1))
    of_kinds = np.split(weight[order], first[1:-1])
    cumulative = np.concatenate([np.cumsum(own, axis=0) for own in of_kinds])
    n_chains, n_draws, n_periods, _, n_actors = counts.shape
    out = np.zeros((n_chains * n_draws, n_periods, n_actors, len(design.categories)))
    draw_harms(
        seed % 2**32,
        np.ascontiguousarray(counts.reshape(-1, *counts.shape[2:])),
        np.ascontiguousarray(cumulative.T),
        ints(order), ints(first), profiles.start, profiles.category, profiles.low, profiles.best, profiles.high,
        *_moments(design, weight), out,
    )  # fmt: skip
    return out.reshape(n_chains, n_draws, *out.shape[1:])


def _moments(design: Design, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of the harm of an incident, by weights of the profiles (kind, actor, category)."""
    profiles = design.profiles
    kind = design.groups.kind[profiles.group]
    owner = np.repeat(np.arange(len(profiles.n)), np.diff(profiles.start))
    shape = (len(profiles.n), len(design.categories))
    harm, spread = np.zeros(shape), np.zeros(shape)
    np.add.at(harm, (owner, profiles.category), mean_count(profiles.low, profiles.best, profiles.high))
    # A count on a range has about the variance of a triangle over it.
    np.add.at(spread, (owner, profiles.category), (profiles.high - profiles.low) ** 2 / 24.0)
    total = np.zeros((len(design.kinds), weight.shape[1]))
    np.add.at(total, kind, weight)
    first, second = (np.zeros((*total.shape, shape[1])) for _ in range(2))
    np.add.at(first, kind, weight[:, :, None] * harm[:, None])
    np.add.at(second, kind, weight[:, :, None] * (harm**2 + spread)[:, None])
    mean = first / total[:, :, None]
    return mean, np.maximum(second / total[:, :, None] - mean**2, 0.0)
