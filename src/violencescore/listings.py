"""Which sources list which incidents: capture histories, their counts, and what the density of listing needs of them.

Histories are grouped by cell (kind, region, period, age at the cut-off), so that what follows does not grow with the
incidents. Nothing here is random, and nothing knows a sampler.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from violencescore.assessment import Assessment
from violencescore.coding import encode
from violencescore.design import Design
from violencescore.errors import Fault, InputError, RefusedError
from violencescore.grouping import IntArray, ints, unique_rows
from violencescore.model_options import Reporting
from violencescore.names import WINDOW

FloatArray = npt.NDArray[np.float64]

MAX_SOURCES = 20
"""Sources that are told apart; where there are more, the smallest count as one."""
MIN_LISTED = 20
"""Incidents that a source must list to be told apart."""
MIN_SHARED = 10
"""Incidents on two lists or more from which unreported ones are estimated without being asked for."""
MAX_DEPENDENT = 12
"""Sources that may depend on one another in one chain of pairs: their states are counted one by one."""

REST = "other sources"
"""What the sources are called that are too small to be told apart."""

EDGES = (0, 1, 2, 3, 4, 5, 6, 7, 10, 14, 21, 28, 42, 56, 84, 112, 168, 365)
"""First days of the classes of ages and delays, and the day from which every report has come."""


@dataclass(frozen=True)
class Histories:
    """Capture histories and how many incidents have each.

    Attributes
    ----------
    sources, kinds, regions, periods
        Labels.
    listed
        Which sources list (history, source).
    n
        How many incidents (history).
    cell
        Cell of each history.
    cells
        Kind, region, period and class of age of each cell (cell, 4). Class ``len(EDGES) - 1`` is old enough to be
        complete.
    days
        Share of the days of each period that are of each class of age (period, class).
    unlisted
        Share of the recorded incidents of each period that no source lists (period).
    delays
        Of the reports whose day is known: source, delay and age of the incident at the cut-off, days (report, 3).
    """

    sources: tuple[str, ...]
    kinds: tuple[str, ...]
    regions: tuple[str, ...]
    periods: tuple[str, ...]
    listed: npt.NDArray[np.bool_]
    n: IntArray
    cell: IntArray
    cells: IntArray
    days: FloatArray
    unlisted: FloatArray
    delays: IntArray

    @property
    def n_shared(self) -> int:
        """Number of incidents on two lists or more."""
        return int(self.n[self.listed.sum(axis=1) > 1].sum())


COMPLETE = len(EDGES) - 1


def why_recorded_only(assessment: Assessment) -> str:
    """Say why unreported violence is not estimated; empty where it is.

    Raises
    ------
    RefusedError
        If the methodology asks for it and the lists cannot give it.
    """
    options = assessment.methodology.reporting
    if options.model == "recorded":
        return "The methodology counts recorded violence only."
    reports = assessment.reports
    n_sources = reports["source_id"].nunique()
    if options.model == "capture":
        if n_sources < 2:
            raise RefusedError(
                "The methodology asks for unreported violence to be estimated, and the table `reports` has "
                f"{n_sources} source(s): with one list nothing tells how much it misses, and the answer would be the "
                'prior\'s. Add a second list that was not made from the first, or set model = "recorded" under '
                "[reporting]."
            )
        return ""
    if n_sources == 0:
        return "There is no table of reports."
    n_shared = int((reports.drop_duplicates(["incident_id", "source_id"])["incident_id"].value_counts() > 1).sum())
    if n_sources < 2 or n_shared < MIN_SHARED:
        return (
            f"The table `reports` has {n_sources} source(s) with {n_shared} incidents in common: too little to tell "
            "how much they miss."
        )
    return ""


def build_histories(assessment: Assessment, design: Design) -> Histories:
    """Group the reports of an assessment into histories, in the cells of its design."""
    reports, as_of = _reports_in_time(assessment)
    [incident], _ = encode(reports["incident_id"], known=assessment.incidents["incident_id"])
    sources, source = _sources(reports["source_id"])
    listed = np.zeros((design.n_incidents, len(sources)), dtype=bool)
    listed[incident, source] = True
    groups = design.groups
    of = design.incident_group
    start = pd.DatetimeIndex(assessment.incidents["date_start"])
    old = np.full(design.n_incidents, COMPLETE)
    delays = np.empty((0, 3), dtype=np.int64)
    if as_of is not None:
        ages = ints((as_of - start).days)
        old = age_class(ages)
        known = reports["reported_on"].notna().to_numpy()
        delay = (pd.DatetimeIndex(reports["reported_on"][known]) - start[incident[known]]).days
        delays = np.column_stack([ints(source[known]), ints(delay), ages[incident[known]]])
    is_listed = listed.any(axis=1)
    period = groups.period[of]
    n_periods = len(design.periods)
    in_period = np.bincount(period, minlength=n_periods)
    cell_columns = (groups.kind[of], groups.region[of], period, old)
    cell, cells = unique_rows(*(column[is_listed] for column in cell_columns))
    code, rows = unique_rows(cell, *listed[is_listed].T.astype(np.int64))
    return Histories(
        sources=sources,
        kinds=design.kinds,
        regions=design.regions,
        periods=design.periods,
        listed=rows[:, 1:] > 0,
        n=ints(np.bincount(code, minlength=len(rows))),
        cell=rows[:, 0],
        cells=cells,
        days=_days_by_age(assessment, design.periods, as_of),
        unlisted=1.0 - np.bincount(period[is_listed], minlength=n_periods) / np.maximum(in_period, 1),
        delays=delays,
    )


def histories_from_table(table: pd.DataFrame) -> Histories:
    """Read capture histories as they are often published: a column of 0 and 1 for each list, and one named ``count``.

    Raises
    ------
    InputError
        If the table is not of that kind.
    """
    sources = tuple(str(name) for name in table.columns if name != "count")
    if len(sources) < 2:
        raise InputError([Fault("histories", "must have a column of 0 and 1 for each of two lists or more")])
    count = pd.to_numeric(table["count"], errors="coerce") if "count" in table else pd.Series(1, index=table.index)
    found = [
        Fault(
            "histories",
            "must be a whole number, 0 or more",
            row=int(i) + 2,
            column="count",
            value=str(table["count"][i]),
        )
        for i in table.index[~((count >= 0) & (count == count.round()))]
    ]
    x = table[list(sources)].apply(pd.to_numeric, errors="coerce")
    found += [
        Fault("histories", "must be 0 or 1", row=int(i) + 2, column=name, value=str(table[name][i]))
        for name in sources
        for i in table.index[~x[name].isin((0, 1))]
    ]
    if not found and not bool((x.sum(axis=1) * count).gt(0).any()):
        found = [Fault("histories", "holds nothing that a list names")]
    if found:
        raise InputError(found)
    kept = (x.sum(axis=1) > 0).to_numpy()
    one = np.eye(len(EDGES))[[COMPLETE]]
    return Histories(
        sources=sources,
        kinds=("all",),
        regions=("all",),
        periods=(WINDOW,),
        listed=(x.to_numpy() > 0)[kept],
        n=ints(count.to_numpy()[kept]),
        cell=np.zeros(int(kept.sum()), dtype=np.int64),
        cells=np.array([[0, 0, 0, COMPLETE]]),
        days=one,
        unlisted=np.zeros(1),
        delays=np.empty((0, 3), dtype=np.int64),
    )


def age_class(days: IntArray) -> IntArray:
    """Class of each age or delay, by `EDGES`.

    Examples
    --------
    >>> age_class(np.array([0, 8, 9, 500])).tolist()
    [0, 7, 7, 17]
    """
    return ints(np.clip(np.searchsorted(EDGES, days, side="right") - 1, 0, COMPLETE))


def _reports_in_time(assessment: Assessment) -> tuple[pd.DataFrame, pd.Timestamp | None]:
    """Reports up to the cut-off, each pair of incident and source once with its first day; and the cut-off."""
    reports = assessment.reports
    known = reports["reported_on"].dropna()
    stated = assessment.methodology.reporting.as_of
    if known.empty:
        return reports, None
    as_of = pd.Timestamp(stated) if stated is not None else known.max()
    kept = reports[~(reports["reported_on"] > as_of)].sort_values("reported_on", kind="stable")
    return kept.drop_duplicates(["incident_id", "source_id"]).reset_index(drop=True), as_of


def _sources(column: pd.Series) -> tuple[tuple[str, ...], IntArray]:
    """Labels of the sources that are told apart, and which of them each report is of."""
    counts = column.value_counts()
    ordered = sorted(counts.index, key=lambda name: (-counts[name], name))
    own = [name for name in ordered if counts[name] >= MIN_LISTED]
    if len(own) < 2:
        own = ordered[:2]
    own = own if len(own) == len(ordered) <= MAX_SOURCES else own[: MAX_SOURCES - 1]
    labels = tuple(str(name) for name in own) + ((REST,) if len(own) < len(ordered) else ())
    at = {name: i for i, name in enumerate(own)}
    return labels, ints([at.get(name, len(own)) for name in column])


def _days_by_age(assessment: Assessment, periods: Sequence[str], as_of: pd.Timestamp | None) -> FloatArray:
    """Share of the days of each period that are of each class of age; what lies after the cut-off is no part of it."""
    share = np.zeros((len(periods), len(EDGES)))
    window = assessment.methodology.window
    if as_of is None or window is None:
        share[:, COMPLETE] = 1.0
        return share
    for t, period in enumerate(periods):
        first, last = window.baseline_start or window.start, window.start - pd.Timedelta(days=1)
        if period == WINDOW:
            first, last = window.start, window.end
        days = (as_of - pd.date_range(first, last)).days
        counts = np.bincount(age_class(ints(days[days >= 0])), minlength=len(EDGES))
        share[t] = counts / counts.sum() if counts.sum() else np.eye(len(EDGES))[COMPLETE]
    return share


@dataclass(frozen=True)
class Effects:
    """Columns of a linear predictor: which ones each cell has, with which weight, and of which family each is.

    Attributes
    ----------
    family, names
        Family of each column, and what the families are.
    start, column, weight
        As of ``model.capture.Listing``.
    """

    family: IntArray
    names: tuple[str, ...]
    start: IntArray
    column: IntArray
    weight: FloatArray


def build_effects(
    cells: IntArray, n_kinds: int, n_regions: int, n_periods: int, dominance: FloatArray | None
) -> Effects:
    """Lay out how the log odds of being listed differ between cells (cell, 4).

    Parameters
    ----------
    dominance
        Share of each organization in each region (region, organization), where regions are to differ by it.
    """
    n = len(cells)
    half: FloatArray = cells[:, 2].astype(np.float64) - 0.5
    parts: list[tuple[str, int, IntArray, FloatArray]] = []
    if n_kinds > 1:
        parts.append(("kind", n_kinds, cells[:, :1], np.ones((n, 1))))
    if n_regions > 1:
        parts.append(("region", n_regions, cells[:, 1:2], np.ones((n, 1))))
    if n_periods > 1:
        parts.append(("period", 1, np.zeros((n, 1), dtype=np.int64), half[:, None]))
    if n_regions > 1 and n_periods > 1:
        parts.append(("region_period", n_regions, cells[:, 1:2], half[:, None]))
    if dominance is not None and n_regions > 1:
        n_actors = dominance.shape[1]
        parts.append(("dominant", n_actors, np.tile(np.arange(n_actors), (n, 1)), dominance[cells[:, 1]]))
    sizes = [size for _, size, _, _ in parts]
    first = np.cumsum([0, *sizes])
    column = [own + first[f] for f, (_, _, own, _) in enumerate(parts)]
    width = sum(own.shape[1] for own in column)
    return Effects(
        family=ints(np.repeat(np.arange(len(parts)), sizes)),
        names=tuple(name for name, *_ in parts),
        start=ints(np.arange(n + 1) * width),
        column=ints(np.concatenate(column, axis=1).ravel() if parts else []),
        weight=np.concatenate([w for *_, w in parts], axis=1).ravel() if parts else np.empty(0),
    )


@dataclass(frozen=True)
class Pairs:
    """Pairs of sources that depend on one another, block by block; fields as of ``model.capture.Listing``."""

    block_start: IntArray
    member: IntArray
    pair_start: IntArray
    first: IntArray
    second: IntArray
    theta: IntArray
    fixed: FloatArray
    sources: IntArray


def build_pairs(sources: Sequence[str], options: Reporting) -> Pairs:
    """Divide the sources into blocks that are independent of one another.

    Raises
    ------
    RefusedError
        If a block is too large to be counted.
    """
    at = {name: i for i, name in enumerate(sources)}
    free = [tuple(sorted((at[a], at[b]))) for a, b in options.dependent if a in at and b in at]
    pairs = free
    if options.odds_ratio != 1.0:
        pairs = [(i, j) for i in range(len(sources)) for j in range(i + 1, len(sources))]
    block = list(range(len(sources)))
    for a, b in pairs:
        block = [block[a] if label == block[b] else label for label in block]
    labels = list(dict.fromkeys(block))
    members = [[s for s in range(len(sources)) if block[s] == label] for label in labels]
    if (widest := max(map(len, members))) > MAX_DEPENDENT:
        raise RefusedError(
            f"{widest} sources depend on one another through the pairs of [reporting], and at most {MAX_DEPENDENT} "
            "can: declare fewer pairs, or give the smaller sources one id."
        )
    by_block = [[pair for pair in pairs if block[pair[0]] == label] for label in labels]
    flat = [pair for own in by_block for pair in own]
    place = {s: own.index(s) for own in members for s in own}
    return Pairs(
        block_start=ints(np.cumsum([0, *map(len, members)])),
        member=ints([s for own in members for s in own]),
        pair_start=ints(np.cumsum([0, *map(len, by_block)])),
        first=ints([place[a] for a, _ in flat]),
        second=ints([place[b] for _, b in flat]),
        theta=ints([free.index(pair) if pair in free else -1 for pair in flat]),
        fixed=np.full(len(flat), float(np.log(options.odds_ratio))),
        sources=ints(np.reshape(flat, (-1, 2))),
    )


def cell_counts(histories: Histories, pairs: Pairs) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the counts that matter: by cell and source, by cell and number of sources, and by pair."""
    n_cells, n_sources = len(histories.cells), len(histories.sources)
    listed = np.zeros((n_cells, n_sources))
    np.add.at(listed, histories.cell, histories.n[:, None] * histories.listed)
    times = np.zeros((n_cells, n_sources + 1))
    np.add.at(times, (histories.cell, histories.listed.sum(axis=1)), histories.n)
    both = [float((histories.n * histories.listed[:, a] * histories.listed[:, b]).sum()) for a, b in pairs.sources]
    return listed, times, np.array(both, dtype=np.float64)
