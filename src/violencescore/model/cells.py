"""Weight of each actor in a cell, before the evidence: rates, or shares between candidates; with gradients."""

from __future__ import annotations

import numpy as np
from numba import njit

from violencescore.design import Design
from violencescore.grouping import ints, unique_rows
from violencescore.model.types import Array, GroupArrays, Index, NodeArrays
from violencescore.model.zerosum import INNER


@njit(**INNER)
def cell_weight(rate: Array, presence: Array, accurate: float, member: Index, weight: Array, out: Array) -> None:
    """Fill ``out`` with the weight of each actor for an incident of a cell, the evidence apart.

    Without candidates it is the actor's rate there. With candidates it is the probability that each did it, given that
    it happened between them: the right one is among them with the channel's accuracy, and then in proportion to rate
    and engagement; how many incidents happen between whom says nothing.
    """
    n_actors = rate.size
    for k in range(n_actors):
        out[k] = rate[k] * presence[k]
    if member.size == 0:
        return
    among, outside = 0.0, 0.0
    for i in range(member.size):
        among += out[member[i]] * weight[i]
        out[member[i]] *= -weight[i]
    for k in range(n_actors):
        outside += max(out[k], 0.0)
    # Where no candidate could have acted then, the right one is outside.
    inside = -accurate / among if among > 0.0 else 0.0
    for k in range(n_actors):
        out[k] *= inside if out[k] < 0.0 else (1.0 - accurate) / outside


@njit(**INNER)
def contest_gradient(accurate: float, member: Index, cell: Array, part: Array, grad_weight: Array) -> float:
    """Turn ``part``, the expected incidents of each actor, into the gradient of the log rates.

    Adds to the gradient of the members' log weights; returns that of the accuracy.
    """
    n: float = 0.0
    among: float = 0.0
    for k in range(part.size):
        n += part[k]
    for k in member:
        among += part[k]
    for i in range(member.size):
        k = member[i]
        grad_weight[i] += part[k] - among * cell[k] / accurate
        # What the loop below takes off for being outside, and what being inside takes off instead.
        part[k] += cell[k] * ((n - among) / (1.0 - accurate) - among / accurate)
    for k in range(part.size):
        part[k] -= (n - among) * cell[k] / (1.0 - accurate)
    return among / accurate - (n - among) / (1.0 - accurate)


def arrange_groups(
    design: Design, firm: Index, sight: Index, undated: Index, date: Index
) -> tuple[GroupArrays, NodeArrays]:
    """Distinct cells, the groups of each pattern, and the incidents that may hang together, each a group of its own."""
    groups, nodes, contest = design.groups, design.nodes, design.patterns.contest
    cells, cell = unique_rows(groups.kind, groups.region, groups.period, contest[groups.pattern])[::-1]
    alone = np.ones(len(cell), dtype=bool)
    alone[nodes.group] = False
    order = np.lexsort((cell, groups.pattern))
    order = order[alone[order]]
    by_pattern = groups.pattern[order]
    columns = (*cells.T, firm[by_pattern], sight[by_pattern], cell[order], groups.n[order], order)
    pattern = groups.pattern[nodes.group]
    of_nodes = (part[pattern] for part in (undated, date, sight))
    node_columns = (cell[nodes.group], *of_nodes, nodes.parent, nodes.bond, nodes.group)
    return GroupArrays(*map(ints, columns)), NodeArrays(*map(ints, node_columns))
