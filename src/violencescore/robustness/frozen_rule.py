"""A methodology tried as it stands in a simulated world: what it would have been given, what it says, what is true."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from violencescore.assessment import Assessment, read_assessment
from violencescore.calibration.plan import Settings
from violencescore.calibration.refits import fit_method, true_scores
from violencescore.errors import Fault, InputError
from violencescore.methodology import Methodology, methodology_from_bytes
from violencescore.simulation import WORLDS, ChannelWorld, Simulation, World, simulate_world, write_simulation
from violencescore.simulation.revenue import simulate_revenue

DEFAULT_REACH = 0.2
"""Reach of a channel that no world of the simulator knows."""
_REVENUE_STREAM = 6


@dataclass(frozen=True, eq=False)
class Scene:
    """One simulated world under a methodology.

    Attributes
    ----------
    simulation
        Tables and truth; attacks change both.
    methodology
        The rule, with the window of the simulation.
    revenue
        True revenue or flow by organization, where the rule divides by it; empty otherwise.
    seed
        Of the simulation, and of the fit.
    """

    simulation: Simulation
    methodology: Methodology
    revenue: pd.Series
    seed: int


def require_tryable(methodology: Methodology) -> None:
    """Raise ``InputError`` where a rule needs what no simulated world has."""
    if methodology.weights.use == "panel":
        rule = 'counts a panel\'s weights, and no simulated world has a panel; try it with use = "published"'
        raise InputError([Fault("methodology", rule, column="weights.use", value="panel")])
    if not methodology.channels:
        raise InputError([Fault("methodology", "has no channels of evidence: it could never tell who did what")])
    known = {(c.element, c.victim_role or "") for c in rule_kinds()}
    scored = {(c.element, c.victim_role or "") for c in methodology.category}
    if not any(pair in scored or (pair[0], "") in scored for pair in known):
        rule = "scores nothing that simulated worlds hold; they hold " + ", ".join(sorted({e for e, _ in known}))
        raise InputError([Fault("methodology", rule, column="category")])


def rule_kinds() -> tuple[Any, ...]:
    """Return the categories of harm that simulated worlds hold: those of the default methodology."""
    from violencescore.methodology import shipped_methodology

    return shipped_methodology().category


def world_of(methodology: Methodology, world: World | str = "plain") -> World:
    """Return a world whose channels are those of a methodology.

    Those that a simulated world knows have its reach and accuracy there. If it knows none of them, all have a reach of
    ``DEFAULT_REACH`` and the accuracy that the methodology expects.
    """
    base = WORLDS[world] if isinstance(world, str) else world
    known = {**WORLDS["dyads"].channels, **base.channels}
    channels = {name: known[name] for name in methodology.channels if name in known}
    if not channels:
        channels = {
            name: ChannelWorld(DEFAULT_REACH, channel.accuracy[0] / sum(channel.accuracy), forgeable=channel.forgeable,
                               candidates=channel.candidates)
            for name, channel in methodology.channels.items()
        }  # fmt: skip
    own = {
        name: dataclasses.replace(channel, forgeable=methodology.channels[name].forgeable)
        for name, channel in channels.items()
    }
    # Plain dictionaries, which another process and a manifest can be given.
    return dataclasses.replace(base, channels=own, sources=dict(base.sources))


def set_scene(methodology: Methodology, world: World, seed: int) -> Scene:
    """Simulate a world, and keep of its tables what the rule has words for."""
    simulation = simulate_world(world, seed)
    window = methodology_from_bytes(simulation.methodology.encode()).window
    rule = methodology.model_copy(update={"window": window, "scenario": ()})
    tables = {name: _spoken(table, methodology) for name, table in simulation.tables.items()}
    revenue = pd.Series(dtype=np.float64)
    if methodology.score.per != "none":
        rng = np.random.default_rng([_REVENUE_STREAM, seed])
        ids = list(tables["organizations"]["organization_id"])
        revenue, tables["revenue"] = simulate_revenue(ids, methodology.revenue, methodology.score.per, rng)
    return Scene(dataclasses.replace(simulation, tables=tables), rule, revenue, seed)


def _spoken(table: pd.DataFrame, methodology: Methodology) -> pd.DataFrame:
    """Leave out harms and evidence for which a methodology has no words."""
    kept = pd.Series(True, index=table.index)
    if "element" in table:
        kept &= table["element"].isin(methodology.elements)
        kept &= table["victim_role"].isin([*methodology.victim_roles, ""])
    if "channel" in table:
        kept &= table["channel"].isin(list(methodology.channels))
    return table[kept].reset_index(drop=True)


def read_scene(scene: Scene) -> Assessment:
    """Read what was recorded, through the same door as any assessment."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "assessment"
        write_simulation(scene.simulation, folder)
        return read_assessment(folder, scene.methodology)


def true_ranking(scene: Scene, assessment: Assessment) -> dict[str, float]:
    """Return the true score of each listed organization in the window of an assessment, unreported harm included."""
    scores = true_scores(scene.simulation, assessment)
    if scene.revenue.empty:
        return scores
    return {key: score / float(scene.revenue[key]) for key, score in scores.items()}


def ask_rule(assessment: Assessment, seed: int, settings: Settings) -> Mapping[str, Any]:
    """Fit, and return what the rule says at its stated confidence: ``outcome``, ``selected`` and ``p_first``."""
    said = fit_method(assessment, seed, settings)
    (verdict,) = said["verdicts"].values()
    kept = {key: said[key] for key in ("p_first", "converged", "seconds", "reason") if key in said}
    return {**kept, **verdict}


def rule_settings(
    methodology: Methodology, draws: int | None = None, tune: int | None = None, chains: int | None = None
) -> Settings:
    """Return how refits are made: judged at the confidence that the methodology states, and at no other."""
    return Settings((methodology.decision.confidence,), draws, tune, chains)
