"""Scenarios that need the model sampled again: each a changed assessment, fitted as the first one was."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from violencescore.assessment import Assessment, read_assessment
from violencescore.errors import InputError, RefusedError
from violencescore.fitting import Fit, fit_assessment
from violencescore.listings import why_recorded_only
from violencescore.methodology import Methodology
from violencescore.sampling import Progress, no_progress
from violencescore.scenario_choices import FalseFlagChange, Scenario
from violencescore.scenarios import (
    ScenarioResult,
    changed_methodology,
    expand_scenarios,
    missing_result,
    needs_refit,
    result_from_scores,
    scenario_scores,
)
from violencescore.sensitivity import Sensitivity, varied_prior

MAX_SOURCES = 20
"""Sources that are left out one by one; where there are more, those with the most rows."""


def run_scenarios(
    folder: str | Path,
    methodology: Methodology | None = None,
    *,
    seed: int | None = None,
    draws: int | None = None,
    tune: int | None = None,
    chains: int | None = None,
    progress: Progress = no_progress,
) -> tuple[ScenarioResult, ...]:
    """Fit every scenario of the methodology that does not follow from the verdict's own draws.

    Parameters
    ----------
    folder
        The assessment. It is read again for each scenario, since what a scenario counts may differ from its start.
    methodology
        In place of the folder's.
    seed, draws, tune, chains
        In place of what the methodology says under ``[sampling]``.
    progress
        Called with the stage, how much is done and how much there is.

    Raises
    ------
    InputError
        With every fault of the assessment.
    """
    assessment = read_assessment(folder, methodology)
    methodology = assessment.methodology
    wanted = expand_scenarios(methodology.scenario, present_channels(assessment), present_sources(assessment))
    wanted = tuple((name, scenario) for name, scenario in wanted if needs_refit(scenario, methodology))
    given = {"seed": seed, "draws": draws, "tune": tune, "chains": chains}
    results = []
    for i, (name, scenario) in enumerate(wanted):
        progress("scenarios", i, len(wanted))
        results.append(_run(scenario, name, folder, methodology, given, progress))
    progress("scenarios", len(wanted), len(wanted))
    return tuple(results)


def refit_band(
    found: Sensitivity, folder: str | Path, methodology: Methodology, *, progress: Progress = no_progress
) -> Sensitivity:
    """Fit again for each row of the band that could not be reweighted.

    Parameters
    ----------
    found
        As by ``examine_sensitivity``.
    folder, methodology
        What the run was fitted to, and by.
    progress
        Called with the stage, how much is done and how much there is.

    Returns
    -------
    Sensitivity
        With the refits in their rows; a row stays unsound where its refit did not converge.
    """
    band = found.band.copy()
    for row in band.index[~band["sound"].astype(bool)]:
        factor = float(band.loc[row, "factor"])
        change = FalseFlagChange(**varied_prior(methodology, factor))
        scenario = Scenario(name=f"{factor:g} times the false flags", false_flag=change)
        fitted = _fit(scenario, folder, methodology, {}, progress)
        for organization, share in fitted.decision.p_first.items():
            band.loc[row, [organization, f"{organization}_mcse"]] = share.p, share.mcse
        band.loc[row, ["sound", "refit"]] = fitted.diagnostics.converged, True
    return dataclasses.replace(found, band=band)


def _run(
    scenario: Scenario,
    listed_as: str,
    folder: str | Path,
    methodology: Methodology,
    given: Mapping[str, int | None],
    progress: Progress,
) -> ScenarioResult:
    try:
        fitted = _fit(scenario, folder, methodology, given, progress)
        changed = fitted.assessment
        scores = scenario_scores(scenario, fitted.posterior, changed.methodology)
    except (InputError, RefusedError) as error:
        return missing_result(scenario, "refused", str(error), refit=True, listed_as=listed_as)
    diagnostics = fitted.diagnostics.to_json_dict({})
    return result_from_scores(scenario, scores, changed.methodology, diagnostics, refit=True, listed_as=listed_as)


def _fit(
    scenario: Scenario,
    folder: str | Path,
    methodology: Methodology,
    given: Mapping[str, int | None],
    progress: Progress,
) -> Fit:
    def report(stage: str, done: int, total: int) -> None:
        progress(f"{scenario.name}: {stage}", done, total)

    changed = scenario_assessment(scenario, folder, methodology)
    if scenario.list_odds_ratio is not None and (why := why_recorded_only(changed)):
        raise RefusedError(f"Unreported violence is not estimated: {why}")
    return fit_assessment(changed, progress=report, densities=False, **given)


def scenario_assessment(scenario: Scenario, folder: str | Path, methodology: Methodology) -> Assessment:
    """Read an assessment as a scenario changes it.

    Raises
    ------
    InputError
        If nothing is left to assess.
    """
    sources = () if scenario.without_source is None else (scenario.without_source,)
    changed = read_assessment(folder, changed_methodology(scenario, methodology), without_sources=sources)
    if scenario.without_channel is None:
        return changed
    kept = changed.evidence["channel"] != scenario.without_channel
    return dataclasses.replace(changed, evidence=changed.evidence[kept].reset_index(drop=True))


def present_channels(assessment: Assessment) -> tuple[str, ...]:
    """Return the channels that speak, in the order of the methodology."""
    spoken = set(assessment.evidence["channel"])
    return tuple(channel for channel in assessment.methodology.channels if channel in spoken)


def present_sources(assessment: Assessment) -> tuple[str, ...]:
    """Return the sources whose absence could change the verdict, most rows first; at most ``MAX_SOURCES``."""
    tables = [assessment.evidence["source_id"], assessment.reports["source_id"]]
    if assessment.methodology.score.per != "none":
        tables.append(assessment.revenue["source_id"])
    named = pd.concat(tables)
    counts = named[named != ""].value_counts().reset_index()
    ordered = counts.sort_values(["count", "source_id"], ascending=[False, True])
    return tuple(ordered["source_id"].astype(str).head(MAX_SOURCES))
