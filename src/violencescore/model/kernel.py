"""The log posterior and its gradient: one compiled function of one vector.

    sum over groups g of n_g log(sum_k W[q_g, k] L[p_g, k]) - sum over q, k of W[q, k] + log prior

with the perpetrator and the false flag summed out (METHOD section 4). Where candidates are named, W is each one's share
of what happened between them, and how much that was is given, not modelled (see ``cell_weight``). ``specification``
states the same density in PyMC; a test holds the two together, value and gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from violencescore.design import Design
from violencescore.methodology import Priors
from violencescore.model import layout as lay
from violencescore.model.evidence import (
    channels,
    engagement,
    engagement_gradient,
    evidence_gradient,
    factor_table,
    staging,
    staging_gradient,
)
from violencescore.model.layout import Layout, build_layout, prior_constants
from violencescore.model.types import Array, Index
from violencescore.model.violence import log_prior, violence, violence_gradient
from violencescore.model.zerosum import OPTIONS

RESCALE_EVERY = 12
"""Factors multiplied before a pattern's probabilities are brought back to about one: no underflow."""


@njit(**OPTIONS)
def products(start: Index, member: Index, table: Array, settled: Index, out: Array, log_scale: Array) -> None:
    """Products of factors by pattern and actor; what was divided out of a pattern is added to ``log_scale``.

    It is the greatest product of the pattern, or that of the actor which ``settled`` says is the only one that counts:
    however much evidence speaks against it, it must not vanish.
    """
    n_actors = table.shape[1]
    for p in range(out.shape[0]):
        for k in range(n_actors):
            out[p, k] = 1.0
        for i in range(start[p], start[p + 1]):
            f = member[i]
            for k in range(n_actors):
                out[p, k] *= table[f, k]
            if (i - start[p]) % RESCALE_EVERY == RESCALE_EVERY - 1:
                top = out[p, settled[p]] if settled[p] >= 0 else out[p].max()
                if top > 0.0:
                    log_scale[p] += np.log(top)
                    for k in range(n_actors):
                        out[p, k] /= top


@njit(**OPTIONS)
def pattern_probability(
    firm: Array, forged: Array, share: Array, target: Array, period: Index, who: Index, staged: Index, framed: Index
) -> tuple[Array, Array]:
    """Probability of each pattern by actor, honest and staged parts apart (each pattern, actor).

    An honest incident has the forgeable evidence of the actor itself, a staged one that of the actor it frames.
    An adjudication leaves only what it settled.
    """
    n_patterns, n_actors = firm.shape
    honest = np.zeros((n_patterns, n_actors))
    false = np.zeros((n_patterns, n_actors))
    for p in range(n_patterns):
        t = period[p]
        for k in range(n_actors):
            if who[p] >= 0 and who[p] != k:
                continue
            if staged[p] != 1:
                honest[p, k] = firm[p, k] * (1.0 - share[t, k]) * forged[p, k]
            if staged[p] != 0 and share[t, k] > 0.0:
                mixed = 0.0
                if framed[p] >= 0:
                    mixed = target[k, framed[p]] * forged[p, framed[p]]
                else:
                    for m in range(n_actors):
                        mixed += target[k, m] * forged[p, m]
                false[p, k] = firm[p, k] * share[t, k] * mixed
    return honest, false


@njit(**OPTIONS)
def cell_weight(
    rate: Array, presence: Array, accurate: float, member: Index, weight: Array, out: Array
) -> None:
    """Fill ``out`` with the weight of each actor for an incident of a cell, the evidence apart.

    Without candidates it is the actor's rate there. With candidates it is the probability that each did it, given that
    it happened between them: the right one is among them with the channel's accuracy, and then in proportion to rate
    and engagement; how many incidents happen between whom says nothing.
    """
    n_actors = rate.size
    for k in range(n_actors):
        out[k] = rate[k] * presence[k]
    if member.size == 0:
        return
    among, outside = 0.0, 0.0
    for i in range(member.size):
        among += out[member[i]] * weight[i]
        out[member[i]] *= -weight[i]
    for k in range(n_actors):
        outside += max(out[k], 0.0)
    for k in range(n_actors):
        out[k] *= -accurate / among if out[k] < 0.0 else (1.0 - accurate) / outside


@njit(**OPTIONS)
def contest_gradient(
    n: int, accurate: float, member: Index, cell: Array, part: Array, grad_weight: Array
) -> float:
    """Turn ``part``, the expected incidents of each actor, into the gradient of the log rates.

    Adds to the gradient of the members' log weights; returns that of the accuracy.
    """
    among = 0.0
    for k in member:
        among += part[k]
    for i in range(member.size):
        k = member[i]
        grad_weight[i] += part[k] - among * cell[k] / accurate
        # What the loop below takes off for being outside, and what being inside takes off instead.
        part[k] += cell[k] * ((n - among) / (1.0 - accurate) - among / accurate)
    for k in range(part.size):
        part[k] -= (n - among) * cell[k] / (1.0 - accurate)
    return among / accurate - (n - among) / (1.0 - accurate)


