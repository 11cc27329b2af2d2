"""Who counts as one with whom, on each day of the window, under each published answer: the trees of units.

The window is cut into segments at the dates on which somebody comes to belong elsewhere; within one, nothing changes.
A unit bears the id of the organization at its top. Nothing here knows of draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from violencescore.assessment import Assessment
from violencescore.events import Alliance, alliances, dates_of_change, head_of, parents_on
from violencescore.grouping import IntArray, unique_rows
from violencescore.names import WINDOW
from violencescore.unit_options import PARENT, ROWS, Tree

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Trees:
    """The trees that are published, and the segments of the window.

    Attributes
    ----------
    names
        Names of the trees; the first is the level at which the verdict's scores are made.
    members
        Ids of the organizations, in the order of their table.
    days
        Length of each segment, in days.
    head
        Who stands at the top, as a place among the members (tree, segment, member).
    ranked
        Whether a unit of that id is ranked: one that holds a rankable organization on some day (tree, member).
    pairs
        Pairs of members that are allied on some day of the window, and share incidents; none where nothing is shared.
    """

    names: tuple[str, ...]
    members: tuple[str, ...]
    days: IntArray
    head: IntArray
    ranked: Flags
    pairs: tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Classes:
    """The incidents of the window by segment and by the alliances that share them.

    Attributes
    ----------
    of_incident
        Class of each incident of the assessment (those of the baseline are in the first segment, and shared by nobody).
    segment
        Segment of each class.
    shared
        Whether the incidents of a class are shared within a pair of allies (class, pair).
    """

    of_incident: IntArray
    segment: IntArray
    shared: Flags


def published_trees(assessment: Assessment) -> tuple[str, ...]:
    """Return the names of the trees to show: the level first, then what would be asked beside it.

    Rows by themselves and parents are asked for by whoever has parents; lists of a methodology by whoever wrote them.
    """
    units = assessment.methodology.units
    asked = [s.units for s in assessment.methodology.scenario if s.units is not None]
    has_parents = bool((assessment.organizations["parent_id"] != "").any()) or bool(dates_of_change(assessment.events))
    beside = [ROWS, *([PARENT] if has_parents else []), *(tree.name for tree in units.tree), *asked]
    return tuple(dict.fromkeys((units.level, *beside)))


def build_trees(assessment: Assessment) -> Trees | None:
    """Return the trees of an assessment; None where every row counts by itself, alone, and nothing else is asked."""
    organizations, events = assessment.organizations, assessment.events
    window, units = assessment.methodology.window, assessment.methodology.units
    if window is None:
        return None
    first, last = pd.Timestamp(window.start), pd.Timestamp(window.end)
    names = published_trees(assessment)
    allied = _alliances(assessment, first, last)
    if names == (ROWS,) and not allied:
        return None
    lists = [tree for tree in units.tree if tree.name in names]
    starts = _segments(names, lists, events, first, last)
    members = tuple(organizations["organization_id"])
    lookup = {tree.name: tree for tree in lists}
    heads = [
        [_heads(name, lookup.get(name), members, parents_on(day, organizations, events), day) for day in starts]
        for name in names
    ]
    place = {id_: i for i, id_ in enumerate(members)}
    head = np.array([[[place[top] for top in row] for row in rows] for rows in heads], dtype=np.int64)
    kept = _distinct(names, head, [s.units for s in assessment.methodology.scenario])
    if kept == [0] and not allied and (head[0] == np.arange(len(members))).all():
        return None
    ends = [*starts[1:], last + pd.Timedelta(days=1)]
    rankable = organizations["rankable"].to_numpy(dtype=bool)
    return Trees(
        names=tuple(names[i] for i in kept),
        members=members,
        days=np.array([(end - start).days for start, end in zip(starts, ends, strict=True)], dtype=np.int64),
        head=head[kept],
        ranked=_ranked(head[kept], rankable),
        pairs=tuple(sorted({(min(p), max(p)) for a in allied if len(p := [place[m] for m in a.pair]) == 2})),
    )


def _distinct(names: tuple[str, ...], head: IntArray, asked: list[str | None]) -> list[int]:
    """Places of the trees to keep: not rows or parents where they say what the level says, unless a scenario asks."""
    return [
        i
        for i, name in enumerate(names)
        if i == 0 or name not in (ROWS, PARENT) or name in asked or not np.array_equal(head[i], head[0])
    ]


def _alliances(assessment: Assessment, first: pd.Timestamp, last: pd.Timestamp) -> tuple[Alliance, ...]:
    """Return the alliances that touch the window, if allies share what they do."""
    if assessment.methodology.units.shared == "perpetrator":
        return ()
    return tuple(a for a in alliances(assessment.events) if a.start <= last and (a.end is None or a.end > first))


def _segments(
    names: tuple[str, ...], lists: list[Tree], events: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp
) -> list[pd.Timestamp]:
    """First day of each segment."""
    dates = {pd.Timestamp(g.since) for tree in lists for g in tree.groups.values() if g.since is not None}
    if PARENT in names or any(tree.base == PARENT for tree in lists):
        dates |= dates_of_change(events)
    return [first, *sorted(day for day in dates if first < day <= last)]


def _heads(
    name: str, tree: Tree | None, members: tuple[str, ...], above: dict[str, str], day: pd.Timestamp
) -> list[str]:
    """Who stands at the top of each member on a day."""
    if name == ROWS:
        return list(members)
    if tree is None:
        return [head_of(member, above) for member in members]
    now = {id_: head for head, g in tree.groups.items() if _holds(g.since, day) for id_ in (head, *g.members)}
    tops = [head_of(member, above) if tree.base == PARENT else member for member in members]
    return [now.get(member, now.get(top, top)) for member, top in zip(members, tops, strict=True)]


def _holds(since: object, day: pd.Timestamp) -> bool:
    return since is None or bool(pd.Timestamp(str(since)) <= day)


def _ranked(head: IntArray, rankable: Flags) -> Flags:
    ranked = np.zeros((head.shape[0], head.shape[2]), dtype=bool)
    for tree, rows in enumerate(head):
        for row in rows:
            ranked[tree, row[rankable]] = True
    return ranked


def build_classes(assessment: Assessment, trees: Trees) -> Classes | None:
    """Sort the incidents into classes; None where there is one segment and nothing is shared.

    An incident is shared by two allies if their alliance held on its (first) day, and evidence or a settled case names
    one of them. Whether one of them did it is another question, which each draw answers for itself.
    """
    incidents = assessment.incidents
    window = assessment.methodology.window
    if window is None:
        return None
    inside = (incidents["period"] == WINDOW).to_numpy()
    day = ((incidents["date_start"] - pd.Timestamp(window.start)).dt.days).to_numpy()
    ends = np.cumsum(trees.days)
    segment = np.where(inside, np.minimum(np.searchsorted(ends, day, side="right"), len(ends) - 1), 0)
    shared = np.zeros((len(incidents), len(trees.pairs)), dtype=bool)
    held = alliances(assessment.events)
    for column, pair in enumerate(trees.pairs):
        ids = {trees.members[i] for i in pair}
        named = incidents["incident_id"].isin(_naming(assessment, ids)).to_numpy()
        shared[:, column] = inside & named & _held(incidents["date_start"], ids, held)
    if len(ends) == 1 and not shared.any():
        return None
    codes, rows = unique_rows(segment, *shared.T.astype(np.int64))
    return Classes(codes, rows[:, 0], rows[:, 1:].astype(bool))


def _naming(assessment: Assessment, ids: set[str]) -> set[str]:
    """Incidents of which evidence or a settled case names one of ``ids``."""
    tables = (assessment.evidence, assessment.adjudications)
    return {id_ for table in tables for id_ in table.loc[table["organization_id"].isin(ids), "incident_id"]}


def _held(dates: pd.Series, ids: set[str], held: tuple[Alliance, ...]) -> Flags:
    """On which of the dates an alliance of the two held."""
    found = np.zeros(len(dates), dtype=bool)
    for alliance in held:
        if alliance.pair == ids:
            before = True if alliance.end is None else (dates < alliance.end).to_numpy()
            found |= (dates >= alliance.start).to_numpy() & before
    return found
