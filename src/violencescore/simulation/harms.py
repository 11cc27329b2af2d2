"""Harms of simulated incidents: what is recorded, what is true, and what was to be expected."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from violencescore.simulation.chance import Array, Ints, count_weights, draw_counts
from violencescore.simulation.incidents import Incidents
from violencescore.simulation.worlds import World

SECOND = 0.1
"""Share of incidents with a second harm, of a later category."""
_GEOMETRIC, _BELOW, _ABOVE = 0.6, 1.0, 2.0


@dataclass(frozen=True)
class Harms:
    """Harms by row, sorted by incident: ``owner`` (incident), category, recorded best, low and high, and true count."""

    owner: Ints
    category: Ints
    best: Ints
    low: Ints
    high: Ints
    true: Ints


def simulate_harms(world: World, incidents: Incidents, n_kinds: int, rng: np.random.Generator) -> Harms:
    """Draw a harm of each incident's kind, at times a second one of a later category, some known as ranges."""
    n = len(incidents.kind)
    second = (rng.random(n) < SECOND) & (incidents.kind < n_kinds - 1)
    later = incidents.kind + 1 + (rng.random(n) * (n_kinds - 1 - incidents.kind)).astype(np.int64)
    owner = np.concatenate([np.arange(n), np.flatnonzero(second)])
    category = np.concatenate([incidents.kind, later[second]])
    best = rng.geometric(_GEOMETRIC, len(owner))
    ranged = rng.random(len(owner)) < world.ranged
    low = np.where(ranged, np.maximum(best - rng.poisson(_BELOW, len(owner)), 0), best)
    high = np.where(ranged, best + rng.poisson(_ABOVE, len(owner)), best)
    true = draw_counts(low, best, high, rng)
    order = np.argsort(owner, kind="stable")
    return Harms(*(column[order] for column in (owner, category, best, low, high, true)))


def expected_harms(world: World, incidents: Incidents, n_kinds: int) -> Array:
    """Harm to be expected in the window under the true rates (actor, category): the truth of the estimand ``rate``."""
    by_kind = np.zeros((n_kinds, n_kinds))
    for kind in range(n_kinds):
        by_kind[kind, kind] = 1.0
        if kind < n_kinds - 1:
            by_kind[kind, kind + 1 :] += SECOND / (n_kinds - 1 - kind)
    mean = (1 - world.ranged) / _GEOMETRIC + world.ranged * _ranged_mean()
    expected: Array = incidents.rate[:, :, 1].sum(axis=2) @ by_kind * mean
    return expected


@cache
def _ranged_mean() -> float:
    """Mean true count of a harm that is known as a range, summed over all ranges that matter."""
    from scipy.stats import geom, poisson

    best, below, above = (x.ravel() for x in np.meshgrid(np.arange(1, 25), np.arange(12), np.arange(16), indexing="ij"))
    chance = geom.pmf(best, _GEOMETRIC) * poisson.pmf(below, _BELOW) * poisson.pmf(above, _ABOVE)
    low, high = np.maximum(best - below, 0), best + above
    weight = count_weights(low, best, high)
    mean = low + (weight * np.arange(weight.shape[1])).sum(axis=1) / weight.sum(axis=1)
    return float((chance * mean).sum() / chance.sum())
