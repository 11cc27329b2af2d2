"""Probability of the evidence by actor, honest and staged; with gradients.

A pattern of evidence is a part that cannot be forged, and a *sight*: a forgeable part, its stratum of staging (its
period, unless the methodology says more) and what was settled of it. Few parts and sights make up many patterns, so
that false flags are summed out on the sights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numba import njit

from violencescore.design import DATE, UNKNOWN, Design
from violencescore.grouping import first_rows, ints, multiset_keys, starts, unique_rows
from violencescore.model.lanes import add_narrowed, add_product, add_scaled, multiply, wide, widen
from violencescore.model.types import Array, Index, PartArrays, SightArrays
from violencescore.model.zerosum import INNER

BLAS_ROWS = 128
"""Rows of a matrix product at a time."""

RESCALE_EVERY = 12
"""Factors multiplied before a part's probabilities are brought back to about one: no underflow."""

HUGE = 1e200
"""Bound of the products of actors that an adjudication rules out."""


@njit(**INNER)
def products(parts: PartArrays, table: Array) -> tuple[Array, Array]:
    """Products of factors by part and actor, in rows of lanes, and the logarithm of what was divided out of each part.

    That is the greatest product on the way, or that of the only actor that counts: however much evidence speaks against
    it, it must not vanish.
    """
    n_actors, width = table.shape[1], wide(table.shape[1])
    rows, ones = widen(table), np.ones(width)
    step = np.empty(parts.factor.size * width)
    divided = np.zeros(parts.factor.size)
    for i in range(parts.factor.size):
        before, f, at = parts.parent[i], parts.factor[i] * width, i * width
        if f < 0:
            step[at : at + width] = 1.0
        elif before < 0:
            multiply(step, at, rows, f, ones, 0, width)
        else:
            divided[i] = divided[before]
            multiply(step, at, step, before * width, rows, f, width)
        if parts.rescaled[i] != 0:
            top = step[at + max(parts.settled[i], 0)]
            if parts.settled[i] < 0:
                for k in range(1, n_actors):
                    top = max(top, step[at + k])
            if top > 0.0:
                divided[i] += np.log(top)
                for k in range(n_actors):
                    # Bounded, since zero times infinity is not zero; what is above does not count.
                    step[at + k] = min(step[at + k] / top, HUGE)
    part, log_scale = np.empty((parts.last.size, width)), np.empty(parts.last.size)
    kept = part.reshape(part.size)
    for e in range(parts.last.size):
        log_scale[e] = divided[parts.last[e]]
        multiply(kept, e * width, step, parts.last[e] * width, ones, 0, width)
    return part, log_scale


@njit(**INNER)
def products_gradient(parts: PartArrays, of_part: Array, grad_log_factor: Array) -> None:
    """Carry the gradient of the log parts, in rows of lanes, back to their factors."""
    width = wide(grad_log_factor.shape[1])
    of_step, of_factor = np.zeros(parts.factor.size * width), np.zeros(grad_log_factor.shape[0] * width)
    for e in range(parts.last.size):
        add_scaled(of_step, parts.last[e] * width, 1.0, of_part, e * width, width)
    for i in range(parts.factor.size - 1, -1, -1):
        before, f = parts.parent[i], parts.factor[i]
        if f >= 0:
            add_scaled(of_factor, f * width, 1.0, of_step, i * width, width)
        if before >= 0:
            add_scaled(of_step, before * width, 1.0, of_step, i * width, width)
    add_narrowed(of_factor, grad_log_factor)


@njit(**INNER)
def matrix_product(left: Array, right: Array) -> Array:
    """Matrix product, in blocks small enough that the BLAS library does not start threads beside the chains."""
    out = np.empty((left.shape[0], right.shape[1]))
    for start in range(0, left.shape[0], BLAS_ROWS):
        end = min(start + BLAS_ROWS, left.shape[0])
        np.dot(left[start:end], right, out[start:end])
    return out


@njit(**INNER)
def matrix_product_over(left: Array, right: Array, out: Array) -> None:
    """Add to ``out`` what it has room for of the transpose of ``left`` times ``right``, in blocks as above."""
    block = np.empty((left.shape[1], right.shape[1]))
    for start in range(0, left.shape[0], BLAS_ROWS):
        end = min(start + BLAS_ROWS, left.shape[0])
        np.dot(left[start:end].T, right[start:end], block)
        for j in range(out.shape[0]):
            for k in range(out.shape[1]):
                out[j, k] += block[j, k]


@njit(**INNER)
def framed_parts(sights: SightArrays) -> tuple[int, int]:
    """Return the first forgeable part, and where those end which may have been staged as the work of anyone."""
    first = sights.part[0]
    for v in range(sights.part.size):
        first = min(first, sights.part[v])
    end = first
    for v in range(sights.part.size):
        if sights.staged[v] != 0 and sights.framed[v] < 0:
            end = max(end, sights.part[v] + 1)
    return int(first), int(end)