@njit(**OPTIONS)
def forward(
    vector: Array, offset: Index, sizes: Index, prior: Array, days: Array, chance: float, factors: Any, patterns: Any
) -> tuple[Any, Any, Any, Any, Any, Array, Array, Array, Array, Array, Array]:
    """All that depends on the parameters and not on the counts."""
    rates = violence(vector, offset, sizes, prior, days)
    said = channels(vector, offset, sizes, prior, chance)
    weight = engagement(vector, offset, sizes, prior, factors[5])
    share, target = staging(vector, offset, sizes, prior)
    table = factor_table(
        factors[0], factors[1], factors[2], factors[4], factors[5], said[0], said[2], said[3]
    )
    n_patterns, n_actors = patterns[4].size, sizes[0]
    firm = np.empty((n_patterns, n_actors))
    forged = np.empty((n_patterns, n_actors))
    log_scale = np.zeros(n_patterns)
    who, staged, framed = patterns[5], patterns[6], patterns[7]
    products(patterns[0], patterns[1], table, who, firm, log_scale)
    products(patterns[2], patterns[3], table, np.where(staged == 0, who, framed), forged, log_scale)
    honest, false = pattern_probability(firm, forged, share, target, patterns[4], who, staged, framed)
    return rates, said, weight, share, target, table, firm, forged, honest, false, log_scale


@njit(**OPTIONS)
def log_density(
    vector: Array,
    offset: Index,
    sizes: Index,
    prior: Array,
    beta: Array,
    days: Array,
    chance: float,
    factors: Any,
    patterns: Any,
    groups: Any,
) -> tuple[float, Array]:
    """Return the log posterior density up to a constant, and its gradient."""
    grad = np.zeros(vector.size)
    total = log_prior(vector, offset, prior, beta, chance, grad)
    rates, said, weight, share, target, table, firm, forged, honest, false, log_scale = forward(
        vector, offset, sizes, prior, days, chance, factors, patterns
    )
    rate, presence = rates[0], rates[1]
    n_patterns, n_actors = firm.shape

    grad_rate = -rate
    for value in rate.ravel():
        total -= value
    grad_presence = np.zeros(presence.shape)
    grad_pattern = np.zeros((n_patterns, n_actors))
    grad_weight = np.zeros(weight.size)
    grad_accuracy = np.zeros(said[2].size)
    kind, region, period, pattern, count = groups
    set_channel, set_start, set_member, patterns_contest = factors[3], factors[4], factors[5], patterns[8]
    cell = np.empty(n_actors)
    part = np.empty(n_actors)
    for g in range(count.size):
        c, r, t, p, n = kind[g], region[g], period[g], pattern[g], count[g]
        contest = patterns_contest[p]
        first, last, channel, accurate = 0, 0, 0, 1.0
        if contest >= 0:
            first, last, channel = set_start[contest], set_start[contest + 1], set_channel[contest]
            accurate = said[2][channel]
            cell_weight(rate[c, t], presence[r], accurate, set_member[first:last], weight[first:last], cell)
        else:
            for k in range(n_actors):
                cell[k] = rate[c, t, k] * presence[r, k]
        mixed = 0.0
        for k in range(n_actors):
            mixed += cell[k] * (honest[p, k] + false[p, k])
        total += n * (np.log(mixed) + log_scale[p])
        for k in range(n_actors):
            share_of_cell = n * cell[k] / mixed
            grad_pattern[p, k] += share_of_cell
            part[k] = share_of_cell * (honest[p, k] + false[p, k])
        if contest >= 0:
            grad_accuracy[channel] += contest_gradient(
                n, accurate, set_member[first:last], cell, part, grad_weight[first:last]
            )
        for k in range(n_actors):
            grad_rate[c, t, k] += part[k]
            grad_presence[r, k] += part[k]

    grad_factor = np.zeros(table.shape)
    grad_share = np.zeros(share.shape)
    grad_target = np.zeros(target.shape)
    patterns_gradient(
        patterns, firm, forged, share, target, honest, false, grad_pattern, grad_factor, grad_share, grad_target
    )
    violence_gradient(vector, offset, sizes, prior, rates, grad_rate, grad_presence, grad)
    evidence_gradient(
        vector, offset, prior, chance, factors[0], factors[1], factors[2], factors[4], factors[5],
        said, grad_factor, grad_accuracy, grad,
    )  # fmt: skip
    engagement_gradient(offset, sizes, prior, factors[5], grad_weight, grad)
    if offset[lay.STAGING + 1] > offset[lay.STAGING]:
        staging_gradient(offset, sizes, prior, share, target, grad_share, grad_target, grad)
    return total, grad


