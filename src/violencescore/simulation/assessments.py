"""A simulated world as the folder of an assessment: its tables, its methodology, and the truth beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from violencescore.methodology import Methodology, shipped_methodology
from violencescore.names import category_label
from violencescore.output import write_folder
from violencescore.simulation.chance import Array, Ints, logistic
from violencescore.simulation.evidence import Evidence, evidence_table, simulate_evidence, texts
from violencescore.simulation.harms import Harms, expected_harms, simulate_harms
from violencescore.simulation.incidents import (
    Flags,
    Incidents,
    draw_days,
    simulate_incidents,
    simulate_reports,
)
from violencescore.simulation.supply import Supply, simulate_supply
from violencescore.simulation.worlds import ANNOUNCED, BASELINE_DAYS, PRESS, WORLDS, World


@dataclass(frozen=True)
class Simulation:
    """A simulated assessment: its tables, its methodology as TOML values, and the truth.

    Attributes
    ----------
    tables
        The tables of the assessment by name: what was recorded.
    truth
        True harm in the window, score and rank, by organization and category; unreported incidents included.
    truth_incidents
        Who did each incident. In some worlds there are more columns: ``reported`` (an incident that is not has an id
        that no table holds) and ``episode``.
    truth_harms
        True count of each harm of either period: incident_id, date, organization_id, element, victim_role, harm.
    truth_expected
        By organization, the score to be expected in the window under the true rates: the estimand ``rate``.
    supply
        In worlds with distribution networks: their tables (among ``tables`` too) and who runs them.
    """

    tables: Mapping[str, pd.DataFrame]
    methodology: str
    truth: pd.DataFrame
    truth_incidents: pd.DataFrame
    truth_harms: pd.DataFrame
    truth_expected: pd.Series
    supply: Supply | None = None


def simulate_world(world: World | str, seed: int, n_incidents: int | None = None) -> Simulation:
    """Draw an assessment and its truth.

    Parameters
    ----------
    world
        A ``World`` or the name of one in ``WORLDS``.
    seed
        Seed of the random generator; the same seed gives the same tables.
    n_incidents
        Expected number of incidents, in place of the world's own.

    Raises
    ------
    ValueError
        If no world has that name.
    """
    if isinstance(world, str):
        if world not in WORLDS:
            raise ValueError(f"no world is named {world!r}: choose among {', '.join(WORLDS)}")
        world = WORLDS[world]
    if n_incidents is not None:
        world = dataclasses.replace(world, n_incidents=n_incidents)
    rng = np.random.default_rng(seed)
    extra = rng.spawn(1)[0]
    methodology = shipped_methodology("kleiman-2011")
    n_kinds = len(methodology.category)
    incidents = simulate_incidents(world, n_kinds, rng, extra)
    listed = simulate_reports(world, incidents, n_kinds, extra) if world.sources else None
    harms = simulate_harms(world, incidents, n_kinds, rng)
    press = [source.press for source in world.sources.values()]
    heard = np.ones(len(incidents.kind), dtype=bool) if listed is None else listed[:, press].any(axis=1)
    evidence = simulate_evidence(world, incidents, heard, rng, extra)
    labels = pd.Series([f"I{i:06d}" for i in range(len(incidents.kind))], dtype="str")
    evidence_rows = evidence_table(world, evidence, labels, rng)
    day = draw_days(world, incidents.period, rng) if incidents.day is None else incidents.day
    tables = {
        "organizations": _organization_table(world, incidents),
        "incidents": _incident_table(world, incidents, labels, day),
        "harms": _harm_table(harms, labels, methodology),
        "evidence": evidence_rows,
    }
    truth_incidents = _truth_incidents(world, incidents, labels)
    if world.adjudicated > 0:
        chance = _adjudication_chance(world, incidents, evidence)
        chosen = rng.random(len(truth_incidents)) < chance
        settled = truth_incidents[["incident_id", "organization_id", "false_flag", "framed_id"]]
        tables["adjudications"] = settled.assign(inclusion_probability=chance)[chosen]
    if listed is not None:
        truth_incidents["reported"] = np.where(listed.any(axis=1), "true", "false")
        tables = _recorded(tables, labels[listed.any(axis=1)]) | {"reports": _report_table(world, listed, labels)}
    supply = simulate_supply(world, extra.spawn(1)[0]) if world.networks else None
    if supply is not None:
        tables |= {"networks": supply.networks, "network_evidence": supply.network_evidence}
    return Simulation(
        tables=tables,
        methodology=_methodology_text(world),
        truth=_truth_table(world, incidents, harms, methodology),
        truth_incidents=truth_incidents,
        truth_harms=_truth_harms(world, incidents, harms, labels, day, methodology),
        truth_expected=pd.Series(
            expected_harms(world, incidents, n_kinds)[:-1] @ methodology.weight_vector,
            index=list(world.ids[:-1]),
            name="expected_score",
        ),
        supply=supply,
    )


def write_simulation(simulation: Simulation, folder: Path) -> None:
    """Write a simulated assessment as a folder, whole or not at all.

    Raises
    ------
    InputError
        If the folder exists and is not empty.
    """
    files = {f"{name}.csv": table for name, table in simulation.tables.items()}
    files["truth.csv"] = simulation.truth
    files["truth_incidents.csv"] = simulation.truth_incidents
    if simulation.supply is not None:
        files["truth_flows.csv"] = simulation.supply.truth
        files["truth_networks.csv"] = simulation.supply.truth_networks
    with write_folder(folder) as staging:
        (staging / "methodology.toml").write_text(simulation.methodology, encoding="utf-8")
        for name, table in files.items():
            table.to_csv(staging / name, index=False)


def _organization_table(world: World, incidents: Incidents) -> pd.DataFrame:
    ids = list(world.ids[:-1])
    table = pd.DataFrame({"organization_id": ids, "name": [i.capitalize() for i in ids]})
    if world.split > 0:
        born = (ANNOUNCED + timedelta(days=world.split_day - BASELINE_DAYS)).isoformat()
        is_faction = table.index == world.n_organizations
        table["parent_id"] = np.where(is_faction, ids[incidents.order[0]], "")
        table["active_from"] = np.where(is_faction, born, "")
    return table


def _incident_table(world: World, incidents: Incidents, labels: pd.Series, day: Ints) -> pd.DataFrame:
    regions = pd.Series([f"R{r + 1:02d}" for r in range(incidents.rate.shape[3])], dtype="str")
    return pd.DataFrame(
        {"incident_id": labels, "date": texts(_days(world), day), "region": texts(regions, incidents.region)}
    )


def _days(world: World) -> pd.Series:
    """Every day of baseline and window, as text."""
    start = ANNOUNCED - timedelta(days=BASELINE_DAYS)
    return pd.Series(
        [(start + timedelta(days=d)).isoformat() for d in range(BASELINE_DAYS + world.window_days)], dtype="str"
    )


def _category_words(methodology: Methodology) -> tuple[pd.Series, pd.Series]:
    element = pd.Series([c.element for c in methodology.category], dtype="str")
    return element, pd.Series([c.victim_role or "" for c in methodology.category], dtype="str")


def _harm_table(harms: Harms, labels: pd.Series, methodology: Methodology) -> pd.DataFrame:
    element, role = _category_words(methodology)
    return pd.DataFrame(
        {
            "incident_id": texts(labels, harms.owner),
            "element": texts(element, harms.category),
            "victim_role": texts(role, harms.category),
            "best": harms.best,
            "low": harms.low,
            "high": harms.high,
        }
    )


def _report_table(world: World, listed: Flags, labels: pd.Series) -> pd.DataFrame:
    incident, source = np.nonzero(listed)
    names = pd.Series(list(world.sources), dtype="str")
    return pd.DataFrame({"incident_id": texts(labels, incident), "source_id": texts(names, source)})


def _recorded(tables: Mapping[str, pd.DataFrame], known: pd.Series) -> dict[str, pd.DataFrame]:
    """Tables without the incidents that nobody listed."""
    return {
        name: table[table["incident_id"].isin(known)].reset_index(drop=True) if "incident_id" in table else table
        for name, table in tables.items()
    }


def _adjudication_chance(world: World, incidents: Incidents, evidence: Evidence) -> Array:
    """Chance that each incident is settled: the same for all, or higher where channels name the right one."""
    n = len(incidents.kind)
    if world.easy == 0:
        return np.full(n, world.adjudicated)
    right = np.zeros((n, len(world.channels)), dtype=bool)
    wrong = right.copy()
    is_right = evidence.named == incidents.perpetrator[evidence.incident]
    right[evidence.incident[is_right], evidence.channel[is_right]] = True
    wrong[evidence.incident[~is_right], evidence.channel[~is_right]] = True
    ease = world.easy * (right.sum(axis=1) - wrong.sum(axis=1))
    from scipy.optimize import brentq

    base = brentq(lambda level: logistic(level + ease).mean() - world.adjudicated, -50.0, 50.0)
    return logistic(base + ease)


def _truth_incidents(world: World, incidents: Incidents, labels: pd.Series) -> pd.DataFrame:
    names = pd.Series([*world.ids, ""], dtype="str")
    nobody = len(world.ids)
    table = pd.DataFrame(
        {
            "incident_id": labels,
            "organization_id": texts(names, incidents.perpetrator),
            "false_flag": np.where(incidents.staged, "true", "false"),
            "framed_id": texts(names, np.where(incidents.framed < 0, nobody, incidents.framed)),
        }
    )
    return table.assign(episode=incidents.episode) if world.episode > 1 else table


def _truth_harms(
    world: World, incidents: Incidents, harms: Harms, labels: pd.Series, day: Ints, methodology: Methodology
) -> pd.DataFrame:
    element, role = _category_words(methodology)
    return pd.DataFrame(
        {
            "incident_id": texts(labels, harms.owner),
            "date": texts(_days(world), day[harms.owner]),
            "organization_id": texts(pd.Series(world.ids, dtype="str"), incidents.perpetrator[harms.owner]),
            "element": texts(element, harms.category),
            "victim_role": texts(role, harms.category),
            "harm": harms.true,
        }
    )


def _truth_table(world: World, incidents: Incidents, harms: Harms, methodology: Methodology) -> pd.DataFrame:
    ids, n_kinds = world.ids, len(methodology.category)
    inside = incidents.period[harms.owner] == 1
    at = incidents.perpetrator[harms.owner] * n_kinds + harms.category
    total = np.bincount(at[inside], weights=harms.true[inside], minlength=len(ids) * n_kinds)
    counts = total.reshape(len(ids), n_kinds).astype(np.int64)
    rows = [
        (ids[k], c.element, c.victim_role or "", int(counts[k, i]))
        for k in range(len(ids) - 1)
        for i, c in enumerate(methodology.category)
    ]
    table = pd.DataFrame(rows, columns=["organization_id", "element", "victim_role", "harm"])
    weights = {category_label(c.element, c.victim_role): c.weight for c in methodology.category}
    labels = [category_label(e, r or None) for e, r in zip(table["element"], table["victim_role"], strict=True)]
    weighted = table["harm"] * [weights[label] for label in labels]
    score = weighted.groupby(table["organization_id"]).transform("sum")
    by_organization = score.groupby(table["organization_id"]).first()
    rank = by_organization.rank(ascending=False, method="average")
    return table.assign(score=score, rank=table["organization_id"].map(rank))


def _methodology_text(world: World) -> str:
    """The methodology of a simulated assessment, as TOML text."""
    lines = [
        'extends = "kleiman-2011"',
        'id = "simulated"',
        'version = "1.0.0"',
        'title = "A simulated assessment: fictional organizations, known truth"',
        "fictional = true",
        "",
        "[window]",
        f"announced = {ANNOUNCED}",
        f"start = {ANNOUNCED}",
        f"end = {ANNOUNCED + timedelta(days=world.window_days - 1)}",
        f"baseline_start = {ANNOUNCED - timedelta(days=BASELINE_DAYS)}",
    ]
    if world.doubts:
        lines += ["", *world.doubts]
    known = shipped_methodology("kleiman-2011").channels
    press = ", ".join(f'"{name}"' for name, source in world.sources.items() if source.press)
    for name in known:
        own = ["echoes = [1, 4]"] if name in world.echo_doubts else []
        own += [f"sources = [{press}]"] if name == PRESS and press else []
        lines += ["", f"[channels.{name}]", *own] if own else []
    for name, channel in world.channels.items():
        if name not in known:
            forgeable, candidates = (str(flag).lower() for flag in (channel.forgeable, channel.candidates))
            lines += ["", f"[channels.{name}]", f"forgeable = {forgeable}", f"candidates = {candidates}"]
            lines += ["accuracy = [40, 1]"]
    return "\n".join(lines) + "\n"
