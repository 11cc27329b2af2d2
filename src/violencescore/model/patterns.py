"""Probability of the evidence by actor, honest and staged; with gradients.

A pattern of evidence is a part that cannot be forged, and a *sight*: a forgeable part, its stratum of staging (its
period, unless the methodology says more) and what was settled of it. Few parts and sights make up many patterns, so
that false flags are summed out on the sights, and a pattern costs one product.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from violencescore.design import Design
from violencescore.grouping import multiset_keys, unique_rows
from violencescore.model.types import Array, Index, PartArrays, SightArrays
from violencescore.model.zerosum import OPTIONS

BLAS_ROWS = 128
"""Rows of a matrix product at a time."""

RESCALE_EVERY = 12
"""Factors multiplied before a part's probabilities are brought back to about one: no underflow."""

HUGE = 1e200
"""Bound of the products of actors that an adjudication rules out."""


@njit(**OPTIONS)
def products(parts: PartArrays, table: Array, out: Array, log_scale: Array) -> None:
    """Products of factors by part and actor; what was divided out of a part is added to ``log_scale``.

    It is the greatest product of the part, or that of the only actor that counts: however much evidence speaks against
    it, it must not vanish.
    """
    n_actors = table.shape[1]
    for e in range(out.shape[0]):
        for k in range(n_actors):
            out[e, k] = 1.0
        for i in range(parts.start[e], parts.start[e + 1]):
            f = parts.member[i]
            for k in range(n_actors):
                out[e, k] *= table[f, k]
            if (i - parts.start[e]) % RESCALE_EVERY == RESCALE_EVERY - 1:
                top = out[e, max(parts.settled[e], 0)]
                if parts.settled[e] < 0:
                    for k in range(1, n_actors):
                        top = max(top, out[e, k])
                if top > 0.0:
                    log_scale[e] += np.log(top)
                    for k in range(n_actors):
                        # Bounded, since zero times infinity is not zero; what is above does not count.
                        out[e, k] = min(out[e, k] / top, HUGE)


@njit(**OPTIONS)
def products_gradient(parts: PartArrays, grad_log_part: Array, grad_log_factor: Array) -> None:
    """Carry the gradient of the log parts back to their factors."""
    for e in range(grad_log_part.shape[0]):
        for i in range(parts.start[e], parts.start[e + 1]):
            f = parts.member[i]
            for k in range(grad_log_factor.shape[1]):
                grad_log_factor[f, k] += grad_log_part[e, k]


@njit(**OPTIONS)
def multiply(left: Array, right: Array) -> Array:
    """Matrix product, in blocks small enough that the BLAS library does not start threads beside the chains."""
    out = np.empty((left.shape[0], right.shape[1]))
    for start in range(0, left.shape[0], BLAS_ROWS):
        end = min(start + BLAS_ROWS, left.shape[0])
        np.dot(left[start:end], right, out[start:end])
    return out


@njit(**OPTIONS)
def multiply_over(left: Array, right: Array, out: Array) -> None:
    """Add to ``out`` the transpose of ``left`` times ``right``, summed over their rows, in blocks as ``multiply``."""
    block = np.empty(out.shape)
    for start in range(0, left.shape[0], BLAS_ROWS):
        end = min(start + BLAS_ROWS, left.shape[0])
        np.dot(left[start:end].T, right[start:end], block)
        for j in range(out.shape[0]):
            for k in range(out.shape[1]):
                out[j, k] += block[j, k]


@njit(**OPTIONS)
def sight_probability(part: Array, share: Array, target: Array, sights: SightArrays) -> tuple[Array, Array]:
    """Probability of each sight by actor, and the share of it that is staged (each sight, actor).

    An honest incident has the forgeable evidence of the actor itself, a staged one that of the actor it frames.
    An adjudication leaves only what it settled.
    """
    n_actors = part.shape[1]
    sight = np.zeros((sights.part.size, n_actors))
    false = np.zeros((sights.part.size, n_actors))
    first = sights.part.min()
    # What each part would be if it was staged as the work of any other: few parts make many sights.
    framing = multiply(part[first:], np.ascontiguousarray(target.T))
    for v in range(sights.part.size):
        f, t, who, framed = sights.part[v], sights.stratum[v], sights.perpetrator[v], sights.framed[v]
        for k in range(max(who, 0), who + 1 if who >= 0 else n_actors):
            if sights.staged[v] != 0:
                seen = framing[f - first, k] if framed < 0 else target[k, framed] * part[f, framed]
                false[v, k] = share[t, k] * seen
            sight[v, k] = false[v, k]
            if sights.staged[v] != 1:
                sight[v, k] += (1.0 - share[t, k]) * part[f, k]
    return sight, false


