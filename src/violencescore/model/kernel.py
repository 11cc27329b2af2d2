"""The log posterior and its gradient: one compiled function of one vector.

    sum over groups g of n_g log(sum_k W[q_g, k] L[p_g, k]) - sum over q, k of W[q, k] + log prior

with the perpetrator and the false flag summed out (METHOD section 4). Where candidates are named, W is each one's share
of what happened between them, and how much that was is given, not modelled (see ``cells``). ``specification``
states the same density in PyMC; a test holds the two together, value and gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from violencescore.design import Design
from violencescore.methodology import Priors
from violencescore.model import layout as lay
from violencescore.model.cells import arrange_groups, cell_weight, contest_gradient
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
from violencescore.model.patterns import (
    arrange_patterns,
    compounds,
    compounds_gradient,
    pattern_probability,
    patterns_gradient,
    products,
)
from violencescore.model.types import Array, Index
from violencescore.model.violence import log_prior, violence, violence_gradient
from violencescore.model.zerosum import OPTIONS


@njit(**OPTIONS)
def forward(
    vector: Array, offset: Index, sizes: Index, prior: Array, days: Array, chance: float, factors: Any, patterns: Any
) -> tuple[Any, Any, Any, Any, Any, Array, Array, Array, Array, Array, Array]:
    """All that depends on the parameters and not on the counts."""
    rates = violence(vector, offset, sizes, prior, days)
    said = channels(vector, offset, sizes, prior, chance)
    weight = engagement(vector, offset, sizes, prior, factors[5])
    share, target = staging(vector, offset, sizes, prior)
    n_factors, n_patterns, n_actors = factors[0].size, patterns[4].size, sizes[0]
    table = np.empty((n_factors + patterns[9].size - 1, n_actors))
    factor_table(factors[0], factors[1], factors[2], factors[4], factors[5], said[0], said[2], said[3], table)
    compounds(patterns[9], patterns[10], n_factors, table)
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
    total: float = log_prior(vector, offset, prior, beta, chance, grad)
    rates, said, weight, share, target, table, firm, forged, honest, false, log_scale = forward(
        vector, offset, sizes, prior, days, chance, factors, patterns
    )
    rate, presence = rates[0], rates[1]
    n_patterns, n_actors = firm.shape

    grad_rate = -rate
    for value in rate.ravel():
        total -= value
    grad_presence = np.zeros(presence.shape)
    grad_weight = np.zeros(weight.size)
    grad_accuracy = np.zeros(said[2].size)
    kind, region, period, contest, cell_of, pattern_of, count = groups
    set_channel, set_start, set_member = factors[3], factors[4], factors[5]
    cells = np.empty((kind.size, n_actors))
    for q in range(kind.size):
        c, r, t = kind[q], region[q], period[q]
        if contest[q] < 0:
            for k in range(n_actors):
                cells[q, k] = rate[c, t, k] * presence[r, k]
        else:
            first, last = set_start[contest[q]], set_start[contest[q] + 1]
            accurate = said[2][set_channel[contest[q]]]
            cell_weight(rate[c, t], presence[r], accurate, set_member[first:last], weight[first:last], cells[q])

    either = honest + false
    grad_pattern = np.zeros((n_patterns, n_actors))
    grad_cell = np.zeros(cells.shape)
    for g in range(count.size):
        q, p, n = cell_of[g], pattern_of[g], count[g]
        mixed = 0.0
        for k in range(n_actors):
            mixed += cells[q, k] * either[p, k]
        total += n * (np.log(mixed) + log_scale[p])
        scale = n / mixed
        for k in range(n_actors):
            grad_pattern[p, k] += scale * cells[q, k]
            grad_cell[q, k] += scale * either[p, k]

    part = np.empty(n_actors)
    for q in range(kind.size):
        c, r, t = kind[q], region[q], period[q]
        for k in range(n_actors):
            part[k] = grad_cell[q, k] * cells[q, k]
        if contest[q] >= 0:
            first, last, channel = set_start[contest[q]], set_start[contest[q] + 1], set_channel[contest[q]]
            grad_accuracy[channel] += contest_gradient(
                said[2][channel], set_member[first:last], cells[q], part, grad_weight[first:last]
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
    compounds_gradient(patterns[9], patterns[10], factors[0].size, grad_factor)
    violence_gradient(vector, offset, sizes, prior, rates, grad_rate, grad_presence, grad)
    evidence_gradient(
        vector, offset, prior, chance, factors[0], factors[1], factors[2], factors[4], factors[5],
        said, grad_factor, grad_accuracy, grad,
    )  # fmt: skip
    engagement_gradient(offset, sizes, prior, factors[5], grad_weight, grad)
    if offset[lay.STAGING + 1] > offset[lay.STAGING]:
        staging_gradient(offset, sizes, prior, share, target, grad_share, grad_target, grad)
    return total, grad


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
    factors = design.factors
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
        arrange_patterns(design),
        arrange_groups(design),
    )
    return Kernel(layout, arguments)
