"""Worlds with known truth: assessments drawn from the model as written, in NumPy and apart from the model's code.

``simulate_world`` draws who did what, then what each channel says of it; ``write_simulation`` leaves an assessment
that any command reads, beside the truth. Nothing of the model's own code is used, so that agreement means something.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd

from violencescore.methodology import Methodology, shipped_methodology
from violencescore.names import OTHER, category_label
from violencescore.output import write_folder

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ANNOUNCED = date(2026, 7, 1)
WINDOW_DAYS = 56
BASELINE_DAYS = 181
_NAMES = (
    "Amber", "Basalt", "Cobalt", "Dolomite", "Emerald", "Flint", "Garnet", "Hematite", "Indigo", "Jade", "Kyanite",
    "Lapis", "Malachite", "Nickel", "Onyx", "Pyrite", "Quartz", "Ruby", "Sapphire", "Topaz", "Umber", "Vanadium",
    "Wolfram", "Zircon",
)  # fmt: skip


@dataclass(frozen=True)
class ChannelWorld:
    """How one channel behaves: its mean reach, its accuracy, and how uneven its notoriety is (log sd)."""

    reach: float
    accuracy: float
    fame: float = 1.0
    forgeable: bool = False
    candidates: bool = False


_CHANNELS: Mapping[str, ChannelWorld] = MappingProxyType(
    {
        "claim": ChannelWorld(0.15, 0.80, forgeable=True),
        "press": ChannelWorld(0.45, 0.60, forgeable=True),
        "modus_operandi": ChannelWorld(0.20, 0.60, forgeable=True),
        "ballistics": ChannelWorld(0.12, 0.90),
        "intelligence": ChannelWorld(0.20, 0.80),
    }
)


@dataclass(frozen=True)
class World:
    """Settings of a simulated world; scales are standard deviations on the log or logit scale.

    Attributes
    ----------
    n_organizations, n_regions, n_incidents
        Sizes; incidents over baseline and window together, on average.
    rate_scale, kind_scale, presence_scale, reach_scale
        How much organizations differ in level, by kind, by region, and in what channels hear of them.
    staged
        Staged share of the incidents in (baseline, window).
    staged_scale, target_scale
        How much the staged share and the targets differ between organizations.
    framed
        Share of its incidents that one organization stages as one rival's, in both periods; 0 for nobody.
    hidden
        What is taken from the logit of the reach of all channels for the most violent organization.
    famous
        What is added to the log notoriety of one organization that is not the most violent.
    adjudicated
        Share of incidents settled by a court, chosen at random.
    ranged
        Share of harms whose count is known as a range.
    """

    n_organizations: int = 6
    n_regions: int = 8
    n_incidents: int = 1500
    rate_scale: float = 0.8
    kind_scale: float = 0.5
    presence_scale: float = 1.5
    reach_scale: float = 0.8
    staged: tuple[float, float] = (0.02, 0.06)
    staged_scale: float = 1.0
    target_scale: float = 2.0
    framed: float = 0.0
    hidden: float = 0.0
    famous: float = 0.0
    adjudicated: float = 0.06
    ranged: float = 0.2
    channels: Mapping[str, ChannelWorld] = _CHANNELS


WORLDS: Mapping[str, World] = MappingProxyType(
    {
        "plain": World(),
        "famous": World(famous=2.0),
        "staged": World(staged=(0.05, 0.25)),
        "framed": World(framed=0.35),
        "hidden": World(hidden=2.0),
        "demo": World(n_incidents=600, famous=1.8, hidden=1.0, adjudicated=0.10, staged=(0.03, 0.12)),
        "dyads": World(adjudicated=0.0, channels={"dyad": ChannelWorld(0.9, 0.98, candidates=True)}),
    }
)
"""The simulator's worlds by name."""


@dataclass(frozen=True)
class Simulation:
    """A simulated assessment: its tables, its methodology as TOML values, and the truth."""

    tables: Mapping[str, pd.DataFrame]
    methodology: str
    truth: pd.DataFrame
    truth_incidents: pd.DataFrame


