"""Latent violence: the rate of each actor by kind and period, and where it is present; with gradients.

For actor ``k``, kind ``c``, period ``t`` and region ``r`` the rate of incidents is
``exp(a[c, t] + b[k] + shift[k, t] + g[k, c]) * exposure[t, k] * presence[k, r]``, the exposure in days. An heir (a new
faction) is expected where its elder was, to do what that one did, half as often: its effects are added to the elder's.
"""

from __future__ import annotations

from math import exp

import numpy as np
from numba import njit

from violencescore.model import layout as lay
from violencescore.model.types import Array, Index
from violencescore.model.zerosum import (
    INNER,
    OPTIONS,
    zero_sum,
    zero_sum_both,
    zero_sum_both_gradient,
    zero_sum_gradient,
)


@njit(**INNER)
def inherit(effects: Array, heir: Index, elder: Index) -> None:
    """Add to the effects of each heir (actor, ...) those of its elder."""
    for i in range(heir.size):
        for j in range(effects.shape[1]):
            effects[heir[i], j] += effects[elder[i], j]


@njit(**INNER)
def inherit_gradient(grad: Array, heir: Index, elder: Index) -> None:
    """Turn the gradient by the effects after ``inherit`` into that by those before."""
    for i in range(heir.size - 1, -1, -1):
        for j in range(grad.shape[1]):
            grad[elder[i], j] += grad[heir[i], j]


@njit(**OPTIONS)
def violence(
    unit: Array, offset: Index, sizes: Index, prior: Array, exposure: Array, heir: Index, elder: Index
) -> tuple[Array, Array]:
    """Return rate (kind, period, actor) and presence (region, actor), from the vector in its own unit."""
    n_actors, n_kinds, n_regions, n_periods = sizes[0], sizes[1], sizes[2], sizes[3]
    n_org = n_actors - 1

    base = np.zeros(n_actors)
    if n_org > 1:
        zero_sum(unit[offset[lay.ORGANIZATION] : offset[lay.ORGANIZATION + 1]], base[:n_org])
    base[n_org] = prior[lay.P_OTHER] * unit[offset[lay.OTHER_LEVEL]]
    shift = np.zeros(n_actors)
    if n_periods == 2:
        zero_sum(unit[offset[lay.SHIFT] : offset[lay.SHIFT + 1]], shift)
    kind = np.zeros((n_actors, n_kinds))
    if n_kinds > 1:
        block = unit[offset[lay.KIND] : offset[lay.KIND + 1]].reshape((n_actors - 1, n_kinds - 1))
        zero_sum_both(block, kind)

    for i in range(heir.size):
        base[heir[i]] += base[elder[i]] + lay.LOG_HALF
    inherit(kind, heir, elder)

    rate = np.empty((n_kinds, n_periods, n_actors))
    for c in range(n_kinds):
        start = offset[lay.LEVEL] + c * n_periods
        level = prior[lay.P_MEAN_LEVEL] + lay.LEVEL_SCALE * unit[start]
        for t in range(n_periods):
            if t == 1:
                level += prior[lay.P_LEVEL_SHIFT] * unit[start + 1]
            for k in range(n_actors):
                effect = base[k] + kind[k, c]
                if t == 1:
                    effect += shift[k]
                rate[c, t, k] = exposure[t * n_actors + k] * exp(level + effect)

    presence = np.ones((n_regions, n_actors))
    if n_regions > 1:
        common = np.empty(n_regions)
        own = np.empty((n_actors, n_regions))
        zero_sum(unit[offset[lay.REGION_SIZE] : offset[lay.REGION_SIZE + 1]], common)
        block = unit[offset[lay.PRESENCE] : offset[lay.PRESENCE + 1]].reshape((n_actors - 1, n_regions - 1))
        zero_sum_both(block, own)
        inherit(own, heir, elder)
        for k in range(n_actors):
            top = -1e300
            for r in range(n_regions):
                logit = prior[lay.P_REGION] * common[r] + own[k, r]
                presence[r, k] = logit
                top = max(top, logit)
            total = 0.0
            for r in range(n_regions):
                presence[r, k] = exp(presence[r, k] - top)
                total += presence[r, k]
            for r in range(n_regions):
                presence[r, k] /= total
    return rate, presence


@njit(**INNER)
def violence_gradient(
    offset: Index,
    sizes: Index,
    prior: Array,
    presence: Array,
    heir: Index,
    elder: Index,
    grad_log_rate: Array,
    grad_log_presence: Array,
    grad: Array,
) -> None:
    """Add to ``grad`` what the gradients of log rate and log presence imply."""
    n_actors, n_kinds, n_regions, n_periods = sizes[0], sizes[1], sizes[2], sizes[3]
    n_org = n_actors - 1

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

    for i in range(heir.size - 1, -1, -1):
        grad_base[elder[i]] += grad_base[heir[i]]
    inherit_gradient(grad_kind, heir, elder)
    if n_org > 1:
        zero_sum_gradient(grad_base[:n_org], grad[offset[lay.ORGANIZATION] : offset[lay.ORGANIZATION + 1]])
    grad[offset[lay.OTHER_LEVEL]] += prior[lay.P_OTHER] * grad_base[n_org]
    if n_periods == 2:
        zero_sum_gradient(grad_shift, grad[offset[lay.SHIFT] : offset[lay.SHIFT + 1]])
    if n_kinds > 1:
        block = grad[offset[lay.KIND] : offset[lay.KIND + 1]].reshape((n_actors - 1, n_kinds - 1))
        zero_sum_both_gradient(grad_kind, block)
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
        inherit_gradient(grad_own, heir, elder)
        zero_sum_gradient(grad_common, grad[offset[lay.REGION_SIZE] : offset[lay.REGION_SIZE + 1]])
        block = grad[offset[lay.PRESENCE] : offset[lay.PRESENCE + 1]].reshape((n_actors - 1, n_regions - 1))
        zero_sum_both_gradient(grad_own, block)
