"""Assessment to posterior: the whole chain from design to scores, with more draws where the verdict needs them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from violencescore.assessment import Assessment
from violencescore.attribution import Attribution, attribute_draws, compile_attribution, extend_attribution
from violencescore.decision import Decision, needs_more_draws
from violencescore.design import Design, build_design
from violencescore.diagnostics import Diagnostics, diagnose
from violencescore.errors import RefusedError
from violencescore.methodology import Sampling
from violencescore.model.kernel import Kernel, build_kernel
from violencescore.model.quantities import quantities, sample_prior
from violencescore.names import BASELINE, CATEGORY, ORGANIZATION, WINDOW
from violencescore.revenue import sample_revenue
from violencescore.sampling import (
    Draws,
    Progress,
    compile_kernel,
    no_progress,
    sample_batches,
)
from violencescore.scores import NO_PANEL, no_estimates, panel_weight_array, pool_weights, score_draws
from violencescore.sensitivity import prior_parts
from violencescore.verdict import decide_posterior

N_PRIOR_DRAWS = 4000


@dataclass(frozen=True)
class Fit:
    """A fitted assessment.

    Attributes
    ----------
    posterior
        Groups ``posterior`` (named quantities), ``harms``, ``revenue`` and ``weights`` where there are any,
        ``sample_stats``, ``log_prior`` and ``log_likelihood`` (see ``sensitivity``).
    decision
        The verdict under the methodology.
    attribution
        Who probably did each group of incidents.
    seconds
        Where the time went: compile, sample, scores.
    """

    assessment: Assessment
    design: Design
    posterior: xr.DataTree
    attribution: Attribution
    diagnostics: Diagnostics
    decision: Decision
    seed: int
    seconds: Mapping[str, float]


def fit(
    assessment: Assessment,
    seed: int | None = None,
    *,
    draws: int | None = None,
    tune: int | None = None,
    chains: int | None = None,
    progress: Progress = no_progress,
) -> xr.DataTree:
    """Sample the posterior of an assessment.

    Parameters
    ----------
    assessment
        Validated tables and methodology.
    seed, draws, tune, chains
        In place of what the methodology says under ``[sampling]``.
    progress
        Called with the stage, how much is done and how much there is.

    Returns
    -------
    xarray.DataTree
        See ``Fit.posterior``; ``score_draws``, ``rank_table`` and ``decide`` take it from there.
    """
    return fit_assessment(assessment, seed, draws=draws, tune=tune, chains=chains, progress=progress).posterior


def fit_assessment(
    assessment: Assessment,
    seed: int | None = None,
    *,
    draws: int | None = None,
    tune: int | None = None,
    chains: int | None = None,
    progress: Progress = no_progress,
    densities: bool = True,
) -> Fit:
    """Fit an assessment and keep all that a run folder needs; parameters as for ``fit``.

    Without ``densities`` the posterior lacks ``log_prior`` and ``log_likelihood``, which only ``sensitivity`` needs.
    """
    methodology = assessment.methodology
    require_scorable(assessment)
    given = {"draws": draws, "tune": tune, "chains": chains, "seed": seed}
    sampling = methodology.sampling.model_copy(update={k: v for k, v in given.items() if v is not None})
    design = build_design(assessment)
    kernel = build_kernel(design, methodology.priors)
    progress("compiling", 0, 1)
    seconds = {"compile": compile_kernel(), "sample": 0.0, "scores": 0.0}
    progress("compiling", 1, 1)
    sample_seed, score_seed, revenue_seed, prior_seed = (
        int(s) for s in np.random.SeedSequence(sampling.seed).generate_state(4, dtype=np.uint64) >> np.uint64(1)
    )
    prior_vectors = sample_prior(kernel, design, N_PRIOR_DRAWS, np.random.default_rng(prior_seed))
    prior = quantities(kernel, design, prior_vectors)
    named = count_named(assessment)

    # The chains need no interpreter: what comes after them is compiled meanwhile.
    compiling = threading.Thread(target=compile_attribution, args=(kernel, design), daemon=True)
    compiling.start()
    so_far: Attribution | None = None
    watch = time.perf_counter()
    with closing(_sample_safely(kernel, design, sampling, sample_seed, progress)) as batches:
        for batch, draws_so_far in enumerate(batches):
            seconds["sample"] += time.perf_counter() - watch
            watch = time.perf_counter()
            compiling.join()
            attribution = _attribute(kernel, design, draws_so_far, so_far, score_seed + batch, progress)
            posterior = build_posterior(
                assessment, design, kernel, draws_so_far, attribution, np.random.default_rng(revenue_seed)
            )
            scores = score_draws(posterior, methodology)
            diagnostics = diagnose(draws_so_far, scores, posterior["posterior"].to_dataset(), prior, sampling, named)
            decision = decide_posterior(posterior, methodology, diagnostics.to_json_dict({}))
            seconds["scores"] += time.perf_counter() - watch
            so_far, watch = attribution, time.perf_counter()
            if not _is_extended(diagnostics, decision, sampling):
                break
    if densities:
        for group, values in prior_parts(kernel, design, draws_so_far.vectors).items():
            posterior[group] = xr.DataTree(values)
    return Fit(assessment, design, posterior, attribution, diagnostics, decision, sampling.seed, seconds)


def _sample_safely(
    kernel: Kernel, design: Design, sampling: Sampling, seed: int, progress: Progress
) -> Generator[Draws]:
    """Draws so far; all of them anew, with shorter steps, once some diverge."""
    for attempt in range(sampling.max_extensions + 1):
        last = attempt == sampling.max_extensions
        with closing(sample_batches(kernel, design, sampling, seed + attempt, progress)) as batches:
            for draws in batches:
                if draws.divergent.sum() > sampling.max_divergences and not last:
                    break
                yield draws
            else:
                return
        # Steps were too long somewhere.
        sampling = sampling.model_copy(update={"target_accept": 1.0 - (1.0 - sampling.target_accept) / 3.0})


def _attribute(
    kernel: Kernel, design: Design, draws: Draws, so_far: Attribution | None, seed: int, progress: Progress
) -> Attribution:
    """Attribute the draws that have come since; all of them if they are no continuation."""
    known = so_far.realized.shape[1] if so_far is not None else 0
    if so_far is None or draws.vectors.shape[1] <= known:
        return attribute_draws(kernel, design, draws.vectors, seed, progress)
    return extend_attribution(so_far, attribute_draws(kernel, design, draws.vectors[:, known:], seed, progress))


def count_named(assessment: Assessment) -> int:
    """Count the incidents of which evidence, or a settled case, names a rankable organization."""
    table = assessment.organizations
    ranked = set(table.loc[table["rankable"].astype(bool), "organization_id"])
    tables = (assessment.evidence, assessment.adjudications)
    naming = pd.concat([t.loc[t["organization_id"].isin(ranked), "incident_id"] for t in tables])
    return int(naming.nunique())


def require_scorable(assessment: Assessment) -> None:
    """Refuse before sampling what could not be scored afterwards.

    Raises
    ------
    RefusedError
        If scores are to be divided by what no table estimates, or weighted by a panel that gave no weights.
    """
    methodology = assessment.methodology
    per = methodology.score.per
    if per != "none" and not (assessment.revenue["kind"] == per).any():
        raise RefusedError(no_estimates(per))
    if methodology.weights.use == "panel":
        panel = panel_weight_array(assessment.panel_weights, methodology)
        if panel is None:
            raise RefusedError(NO_PANEL)
        pool_weights(panel, methodology.weights)


def _is_extended(diagnostics: Diagnostics, decision: Decision, sampling: Sampling) -> bool:
    """Whether more draws could help: too few for the limits, or too close to the line for their error."""
    if diagnostics.named == 0:
        return False
    short = diagnostics.max_rhat > sampling.max_rhat or 0 < diagnostics.min_ess < sampling.min_ess
    return short or needs_more_draws(decision)


def build_posterior(
    assessment: Assessment,
    design: Design,
    kernel: Kernel,
    draws: Draws,
    attribution: Attribution,
    rng: np.random.Generator,
) -> xr.DataTree:
    """Put draws of parameters, harms, revenue and the panel's weights into one tree."""
    table = assessment.organizations
    names = dict(zip(table["organization_id"], table["name"], strict=True))
    groups = {
        "posterior": quantities(kernel, design, draws.vectors),
        "sample_stats": xr.Dataset(
            {"diverging": (("chain", "draw"), draws.divergent), "n_steps": (("chain", "draw"), draws.steps)}
        ),
        "harms": _harms(design, attribution, names),
    }
    ranked = [o for o, r in zip(design.organizations, design.rankable, strict=True) if r]
    shape, prior = draws.vectors.shape[:2], assessment.methodology.revenue
    revenue = {
        kind: (("chain", "draw", ORGANIZATION), sample_revenue(rows, ranked, prior, shape, rng))
        for kind, rows in assessment.revenue.groupby("kind")
    }
    if revenue:
        groups["revenue"] = xr.Dataset(revenue, coords={ORGANIZATION: ranked})
    panel = panel_weight_array(assessment.panel_weights, assessment.methodology)
    if panel is not None:
        groups["weights"] = xr.Dataset({"panel_weight": panel})
    tree = xr.DataTree.from_dict(groups)
    tree.attrs["names"] = json.dumps({o: names[o] for o in ranked}, ensure_ascii=False)
    for period, days in zip(design.periods, design.days, strict=True):
        tree.attrs[f"days_{period}"] = float(days)
    return tree


def _harms(design: Design, attribution: Attribution, names: Mapping[str, str]) -> xr.Dataset:
    """Harm draws of the rankable organizations, and of everybody else together."""
    ranked = np.flatnonzero(design.rankable)
    rest = np.setdiff1d(np.arange(len(design.actors)), ranked)
    ids = [design.organizations[i] for i in ranked]
    dims, other_dims = ("chain", "draw", ORGANIZATION, CATEGORY), ("chain", "draw", CATEGORY)
    realized = attribution.realized.astype(np.int64)
    window = realized[:, :, design.periods.index(WINDOW)]
    data = {
        "harm_realized": (dims, window[:, :, ranked]),
        "harm_rate": (dims, attribution.expected[:, :, ranked]),
        "harm_other": (other_dims, window[:, :, rest].sum(axis=2)),
    }
    if BASELINE in design.periods:
        before = realized[:, :, design.periods.index(BASELINE)]
        data["harm_baseline"] = (dims, before[:, :, ranked])
        data["harm_other_baseline"] = (other_dims, before[:, :, rest].sum(axis=2))
    coords = {ORGANIZATION: ids, CATEGORY: list(design.categories), "name": (ORGANIZATION, [names[i] for i in ids])}
    return xr.Dataset(data, coords=coords)
