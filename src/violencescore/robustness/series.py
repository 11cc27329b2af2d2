"""Incidents that hang together (`[episodes]`), draw by draw: what a series says of each, of one fewer and of one more.

Where an incident may repeat the perpetrator of an earlier one, none can be looked at alone. Messages go once up the
forest and once down (as ``model.episodes``); after that the density with one incident fewer, or with one more, costs a
sum over the actors at its neighbours, and is exact. The forest itself changes with the incidents: without one, the
next in its region may repeat the one before it, from which it is farther away.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from numba import njit

from violencescore.assessment import Assessment
from violencescore.bench.likelihood import GroupWeights
from violencescore.design import Design
from violencescore.episodes import DAY, FAR, NONE, build_forest
from violencescore.grouping import ints
from violencescore.model.episodes import pass_up
from violencescore.model.types import Index, NodeArrays
from violencescore.model.zerosum import OPTIONS
from violencescore.names import CHAIN, DRAW

FloatArray = npt.NDArray[np.float64]
SingleArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Forest:
    """Which earlier incident each one may repeat.

    Attributes
    ----------
    incident
        Incident of each node, in the order of time.
    parent
        Node whose perpetrator it may repeat; -1 for none.
    bond
        Which of ``Design.bonds`` holds between them.
    decay
        What distance leaves of it.
    linked
        Whether a link, and not its region, gave it its parent.
    """

    incident: IntArray
    parent: IntArray
    bond: IntArray
    decay: FloatArray
    linked: npt.NDArray[np.bool_]

    @property
    def n(self) -> int:
        """Number of nodes."""
        return len(self.incident)


def days_of(assessment: Assessment) -> FloatArray:
    """Return the day of each incident."""
    dates = assessment.incidents["date_start"]
    return np.asarray(((dates - dates.min()) / DAY).to_numpy(dtype=np.float64))


def range_of(assessment: Assessment) -> float | None:
    """Return over how many days the bond in a region falls to 1/e; None where only links count."""
    options = assessment.methodology.episodes
    return None if options.repeat is None else options.days


def bond_left(apart: float, days: float | None) -> float:
    """Return what is left of the bond between two incidents of a region that are some days apart."""
    return 0.0 if days is None or apart > FAR * days else float(np.exp(-apart / days))


def build_series_forest(assessment: Assessment, design: Design, kept: npt.NDArray[np.bool_] | None = None) -> Forest:
    """Return the forest of all incidents, or of those that are kept, as `design.build_design` would have it."""
    at = np.arange(design.n_incidents) if kept is None else np.flatnonzero(kept)
    place = np.full(design.n_incidents + 1, NONE, dtype=np.int64)
    place[at] = np.arange(len(at))
    ends = [design.incident_id.get_indexer(pd.Index(assessment.links[name])) for name in ("incident_id", "linked_id")]
    links = place[np.column_stack(ends)].reshape(-1, 2)
    dates = assessment.incidents["date_start"].iloc[at]
    region = design.groups.region[design.incident_group[at]]
    links = links[(links != NONE).all(axis=1)]
    parent, decay, linked = build_forest(dates, region, links, range_of(assessment))
    order = np.lexsort((np.arange(len(at)), dates.to_numpy()))
    rank = np.full(len(at) + 1, NONE, dtype=np.int64)
    rank[order] = np.arange(len(at))
    bond = np.where(linked, len(design.bonds) - 1, 0)
    return Forest(at[order], rank[parent[order]], bond[order], decay[order], linked[order])


def repeat_draws(forest: Forest, episode: FloatArray) -> FloatArray:
    """Return the probability that each node repeats its parent (draw, node), from draws of the bonds (draw, bond)."""
    return np.asarray(episode[:, forest.bond] * forest.decay * (forest.parent != NONE))


def episode_draws(draws: xr.Dataset) -> FloatArray:
    """Return the draws of the bonds, chains one after the other (draw, bond)."""
    ordered = draws["episode"].transpose(CHAIN, DRAW, ...).values
    return np.asarray(ordered, dtype=np.float64).reshape(-1, ordered.shape[2])


def likelihood_of(weights: GroupWeights, groups: IntArray | slice) -> tuple[FloatArray, FloatArray]:
    """Return the probability of the evidence by actor, the greatest being one, and the log of what was divided out.

    Parameters
    ----------
    groups
        Of which groups (draw, group, actor).
    """
    either, cell = weights.either[:, groups], weights.cell[:, groups]
    seen = np.divide(either, cell, out=np.zeros_like(either), where=cell > 0)
    top = seen.max(axis=2, keepdims=True)
    return seen / top, weights.log_scale[:, groups] + np.log(top[:, :, 0])


@dataclass(frozen=True, eq=False)
class Messages:
    """What all evidence says of the nodes.

    Attributes
    ----------
    told
        What a node and those after it say of its perpetrator, were it its parent's: one on average over whom its cell
        expects (draw, node, actor).
    after
        What those after it alone say (draw, node, actor).
    belief
        Probability that each actor did it, all evidence considered (draw, node, actor).
    log_mixed
        Their sum is the log density of all (draw, node).
    """

    told: SingleArray
    after: SingleArray
    belief: SingleArray
    log_mixed: FloatArray


@njit(**OPTIONS)
def _fill(
    nodes: NodeArrays, repeat: FloatArray, cell: SingleArray, seen: SingleArray,
    told: SingleArray, after: SingleArray, belief: SingleArray, log_mixed: FloatArray,
) -> None:  # fmt: skip
    n_actors = cell.shape[2]
    sight = np.ones((1, n_actors))
    for d in range(repeat.shape[0]):
        message, mixed = np.ones((repeat.shape[1], n_actors)), np.empty(repeat.shape[1])
        pass_up(nodes, repeat[d], cell[d], seen[d], sight, message, mixed)
        for i in range(mixed.size):
            q, above, r = nodes.cell[i], nodes.parent[i], repeat[d, i]
            log_mixed[d, i] = np.log(mixed[i])
            weight = 0.0
            for k in range(n_actors):
                weight += cell[d, q, k]
            anew = 1.0
            for k in range(n_actors):
                after[d, i, k] = message[i, k]
                told[d, i, k] = weight * seen[d, q, k] * message[i, k] / mixed[i]
                if above >= 0:
                    same = r * told[d, i, k] / (1.0 - r + r * told[d, i, k])
                    belief[d, i, k] = belief[d, above, k] * same
                    anew -= belief[d, i, k]
            for k in range(n_actors):
                belief[d, i, k] += anew * told[d, i, k] * cell[d, q, k] / weight


def node_arrays(row: Index, parent: IntArray, bond: IntArray) -> NodeArrays:
    """Return nodes of which the cell and evidence of each stand in a row."""
    undated = np.full_like(row, NONE)  # what the date says is in the weights of the cell
    return NodeArrays(*map(ints, (row, row, undated, np.zeros_like(row), parent, bond, row)))


def pass_messages(nodes: NodeArrays, repeat: FloatArray, cell: SingleArray, seen: SingleArray) -> Messages:
    """Send messages up and down.

    Parameters
    ----------
    repeat
        (draw, node).
    cell, seen
        Weight of the cell, and probability of the evidence (draw, row, actor).
    """
    shape = (*repeat.shape, cell.shape[2])
    told, after, belief = (np.zeros(shape, dtype=np.float32) for _ in range(3))
    log_mixed = np.empty(repeat.shape)
    _fill(nodes, np.ascontiguousarray(repeat), cell, seen, told, after, belief, log_mixed)
    return Messages(told, after, belief, log_mixed)


@njit(**OPTIONS)
def draw_fresh(cell: SingleArray, told: SingleArray, u: float) -> int:
    """Return who did a node that repeats nobody, by a number from 0 to 1."""
    total = 0.0
    for k in range(cell.size):
        total += cell[k] * told[k]
    u *= total
    k = 0
    while k < cell.size - 1 and u >= cell[k] * told[k]:
        u -= cell[k] * told[k]
        k += 1
    while cell[k] * told[k] == 0.0:
        k -= 1
    return k


@njit(**OPTIONS)
def draw_together(
    nodes: NodeArrays, repeat: FloatArray, cell: SingleArray, told: SingleArray, u: FloatArray,
    who: npt.NDArray[np.int16],
) -> None:  # fmt: skip
    """Draw who did all nodes, jointly: ``who`` (draw, node) by numbers ``u`` from 0 to 1 (draw, node)."""
    for d in range(u.shape[0]):
        for i in range(u.shape[1]):
            above, x = nodes.parent[i], u[d, i]
            if above >= 0:
                told_same = repeat[d, i] * told[d, i, who[d, above]]
                same = told_same / (1.0 - repeat[d, i] + told_same)
                if x < same:
                    who[d, i] = who[d, above]
                    continue
                x = (x - same) / (1.0 - same)
            who[d, i] = draw_fresh(cell[d, nodes.cell[i]], told[d, i], x)


@dataclass(frozen=True, eq=False)
class Series:
    """All incidents of an assessment as a forest, and what the draws say of them.

    Attributes
    ----------
    assessment, design
        The tables, and as arrays.
    forest
        Of all incidents; those that hang together with none are in it, too.
    episode
        Draws of the bonds (draw, bond).
    cell, seen
        Weight of the cell of each group, and probability of its evidence (draw, group, actor).
    log_scale
        Log of what was divided out of ``seen`` (draw, group).
    messages
        Of the forest.
    """

    assessment: Assessment
    design: Design
    forest: Forest
    episode: FloatArray
    cell: SingleArray
    seen: SingleArray
    log_scale: FloatArray
    messages: Messages

    def nodes(self, forest: Forest) -> NodeArrays:
        """Return a forest of these incidents as the passes take it."""
        return node_arrays(self.design.incident_group[forest.incident], forest.parent, forest.bond)

    @property
    def repeat(self) -> FloatArray:
        """Probability that each node repeats its parent (draw, node)."""
        return repeat_draws(self.forest, self.episode)

    def log_likelihood(self) -> FloatArray:
        """Return the log density of all incidents, without what is expected of their number (draw)."""
        return np.asarray(self.messages.log_mixed.sum(axis=1) + self.log_scale @ self.design.groups.n)

    def draw(self, u: FloatArray) -> npt.NDArray[np.int16]:
        """Return who did each incident (draw, incident), jointly, by numbers from 0 to 1 of the same shape."""
        who = np.empty(u.shape, dtype=np.int16)
        nodes, order = self.nodes(self.forest), self.forest.incident
        draw_together(nodes, self.repeat, self.cell, self.messages.told, np.ascontiguousarray(u[:, order]), who)
        by_incident = np.empty_like(who)
        by_incident[:, order] = who
        return by_incident


def build_series(assessment: Assessment, design: Design, draws: xr.Dataset, weights: Iterable[GroupWeights]) -> Series:
    """Build the series of an assessment from the weights of all groups, which come in chunks of the draws."""
    forest, episode = build_series_forest(assessment, design), episode_draws(draws)
    cells, likelihoods, scales = [], [], []
    for chunk in weights:
        seen, scale = likelihood_of(chunk, slice(None))
        cells.append(chunk.cell.astype(np.float32))
        likelihoods.append(seen.astype(np.float32))
        scales.append(scale)
    cell, seen32 = np.concatenate(cells), np.concatenate(likelihoods)
    nodes = node_arrays(design.incident_group[forest.incident], forest.parent, forest.bond)
    messages = pass_messages(nodes, repeat_draws(forest, episode), cell, seen32)
    return Series(assessment, design, forest, episode, cell, seen32, np.concatenate(scales), messages)


def log_density_of(series: Series, removed: IntArray) -> FloatArray:
    """Return the log of the density with some incidents over that without them (draw).

    The forest of the others is built anew, as a refit without these incidents would have it.
    """
    kept = np.ones(series.design.n_incidents, dtype=bool)
    kept[removed] = False
    forest = build_series_forest(series.assessment, series.design, kept)
    rest = log_totals(series.nodes(forest), repeat_draws(forest, series.episode), series.cell, series.seen)
    scale = series.log_scale[:, series.design.incident_group[removed]].sum(axis=1)
    return np.asarray(series.messages.log_mixed.sum(axis=1) - rest + scale)


@njit(**OPTIONS)
def log_totals(nodes: NodeArrays, repeat: FloatArray, cell: SingleArray, seen: SingleArray) -> FloatArray:
    """Return the log density of a forest, what was divided out of the evidence apart (draw)."""
    found = np.zeros(repeat.shape[0])
    n_actors = cell.shape[2]
    sight = np.ones((1, n_actors))
    for d in range(found.size):
        message, mixed = np.ones((repeat.shape[1], n_actors)), np.empty(repeat.shape[1])
        pass_up(nodes, repeat[d], cell[d], seen[d], sight, message, mixed)
        for i in range(mixed.size):
            found[d] += np.log(mixed[i])
    return found


def log_density_of_each(series: Series) -> FloatArray:
    """Return the log of the density with each incident over that without it (draw, incident).

    In a region the next incident then hangs on the one before: a sum over the actors of that one. Where an incident is
    linked with others the forest may change elsewhere, and is built anew.
    """
    forest, days, day = series.forest, range_of(series.assessment), days_of(series.assessment)
    child, left = np.full(forest.n, NONE, dtype=np.int64), np.zeros(forest.n)
    for c in np.flatnonzero((forest.parent != NONE) & ~forest.linked):
        i = forest.parent[c]
        child[i] = c
        if (above := forest.parent[i]) != NONE:
            left[i] = bond_left(day[forest.incident[c]] - day[forest.incident[above]], days)
    found = np.empty(series.messages.log_mixed.shape)
    region = series.episode[:, 0]
    _leave_out(forest.parent, child, series.repeat, region, left, series.messages.told, series.messages.belief, found)
    found = series.messages.log_mixed - found
    by_incident = np.empty_like(found)
    by_incident[:, forest.incident] = found
    by_incident += series.log_scale[:, series.design.incident_group]
    named = series.assessment.links[["incident_id", "linked_id"]].to_numpy().ravel()
    for i in np.unique(series.design.incident_id.get_indexer(pd.Index(named))):
        by_incident[:, i] = log_density_of(series, np.array([i]))
    return by_incident


@njit(**OPTIONS)
def _leave_out(
    parent: IntArray, child: IntArray, repeat: FloatArray, region: FloatArray, left: FloatArray,
    told: SingleArray, belief: SingleArray, out: FloatArray,
) -> None:  # fmt: skip
    """Fill ``out`` with the log of what the neighbours of each node say of one another when it is gone (draw, node)."""
    for d in range(repeat.shape[0]):
        for i in range(parent.size):
            above, below, r = parent[i], child[i], repeat[d, i]
            if above < 0:
                out[d, i] = 0.0
                continue
            again = region[d] * left[i]
            total = 0.0
            for k in range(told.shape[2]):
                value = belief[d, above, k] / (1.0 - r + r * told[d, i, k])
                if below >= 0:
                    value *= 1.0 - again + again * told[d, below, k]
                total += value
            out[d, i] = np.log(total)


@dataclass(frozen=True, eq=False)
class Gap:
    """A place in a region's series where an incident could be put.

    Attributes
    ----------
    before
        What is known of the perpetrator of the one before, but for what comes after the gap (draw, actor); None where
        there is none near enough.
    repeat
        Probability that the incident repeats it (draw).
    again
        Probability that one at the same place would repeat the incident (draw).
    onward
        What the one after says of the perpetrator of the incident (draw, actor).
    """

    before: FloatArray | None
    repeat: FloatArray
    again: FloatArray
    onward: FloatArray

    def weigh(self, cell: FloatArray, seen: FloatArray, last: npt.NDArray[np.integer] | None = None) -> FloatArray:
        """Return the weight of each actor for an incident in the gap (draw, actor).

        They sum to the density with it over that without it.

        Parameters
        ----------
        cell, seen
            Weight of its cell, and probability of its evidence (draw, actor).
        last
            Who did the incident that was put there before it (draw); None where it is the first.
        """
        if last is None:
            if self.before is None:
                return np.asarray(cell * seen * self.onward)
            fresh = (1.0 - self.repeat[:, None]) * cell * self.before.sum(axis=1, keepdims=True)
            same = self.repeat[:, None] * cell.sum(axis=1, keepdims=True) * self.before
            return np.asarray((fresh + same) * seen * self.onward)
        draw = np.arange(len(cell))
        weight = (1.0 - self.again[:, None]) * cell
        weight[draw, last] += self.again * cell.sum(axis=1)
        return np.asarray(weight * seen * self.onward / self.onward[draw, last][:, None])


def open_gap(series: Series, region: int, date: pd.Timestamp) -> Gap:
    """Return the place in a region's series on a day, after what happened on it."""
    day = float((date - series.assessment.incidents["date_start"].min()) / DAY)
    forest, messages, days = series.forest, series.messages, range_of(series.assessment)
    there = np.flatnonzero(series.design.groups.region[series.design.incident_group[forest.incident]] == region)
    when = days_of(series.assessment)[forest.incident[there]]
    bond = series.episode[:, 0] if days is not None else np.zeros(len(series.episode))
    split = int(np.searchsorted(when, day, side="right"))
    before, repeat = None, np.zeros(len(bond))
    onward = np.ones(messages.told.shape[::2])
    p = int(there[split - 1]) if split else NONE
    c = int(there[split]) if split < len(there) else NONE
    hangs = c != NONE and not forest.linked[c]
    if p != NONE and (left := bond_left(day - when[split - 1], days)) > 0.0:
        repeat, before = bond * left, messages.belief[:, p].astype(np.float64)
        if hangs and forest.parent[c] == p:
            before = before / _said(series.repeat[:, c], messages.told[:, c])
    if hangs:
        onward = _said(bond * bond_left(when[split] - day, days), messages.told[:, c])
    return Gap(before, repeat, bond, onward)


def _said(repeat: FloatArray, told: SingleArray) -> FloatArray:
    """What a node says of the perpetrator of its parent (draw, actor)."""
    return np.asarray(1.0 - repeat[:, None] + repeat[:, None] * told)
