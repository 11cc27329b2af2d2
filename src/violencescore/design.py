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

from violencescore.activity import DAY, build_activity, build_kin, period_bounds
from violencescore.assessment import Assessment
from violencescore.coding import Codes, encode, places
from violencescore.episodes import LINK, NEAR, Nodes, build_forest, build_nodes, count_dispersion, hang_together
from violencescore.errors import Fault, InputError
from violencescore.evidence_patterns import (
    DATE as DATE,
)
from violencescore.evidence_patterns import (
    NAMES as NAMES,
)
from violencescore.evidence_patterns import (
    SET as SET,
)
from violencescore.evidence_patterns import (
    SILENT as SILENT,
)
from violencescore.evidence_patterns import (
    SPEAKS as SPEAKS,
)
from violencescore.evidence_patterns import (
    Around,
    build_factors,
    build_patterns,
    could_speak,
    echo_numbers,
)
from violencescore.evidence_patterns import (
    Factors as Factors,
)
from violencescore.evidence_patterns import (
    Patterns as Patterns,
)
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
from violencescore.names import OTHER, PERIODS, WINDOW
from violencescore.pieces import UNKNOWN as UNKNOWN
from violencescore.pieces import build_pieces, separate_contests
from violencescore.strata import build_rivalry, build_strata

FloatArray = npt.NDArray[np.float64]
NO_KIN = np.empty((0, 2), dtype=np.int64)


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
    echoes
        Beta parameters of the shares of later pieces that only repeat earlier ones, and of the chances with which their
        channels take up what earlier ones speak of (echo, 2).
    echoing
        Names of the channels that have them.
    strata
        Within which the shares of staged incidents differ: the periods, unless the methodology says more.
    staging
        Beta parameters of these shares (stratum, 2).
    rivalry
        What is added to the log odds with which each actor is framed by each (actor, framed).
    days
        Length of each period, days.
    exposure
        Days of each period on which each actor existed (period, actor).
    dated, side, cut
        See ``activity.Activity``.
    kin
        New organizations, and the parents from which they split (pair, 2); ``old_name`` holds the Beta parameters of
        the share in which they are called as before, ``kept`` those of what the parent keeps of its activity.
    nodes
        Incidents that may share their perpetrator with another.
    bonds
        Beta parameters of the probabilities with which they do (bond, 2), and in ``bond_names`` their names.
    count_dispersion
        How many times as much numbers of incidents vary as those of independent ones; 1 where all are taken for such.
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
    echoes: FloatArray
    echoing: tuple[str, ...]
    strata: tuple[str, ...]
    staging: FloatArray
    rivalry: FloatArray
    other_is_named: bool
    days: FloatArray
    exposure: FloatArray
    dated: FloatArray
    side: FloatArray
    cut: FloatArray
    kin: IntArray
    old_name: FloatArray
    kept: FloatArray
    nodes: Nodes
    bonds: FloatArray
    bond_names: tuple[str, ...]
    count_dispersion: float
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


def build_design(assessment: Assessment, *, in_series: bool = True) -> Design:
    """Turn an assessment into cells, patterns, groups and profiles.

    Parameters
    ----------
    in_series
        Whether neighbours in place and time may hang together, where the methodology lets them; linked ones do anyway.

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
    bounds = [period_bounds(window, period) for period in periods]

    n_incidents = len(incidents)
    rows = incident_rows(assessment)
    harms = gather_harms(assessment, rows["harms"])
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
    kin = build_kin(assessment.organizations, bounds[0][0]) if methodology.factions.old_name else NO_KIN
    activity = build_activity(assessment.organizations, incidents, settled[:, 0], period_codes, bounds, kin)
    echoing = tuple(c for c in channels if methodology.channels[c].echoes is not None)
    factors, piece_factors = build_factors(pieces, channels, echoing, len(activity.dated))
    strata = build_strata(methodology, periods, incidents["date_start"], period_codes, kinds, kind_codes)
    heard = could_speak(assessment, rows["reports"], channels)
    around = Around(piece_factors, activity.era, strata.of_incident, settled, contest, heard)
    pattern_codes, patterns = build_patterns(pieces, factors, forgeable, echo_numbers(channels, echoing), around)

    episodes = methodology.episodes
    links = np.column_stack([rows["links"], rows["linked"]]).astype(np.int64)
    repeats = episodes.repeat is not None
    dates = incidents["date_start"]
    parent, decay, linked = build_forest(dates, region_codes, links, episodes.days if repeats and in_series else None)
    bonds = {NEAR: episodes.repeat} if repeats else {}
    bonds |= {LINK: episodes.linked} if linked.any() else {}
    # Whoever hangs together with others is a group of its own.
    own = np.where(hang_together(parent), np.arange(n_incidents), UNKNOWN)
    group_codes, groups = unique_rows(kind_codes, region_codes, period_codes, pattern_codes, own)
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
        echoes=np.array([methodology.channels[c].echoes for c in echoing], dtype=float).reshape(-1, 2),
        echoing=echoing,
        strata=strata.names,
        staging=strata.staging,
        rivalry=build_rivalry(methodology, assessment.rivalries, actors),
        other_is_named=bool((pieces.actor == len(actors) - 1).any()),
        days=np.array([(end - start) / DAY for start, end in bounds]),
        exposure=activity.exposure,
        dated=activity.dated,
        side=activity.side,
        cut=activity.cut,
        kin=kin,
        old_name=np.array(methodology.factions.old_name or (1.0, 1.0)),
        kept=np.array(methodology.factions.kept),
        nodes=build_nodes(group_codes, incidents["date_start"], parent, decay, np.where(linked, len(bonds) - 1, 0)),
        bonds=np.array(list(bonds.values()), dtype=float).reshape(-1, 2),
        bond_names=tuple(bonds),
        count_dispersion=count_dispersion(dates, region_codes, period_codes, bounds) if repeats else 1.0,
        factors=factors,
        patterns=patterns,
        groups=_groups(group_codes, groups),
        profiles=build_profiles(harms, group_codes),
        incident_id=pd.Index(incidents["incident_id"], name=None),
        incident_group=group_codes,
    )


def _groups(codes: IntArray, rows: IntArray) -> Groups:
    kind, region, period, pattern, _ = (ints(column) for column in rows.T)
    return Groups(kind, region, period, pattern, ints(np.bincount(codes, minlength=len(rows))))


@dataclass(frozen=True)
class Harms:
    """Harms by row: incident, category and range of the count."""

    incident: AnyInts
    category: AnyInts
    low: IntArray
    best: IntArray
    high: IntArray


def incident_rows(assessment: Assessment) -> dict[str, Codes]:
    """Row of the incident of each harm, evidence, adjudication, report and link."""
    names = ("harms", "evidence", "adjudications", "reports", "links")
    ids = [getattr(assessment, name)["incident_id"] for name in names]
    codes, _ = encode(*ids, assessment.links["linked_id"], known=assessment.incidents["incident_id"])
    return dict(zip((*names, "linked"), codes, strict=True))


def gather_harms(assessment: Assessment, incident: Codes) -> Harms:
    """Return the harms of an assessment, given the row of the incident of each."""
    table = assessment.harms
    category = places(table["category"], assessment.methodology.category_labels)
    return Harms(incident, category, *(ints(table[column]) for column in ("low", "best", "high")))


def _kinds(harms: Harms, n_incidents: int, labels: Sequence[str]) -> tuple[IntArray, tuple[str, ...]]:
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


def build_profiles(harms: Harms, group: IntArray) -> Profiles:
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
