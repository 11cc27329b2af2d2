"""Effects with a learned scale: from the vector to effects in their own unit; and the prior.

An effect ``x`` has the prior N(0, s) with ``s = centre exp(spread v)``, where ``v`` is standard normal: the vector
holds ``v`` and ``x / s``. What the sampler moves in is another matter (see ``coordinates``).
"""

from __future__ import annotations

from math import exp

import numpy as np
from numba import njit

from violencescore.model import layout as lay
from violencescore.model.types import Array, Index
from violencescore.model.zerosum import INNER, OPTIONS


@njit(**OPTIONS)
def natural(vector: Array, offset: Index, prior: Array) -> tuple[Array, Array]:
    """Return the vector with its effects in their own unit, and what each entry was multiplied by."""
    slope = np.ones(vector.size)
    for b in range(len(lay.EFFECTS)):
        scales, effects, centre = lay.EFFECTS[b]
        n_scales = offset[scales + 1] - offset[scales]
        for j in range(n_scales):
            scale = prior[centre] * exp(prior[lay.P_SPREAD] * vector[offset[scales] + j])
            each = (offset[effects + 1] - offset[effects]) // n_scales
            for i in range(offset[effects] + j * each, offset[effects] + (j + 1) * each):
                slope[i] = scale
    unit = np.empty(vector.size)
    for i in range(vector.size):
        unit[i] = vector[i] * slope[i]
    return unit, slope


@njit(**INNER)
def natural_gradient(unit: Array, slope: Array, offset: Index, prior: Array, grad: Array) -> None:
    """Turn the gradient by the entries in their own unit into that by the vector, in place."""
    for b in range(len(lay.EFFECTS)):
        scales, effects, _ = lay.EFFECTS[b]
        n_scales = offset[scales + 1] - offset[scales]
        for j in range(n_scales):
            each = (offset[effects + 1] - offset[effects]) // n_scales
            of_log_scale = 0.0
            for i in range(offset[effects] + j * each, offset[effects] + (j + 1) * each):
                of_log_scale += grad[i] * unit[i]
                grad[i] *= slope[i]
            grad[offset[scales] + j] += prior[lay.P_SPREAD] * of_log_scale


@njit(**OPTIONS)
def log_prior(vector: Array, offset: Index, beta: Array, chance: float, grad: Array) -> float:
    """Return the log prior density of the vector up to a constant, and add its gradient to ``grad``.

    All entries are standard normal but accuracies (a Beta above chance, on the logit scale between chance and one) and
    other shares (a Beta, on the logit scale). ``beta`` holds the Beta parameters block by block, in the order of
    ``layout.SHARES``.
    """
    total: float = 0.0
    for i in range(vector.size):
        total -= 0.5 * vector[i] * vector[i]
        grad[i] -= vector[i]

    row = 0
    for block in lay.SHARES:
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
