"""Placed again: who did each incident, was it staged, how many were harmed; from numbers that can be frozen.

A posterior draw says with which probability each actor did each incident. Here the incidents are allotted once more,
one by one, from uniform numbers that are given, so that parts of a world can be kept while the others change, and so
that one incident can be looked at with all others as they are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from numba import njit

from violencescore.assessment import Assessment
from violencescore.counts import count_at
from violencescore.design import UNKNOWN, Design
from violencescore.grouping import starts
from violencescore.model.zerosum import OPTIONS
from violencescore.names import CHAIN, DRAW, WINDOW
from violencescore.robustness.ties import Ties, given_neighbours, tied_weights, ties_of

FloatArray = npt.NDArray[np.float64]
SingleArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

MAX_NUMBERS = 40_000_000
"""Numbers that the probabilities of all groups may take, in single precision: bounds the memory at some 200 MB."""


@dataclass(frozen=True)
class Incidents:
    """All incidents, one by one, and the harms of those in the window.

    Attributes
    ----------
    incident_id
        Their ids.
    group
        Group of each in the design (incident).
    in_window
        Whether its harms count (incident).
    start, category, low, best, high
        The harms of incident i that count are ``start[i]:start[i + 1]``; none outside the window (harm).
    ties
        Which of them hang together.
    """

    incident_id: pd.Index
    group: IntArray
    in_window: npt.NDArray[np.bool_]
    start: IntArray
    category: IntArray
    low: IntArray
    best: IntArray
    high: IntArray
    ties: Ties


def list_incidents(design: Design, assessment: Assessment, *, everywhere: bool = False) -> Incidents:
    """Return the incidents of a design with their harms.

    Parameters
    ----------
    everywhere
        Whether harms outside the window count as well, as they do for scores of the rate.
    """
    window = everywhere | (design.groups.period[design.incident_group] == design.periods.index(WINDOW))
    table = assessment.harms
    owner = np.asarray(design.incident_id.get_indexer(pd.Index(table["incident_id"])), dtype=np.int64)
    category = np.asarray(pd.Index(design.categories).get_indexer(pd.Index(table["category"])), dtype=np.int64)
    kept = np.flatnonzero((owner >= 0) & window[owner] & (category >= 0))
    kept = kept[np.argsort(owner[kept], kind="stable")]
    low, best, high = (table[name].to_numpy(dtype=np.int64)[kept] for name in ("low", "best", "high"))
    return Incidents(
        incident_id=design.incident_id,
        group=np.asarray(design.incident_group, dtype=np.int64),
        in_window=np.asarray(window, dtype=bool),
        start=starts(owner[kept], design.n_incidents),
        category=category[kept],
        low=low,
        best=best,
        high=high,
        ties=ties_of(design),
    )


@dataclass(frozen=True)
class Chances:
    """What each draw says of each group of incidents.

    Attributes
    ----------
    staged
        Probability that it was staged (draw, group).
    honest_below, staged_below
        Probability that an actor up to this one did it, if it is what it seems and if it was staged (draw, group,
        actor): numbers from 0 to 1 that a uniform number is held against.
    repeats
        Probability that each node repeats the one before it, by who did that one; the above are of those that repeat
        none (draw, node, actor). Empty where nothing hangs together.
    """

    staged: SingleArray
    honest_below: SingleArray
    staged_below: SingleArray
    repeats: SingleArray

    @property
    def n_draws(self) -> int:
        """Number of draws."""
        return len(self.staged)


def affordable_draws(design: Design, wanted: int, tables: int = 1) -> int:
    """Return how many draws may be held at once, as far as memory goes."""
    per_draw = tables * len(design.groups.n) * (2 * len(design.actors) + 1)
    per_draw += 8 * len(design.nodes.group) * len(design.actors)
    return int(max(50, min(wanted, MAX_NUMBERS // max(per_draw, 1))))


def group_chances(design: Design, draws: xr.Dataset) -> Chances:
    """Return the probabilities of all groups, draw by draw (see `violencescore.bench.likelihood.group_weights`).

    Parameters
    ----------
    draws
        Named quantities (chain, draw, ...); chains are put one after the other.
    """
    parts = []
    for weights, tied in tied_weights(design, draws):
        if tied is None:
            parts.append(_chances(weights.honest, weights.staged))
            continue
        messages, at = tied.messages(), design.nodes.group
        for of in (weights.honest, weights.staged):
            of[:, at] *= messages.after
        told = tied.repeat[:, :, None] * messages.told
        repeats = told / (1.0 - tied.repeat[:, :, None] + told)
        alone = _chances(weights.honest, weights.staged)
        parts.append(dataclasses.replace(alone, repeats=repeats.astype(np.float32)))
    return join_chances(parts)


def join_chances(parts: Sequence[Chances]) -> Chances:
    """Put the chances of some draws behind those of others."""
    return Chances(*(np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])))


def settled_chances(
    design: Design, draws: xr.Dataset, incidents: Incidents, chances: Chances, placed: Placed
) -> Chances:
    """Return what each draw says of each incident with all others as they were placed.

    Of those that hang together this is not what is said of them one after the other.

    Parameters
    ----------
    chances, placed
        Of the same draws.
    """
    nodes = np.flatnonzero(incidents.ties.node != UNKNOWN)
    if not len(nodes):
        return chances
    by_node = nodes[np.argsort(incidents.ties.node[nodes])]
    parts, first = [], 0
    for _, tied in tied_weights(design, draws):
        if tied is not None:
            last = first + len(tied.repeat)
            weight = given_neighbours(tied, placed.who[first:last][:, by_node])
            parts.append(_chances(weight * tied.honest, weight * tied.staged))
            first = last
    own, at = join_chances(parts), design.nodes.group
    changed = {name: getattr(chances, name).copy() for name in ("staged", "honest_below", "staged_below")}
    for name, values in changed.items():
        values[:, at] = getattr(own, name)
    return dataclasses.replace(chances, **changed)


def _chances(honest: FloatArray, staged: FloatArray) -> Chances:
    false = staged.sum(axis=2)
    total = honest.sum(axis=2) + false
    none = np.empty((len(false), 0, honest.shape[2]), dtype=np.float32)
    return Chances((false / total).astype(np.float32), _below(honest), _below(staged), none)


def _below(weight: FloatArray) -> SingleArray:
    below = weight.cumsum(axis=2)
    top = below[:, :, -1:]
    found: SingleArray = np.divide(below, top, out=np.ones_like(below), where=top > 0).astype(np.float32)
    return found


def flat_draws(draws: xr.Dataset) -> xr.Dataset:
    """Put the chains one after the other, as one."""
    chains = [draws.isel({CHAIN: [c]}).drop_vars((CHAIN, DRAW), errors="ignore") for c in range(draws.sizes[CHAIN])]
    return xr.concat(chains, dim=DRAW)


@dataclass(frozen=True)
class Noise:
    """Uniform numbers behind a world, by draw: staging and perpetrator of incidents, counts of harms.

    Attributes
    ----------
    staging, perpetrator
        (draw, incident).
    count
        (draw, harm).
    """

    staging: SingleArray
    perpetrator: SingleArray
    count: SingleArray


def sample_noise(n_draws: int, incidents: Incidents, rng: np.random.Generator) -> Noise:
    """Draw the numbers."""
    n = len(incidents.group)
    sizes = (n, n, len(incidents.category))
    return Noise(*(rng.random((n_draws, size), dtype=np.float32) for size in sizes))


@njit(**OPTIONS)
def pick(below: SingleArray, u: float) -> int:
    """Return the first position at which what lies below exceeds a number."""
    k = 0
    while k < below.size - 1 and u >= below[k]:
        k += 1
    return k


@njit(**OPTIONS)
def amount_of(
    start: IntArray, category: IntArray, low: IntArray, best: IntArray, high: IntArray, weight: FloatArray,
    u: SingleArray, i: int,
) -> float:  # fmt: skip
    """Return the weighted harm of an incident, its counts by a number from 0 to 1 for each of its harms."""
    total = 0.0
    for h in range(start[i], start[i + 1]):
        n = best[h] if low[h] == high[h] else count_at(low[h], best[h], high[h], u[h])
        total += weight[category[h]] * n
    return total


@njit(**OPTIONS)
def draw_who(
    staged: SingleArray, honest_below: SingleArray, staged_below: SingleArray, repeats: SingleArray, ties: Ties,
    group: IntArray, who: npt.NDArray[np.integer[Any]], t: int, i: int, u_staging: float, u: float,
) -> int:  # fmt: skip
    """Return who did an incident, by the chances in row ``t``; the one that it may repeat stands in ``who`` already."""
    g = group[i]
    if ties.parent[i] >= 0:
        above = int(who[ties.parent[i]])
        repeated = float(repeats[t, ties.node[i], above])
        if u < repeated:
            return above
        u = (u - repeated) / (1.0 - repeated)
    k: int = pick(staged_below[t, g] if u_staging < staged[t, g] else honest_below[t, g], u)
    return k


@njit(**OPTIONS)
def _allot(
    staged: SingleArray, honest_below: SingleArray, staged_below: SingleArray, repeats: SingleArray,
    table_row: IntArray,
    u_staging: SingleArray, staging_row: IntArray, u_who: SingleArray, who_row: IntArray, u_count: SingleArray,
    count_row: IntArray, weights: FloatArray, weight_row: IntArray, group: IntArray, in_window: npt.NDArray[np.bool_],
    start: IntArray, category: IntArray, low: IntArray, best: IntArray, high: IntArray, ties: Ties, scores: FloatArray,
) -> None:  # fmt: skip
    who = np.empty(group.size, dtype=np.int64)
    for d in range(table_row.size):
        t = table_row[d]
        weight = weights[weight_row[d]]
        for i in ties.order:
            if not in_window[i] and ties.node[i] < 0:
                continue
            who[i] = draw_who(
                staged, honest_below, staged_below, repeats, ties, group, who, t, i,
                u_staging[staging_row[d], i], u_who[who_row[d], i],
            )  # fmt: skip
            if in_window[i]:
                scores[d, who[i]] += amount_of(start, category, low, best, high, weight, u_count[count_row[d]], i)


@dataclass(frozen=True)
class Rows:
    """Which row each ingredient of a world is taken from, by world: of chances, noise and weights (world,).

    ``severity`` counts for scores of the rate only.
    """

    chances: IntArray
    staging: IntArray
    perpetrator: IntArray
    count: IntArray
    weights: IntArray
    severity: IntArray


def allotted_scores(
    incidents: Incidents, chances: Chances, noise: Noise, weights: FloatArray, rows: Rows
) -> FloatArray:
    """Return the scores of worlds, undivided (world, actor).

    Parameters
    ----------
    weights
        Sets of weights of the categories (set, category).
    rows
        What each world is made of.
    """
    scores = np.zeros((len(rows.chances), chances.honest_below.shape[2]))
    _allot(
        chances.staged, chances.honest_below, chances.staged_below, chances.repeats, rows.chances,
        noise.staging, rows.staging, noise.perpetrator, rows.perpetrator, noise.count, rows.count,
        weights, rows.weights, incidents.group, incidents.in_window,
        incidents.start, incidents.category, incidents.low, incidents.best, incidents.high, incidents.ties, scores,
    )  # fmt: skip
    return scores


@dataclass(frozen=True)
class Placed:
    """One world of each draw, incident by incident.

    Attributes
    ----------
    who
        Position of the actor that did each incident (draw, incident).
    amount
        What the incident adds to its undivided score; 0 outside the window (draw, incident).
    scores
        Undivided (draw, actor).
    """

    who: npt.NDArray[np.int16]
    amount: SingleArray
    scores: FloatArray


@njit(**OPTIONS)
def _place(
    staged: SingleArray, honest_below: SingleArray, staged_below: SingleArray, repeats: SingleArray,
    u_staging: SingleArray, u_who: SingleArray, u_count: SingleArray, weight: FloatArray,
    group: IntArray, start: IntArray, category: IntArray, low: IntArray, best: IntArray, high: IntArray, ties: Ties,
    who: npt.NDArray[np.int16], amount: SingleArray, scores: FloatArray,
) -> None:  # fmt: skip
    for d in range(who.shape[0]):
        for i in ties.order:
            who[d, i] = draw_who(
                staged, honest_below, staged_below, repeats, ties, group, who[d], d, i, u_staging[d, i], u_who[d, i]
            )
            amount[d, i] = amount_of(start, category, low, best, high, weight, u_count[d], i)
            scores[d, who[d, i]] += amount[d, i]


def place_incidents(incidents: Incidents, chances: Chances, noise: Noise, weights: FloatArray) -> Placed:
    """Build one world of each draw.

    Parameters
    ----------
    weights
        Of the categories (category).
    """
    n, n_incidents = chances.n_draws, len(incidents.group)
    placed = Placed(
        np.empty((n, n_incidents), dtype=np.int16),
        np.empty((n, n_incidents), dtype=np.float32),
        np.zeros((n, chances.honest_below.shape[2])),
    )
    _place(
        chances.staged, chances.honest_below, chances.staged_below, chances.repeats,
        noise.staging, noise.perpetrator, noise.count, weights, incidents.group,
        incidents.start, incidents.category, incidents.low, incidents.best, incidents.high, incidents.ties,
        placed.who, placed.amount, placed.scores,
    )  # fmt: skip
    return placed
