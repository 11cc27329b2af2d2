"""Probability of each evidence pattern by actor, honest and staged; with gradients (METHOD section 4)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from violencescore.design import SILENT, SPEAKS, UNKNOWN, Design
from violencescore.model.types import Array, Index
from violencescore.model.zerosum import OPTIONS

BLAS_ROWS = 256
"""Rows of a matrix product at a time."""

RESCALE_EVERY = 12
"""Factors multiplied before a pattern's probabilities are brought back to about one: no underflow."""

HUGE = 1e200
"""Bound of the products of actors that an adjudication rules out."""


@njit(**OPTIONS)
def products(start: Index, member: Index, table: Array, settled: Index, out: Array, log_scale: Array) -> None:
    """Products of factors by pattern and actor; what was divided out of a pattern is added to ``log_scale``.

    It is the greatest product of the pattern, or that of the actor which ``settled`` says is the only one that counts:
    however much evidence speaks against it, it must not vanish.
    """
    n_actors = table.shape[1]
    for p in range(out.shape[0]):
        for k in range(n_actors):
            out[p, k] = 1.0
        for i in range(start[p], start[p + 1]):
            f = member[i]
            for k in range(n_actors):
                out[p, k] *= table[f, k]
            if (i - start[p]) % RESCALE_EVERY == RESCALE_EVERY - 1:
                top = out[p, settled[p]] if settled[p] >= 0 else out[p].max()
                if top > 0.0:
                    log_scale[p] += np.log(top)
                    for k in range(n_actors):
                        # Bounded, since zero times infinity is not zero; what is above does not count.
                        out[p, k] = min(out[p, k] / top, HUGE)


@njit(**OPTIONS)
def compounds(start: Index, member: Index, n_factors: int, table: Array) -> None:
    """Fill the rows of the table after its factors with products of factors that many patterns share."""
    for i in range(start.size - 1):
        row = n_factors + i
        table[row] = 1.0
        for f in member[start[i] : start[i + 1]]:
            for k in range(table.shape[1]):
                table[row, k] *= table[f, k]


@njit(**OPTIONS)
def compounds_gradient(start: Index, member: Index, n_factors: int, grad_log_factor: Array) -> None:
    """Carry the gradient of the log compounds back to their factors."""
    for i in range(start.size - 1):
        for f in member[start[i] : start[i + 1]]:
            for k in range(grad_log_factor.shape[1]):
                grad_log_factor[f, k] += grad_log_factor[n_factors + i, k]


@njit(**OPTIONS)
def multiply(left: Array, right: Array) -> Array:
    """Matrix product, in blocks small enough that the BLAS library does not start threads beside the chains."""
    out = np.empty((left.shape[0], right.shape[1]))
    for start in range(0, left.shape[0], BLAS_ROWS):
        end = min(start + BLAS_ROWS, left.shape[0])
        np.dot(left[start:end], right, out[start:end])
    return out


@njit(**OPTIONS)
def multiply_over(left: Array, right: Array) -> Array:
    """Product of the transpose of ``left`` with ``right``, summed over their rows, in blocks as ``multiply``."""
    out = np.zeros((left.shape[1], right.shape[1]))
    for start in range(0, left.shape[0], BLAS_ROWS):
        end = min(start + BLAS_ROWS, left.shape[0])
        out += np.dot(left[start:end].T, right[start:end])
    return out


@njit(**OPTIONS)
def pattern_probability(
    firm: Array, forged: Array, share: Array, target: Array, period: Index, who: Index, staged: Index, framed: Index
) -> tuple[Array, Array]:
    """Probability of each pattern by actor, honest and staged parts apart (each pattern, actor).

    An honest incident has the forgeable evidence of the actor itself, a staged one that of the actor it frames.
    An adjudication leaves only what it settled.
    """
    n_patterns, n_actors = firm.shape
    honest = np.zeros((n_patterns, n_actors))
    false = np.zeros((n_patterns, n_actors))
    stages = share.max() > 0.0
    mixed = multiply(forged, np.ascontiguousarray(target.T)) if stages else false
    for p in range(n_patterns):
        t = period[p]
        for k in range(n_actors):
            if who[p] >= 0 and who[p] != k:
                continue
            if staged[p] != 1:
                honest[p, k] = firm[p, k] * (1.0 - share[t, k]) * forged[p, k]
            if stages and staged[p] != 0:
                seen = mixed[p, k]
                if framed[p] >= 0:
                    seen = target[k, framed[p]] * forged[p, framed[p]]
                false[p, k] = firm[p, k] * share[t, k] * seen
    return honest, false


