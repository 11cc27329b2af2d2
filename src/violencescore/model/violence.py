"""Latent violence: the rate of each actor by kind and period, and where it is present; with gradients.

For actor ``k``, kind ``c``, period ``t`` and region ``r`` the rate of incidents is
``exp(a[c, t] + b[k] + shift[k, t] + g[k, c]) * days[t] * presence[k, r]`` (METHOD section 3, Rates).
"""

from __future__ import annotations

from math import exp

import numpy as np
from numba import njit

from violencescore.model import layout as lay
from violencescore.model.types import Array, Index
from violencescore.model.zerosum import (
    OPTIONS,
    zero_sum,
    zero_sum_both,
    zero_sum_both_gradient,
    zero_sum_gradient,
)


@njit(**OPTIONS)
def learned_scale(vector: Array, start: int, centre: float, spread: float) -> float:
    """Lognormal scale around ``centre``: bounded away from zero, so that no funnel opens."""
    return centre * exp(spread * vector[start])


@njit(**OPTIONS)
def effect_factor(vector: Array, start: int, centre: float, spread: float, centred: float) -> float:
    """What entries of the vector are multiplied by to give effects of the learned scale ``centre exp(spread v)``.

    The part ``centred`` of the learned scale is in the prior of the entries instead (see ``layout.centring``).
    """
    return centre * exp((1.0 - centred) * spread * vector[start])


