"""What is known of lists as arrays, and the probabilities that follow from the parameters of listing; compiled."""

from __future__ import annotations

from math import exp, log
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from violencescore.model.types import Array, Index
from violencescore.model.zerosum import INNER, OPTIONS

SPREAD = 0.5
"""Log sd of a learned scale around the stated one, as for the scales of the main model."""

AT_ONCE = 128
"""Cells that are worked on together: what is known of them stays in the fastest memory."""


class Listing(NamedTuple):
    """What the compiled functions need to know; see ``listings`` for how it comes about.

    Attributes
    ----------
    sizes
        Sources, columns of differences, families of them, free pairs, and whether visibility varies.
    family
        Of each column: which learned scale it has.
    start, column
        The columns of cell ``q`` are ``column[start[q]:start[q + 1]]``, with as many of ``weight``.
    age
        Row of ``seen`` of each cell.
    block_start, member
        Sources that depend on one another, block by block.
    pair_start, first, second, theta
        Dependent pairs of each block, as places in the block; which free parameter each has, -1 for none.
    times
        Counts by number of sources (from none) and cell.
    prior
        Mean and scale of levels, scale of visibility, of dependence; then the stated scale of each family.
    weight
        Of each entry of ``column``.
    seen
        Share of all reports that have come in, by age and source.
    fixed
        Log odds ratio that is assumed of each pair.
    listed, both
        Counts: by source and cell; by pair.
    node, share
        Quadrature of a standard normal.
    centre, axes
        Where a sampled point lies in the vector; ``axes`` empty where they are the same.
    """

    sizes: Index
    family: Index
    start: Index
    column: Index
    age: Index
    block_start: Index
    member: Index
    pair_start: Index
    first: Index
    second: Index
    theta: Index
    times: Index
    prior: Array
    weight: Array
    seen: Array
    fixed: Array
    listed: Array
    both: Array
    node: Array
    share: Array
    centre: Array
    axes: Array


N_WHOLE = 12


@njit(**OPTIONS)
def unpack(words: Index) -> Any:
    """Return a packed ``Listing``, as views."""

    def whole(i: int) -> Index:
        return words[words[i + 1] : words[i + 2]]

    def real(i: int) -> Array:
        return whole(N_WHOLE + i).view(np.float64)

    sizes = whole(0)
    return Listing(
        sizes, whole(1), whole(2), whole(3), whole(4), whole(5), whole(6), whole(7), whole(8), whole(9), whole(10),
        whole(11).reshape((sizes[0] + 1, -1)), real(0), real(1), real(2).reshape((-1, sizes[0])), real(3),
        real(4).reshape((sizes[0], -1)), real(5), real(6), real(7), real(8), real(9),
    )  # fmt: skip


@njit(**OPTIONS)
def to_vector(point: Array, of: Listing) -> Array:
    """Return the vector at a sampled point."""
    vector = point.copy()
    n = point.size
    if of.axes.size:
        for i in range(n):
            total = of.centre[i]
            for j in range(n):
                total += of.axes[i * n + j] * point[j]
            vector[i] = total
    return vector


@njit(**OPTIONS)
def scales(vector: Array, of: Listing) -> Array:
    """Return the learned scale of each family."""
    n_sources, n_columns, n_families = of.sizes[0], of.sizes[1], of.sizes[2]
    first = n_sources * (1 + n_columns)
    out = np.empty(n_families)
    for f in range(n_families):
        out[f] = of.prior[4 + f] * exp(SPREAD * vector[first + f])
    return out


@njit(**OPTIONS)
def dependence(vector: Array, of: Listing) -> Array:
    """Return the log odds ratio of each pair."""
    n_sources, n_columns, n_families = of.sizes[0], of.sizes[1], of.sizes[2]
    first = n_sources * (1 + n_columns) + n_families
    out = of.fixed.copy()
    for e in range(of.theta.size):
        if of.theta[e] >= 0:
            out[e] += of.prior[3] * vector[first + of.theta[e]]
    return out


@njit(**OPTIONS)
def visibility(vector: Array, of: Listing) -> Array:
    """Return by what each node multiplies the odds of being on so many lists (number of lists, node)."""
    power = np.ones((of.sizes[0] + 1, of.node.size))
    if of.sizes[4]:
        sigma = exp(vector[vector.size - 1])
        for m in range(1, of.sizes[0] + 1):
            for j in range(of.node.size):
                power[m, j] = exp(sigma * of.node[j] * m)
    return power


@njit(**INNER)
def effects(vector: Array, of: Listing, scale: Array) -> Array:
    """Return what each column adds to the log odds of each source (source, column)."""
    n_sources, n_columns = of.sizes[0], of.sizes[1]
    out = np.empty((n_sources, n_columns))
    for s in range(n_sources):
        for c in range(n_columns):
            out[s, c] = scale[of.family[c]] * vector[n_sources + s * n_columns + c]
    return out


