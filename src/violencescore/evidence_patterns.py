"""Factors and patterns: what channels can be seen to do, and the distinct bodies of evidence that are made of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from violencescore.assessment import Assessment
from violencescore.coding import Codes
from violencescore.grouping import IntArray, first_rows, ints, multiset_keys, starts, unique_rows
from violencescore.pieces import UNKNOWN, Pieces, count_before

FloatArray = npt.NDArray[np.float64]

SILENT, SPEAKS, NAMES, SET, DATE = range(5)
"""Kinds of evidence factor: a channel is silent, it speaks, one piece names an actor, one names a set; and when it was,
where not everybody existed then."""


@dataclass(frozen=True)
class Factors:
    """The distinct things that a channel can be seen to do, each a factor of a pattern's probability.

    ``kind``, ``channel`` and ``argument`` have one entry a factor. The argument of ``NAMES`` is the actor, that of
    ``DATE`` the era (and its channel none), that of ``SET`` an index into ``set_start``: the candidates of set ``s``
    are ``set_member[set_start[s]:set_start[s + 1]]``, and ``set_channel[s]`` named them.
    ``echo`` is which of ``Design.echoes`` a piece that comes after others may be, or a channel's silence or speech
    where earlier channels have spoken, ``UNKNOWN`` for all else; ``repeated`` is the share of the pieces before a piece
    that name the same one. First come silence and speech (see ``speech_factors``), then names, sets and dates.
    """

    kind: IntArray
    channel: IntArray
    argument: IntArray
    echo: IntArray
    repeated: FloatArray
    set_channel: IntArray
    set_start: IntArray
    set_member: IntArray


@dataclass(frozen=True)
class Patterns:
    """The distinct bodies of evidence on an incident, cells apart.

    The factors of pattern ``p`` that cannot be forged are ``firm[firm_start[p]:firm_start[p + 1]]``; those that
    can are in ``forged`` likewise. ``stratum`` is that of staging. ``perpetrator``, ``staged`` and ``framed`` are what
    an adjudication settled, ``UNKNOWN`` where it did not. ``contest`` is the set of candidates that the incident is
    between, ``UNKNOWN`` where there is none; of several sets the smallest, and the others are factors.
    """

    firm_start: IntArray
    firm: IntArray
    forged_start: IntArray
    forged: IntArray
    stratum: IntArray
    perpetrator: IntArray
    staged: IntArray
    framed: IntArray
    contest: IntArray


def could_speak(assessment: Assessment, reported: Codes, channels: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Whether each channel could have spoken of each incident (incident, channel).

    One that speaks through certain sources could not where none of them lists the incident.
    """
    heard = np.ones((len(assessment.incidents), len(channels)), dtype=bool)
    for h, name in enumerate(channels):
        sources = assessment.methodology.channels[name].sources
        if sources:
            heard[:, h] = False
            heard[reported[assessment.reports["source_id"].isin(sources).to_numpy()], h] = True
    return heard


def build_factors(
    pieces: Pieces, channels: tuple[str, ...], echoing: tuple[str, ...], n_eras: int
) -> tuple[Factors, IntArray]:
    """Distinct factors, those of names after those of silence and speech; and the factor of each piece."""
    first = speech_factors(channels, echoing)
    echo_of = echo_numbers(channels, echoing)
    names = np.flatnonzero(pieces.actor != UNKNOWN)
    same, before = count_before(pieces) if echoing else (np.zeros(len(names), dtype=np.int64),) * 2
    echo = np.where(before > 0, echo_of[pieces.channel[names]], UNKNOWN)
    same, before = np.where(echo == UNKNOWN, 0, same), np.where(echo == UNKNOWN, 0, before)
    code, named = unique_rows(pieces.channel[names], pieces.actor[names], echo, same, before)
    order = np.lexsort(named.T[::-1])
    named = named[order]
    n_sets = len(pieces.set_channel)
    sizes = (len(named), n_sets, n_eras)
    n_first = len(first.kind)
    factor = np.full(len(pieces.actor), UNKNOWN, dtype=np.int64)
    factor[names] = n_first + np.argsort(order)[code]
    factor = np.where(pieces.set == UNKNOWN, factor, n_first + len(named) + pieces.set)
    kinds = np.repeat(np.array([NAMES, SET, DATE], dtype=np.int64), sizes)
    share = np.zeros(n_first + sum(sizes))
    share[n_first : n_first + len(named)] = named[:, 3] / np.maximum(named[:, 4], 1)
    factors = Factors(
        kind=np.concatenate([first.kind, kinds]),
        channel=ints(np.concatenate([first.channel, named[:, 0], pieces.set_channel, np.full(n_eras, UNKNOWN)])),
        argument=ints(np.concatenate([first.channel, named[:, 1], np.arange(n_sets), np.arange(n_eras)])),
        echo=ints(np.concatenate([first.echo, named[:, 2], np.full(n_sets + n_eras, UNKNOWN)])),
        repeated=share,
        set_channel=ints(pieces.set_channel),
        set_start=pieces.set_start,
        set_member=pieces.set_member,
    )
    return factors, factor


