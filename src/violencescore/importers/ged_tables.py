"""Events of UCDP GED -> the tables of an assessment, by the rules of `violencescore.importers.ged`.

An event gives one incident for each set of possible killers among its dead, since an incident has one
true perpetrator: ``a`` (side a killed), ``b`` (side b killed), ``ab`` (one of the two did).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from violencescore.importers.ged_file import DEATHS
from violencescore.names import OTHER

type IntArray = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

SOURCE = "ucdp-ged"
UNKNOWN_REGION = "unknown"
CHANNEL = "dyad"
"""One channel: who took part; one name where GED says who killed, several where it does not."""
ONE_SIDED = 3
"""``type_of_violence`` of an attack by side a on civilians."""

_CIVILIANS = "civilians"
_GOVERNMENT = re.compile(r"government of ", re.IGNORECASE)
_DUMMY = re.compile(r"xxx", re.IGNORECASE)
_LETTERS = np.array(["a", "b", "ab"])
_SEVERAL_KILLERS = np.array([1, 0, 2, 2])
"""Place in _LETTERS of who killed deaths_a, deaths_b, deaths_civilians and deaths_unknown: side a's dead are side
b's doing; civilians and unknown dead may be either's."""
_ONE_KILLER = np.array([1, 0, 0, 0])
"""The same for one-sided violence: civilians and unknown dead are side a's doing."""


@dataclass(frozen=True)
class Repaired:
    """Events whose counts agree, and how many did not before.

    Parameters
    ----------
    events
        best is the sum of the four counts of deaths, and low <= best <= high.
    n_unbroken
        Events with a total and no deaths by side: the total was entered as deaths_unknown.
    n_unequal
        Events whose best was not the sum of the deaths by side: the sum was taken.
    n_unordered
        Events whose range did not hold best: it was widened to it.
    """

    events: pd.DataFrame
    n_unbroken: int
    n_unequal: int
    n_unordered: int


@dataclass(frozen=True)
class Tables:
    """The tables of an assessment, and what they leave unsaid.

    Parameters
    ----------
    organizations, incidents, harms, evidence
        As in the assessment folder.
    n_split
        Events that gave more than one incident.
    n_withheld
        Incidents without evidence, as an actor without a name may have done it.
    n_named_deaths
        Deaths (best) of incidents whose evidence names one organization alone.
    twins
        Names of organizations that differ in punctuation or accents only, and were kept apart.
    respelled
        Spellings that differ from another in case only, which was taken in their place.
    """

    organizations: pd.DataFrame
    incidents: pd.DataFrame
    harms: pd.DataFrame
    evidence: pd.DataFrame
    n_split: int
    n_withheld: int
    n_named_deaths: int
    twins: tuple[str, ...]
    respelled: tuple[str, ...]


def build_repaired(events: pd.DataFrame) -> Repaired:
    """Make the counts of each event agree: the deaths by side win over the total, the total over the range."""
    by_side = events[list(DEATHS)].sum(axis=1)
    unbroken = (by_side == 0) & (events["best"] > 0)
    best = by_side.where(~unbroken, events["best"])
    unordered = (events["low"] > best) | (events["high"] < best)
    repaired = events.assign(
        deaths_unknown=events["deaths_unknown"].where(~unbroken, events["best"]),
        best=best,
        low=events["low"].clip(upper=best),
        high=events["high"].clip(lower=best),
    )
    return Repaired(repaired, int(unbroken.sum()), int((best != events["best"]).sum()), int(unordered.sum()))


