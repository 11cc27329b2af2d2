"""Data drawn from the model itself: parameters from its prior, an assessment from the parameters.

For simulation-based calibration (Talts et al. 2018, "Validating Bayesian Inference Algorithms with Simulation-Based
Calibration") the simulator must be the model, prior and all. What the model takes as given is given here too: the
organizations, regions, kinds and channels, how many incidents lie between which candidates, the harms of an
incident of a kind, its date within the period, how many pieces a channel that speaks has, and which incidents are
settled (at random).

Two things of the model depend on the data in ways that would spoil the check, and both are dealt with:

- The centre of the prior of levels is the observed number of incidents. Simulation and refit use one fixed number,
  that of the structure's template (`fix_level`); everything else is the model as it is.
- A kind, region or channel that does not occur is no part of a design. Data sets in which one is missing, or
  which have fewer or more incidents than the structure allows, are passed over. That is sound: the rank of the
  true value is uniform given any data, and so also given that the data have some property.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from violencescore.assessment import Assessment
from violencescore.calibration.refits import read_simulation
from violencescore.design import Design, build_design
from violencescore.episodes import build_forest
from violencescore.methodology import Methodology, methodology_from_bytes
from violencescore.model import layout as lay
from violencescore.model.kernel import Kernel, build_kernel
from violencescore.model.quantities import quantities, sample_prior
from violencescore.names import OTHER
from violencescore.simulation.assessments import Simulation
from violencescore.simulation.chance import Array, Ints, choose_rows
from violencescore.simulation.evidence import AGAIN, single_names
from violencescore.simulation.harms import simulate_harms
from violencescore.simulation.incidents import Flags, Incidents
from violencescore.simulation.worlds import World

type Days = npt.NDArray[np.datetime64]

N_CANDIDATES = 4000
"""Prior draws among which one is looked for whose incidents are as many as the structure allows."""

_METHODOLOGY = """
extends = "kleiman-2011"
id = "simulated-from-the-prior"
version = "1.0.0"
fictional = true

[window]
start = 2026-07-01
end = 2026-08-25
baseline_start = 2026-01-01

[[category]]
element = "killing"
weight = 2.0

[[category]]
element = "extortion"
weight = 0.5

[channels.dyad]
forgeable = false
candidates = true
accuracy = [8, 2]
"""
_DOUBTS = """
[channels.press]
forgeable = true
accuracy = [6, 4]
echoes = [1, 4]

[channels.ballistics]
forgeable = false
accuracy = [9, 1]
echoes = [1, 4]

