"""Attacks carried out: a simulated world becomes the same world attacked.

The incidents are the same, and so is the evidence on all that an attack leaves alone, so that the two can be compared
world by world. All attacks act in the window, on as many incidents as they may; what they change of the truth they
change there too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import timedelta

import numpy as np
import pandas as pd

from violencescore.calibration.refits import weigh
from violencescore.methodology import Window
from violencescore.robustness.adversaries import Attack, Delayer, Splitter, Stager, Suppressor
from violencescore.robustness.frozen_rule import Scene
from violencescore.simulation.worlds import PRESS

FACTION = "-faction"
"""Put behind the id of an organization that split."""
STALE = 0.5
"""Chance that evidence on the faction's incidents still gives the old name."""
_AWAY_DAYS = 7
_REGIONS: Mapping[str, int] = {"one region": 1, "three regions": 3}
_TABLES = ("harms", "evidence", "adjudications", "reports")


def guilty_of(truth: Mapping[str, float]) -> str:
    """Return who has the highest true score; of several the first by id."""
    return min(truth, key=lambda key: (-truth[key], key))


def attacked(scene: Scene, attack: Attack, truth: Mapping[str, float]) -> tuple[Scene, int]:
    """Return a world after the attack of its most violent organization, and how many incidents it touched.

    Parameters
    ----------
    truth
        True score of each organization, which says who attacks and whom it would frame.
    """
    rng = np.random.default_rng([7, scene.seed])
    own = _own_incidents(scene, guilty_of(truth))
    match attack:
        case Stager():
            return _stage(scene, attack, own, truth, rng)
        case Suppressor():
            return _suppress(scene, attack, own, rng)
        case Splitter():
            return _split(scene, attack, own, guilty_of(truth), rng)
        case Delayer():
            return _delay(scene, attack, own)


def _own_incidents(scene: Scene, guilty: str) -> pd.DataFrame:
    """Return the window's incidents of an organization: incident_id, date, region, weight of its true harm."""
    window = _window(scene)
    truth = scene.simulation.truth_incidents
    mine = truth.loc[truth["organization_id"] == guilty, "incident_id"]
    incidents = scene.simulation.tables["incidents"]
    inside = incidents["date"].between(str(window.start), str(window.end)) & incidents["incident_id"].isin(mine)
    harms = scene.simulation.truth_harms
    weight = weigh(harms, scene.methodology).groupby(harms["incident_id"]).sum()
    own = incidents.loc[inside, ["incident_id", "date", "region"]]
    return own.assign(weight=own["incident_id"].map(weight).fillna(0.0)).reset_index(drop=True)


def _window(scene: Scene) -> Window:
    window = scene.methodology.window
    if window is None:
        raise ValueError("a scene without a window cannot be attacked")
    return window


def _chosen(own: pd.DataFrame, which: str, n: int, rng: np.random.Generator) -> pd.Series:
    """Return the ids of n incidents: at random, the heaviest, or the last; equal ones at random."""
    shuffled = own.iloc[rng.permutation(len(own))]
    if which in ("heaviest", "last"):
        shuffled = shuffled.sort_values("weight" if which == "heaviest" else "date", ascending=False, kind="stable")
    return shuffled["incident_id"].iloc[:n]


def _number(share: float, own: pd.DataFrame) -> int:
    return round(share * len(own))


def _changed(
    scene: Scene,
    tables: Mapping[str, pd.DataFrame],
    truth_incidents: pd.DataFrame | None = None,
    truth_harms: pd.DataFrame | None = None,
) -> Scene:
    old = scene.simulation
    new = dataclasses.replace(
        old,
        tables={**old.tables, **tables},
        truth_incidents=old.truth_incidents if truth_incidents is None else truth_incidents,
        truth_harms=old.truth_harms if truth_harms is None else truth_harms,
    )
    return dataclasses.replace(scene, simulation=new)


