"""Effects with a learned scale: from the entries that are sampled to effects in their own unit; and the prior.

An effect ``x`` has the prior N(0, s) with ``s = centre exp(spread v)`` and ``v`` standard normal. What is sampled is
``z``, with ``x = centre exp((1 - w) spread v) z`` and z ~ N(0, exp(w spread v)): centred for w = 1, not centred for
w = 0, and the same prior of ``x`` for any ``w`` (Papaspiliopoulos, Roberts and Skoeld 2007, A general framework for the
parametrization of hierarchical models).
"""

from __future__ import annotations

from math import exp

import numpy as np
import numpy.typing as npt
from numba import njit

from violencescore.design import NAMES, SPEAKS, UNKNOWN, Design
from violencescore.methodology import Priors
from violencescore.model import layout as lay
from violencescore.model.layout import Layout
from violencescore.model.types import Array, Index
from violencescore.model.zerosum import OPTIONS


@njit(**OPTIONS)
def natural(vector: Array, offset: Index, prior: Array, centred: Array) -> tuple[Array, Array]:
    """Return the vector with its effects in their own unit, and what each entry was multiplied by."""
    slope = np.ones(vector.size)
    for b in range(len(lay.EFFECTS)):
        scales, effects, centre = lay.EFFECTS[b]
        n_scales = offset[scales + 1] - offset[scales]
        for j in range(n_scales):
            log_scale = prior[lay.P_SPREAD] * vector[offset[scales] + j]
            each = (offset[effects + 1] - offset[effects]) // n_scales
            for i in range(offset[effects] + j * each, offset[effects] + (j + 1) * each):
                slope[i] = prior[centre] * exp((1.0 - centred[i]) * log_scale)
    return vector * slope, slope


@njit(**OPTIONS)
def natural_gradient(unit: Array, slope: Array, offset: Index, prior: Array, centred: Array, grad: Array) -> None:
    """Turn the gradient by the entries in their own unit into that by the sampled ones, in place."""
    for b in range(len(lay.EFFECTS)):
        scales, effects, _ = lay.EFFECTS[b]
        n_scales = offset[scales + 1] - offset[scales]
        for j in range(n_scales):
            each = (offset[effects + 1] - offset[effects]) // n_scales
            of_log_scale = 0.0
            for i in range(offset[effects] + j * each, offset[effects] + (j + 1) * each):
                of_log_scale += (1.0 - centred[i]) * grad[i] * unit[i]
                grad[i] *= slope[i]
            grad[offset[scales] + j] += prior[lay.P_SPREAD] * of_log_scale


@njit(**OPTIONS)
def log_prior(
    vector: Array, offset: Index, prior: Array, beta: Array, chance: float, centred: Array, grad: Array
) -> float:
    """Return the log prior density of the sampled entries up to a constant, and add its gradient to ``grad``.

    All are standard normal but: effects with a learned scale, as far as they are centred, accuracies (a Beta above
    chance, on the logit scale between chance and one) and staging rates (a Beta, on the logit scale). ``beta`` holds
    the Beta parameters of the accuracies, then of the staging rates, row by row.
    """
    total: float = 0.0
    for i in range(vector.size):
        total -= 0.5 * vector[i] * vector[i]
        grad[i] -= vector[i]

    for b in range(len(lay.EFFECTS)):
        scales, effects, _ = lay.EFFECTS[b]
        n_scales = offset[scales + 1] - offset[scales]
        for j in range(n_scales):
            log_scale = prior[lay.P_SPREAD] * vector[offset[scales] + j]
            each = (offset[effects + 1] - offset[effects]) // n_scales
            of_log_scale = 0.0
            for i in range(offset[effects] + j * each, offset[effects] + (j + 1) * each):
                precision = exp(-2.0 * centred[i] * log_scale)
                square = vector[i] * vector[i]
                total += 0.5 * square * (1.0 - precision) - centred[i] * log_scale
                grad[i] += vector[i] * (1.0 - precision)
                of_log_scale += centred[i] * (square * precision - 1.0)
            grad[offset[scales] + j] += prior[lay.P_SPREAD] * of_log_scale

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