@dataclass(frozen=True)
class _Incidents:
    """Who did what: perpetrator (index; the last is ``other``), kind, region, period, staged, framed (-1: nobody)."""

    perpetrator: Ints
    kind: Ints
    region: Ints
    period: Ints
    staged: npt.NDArray[np.bool_]
    framed: Ints
    order: Ints


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
    methodology = shipped_methodology("kleiman-2011")
    incidents = _simulate_incidents(world, methodology, rng)
    ids = _ids(world)
    harms, harm_truth = _simulate_harms(world, methodology, incidents, rng)
    harm_truth = harm_truth[harm_truth["period"] == 1]
    evidence = _simulate_evidence(world, incidents, rng)
    tables = {
        "organizations": pd.DataFrame({"organization_id": ids[:-1], "name": [i.capitalize() for i in ids[:-1]]}),
        "incidents": _incident_table(incidents, rng),
        "harms": harms,
        "evidence": evidence.assign(organization_id=[ids[i] for i in evidence["organization_id"]]),
    }
    staged_as = np.array([*ids, ""], dtype=object)[incidents.framed]
    truth_incidents = pd.DataFrame(
        {
            "incident_id": tables["incidents"]["incident_id"],
            "organization_id": [ids[i] for i in incidents.perpetrator],
            "false_flag": np.where(incidents.staged, "true", "false"),
            "framed_id": staged_as,
        }
    )
    if world.adjudicated > 0:
        chosen = rng.random(len(truth_incidents)) < world.adjudicated
        tables["adjudications"] = truth_incidents[chosen].assign(inclusion_probability=world.adjudicated)
    return Simulation(
        tables=tables,
        methodology=_methodology_text(world),
        truth=_truth_table(harm_truth, ids, methodology),
        truth_incidents=truth_incidents,
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
    with write_folder(folder) as staging:
        (staging / "methodology.toml").write_text(simulation.methodology, encoding="utf-8")
        for name, table in files.items():
            table.to_csv(staging / name, index=False)


def _ids(world: World) -> list[str]:
    rounds = -(-world.n_organizations // len(_NAMES))
    names = [f"{name.lower()}{i or ''}" for i in range(rounds) for name in _NAMES]
    return [*names[: world.n_organizations], OTHER]


def _softmax(logits: Array) -> Array:
    weights: Array = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def _logistic(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


def _choose(probability: Array, rng: np.random.Generator) -> Ints:
    """One draw from each row of probabilities."""
    cumulative = probability.cumsum(axis=-1)
    u = rng.random(len(probability)) * cumulative[:, -1]
    return (u[:, None] > cumulative).sum(axis=-1)


def _simulate_incidents(world: World, methodology: Methodology, rng: np.random.Generator) -> _Incidents:
    n_actors, n_kinds = world.n_organizations + 1, len(methodology.category)
    level = rng.normal(0, 0.8, n_kinds)
    actor = rng.normal(0, world.rate_scale, n_actors)
    kind = rng.normal(0, world.kind_scale, (n_actors, n_kinds))
    shift = rng.normal(0, 0.3, n_actors)
    period = np.array([BASELINE_DAYS, WINDOW_DAYS], dtype=float)
    log_rate = level[None, :, None] + actor[:, None, None] + kind[:, :, None]
    rate = np.exp(log_rate + shift[:, None, None] * np.array([0.0, 1.0])) * period
    rate *= world.n_incidents / rate.sum()
    common = rng.normal(0, 0.8, world.n_regions)
    presence = _softmax(common + rng.normal(0, world.presence_scale, (n_actors, world.n_regions)))
    n = rng.poisson(rate[..., None] * presence[:, None, None, :])
    perpetrator, kinds, periods, regions = (np.repeat(i.ravel(), n.ravel()) for i in np.indices(n.shape))
    order = rng.permutation(len(perpetrator))
    perpetrator, kinds, periods, regions = (x[order] for x in (perpetrator, kinds, periods, regions))

    staged_share = np.clip(world.staged, 1e-12, 1 - 1e-12)
    base = np.log(staged_share) - np.log1p(-staged_share)
    share = _logistic(base[:, None] + rng.normal(0, world.staged_scale, n_actors))
    logits = rng.normal(0, world.target_scale, (n_actors, n_actors))
    np.fill_diagonal(logits, -np.inf)
    target = _softmax(logits)
    ranked = np.argsort(-rate[:-1].sum(axis=(1, 2)))
    if world.framed > 0 and len(ranked) > 2:
        framer, victim = int(ranked[0]), int(ranked[2])
        share[:, framer] = world.framed
        target[framer] = np.eye(n_actors)[victim]
    staged = rng.random(len(perpetrator)) < share[periods, perpetrator]
    framed = np.where(staged, _choose(target[perpetrator], rng), -1)
    return _Incidents(perpetrator, kinds, regions, periods, staged, framed, ranked)


def _incident_table(incidents: _Incidents, rng: np.random.Generator) -> pd.DataFrame:
    n = len(incidents.kind)
    start = ANNOUNCED - timedelta(days=BASELINE_DAYS)
    first = np.where(incidents.period == 0, 0, BASELINE_DAYS)
    day = first + rng.integers(0, np.where(incidents.period == 0, BASELINE_DAYS, WINDOW_DAYS))
    return pd.DataFrame(
        {
            "incident_id": [f"I{i:06d}" for i in range(n)],
            "date": [(start + timedelta(days=int(d))).isoformat() for d in day],
            "region": [f"R{r + 1:02d}" for r in incidents.region],
        }
    )


def _simulate_harms(
    world: World, methodology: Methodology, incidents: _Incidents, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Harm rows as recorded; and the true counts by incident's perpetrator, period and category."""
    n, n_kinds = len(incidents.kind), len(methodology.category)
    second = (rng.random(n) < 0.1) & (incidents.kind < n_kinds - 1)
    later = incidents.kind + 1 + (rng.random(n) * (n_kinds - 1 - incidents.kind)).astype(np.int64)
    owner = np.concatenate([np.arange(n), np.flatnonzero(second)])
    category = np.concatenate([incidents.kind, later[second]])
    best = rng.geometric(0.6, len(owner))
    ranged = rng.random(len(owner)) < world.ranged
    low = np.where(ranged, np.maximum(best - rng.poisson(1.0, len(owner)), 0), best)
    high = np.where(ranged, best + rng.poisson(2.0, len(owner)), best)
    true = _triangular(low, best, high, rng)
    element = np.array([c.element for c in methodology.category], dtype=object)[category]
    role = np.array([c.victim_role or "" for c in methodology.category], dtype=object)[category]
    table = pd.DataFrame(
        {
            "incident_id": [f"I{i:06d}" for i in owner],
            "element": element,
            "victim_role": role,
            "best": best,
            "low": low,
            "high": high,
        }
    )
    order = np.argsort(owner, kind="stable")
    truth = pd.DataFrame(
        {
            "organization": incidents.perpetrator[owner],
            "period": incidents.period[owner],
            "element": element,
            "victim_role": role,
            "harm": true,
        }
    )
    return table.iloc[order], truth.iloc[order]


def _triangular(low: Ints, best: Ints, high: Ints, rng: np.random.Generator) -> Ints:
    """True counts: on [low, high], falling linearly from the mode ``best`` to either side."""
    top = int((high - low).max(initial=0)) + 1
    value = low[:, None] + np.arange(top)
    left = (value - low[:, None] + 1) / (best - low + 1)[:, None]
    right = (high[:, None] - value + 1) / (high - best + 1)[:, None]
    weight = np.where(value <= high[:, None], np.minimum(left, right), 0.0)
    return low + _choose(weight, rng)


def _simulate_evidence(world: World, incidents: _Incidents, rng: np.random.Generator) -> pd.DataFrame:
    n, n_actors = len(incidents.perpetrator), world.n_organizations + 1
    rows = []
    fame = np.zeros(n_actors - 1)
    if world.famous > 0:
        fame[incidents.order[min(2, n_actors - 2)]] = world.famous
    for name, channel in world.channels.items():
        reach = np.log(channel.reach / (1 - channel.reach)) + rng.normal(0, world.reach_scale, n_actors)
        reach[incidents.order[0]] -= world.hidden
        notoriety = _softmax(fame + rng.normal(0, 0.5 if world.famous else channel.fame, n_actors - 1))
        seen = incidents.perpetrator.copy()
        if channel.forgeable:
            seen = np.where(incidents.staged, incidents.framed, seen)
        speaks = np.flatnonzero(rng.random(n) < _logistic(reach)[seen])
        pieces = np.concatenate([speaks, rng.choice(speaks, int(0.15 * len(speaks)), replace=False)])
        if channel.candidates:
            pieces = speaks
            named = _candidate_pairs(world, incidents, channel, pieces, rng)
        else:
            named = _single_names(seen[pieces], channel, notoriety, rng)[:, None]
        origin = np.array([f"{name}-{i}" for i in range(len(pieces))], dtype=object)
        for column in named.T:
            values = {"incident": pieces, "channel": name, "organization_id": column, "origin": origin}
            rows.append(pd.DataFrame(values))
        copied = rng.random(len(pieces)) < 0.2
        rows += [table[copied] for table in rows[-named.shape[1] :]]
    table = pd.concat(rows, ignore_index=True).sort_values(["incident", "channel", "origin"], kind="stable")
    table["source_id"] = [f"S{i}" for i in rng.integers(1, 9, len(table))]
    table.insert(0, "incident_id", [f"I{i:06d}" for i in table["incident"]])
    return table.drop(columns="incident").reset_index(drop=True)


def _single_names(who: Ints, channel: ChannelWorld, notoriety: Array, rng: np.random.Generator) -> Ints:
    n_org = len(notoriety)
    wrong = np.tile(notoriety, (len(who), 1))
    listed = who < n_org
    wrong[np.flatnonzero(listed), who[listed]] = 0.0
    right = listed & (rng.random(len(who)) < channel.accuracy)
    return np.where(right, who, _choose(wrong, rng))


def _candidate_pairs(
    world: World, incidents: _Incidents, channel: ChannelWorld, pieces: Ints, rng: np.random.Generator
) -> Ints:
    """Pairs of candidates: whom an organization meets depends on the pair and on the region."""
    n_org = world.n_organizations
    who, region = incidents.perpetrator[pieces], incidents.region[pieces]
    rivalry = np.triu(rng.normal(0, 1.5, (n_org, n_org)), 1)
    logits = (rivalry + rivalry.T)[:, None, :] + rng.normal(0, 1.0, (world.n_regions, n_org))
    logits[np.arange(n_org), :, np.arange(n_org)] = -np.inf
    met = _softmax(logits)
    right = (who < n_org) & (rng.random(len(who)) < channel.accuracy)
    first = np.where(right, who, 0)
    second = _choose(met[np.minimum(first, n_org - 1), region], rng)
    random = np.argsort(rng.random((len(who), n_org)) + (np.arange(n_org) == who[:, None]), axis=1)[:, :2]
    pair = np.where(right[:, None], np.column_stack([first, second]), random)
    return np.sort(pair, axis=1)


def _truth_table(harms: pd.DataFrame, ids: list[str], methodology: Methodology) -> pd.DataFrame:
    weights = {category_label(c.element, c.victim_role): c.weight for c in methodology.category}
    counts = harms.groupby(["organization", "element", "victim_role"])["harm"].sum()
    rows = [
        (ids[k], c.element, c.victim_role or "", int(counts.get((k, c.element, c.victim_role or ""), 0)))
        for k in range(len(ids) - 1)
        for c in methodology.category
    ]
    table = pd.DataFrame(rows, columns=["organization_id", "element", "victim_role", "harm"])
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
        f"end = {ANNOUNCED + timedelta(days=WINDOW_DAYS - 1)}",
        f"baseline_start = {ANNOUNCED - timedelta(days=BASELINE_DAYS)}",
    ]
    known = shipped_methodology("kleiman-2011").channels
    for name, channel in world.channels.items():
        if name not in known:
            forgeable, candidates = (str(flag).lower() for flag in (channel.forgeable, channel.candidates))
            lines += ["", f"[channels.{name}]", f"forgeable = {forgeable}", f"candidates = {candidates}"]
            lines += ["accuracy = [40, 1]"]
    return "\n".join(lines) + "\n"