def _stage(
    scene: Scene, attack: Stager, own: pd.DataFrame, truth: Mapping[str, float], rng: np.random.Generator
) -> tuple[Scene, int]:
    order = sorted(truth, key=lambda key: (-truth[key], key))
    rivals = order[1:] if attack.victim == "everyone" else order[{"second": 1, "third": 2}[attack.victim] :][:1]
    done = scene.simulation.truth_incidents
    free = own[~own["incident_id"].isin(done.loc[done["false_flag"] == "true", "incident_id"])]
    ids = _chosen(free, attack.which, _number(attack.share, own), rng)
    if not rivals or ids.empty:
        return scene, 0
    framed = pd.Series([rivals[i % len(rivals)] for i in range(len(ids))], index=ids.to_numpy())
    forgeable = [name for name, channel in scene.methodology.channels.items() if channel.forgeable]
    evidence = scene.simulation.tables["evidence"]
    turned = (
        evidence["incident_id"].isin(ids)
        & evidence["channel"].isin(forgeable)
        & (evidence["organization_id"] == order[0])
    )
    named = evidence["organization_id"].mask(turned, evidence["incident_id"].map(framed))
    evidence = evidence.assign(organization_id=named)
    if attack.means == "claims" and forgeable:
        evidence = pd.concat([evidence, _forged(framed, "claim" if "claim" in forgeable else forgeable[0])])
    tables = {"evidence": evidence.reset_index(drop=True)}
    if "adjudications" in scene.simulation.tables:
        tables["adjudications"] = _as_staged(scene.simulation.tables["adjudications"], framed)
    return _changed(scene, tables, truth_incidents=_as_staged(scene.simulation.truth_incidents, framed)), len(ids)


def _forged(framed: pd.Series, channel: str) -> pd.DataFrame:
    """Return a message in the name of each victim, one an incident."""
    return pd.DataFrame(
        {
            "incident_id": framed.index,
            "channel": channel,
            "organization_id": framed.to_numpy(),
            "origin": [f"forged-{i}" for i in range(len(framed))],
            "source_id": "S1",
        }
    )


def _as_staged(table: pd.DataFrame, framed: pd.Series) -> pd.DataFrame:
    """Mark incidents as staged: what a court that settles them finds."""
    staged = table["incident_id"].isin(framed.index)
    whom = table["framed_id"].mask(staged, table["incident_id"].map(framed))
    return table.assign(false_flag=table["false_flag"].mask(staged, "true"), framed_id=whom)


def _suppress(scene: Scene, attack: Suppressor, own: pd.DataFrame, rng: np.random.Generator) -> tuple[Scene, int]:
    n = _number(attack.share, own)
    if attack.where == "own":
        ids = _chosen(own, "heaviest", n, rng)
    else:
        strongest = own.groupby("region")["weight"].sum().sort_values(ascending=False, kind="stable")
        window, incidents = _window(scene), scene.simulation.tables["incidents"]
        there = incidents["region"].isin(strongest.index[: _REGIONS[attack.where]])
        ids = _chosen(incidents[there & incidents["date"].between(str(window.start), str(window.end))], "any", n, rng)
    tables = scene.simulation.tables
    if attack.what == "record":
        names = ("incidents", *(name for name in _TABLES if name in tables))
        return _changed(scene, {name: _without(tables[name], ids) for name in names}), len(ids)
    lost = tables["evidence"]["incident_id"].isin(ids)
    if attack.what == "press":
        lost &= tables["evidence"]["channel"] == PRESS
    return _changed(scene, {"evidence": tables["evidence"][~lost].reset_index(drop=True)}), len(ids)


def _without(table: pd.DataFrame, ids: pd.Series) -> pd.DataFrame:
    return table[~table["incident_id"].isin(ids)].reset_index(drop=True)


