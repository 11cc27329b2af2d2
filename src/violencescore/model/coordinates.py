"""What the sampler moves in: coordinates in which the posterior is rounder than in the vector. The model stays.

Three things make a hierarchical posterior hard to walk. An effect of which the data say much drags its scale along, and
one of which they say little is dragged by it: so each is centred as far as the data go, ``z = x s^w`` being sampled
with ``w`` from 0 (not centred) to 1. And what the data know is sums of effects, such as a region's and an actor's own:
so all is sampled in axes along which the posterior has about one width, from its curvature at the mode
(Papaspiliopoulos, Roberts and Skoeld 2007, A general framework for the parametrization of hierarchical models). And
where a share is near zero, what depends on it does so along a curve in its logit: so that is moved with the share
itself. What is approximate here decides how well the sampler works, and nothing else.
"""

from __future__ import annotations

from math import exp

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import linalg, sparse
from scipy.sparse.linalg import spsolve_triangular
from scipy.special import expit

from violencescore.design import SPEAKS, Design
from violencescore.model import layout as lay
from violencescore.model.evidence import logistic
from violencescore.model.layout import Layout
from violencescore.model.types import Array, CoordinateArrays, Index
from violencescore.model.zerosum import INNER, OPTIONS


@njit(**OPTIONS)
def pull_along(vector: Array, coordinates: CoordinateArrays, times: float) -> None:
    """Move entries as shares pull them, so many times: 1, and -1 to move them back. Shares stay where they are."""
    for b in range(coordinates.share.size):
        by = times * (logistic(vector[coordinates.share[b]]) - coordinates.middle[b])
        for i in range(vector.size):
            vector[i] += by * coordinates.pull[b * vector.size + i]


@njit(**OPTIONS)
def to_vector(point: Array, offset: Index, prior: Array, coordinates: CoordinateArrays) -> Array:
    """Return the vector of the model at a sampled point; without coordinates it is the point."""
    vector = point.copy()
    if coordinates.start.size == 0:
        return vector
    for i in range(point.size):
        vector[i] = 0.0
        for e in range(coordinates.start[i], coordinates.start[i + 1]):
            vector[i] += coordinates.value[e] * point[coordinates.column[e]]
    pull_along(vector, coordinates, 1.0)
    for b in range(len(lay.EFFECTS)):
        scales, effects, _ = lay.EFFECTS[b]
        n_scales = offset[scales + 1] - offset[scales]
        for j in range(n_scales):
            log_scale = prior[lay.P_SPREAD] * vector[offset[scales] + j]
            each = (offset[effects + 1] - offset[effects]) // n_scales
            for i in range(offset[effects] + j * each, offset[effects] + (j + 1) * each):
                vector[i] *= exp(-coordinates.centred[i] * log_scale)
    return vector


@njit(**INNER)
def to_vector_gradient(vector: Array, offset: Index, prior: Array, coordinates: CoordinateArrays, grad: Array) -> float:
    """Turn the gradient by the vector into that by the sampled point, in place; return log volume."""
    volume = 0.0
    if coordinates.start.size == 0:
        return volume
    for b in range(len(lay.EFFECTS)):
        scales, effects, _ = lay.EFFECTS[b]
        n_scales = offset[scales + 1] - offset[scales]
        for j in range(n_scales):
            log_scale = prior[lay.P_SPREAD] * vector[offset[scales] + j]
            each = (offset[effects + 1] - offset[effects]) // n_scales
            of_log_scale = 0.0
            for i in range(offset[effects] + j * each, offset[effects] + (j + 1) * each):
                w = coordinates.centred[i]
                volume -= w * log_scale
                of_log_scale -= w * (1.0 + grad[i] * vector[i])
                grad[i] *= exp(-w * log_scale)
            grad[offset[scales] + j] += prior[lay.P_SPREAD] * of_log_scale
    for b in range(coordinates.share.size):
        share, along = logistic(vector[coordinates.share[b]]), 0.0
        for i in range(vector.size):
            along += grad[i] * coordinates.pull[b * vector.size + i]
        grad[coordinates.share[b]] += share * (1.0 - share) * along
    of_vector = grad.copy()
    grad[:] = 0.0
    for i in range(vector.size):
        for e in range(coordinates.start[i], coordinates.start[i + 1]):
            grad[coordinates.column[e]] += coordinates.value[e] * of_vector[i]
    return volume


NEGLIGIBLE = 0.06
"""Share of an entry's sd below which an axis does not count: fewer products."""

NO_COORDINATES = CoordinateArrays(*(np.empty(0, dtype=np.int64),) * 3, *(np.empty(0),) * 4)
"""The sampled point is the vector."""


def to_point(vector: Array, offset: Index, prior: Array, coordinates: CoordinateArrays) -> npt.NDArray[np.float64]:
    """Return the sampled point of a vector: the inverse of ``to_vector``."""
    if coordinates.start.size == 0:
        return np.array(vector, dtype=np.float64)
    turned = vector.copy()
    for scales, effects, _ in lay.EFFECTS:
        log_scale = prior[lay.P_SPREAD] * vector[offset[scales] : offset[scales + 1]]
        if log_scale.size:
            block = slice(offset[effects], offset[effects + 1])
            each = (block.stop - block.start) // log_scale.size
            turned[block] *= np.exp(coordinates.centred[block] * np.repeat(log_scale, each))
    pull_along(turned, coordinates, -1.0)
    axes = sparse.csr_array((coordinates.value, coordinates.column, coordinates.start), shape=2 * (vector.size,))
    return np.asarray(spsolve_triangular(axes, turned, lower=False))