@njit(**INNER)
def square(target: Array, width: int) -> Array:
    """Return a table of targets filled up with zeros to ``width`` both ways."""
    out = np.zeros((width, width))
    for k in range(target.shape[0]):
        for j in range(target.shape[1]):
            out[k, j] = target[k, j]
    return out


@njit(**INNER)
def sight_probability(part: Array, share: Array, target: Array, sights: SightArrays) -> tuple[Array, Array]:
    """Probability of each sight by actor, and the share of it that is staged (each sight, actor), in rows of lanes.

    An honest incident has the forgeable evidence of the actor itself, a staged one that of the actor it frames.
    An adjudication leaves only what it settled.
    """
    n_actors, width = share.shape[1], part.shape[1]
    sight, false = np.zeros((sights.part.size, width)), np.zeros((sights.part.size, width))
    seen, flagged, parts = sight.reshape(sight.size), false.reshape(false.size), part.reshape(part.size)
    shares, honest = widen(share), widen(1.0 - share)
    first, end = framed_parts(sights)
    # What each part would be if it was staged as the work of any other: few parts make many sights.
    framing = matrix_product(part[first:end], square(target.T, width))
    framings = framing.reshape(framing.size)
    for v in range(sights.part.size):
        f, t, who, framed = sights.part[v], sights.stratum[v], sights.perpetrator[v], sights.framed[v]
        if who < 0 and framed < 0 and sights.staged[v] < 0:
            multiply(flagged, v * width, shares, t * width, framings, (f - first) * width, width)
            multiply(seen, v * width, honest, t * width, parts, f * width, width)
            add_scaled(seen, v * width, 1.0, flagged, v * width, width)
            continue
        for k in range(max(who, 0), who + 1 if who >= 0 else n_actors):
            if sights.staged[v] != 0:
                by = framing[f - first, k] if framed < 0 else target[k, framed] * part[f, framed]
                false[v, k] = share[t, k] * by
            sight[v, k] = false[v, k]
            if sights.staged[v] != 1:
                sight[v, k] += (1.0 - share[t, k]) * part[f, k]
    return sight, false


@njit(**INNER)
def sight_gradient(
    part: Array,
    share: Array,
    target: Array,
    sights: SightArrays,
    sight: Array,
    false: Array,
    of_sight: Array,
    of_part: Array,
    grad_share: Array,
    grad_target: Array,
) -> None:
    """Carry the gradient of the sights back to log parts, staged shares and targets.

    Parts and sights are rows of lanes, as are the gradients by them (by log parts, and by sights).
    """
    n_actors, width = share.shape[1], part.shape[1]
    first, end = framed_parts(sights)
    seen, flagged, shares = sight.reshape(sight.size), false.reshape(false.size), widen(share)
    n_honest, n_false = np.zeros(shares.size), np.zeros(shares.size)
    grad_framing = np.zeros((end - first, width))
    of_framing = grad_framing.reshape(grad_framing.size)
    staged, honest = np.empty(width), np.empty(width)
    for v in range(sights.part.size):
        f, t, who, framed = sights.part[v], sights.stratum[v], sights.perpetrator[v], sights.framed[v]
        multiply(staged, 0, of_sight, v * width, flagged, v * width, width)
        multiply(honest, 0, of_sight, v * width, seen, v * width, width)
        add_scaled(honest, 0, -1.0, staged, 0, width)
        add_scaled(of_part, f * width, 1.0, honest, 0, width)
        add_scaled(n_honest, t * width, 1.0, honest, 0, width)
        add_scaled(n_false, t * width, 1.0, staged, 0, width)
        if sights.staged[v] != 0 and framed < 0 and who < 0:
            add_product(of_framing, (f - first) * width, of_sight, v * width, shares, t * width, width)
        elif sights.staged[v] != 0:
            for k in range(max(who, 0), who + 1 if who >= 0 else n_actors):
                by = of_sight[v * width + k] * share[t, k]
                if framed < 0:
                    grad_framing[f - first, k] += by
                else:
                    grad_target[k, framed] += by * part[f, framed]
                    of_part[f * width + framed] += staged[k]
    matrix_product_over(grad_framing, part[first:end], grad_target)
    grad_seen, parts = matrix_product(grad_framing, square(target, width)), part.reshape(part.size)
    of_seen = grad_seen.reshape(grad_seen.size)
    for f in range(first, end):
        add_product(of_part, f * width, of_seen, (f - first) * width, parts, f * width, width)
    for t in range(share.shape[0]):
        for k in range(n_actors):
            if share[t, k] > 0.0:
                i = t * width + k
                grad_share[t, k] += n_false[i] / share[t, k] - n_honest[i] / (1.0 - share[t, k])