@njit(**OPTIONS)
def sight_gradient(
    part: Array,
    share: Array,
    target: Array,
    sights: SightArrays,
    sight: Array,
    false: Array,
    grad_sight: Array,
    grad_log_part: Array,
    grad_share: Array,
    grad_target: Array,
) -> None:
    """Carry the gradient of the sights back to log parts, staged shares and targets."""
    n_actors = part.shape[1]
    n_honest, n_false = np.zeros(share.shape), np.zeros(share.shape)
    first = sights.part.min()
    grad_framing = np.zeros((part.shape[0] - first, n_actors))
    for v in range(sights.part.size):
        f, t, who, framed = sights.part[v], sights.stratum[v], sights.perpetrator[v], sights.framed[v]
        start, end = max(who, 0), who + 1 if who >= 0 else n_actors
        for k in range(start, end):
            staged = grad_sight[v, k] * false[v, k]
            honest = grad_sight[v, k] * sight[v, k] - staged
            grad_log_part[f, k] += honest
            n_honest[t, k] += honest
            n_false[t, k] += staged
        if sights.staged[v] == 0:
            continue
        for k in range(start, end):
            per = grad_sight[v, k] * share[t, k]
            if framed < 0:
                grad_framing[f - first, k] += per
            else:
                grad_target[k, framed] += per * part[f, framed]
                grad_log_part[f, framed] += grad_sight[v, k] * false[v, k]
    multiply_over(grad_framing, part[first:], grad_target)
    grad_seen = multiply(grad_framing, target)
    for f in range(grad_seen.shape[0]):
        for k in range(n_actors):
            grad_log_part[first + f, k] += grad_seen[f, k] * part[first + f, k]
    for t in range(share.shape[0]):
        for k in range(n_actors):
            if share[t, k] > 0.0:
                grad_share[t, k] += n_false[t, k] / share[t, k] - n_honest[t, k] / (1.0 - share[t, k])


def arrange_patterns(design: Design) -> tuple[PartArrays, SightArrays, Index, Index]:
    """Return the distinct parts and sights, and which part that cannot be forged and which sight each pattern has."""
    patterns = design.patterns
    who = patterns.perpetrator
    # Where all agree that the incident was staged as another's work, it is that other whose evidence counts.
    seen = np.where(patterns.staged == 0, who, patterns.framed)
    starts: list[Index] = [np.zeros(1, dtype=np.int64)]
    members: list[Index] = [np.empty(0, dtype=np.int64)]
    settled: list[Index] = []
    codes: list[npt.NDArray[np.int64]] = []
    for start, member, counts in (
        (patterns.firm_start, patterns.firm, who),
        (patterns.forged_start, patterns.forged, seen),
    ):
        length = np.diff(start)
        keys = multiset_keys(np.repeat(np.arange(len(length)), length), member, len(length))
        code, _ = unique_rows(*keys, counts)
        _, example = np.unique(code, return_index=True)
        codes.append(code + (len(settled[0]) if settled else 0))
        settled.append(counts[example])
        members += [member[start[p] : start[p + 1]] for p in example]
        starts.append(starts[-1][-1] + np.cumsum(length[example]))
    n = np.bincount(design.groups.pattern, weights=design.groups.n, minlength=len(who)).astype(np.int64)
    of_part = np.bincount(np.concatenate(codes), weights=np.tile(n, 2)).astype(np.int64)
    sight, rows = unique_rows(codes[1], patterns.stratum, who, patterns.staged, patterns.framed)
    parts = PartArrays(*(_ints(np.concatenate(arrays)) for arrays in (starts, members, settled, [of_part])))
    sights = SightArrays(*(_ints(column) for column in rows.T))
    return parts, sights, _ints(codes[0]), _ints(sight)


def _ints(values: Index) -> Index:
    return np.ascontiguousarray(values, dtype=np.int64)
