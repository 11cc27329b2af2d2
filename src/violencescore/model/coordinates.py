"""What the sampler moves in: coordinates in which the posterior is rounder than in the vector. The model stays.

Two things make a hierarchical posterior hard to walk. An effect of which the data say much drags its scale along, and
one of which they say little is dragged by it: so each is centred as far as the data go, ``z = x s^w`` being sampled
with ``w`` from 0 (not centred) to 1. And what the data know is sums of effects, such as a region's and an actor's own:
so the effects of rates, and those of presence, are sampled in the axes of their approximate posterior
(Papaspiliopoulos, Roberts and Skoeld 2007, A general framework for the parametrization of hierarchical models). What is
approximate here decides how well the sampler works, and nothing else.
"""

from __future__ import annotations

from math import exp

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import sparse

from violencescore.design import SPEAKS, Design
from violencescore.model import layout as lay
from violencescore.model.effects import natural
from violencescore.model.layout import Layout
from violencescore.model.types import Array, CoordinateArrays, Index
from violencescore.model.violence import violence
from violencescore.model.zerosum import OPTIONS


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
    for b in range(len(lay.EFFECTS)):
        scales, effects, _ = lay.EFFECTS[b]
        n_scales = offset[scales + 1] - offset[scales]
        for j in range(n_scales):
            log_scale = prior[lay.P_SPREAD] * vector[offset[scales] + j]
            each = (offset[effects + 1] - offset[effects]) // n_scales
            for i in range(offset[effects] + j * each, offset[effects] + (j + 1) * each):
                vector[i] *= exp(-coordinates.centred[i] * log_scale)
    return vector


@njit(**OPTIONS)
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
    of_vector = grad.copy()
    grad[:] = 0.0
    for i in range(vector.size):
        for e in range(coordinates.start[i], coordinates.start[i + 1]):
            grad[coordinates.column[e]] += coordinates.value[e] * of_vector[i]
    return volume


MAX_BLOCK = 2000
"""Entries that are turned together at most: their axes are a matrix. More are centred only."""

NEGLIGIBLE = 0.03
"""Share of an entry's sd below which an axis does not count: fewer products."""

NO_COORDINATES = CoordinateArrays(
    start=np.empty(0, dtype=np.int64), column=np.empty(0, dtype=np.int64), value=np.empty(0), centred=np.empty(0)
)
"""The sampled point is the vector."""


def find_coordinates(design: Design, layout: Layout, prior: Array, probability: Array) -> CoordinateArrays:
    """Choose the coordinates for a posterior, as if learned scales were what the prior takes them for.

    Parameters
    ----------
    prior
        Constants (see ``layout.prior_constants``).
    probability
        About how probable it is that the incidents of each group are each actor's (group, actor); zeros where how many
        there are is given, and says nothing of rates.
    """
    centred = _centring(design, layout, prior, design.groups.n[:, None] * probability**2)
    axes = sparse.eye_array(layout.size, format="lil")
    for block, information in _log_linear(design, layout, prior, probability):
        precision = np.eye(len(block)) + information
        own = np.linalg.inv(np.linalg.cholesky(precision)).T
        variance = (own**2).sum(axis=1)
        axes[np.ix_(block, block)] = np.where(own**2 < NEGLIGIBLE**2 * variance[:, None], 0.0, own)
    rows = axes.tocsr()
    return CoordinateArrays(rows.indptr.astype(np.int64), rows.indices.astype(np.int64), rows.data, centred)


def _centring(design: Design, layout: Layout, prior: Array, information: Array) -> npt.NDArray[np.float64]:
    """How far each entry is centred, from 0 (not at all, as all that are no effects) to 1.

    The share of the data in what is known of an effect, ``n s^2 / (1 + n s^2)`` with ``n`` incidents and the prior
    sd ``s``, is about best. An incident that is the actor's with probability ``p`` says as much as ``p^2`` that are
    known to be.
    """
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
    speaks = np.zeros((len(design.channels), len(patterns.period)))
    for start, member in ((patterns.firm_start, patterns.firm), (patterns.forged_start, patterns.forged)):
        owner = np.repeat(np.arange(len(start) - 1), np.diff(start))
        spoken = factors.kind[member] == SPEAKS
        speaks[factors.channel[member[spoken]], owner[spoken]] = 1.0
    return speaks[:, design.groups.pattern]


def _log_linear(design: Design, layout: Layout, prior: Array, probability: Array) -> list[tuple[Index, Array]]:
    """The entries that rates depend on, then those of presences; each with what the incidents know of them (a matrix).

    The logarithm of an incident's rate, summed over whose it may be, has the gradient ``p`` by log rates: incidents
    know ``sum p p'`` of these. Presences sum to one, so that their mean logarithm is no information.
    """
    j, c, r, t = layout.n_actors, layout.n_kinds, layout.n_regions, layout.n_periods
    groups = design.groups

    def information(cell: Index, n_cells: int) -> Array:
        known = np.zeros((n_cells, j, j))
        for q in range(n_cells):
            among = probability[cell == q]
            known[q] = (groups.n[cell == q][:, None] * among).T @ among
        return known

    count = np.zeros((r, j))
    np.add.at(count, groups.region, groups.n[:, None] * probability)
    share = count / np.maximum(count.sum(axis=0), 1.0)

    def log_rate(vector: Array) -> Array:
        return np.log(rates_and_presences(vector)[0]).reshape(c * t, j)

    def log_presence(vector: Array) -> Array:
        logs = np.log(rates_and_presences(vector)[1])
        return np.asarray(logs - (share * logs).sum(axis=0))

    def rates_and_presences(vector: Array) -> tuple[Array, Array]:
        unit, _ = natural(vector, layout.offset, prior)
        rate, presence = violence(unit, layout.offset, layout.sizes, prior, np.ones(t))
        return rate, presence

    found: list[tuple[Index, Array]] = []
    for logs, names, cell, n_cells in (
        (
            log_rate,
            (lay.LEVEL, lay.ORGANIZATION, lay.OTHER_LEVEL, lay.SHIFT, lay.KIND),
            groups.kind * t + groups.period,
            c * t,
        ),
        (log_presence, (lay.REGION_SIZE, lay.PRESENCE), groups.region, r),
    ):
        block = np.concatenate([np.arange(layout.offset[b], layout.offset[b + 1]) for b in names])
        if not 0 < len(block) <= MAX_BLOCK:
            continue
        unit = np.zeros(layout.size)
        level = logs(unit)
        slope = np.empty((n_cells, j, len(block)))
        for column, i in enumerate(block):
            unit[i] = 1.0
            slope[:, :, column] = logs(unit) - level
            unit[i] = 0.0
        known = information(cell, n_cells)
        found.append((block, np.einsum("qka,qkb->ab", slope, known @ slope, optimize=True)))
    return found
