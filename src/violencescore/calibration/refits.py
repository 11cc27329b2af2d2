"""One refit of a simulated world: what each method says, beside the truth, as a record of plain values."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from violencescore.assessment import Assessment, read_assessment
from violencescore.calibration.assessments import weekly_looks, with_doubts, without_false_flags
from violencescore.calibration.counting import naming_draws
from violencescore.calibration.methods import DOUBTS, MODEL, NAMES, NO_FLAGS, QUANTILES
from violencescore.calibration.plan import Settings, Task, code_digest
from violencescore.decision import Decision, decide
from violencescore.diagnostics import Diagnostics
from violencescore.errors import ViolenceScoreError
from violencescore.example import count_names
from violencescore.fitting import fit_assessment
from violencescore.methodology import Methodology
from violencescore.names import WINDOW
from violencescore.scores import score_draws
from violencescore.simulation import WORLDS, Simulation, simulate_world, write_simulation

type Record = Mapping[str, Any]


def refit_world(task: Task, settings: Settings) -> Record:
    """Simulate a world, fit it by each method, and set beside it what is true.

    With ``task.weekly`` the model itself and the count are repeated at the end of each week, on what was known by then.
    """
    start = time.perf_counter()
    simulation = simulate_world(_world(task), task.seed, task.incidents)
    assessment = read_simulation(simulation)
    record: dict[str, Any] = {
        "task": dataclasses.asdict(task),
        "code_sha256": code_digest(),
        **describe(assessment),
        "truth": true_scores(simulation, assessment),
        "most_named": most_named(assessment),
        "expected": {k: float(v) for k, v in simulation.truth_expected.items()},
        "methods": {method: _SAID[method](assessment, task.seed, settings) for method in settings.methods},
    }
    if task.weekly:
        record["looks"] = [
            {
                "week": week,
                "truth": true_scores(simulation, look),
                "methods": {
                    # The last look is the assessment itself, fitted with the same seed: not again.
                    m: record["methods"][m] if look is assessment else _SAID[m](look, task.seed, settings)
                    for m in settings.methods
                    if m in (MODEL, NAMES)
                },
            }
            for week, look in weekly_looks(assessment).items()
        ]
    record["seconds"] = time.perf_counter() - start
    return record


def _world(task: Task) -> Any:
    world = WORLDS[task.name]
    return world if task.adjudicated is None else dataclasses.replace(world, adjudicated=task.adjudicated)


def read_simulation(simulation: Simulation) -> Assessment:
    """Read a simulated assessment through the same door as any other."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "assessment"
        write_simulation(simulation, folder)
        return read_assessment(folder)


def describe(assessment: Assessment) -> Record:
    """Count what verdicts may depend on; an incident is attributed when any evidence names somebody."""
    incidents = assessment.incidents
    inside = incidents.loc[incidents["period"] == WINDOW, "incident_id"]
    return {
        "n_incidents": len(incidents),
        "n_window": len(inside),
        "share_attributed": float(inside.isin(assessment.evidence["incident_id"]).mean()) if len(inside) else 0.0,
        "n_adjudicated": len(assessment.adjudications),
    }


def most_named(assessment: Assessment) -> list[str]:
    """Return whom the evidence on the window's incidents names most often; several where they tie."""
    counts = count_names(assessment)
    return [str(key) for key in counts.index[counts == counts.max()]]


def true_scores(simulation: Simulation, assessment: Assessment) -> dict[str, float]:
    """Return the true realized score of each organization in the window of an assessment, unreported harm included."""
    window = assessment.methodology.window
    if window is None:
        raise ValueError("an assessment without a window has no scores")
    harms = simulation.truth_harms
    harms = harms[harms["date"].between(str(window.start), str(window.end))]
    scored = weigh(harms, assessment.methodology).groupby(harms["organization_id"]).sum()
    return {str(k): float(scored.get(k, 0.0)) for k in assessment.organizations["organization_id"]}


def weigh(harms: pd.DataFrame, methodology: Methodology) -> pd.Series:
    """Weight each row of true harms: by its own category, else by that of its element, else not at all."""
    weight = {(c.element, c.victim_role or ""): c.weight for c in methodology.category}
    keys = zip(harms["element"], harms["victim_role"], strict=True)
    values = [weight.get((element, role), weight.get((element, ""), 0.0)) for element, role in keys]
    return harms["harm"] * np.array(values, dtype=np.float64)


def fit_method(assessment: Assessment, seed: int, settings: Settings) -> Record:
    """Fit the model, and keep what it says; what cannot be fitted is an abstention with its reason."""
    start = time.perf_counter()
    try:
        fit = fit_assessment(
            assessment, seed, draws=settings.draws, tune=settings.tune, chains=settings.chains, densities=False
        )
    except ViolenceScoreError as error:
        return _refused(settings, str(error))
    scores = {e: score_draws(fit.posterior, assessment.methodology, estimand=e) for e in ("realized", "rate")}
    return {
        **_said(scores["realized"], assessment.methodology, settings, fit.diagnostics),
        "rate": quantile_table(scores["rate"]),
        "max_rhat": float(fit.diagnostics.max_rhat),
        "min_ess": float(fit.diagnostics.min_ess),
        "divergences": int(fit.diagnostics.divergences),
        "seconds": time.perf_counter() - start,
        "seconds_of": dict(fit.seconds),
    }


def count_method(assessment: Assessment, seed: int, settings: Settings) -> Record:
    """Count names, and keep what that says."""
    if not (assessment.incidents["period"] == WINDOW).any():
        return _refused(settings, "no incident lies in the window")
    return _said(naming_draws(assessment, seed), assessment.methodology, settings, None)


_SAID: Mapping[str, Callable[[Assessment, int, Settings], Record]] = {
    MODEL: fit_method,
    DOUBTS: lambda assessment, seed, settings: fit_method(with_doubts(assessment), seed, settings),
    NO_FLAGS: lambda assessment, seed, settings: fit_method(without_false_flags(assessment), seed, settings),
    NAMES: count_method,
}
"""How each method comes to what it says."""


def _said(
    scores: xr.DataArray, methodology: Methodology, settings: Settings, diagnostics: Diagnostics | None
) -> Record:
    checks = {"converged": True} if diagnostics is None else diagnostics.to_json_dict({})
    decisions = {
        f"{level:g}": decide(scores, methodology, diagnostics=checks, confidence=level) for level in settings.levels
    }
    first: Decision = next(iter(decisions.values()))
    return {
        "p_first": {key: value.p for key, value in first.p_first.items()},
        "n_draws": int(scores.sizes["chain"] * scores.sizes["draw"]),
        "realized": quantile_table(scores),
        "verdicts": {level: {"outcome": d.outcome, "selected": d.selected} for level, d in decisions.items()},
        "converged": bool(checks["converged"]),
    }


def _refused(settings: Settings, reason: str) -> Record:
    nothing = {"outcome": "not_estimable", "selected": None}
    return {
        "p_first": None,
        "verdicts": {f"{level:g}": nothing for level in settings.levels},
        "converged": False,
        "reason": reason,
    }


def quantile_table(scores: xr.DataArray) -> dict[str, list[float]]:
    """Return the kept quantiles of each organization's score."""
    table = scores.quantile(QUANTILES, dim=("chain", "draw")).transpose("organization", "quantile")
    ids: Mapping[str, Any] = dict(zip(map(str, table["organization"].values), table.values.tolist(), strict=True))
    return dict(ids)
