"""Settled incidents, predicted as if they were not: k-fold predictions and their scores."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from violencescore.assessment import Assessment
from violencescore.bench.likelihood import responsibilities, thin_draws
from violencescore.bench.scoring import (
    Reliability,
    brier_scores,
    likelihood_ratio_cost,
    log_scores,
    reliability,
    two_class_cost,
    weighted_mean,
)
from violencescore.errors import RefusedError
from violencescore.fitting import fit_assessment
from violencescore.names import OTHER
from violencescore.sampling import Progress, no_progress

FloatArray = npt.NDArray[np.float64]

N_FOLDS = 5
N_PRIOR_DRAWS = 400
"""Draws over which the probability before the evidence is averaged."""


@dataclass(frozen=True)
class Predictions:
    """Predictions of settled incidents by fits that did not know what was settled.

    Attributes
    ----------
    table
        incident_id, fold, organization_id (who did it), false_flag, weight (inverse of the inclusion probability;
        missing where not given), channels (those that spoke, ``;`` between), converged (of the fold's fit).
    p, prior
        Probability of each actor after the evidence, and by the rates of its place and kind alone (incident, actor).
    actors
        Ids, in the order of the columns.
    """

    table: pd.DataFrame
    p: FloatArray
    prior: FloatArray
    actors: tuple[str, ...]

    @property
    def truth(self) -> npt.NDArray[np.int64]:
        """Index of who did it (incident)."""
        return np.asarray(pd.Index(self.actors).get_indexer(pd.Index(self.table["organization_id"])), dtype=np.int64)


def assign_folds(adjudications: pd.DataFrame, n_folds: int, seed: int) -> npt.NDArray[np.int64]:
    """Return the fold of each settled incident: at random by a fixed seed, spread evenly within each perpetrator.

    Staged incidents of a perpetrator are a stratum of their own, so that each fold holds some where there are enough.

    Raises
    ------
    RefusedError
        If fewer incidents are settled than there are folds, or there are fewer than two folds.
    """
    if not 2 <= n_folds <= len(adjudications):
        raise RefusedError(
            f"{len(adjudications)} incidents are settled and {n_folds} folds were asked for: give more adjudications, "
            "or ask for fewer folds, two at the least."
        )
    shuffled = np.random.default_rng(seed).permutation(len(adjudications))
    staged = adjudications["false_flag"].fillna(value=False).astype(bool)
    strata = adjudications["organization_id"].astype(str) + "|" + staged.astype(str)
    order = shuffled[np.argsort(strata.to_numpy()[shuffled], kind="stable")]
    folds = np.empty(len(adjudications), dtype=np.int64)
    folds[order] = np.arange(len(adjudications)) % n_folds
    return folds


def predict_settled(
    assessment: Assessment,
    n_folds: int = N_FOLDS,
    *,
    seed: int | None = None,
    draws: int | None = None,
    tune: int | None = None,
    chains: int | None = None,
    progress: Progress = no_progress,
) -> Predictions:
    """Predict each settled incident by a fit from which what settled it was hidden; its evidence stays.

    Parameters
    ----------
    n_folds
        The model is fitted this many times, each time without the adjudications of one fold.
    seed, draws, tune, chains
        In place of what the methodology says under ``[sampling]``.

    Raises
    ------
    RefusedError
        If too few incidents are settled.
    """
    settled = assessment.adjudications
    first = assessment.methodology.sampling.seed if seed is None else seed
    folds = assign_folds(settled, n_folds, first)
    actors = (*assessment.organizations["organization_id"], OTHER)
    p, prior = np.zeros((len(settled), len(actors))), np.zeros((len(settled), len(actors)))
    converged = np.zeros(len(settled), dtype=bool)
    for fold in range(n_folds):
        progress("folds", fold, n_folds)
        hidden = folds == fold
        part = dataclasses.replace(assessment, adjudications=settled[~hidden].reset_index(drop=True))

        def report(stage: str, done: int, total: int, fold: int = fold) -> None:
            progress(f"fold {fold + 1}: {stage}", done, total)

        fitted = fit_assessment(part, first, draws=draws, tune=tune, chains=chains, progress=report, densities=False)
        design = fitted.design
        rows = pd.Index(design.incident_id).get_indexer(pd.Index(settled["incident_id"][hidden]))
        groups = design.incident_group[rows]
        p[hidden] = fitted.attribution.responsibility[groups]
        quantities = thin_draws(fitted.posterior["posterior"].to_dataset(), N_PRIOR_DRAWS)
        prior[hidden] = responsibilities(design, quantities)[1][groups]
        converged[hidden] = fitted.diagnostics.converged
    progress("folds", n_folds, n_folds)
    spoke = assessment.evidence.groupby("incident_id")["channel"].agg(lambda names: ";".join(sorted(set(names))))
    table = settled[["incident_id", "organization_id", "false_flag"]].assign(
        fold=folds,
        weight=1 / settled["inclusion_probability"],
        channels=settled["incident_id"].map(spoke).fillna(""),
        converged=converged,
    )
    return Predictions(table.reset_index(drop=True), p, prior, actors)


def score_table(found: Predictions) -> pd.DataFrame:
    """Return the scores of predictions: of all, by channel that spoke, and by organization.

    Of an organization, Brier's score and Cllr are of the question whether it did it, over all incidents, and the log
    score is over those that it did.

    Returns
    -------
    pandas.DataFrame
        of, name, n, brier, brier_error, log_score, log_error, cllr; brier_prior and log_prior, what the rates of place
        and kind alone would score; the same with ``_weighted`` by inclusion probability (left out where an incident
        has none).
    """
    everyone = np.ones(len(found.table), dtype=bool)
    rows = [{"of": "all", "name": "", **_scores(found, everyone)}]
    names = sorted({name for text in found.table["channels"] for name in text.split(";") if name})
    for name in names:
        spoke = found.table["channels"].map(lambda text, name=name: name in text.split(";")).to_numpy(dtype=bool)
        rows.append({"of": "channel", "name": name, **_scores(found, spoke)})
    for k, actor in enumerate(found.actors):
        if (found.truth == k).any():
            rows.append({"of": "organization", "name": actor, **_organization_scores(found, k)})
    return pd.DataFrame(rows)


def _weights(found: Predictions, kept: npt.NDArray[np.bool_]) -> Mapping[str, FloatArray | None]:
    chosen = found.table["weight"].to_numpy(dtype=float)[kept]
    return {"": np.ones(int(kept.sum())), "_weighted": None if np.isnan(chosen).any() else chosen}


def _scores(found: Predictions, kept: npt.NDArray[np.bool_]) -> dict[str, float]:
    p, prior, truth = found.p[kept], found.prior[kept], found.truth[kept]
    row: dict[str, float] = {"n": len(truth)}
    for suffix, weight in _weights(found, kept).items():
        if weight is None:
            continue
        brier, log = weighted_mean(brier_scores(p, truth), weight), weighted_mean(log_scores(p, truth), weight)
        row |= {f"brier{suffix}": brier.value, f"brier_error{suffix}": brier.error}
        row |= {f"log_score{suffix}": log.value, f"log_error{suffix}": log.error}
        row[f"cllr{suffix}"] = likelihood_ratio_cost(p, prior, truth, weight)
        row[f"brier_prior{suffix}"] = weighted_mean(brier_scores(prior, truth), weight).value
        row[f"log_prior{suffix}"] = weighted_mean(log_scores(prior, truth), weight).value
    return row


def _organization_scores(found: Predictions, k: int) -> dict[str, float]:
    hit = found.truth == k
    p, prior = found.p[:, k], found.prior[:, k]
    row: dict[str, float] = {"n": int(hit.sum())}
    for suffix, weight in _weights(found, np.ones(len(hit), dtype=bool)).items():
        if weight is None:
            continue
        brier = weighted_mean((p - hit) ** 2, weight)
        log = weighted_mean(log_scores(found.p[hit], found.truth[hit]), weight[hit])
        row |= {f"brier{suffix}": brier.value, f"brier_error{suffix}": brier.error}
        row |= {f"log_score{suffix}": log.value, f"log_error{suffix}": log.error}
        row[f"cllr{suffix}"] = two_class_cost(p, prior, hit, weight)
        row[f"brier_prior{suffix}"] = weighted_mean((prior - hit) ** 2, weight).value
        row[f"log_prior{suffix}"] = weighted_mean(log_scores(found.prior[hit], found.truth[hit]), weight[hit]).value
    return row


def reliability_of(found: Predictions, seed: int, kept: npt.NDArray[np.bool_] | None = None) -> Reliability:
    """Return the reliability of all stated probabilities together, each actor's "did it" being one prediction.

    Probabilities of one incident are not independent of one another, so that the bands are somewhat too narrow.
    """
    rows = np.ones(len(found.table), dtype=bool) if kept is None else kept
    hit = np.arange(len(found.actors)) == found.truth[rows][:, None]
    return reliability(found.p[rows].ravel(), hit.ravel(), np.ones(hit.size), seed)
