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
from violencescore.model.types import Array, Index, NodeArrays
from violencescore.model.zerosum import INNER, OPTIONS


@njit(**INNER)
def repeat_probability(unit: Array, offset: Index, nodes: NodeArrays, decay: Array) -> Array:
    """Probability that each node repeats the perpetrator of its parent (node)."""
    repeat = np.zeros(nodes.cell.size)
    for i in range(repeat.size):
        if nodes.parent[i] >= 0:
            repeat[i] = logistic(unit[offset[lay.EPISODE] + nodes.bond[i]]) * decay[i]
    return repeat


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


@njit(**OPTIONS)
def pass_up(
    nodes: NodeArrays, repeat: Array, cells: Array, part: Array, sight: Array, message: Array, mixed: Array
) -> None:
    """Sum out the perpetrators, the last first.

    Fills ``message`` with what the children of each node say of its perpetrator (node, actor; ones to begin with), and
    ``mixed`` with the sum over actors of weight, evidence and message.
    """
    n_actors = cells.shape[1]
    own = np.empty(n_actors)
    for i in range(nodes.cell.size - 1, -1, -1):
        e, v, above = nodes.firm[i], nodes.sight[i], nodes.parent[i]
        weight = weigh(nodes, i, cells, part, own)
        total = 0.0
        for k in range(n_actors):
            total += own[k] * part[e, k] * sight[v, k] * message[i, k]
        mixed[i] = total
        if above >= 0:
            per = repeat[i] * weight / total
            for k in range(n_actors):
                # Nobody repeats anything on a day on which it does not exist.
                seen = part[e, k] * sight[v, k] * message[i, k] if own[k] > 0.0 else 0.0
                message[above, k] *= 1.0 - repeat[i] + per * seen


@njit(**INNER)
def pass_up_gradient(
    nodes: NodeArrays,
    repeat: Array,
    cells: Array,
    part: Array,
    sight: Array,
    message: Array,
    mixed: Array,
    grad_cell: Array,
    grad_log_part: Array,
    grad_sight: Array,
    grad_repeat: Array,
) -> None:
    """Add the gradients of the sum of the logarithms of ``mixed``, the first node first."""
    n_actors = cells.shape[1]
    below = np.empty((nodes.cell.size, n_actors))  # gradient by the log evidence of each node
    grad_message = np.empty(n_actors)
    weights = np.empty(n_actors)
    for i in range(nodes.cell.size):
        q, e, v, above, date = nodes.cell[i], nodes.firm[i], nodes.sight[i], nodes.parent[i], nodes.date[i]
        weight = weigh(nodes, i, cells, part, weights)
        shared = 0.0
        grad_message[:] = 0.0
        if above >= 0:
            per = repeat[i] * weight / mixed[i]
            for k in range(n_actors):
                seen = part[e, k] * sight[v, k] * message[i, k] if weights[k] > 0.0 else 0.0
                grad_message[k] = below[above, k] / (1.0 - repeat[i] + per * seen)
                shared += grad_message[k] * repeat[i] * seen / mixed[i]
                grad_repeat[i] += grad_message[k] * (seen * weight / mixed[i] - 1.0)
        own = (1.0 - shared * weight) / mixed[i]
        of_seen = repeat[i] * weight / mixed[i]
        for k in range(n_actors):
            seen = part[e, k] * sight[v, k] * message[i, k] if weights[k] > 0.0 else 0.0
            grad = weights[k] * own + grad_message[k] * of_seen
            of_weight = seen * own + shared
            if date < 0:
                grad_cell[q, k] += of_weight
            else:
                grad_cell[q, k] += of_weight * part[date, k]
                grad_log_part[date, k] += of_weight * weights[k]
            below[i, k] = grad * seen
            grad_log_part[e, k] += grad * seen
            grad_sight[v, k] += grad * part[e, k] * message[i, k]


@njit(**INNER)
def repeat_gradient(
    unit: Array, offset: Index, nodes: NodeArrays, repeat: Array, grad_repeat: Array, grad: Array
) -> None:
    """Add to ``grad`` what the gradient by the probabilities of repetition implies."""
    for i in range(repeat.size):
        if nodes.parent[i] >= 0:
            at = offset[lay.EPISODE] + nodes.bond[i]
            grad[at] += grad_repeat[i] * repeat[i] * (1.0 - logistic(unit[at]))


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
