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

from violencescore import beside
from violencescore.counts import draw_harm, mean_count
from violencescore.design import Design
from violencescore.grouping import starts
from violencescore.model.episodes import pass_down, pass_up, repeat_probability
from violencescore.model.kernel import Kernel, cell_weights, forward
from violencescore.model.types import Array, GroupArrays, Index, NodeArrays
from violencescore.model.zerosum import INNER, OPTIONS
from violencescore.names import WINDOW
from violencescore.sampling import Progress, no_progress

FloatArray = npt.NDArray[np.float64]

SEVERITY_PRIOR = 2.0
"""Incidents' worth of the common severity that each actor's own is shrunk towards, in the rate estimand."""

FEW = 16
"""Incidents up to which it is quicker to draw each one's perpetrator than a binomial for each actor."""

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
    n_unreported
        Incidents that no source lists, where they are estimated (chain, draw, period, kind, actor); else of size 0.
    unreported
        Their harm, as of ``realized``, in which it is not; zeros of one number each where there is none.
    """

    realized: FloatArray
    expected: FloatArray
    responsibility: FloatArray
    staged: FloatArray
    n_unreported: FloatArray
    unreported: FloatArray

    @property
    def total(self) -> FloatArray:
        """Harm recorded and unreported (chain, draw, period, actor, category)."""
        return self.realized + self.unreported


@njit(**INNER)
def pick(weight: Array, total: float) -> int:
    """Draw an actor with probability in proportion to ``weight``, which sums to ``total``."""
    u = np.random.random() * total
    k = 0
    while k < weight.size - 1 and u >= weight[k]:
        u -= weight[k]
        k += 1
    while weight[k] == 0.0:
        k -= 1
    return k


@njit(**OPTIONS)
def allot(n: int, weight: Array, out: Index) -> None:
    """Draw a multinomial of ``n`` with probabilities in proportion to ``weight``.

    Few are drawn one by one. Of many the likeliest actor's are drawn first: mostly nothing is left for the others.
    """
    out[:] = 0
    if n <= FEW:
        total = weight.sum()
        for _ in range(n):
            out[pick(weight, total)] += 1
        return
    top = weight.argmax()
    for step in range(weight.size):
        k = top if step == 0 else (step - 1 if step <= top else step)
        if n == 0 or weight[k] == 0.0:
            continue
        rest = 0.0
        for other in range(weight.size):
            if step == 0 or (other >= k and other != top):
                rest += weight[other]
        share = weight[k] / rest
        out[k] = n if share >= 1.0 else np.random.binomial(n, share)
        n -= out[k]


@njit(**INNER)
def expect_unreported(rate: float, presence: Array, n_contested: Array, odds: Array) -> tuple[float, float]:
    """Draw the rate of incidents between candidates, and return with it the expected incidents that no source lists.

    Of incidents that are recorded at a rate, those that are not happen at that rate times the ``odds`` of being missed
    in each region, and independently of them (the two parts of a thinned Poisson process).
    """
    known, missed = 0.0, 0.0
    for r in range(presence.size):
        missed += rate * presence[r] * odds[r]
        if n_contested[r] > 0.0:
            between = np.random.gamma(n_contested[r])
            known += between
            missed += between * odds[r]
    return known, missed


@njit(**INNER)
def attribute_nodes(
    unit: Array,
    offset: Index,
    nodes: NodeArrays,
    decay: Array,
    cells: Array,
    part: Array,
    sight: Array,
    false: Array,
    responsibility: Array,
    staged: Array,
) -> Index:
    """Draw who did the incidents that hang together, jointly, and add the draw's responsibilities to their sums."""
    n_actors = cells.shape[1]
    repeat = repeat_probability(unit, offset, nodes, decay)
    message, mixed = np.ones((repeat.size, n_actors)), np.empty(repeat.size)
    belief, drawn = np.empty((repeat.size, n_actors)), np.empty(repeat.size, dtype=np.int64)
    pass_up(nodes, repeat, cells, part, sight, message, mixed)
    pass_down(nodes, repeat, cells, part, sight, message, mixed, belief, drawn)
    for i in range(repeat.size):
        v = nodes.sight[i]
        for k in range(n_actors):
            responsibility[i, k] += belief[i, k]
            if belief[i, k] > 0.0:
                staged[i] += belief[i, k] * false[v, k] / sight[v, k]
    return drawn


