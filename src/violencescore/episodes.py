"""Incidents that may hang together: each with at most one earlier one whose perpetrator it may repeat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from violencescore.grouping import AnyInts, IntArray

FAR = 3.0
"""Incidents further apart than so many times the days of [episodes] do not hang together."""

NEAR, LINK = "region", "link"
"""Bonds between incidents: close in place and time, or tied by a table."""

NONE = -1
DAY, WEEK = pd.Timedelta(days=1), pd.Timedelta(days=7)


@dataclass(frozen=True)
class Nodes:
    """A forest of incidents, in the order of time.

    Attributes
    ----------
    group
        Group of each node in ``Design.groups``, of which it is the only incident.
    parent
        Node whose perpetrator it may repeat, an earlier one; -1 for none.
    bond
        Which of ``Design.bonds`` holds between them.
    decay
        What the probability of repetition is multiplied by (from 0 to 1).
    """

    group: IntArray
    parent: IntArray
    bond: IntArray
    decay: npt.NDArray[np.float64]


def build_forest(
    date: pd.Series, region: AnyInts, links: npt.NDArray[np.int64], days: float | None
) -> tuple[IntArray, npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Give each incident a parent: the one before it that is linked with it, or else the last in its region.

    Parameters
    ----------
    date, region
        Of each incident.
    links
        Pairs of incidents that something links (link, 2); links of links hang together.
    days
        Over how many days the bond in a region falls to 1/e; None where only links count.

    Returns
    -------
    parent, decay, linked
        Of each incident: -1 where there is none; what distance leaves of the bond; whether it is a link.
    """
    n = len(date)
    day = ((date - date.min()) / DAY).to_numpy(dtype=np.float64)
    order = np.lexsort((np.arange(n), day))
    parent = np.full(n, NONE, dtype=np.int64)
    decay = np.ones(n)
    if days is not None:
        parent = _previous(order, region)
        apart = np.where(parent == NONE, np.inf, day - day[parent])
        parent[apart > FAR * days] = NONE
        decay = np.exp(-np.where(parent == NONE, 0.0, apart) / days)
    linked = np.zeros(n, dtype=bool)
    if len(links):
        before = _previous(order, _components(links, n))
        linked = before != NONE
        parent, decay = np.where(linked, before, parent), np.where(linked, 1.0, decay)
    return parent, decay, linked


def count_dispersion(
    date: pd.Series, region: AnyInts, period: AnyInts, bounds: Sequence[tuple[pd.Timestamp, pd.Timestamp]]
) -> float:
    """How many times as much numbers of incidents vary by region and week as those of independent ones would.

    Pearson's statistic over its degrees of freedom (McCullagh and Nelder 1989, Generalized linear models, 4.5), where
    each week of a period is expected to have its share of the period's incidents in the region; at least one.

    Parameters
    ----------
    date, region, period
        Of each incident.
    bounds
        First day of each period, and the day after its last.

    Examples
    --------
    >>> dates = pd.Series(pd.to_datetime(["2026-07-01"] * 4 + ["2026-07-08"] * 4))
    >>> weeks = [(pd.Timestamp("2026-07-01"), pd.Timestamp("2026-07-15"))]
    >>> count_dispersion(dates, np.zeros(8, dtype=int), np.zeros(8, dtype=int), weeks)
    1.0
    >>> count_dispersion(dates.where(dates.index != 4, dates[0]), np.array([0] * 8), np.array([0] * 8), weeks)
    1.0
    >>> count_dispersion(dates.where(dates.index > 7, dates[0]), np.array([0] * 8), np.array([0] * 8), weeks)
    8.0
    """
    n_regions = int(region.max(initial=0)) + 1
    square, freedom = 0.0, 0
    for t, (start, end) in enumerate(bounds):
        here = period == t
        week = ((date[here] - start) // WEEK).to_numpy(dtype=np.int64)
        edges = np.append(np.arange(0.0, (end - start) / DAY, 7.0), (end - start) / DAY)
        share = np.diff(edges) / edges[-1]
        counts = np.zeros((n_regions, len(share)))
        np.add.at(counts, (region[here], week), 1.0)
        counts = counts[counts.any(axis=1)]
        expected = counts.sum(axis=1, keepdims=True) * share
        square += float(((counts - expected) ** 2 / expected).sum())
        freedom += len(counts) * (len(share) - 1)
    return max(square / freedom, 1.0) if freedom else 1.0


def build_nodes(
    group: IntArray, date: pd.Series, parent: IntArray, decay: npt.NDArray[np.float64], bond: AnyInts
) -> Nodes:
    """Put the incidents that hang together in the order of time; ``group`` and the others are by incident."""
    order = np.lexsort((np.arange(len(date)), date.to_numpy()))
    order = order[hang_together(parent)[order]]
    place = np.full(len(date) + 1, NONE, dtype=np.int64)
    place[order] = np.arange(len(order))
    return Nodes(group[order], place[parent[order]], np.asarray(bond, dtype=np.int64)[order], decay[order])


def hang_together(parent: IntArray) -> npt.NDArray[np.bool_]:
    """Whether each incident has a parent or is one."""
    hangs: npt.NDArray[np.bool_] = parent != NONE
    hangs[parent[parent != NONE]] = True
    return hangs


def _previous(order: npt.NDArray[np.intp], label: AnyInts) -> IntArray:
    """Return the incident before each one with the same label, -1 where there is none or the label is negative."""
    by_label = order[np.argsort(label[order], kind="stable")]
    previous = np.full(len(label), NONE, dtype=np.int64)
    same = (label[by_label[1:]] == label[by_label[:-1]]) & (label[by_label[1:]] >= 0)
    previous[by_label[1:][same]] = by_label[:-1][same]
    return previous


def _components(links: npt.NDArray[np.int64], n: int) -> IntArray:
    """Number of the set of linked incidents that each belongs to; -1 for those without links."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(n, n))
    label = connected_components(graph, directed=False)[1].astype(np.int64)
    alone = np.bincount(label)[label] == 1
    return np.where(alone, NONE, label)