def centring(design: Design, priors: Priors, layout: Layout) -> npt.NDArray[np.float64]:
    """How far each entry of the vector is centred, from 0 (not at all, as all that are no effects) to 1.

    Effects mix well when centred where data are many, and when not centred where they are few. In between, the share
    of the data in what is known of an effect, ``n s^2 / (1 + n s^2)`` with ``n`` incidents and the prior sd ``s``, is
    about best. ``n`` is taken from the incidents that were settled, or whose evidence names somebody: it decides how
    well the sampler works, and nothing else.
    """
    named = _named_incidents(design)
    c, r, t = design.groups.kind, design.groups.region, design.groups.period
    by_kind, by_region, by_period = (
        np.stack([named[code == i].sum(axis=0) for i in range(n)], axis=1)
        for code, n in ((c, layout.n_kinds), (r, layout.n_regions), (t, layout.n_periods))
    )
    heard = _heard(design) @ named
    both = by_period.prod(axis=1) / np.maximum(by_period.sum(axis=1), 1)
    n = np.zeros(layout.size)
    # The last of effects that sum to zero has no entry of its own.
    for block, counts in (
        (lay.ORGANIZATION, named.sum(axis=0)[:-2]),
        (lay.SHIFT, both[:-1]),
        (lay.KIND, by_kind[:-1, :-1]),
        (lay.PRESENCE, by_region[:-1, :-1]),
        (lay.REACH_DEVIATION, np.minimum(heard, named.sum(axis=0) - heard)[:, :-1]),
    ):
        if layout.block(n, block).size:
            layout.block(n, block)[:] = counts.ravel()
    constants = lay.prior_constants(design, priors)
    information = np.zeros(layout.size)
    for _, effects, centre in lay.EFFECTS:
        layout.block(information, effects)[:] = layout.block(n, effects) * constants[centre] ** 2
    share: npt.NDArray[np.float64] = information / (1.0 + information)
    return share


def _entries(design: Design) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Pattern and factor of each factor of each pattern, whether it can be forged or not."""
    patterns = design.patterns
    lengths = [np.diff(start) for start in (patterns.firm_start, patterns.forged_start)]
    owner = np.concatenate([np.repeat(np.arange(len(length)), length) for length in lengths])
    return owner, np.concatenate([patterns.firm, patterns.forged])


def _named_incidents(design: Design) -> npt.NDArray[np.float64]:
    """Incidents of each group by whom they were settled on, or in equal parts whom evidence names (group, actor)."""
    patterns, factors = design.patterns, design.factors
    votes = np.zeros((len(patterns.period), len(design.actors)))
    owner, member = _entries(design)
    names = factors.kind[member] == NAMES
    np.add.at(votes, (owner[names], factors.argument[member[names]]), 1.0)
    settled = patterns.perpetrator != UNKNOWN
    votes[settled] = np.eye(len(design.actors))[patterns.perpetrator[settled]]
    # How many incidents happen between candidates says nothing of how many each did.
    votes[patterns.contest != UNKNOWN] = 0.0
    votes /= np.maximum(votes.sum(axis=1, keepdims=True), 1.0)
    return votes[design.groups.pattern] * design.groups.n[:, None]


def _heard(design: Design) -> npt.NDArray[np.float64]:
    """Whether each channel speaks of the incidents of each group (channel, group)."""
    factors = design.factors
    speaks = np.zeros((len(design.channels), len(design.patterns.period)))
    owner, member = _entries(design)
    spoken = factors.kind[member] == SPEAKS
    speaks[factors.channel[member[spoken]], owner[spoken]] = 1.0
    return speaks[:, design.groups.pattern]
