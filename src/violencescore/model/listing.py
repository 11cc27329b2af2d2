"""What is known of lists as arrays, and the probabilities that follow from the parameters of listing; compiled."""

from __future__ import annotations

from math import exp, log
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from violencescore.model.types import Array, Index
from violencescore.model.zerosum import OPTIONS

SPREAD = 0.5
"""Log sd of a learned scale around the stated one, as for the scales of the main model."""


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
    prior
        Mean and scale of levels, scale of visibility, of dependence; then the stated scale of each family.
    weight
        Of each entry of ``column``.
    seen
        Share of all reports that have come in, by age and source.
    fixed
        Log odds ratio that is assumed of each pair.
    listed, times, both
        Counts: by cell and source; by cell and number of sources (from none); by pair.
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
    prior: Array
    weight: Array
    seen: Array
    fixed: Array
    listed: Array
    times: Array
    both: Array
    node: Array
    share: Array
    centre: Array
    axes: Array


N_WHOLE = 11


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
        real(0), real(1), real(2).reshape((-1, sizes[0])), real(3), real(4).reshape((-1, sizes[0])),
        real(5).reshape((-1, sizes[0] + 1)), real(6), real(7), real(8), real(9), real(10),
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


@njit(**OPTIONS)
def log_odds(vector: Array, of: Listing, scale: Array, seen: Array, q: int, odds: Array, slope: Array) -> None:
    """Fill the log odds with which each source lists an incident of cell ``q`` by now, and their slopes.

    ``F p`` of a source that will list with probability ``p`` and has sent the share ``F`` by now.
    """
    n_sources, n_columns = of.sizes[0], of.sizes[1]
    for s in range(n_sources):
        level = of.prior[0] + of.prior[1] * vector[s]
        for e in range(of.start[q], of.start[q + 1]):
            c = of.column[e]
            level += of.weight[e] * scale[of.family[c]] * vector[n_sources + s * n_columns + c]
        odds[s], slope[s] = level, 1.0
        share = seen[of.age[q], s]
        if share < 1.0:
            slope[s] = 1.0 / (1.0 + (1.0 - share) * exp(level))
            odds[s] += log(share * slope[s])


@njit(**OPTIONS)
def block_states(of: Listing, theta: Array, odds: Array, b: int, out: Array) -> int:
    """Fill the weight of each way in which the sources of a block can list an incident; return how many there are."""
    first, last = of.block_start[b], of.block_start[b + 1]
    n: int = 1 << (last - first)
    for y in range(n):
        total = 0.0
        for i in range(last - first):
            if y >> i & 1:
                total += odds[of.member[first + i]]
        for e in range(of.pair_start[b], of.pair_start[b + 1]):
            if y >> of.first[e] & 1 and y >> of.second[e] & 1:
                total += theta[e]
        out[y] = exp(total)
    return n


@njit(**OPTIONS)
def state_sizes(of: Listing) -> Index:
    """Return how many sources each state of a block lists, for the largest block."""
    widest = 0
    for b in range(of.block_start.size - 1):
        widest = max(widest, of.block_start[b + 1] - of.block_start[b])
    out = np.zeros(1 << widest, dtype=np.int64)
    for y in range(1, out.size):
        out[y] = out[y >> 1] + (y & 1)
    return out


@njit(**OPTIONS)
def block_sums(of: Listing, theta: Array, power: Array, size: Index, odds: Array, states: Array, z: Array) -> None:
    """Fill the weights of the states (block, state) and their sums (block, node)."""
    z[:] = 0.0
    for b in range(of.block_start.size - 1):
        if of.block_start[b + 1] - of.block_start[b] == 1:
            own = exp(odds[of.member[of.block_start[b]]])
            states[b, 0], states[b, 1] = 1.0, own
            for j in range(z.shape[1]):
                z[b, j] = 1.0 + own * power[1, j]
            continue
        n = block_states(of, theta, odds, b, states[b])
        for y in range(n):
            for j in range(z.shape[1]):
                z[b, j] += states[b, y] * power[size[y], j]


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
    n_sources, n_blocks = of.sizes[0], of.block_start.size - 1
    size = state_sizes(of)
    odds, slope = np.empty(n_sources), np.empty(n_sources)
    states, z = np.empty((n_blocks, size.size)), np.empty((n_blocks, of.node.size))
    for d in range(vectors.shape[0]):
        scale, theta, power = scales(vectors[d], of), dependence(vectors[d], of), visibility(vectors[d], of)
        for q in range(of.age.size):
            log_odds(vectors[d], of, scale, seen[d % seen.shape[0]], q, odds, slope)
            block_sums(of, theta, power, size, odds, states, z)
            missed = 0.0
            for j in range(of.node.size):
                whole = 1.0
                for b in range(n_blocks):
                    whole *= z[b, j]
                missed += of.share[j] / whole
            out[d, into[q]] += days[q] * missed