def log_volume(vectors: Array, offset: Index, prior: Array, coordinates: CoordinateArrays) -> npt.NDArray[np.float64]:
    """Log volume of vectors (..., parameter) at their sampled points: what ``to_vector_gradient`` returns."""
    volume = np.zeros(vectors.shape[:-1])
    if coordinates.start.size == 0:
        return volume
    for scales, effects, _ in lay.EFFECTS:
        log_scale = prior[lay.P_SPREAD] * vectors[..., offset[scales] : offset[scales + 1]]
        if log_scale.shape[-1]:
            centred = coordinates.centred[offset[effects] : offset[effects + 1]]
            volume -= log_scale @ centred.reshape((log_scale.shape[-1], -1)).sum(axis=1)
    return volume


def turn(
    centred: Array,
    precision: Array | None,
    share: Index = NO_COORDINATES.share,
    at: Array = NO_COORDINATES.middle,
) -> CoordinateArrays:
    """Coordinates of entries centred so far, along axes that make the precision matrix about one.

    Parameters
    ----------
    centred
        See ``CoordinateArrays``.
    precision
        Of the centred entries (a matrix); in directions in which it is less than one it counts as one, which is what
        the prior alone knows. None leaves the axes as they are.
    share
        Entries that are logits of shares which others depend on, along a curve if the share is near zero.
    at
        Where the precision was taken; only its shares count.
    """
    axes = sparse.eye_array(centred.size, format="csr")
    middle, pull = expit(at[share]), np.empty((0, centred.size))
    if precision is not None:
        value, direction = linalg.eigh(precision)
        precision = (direction * np.maximum(value, 1.0)) @ direction.T
        if share.size:
            along = regress(precision, share)
            straight = np.eye(centred.size)
            straight[:, share] += along
            precision = straight.T @ precision @ straight
            pull = (along / (middle * (1.0 - middle))).T
        lower = linalg.cholesky(precision, lower=True)
        own = linalg.solve_triangular(lower, np.eye(centred.size), lower=True).T
        sd = np.sqrt((own**2).sum(axis=1, keepdims=True))
        kept = (np.abs(own) >= NEGLIGIBLE * sd) | np.eye(centred.size, dtype=bool)
        axes = sparse.csr_array(np.where(kept, own, 0.0))
    start, column = (indices.astype(np.int64) for indices in (axes.indptr, axes.indices))
    return CoordinateArrays(start, column, share, axes.data, centred, middle, pull.ravel())


def regress(precision: Array, given: Index) -> npt.NDArray[np.float64]:
    """By how much the other entries of a normal vector are expected to move with given ones (entry, given one)."""
    others = np.setdiff1d(np.arange(len(precision)), given)
    along = np.zeros((len(precision), given.size))
    within, across = precision[np.ix_(others, others)], precision[np.ix_(others, given)]
    along[others] = -linalg.solve(within, across, assume_a="pos")
    return along


def centring(design: Design, layout: Layout, prior: Array, probability: Array) -> npt.NDArray[np.float64]:
    """How far each entry is centred, from 0 (not at all, as all that are no effects) to 1.

    The share of the data in what is known of an effect, ``n s^2 / (1 + n s^2)`` with ``n`` incidents and the prior
    sd ``s``, is about best. An incident that is the actor's with probability ``p`` says as much as ``p^2`` that are
    known to be.

    Parameters
    ----------
    prior
        Constants (see ``layout.prior_constants``).
    probability
        About how probable it is that the incidents of each group are each actor's (group, actor); zeros where how many
        there are is given, and says nothing of rates.
    """
    information = design.groups.n[:, None] * probability**2
    c, r, t = design.groups.kind, design.groups.region, design.groups.period
    by_kind, by_region, by_period = (
        np.stack([information[code == i].sum(axis=0) for i in range(n)], axis=1)
        for code, n in ((c, layout.n_kinds), (r, layout.n_regions), (t, layout.n_periods))
    )
    heard = _heard(design) @ information
    both = by_period.prod(axis=1) / np.maximum(by_period.sum(axis=1), 1)
    n = np.zeros(layout.size)
    # The last of effects that sum to zero has no entry of its own.
    for block, counts in (
        (lay.ORGANIZATION, information.sum(axis=0)[:-2]),
        (lay.SHIFT, both[:-1]),
        (lay.KIND, by_kind[:-1, :-1]),
        (lay.PRESENCE, by_region[:-1, :-1]),
        (lay.REACH_DEVIATION, np.minimum(heard, information.sum(axis=0) - heard)[:, :-1]),
    ):
        if layout.block(n, block).size:
            layout.block(n, block)[:] = counts.ravel()
    for _, effects, centre in lay.EFFECTS:
        layout.block(n, effects)[...] *= prior[centre] ** 2
    share: npt.NDArray[np.float64] = n / (1.0 + n)
    return share


def _heard(design: Design) -> npt.NDArray[np.float64]:
    """Whether each channel speaks of the incidents of each group (channel, group)."""
    factors, patterns = design.factors, design.patterns
    speaks = np.zeros((len(design.channels), len(patterns.stratum)))
    for start, member in ((patterns.firm_start, patterns.firm), (patterns.forged_start, patterns.forged)):
        owner = np.repeat(np.arange(len(start) - 1), np.diff(start))
        spoken = factors.kind[member] == SPEAKS
        speaks[factors.channel[member[spoken]], owner[spoken]] = 1.0
    return speaks[:, design.groups.pattern]