def echo_numbers(channels: tuple[str, ...], echoing: tuple[str, ...]) -> IntArray:
    """Which of ``Design.echoes`` each channel has, ``UNKNOWN`` where none (channel)."""
    return np.array([echoing.index(c) if c in echoing else UNKNOWN for c in channels], dtype=np.int64)


@dataclass(frozen=True)
class Speech:
    """The first of all factors: silence and speech of each channel; and of those that echo, after earlier channels."""

    kind: IntArray
    channel: IntArray
    echo: IntArray


def speech_factors(channels: tuple[str, ...], echoing: tuple[str, ...]) -> Speech:
    """Return the factors that ``speech_of`` finds."""
    each = np.arange(len(channels))
    echo = echo_numbers(channels, echoing)
    later = each[echo != UNKNOWN]
    return Speech(
        kind=np.repeat(np.array([SILENT, SPEAKS] * 2, dtype=np.int64), [len(each)] * 2 + [len(later)] * 2),
        channel=ints(np.concatenate([each, each, later, later])),
        echo=ints(np.concatenate([np.full(2 * len(each), UNKNOWN), echo[later], echo[later]])),
    )


def speech_of(speaks: npt.NDArray[np.bool_], echo: IntArray) -> IntArray:
    """Factor of the silence or speech of each channel, by which channels speak (..., channel).

    A channel that echoes is another one where a channel before it, in the order of the methodology, speaks.
    """
    n_channels, echoes = speaks.shape[-1], echo != UNKNOWN
    plain = np.arange(n_channels) + n_channels * speaks
    place = np.where(echoes, np.cumsum(echoes) - 1, 0)
    later = 2 * n_channels + place + int(echoes.sum()) * speaks
    after = np.cumsum(speaks, axis=-1) - speaks > 0
    return ints(np.where(echoes & after, later, plain))


@dataclass(frozen=True)
class Around:
    """What stands beside the pieces in a pattern: factor of each piece; era, stratum, what was settled, contest.

    ``heard`` is false where the silence of a channel says nothing (incident, channel).
    """

    factor: IntArray
    era: IntArray
    stratum: IntArray
    settled: IntArray
    contest: IntArray
    heard: npt.NDArray[np.bool_]


def build_patterns(
    pieces: Pieces, factors: Factors, forgeable: npt.NDArray[np.bool_], echo: IntArray, around: Around
) -> tuple[IntArray, Patterns]:
    """Distinct evidence patterns; and the pattern of each incident."""
    n_channels, n_incidents = len(forgeable), len(around.era)
    keys = multiset_keys(pieces.incident, around.factor, n_incidents)
    tied = ~around.heard.all(axis=0)
    heard = around.heard[:, tied].T.astype(np.int8)
    codes, rows = unique_rows(*keys, around.stratum, *around.settled.T, around.contest, around.era, *heard)
    example = first_rows(codes)
    n_patterns = len(example)
    pattern_of = np.full(n_incidents, UNKNOWN, dtype=np.int64)
    pattern_of[example] = np.arange(n_patterns)

    piece_pattern = pattern_of[pieces.incident]
    kept = piece_pattern != UNKNOWN
    speaks = np.zeros((n_patterns, n_channels), dtype=bool)
    speaks[piece_pattern[kept], pieces.channel[kept]] = True
    # Whether the channel of a contest speaks is given with the contest, and no factor.
    asked = np.append(factors.set_channel, UNKNOWN)[rows[:, 6]][:, None] != np.arange(n_channels)
    asked[:, tied] &= speaks[:, tied] | (rows[:, 8:] > 0)
    at, channel = np.nonzero(asked)
    era = rows[:, 7]
    dated = np.flatnonzero(era != UNKNOWN)
    first_date = int((factors.kind != DATE).sum())
    entry_pattern = np.concatenate([at, piece_pattern[kept], dated])
    entry_factor = np.concatenate([speech_of(speaks, echo)[at, channel], around.factor[kept], first_date + era[dated]])
    order = np.lexsort((entry_factor, entry_pattern))
    entry_pattern, entry_factor = ints(entry_pattern[order]), ints(entry_factor[order])
    can_forge = np.append(forgeable, False)[factors.channel[entry_factor]]
    return codes, Patterns(
        firm_start=starts(entry_pattern[~can_forge], n_patterns),
        firm=entry_factor[~can_forge],
        forged_start=starts(entry_pattern[can_forge], n_patterns),
        forged=entry_factor[can_forge],
        stratum=ints(rows[:, 2]),
        perpetrator=ints(rows[:, 3]),
        staged=ints(rows[:, 4]),
        framed=ints(rows[:, 5]),
        contest=ints(rows[:, 6]),
    )