@njit(**OPTIONS)
def attribute(
    seed: int,
    units: Array,
    arguments: Any,
    groups: GroupArrays,
    nodes: NodeArrays,
    kind: Index,
    region: Index,
    period: Index,
    contested: Index,
    profiles: Any,
    severity: Array,
    dispersion: Array,
    window: int,
    count_dispersion: float,
    odds: Array,
    realized: Array,
    expected: Array,
    responsibility: Array,
    staged: Array,
    n_unreported: Array,
) -> None:
    """Fill harms and unreported incidents, and add to sums of responsibilities: of ``groups``, then of ``nodes``."""
    np.random.seed(seed)
    offset, sizes, prior, given, chance, factors, parts, sights = arguments
    first, n_incidents, start, category, low, best, high = profiles
    n_actors, n_kinds, n_periods = sizes[0], sizes[1], sizes[3]
    n_categories = severity.shape[1]
    weight = np.empty(n_actors)
    shares = np.empty(n_actors, dtype=np.int64)
    for d in range(units.shape[0]):
        rates, said, engaged, _, _, part, _, sight, false = forward(
            units[d], offset, sizes, prior, given, chance, factors, parts, sights
        )
        rate, presence = rates[0], rates[1]
        cells = cell_weights(rates, said[1], engaged, factors, groups)
        n_done = np.zeros((n_kinds, n_actors))
        n_contested = np.zeros((n_kinds, n_periods, sizes[2], n_actors))
        harm_done = np.zeros((n_kinds, n_periods, n_actors, n_categories))
        for g in range(groups.n.size):
            e, v, q = groups.firm[g], groups.sight[g], groups.cell[g]
            total, flagged = 0.0, 0.0
            for k in range(n_actors):
                known = cells[q, k] * part[e, k]
                weight[k] = known * sight[v, k]
                total += weight[k]
                flagged += known * false[v, k]
            per = 1.0 / total
            for k in range(n_actors):
                responsibility[g, k] += weight[k] * per
            staged[g] += flagged * per
            c, t, r, in_contest = kind[g], period[g], region[g], contested[g] > 0
            for f in range(first[g], first[g + 1]):
                # Most profiles are of one incident, which one actor did.
                only = -1
                if n_incidents[f] == 1:
                    only = pick(weight, total)
                    shares[only] = 1
                else:
                    allot(n_incidents[f], weight, shares)
                for k in range(max(only, 0), only + 1 if only >= 0 else n_actors):
                    if shares[k] == 0:
                        continue
                    n_done[c, k] += shares[k]
                    if in_contest:
                        n_contested[c, t, r, k] += shares[k]
                    for i in range(start[f], start[f + 1]):
                        harm = draw_harm(shares[k], low[i], best[i], high[i])
                        harm_done[c, t, k, category[i]] += harm
        if nodes.cell.size > 0:
            at = groups.n.size
            drawn = attribute_nodes(
                units[d], offset, nodes, given.decay, cells, part, sight, false, responsibility[at:], staged[at:]
            )
            for i in range(drawn.size):
                g, k = at + i, drawn[i]
                c, t, f = kind[g], period[g], first[g]
                n_done[c, k] += 1
                if contested[g] > 0:
                    n_contested[c, t, region[g], k] += 1
                if f < first[g + 1]:
                    for j in range(start[f], start[f + 1]):
                        harm_done[c, t, k, category[j]] += draw_harm(1, low[j], best[j], high[j])
        # Of rates that many incidents tell of the less, the more these come together.
        vague = np.ones(n_actors)
        if count_dispersion > 1.0:
            for k in range(n_actors):
                n_apart = rate[:, window, k].sum() / (count_dispersion - 1.0)
                vague[k] = np.random.gamma(n_apart) / n_apart if n_apart > 0.0 else 1.0
        for c in range(n_kinds):
            for k in range(n_actors):
                tendency = rate[c, window, k]
                if odds.size == 0:
                    between = n_contested[c, window, :, k].sum()
                    if between > 0.0:
                        tendency += np.random.gamma(between)
                else:
                    for t in range(n_periods):
                        known, missed = expect_unreported(
                            rate[c, t, k], presence[:, k], n_contested[c, t, :, k], odds[d, c, :, t]
                        )
                        n_unreported[d, t, c, k] = np.random.poisson(missed)
                        if t == window:
                            tendency += known + missed
                for a in range(n_categories):
                    done = 0.0
                    for t in range(n_periods):
                        realized[d, t, k, a] += harm_done[c, t, k, a]
                        done += harm_done[c, t, k, a]
                    if severity[c, a] > 0.0:
                        worth = SEVERITY_PRIOR + n_done[c, k]
                        mean = (SEVERITY_PRIOR * severity[c, a] + done) / worth
                        spread = dispersion[c, a] / worth
                        expected[d, k, a] += vague[k] * tendency * np.random.gamma(mean / spread) * spread


def severities(design: Design) -> tuple[FloatArray, FloatArray]:
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
    """What ``attribute`` takes between the draws and what it fills, in the order of the kernel's groups."""
    groups, place = design.groups, _places(kernel)
    severity, dispersion = severities(design)
    return (
        kernel.forward_arguments(),
        *kernel.arguments[-2:],
        groups.kind[place],
        groups.region[place],
        groups.period[place],
        (design.patterns.contest[groups.pattern] >= 0).astype(np.int64)[place],
        _arrange_profiles(design, place),
        severity,
        dispersion,
        design.periods.index(WINDOW),
        design.count_dispersion,
    )