def arrange_patterns(design: Design) -> tuple[PartArrays, SightArrays, Index, Index, Index, Index]:
    """Return the distinct parts and sights, and what each pattern has of them.

    That is its part that cannot be forged and its sight; and, for incidents that hang together, the former without the
    date, and the date (see ``NodeArrays``).
    """
    patterns, groups = design.patterns, design.groups
    who = patterns.perpetrator
    # Where all agree that the incident was staged as another's work, it is that other whose evidence counts.
    seen = np.where(patterns.staged == 0, who, patterns.framed)
    firm, forged = (
        (np.repeat(np.arange(len(who)), np.diff(start)), member)
        for start, member in ((patterns.firm_start, patterns.firm), (patterns.forged_start, patterns.forged))
    )
    families = [(*firm, who), (*forged, seen)]
    is_date = design.factors.kind[firm[1]] == DATE
    hanging = np.zeros(len(groups.n), dtype=bool)
    hanging[design.nodes.group] = True
    apart = bool(hanging.any() and is_date.any())
    if apart:
        # Before the others: of the parts that can be forged, which come last, there are to be no more.
        nobody = np.full_like(who, UNKNOWN)
        families[:0] = [(firm[0][~is_date], firm[1][~is_date], who), (firm[0][is_date], firm[1][is_date], nobody)]
    codes, owner, member, settled = _distinct(families)
    alone, together = (
        np.bincount(groups.pattern[of], weights=groups.n[of], minlength=len(who)) for of in (~hanging, hanging)
    )
    n = [alone if apart else alone + together, alone + together]
    n[:0] = [together, np.zeros_like(together)] if apart else []
    of_part = np.bincount(np.concatenate(codes), weights=np.concatenate(n)).astype(np.int64)
    sight, rows = unique_rows(codes[-1], patterns.stratum, who, patterns.staged, patterns.framed)
    undated, date = codes[0], np.full_like(who, UNKNOWN)
    if apart:
        date[firm[0][is_date]] = codes[1][firm[0][is_date]]
    parts = PartArrays(*share_beginnings(owner, member, settled), ints(of_part))
    sights = SightArrays(*(ints(column) for column in rows.T))
    return parts, sights, ints(codes[-2]), ints(sight), ints(undated), ints(date)


def _distinct(families: Sequence[tuple[Index, Index, Index]]) -> tuple[list[Index], Index, Index, Index]:
    """Number the distinct multisets of factors of each family of patterns, one family after the other.

    Parameters
    ----------
    families
        Pattern and factor, one entry for each factor of a pattern; and the only actor that counts for each pattern.

    Returns
    -------
    tuple
        Number of each pattern's multiset, for each family; then multiset and factor, one entry for each factor; and the
        only actor that counts for each multiset.
    """
    codes: list[Index] = []
    owners: list[Index] = []
    members: list[Index] = []
    settled: list[Index] = []
    n_parts = 0
    for owner, member, counts in families:
        found, _ = unique_rows(*multiset_keys(owner, member, len(counts)), counts)
        example = first_rows(found)
        # Parts of which nothing is settled come first: they alone may have been staged as anyone's work.
        order = np.argsort(counts[example] >= 0, kind="stable")
        code, example = np.argsort(order)[found], example[order]
        kept = example[code[owner]] == owner
        owners.append(n_parts + code[owner][kept])
        members.append(member[kept])
        settled.append(counts[example])
        codes.append(n_parts + code)
        n_parts += len(example)
    return codes, np.concatenate(owners), np.concatenate(members), np.concatenate(settled)


def share_beginnings(owner: Index, member: Index, settled: Index) -> tuple[Index, Index, Index, Index, Index]:
    """Return the steps of ``PartArrays`` that lead to the factors of each part; equal beginnings are one step.

    Parameters
    ----------
    owner, member
        One entry for each factor of a part: which part, and which factor.
    settled
        The only actor that counts for each part, or ``UNKNOWN``.
    """
    order = np.lexsort((member, owner))
    begin = starts(owner, len(settled))
    length = np.diff(begin)
    at = np.full(len(settled), UNKNOWN, dtype=np.int64)
    steps: list[npt.NDArray[np.int64]] = []
    rescaled: list[npt.NDArray[np.int64]] = []
    n_steps = 0
    for depth in range(max(int(length.max(initial=0)), 1)):
        alive = np.flatnonzero((length > depth) | (depth == 0))
        empty = length[alive] == 0
        factor = np.full(len(alive), UNKNOWN, dtype=np.int64)
        factor[~empty] = member[order[begin[alive[~empty]] + depth]]
        code, rows = unique_rows(at[alive], factor, settled[alive])
        at[alive] = n_steps + code
        n_steps += len(rows)
        steps.append(rows)
        rescaled.append(np.full(len(rows), depth % RESCALE_EVERY == RESCALE_EVERY - 1, dtype=np.int64))
    parent, factor, counts = np.concatenate(steps).T
    return ints(parent), ints(factor), ints(counts), np.concatenate(rescaled), at
