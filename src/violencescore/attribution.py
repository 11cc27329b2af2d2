"""Who did what, draw by draw: incidents allotted to actors jointly, with the harms they carry.

For each posterior draw the incidents of a profile (same cell, same evidence, same harms) are allotted by a
multinomial with the responsibilities of that draw, and the true count of each harm is drawn from its range. Adding up
probabilities instead would lose the error that allocations share.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from violencescore.design import Design
from violencescore.model.kernel import Kernel, cell_weights, forward
from violencescore.model.types import Array, GroupArrays, Index
from violencescore.model.zerosum import OPTIONS
from violencescore.names import WINDOW
from violencescore.sampling import Progress, no_progress

FloatArray = npt.NDArray[np.float64]

SEVERITY_PRIOR = 2.0
"""Incidents' worth of the common severity that each actor's own is shrunk towards, in the rate estimand."""

_CHUNK = 50


@dataclass(frozen=True)
class Attribution:
    """Harm by actor in each draw, and the attribution of each group of incidents.

    Attributes
    ----------
    realized
        Harm that each actor in fact caused (chain, draw, period, actor, category).
    expected
        Harm that each actor tends to cause in a window such as this one (chain, draw, actor, category).
    responsibility
        Posterior probability that each actor did an incident of each group (group, actor).
    staged
        Posterior probability that an incident of each group was staged (group).
    """

    realized: FloatArray
    expected: FloatArray
    responsibility: FloatArray
    staged: FloatArray


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
def allot(n: int, weight: Array, out: Index) -> None:
    """Draw a multinomial of ``n`` with probabilities in proportion to ``weight``."""
    rest = weight.sum()
    out[:] = 0
    if n == 1:
        u = np.random.random() * rest
        k = 0
        while k < weight.size - 1 and u >= weight[k]:
            u -= weight[k]
            k += 1
        while weight[k] == 0.0:
            k -= 1
        out[k] = 1
        return
    for k in range(weight.size):
        if n == 0:
            return
        share = weight[k] / rest if rest > 0.0 else 1.0
        if share >= 1.0 or k == weight.size - 1:
            taken = n
        elif share <= 0.0:
            taken = 0
        else:
            taken = np.random.binomial(n, share)
        out[k] = taken
        n -= taken
        rest -= weight[k]


@njit(**OPTIONS)
def attribute(
    seed: int,
    units: Array,
    arguments: Any,
    groups: GroupArrays,
    kind: Index,
    period: Index,
    contested: Index,
    profiles: Any,
    severity: Array,
    dispersion: Array,
    window: int,
    realized: Array,
    expected: Array,
    responsibility: Array,
    staged: Array,
) -> None:
    """Fill the draws' harms, and add the draws' responsibilities to their sums."""
    np.random.seed(seed)
    offset, sizes, prior, days, chance, factors, parts, sights = arguments
    of_group, n_incidents, start, category, low, best, high = profiles
    n_actors, n_kinds = sizes[0], sizes[1]
    n_categories = severity.shape[1]
    weight = np.empty((groups.n.size, n_actors))
    shares = np.empty(n_actors, dtype=np.int64)
    for d in range(units.shape[0]):
        rates, said, engaged, _, _, part, _, honest, false = forward(
            units[d], offset, sizes, prior, days, chance, factors, parts, sights
        )
        rate = rates[0]
        cells = cell_weights(rates, said[1], engaged, factors, groups)
        for p in range(groups.firm.size):
            e, v = groups.firm[p], groups.sight[p]
            for g in range(groups.start[p], groups.start[p + 1]):
                cell, at = cells[groups.cell[g]], groups.place[g]
                total = 0.0
                flagged = 0.0
                for k in range(n_actors):
                    known = cell[k] * part[e, k]
                    weight[at, k] = known * (honest[v, k] + false[v, k])
                    total += weight[at, k]
                    flagged += known * false[v, k]
                for k in range(n_actors):
                    responsibility[at, k] += weight[at, k] / total
                staged[at] += flagged / total
        n_done = np.zeros((n_kinds, n_actors))
        n_contested = np.zeros((n_kinds, n_actors))
        harm_done = np.zeros((n_kinds, n_actors, n_categories))
        for f in range(n_incidents.size):
            g = of_group[f]
            allot(n_incidents[f], weight[g], shares)
            for k in range(n_actors):
                if shares[k] == 0:
                    continue
                n_done[kind[g], k] += shares[k]
                if period[g] == window and contested[g]:
                    n_contested[kind[g], k] += shares[k]
                for i in range(start[f], start[f + 1]):
                    harm = 0
                    if low[i] == high[i]:
                        harm = shares[k] * best[i]
                    else:
                        for _ in range(shares[k]):
                            harm += draw_count(low[i], best[i], high[i])
                    realized[d, period[g], k, category[i]] += harm
                    harm_done[kind[g], k, category[i]] += harm
        for c in range(n_kinds):
            for k in range(n_actors):
                tendency = rate[c, window, k]
                if n_contested[c, k] > 0.0:
                    tendency += np.random.gamma(n_contested[c, k])
                for a in range(n_categories):
                    if severity[c, a] > 0.0:
                        worth = SEVERITY_PRIOR + n_done[c, k]
                        mean = (SEVERITY_PRIOR * severity[c, a] + harm_done[c, k, a]) / worth
                        spread = dispersion[c, a] / worth
                        expected[d, k, a] += tendency * np.random.gamma(mean / spread) * spread


def mean_count(low: Index, best: Index, high: Index) -> FloatArray:
    """Mean of the true counts that ``draw_count`` draws."""
    left, right = best - low + 1.0, high - best + 1.0
    weight = (left + 1) / 2 + (right - 1) / 2
    # Sums of i * i over both sides, counted from either end as in ``draw_count``.
    below = (low - 1) * (left + 1) / 2 + (left + 1) * (2 * left + 1) / 6
    above = (high + 1) * (right - 1) / 2 - (right - 1) * (2 * right - 1) / 6
    mean: FloatArray = (below + above) / weight
    return mean


def _severity(design: Design) -> tuple[FloatArray, FloatArray]:
    """Mean harm of an incident, and its variance over its mean, by kind and category (kind, category)."""
    groups, profiles = design.groups, design.profiles
    kind = groups.kind[profiles.group]
    n = np.bincount(kind, weights=profiles.n, minlength=len(design.kinds))[:, None]
    owner = np.repeat(np.arange(len(profiles.n)), np.diff(profiles.start))
    shape = (len(design.kinds), len(design.categories))
    total, square = np.zeros(shape), np.zeros(shape)
    at = (kind[owner], profiles.category)
    harm = mean_count(profiles.low, profiles.best, profiles.high)
    np.add.at(total, at, profiles.n[owner] * harm)
    np.add.at(square, at, profiles.n[owner] * harm**2)
    mean = total / np.maximum(n, 1)
    variance = square / np.maximum(n, 1) - mean**2
    dispersion = np.divide(variance, mean, out=np.ones(shape), where=mean > 0)
    return mean, np.maximum(dispersion, 0.1)


def _arguments(kernel: Kernel, design: Design) -> tuple[Any, ...]:
    """What ``attribute`` takes between the draws and what it fills."""
    groups, profiles = design.groups, design.profiles
    severity, dispersion = _severity(design)
    return (
        kernel.forward_arguments(),
        kernel.arguments[-1],
        groups.kind,
        groups.period,
        (design.patterns.contest[groups.pattern] >= 0).astype(np.int64),
        (
            profiles.group, profiles.n, profiles.start,
            profiles.category, profiles.low, profiles.best, profiles.high,
        ),
        severity,
        dispersion,
        design.periods.index(WINDOW),
    )  # fmt: skip


def compile_attribution(kernel: Kernel, design: Design) -> None:
    """Compile what ``attribute_draws`` runs, or load it from the disk cache."""
    n_actors, n_categories, n_groups = len(design.actors), len(design.categories), len(design.groups.n)
    realized = np.zeros((0, len(design.periods), n_actors, n_categories))
    expected, sums = np.zeros((0, n_actors, n_categories)), np.zeros((n_groups, n_actors))
    no_units = np.zeros((0, kernel.layout.size))
    attribute(0, no_units, *_arguments(kernel, design), realized, expected, sums, np.zeros(n_groups))


def attribute_draws(
    kernel: Kernel, design: Design, vectors: FloatArray, seed: int, progress: Progress = no_progress
) -> Attribution:
    """Allot all incidents in each draw.

    Parameters
    ----------
    vectors
        Draws of the parameter vector (chain, draw, parameter).
    seed
        Seed of the allotment; the same seed and draws give the same harms.
    """
    units = kernel.natural(vectors)
    n_chains, n_draws, _ = vectors.shape
    n_actors, n_groups = len(design.actors), len(design.groups.n)
    realized = np.zeros((n_chains, n_draws, len(design.periods), n_actors, len(design.categories)))
    expected = np.zeros((n_chains, n_draws, n_actors, len(design.categories)))
    fixed = _arguments(kernel, design)
    chunks = [(c, s) for s in range(0, n_draws, _CHUNK) for c in range(n_chains)]
    seeds = np.random.SeedSequence(seed).generate_state(len(chunks))
    done = 0

    def run(task: tuple[int, tuple[int, int]]) -> tuple[FloatArray, FloatArray]:
        i, (chain, first) = task
        part = (chain, slice(first, first + _CHUNK))
        sums = np.zeros((n_groups, n_actors)), np.zeros(n_groups)
        attribute(int(seeds[i]), units[part], *fixed, realized[part], expected[part], *sums)
        return sums

    responsibility, staged = np.zeros((n_groups, n_actors)), np.zeros(n_groups)
    with ThreadPoolExecutor() as pool:
        for sums in pool.map(run, enumerate(chunks)):
            responsibility += sums[0]
            staged += sums[1]
            done += 1
            progress("scores", done, len(chunks))
    n = n_chains * n_draws
    return Attribution(realized, expected, responsibility / n, staged / n)


def extend_attribution(attribution: Attribution, more: Attribution) -> Attribution:
    """Append the attribution of further draws of the same chains."""
    n, n_more = attribution.realized.shape[1], more.realized.shape[1]
    share = n / (n + n_more)
    return Attribution(
        realized=np.concatenate([attribution.realized, more.realized], axis=1),
        expected=np.concatenate([attribution.expected, more.expected], axis=1),
        responsibility=share * attribution.responsibility + (1 - share) * more.responsibility,
        staged=share * attribution.staged + (1 - share) * more.staged,
    )