def _split(
    scene: Scene, attack: Splitter, own: pd.DataFrame, guilty: str, rng: np.random.Generator
) -> tuple[Scene, int]:
    born = _window(scene).start + timedelta(days=attack.day)
    later = own[own["date"] >= str(born)]
    n = _number(attack.share, own)
    if attack.which == "regions":
        sizes = later["region"].value_counts(ascending=True)
        ids = later.loc[later["region"].isin(sizes.index[sizes.cumsum() <= n]), "incident_id"]
    else:
        ids = _chosen(later, "any", n, rng)
    if ids.empty:
        return scene, 0
    faction, simulation = f"{guilty}{FACTION}", scene.simulation
    old = simulation.tables["organizations"]
    name = old.loc[old["organization_id"] == guilty, "name"].iloc[0]
    newborn = {"organization_id": faction, "name": f"{name}, faction", "parent_id": guilty, "active_from": str(born)}
    organizations = pd.concat([old, pd.DataFrame([newborn])], ignore_index=True).fillna("")
    evidence = simulation.tables["evidence"]
    known = evidence["incident_id"].isin(ids) & (evidence["organization_id"] == guilty)
    # Copies repeat one another: all rows of one origin give the old name, or none does.
    pieces = evidence["incident_id"] + "\0" + evidence["origin"]
    fresh = {piece for piece in pieces[known].unique() if rng.random() >= STALE}
    renamed = known & pieces.isin(fresh)
    tables = {"organizations": organizations}
    tables["evidence"] = evidence.assign(organization_id=evidence["organization_id"].mask(renamed, faction))
    if "adjudications" in simulation.tables:
        tables["adjudications"] = _given_to(simulation.tables["adjudications"], ids, faction)
    after = _changed(
        scene,
        tables,
        truth_incidents=_given_to(simulation.truth_incidents, ids, faction),
        truth_harms=_given_to(simulation.truth_harms, ids, faction),
    )
    if not scene.revenue.empty:
        after = _with_shared_revenue(after, guilty, faction, len(ids) / len(own))
    return after, len(ids)


def _given_to(table: pd.DataFrame, ids: pd.Series, faction: str) -> pd.DataFrame:
    return table.assign(organization_id=table["organization_id"].mask(table["incident_id"].isin(ids), faction))


def _with_shared_revenue(scene: Scene, guilty: str, faction: str, share: float) -> Scene:
    """Give the faction its share of revenue, in truth and in every estimate."""
    revenue = scene.revenue.copy()
    revenue[faction] = share * revenue[guilty]
    revenue[guilty] *= 1 - share
    table = scene.simulation.tables["revenue"]
    amounts = ["best", "low", "high"]
    is_old = table["organization_id"] == guilty
    new = table[is_old].assign(organization_id=faction)
    new[amounts] *= share
    table = table.copy()
    table.loc[is_old, amounts] *= 1 - share
    changed = _changed(scene, {"revenue": pd.concat([table, new], ignore_index=True)})
    return dataclasses.replace(changed, revenue=revenue)


def _delay(scene: Scene, attack: Delayer, own: pd.DataFrame) -> tuple[Scene, int]:
    window = _window(scene)
    ids = _chosen(own, attack.which, _number(attack.share, own), np.random.default_rng([8, scene.seed]))
    day = (
        window.end + timedelta(days=_AWAY_DAYS)
        if attack.where == "after"
        else window.start - timedelta(days=_AWAY_DAYS)
    )
    moved = _moved(scene.simulation.tables["incidents"], ids, str(day))
    return _changed(scene, {"incidents": moved}, truth_harms=_moved(scene.simulation.truth_harms, ids, str(day))), len(
        ids
    )


def _moved(table: pd.DataFrame, ids: pd.Series, day: str) -> pd.DataFrame:
    return table.assign(date=table["date"].mask(table["incident_id"].isin(ids), day))


def unit_of(organization: str) -> str:
    """Return the organization to which a faction belongs; any other is its own."""
    return organization.removesuffix(FACTION)