def build_tables(events: pd.DataFrame) -> Tables:
    """Turn repaired events with a high estimate above zero into tables.

    Parameters
    ----------
    events
        As `build_repaired` returns them; ids are unique.
    """
    events, respelled = _with_one_spelling(events)
    deaths = _build_deaths(events)
    incidents = _build_incidents(events, deaths)
    harms = _build_harms(deaths, incidents)
    names = sorted({name for side in ("side_a", "side_b") for name in _named_members(events[side])})
    ids, twins = build_slugs(names)
    fights = list(zip(incidents["side_a"], incidents["side_b"], incidents["killer"], strict=True))
    sets = {fight: _candidates(*fight) for fight in set(fights)}
    candidates = pd.Series([sets[fight] for fight in fights], index=incidents.index, dtype=object)
    n_candidates = candidates.map(len)
    evidence = (
        incidents.assign(channel=CHANNEL, name=candidates)
        .explode("name")
        .dropna(subset="name")
        .assign(organization_id=lambda rows: rows["name"].map(ids), source_id=SOURCE)
        .assign(origin=lambda rows: SOURCE + ":" + rows["event_id"].astype(str))
    )
    organizations = pd.DataFrame(
        {
            "organization_id": [ids[name] for name in names],
            "name": names,
            "rankable": ["false" if _GOVERNMENT.match(name) else "true" for name in names],
        },
        dtype=str,
    )
    best = harms.groupby("incident_id")["best"].sum().reindex(incidents["incident_id"]).to_numpy()
    return Tables(
        organizations=organizations,
        incidents=incidents[["incident_id", "date_start", "date_end", "region"]],
        harms=harms,
        evidence=evidence[["incident_id", "channel", "organization_id", "origin", "source_id"]],
        n_split=int((incidents["event_id"].value_counts() > 1).sum()),
        n_withheld=int((n_candidates == 0).sum()),
        n_named_deaths=int(best[(n_candidates == 1).to_numpy()].sum()),
        twins=twins,
        respelled=respelled,
    )


