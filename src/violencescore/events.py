"""Splits, mergers, alliances and ends at their dates: who stood above whom on a day, and what cannot have been so.

A date is the first day on which what the event says holds. ``parent_id`` without events holds throughout; where there
are events they say when: who splits off belonged to the other before, who merges did not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from violencescore.errors import Fault
from violencescore.tables import Table

SPLIT, MERGER, ALLIANCE, END = "split", "merger", "alliance", "end"

type Above = dict[str, str]
"""Organization -> the one directly above it."""


@dataclass(frozen=True)
class Alliance:
    """Two organizations, the first day of their alliance, and the first day after it (missing: it lasts)."""

    pair: frozenset[str]
    start: pd.Timestamp
    end: pd.Timestamp | None = None


def parents_on(day: pd.Timestamp, organizations: pd.DataFrame, events: pd.DataFrame) -> Above:
    """Return who stood directly above whom on a day.

    Parameters
    ----------
    organizations, events
        As in an `Assessment`.
    """
    above = _first_parents(organizations, events)
    for event in _in_order(events):
        if event["date"] <= day:
            _move(above, event)
    return above


def head_of(organization: str, above: Mapping[str, str]) -> str:
    """Return the organization at the top, above which nobody stands (in a circle, which is a fault: the last new one).

    Examples
    --------
    >>> head_of("cell", {"cell": "wing", "wing": "cartel"})
    'cartel'
    """
    passed = {organization}
    while organization in above and above[organization] not in passed:
        organization = above[organization]
        passed.add(organization)
    return organization


def alliances(events: pd.DataFrame) -> tuple[Alliance, ...]:
    """Return the alliances and how long they lasted, in the order in which they began."""
    found: list[Alliance] = []
    for event in _in_order(events):
        pair = frozenset((event["organization_id"], event["other_id"]))
        if event["kind"] == ALLIANCE:
            found.append(Alliance(pair, event["date"]))
        elif event["kind"] == END:
            over = [a for a in found if a.end is None and _is_over(a, pair, event)]
            for alliance in over:
                found[found.index(alliance)] = Alliance(alliance.pair, alliance.start, event["date"])
    return tuple(found)


def _is_over(alliance: Alliance, pair: frozenset[str], event: Mapping[str, Any]) -> bool:
    """Whether an end ends an alliance: it names both, or one of them alone, who is no more."""
    return pair == alliance.pair or (not event["other_id"] and event["organization_id"] in alliance.pair)


def dates_of_change(events: pd.DataFrame) -> set[pd.Timestamp]:
    """Return the dates on which somebody comes to belong elsewhere."""
    return set(events.loc[events["kind"].isin((SPLIT, MERGER)), "date"])


def with_ends(organizations: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Return the organizations with the last day of those that an event ended and whose last day nobody stated."""
    ended = events[(events["kind"] == END) & (events["other_id"] == "")]
    if ended.empty:
        return organizations
    last = ended.groupby("organization_id")["date"].min() - pd.Timedelta(days=1)
    stated = organizations["active_to"]
    return organizations.assign(active_to=stated.fillna(organizations["organization_id"].map(last)))


def event_faults(table: Table, events: pd.DataFrame, organizations: pd.DataFrame) -> Iterator[Fault]:
    """Yield what cannot have been: events of one organization alone, outside its dates, in a circle, or twice.

    Parameters
    ----------
    events
        Checked columns, ids resolved; empty or missing where something is wrong already.
    organizations
        Checked, as in an `Assessment`.
    """
    known = events[(events["kind"] != "") & (events["organization_id"] != "") & events["date"].notna()]
    there = set(organizations["organization_id"])
    state = _State(_first_parents(organizations, known), dict(_dates(organizations)))
    rules: dict[tuple[str, int], str] = {}
    for event in _in_order(known):
        if {event["organization_id"], event["other_id"]} - {""} <= there:
            for column, rule in state.faults_of(event):
                rules.setdefault((column, event["row"]), rule)
    for column in ("date", "kind", "organization_id", "other_id"):
        of_column = {row: rule for (name, row), rule in rules.items() if name == column}
        yield from table.faults(table.frame.index.isin(list(of_column)), column, of_column.__getitem__)


