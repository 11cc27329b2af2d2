"""An assessment as arrays: cells, evidence patterns and harm profiles, each with its count.

The likelihood never sees a single incident. It sees *groups*, the distinct pairs of a cell (kind, region,
period) and an evidence pattern, with the number of incidents in each; and the scores see *profiles*, the
distinct pairs of a group and a set of harms. Both stop growing once what can happen has been seen.

Nothing here is random, and nothing here knows a sampler.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from violencescore.assessment import Assessment
from violencescore.coding import Codes, encode, places
from violencescore.errors import Fault, InputError
from violencescore.grouping import (
    AnyInts,
    IntArray,
    compress,
    first_rows,
    ints,
    multiset_keys,
    starts,
    unique_rows,
)
from violencescore.names import BASELINE, OTHER, PERIODS, WINDOW
from violencescore.pieces import UNKNOWN as UNKNOWN
from violencescore.pieces import Pieces, build_pieces, separate_contests

FloatArray = npt.NDArray[np.float64]

SILENT, SPEAKS, NAMES, SET = range(4)
"""Kinds of evidence factor: a channel is silent, it speaks, one piece names an actor, one names a set."""


@dataclass(frozen=True)
class Factors:
    """The distinct things that a channel can be seen to do, each a factor of a pattern's probability.

    ``kind``, ``channel`` and ``argument`` have one entry a factor. The argument of ``NAMES`` is the actor, that
    of ``SET`` an index into ``set_start``: the candidates of set ``s`` are
    ``set_member[set_start[s]:set_start[s + 1]]``, and ``set_channel[s]`` named them.
    """

    kind: IntArray
    channel: IntArray
    argument: IntArray
    set_channel: IntArray
    set_start: IntArray
    set_member: IntArray


@dataclass(frozen=True)
class Patterns:
    """The distinct bodies of evidence on an incident, cells apart.

    The factors of pattern ``p`` that cannot be forged are ``firm[firm_start[p]:firm_start[p + 1]]``; those that
    can are in ``forged`` likewise. ``perpetrator``, ``staged`` and ``framed`` are what an adjudication settled,
    ``UNKNOWN`` where it did not. ``contest`` is the set of candidates that the incident is between, ``UNKNOWN`` where
    there is none; of several sets the smallest, and the others are factors.
    """

    firm_start: IntArray
    firm: IntArray
    forged_start: IntArray
    forged: IntArray
    period: IntArray
    perpetrator: IntArray
    staged: IntArray
    framed: IntArray
    contest: IntArray


@dataclass(frozen=True)
class Groups:
    """The distinct pairs of a cell and a pattern, with the number ``n`` of incidents in each."""

    kind: IntArray
    region: IntArray
    period: IntArray
    pattern: IntArray
    n: IntArray


@dataclass(frozen=True)
class Profiles:
    """The distinct pairs of a group and a set of harms, with the number ``n`` of incidents in each.

    The harms of profile ``f`` are the slice ``start[f]:start[f + 1]`` of ``category``, ``low``, ``best``, ``high``.
    """

    group: IntArray
    n: IntArray
    start: IntArray
    category: IntArray
    low: IntArray
    best: IntArray
    high: IntArray


@dataclass(frozen=True)
class Design:
    """All that the model and the scores need to know of an assessment.

    Attributes
    ----------
    actors
        Ids of the organizations in file order, then ``other``.
    rankable
        Which organizations may be ranked (length: organizations).
    categories, kinds
        Labels of the scoring categories; those of them that some incident is of, in the same order.
    regions, periods, channels
        Labels; only what occurs.
    forgeable, candidates
        By channel: a rival can forge what it says; it names a set.
    other_is_named
        Some evidence names ``other``.
    days
        Length of each period, days.
    incident_group, incident_id
        Group of each incident, and its id.
    """

    actors: tuple[str, ...]
    rankable: npt.NDArray[np.bool_]
    categories: tuple[str, ...]
    kinds: tuple[str, ...]
    regions: tuple[str, ...]
    periods: tuple[str, ...]
    channels: tuple[str, ...]
    forgeable: npt.NDArray[np.bool_]
    candidates: npt.NDArray[np.bool_]
    accuracy: FloatArray
    staging: FloatArray
    other_is_named: bool
    days: FloatArray
    factors: Factors
    patterns: Patterns
    groups: Groups
    profiles: Profiles
    incident_id: pd.Index
    incident_group: IntArray

    @property
    def organizations(self) -> tuple[str, ...]:
        """Ids of the organizations: the actors without ``other``."""
        return self.actors[:-1]

    @property
    def n_incidents(self) -> int:
        """Number of incidents in baseline and window."""
        return len(self.incident_id)

    @property
    def engages(self) -> bool:
        """Whether some incident lies between two candidates or more."""
        return bool((self.patterns.contest != UNKNOWN).any())

    @property
    def stages(self) -> bool:
        """Whether a false flag could show: a forgeable channel speaks, or an adjudication settles one."""
        return bool(self.forgeable.any() or (self.patterns.staged != UNKNOWN).any())


def build_design(assessment: Assessment) -> Design:
    """Turn an assessment into cells, patterns, groups and profiles.

    Raises
    ------
    InputError
        If no incident lies in the window, or ``other`` stands in a candidate set.
    """
    methodology = assessment.methodology
    incidents = assessment.incidents
    window = methodology.window
    if window is None or not (incidents["period"] == WINDOW).any():
        raise InputError([Fault("incidents", "at least one incident with a harm that counts must lie in the window")])
    actors = (*assessment.organizations["organization_id"].tolist(), OTHER)
    periods = tuple(p for p in PERIODS if p == WINDOW or window.baseline_start is not None)
    days = {WINDOW: (window.end - window.start).days + 1.0}
    if window.baseline_start is not None:
        days[BASELINE] = float((window.start - window.baseline_start).days)

    n_incidents = len(incidents)
    rows = _incident_rows(assessment)
    harms = _harms(assessment, rows["harms"])
    kind_codes, kinds = _kinds(harms, n_incidents, methodology.category_labels)
    region_codes, regions = pd.factorize(incidents["region"], sort=True)
    period_codes = places(incidents["period"], periods)
    settled = _settled(assessment, rows["adjudications"], n_incidents, actors)

    stated = places(assessment.evidence["channel"], tuple(methodology.channels))
    spoken, channel_codes = compress(stated, len(methodology.channels))
    channels = tuple(c for c, speaks in zip(methodology.channels, spoken, strict=True) if speaks)
    forgeable = np.array([methodology.channels[c].forgeable for c in channels], dtype=bool)
    several = np.array([methodology.channels[c].candidates for c in channels], dtype=bool)
    pieces = build_pieces(assessment.evidence, rows["evidence"], channel_codes, several, actors)
    pieces, contest = separate_contests(pieces, n_incidents)
    factors = _factors(pieces, len(channels))
    heard = _heard(assessment, rows["reports"], channels)
    pattern_codes, patterns = _patterns(pieces, factors, forgeable, period_codes, settled, contest, heard)

    group_codes, groups = unique_rows(kind_codes, region_codes, period_codes, pattern_codes)
    return Design(
        actors=actors,
        rankable=assessment.organizations["rankable"].to_numpy(dtype=bool),
        categories=tuple(methodology.category_labels),
        kinds=kinds,
        regions=tuple(str(r) for r in regions),
        periods=periods,
        channels=channels,
        forgeable=forgeable,
        candidates=several,
        accuracy=np.array([methodology.channels[c].accuracy for c in channels], dtype=float).reshape(-1, 2),
        staging=np.array([getattr(methodology.false_flag, p) for p in periods], dtype=float),
        other_is_named=bool((pieces.actor == len(actors) - 1).any()),
        days=np.array([days[p] for p in periods]),
        factors=factors,
        patterns=patterns,
        groups=_groups(group_codes, groups),
        profiles=_profiles(harms, group_codes),
        incident_id=pd.Index(incidents["incident_id"], name=None),
        incident_group=group_codes,
    )


def _groups(codes: IntArray, rows: IntArray) -> Groups:
    kind, region, period, pattern = (ints(column) for column in rows.T)
    return Groups(kind, region, period, pattern, ints(np.bincount(codes, minlength=len(rows))))


@dataclass(frozen=True)
class _Harms:
    incident: AnyInts
    category: AnyInts
    low: IntArray
    best: IntArray
    high: IntArray


def _incident_rows(assessment: Assessment) -> dict[str, Codes]:
    """Row of the incident of each harm, evidence, adjudication and report."""
    names = ("harms", "evidence", "adjudications", "reports")
    ids = [getattr(assessment, name)["incident_id"] for name in names]
    codes, _ = encode(*ids, known=assessment.incidents["incident_id"])
    return dict(zip(names, codes, strict=True))


def _harms(assessment: Assessment, incident: Codes) -> _Harms:
    table = assessment.harms
    category = places(table["category"], assessment.methodology.category_labels)
    return _Harms(incident, category, *(ints(table[column]) for column in ("low", "best", "high")))


def _kinds(harms: _Harms, n_incidents: int, labels: Sequence[str]) -> tuple[IntArray, tuple[str, ...]]:
    """Kind of each incident: the first of its categories in the order of the methodology."""
    first = np.full(n_incidents, len(labels), dtype=np.int64)
    np.minimum.at(first, harms.incident, harms.category)
    present, codes = compress(first, len(labels))
    return codes, tuple(label for label, there in zip(labels, present, strict=True) if there)


def _settled(assessment: Assessment, rows: Codes, n_incidents: int, actors: tuple[str, ...]) -> IntArray:
    """What adjudications settled, (incident, 3): perpetrator, staged, framed; ``UNKNOWN`` elsewhere."""
    settled = np.full((n_incidents, 3), UNKNOWN, dtype=np.int64)
    table = assessment.adjudications
    if len(table):
        settled[rows, 0] = places(table["organization_id"], actors)
        flag = table["false_flag"].astype("object")
        settled[rows, 1] = np.where(flag.isna(), UNKNOWN, flag.eq(True).astype(np.int64))
        framed = places(table["framed_id"], actors)
        settled[rows, 2] = framed
        settled[rows, 1] = np.where(framed != UNKNOWN, 1, settled[rows, 1])
    return settled


def _heard(assessment: Assessment, reported: Codes, channels: tuple[str, ...]) -> npt.NDArray[np.bool_]:
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


def _factors(pieces: Pieces, n_channels: int) -> Factors:
    channels = np.arange(n_channels)
    names = pieces.actor != UNKNOWN
    _, named = unique_rows(pieces.channel[names], pieces.actor[names])
    named = named[np.lexsort(named.T[::-1])]
    n_sets = len(pieces.set_channel)
    sizes = (n_channels, n_channels, len(named), n_sets)
    return Factors(
        kind=np.repeat(np.array([SILENT, SPEAKS, NAMES, SET], dtype=np.int64), sizes),
        channel=ints(np.concatenate([channels, channels, named[:, 0], pieces.set_channel])),
        argument=ints(np.concatenate([channels, channels, named[:, 1], np.arange(n_sets)])),
        set_channel=ints(pieces.set_channel),
        set_start=pieces.set_start,
        set_member=pieces.set_member,
    )


def _patterns(
    pieces: Pieces,
    factors: Factors,
    forgeable: npt.NDArray[np.bool_],
    period: AnyInts,
    settled: IntArray,
    contest: IntArray,
    heard: npt.NDArray[np.bool_],
) -> tuple[IntArray, Patterns]:
    """Distinct evidence patterns; and the pattern of each incident.

    ``heard`` is false where the silence of a channel says nothing (incident, channel).
    """
    n_channels, n_incidents = len(forgeable), len(period)
    is_name = factors.kind == NAMES
    n_named = int(is_name.sum())
    named = np.full((n_channels, factors.argument[is_name].max(initial=0) + 1), UNKNOWN, dtype=np.int64)
    named[factors.channel[is_name], factors.argument[is_name]] = 2 * n_channels + np.arange(n_named)
    factor = np.where(pieces.set == UNKNOWN, named[pieces.channel, pieces.actor], 2 * n_channels + n_named + pieces.set)

    keys = multiset_keys(pieces.incident, factor, n_incidents)
    tied = ~heard.all(axis=0)
    codes, rows = unique_rows(*keys, period, *settled.T, contest, *heard[:, tied].T.astype(np.int8))
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
    asked[:, tied] &= speaks[:, tied] | (rows[:, 7:] > 0)
    at, channel = np.nonzero(asked)
    entry_pattern = np.concatenate([at, piece_pattern[kept]])
    entry_factor = np.concatenate([channel + n_channels * speaks[at, channel], factor[kept]])
    order = np.lexsort((entry_factor, entry_pattern))
    entry_pattern, entry_factor = ints(entry_pattern[order]), ints(entry_factor[order])
    can_forge = forgeable[factors.channel[entry_factor]] if n_channels else np.empty(0, dtype=bool)
    return codes, Patterns(
        firm_start=starts(entry_pattern[~can_forge], n_patterns),
        firm=entry_factor[~can_forge],
        forged_start=starts(entry_pattern[can_forge], n_patterns),
        forged=entry_factor[can_forge],
        period=ints(rows[:, 2]),
        perpetrator=ints(rows[:, 3]),
        staged=ints(rows[:, 4]),
        framed=ints(rows[:, 5]),
        contest=ints(rows[:, 6]),
    )


def _profiles(harms: _Harms, group: IntArray) -> Profiles:
    """Distinct pairs of a group and a set of harms; incidents without harms have none."""
    harm_codes, harm_rows = unique_rows(harms.category, harms.low, harms.best, harms.high)
    keys = multiset_keys(harms.incident, harm_codes, len(group))
    codes, rows = unique_rows(*keys, group)
    example = first_rows(codes)
    profile_of = np.full(len(group), UNKNOWN, dtype=np.int64)
    profile_of[example] = np.arange(len(example))
    kept = np.flatnonzero(profile_of[harms.incident] != UNKNOWN)
    owner = profile_of[harms.incident[kept]]
    chosen = harm_rows[harm_codes[kept[np.lexsort((harms.category[kept], owner))]]]
    return Profiles(
        group=ints(rows[:, 2]),
        n=np.bincount(codes, minlength=len(example)).astype(np.int64),
        start=starts(owner, len(example)),
        category=ints(chosen[:, 0]),
        low=ints(chosen[:, 1]),
        best=ints(chosen[:, 2]),
        high=ints(chosen[:, 3]),
    )