def _places(kernel: Kernel) -> Index:
    """Group of the design that each of the kernel's groups is, and then each of its nodes."""
    groups, nodes = kernel.arguments[-2:]
    return np.concatenate([groups.place, nodes.place])


def _arrange_profiles(design: Design, place: Index) -> tuple[Index, ...]:
    """Where the profiles of each of the groups at ``place`` begin, and the profiles in that order."""
    profiles = design.profiles
    rank = np.empty(len(place), dtype=np.int64)
    rank[place] = np.arange(len(place))
    of_group = rank[profiles.group]
    order = np.argsort(of_group, kind="stable")
    length = np.diff(profiles.start)[order]
    start = starts(np.repeat(np.arange(len(order)), length), len(order))
    harm = np.repeat(profiles.start[:-1][order] - start[:-1], length) + np.arange(start[-1])
    harms = (column[harm] for column in (profiles.category, profiles.low, profiles.best, profiles.high))
    return starts(of_group, len(place)), profiles.n[order], start, *harms


def compile_attribution(kernel: Kernel, design: Design) -> None:
    """Compile what ``attribute_draws`` runs, or load it from the disk cache."""
    beside.wait_for(beside.ATTRIBUTION)
    empty = _empty(design, (0,), is_estimated=False)
    no_units = np.zeros((0, kernel.layout.size))
    sums = np.zeros((len(design.groups.n), len(design.actors))), np.zeros(len(design.groups.n))
    attribute(0, no_units, *_arguments(kernel, design), np.zeros((0, 0, 0, 0)), *empty[:2], *sums, empty[2])


def _empty(design: Design, shape: tuple[int, ...], *, is_estimated: bool) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Zeros for realized and expected harm, and for unreported incidents."""
    n_periods, n_actors, n_categories = len(design.periods), len(design.actors), len(design.categories)
    missed = (*shape, n_periods, len(design.kinds), n_actors) if is_estimated else (*shape, 0, 0, 0)
    return (
        np.zeros((*shape, n_periods, n_actors, n_categories)),
        np.zeros((*shape, n_actors, n_categories)),
        np.zeros(missed),
    )


def attribute_draws(
    kernel: Kernel,
    design: Design,
    vectors: FloatArray,
    seed: int,
    progress: Progress = no_progress,
    odds: FloatArray | None = None,
) -> Attribution:
    """Allot all incidents in each draw.

    Parameters
    ----------
    vectors
        Draws of the parameter vector (chain, draw, parameter).
    seed
        Seed of the allotment; the same seed and draws give the same harms.
    odds
        Draws of the odds that no source lists an incident (chain, draw, kind, region, period), where unreported ones
        are estimated.
    """
    units = kernel.natural(vectors)
    n_chains, n_draws, _ = vectors.shape
    n_actors, n_groups = len(design.actors), len(design.groups.n)
    realized, expected, n_unreported = _empty(design, (n_chains, n_draws), is_estimated=odds is not None)
    odds = np.zeros((n_chains, n_draws, 0, 0, 0)) if odds is None else odds
    fixed = _arguments(kernel, design)
    chunks = [(c, s) for s in range(0, n_draws, _CHUNK) for c in range(n_chains)]
    seeds = np.random.SeedSequence(seed).generate_state(len(chunks))
    done = 0

    def run(task: tuple[int, tuple[int, int]]) -> tuple[FloatArray, FloatArray]:
        i, (chain, first) = task
        part = (chain, slice(first, first + _CHUNK))
        sums = np.zeros((n_groups, n_actors)), np.zeros(n_groups)
        filled = realized[part], expected[part]
        attribute(int(seeds[i]), units[part], *fixed, odds[part], *filled, *sums, n_unreported[part])
        return sums

    responsibility, staged = np.zeros((n_groups, n_actors)), np.zeros(n_groups)
    with ThreadPoolExecutor() as pool:
        for sums in pool.map(run, enumerate(chunks)):
            responsibility += sums[0]
            staged += sums[1]
            done += 1
            progress("scores", done, len(chunks))
    place, n = _places(kernel), n_chains * n_draws
    in_order = np.empty_like(responsibility), np.empty_like(staged)
    in_order[0][place], in_order[1][place] = responsibility / n, staged / n
    return Attribution(realized, expected, *in_order, n_unreported, np.zeros((n_chains, n_draws, 1, 1, 1)))


def extend_attribution(attribution: Attribution, more: Attribution) -> Attribution:
    """Append the attribution of further draws of the same chains."""
    n, n_more = attribution.realized.shape[1], more.realized.shape[1]
    share = n / (n + n_more)
    return Attribution(
        realized=np.concatenate([attribution.realized, more.realized], axis=1),
        expected=np.concatenate([attribution.expected, more.expected], axis=1),
        responsibility=share * attribution.responsibility + (1 - share) * more.responsibility,
        staged=share * attribution.staged + (1 - share) * more.staged,
        n_unreported=np.concatenate([attribution.n_unreported, more.n_unreported], axis=1),
        unreported=np.concatenate([attribution.unreported, more.unreported], axis=1),
    )