@njit(**OPTIONS)
def patterns_gradient(
    patterns: Any,
    firm: Array,
    forged: Array,
    share: Array,
    target: Array,
    honest: Array,
    false: Array,
    grad_pattern: Array,
    grad_factor: Array,
    grad_share: Array,
    grad_target: Array,
) -> None:
    """Carry the gradient of the pattern probabilities back to log factors, staged shares and targets."""
    n_patterns, n_actors = firm.shape
    of_firm = np.empty(n_actors)
    n_honest, n_false = np.zeros(share.shape), np.zeros(share.shape)
    stages = share.max() > 0.0
    of_forged = np.zeros((n_patterns, n_actors))
    by_staged = np.zeros((n_patterns, n_actors))
    firm_start, firm_member, forged_start, forged_member, period, _, _, framed, _, _, _ = patterns
    for p in range(n_patterns):
        t = period[p]
        for k in range(n_actors):
            g = grad_pattern[p, k]
            of_firm[k] = g * (honest[p, k] + false[p, k])
            of_forged[p, k] += g * honest[p, k]
            n_honest[t, k] += g * honest[p, k]
            if stages and false[p, k] > 0.0:
                n_false[t, k] += g * false[p, k]
                scale = g * firm[p, k] * share[t, k]
                m = framed[p]
                if m >= 0:
                    grad_target[k, m] += scale * forged[p, m]
                    of_forged[p, m] += scale * target[k, m] * forged[p, m]
                else:
                    by_staged[p, k] = scale
        for i in range(firm_start[p], firm_start[p + 1]):
            f = firm_member[i]
            for k in range(n_actors):
                grad_factor[f, k] += of_firm[k]
    if stages:
        grad_target += multiply_over(by_staged, forged)
        seen = multiply(by_staged, target)
        for p in range(n_patterns):
            for k in range(n_actors):
                of_forged[p, k] += forged[p, k] * seen[p, k]
    for p in range(n_patterns):
        for i in range(forged_start[p], forged_start[p + 1]):
            f = forged_member[i]
            for k in range(n_actors):
                grad_factor[f, k] += of_forged[p, k]
    for t in range(share.shape[0]):
        for k in range(n_actors):
            if share[t, k] > 0.0:
                grad_share[t, k] += n_false[t, k] / share[t, k] - n_honest[t, k] / (1.0 - share[t, k])


def arrange_patterns(design: Design) -> tuple[Index, ...]:
    """Patterns with compounds: which channels speak and which are silent is one factor, since few such sets occur."""
    patterns, factors = design.patterns, design.factors
    n_factors, n_channels = len(factors.kind), len(design.channels)
    state = np.isin(factors.kind, (SILENT, SPEAKS))
    members: list[Index] = []
    lengths: list[Index] = []
    columns: list[Index] = []
    for start, member in ((patterns.firm_start, patterns.firm), (patterns.forged_start, patterns.forged)):
        owner = np.repeat(np.arange(len(start) - 1), np.diff(start))
        is_state = state[member]
        states = np.full((len(start) - 1, n_channels), UNKNOWN)
        states[owner[is_state], factors.channel[member[is_state]]] = member[is_state]
        distinct, compound = np.unique(states, axis=0, return_inverse=True)
        all_owners = np.concatenate([np.arange(len(start) - 1), owner[~is_state]])
        entries = np.concatenate([n_factors + sum(len(part) for part in lengths) + compound, member[~is_state]])
        order = np.argsort(all_owners, kind="stable")
        columns += [np.concatenate([[0], np.cumsum(np.bincount(all_owners, minlength=len(start) - 1))]), entries[order]]
        members.append(distinct[distinct != UNKNOWN])
        lengths.append((distinct != UNKNOWN).sum(axis=1))
    compound_start = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    columns += [patterns.period, patterns.perpetrator, patterns.staged, patterns.framed, patterns.contest]
    columns += [compound_start, np.concatenate(members)]
    return tuple(np.ascontiguousarray(column, dtype=np.int64) for column in columns)
