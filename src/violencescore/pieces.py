"""Pieces of evidence: what a channel said of an incident, once; and the sets of candidates that some of them name."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from violencescore.coding import places
from violencescore.errors import Fault, InputError
from violencescore.grouping import AnyInts, IntArray, first_rows, ints, multiset_keys, number_rows, starts
from violencescore.names import OTHER

UNKNOWN = -1
"""In place of an actor, a set or what was settled, where there is none."""


@dataclass(frozen=True)
class Pieces:
    """Pieces of evidence: incident, channel, and an actor or a set (the other one ``UNKNOWN``)."""

    incident: AnyInts
    channel: AnyInts
    actor: AnyInts
    set: AnyInts
    set_channel: IntArray
    set_start: IntArray
    set_member: IntArray


def build_pieces(
    evidence: pd.DataFrame, incident: AnyInts, channel: AnyInts, several: NDArray[np.bool_], actors: Sequence[str]
) -> Pieces:
    """Gather the rows of evidence into pieces.

    Parameters
    ----------
    evidence
        organization_id and piece of each row; copies are left out.
    incident, channel
        Those of each row.
    several
        Which channels name sets of candidates.
    actors
        Ids of the organizations, then ``other``.

    Raises
    ------
    InputError
        If ``other`` stands in a set of candidates.
    """
    actor = places(evidence["organization_id"], actors)
    in_set = several[channel]
    sets = _sets(evidence["piece"].to_numpy()[in_set], channel[in_set], actor[in_set], len(actors) - 1)
    # In a channel without candidates each row is a piece; of one with, the first row of each stands for it.
    head = np.concatenate([np.flatnonzero(~in_set), np.flatnonzero(in_set)[sets.head]])
    set_of_piece = np.full(len(head), UNKNOWN, dtype=np.int32)
    set_of_piece[len(head) - len(sets.head) :] = sets.number
    return Pieces(
        incident=incident[head],
        channel=channel[head],
        actor=np.where(set_of_piece == UNKNOWN, actor[head], UNKNOWN),
        set=set_of_piece,
        set_channel=sets.channel,
        set_start=sets.start,
        set_member=sets.member,
    )


@dataclass(frozen=True)
class _Sets:
    """Pieces that name sets: their first rows, the number of the set of each; and each set's channel and members."""

    head: NDArray[np.intp]
    number: IntArray
    channel: IntArray
    start: IntArray
    member: IntArray


def _sets(piece: AnyInts, channel: AnyInts, actor: AnyInts, other: int) -> _Sets:
    """Sets of candidates, numbered by size, channel and key: neither file order nor copies decide which comes first."""
    if (actor == other).any():
        rule = f"`{OTHER}` cannot be one of a set of candidates; name it in a channel without candidates"
        raise InputError([Fault("evidence", rule, column="organization_id", value=OTHER)])
    piece = number_rows(piece)
    head = first_rows(piece)
    keys = multiset_keys(piece, actor, len(head))
    order = np.lexsort((keys[1], keys[0], channel[head], np.bincount(piece)))
    columns = [column[order] for column in (*keys, channel[head])]
    number = np.empty(len(head), dtype=np.int64)
    number[order] = number_rows(*columns)
    example = order[first_rows(number[order])]
    n_sets = len(example)
    set_of = np.full(len(head), UNKNOWN, dtype=np.int64)
    set_of[example] = np.arange(n_sets)
    owner = set_of[piece]
    kept = np.flatnonzero(owner != UNKNOWN)
    kept = kept[np.lexsort((actor[kept], owner[kept]))]
    return _Sets(head, number, ints(channel[head][example]), starts(owner[kept], n_sets), ints(actor[kept]))


def count_before(pieces: Pieces) -> tuple[IntArray, IntArray]:
    """Count what each piece that names an actor may repeat: pieces before it that name the same, and all before it.

    Before a piece come the pieces of earlier channels (in the order of the methodology) on the same incident, and of
    its own channel those that name others, once each; one that names again whom its channel has named comes after all
    of these. So pieces of a channel count alike, whatever the order of their rows.

    Returns
    -------
    tuple
        Each has one entry for each piece that names an actor, in their order.
    """
    rows = np.flatnonzero(pieces.actor != UNKNOWN)
    incident, channel, actor = (
        column[rows].astype(np.int64) for column in (pieces.incident, pieces.channel, pieces.actor)
    )
    frame = pd.DataFrame({"incident": incident, "channel": channel, "actor": actor})
    cell = frame.groupby(["incident", "channel", "actor"], sort=True).size().rename("n").reset_index()
    by_channel = cell.groupby(["incident", "channel"], sort=True)["n"].agg(["sum", "size"]).reset_index()
    by_channel["earlier"] = by_channel.groupby("incident")["sum"].cumsum() - by_channel["sum"]
    cell["same"] = cell.groupby(["incident", "actor"])["n"].cumsum() - cell["n"]
    cell = cell.merge(by_channel[["incident", "channel", "earlier", "size"]], on=["incident", "channel"])
    lead = ~cell.duplicated(["incident", "channel"])
    found = frame.merge(cell.assign(lead=lead), on=["incident", "channel", "actor"], how="left")
    again = frame.duplicated().to_numpy()
    others = np.where(again, found["size"], found["size"] - 1)
    # Where nothing came earlier, one of the first pieces has nothing before it; it is the same which.
    others = np.where(~again & (found["earlier"] == 0) & found["lead"], 0, others)
    same = found["same"].to_numpy() + again
    return ints(same), ints(found["earlier"].to_numpy() + others)


def separate_contests(pieces: Pieces, n_incidents: int) -> tuple[Pieces, IntArray]:
    """Set of candidates that each incident lies between; and the pieces without those that say so."""
    contest = np.full(n_incidents, UNKNOWN, dtype=np.int64)
    several = np.append(np.diff(pieces.set_start) > 1, False)[pieces.set]
    rows = np.flatnonzero(several)
    rows = rows[np.lexsort((pieces.set[rows], pieces.incident[rows]))]
    first = rows[np.unique(pieces.incident[rows], return_index=True)[1]]
    contest[pieces.incident[first]] = pieces.set[first]
    if not len(first):
        return pieces, contest
    kept = np.ones(len(pieces.incident), dtype=bool)
    kept[first] = False
    rest = dataclasses.replace(
        pieces,
        incident=pieces.incident[kept],
        channel=pieces.channel[kept],
        actor=pieces.actor[kept],
        set=pieces.set[kept],
    )
    return rest, contest
