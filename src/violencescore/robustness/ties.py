"""Ties among incidents that are placed one by one: whom each may repeat, and what that makes of its chances.

A world is built in the order of time. An incident that may repeat an earlier one does so with a probability that
depends on who did that one; else it is anybody's. What all later ones say of it has been summed out first (as in
``model.episodes``), so that worlds are draws of all incidents together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from violencescore.assessment import Assessment
from violencescore.bench.likelihood import GroupWeights, group_weights
from violencescore.design import UNKNOWN, Design
from violencescore.episodes import DAY
from violencescore.model.types import NodeArrays
from violencescore.names import DRAW
from violencescore.robustness.series import (
    Messages,
    draw_together,
    episode_draws,
    log_totals,
    node_arrays,
    pass_messages,
    range_of,
)

FloatArray = npt.NDArray[np.float64]
SingleArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


class Ties(NamedTuple):
    """Which incidents hang together, by incident.

    Attributes
    ----------
    order
        All incidents, each after the one that it may repeat.
    parent
        That one; -1 for none.
    node
        Its place among the nodes of the design; -1 where it hangs together with none.
    """

    order: IntArray
    parent: IntArray
    node: IntArray


def ties_of(design: Design) -> Ties:
    """Return the ties among the incidents of a design."""
    nodes, n = design.nodes, design.n_incidents
    incident = incident_of_nodes(design)
    node, parent = np.full(n, UNKNOWN, dtype=np.int64), np.full(n, UNKNOWN, dtype=np.int64)
    node[incident] = np.arange(len(incident))
    parent[incident] = np.where(nodes.parent == UNKNOWN, UNKNOWN, np.append(incident, UNKNOWN)[nodes.parent])
    return Ties(np.concatenate([np.flatnonzero(node == UNKNOWN), incident]), parent, node)


def incident_of_nodes(design: Design) -> IntArray:
    """Return the incident that each node is."""
    of_group = np.full(len(design.groups.n), UNKNOWN, dtype=np.int64)
    of_group[design.incident_group] = np.arange(design.n_incidents)
    return np.asarray(of_group[design.nodes.group])


@dataclass(frozen=True, eq=False)
class Tied:
    """The nodes of a design in some draws.

    Attributes
    ----------
    cell, honest, staged
        Weight of the cell, and probability of the evidence for an incident that is what it seems and one that is
        staged, up to a factor of each node (draw, node, actor).
    log_scale
        Log of that factor (draw, node).
    repeat
        Probability that each repeats its parent (draw, node).
    nodes
        As the passes take them.
    """

    cell: SingleArray
    honest: SingleArray
    staged: SingleArray
    log_scale: FloatArray
    repeat: FloatArray
    nodes: NodeArrays

    @property
    def seen(self) -> SingleArray:
        """Honest and staged together."""
        return self.honest + self.staged

    def messages(self) -> Messages:
        """Send messages up and down."""
        return pass_messages(self.nodes, self.repeat, self.cell, self.seen)

    def log_mixed(self) -> FloatArray:
        """Return the log density of all nodes, what was divided out of the evidence apart (draw)."""
        found: FloatArray = log_totals(self.nodes, self.repeat, self.cell, self.seen)
        return found

    def log_density(self) -> FloatArray:
        """Return the log density of all nodes (draw)."""
        return np.asarray(self.log_mixed() + self.log_scale.sum(axis=1))


def tie_nodes(design: Design, weights: GroupWeights, episode: FloatArray) -> Tied:
    """Take the nodes out of the weights of all groups; ``episode`` are the bonds in the same draws (draw, bond)."""
    nodes = design.nodes
    cell = weights.cell[:, nodes.group]
    parts = [
        np.divide(of[:, nodes.group], cell, out=np.zeros_like(cell), where=cell > 0)
        for of in (weights.honest, weights.staged)
    ]
    top = (parts[0] + parts[1]).max(axis=2, keepdims=True)
    honest, staged = ((part / top).astype(np.float32) for part in parts)
    scale = weights.log_scale[:, nodes.group] + np.log(top[:, :, 0])
    repeat = episode[:, nodes.bond] * nodes.decay * (nodes.parent != UNKNOWN)
    arrays = node_arrays(np.arange(len(nodes.group)), nodes.parent, nodes.bond)
    return Tied(cell.astype(np.float32), honest, staged, scale, repeat, arrays)


def tied_weights(design: Design, draws: xr.Dataset) -> Iterator[tuple[GroupWeights, Tied | None]]:
    """Yield the weights of all groups, and the nodes where there are any, for chunks of draws."""
    episode = episode_draws(draws) if len(design.nodes.group) else None
    first = 0
    for weights in group_weights(design, draws):
        last = first + len(weights.log_scale)
        yield weights, None if episode is None else tie_nodes(design, weights, episode[first:last])
        first = last


def tied_draws(design: Design, draws: xr.Dataset) -> Tied | None:
    """Return the nodes in all draws; None where nothing hangs together."""
    parts = [tied for _, tied in tied_weights(design, draws) if tied is not None]
    if not parts:
        return None

    def joined(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    return Tied(
        joined("cell"), joined("honest"), joined("staged"), joined("log_scale"), joined("repeat"), parts[0].nodes
    )


def given_neighbours(tied: Tied, who: npt.NDArray[np.int16]) -> FloatArray:
    """Return the weight of each actor for each node, given who did its neighbours, its own evidence apart.

    Parameters
    ----------
    who
        Who did each node (draw, node).

    Returns
    -------
    FloatArray
        (draw, node, actor).
    """
    draw, r = np.arange(len(who)), tied.repeat
    expected = tied.cell.sum(axis=2)
    weight = (1.0 - r)[:, :, None] * tied.cell
    for i in np.flatnonzero(tied.nodes.parent != UNKNOWN):
        above = int(tied.nodes.parent[i])
        weight[draw, i, who[:, above]] += r[:, i] * expected[:, i]
    for i in np.flatnonzero(tied.nodes.parent != UNKNOWN):
        above, own = int(tied.nodes.parent[i]), who[:, i]
        anew = (1.0 - r[:, i]) * tied.cell[draw, i, own]
        again = r[:, i] * expected[:, i]
        kept = weight[draw, above, own]  # only who did this one can have been repeated
        weight[:, above] *= anew[:, None] / (anew + again)[:, None]
        weight[draw, above, own] = kept
    return np.asarray(weight)


def draw_again(
    tied: Tied, likelihood: FloatArray, u: FloatArray, before: FloatArray
) -> tuple[npt.NDArray[np.int16], FloatArray]:
    """Draw all nodes again once more is known of each, jointly.

    Parameters
    ----------
    likelihood
        Probability of what is learned, by who did it (node, actor).
    u
        Numbers from 0 to 1 (draw, node).
    before
        Log density without it (draw), as `Tied.log_mixed`.

    Returns
    -------
    tuple
        Who did each (draw, node), and the log probability of what is learned (draw).
    """
    seen = (tied.seen * likelihood).astype(np.float32)
    messages = pass_messages(tied.nodes, tied.repeat, tied.cell, seen)
    who = np.empty(u.shape, dtype=np.int16)
    draw_together(tied.nodes, tied.repeat, tied.cell, messages.told, u, who)
    return who, messages.log_mixed.sum(axis=1) - before


@dataclass(frozen=True)
class Ends:
    """Where the series of each region stand at the end of the window.

    Attributes
    ----------
    last
        Last incident of each region; -1 for none.
    ago
        Days from it to the day after the window.
    days
        Over how many days the bond falls to 1/e; None where incidents in a region do not hang together.
    """

    last: IntArray
    ago: FloatArray
    days: float | None


def ends_of(design: Design, assessment: Assessment) -> Ends:
    """Return where the series end."""
    dates, window = assessment.incidents["date_start"], assessment.methodology.window
    region = design.groups.region[design.incident_group]
    last = np.full(len(design.regions), UNKNOWN, dtype=np.int64)
    order = np.lexsort((np.arange(len(dates)), dates.to_numpy()))
    last[region[order]] = order  # the latest of each region is written last
    end = dates.max() if window is None else pd.Timestamp(window.end)
    ago = (end + DAY - dates).to_numpy()[last] / DAY.to_timedelta64()
    return Ends(last, ago, range_of(assessment))


def flat_bond(draws: xr.Dataset, ends: Ends) -> FloatArray:
    """Return the probability that an incident repeats one in its region on the same day (draw)."""
    if ends.days is None or "episode" not in draws:
        return np.zeros(draws.sizes[DRAW])
    return episode_draws(draws)[:, 0]