@njit(**OPTIONS)
def patterns_gradient(
    patterns: Any,
    firm: Array,
    forged: Array,
    share: Array,
    target: Array,
    honest: Array,
    false: Array,
    grad_pattern: Array,
    grad_factor: Array,
    grad_share: Array,
    grad_target: Array,
) -> None:
    """Carry the gradient of the pattern probabilities back to log factors, staged shares and targets."""
    n_patterns, n_actors = firm.shape
    of_firm = np.empty(n_actors)
    of_forged = np.empty(n_actors)
    n_honest, n_false = np.zeros(share.shape), np.zeros(share.shape)
    firm_start, firm_member, forged_start, forged_member, period, _, _, framed, _ = patterns
    for p in range(n_patterns):
        t = period[p]
        of_forged[:] = 0.0
        for k in range(n_actors):
            g = grad_pattern[p, k]
            of_firm[k] = g * (honest[p, k] + false[p, k])
            if g == 0.0:
                continue
            of_forged[k] += g * honest[p, k]
            n_honest[t, k] += g * honest[p, k]
            if false[p, k] > 0.0:
                n_false[t, k] += g * false[p, k]
                scale = g * firm[p, k] * share[t, k]
                if framed[p] >= 0:
                    m = framed[p]
                    grad_target[k, m] += scale * forged[p, m]
                    of_forged[m] += scale * target[k, m] * forged[p, m]
                else:
                    for m in range(n_actors):
                        part = scale * forged[p, m]
                        grad_target[k, m] += part
                        of_forged[m] += part * target[k, m]
        for i in range(firm_start[p], firm_start[p + 1]):
            for k in range(n_actors):
                grad_factor[firm_member[i], k] += of_firm[k]
        for i in range(forged_start[p], forged_start[p + 1]):
            for k in range(n_actors):
                grad_factor[forged_member[i], k] += of_forged[k]
    for t in range(share.shape[0]):
        for k in range(n_actors):
            if share[t, k] > 0.0:
                grad_share[t, k] += n_false[t, k] / share[t, k] - n_honest[t, k] / (1.0 - share[t, k])


@dataclass(frozen=True)
class Kernel:
    """The density of one design, ready to evaluate.

    Attributes
    ----------
    layout
        Where each parameter lives.
    arguments
        What the compiled functions take after the vector: offset, sizes, prior constants, Beta parameters, days,
        chance, factors, patterns, groups.
    """

    layout: Layout
    arguments: tuple[Any, ...]

    def log_density(self, vector: Array) -> tuple[float, Array]:
        """Return log density up to a constant and gradient at ``vector`` (``layout.size``)."""
        value: tuple[float, Array] = log_density(vector, *self.arguments)
        return value

    def forward_arguments(self) -> tuple[Any, ...]:
        """Return what ``forward`` takes after the vector."""
        offset, sizes, prior, _, days, chance, factors, patterns, _ = self.arguments
        return offset, sizes, prior, days, chance, factors, patterns


def build_kernel(design: Design, priors: Priors) -> Kernel:
    """Bind the compiled density to a design."""
    layout = build_layout(design)
    factors, patterns, groups = design.factors, design.patterns, design.groups
    beta = np.concatenate([design.accuracy, design.staging if design.stages else np.empty((0, 2))])
    arguments = (
        layout.offset,
        layout.sizes,
        prior_constants(design, priors),
        beta,
        design.days,
        1.0 / max(len(design.organizations), 2),
        (
            factors.kind,
            factors.channel,
            factors.argument,
            factors.set_channel,
            factors.set_start,
            factors.set_member,
        ),
        (
            patterns.firm_start,
            patterns.firm,
            patterns.forged_start,
            patterns.forged,
            patterns.period,
            patterns.perpetrator,
            patterns.staged,
            patterns.framed,
            patterns.contest,
        ),
        (groups.kind, groups.region, groups.period, groups.pattern, groups.n),
    )
    return Kernel(layout, arguments)


def density_of(kernel: Kernel) -> Callable[[Array], tuple[float, Array]]:
    """Return the density as a function of the vector alone, as samplers want it."""
    arguments = kernel.arguments

    def density(vector: Array) -> tuple[float, Array]:
        value: tuple[float, Array] = log_density(vector, *arguments)
        return value

    return density
