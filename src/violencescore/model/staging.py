"""Staging: how often each actor stages its work as another's, and as whose; with gradients."""

from __future__ import annotations

import numpy as np
from numba import njit

from violencescore.model import layout as lay
from violencescore.model.evidence import logistic, softmax
from violencescore.model.types import Array, Index
from violencescore.model.zerosum import INNER, OPTIONS


@njit(**OPTIONS)
def staging(unit: Array, offset: Index, sizes: Index, prior: Array, rivalry: Array) -> tuple[Array, Array]:
    """Return the staged share (stratum, actor) and the targets (actor, framed actor) of false flags."""
    n_actors, n_strata = sizes[0], sizes[5]
    share = np.zeros((n_strata, n_actors))
    target = np.zeros((n_actors, n_actors))
    if offset[lay.STAGING + 1] == offset[lay.STAGING]:
        return share, target
    memory = lay.STAGING_MEMORY if n_strata > 1 else 1.0
    fresh = (1.0 - memory * memory) ** 0.5
    for t in range(n_strata):
        for k in range(n_actors):
            own = memory * unit[offset[lay.STAGING_DEVIATION] + k]
            if n_strata > 1:
                own += fresh * unit[offset[lay.STAGING_SHIFT] + t * n_actors + k]
            share[t, k] = logistic(unit[offset[lay.STAGING] + t] + prior[lay.P_FALSE_FLAG] * own)
    logit = np.empty(n_actors - 1)
    for k in range(n_actors):
        start = offset[lay.TARGET] + k * (n_actors - 1)
        for i in range(n_actors - 1):
            logit[i] = prior[lay.P_TARGET] * unit[start + i] + rivalry[k * n_actors + (i if i < k else i + 1)]
        softmax(logit)
        for i in range(n_actors - 1):
            target[k, i if i < k else i + 1] = logit[i]
    return share, target


@njit(**INNER)
def staging_gradient(
    offset: Index,
    sizes: Index,
    prior: Array,
    share: Array,
    target: Array,
    grad_share: Array,
    grad_target: Array,
    grad: Array,
) -> None:
    """Add to ``grad`` what the gradients of staged shares and targets imply."""
    n_actors, n_strata = sizes[0], sizes[5]
    memory = lay.STAGING_MEMORY if n_strata > 1 else 1.0
    fresh = (1.0 - memory * memory) ** 0.5
    for t in range(n_strata):
        for k in range(n_actors):
            g = grad_share[t, k] * share[t, k] * (1.0 - share[t, k])
            grad[offset[lay.STAGING] + t] += g
            grad[offset[lay.STAGING_DEVIATION] + k] += prior[lay.P_FALSE_FLAG] * memory * g
            if n_strata > 1:
                grad[offset[lay.STAGING_SHIFT] + t * n_actors + k] += prior[lay.P_FALSE_FLAG] * fresh * g
    for k in range(n_actors):
        start = offset[lay.TARGET] + k * (n_actors - 1)
        mean = 0.0
        for m in range(n_actors):
            mean += grad_target[k, m] * target[k, m]
        for i in range(n_actors - 1):
            m = i if i < k else i + 1
            grad[start + i] += prior[lay.P_TARGET] * target[k, m] * (grad_target[k, m] - mean)
