"""Rules between columns and between tables; each function yields the faults of one table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from violencescore.coding import EMPTY, Coded, are_among, decode, encode
from violencescore.errors import Fault
from violencescore.identities import Directory
from violencescore.names import OTHER
from violencescore.tables import Table

_UNKNOWN = "is not an organization of the table organizations (id, name or alias)"


def resolve_organizations(
    table: Table, checked: Coded, directory: Directory, columns: Mapping[str, bool]
) -> tuple[Coded, list[Fault]]:
    """Replace names and aliases by ids, of which all ``columns`` share the words.

    ``columns`` says of each whether it may hold `OTHER`.
    """
    faults: list[Fault] = []
    frame, words = checked.frame, dict(checked.words)
    known = pd.Series(["", *sorted(directory.ids)], dtype="str")
    for column, other_allowed in columns.items():
        ids, strange = directory.resolve(words[column])
        if not other_allowed:
            strange = strange | (ids == OTHER)
        codes = frame[column].to_numpy()
        way_out = f"; add it there, or use {OTHER}" if other_allowed else "; add it there"
        faults += table.faults(strange.to_numpy()[codes], column, _UNKNOWN + way_out)
        [places], words[column] = encode(ids.mask(strange, ""), known=known)
        frame = frame.assign(**{column: places[codes]})
    return Coded(frame, words), faults


def orphan_faults(table: Table, incident_ids: pd.Series, known: pd.Series) -> Iterator[Fault]:
    """Incidents that are spoken of and do not exist; both are codes of the same words."""
    orphan = (incident_ids != EMPTY) & ~are_among(incident_ids, known)
    rule = "is not an incident of the table incidents; add it there, or correct the id"
    yield from table.faults(orphan, "incident_id", rule)


def incident_faults(table: Table, incidents: pd.DataFrame) -> Iterator[Fault]:
    """One way of dating an incident, and no end before its start."""
    given = {
        name: (table.frame[name] != EMPTY) if name in table.frame else pd.Series(False, index=incidents.index)
        for name in ("date", "date_start", "date_end")
    }
    reported = {name: {p for p, column in table.reported if column == name} for name in given}
    for name, there in given.items():
        given[name] = there | incidents.index.isin(reported[name])
    if "date" not in table.frame and "date_start" not in table.frame:
        yield table.fault("the column is missing; give date, or date_start and date_end", "date")
        return
    for name in ("date_start", "date_end"):
        rule = f"date and {name} are both given; give date alone, or date_start and date_end"
        yield from table.faults(given["date"] & given[name], name, rule)
    undated = ~given["date"] & ~given["date_start"]
    column = "date" if "date" in table.frame else "date_start"
    yield from table.faults(undated, column, "is empty; give date, or date_start and date_end")
    end = incidents["date_end"]
    backwards = (end < incidents["date_start"]) & ~given["date"]
    starts = incidents["date_start"].dt.strftime("%Y-%m-%d")
    yield from table.faults(backwards, "date_end", lambda p: f"lies before date_start ({starts.at[p]}); exchange them")


def range_faults(table: Table, frame: pd.DataFrame) -> Iterator[Fault]:
    """Hold low <= best <= high, of counts and of revenues."""
    low, best, high = frame["low"], frame["best"], frame["high"]
    order = "low <= best <= high must hold"
    if "low" in table.frame:
        mask = (low > best).fillna(False)
        yield from table.faults(mask, "low", lambda p: f"is above best ({_plain(float(best[p]))}); {order}")
    if "high" in table.frame:
        mask = (high < best).fillna(False)
        yield from table.faults(mask, "high", lambda p: f"is below best ({_plain(float(best[p]))}); {order}")
    if "low" in table.frame and "high" in table.frame:
        mask = (best.isna() & (low > high)).fillna(False)
        yield from table.faults(mask, "low", lambda p: f"is above high ({_plain(float(high[p]))}); {order}")


def _plain(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def repeat_faults(table: Table, frame: pd.DataFrame, columns: list[str], shown: str) -> Iterator[Fault]:
    """Rows that repeat an earlier one in all of ``columns`` (codes); the first of these must not be empty."""
    known = (frame[columns[0]] != EMPTY) & (frame[shown] != EMPTY)
    repeats = frame.duplicated(columns)
    if not known.all():
        repeats = known & frame[known].duplicated(columns).reindex(frame.index, fill_value=False)
    what = ", ".join(columns)
    yield from table.faults(repeats, shown, f"repeats an earlier row with the same {what}; keep one of them")


def adjudication_faults(table: Table, checked: Coded) -> Iterator[Fault]:
    """Who was framed is somebody else, and only in a staged incident."""
    frame = checked.frame
    framed = frame["framed_id"] != EMPTY
    same = framed & (checked.text("framed_id") == checked.text("organization_id"))
    yield from table.faults(same, "framed_id", "is the perpetrator, who cannot frame itself; name the framed one")
    honest = framed & frame["false_flag"].eq(False).fillna(False).astype(bool)
    rule = "is given although false_flag is false; leave it empty, or set false_flag to true"
    yield from table.faults(honest, "framed_id", rule)


def pair_faults(table: Table, checked: Coded, one: str, two: str) -> Iterator[Fault]:
    """The two of a pair are not the same."""
    first, second = checked.text(one), checked.text(two)
    yield from table.faults((first == second) & (first != ""), two, f"is the same as {one}; a pair needs two")


def link_faults(table: Table, links: Coded, incidents: Coded) -> Iterator[Fault]:
    """Links lead to incidents that exist."""
    linked = links.text("linked_id")
    orphan = (linked != "") & ~linked.isin(incidents.text("incident_id"))
    rule = "is not an incident of the table incidents; add it there, or correct the id"
    yield from table.faults(orphan, "linked_id", rule)


def unit_faults(table: Table, frame: pd.DataFrame) -> Iterator[Fault]:
    """One unit per kind of revenue."""
    first = frame.groupby("kind")["unit"].transform("first")
    differs = frame["unit"] != first

    def rule(p: int) -> str:
        kind = str(frame["kind"][p])
        return f"differs from the unit {first.at[p]!r} of earlier rows of kind {kind}; use one unit"

    yield from table.faults(differs, "unit", rule)


def panelist_faults(table: Table, frame: pd.DataFrame) -> Iterator[Fault]:
    """A panelist who weighs everything at zero says nothing."""
    total = frame.groupby("panelist_id")["weight"].transform("max")
    silent = (total == 0) & (frame["panelist_id"] != EMPTY) & ~frame.duplicated("panelist_id")
    rule = "gives every category the weight 0; give at least one a weight, or leave the panelist out"
    yield from table.faults(silent, "panelist_id", rule)


def candidate_faults(table: Table, evidence: Coded, single: frozenset[str]) -> Iterator[Fault]:
    """Pieces of evidence that name several organizations in a channel that names one (``single``)."""
    frame = evidence.frame
    is_single = evidence.words["channel"].isin(single).to_numpy()
    spoken = frame[(frame["organization_id"] != EMPTY) & is_single[frame["channel"]]]
    spoken = spoken[np.bincount(spoken["piece"])[spoken["piece"]] > 1]
    first = spoken.groupby("piece")["organization_id"].transform("first")
    differs = spoken["organization_id"] != first
    firsts = decode(first[differs], evidence.words["organization_id"], first.index[differs])

    def rule(p: int) -> str:
        channel = evidence.words["channel"][frame["channel"][p]]
        return (
            "is a second organization in one piece of evidence (same incident, channel and origin), after "
            f"{firsts[p]}; {channel} names one: keep one, or state different origins"
        )

    yield from table.faults(frame.index.isin(firsts.index), "organization_id", rule)
