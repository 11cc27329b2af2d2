"""All parts of the bench together, as the command runs them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from violencescore.assessment import Assessment
from violencescore.bench.channels import channel_table, settled_accuracy
from violencescore.bench.checks import predictive_checks
from violencescore.bench.comparison import compare_variants, incident_loo, variant_methodology
from violencescore.bench.folds import Predictions, predict_settled, reliability_of, score_table
from violencescore.bench.waterfall import Waterfall, evidence_waterfall
from violencescore.design import Design, build_design
from violencescore.fitting import fit_assessment
from violencescore.sampling import Progress, no_progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

THIS = "as it is"
"""Name of the model of the methodology among its variants."""

LEAST_IN_A_DIAGRAM = 20
"""Settled incidents from which a channel has a reliability diagram of its own."""


@dataclass(frozen=True)
class Examination:
    """What was found; None where it was not asked for, or where the tables are not at hand.

    Attributes
    ----------
    channels, settled, checks
        See ``channels.channel_table``, ``channels.settled_accuracy``, ``checks.predictive_checks``.
    waterfall
        Of the incident that was asked for.
    predictions, scores
        Of settled incidents; see ``folds``.
    loo, compared
        Leave-one-out densities by variant, and their comparison where there are several.
    unconverged
        Folds and variants whose chains had not converged: their figures cannot be relied on.
    """

    posterior: xr.Dataset
    channels: pd.DataFrame
    design: Design | None = None
    settled: pd.DataFrame | None = None
    checks: pd.DataFrame | None = None
    waterfall: Waterfall | None = None
    predictions: Predictions | None = None
    scores: pd.DataFrame | None = None
    loo: Mapping[str, Any] | None = None
    compared: pd.DataFrame | None = None
    unconverged: tuple[str, ...] = ()


def examine(
    posterior: xr.Dataset,
    assessment: Assessment | None = None,
    *,
    incident: str | None = None,
    organization: str | None = None,
    n_folds: int = 0,
    variants: Sequence[str] = (),
    given: Mapping[str, int | None] | None = None,
    progress: Progress = no_progress,
) -> Examination:
    """Look at a model of attribution from all sides.

    Parameters
    ----------
    posterior
        Named quantities (chain, draw, ...): group ``posterior`` of what ``fit`` returns.
    assessment
        The tables it was fitted to; without them only the channels can be shown.
    incident, organization
        Incident whose evidence is taken apart, and whose odds to follow (the likeliest's by default).
    n_folds
        Folds of the predictions of settled incidents, each a refit; 0 for none.
    variants
        Names in ``comparison.VARIANTS``, each a refit.
    given
        seed, draws, tune and chains of the refits, in place of the methodology's.
    """
    channels = channel_table(posterior)
    if assessment is None:
        return Examination(posterior, channels)
    given = given or {}
    design = build_design(assessment)
    waterfall = None if incident is None else evidence_waterfall(design, posterior, incident, organization)
    for variant in variants:  # a misspelt one is a fault before anything is sampled
        variant_methodology(assessment.methodology, variant)
    seed = assessment.methodology.sampling.seed
    found = Examination(
        posterior,
        channels,
        design,
        settled_accuracy(assessment),
        predictive_checks(design, posterior, assessment.evidence, seed),
        waterfall,
        loo={THIS: incident_loo(design, posterior)},
    )
    if n_folds:
        predictions = predict_settled(assessment, n_folds, progress=progress, **given)
        failed = sorted(set(predictions.table["fold"][~predictions.table["converged"]]))
        found = dataclasses.replace(
            found,
            predictions=predictions,
            scores=score_table(predictions),
            unconverged=tuple(f"fold {fold + 1}" for fold in failed),
        )
    if variants:
        fitted, failed = _fit_variants(assessment, variants, given, progress)
        loo = {**(found.loo or {}), **fitted}
        found = dataclasses.replace(
            found, loo=loo, compared=compare_variants(loo), unconverged=(*found.unconverged, *failed)
        )
    return found


def _fit_variants(
    assessment: Assessment, variants: Sequence[str], given: Mapping[str, int | None], progress: Progress
) -> tuple[dict[str, Any], list[str]]:
    """Return the leave-one-out density of each variant, and which had not converged."""
    found, failed = {}, []
    for variant in variants:

        def report(stage: str, done: int, total: int, variant: str = variant) -> None:
            progress(f"{variant}: {stage}", done, total)

        methodology = variant_methodology(assessment.methodology, variant)
        changed = dataclasses.replace(assessment, methodology=methodology)
        fitted = fit_assessment(changed, progress=report, densities=False, **given)
        found[variant] = incident_loo(fitted.design, fitted.posterior["posterior"].to_dataset())
        if not fitted.diagnostics.converged:
            failed.append(variant)
    return found, failed


def to_json_dict(found: Examination) -> dict[str, Any]:
    """Return what was found as plain JSON values, leaving out what was not asked for."""
    tables = {
        "channels": found.channels,
        "settled": found.settled,
        "checks": found.checks,
        "scores": found.scores,
        "compared": None if found.compared is None else found.compared.rename_axis("variant").reset_index(),
    }
    result: dict[str, Any] = {name: records(table) for name, table in tables.items() if table is not None}
    if found.predictions is not None:
        told = found.predictions
        columns = {f"p_{actor}": told.p[:, k] for k, actor in enumerate(told.actors)}
        result["predictions"] = records(told.table.assign(**columns))
    if found.loo is not None:
        result["loo"] = {
            name: {"elpd": loo.elpd, "se": loo.se, "p": loo.p, "n": loo.n_data_points,
                   "n_bad": int((loo.pareto_k > loo.good_k).sum()), "good_k": float(loo.good_k)}
            for name, loo in found.loo.items()
        }  # fmt: skip
    if found.waterfall is not None:
        told_of = found.waterfall
        result["incident"] = {**vars(told_of), "steps": records(told_of.steps)}
    if found.scores is not None or found.compared is not None:
        result["unconverged"] = list(found.unconverged)
    return result


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table as a list of rows, null for what is missing."""
    plain = table.astype(object).where(table.notna(), None)
    return [{str(key): value for key, value in row.items()} for row in plain.to_dict("records")]


def draw_figures(found: Examination, seed: int) -> dict[str, Figure]:
    """Return every figure that what was found allows, by name."""
    from violencescore.bench import figures

    drawn = {"reach": figures.reach_forest(found.posterior)}
    if found.design is not None:
        design = found.design
        prior = {c: (float(a), float(b)) for c, (a, b) in zip(design.channels, design.accuracy, strict=True)}
        chance = 1.0 / max(len(design.organizations), 2)
        drawn["accuracy"] = figures.accuracy_forest(found.posterior, prior, chance)
    if found.checks is not None and len(found.checks):
        drawn["checks"] = figures.checks_figure(found.checks)
    if found.loo is not None:
        drawn["pareto-k"] = figures.khat_figure(found.loo[THIS])
    if found.compared is not None:
        drawn["comparison"] = figures.comparison_figure(found.compared)
    if found.waterfall is not None:
        drawn["waterfall"] = figures.waterfall_figure(found.waterfall)
    if found.predictions is not None:
        drawn["reliability"] = figures.reliability_figure(_diagrams(found.predictions, seed))
    return drawn


def _diagrams(predictions: Predictions, seed: int) -> dict[str, Any]:
    parts = {"all settled incidents": reliability_of(predictions, seed)}
    texts = predictions.table["channels"]
    for name in sorted({name for text in texts for name in text.split(";") if name}):
        spoke = texts.map(lambda text, name=name: name in text.split(";")).to_numpy(dtype=bool)
        if spoke.sum() >= LEAST_IN_A_DIAGRAM:
            parts[f"{name} speaks ({int(spoke.sum())})"] = reliability_of(predictions, seed, spoke)
    return parts
