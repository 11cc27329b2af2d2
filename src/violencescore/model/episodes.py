"""Episodes: incidents that share their perpetrator with an earlier one nearby, or linked to it; with gradients.

The incidents that may hang together are the nodes of a forest: each has at most one parent, an earlier one. With a
probability that is learned and falls with the days between them, a node repeats the perpetrator of its parent;
otherwise it is anybody's, as the rates of its cell are on its date. The perpetrators are summed out from the last node
to the first (a sum-product pass), which costs one pass over the nodes, and leaves the mixture of independent incidents
where nothing is repeated.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from violencescore.model import layout as lay
from violencescore.model.evidence import logistic
from violencescore.model.lanes import (
    add_narrowed,
    add_product,
    add_scaled,
    combine,
    divide_line,
    dot,
    multiply,
    multiply_line,
    multiply_where,
    wide,
    widen,
)
from violencescore.model.types import Array, Index, NodeArrays
from violencescore.model.zerosum import INNER, OPTIONS

SURE = 1.0 - 2.0**-50
"""The largest probability of repetition: never one, so that nothing is divided by zero."""


@njit(**INNER)
def repeat_probability(unit: Array, offset: Index, nodes: NodeArrays, decay: Array) -> Array:
    """Probability that each node repeats the perpetrator of its parent (node), if it has one."""
    share = bond_share(unit, offset)
    repeat = np.empty(nodes.cell.size)
    for i in range(repeat.size):
        repeat[i] = share[nodes.bond[i]] * decay[i]
    return repeat


@njit(**INNER)
def bond_share(unit: Array, offset: Index) -> Array:
    """Probability of repetition by bond, where nothing has decayed."""
    share = np.empty(offset[lay.EPISODE + 1] - offset[lay.EPISODE])
    for b in range(share.size):
        share[b] = min(logistic(unit[offset[lay.EPISODE] + b]), SURE)
    return share


@njit(**INNER)
def bond_gradient(unit: Array, offset: Index, grad_log_bond: Array, grad: Array) -> None:
    """Add to ``grad`` what the gradient by the logarithms of the shares of bonds implies."""
    share = bond_share(unit, offset)
    for b in range(share.size):
        grad[offset[lay.EPISODE] + b] += grad_log_bond[b] * (1.0 - share[b])


@njit(**INNER)
def weigh(nodes: NodeArrays, i: int, cells: Array, part: Array, out: Array) -> float:
    """Fill ``out`` with the weight of each actor in the cell of a node on its date; return their sum.

    The date counts here, and not as evidence: when an incident is that repeats another says nothing more of who did it.
    """
    q, date = nodes.cell[i], nodes.date[i]
    total: float = 0.0
    for k in range(out.size):
        out[k] = cells[q, k] * (part[date, k] if date >= 0 else 1.0)
        total += out[k]
    return total


@njit(**INNER)
def climb(
    nodes: NodeArrays,
    repeat: Array,
    cells: Array,
    part: Array,
    sight: Array,
    message: Array,
    mixed: Array,
    weight: Array,
    width: int,
) -> None:
    """Sum out the perpetrators, the last first.

    The tables are rows of lanes, ``width`` wide. Fills ``message`` with what the children of each node say of its
    perpetrator (ones to begin with), ``mixed`` with the sum over actors of weight, evidence and message, and ``weight``
    with that of weights alone. Nobody repeats anything on a day on which it does not exist.
    """
    spare, ones, told = cells.size - width, np.ones(width), np.empty(width)
    of_cell = np.empty(cells.size // width)
    for q in range(of_cell.size):
        of_cell[q] = dot(cells, q * width, ones, 0, width)
    for i in range(nodes.cell.size - 1, -1, -1):
        own, at, date, above = nodes.cell[i] * width, i * width, nodes.date[i], nodes.parent[i]
        weight[i] = of_cell[nodes.cell[i]]
        if date >= 0:
            multiply(cells, spare, cells, own, part, date * width, width)
            own = spare
            weight[i] = dot(cells, own, ones, 0, width)
        e, v = nodes.firm[i] * width, nodes.sight[i] * width
        multiply_where(told, 0, part, e, sight, v, message, at, cells, own, width)
        mixed[i] = dot(cells, own, told, 0, width)
        if above >= 0:
            multiply_line(message, above * width, 1.0 - repeat[i], repeat[i] * weight[i] / mixed[i], told, 0, width)


@njit(**OPTIONS)
def pass_up(
    nodes: NodeArrays, repeat: Array, cells: Array, part: Array, sight: Array, message: Array, mixed: Array
) -> None:
    """Sum out the perpetrators as ``climb`` does, of tables (..., actor)."""
    width = wide(message.shape[1])
    rows = np.ones(message.shape[0] * width)
    climb(nodes, repeat, widen(cells), widen(part), widen(sight), rows, mixed, np.empty(mixed.size), width)
    message[:] = 0.0
    add_narrowed(rows, message)


@njit(**INNER)
def climb_gradient(
    nodes: NodeArrays,
    repeat: Array,
    cells: Array,
    part: Array,
    sight: Array,
    below: Array,
    mixed: Array,
    weight: Array,
    width: int,
    grad_cell: Array,
    grad_log_part: Array,
    grad_sight: Array,
    grad_log_bond: Array,
) -> None:
    """Add the gradients of the sum of the logarithms of ``mixed``, the first node first; the rest is from ``climb``.

    ``below`` is overwritten with the gradient by the log evidence of each node: what was its message is not needed.
    """
    spare, ones = cells.size - width, np.ones(width)
    shift, grad, of_weight, told = np.zeros(width), np.empty(width), np.empty(width), np.empty(width)
    of_cell, of_sight = np.zeros(cells.size // width), np.zeros(sight.size)
    for i in range(nodes.cell.size):
        q, at, date, above = nodes.cell[i] * width, i * width, nodes.date[i], nodes.parent[i]
        own = q
        if date >= 0:
            multiply(cells, spare, cells, q, part, date * width, width)
            own = spare
        e, v = nodes.firm[i] * width, nodes.sight[i] * width
        multiply_where(told, 0, part, e, sight, v, below, at, cells, own, width)
        per = 1.0 / mixed[i]
        shared, of_told = 0.0, 0.0
        if above >= 0:
            of_told = repeat[i] * weight[i] * per
            divide_line(shift, 0, below, above * width, 1.0 - repeat[i], of_told, told, 0, width)
            along = dot(shift, 0, told, 0, width)
            shared = along * repeat[i] * per
            grad_log_bond[nodes.bond[i]] += repeat[i] * (along * weight[i] * per - dot(shift, 0, ones, 0, width))
        of_own = (1.0 - shared * weight[i]) * per
        combine(grad, 0, of_own, cells, own, of_told, shift, 0, width)
        multiply(below, at, grad, 0, told, 0, width)
        add_scaled(grad_log_part, e, 1.0, below, at, width)
        add_scaled(of_sight, v, 1.0, below, at, width)
        if date < 0:
            add_scaled(grad_cell, q, of_own, told, 0, width)
            of_cell[nodes.cell[i]] += shared
        else:
            combine(of_weight, 0, of_own, told, 0, shared, ones, 0, width)
            add_product(grad_cell, q, of_weight, 0, part, date * width, width)
            add_product(grad_log_part, date * width, of_weight, 0, cells, own, width)
    for c in range(of_cell.size):
        add_scaled(grad_cell, c * width, of_cell[c], ones, 0, width)
    for j in range(of_sight.size):
        if of_sight[j] != 0.0:
            grad_sight[j] += of_sight[j] / sight[j]


@njit(**INNER)
def pass_down(
    nodes: NodeArrays,
    repeat: Array,
    cells: Array,
    part: Array,
    sight: Array,
    message: Array,
    mixed: Array,
    belief: Array,
    drawn: Index,
) -> None:
    """Probability that each actor did each node (node, actor), all evidence considered, and one joint draw (node)."""
    n_actors = cells.shape[1]
    fresh = np.empty(n_actors)
    for i in range(nodes.cell.size):
        e, v, above = nodes.firm[i], nodes.sight[i], nodes.parent[i]
        weight = weigh(nodes, i, cells, part, fresh)
        for k in range(n_actors):
            fresh[k] *= part[e, k] * sight[v, k] * message[i, k] / mixed[i]
        anew = 1.0
        copies = False
        for k in range(n_actors):
            belief[i, k] = 0.0
        if above >= 0:
            anew = 0.0
            for k in range(n_actors):
                same = 0.0
                if fresh[k] > 0.0:
                    same = repeat[i] * weight * part[e, k] * sight[v, k] * message[i, k] / mixed[i]
                    same /= same + 1.0 - repeat[i]
                belief[i, k] = belief[above, k] * same
                anew += belief[above, k] * (1.0 - same)
                if k == drawn[above]:
                    copies = np.random.random() < same
        for k in range(n_actors):
            belief[i, k] += anew * fresh[k]
        if copies:
            drawn[i] = drawn[above]
        else:
            u = np.random.random()
            k = 0
            while k < n_actors - 1 and u >= fresh[k]:
                u -= fresh[k]
                k += 1
            while fresh[k] == 0.0:
                k -= 1
            drawn[i] = k