[episodes]
repeat = [2, 4]
days = 7
"""
_ELEMENTS = ("killing", "extortion")
_STARTS, _DAYS = np.array(["2026-01-01", "2026-07-01"], dtype="datetime64[D]"), np.array([181, 56])
_DATES = np.array(["2026-03-01", "2026-07-15"], dtype="datetime64[D]")


@dataclass(frozen=True)
class Structure:
    """What is given: sizes, channels, sets of candidates.

    Attributes
    ----------
    organizations, regions
        Names.
    channels
        Those of the shipped methodology, or ``dyad``.
    sets
        Sets of candidates, by place in ``organizations``; the channel ``dyad`` names them.
    n_between
        Incidents that lie between each set in each cell of kind, region and period.
    settled
        Share of incidents that are settled, at random.
    at_least, at_most
        Least and greatest number of incidents, those between candidates apart.
    again
        Share of the incidents a channel speaks of on which it has a second piece.
    options
        What the methodology says besides.
    """

    organizations: tuple[str, ...] = ("amber", "basalt", "cobalt", "dolomite")
    regions: tuple[str, ...] = ("R1", "R2", "R3")
    channels: tuple[str, ...] = ("claim", "press", "ballistics")
    sets: tuple[tuple[int, ...], ...] = ()
    n_between: int = 0
    settled: float = 0.1
    at_least: int = 60
    at_most: int = 600
    again: float = AGAIN
    options: str = ""

    @property
    def text(self) -> str:
        """Text of the methodology."""
        return _METHODOLOGY + self.options

    @property
    def methodology(self) -> Methodology:
        """The methodology."""
        return _methodology(self.text)

    @property
    def days(self) -> float | None:
        """Days of its ``[episodes]``; None where incidents are independent."""
        episodes = self.methodology.episodes
        return None if episodes.repeat is None else episodes.days


@cache
def _methodology(text: str) -> Methodology:
    return methodology_from_bytes(text.encode())


STRUCTURES: Mapping[str, Structure] = MappingProxyType(
    {
        "names": Structure(),
        "candidates": Structure(
            channels=("press", "ballistics", "dyad"), sets=((0, 1), (1, 2), (0, 2, 3)), n_between=4, settled=0.15
        ),
        # One piece a channel: of several, who comes before whom is a convention of the model.
        "doubts": Structure(again=0.0, options=_DOUBTS),
    }
)
"""Structures by name: evidence that names, evidence of which some leaves it open between candidates, and incidents that
come in series, of which channels repeat one another."""


@dataclass(frozen=True)
class PriorWorld:
    """One draw from the prior and the data that it gave.

    Attributes
    ----------
    truth
        Named quantities (those of ``model.quantities``), one draw.
    scores
        True realized score in the window by organization.
    """

    assessment: Assessment
    truth: xr.Dataset
    scores: Mapping[str, float]


def simulate_prior(name: str, seed: int) -> PriorWorld:
    """Draw parameters from the prior, and an assessment from them.

    Raises
    ------
    ValueError
        If no structure has that name.
    """
    if name not in STRUCTURES:
        raise ValueError(f"no structure is named {name!r}: choose among {', '.join(STRUCTURES)}")
    structure = STRUCTURES[name]
    design, kernel = _template(name)
    rng = np.random.default_rng(seed)
    while True:
        vectors = sample_prior(kernel, design, N_CANDIDATES, rng)
        drawn = quantities(kernel, design, vectors)
        expected = drawn["rate"].sum(("kind", "period", "actor")).values[0]
        # Passing over what cannot have an allowed number of incidents spares drawing it; the data decide below.
        near = (expected > structure.at_least / 3) & (expected < structure.at_most * 2)
        for draw in np.flatnonzero(near):
            truth = drawn.isel(chain=[0], draw=[draw])
            incidents, between, dates = _draw_incidents(structure, truth, kernel, vectors[0, draw], rng)
            if incidents is None:
                continue
            simulation, scores = _draw_assessment(structure, truth, incidents, between, dates, rng)
            assessment = read_simulation(simulation)
            found = build_design(assessment)
            if _same_structure(found, design):
                return PriorWorld(assessment, truth, scores)


def fix_level(design: Design, name: str) -> Design:
    """Return a design whose prior of levels has the centre of the structure's template, for ``build_kernel`` only.

    That centre is the one thing of the prior which is taken from the data: the number of incidents, which is read off
    their ids and from nothing else.
    """
    template, _ = _template(name)
    return dataclasses.replace(design, incident_id=template.incident_id)


def _same_structure(found: Design, template: Design) -> bool:
    same = ("actors", "kinds", "regions", "periods", "channels", "other_is_named")
    return all(getattr(found, name) == getattr(template, name) for name in same) and len(
        found.factors.set_channel
    ) >= len(template.factors.set_channel)


@cache
def _template(name: str) -> tuple[Design, Kernel]:
    """A design of the structure in which all that can occur does, and its kernel: where the prior is drawn."""
    structure = STRUCTURES[name]
    rng = np.random.default_rng(0)
    n_org, n_regions = len(structure.organizations), len(structure.regions)
    cells = np.indices((n_org + 1, 2, n_regions, 2)).reshape(4, -1).repeat(5, axis=1)
    actor, kind, region, period = cells
    incidents = _incidents(
        structure, actor, kind, region, period, np.zeros(len(actor), dtype=bool), -np.ones_like(actor)
    )
    between = np.repeat(np.arange(-1, len(structure.sets)), -(-len(actor) // (len(structure.sets) + 1)))[: len(actor)]
    n_channels = len(structure.channels)
    even = xr.Dataset(
        {
            "reach": (("chain", "draw", "channel", "actor"), np.full((1, 1, n_channels, n_org + 1), 0.5)),
            "accuracy": (("chain", "draw", "channel"), np.full((1, 1, n_channels), 0.5)),
            "notoriety": (("chain", "draw", "channel", "actor"), np.full((1, 1, n_channels, n_org + 1), 1 / n_org)),
        },
        coords={"channel": list(structure.channels)},
    )
    simulation, _ = _draw_assessment(structure, even, incidents, between, _DATES[incidents.period], rng)
    design = build_design(read_simulation(simulation))
    return design, build_kernel(design, structure.methodology.priors)


def _incidents(
    structure: Structure, actor: Ints, kind: Ints, region: Ints, period: Ints, staged: Flags, framed: Ints
) -> Incidents:
    n_actors = len(structure.organizations) + 1
    nothing = np.zeros((n_actors, len(_ELEMENTS), 2, len(structure.regions)))
    order = np.arange(n_actors - 1)
    return Incidents(actor, kind, region, period, staged, framed, order, nothing, np.full(len(actor), -1))


def _draw_incidents(
    structure: Structure, truth: xr.Dataset, kernel: Kernel, vector: Array, rng: np.random.Generator
) -> tuple[Incidents | None, Ints, Days]:
    """Draw who did what, the set each incident lies between (-1: none), and when; None where too few or many."""
    rate = truth["rate"].values[0, 0]  # kind, period, actor
    presence = truth["presence"].values[0, 0]  # region, actor
    cells = rate[:, :, None, :] * presence[None, None, :, :]  # kind, period, region, actor
    n = rng.poisson(cells)
    inside = structure.at_least <= n.sum() <= structure.at_most
    if not inside or (n.sum(axis=(1, 2, 3)) == 0).any() or (n.sum(axis=(0, 1, 3)) == 0).any():
        return None, np.empty(0, dtype=np.int64), _DATES[:0]
    kind, period, region, actor = (np.repeat(index.ravel(), n.ravel()) for index in np.indices(n.shape))
    dates = _DATES[period]
    if structure.days is not None:
        dates = _STARTS[period] + (rng.random(len(period)) * _DAYS[period]).astype(np.int64)
        actor = _repeat_actors(actor, dates, region, structure.days, float(truth["episode"].values.ravel()[0]), rng)
    between = np.full(len(actor), -1)
    if structure.sets:
        contested = (
            np.indices((len(structure.sets), *cells.shape[:3])).reshape(4, -1).repeat(structure.n_between, axis=1)
        )
        weight = _contest_weights(structure, truth, kernel, vector, cells)
        row = np.ravel_multi_index(tuple(contested), weight.shape[:-1])
        who = choose_rows(weight.reshape(-1, weight.shape[-1]), row, rng)
        sets, kinds, periods, regions = contested
        kind, period, region, actor, between = (
            np.concatenate(pair)
            for pair in ((kind, kinds), (period, periods), (region, regions), (actor, who), (between, sets))
        )
        dates = _DATES[period]
    share = truth["false_flag"].values[0, 0]  # period, actor
    staged = rng.random(len(actor)) < share[period, actor]
    framed = np.where(staged, choose_rows(truth["target"].values[0, 0], actor, rng), -1)
    return _incidents(structure, actor, kind, region, period, staged, framed), between, dates


def _repeat_actors(
    actor: Ints, dates: Days, region: Ints, days: float, repeat: float, rng: np.random.Generator
) -> Ints:
    """Let each incident have, with the probability of its bond, the actor of the one before it; else its own."""
    parent, decay, _ = build_forest(pd.Series(dates), region, np.empty((0, 2), dtype=np.int64), days)
    again = (parent >= 0) & (rng.random(len(actor)) < repeat * decay)
    who = actor.copy()
    for i in np.lexsort((np.arange(len(actor)), dates)):
        if again[i]:
            who[i] = who[parent[i]]
    return who


def _contest_weights(structure: Structure, truth: xr.Dataset, kernel: Kernel, vector: Array, cells: Array) -> Array:
    """Chance of each actor to have done what lies between a set (set, kind, period, region, actor)."""
    priors = structure.methodology.priors
    design, _ = next(_template(name) for name, known in STRUCTURES.items() if known is structure)
    free = kernel.layout.block(vector, lay.CONTESTED)
    n = len(free) + 1
    contested = np.append(free - free.sum() / (np.sqrt(n) + n), -free.sum() / np.sqrt(n))
    own = kernel.layout.block(vector, lay.ENGAGEMENT)
    factors = design.factors
    log_weight = priors.contested_scale * contested[factors.set_member] + priors.engagement_scale * own
    accuracy = float(truth["accuracy"].sel(channel="dyad").values[0, 0])
    known = {
        tuple(factors.set_member[a:b].tolist()): np.exp(log_weight[a:b])
        for a, b in zip(factors.set_start[:-1], factors.set_start[1:], strict=True)
    }
    weights = []
    for members in structure.sets:
        index = list(members)
        among, outside = np.zeros_like(cells), cells.copy()
        among[..., index] = cells[..., index] * known[members]
        outside[..., index] = 0.0
        among *= accuracy / among.sum(axis=-1, keepdims=True)
        weights.append(among + outside * (1 - accuracy) / outside.sum(axis=-1, keepdims=True))
    return np.stack(weights)


def _draw_assessment(
    structure: Structure, truth: xr.Dataset, incidents: Incidents, between: Ints, dates: Days, rng: np.random.Generator
) -> tuple[Simulation, Mapping[str, float]]:
    """Draw evidence, harms and settled cases; return the tables, and the true scores in the window."""
    ids = np.array([*structure.organizations, OTHER], dtype=object)
    n = len(incidents.kind)
    labels = np.array([f"I{i:06d}" for i in range(n)], dtype=object)
    harms = simulate_harms(World(), incidents, len(_ELEMENTS), rng)
    inside = incidents.period[harms.owner] == 1
    weight = np.array([2.0, 0.5])[harms.category] * harms.true
    total = np.bincount(incidents.perpetrator[harms.owner][inside], weights=weight[inside], minlength=len(ids))
    evidence: list[pd.DataFrame] = []
    for name in structure.channels:
        evidence.append(_channel_rows(structure, truth, name, incidents, between, ids, evidence, rng))
    table = pd.concat(evidence, ignore_index=True)
    table["incident_id"] = labels[table["incident_id"].to_numpy(dtype=np.int64)]
    settled = np.flatnonzero(rng.random(n) < structure.settled)
    tables = {
        "organizations": pd.DataFrame({"organization_id": ids[:-1], "name": [i.capitalize() for i in ids[:-1]]}),
        "incidents": pd.DataFrame(
            {
                "incident_id": labels,
                "date": dates.astype(str),
                "region": np.array(structure.regions, dtype=object)[incidents.region],
            }
        ),
        "harms": pd.DataFrame(
            {
                "incident_id": labels[harms.owner],
                "element": np.array(_ELEMENTS, dtype=object)[harms.category],
                "best": harms.best,
                "low": harms.low,
                "high": harms.high,
            }
        ),
        "evidence": table,
        "adjudications": pd.DataFrame(
            {
                "incident_id": labels[settled],
                "organization_id": ids[incidents.perpetrator[settled]],
                "false_flag": np.where(incidents.staged[settled], "true", "false"),
                "framed_id": np.append(ids, "")[incidents.framed[settled]],
            }
        ),
    }
    nothing = pd.DataFrame()
    simulation = Simulation(tables, structure.text, nothing, nothing, nothing, pd.Series(dtype=float))
    return simulation, dict(zip(ids[:-1].tolist(), total[:-1].tolist(), strict=True))


def _channel_rows(
    structure: Structure,
    truth: xr.Dataset,
    name: str,
    incidents: Incidents,
    between: Ints,
    ids: np.ndarray,
    earlier: Sequence[pd.DataFrame],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Rows of evidence of one channel: incident_id (a number), channel, organization_id, origin.

    ``earlier`` are the rows of the channels before it, which it may repeat.
    """
    said = truth[["reach", "accuracy", "notoriety"]].sel(channel=name).isel(chain=0, draw=0)
    seen = incidents.perpetrator
    if name in ("claim", "press"):
        seen = np.where(incidents.staged, incidents.framed, seen)
    free = np.ones(len(seen), dtype=bool) if name != "dyad" else between < 0
    echoes = "echo" in truth and name in truth["echo_of"]
    heard = rng.random(len(seen)) < said["reach"].values[seen]
    if echoes:
        spoken_of = np.isin(np.arange(len(seen)), pd.concat(earlier)["incident_id"])
        heard |= spoken_of & (rng.random(len(seen)) < float(truth["follow"].sel(follow_of=name).item()))
    speaks = np.flatnonzero(heard & free)
    again = speaks[rng.random(len(speaks)) < structure.again] if name != "dyad" else speaks[:0]
    pieces = np.concatenate([speaks, again])
    n_org = len(ids) - 1
    # A set of one name is wrong about all others alike; a channel that names has its favourites.
    blamed = np.full(n_org, 1.0 / n_org) if name == "dyad" else said["notoriety"].values[:n_org]
    named = single_names(seen[pieces], float(said["accuracy"].values), blamed, rng)
    if echoes:
        before = pd.concat(earlier).groupby("incident_id")["organization_id"].agg(list)
        repeats = spoken_of[pieces] & (rng.random(len(pieces)) < float(truth["echo"].sel(echo_of=name).item()))
        place = {str(identifier): k for k, identifier in enumerate(ids)}
        for piece in np.flatnonzero(repeats):
            named[piece] = place[rng.choice(before[pieces[piece]])]
    rows = [(pieces, named, np.arange(len(pieces)))]
    if name == "dyad":
        for i, members in enumerate(structure.sets):
            of_set = np.flatnonzero(between == i)
            rows += [(of_set, np.full(len(of_set), k), len(pieces) + of_set) for k in members]
    incident, organization, origin = (np.concatenate(columns) for columns in zip(*rows, strict=True))
    return pd.DataFrame(
        {
            "incident_id": incident,
            "channel": name,
            "organization_id": ids[organization],
            "origin": [f"{name}-{i}" for i in origin],
        }
    )