@dataclass
class _State:
    """Where things stand while events are gone through in the order of their dates."""

    above: Above
    dates: Mapping[str, tuple[Any, Any]]
    allied: set[frozenset[str]] = field(default_factory=set)

    def faults_of(self, event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        kind, who, other = event["kind"], event["organization_id"], event["other_id"]
        yield from self._date_faults(event)
        if kind != END and not other:
            yield "other_id", f"is empty; there are two to every {kind}"
        elif other == who:
            yield "other_id", "is the organization itself; name the other one"
        elif kind == SPLIT:
            yield from self._split_faults(who, other)
            self.above.pop(who, None)
        elif kind == MERGER:
            yield from self._merger_faults(who, other)
        elif other:
            yield from self._alliance_faults(kind, frozenset((who, other)))

    def _date_faults(self, event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for one in filter(None, (event["organization_id"], event["other_id"])):
            first, last = self.dates[one]
            if event["date"] < first:
                yield "date", f"lies before {one} became active ({first:%Y-%m-%d}); correct one of the dates"
            if event["date"] > last + pd.Timedelta(days=1):
                yield "date", f"lies after {one} was last active ({last:%Y-%m-%d}); correct one of the dates"
            elif event["kind"] == END and not event["other_id"] and event["date"] <= last < _FAR:
                yield "date", f"ends {one}, which is active until {last:%Y-%m-%d}; correct one of the dates"

    def _split_faults(self, who: str, other: str) -> Iterator[tuple[str, str]]:
        if self.above.get(who) != other:
            stated = self.above.get(who)
            rule = f"{who} belongs to {stated} then" if stated else f"{who} does not belong to anybody then"
            yield "other_id", f"is not whom {who} could split from: {rule}; correct parent_id or the event"

    def _merger_faults(self, who: str, other: str) -> Iterator[tuple[str, str]]:
        if self.above.get(who) == other:
            yield "other_id", f"is whom {who} belongs to already; leave the event out, or correct parent_id"
        elif head_of(other, self.above) == who:
            yield "other_id", f"belongs to {who} then, so that each would stand above the other; exchange them"
        else:
            self.above[who] = other

    def _alliance_faults(self, kind: str, pair: frozenset[str]) -> Iterator[tuple[str, str]]:
        if kind == ALLIANCE and pair in self.allied:
            yield "kind", "is an alliance of two who are allied already; leave it out, or end the first"
        if kind == END and pair not in self.allied:
            yield "kind", "ends an alliance that there is not; add when it began, or leave other_id empty"
        (self.allied.add if kind == ALLIANCE else self.allied.discard)(pair)


def _dates(organizations: pd.DataFrame) -> Iterator[tuple[str, tuple[Any, Any]]]:
    columns = (organizations[name] for name in ("organization_id", "active_from", "active_to"))
    for id_, first, last in zip(*columns, strict=True):
        yield id_, (pd.Timestamp.min if pd.isna(first) else first, _FAR if pd.isna(last) else last)


_FAR = pd.Timestamp("2262-01-01")


def _first_parents(organizations: pd.DataFrame, events: pd.DataFrame) -> Above:
    """Who stood above whom before anything happened."""
    stated = zip(organizations["organization_id"], organizations["parent_id"], strict=True)
    above = {id_: parent for id_, parent in stated if id_ and parent}
    seen: set[str] = set()
    for event in _in_order(events):
        who, other = event["organization_id"], event["other_id"]
        if event["kind"] not in (SPLIT, MERGER) or who in seen or not other or other == who:
            continue
        seen.add(who)
        if event["kind"] == SPLIT and who not in above and head_of(other, above) != who:
            above[who] = other
        elif event["kind"] == MERGER and above.get(who) == other:
            del above[who]
    return above


def _move(above: Above, event: Mapping[str, Any]) -> None:
    if event["kind"] == SPLIT:
        above.pop(event["organization_id"], None)
    elif event["kind"] == MERGER:
        above[event["organization_id"]] = event["other_id"]


def _in_order(events: pd.DataFrame) -> list[dict[str, Any]]:
    """Events by date, those of one day in the order of the file; ``row`` is the label of each in its index."""
    ordered = events.sort_values("date", kind="stable")
    rows = zip(ordered.index, ordered.to_dict("records"), strict=True)
    return [{**{str(key): value for key, value in row.items()}, "row": label} for label, row in rows]