def build_slugs(names: Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return an id for each name (lower-case ASCII), and the names that would have shared one.

    Names that would share an id, or have none left, get a few digits of their digest: an id never depends
    on the order of the names.

    Examples
    --------
    >>> build_slugs(["Sinaloa Cartel - Los Chapitos", "Beltrán Leyva Cartel"])[0]["Beltrán Leyva Cartel"]
    'beltran-leyva-cartel'
    """
    slugs = {name: _slug(name) for name in names}
    counts = Counter(slugs.values())
    twins = {name for name, slug in slugs.items() if counts[slug] > 1}
    tagged = {name for name, slug in slugs.items() if name in twins or slug in ("", OTHER)}
    ids = {name: _tagged(name, slug) if name in tagged else slug for name, slug in slugs.items()}
    return ids, tuple(sorted(twins))


def spread(total: IntArray, parts: IntArray) -> IntArray:
    """Spread a whole number over parts in proportion to them, by largest remainder.

    Parameters
    ----------
    total
        (event,); whole numbers, 0 or more.
    parts
        (event, part); whole numbers, 0 or more. Where all parts are zero the last one takes everything.

    Returns
    -------
    array
        (event, part); its rows sum to ``total``. A part of zero gets nothing while another part is not zero,
        and no part gets more than itself while total does not exceed their sum.
    """
    weights = parts.copy()
    weights[parts.sum(axis=1) == 0, -1] = 1
    product = total[:, None] * weights
    sums = weights.sum(axis=1, keepdims=True)
    shares, remainders = product // sums, product % sums
    left = total - shares.sum(axis=1)
    place = np.argsort(np.argsort(-remainders, axis=1, kind="stable"), axis=1, kind="stable")
    return np.asarray(shares + (place < left[:, None]), dtype=np.int64)


# Harms and incidents -----------------------------------------------------------------------------------------


def _build_deaths(events: pd.DataFrame) -> pd.DataFrame:
    """One row per event and kind of dead: event (row number), killer, victim_role, best, low, high."""
    parts = events[list(DEATHS)].to_numpy(np.int64)
    best, low, high = (events[name].to_numpy(np.int64) for name in ("best", "low", "high"))
    lows = parts - spread(best - low, parts)
    highs = parts + spread(high - best, parts)
    one_sided = (events["type_of_violence"] == ONE_SIDED).to_numpy()
    killers = _LETTERS[np.where(one_sided[:, None], _ONE_KILLER, _SEVERAL_KILLERS)]
    roles = np.stack(
        [
            events["side_a"].map(_role_of_side),
            events["side_b"].map(_role_of_side),
            np.full(len(events), "citizen"),
            np.full(len(events), "unknown"),
        ],
        axis=1,
    )
    event, part = np.nonzero(highs > 0)
    at = (event, part)
    columns = {"killer": killers[at], "victim_role": roles[at].astype(str)}
    return pd.DataFrame({"event": event, **columns, "best": parts[at], "low": lows[at], "high": highs[at]})


def _build_incidents(events: pd.DataFrame, deaths: pd.DataFrame) -> pd.DataFrame:
    """One row per event and set of possible killers, in the order of the file."""
    rows = deaths[["event", "killer"]].drop_duplicates().sort_values(["event", "killer"], ignore_index=True)
    source = events.iloc[rows["event"].to_numpy()].reset_index(drop=True)
    alone = ~rows["event"].duplicated(keep=False)
    ids = source["id"].where(alone, source["id"] + "-" + rows["killer"])
    return source.assign(
        event=rows["event"],
        killer=rows["killer"],
        event_id=source["id"],
        incident_id=ids,
        region=_regions(source),
    )


def _build_harms(deaths: pd.DataFrame, incidents: pd.DataFrame) -> pd.DataFrame:
    keys = ["event", "killer", "victim_role"]
    summed = deaths.groupby(keys, as_index=False)[["best", "low", "high"]].sum()
    named = summed.merge(incidents[["event", "killer", "incident_id"]], on=["event", "killer"], validate="m:1")
    return named.assign(element="killing")[["incident_id", "element", "victim_role", "best", "low", "high"]]


def _regions(events: pd.DataFrame) -> pd.Series:
    """Return adm_1, with the country before it where there are several: provinces share names."""
    regions = events["adm_1"].where(events["adm_1"] != "", UNKNOWN_REGION)
    return regions if len(events["country"].unique()) == 1 else events["country"] + ": " + regions


def _role_of_side(side: str) -> str:
    """Return who the dead of a side are; a government's are soldiers, police or officials, which GED does not say."""
    members = _members(side)
    if all(_is_civilians(name) for name in members):
        return "citizen"
    return "unknown" if any(_GOVERNMENT.match(name) for name in members) else "gang_member"


def _with_one_spelling(events: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Write names that differ in case only alike; an assessment compares names without regard to case."""
    sides = {side for name in ("side_a", "side_b") for side in events[name].unique()}
    names = sorted({name for side in sides for name in _members(side)})
    chosen: dict[str, str] = {}
    for name in names:
        chosen.setdefault(name.casefold(), name)
    respelled = tuple(name for name in names if chosen[name.casefold()] != name)
    spelled = {side: ", ".join(chosen[name.casefold()] for name in _members(side)) for side in sides}
    return events.assign(**{name: events[name].map(spelled) for name in ("side_a", "side_b")}), respelled


# Evidence ----------------------------------------------------------------------------------------------------


def _candidates(side_a: str, side_b: str, killer: str) -> tuple[str, ...]:
    """Return who may have killed; nobody where one of them has no name, since the rest would be a wrong set."""
    sides = {"a": (side_a,), "b": (side_b,), "ab": (side_a, side_b)}[killer]
    names = tuple(dict.fromkeys(name for side in sides for name in _members(side)))
    return names if all(_is_named(name) for name in names) else ()


def _members(side: str) -> list[str]:
    """Split an alliance; `` - `` stands inside names such as ``Sinaloa Cartel - Los Chapitos``."""
    return [name.strip() for name in side.split(", ")]


def _named_members(sides: pd.Series) -> Iterable[str]:
    return (name for side in sides.unique() for name in _members(side) if _is_named(name))


def _is_civilians(name: str) -> bool:
    return name.casefold() == _CIVILIANS


def _is_named(name: str) -> bool:
    return name.casefold() not in (_CIVILIANS, OTHER) and _DUMMY.match(name) is None


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def _tagged(name: str, slug: str) -> str:
    return f"{slug or 'organization'}-{hashlib.sha256(name.encode('utf-8')).hexdigest()[:6]}"