@njit(**OPTIONS)
def violence(
    vector: Array, offset: Index, sizes: Index, prior: Array, days: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """Return rate (kind, period, actor), presence (region, actor), and the unscaled effects for the gradient."""
    n_actors, n_kinds, n_regions, n_periods = sizes[0], sizes[1], sizes[2], sizes[3]
    n_org = n_actors - 1
    moves = n_periods == 2
    spread = prior[lay.P_SPREAD]

    base = np.zeros(n_actors)
    if n_org > 1:
        zero_sum(vector[offset[lay.ORGANIZATION] : offset[lay.ORGANIZATION + 1]], base[:n_org])
        base[:n_org] *= effect_factor(
            vector, offset[lay.ORGANIZATION_SCALE], prior[lay.P_LOG_RATE], spread, prior[lay.P_CENTRED]
        )
    base[n_org] = prior[lay.P_OTHER] * vector[offset[lay.OTHER_LEVEL]]

    shift = np.zeros(n_actors)
    shift_scale = 0.0
    if moves:
        zero_sum(vector[offset[lay.SHIFT] : offset[lay.SHIFT + 1]], shift)
        shift_scale = effect_factor(
            vector, offset[lay.SHIFT_SCALE], prior[lay.P_PERIOD], spread, prior[lay.P_CENTRED + 1]
        )

    kind = np.zeros((n_actors, n_kinds))
    kind_scale = 0.0
    if n_kinds > 1:
        block = vector[offset[lay.KIND] : offset[lay.KIND + 1]].reshape((n_actors - 1, n_kinds - 1))
        zero_sum_both(block, kind)
        kind_scale = effect_factor(vector, offset[lay.KIND_SCALE], prior[lay.P_KIND], spread, prior[lay.P_CENTRED + 2])

    rate = np.empty((n_kinds, n_periods, n_actors))
    for c in range(n_kinds):
        start = offset[lay.LEVEL] + c * n_periods
        level = prior[lay.P_MEAN_LEVEL] + lay.LEVEL_SCALE * vector[start]
        for t in range(n_periods):
            if t == 1:
                level += prior[lay.P_LEVEL_SHIFT] * vector[start + 1]
            for k in range(n_actors):
                effect = base[k] + kind_scale * kind[k, c]
                if t == 1:
                    effect += shift_scale * shift[k]
                rate[c, t, k] = days[t] * exp(level + effect)

    presence = np.ones((n_regions, n_actors))
    own = np.zeros((n_actors, n_regions))
    if n_regions > 1:
        common = np.empty(n_regions)
        zero_sum(vector[offset[lay.REGION_SIZE] : offset[lay.REGION_SIZE + 1]], common)
        block = vector[offset[lay.PRESENCE] : offset[lay.PRESENCE + 1]].reshape((n_actors - 1, n_regions - 1))
        zero_sum_both(block, own)
        scale = effect_factor(
            vector, offset[lay.PRESENCE_SCALE], prior[lay.P_PRESENCE], spread, prior[lay.P_CENTRED + 3]
        )
        for k in range(n_actors):
            top = -1e300
            for r in range(n_regions):
                logit = prior[lay.P_REGION] * common[r] + scale * own[k, r]
                presence[r, k] = logit
                top = max(top, logit)
            total = 0.0
            for r in range(n_regions):
                presence[r, k] = exp(presence[r, k] - top)
                total += presence[r, k]
            for r in range(n_regions):
                presence[r, k] /= total
    return rate, presence, shift, kind, own


@njit(**OPTIONS)
def violence_gradient(
    vector: Array,
    offset: Index,
    sizes: Index,
    prior: Array,
    effects: tuple[Array, Array, Array, Array, Array],
    grad_log_rate: Array,
    grad_log_presence: Array,
    grad: Array,
) -> None:
    """Add to ``grad`` what the gradients of log rate and log presence imply (prior terms apart)."""
    _, presence, shift, kind, own = effects
    n_actors, n_kinds, n_regions, n_periods = sizes[0], sizes[1], sizes[2], sizes[3]
    n_org = n_actors - 1
    spread = prior[lay.P_SPREAD]

    grad_base = np.zeros(n_actors)
    grad_shift = np.zeros(n_actors)
    grad_kind = np.zeros((n_actors, n_kinds))
    for c in range(n_kinds):
        start = offset[lay.LEVEL] + c * n_periods
        for t in range(n_periods):
            total = 0.0
            for k in range(n_actors):
                g = grad_log_rate[c, t, k]
                total += g
                grad_base[k] += g
                grad_kind[k, c] += g
                if t == 1:
                    grad_shift[k] += g
            grad[start] += lay.LEVEL_SCALE * total
            if t == 1:
                grad[start + 1] += prior[lay.P_LEVEL_SHIFT] * total

    if n_org > 1:
        start, end = offset[lay.ORGANIZATION], offset[lay.ORGANIZATION + 1]
        centred = prior[lay.P_CENTRED]
        scale = effect_factor(vector, offset[lay.ORGANIZATION_SCALE], prior[lay.P_LOG_RATE], spread, centred)
        base = np.empty(n_org)
        zero_sum(vector[start:end], base)
        at = offset[lay.ORGANIZATION_SCALE]
        grad[at] += (1.0 - centred) * spread * scale * np.sum(grad_base[:n_org] * base)
        zero_sum_gradient(scale * grad_base[:n_org], grad[start:end])
    grad[offset[lay.OTHER_LEVEL]] += prior[lay.P_OTHER] * grad_base[n_org]
    if n_periods == 2:
        scale = effect_factor(vector, offset[lay.SHIFT_SCALE], prior[lay.P_PERIOD], spread, prior[lay.P_CENTRED + 1])
        grad[offset[lay.SHIFT_SCALE]] += (1.0 - prior[lay.P_CENTRED + 1]) * spread * scale * np.sum(grad_shift * shift)
        zero_sum_gradient(scale * grad_shift, grad[offset[lay.SHIFT] : offset[lay.SHIFT + 1]])
    if n_kinds > 1:
        scale = effect_factor(vector, offset[lay.KIND_SCALE], prior[lay.P_KIND], spread, prior[lay.P_CENTRED + 2])
        grad[offset[lay.KIND_SCALE]] += (1.0 - prior[lay.P_CENTRED + 2]) * spread * scale * np.sum(grad_kind * kind)
        block = grad[offset[lay.KIND] : offset[lay.KIND + 1]].reshape((n_actors - 1, n_kinds - 1))
        zero_sum_both_gradient(scale * grad_kind, block)
    if n_regions > 1:
        grad_common = np.zeros(n_regions)
        grad_own = np.empty((n_actors, n_regions))
        for k in range(n_actors):
            total = 0.0
            for r in range(n_regions):
                total += grad_log_presence[r, k]
            for r in range(n_regions):
                g = grad_log_presence[r, k] - total * presence[r, k]
                grad_own[k, r] = g
                grad_common[r] += prior[lay.P_REGION] * g
        scale = effect_factor(
            vector, offset[lay.PRESENCE_SCALE], prior[lay.P_PRESENCE], spread, prior[lay.P_CENTRED + 3]
        )
        grad[offset[lay.PRESENCE_SCALE]] += (1.0 - prior[lay.P_CENTRED + 3]) * spread * scale * np.sum(grad_own * own)
        zero_sum_gradient(grad_common, grad[offset[lay.REGION_SIZE] : offset[lay.REGION_SIZE + 1]])
        block = grad[offset[lay.PRESENCE] : offset[lay.PRESENCE + 1]].reshape((n_actors - 1, n_regions - 1))
        zero_sum_both_gradient(scale * grad_own, block)


@njit(**OPTIONS)
def centred_prior(vector: Array, at: int, start: int, end: int, spread: float, centred: float, grad: Array) -> float:
    """Log prior of entries ``start`` to ``end``, N(0, exp(centred spread v)), less that of standard normals.

    ``v`` is the entry ``at``; the gradient is added to ``grad``.
    """
    precision = exp(-2.0 * centred * spread * vector[at])
    squares: float = 0.0
    for i in range(start, end):
        squares += vector[i] * vector[i]
        grad[i] += vector[i] * (1.0 - precision)
    grad[at] += centred * spread * (precision * squares - (end - start))
    excess: float = 0.5 * squares * (1.0 - precision) - (end - start) * centred * spread * vector[at]
    return excess


@njit(**OPTIONS)
def log_prior(vector: Array, offset: Index, prior: Array, beta: Array, chance: float, grad: Array) -> float:
    """Return the log prior density up to a constant, and add its gradient to ``grad``.

    All entries are standard normal but: effects with a learned scale, as far as they are centred, accuracies (a
    Beta above chance, on the logit scale between chance and one) and staging rates (a Beta, on the logit scale).
    ``beta`` holds the Beta parameters of the accuracies, then of the staging rates, row by row.
    """
    total: float = 0.0
    for i in range(vector.size):
        total -= 0.5 * vector[i] * vector[i]
        grad[i] -= vector[i]

    spread = prior[lay.P_SPREAD]
    for i in range(len(lay.EFFECTS)):
        scale, effect = lay.EFFECTS[i]
        if offset[scale + 1] > offset[scale]:
            start, end = offset[effect], offset[effect + 1]
            total += centred_prior(vector, offset[scale], start, end, spread, prior[lay.P_CENTRED + i], grad)
    n_channels = offset[lay.REACH_SCALE + 1] - offset[lay.REACH_SCALE]
    for h in range(n_channels):
        each = (offset[lay.REACH_DEVIATION + 1] - offset[lay.REACH_DEVIATION]) // n_channels
        start = offset[lay.REACH_DEVIATION] + h * each
        centred = prior[lay.P_CENTRED + len(lay.EFFECTS) + h]
        total += centred_prior(vector, offset[lay.REACH_SCALE] + h, start, start + each, spread, centred, grad)

    row = 0
    for block in (lay.ACCURACY, lay.STAGING):
        floor = chance if block == lay.ACCURACY else 0.0
        for i in range(offset[block], offset[block + 1]):
            x = vector[i]
            share = 1.0 / (1.0 + exp(-x))
            value = floor + (1.0 - floor) * share
            log_rest = -np.log1p(exp(x)) if x < 30.0 else -x
            log_share = -np.log1p(exp(-x)) if x > -30.0 else x
            alpha, omega = beta[row, 0], beta[row, 1]
            total += (alpha - 1.0) * np.log(value) + (omega - 1.0) * log_rest + log_share + log_rest
            slope = (1.0 - floor) * share * (1.0 - share)
            total += 0.5 * x * x
            grad[i] += x + (alpha - 1.0) * slope / value - (omega - 1.0) * share + 1.0 - 2.0 * share
            row += 1
    return total