@njit(**INNER)
def fill_odds(
    vector: Array,
    of: Listing,
    effect: Array,
    seen: Array,
    first: int,
    n: int,
    log_odds: Array,
    odds: Array,
    slope: Array,
) -> None:
    """Fill the odds with which each source lists an incident by now, their logarithms, and their slopes (source, cell).

    ``F p`` of a source that will list with probability ``p`` and has sent the share ``F`` by now. The cells are ``n``
    from ``first`` on, here and below.
    """
    for s in range(odds.shape[0]):
        for i in range(n):
            q = first + i
            level = of.prior[0] + of.prior[1] * vector[s]
            for e in range(of.start[q], of.start[q + 1]):
                level += of.weight[e] * effect[s, of.column[e]]
            log_odds[s, i], odds[s, i], slope[s, i] = level, exp(level), 1.0
            share = seen[of.age[q], s]
            if share < 1.0:
                slope[s, i] = 1.0 / (1.0 + (1.0 - share) * odds[s, i])
                log_odds[s, i] += log(share * slope[s, i])
                odds[s, i] *= share * slope[s, i]


@njit(**INNER)
def state_sizes(of: Listing) -> Index:
    """Return how many sources each state of a block lists, for the largest block."""
    widest = 0
    for b in range(of.block_start.size - 1):
        widest = max(widest, of.block_start[b + 1] - of.block_start[b])
    out = np.zeros(1 << widest, dtype=np.int64)
    for y in range(1, out.size):
        out[y] = out[y >> 1] + (y & 1)
    return out


@njit(**INNER)
def block_states(of: Listing, theta: Array, odds: Array, b: int, n: int, out: Array) -> int:
    """Fill the weight of each way in which the sources of a block list an incident (state, cell); return how many."""
    n_members: int = of.block_start[b + 1] - of.block_start[b]
    for i in range(n):
        out[0, i] = 1.0
    for last in range(n_members):
        own = odds[of.member[of.block_start[b] + last]]
        for rest in range(1 << last):
            together = 0.0
            for e in range(of.pair_start[b], of.pair_start[b + 1]):
                low, high = min(of.first[e], of.second[e]), max(of.first[e], of.second[e])
                if high == last and rest >> low & 1:
                    together += theta[e]
            factor = exp(together)
            fewer, state = out[rest], out[rest | 1 << last]
            for i in range(n):
                state[i] = factor * fewer[i] * own[i]
    return 1 << n_members


@njit(**INNER)
def node_sums(
    of: Listing, theta: Array, power: Array, size: Index, odds: Array, n: int, states: Array, z: Array, inverse: Array
) -> Array:
    """Return the probability that no source lists an incident (cell).

    Fills the sums of the weights of the states (block, node, cell), and the share of each node over their product
    (node, cell); ``states`` is room for one block.
    """
    inverse[:] = 1.0
    for b in range(z.shape[0]):
        n_states = block_states(of, theta, odds, b, n, states)
        for j in range(z.shape[1]):
            total, product = z[b, j], inverse[j]
            for i in range(n):
                total[i] = 1.0
            for y in range(1, n_states):
                times, state = power[size[y], j], states[y]
                for i in range(n):
                    total[i] += times * state[i]
            for i in range(n):
                product[i] *= total[i]
    missed = np.zeros(n)
    for j in range(z.shape[1]):
        product = inverse[j]
        for i in range(n):
            product[i] = of.share[j] / product[i]
            missed[i] += product[i]
    return missed


@njit(**OPTIONS)
def unlisted(vectors: Array, of: Listing, seen: Array, into: Index, days: Array, out: Array) -> None:
    """Add up the probability that no source lists an incident.

    Parameters
    ----------
    vectors
        Draws (draw, parameter).
    seen
        Share of reports that have come in (draw or 1, age, source).
    into, days
        Entry of ``out`` (draw, entry) to which a cell adds its share ``days``.
    """
    n_sources, n_cells, n_nodes = of.sizes[0], of.age.size, of.node.size
    size = state_sizes(of)
    width = min(AT_ONCE, n_cells)
    log_odds, odds, slope = np.empty((3, n_sources, width))
    states = np.empty((size.size, width))
    z, inverse = np.empty((of.block_start.size - 1, n_nodes, width)), np.empty((n_nodes, width))
    for d in range(vectors.shape[0]):
        scale, theta, power = scales(vectors[d], of), dependence(vectors[d], of), visibility(vectors[d], of)
        effect = effects(vectors[d], of, scale)
        for first in range(0, n_cells, AT_ONCE):
            n = min(AT_ONCE, n_cells - first)
            fill_odds(vectors[d], of, effect, seen[d % seen.shape[0]], first, n, log_odds, odds, slope)
            missed = node_sums(of, theta, power, size, odds, n, states, z, inverse)
            for i in range(n):
                out[d, into[first + i]] += days[first + i] * missed[i]
