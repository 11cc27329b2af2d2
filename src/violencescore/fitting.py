"""Assessment to posterior: the whole chain from design to scores, with more draws where the verdict needs them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from violencescore.assessment import Assessment
from violencescore.attribution import Attribution, attribute_draws, compile_attribution, extend_attribution
from violencescore.decision import Decision, needs_more_draws
from violencescore.design import Design, build_design
from violencescore.diagnostics import Diagnostics, diagnose
from violencescore.episodes import NEAR
from violencescore.errors import RefusedError
from violencescore.flows import Flows, flow_dataset, with_flow_failures
from violencescore.levels import Level, build_level, drawn_for, enough_flows, level_groups, member_harm, sample_revenues
from violencescore.listings import build_histories, why_recorded_only
from violencescore.methodology import Sampling
from violencescore.model.kernel import Kernel, build_kernel
from violencescore.model.pilot import learn_repeats
from violencescore.model.quantities import quantities, sample_prior
from violencescore.names import BASELINE, CATEGORY, ORGANIZATION, UNREPORTED, WINDOW
from violencescore.networks import FLOW, uses_networks
from violencescore.parting import join_parts, parted_design
from violencescore.reporting import (
    Listed,
    begin_listing,
    continue_listing,
    dominance,
    listing_quantities,
    missed_odds,
    prior_quantities,
)
from violencescore.sampling import (
    Draws,
    Progress,
    compile_kernel,
    kernel_target,
    no_progress,
    sample_safely,
)
from violencescore.scores import NO_PANEL, no_estimates, panel_weight_array, pool_weights, score_draws
from violencescore.sensitivity import prior_parts
from violencescore.unreported import unreported_harms
from violencescore.verdict import decide_posterior

N_PRIOR_DRAWS = 4000

NEGLIGIBLE_REPEAT = 0.01
"""Learned probability of repetition below which neighbours count as independent: numbers would vary by 1 % more."""


@dataclass(frozen=True)
class Fit:
    """A fitted assessment.

    Attributes
    ----------
    posterior
        Groups ``posterior`` (named quantities), ``harms``, ``revenue``, ``weights``, ``units`` (from which scores under
        other published trees follow) and ``flows`` (what distribution networks say) where there are any,
        ``sample_stats``, ``log_prior`` and ``log_likelihood`` (see ``sensitivity``).
    decision
        The verdict under the methodology.
    attribution
        Who probably did each group of incidents.
    seconds
        Where the time went: compile, sample, scores, and listing where unreported violence is estimated.
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
    progress("compiling", 0, 1)
    seconds = {"compile": compile_kernel(), "sample": 0.0, "scores": 0.0}
    progress("compiling", 1, 1)
    stated = build_design(assessment)
    design = without_rare_series(learn_repeats(stated, methodology.priors), assessment)
    kernel = build_kernel(design, methodology.priors)
    sample_seed, score_seed, revenue_seed, prior_seed, listing_seed = (
        int(s) for s in np.random.SeedSequence(sampling.seed).generate_state(5, dtype=np.uint64) >> np.uint64(1)
    )
    prior_vectors = sample_prior(kernel, stated, N_PRIOR_DRAWS, np.random.default_rng(prior_seed))
    prior = quantities(kernel, design, prior_vectors)
    named = count_named(assessment)

    # The chains need no interpreter: what comes after them is compiled meanwhile.
    compiling = threading.Thread(target=compile_attribution, args=(kernel, design), daemon=True)
    compiling.start()
    level = build_level(assessment)
    parted = parted_design(design, assessment, None if level is None else level.classes)
    lists = None if why_recorded_only(assessment) else build_histories(assessment, design)
    listed: Listed | None = None
    so_far: Attribution | None = None
    flows: Flows | None = None
    watch = time.perf_counter()
    safely = sample_safely(kernel_target(kernel, design), sampling, sample_seed, progress)
    with closing(safely) as batches, ExitStack() as stack:
        for batch, draws_so_far in enumerate(batches):
            seconds["sample"] += time.perf_counter() - watch
            watch = time.perf_counter()
            compiling.join()
            if lists is not None:
                if listed is None:
                    shares = dominance(quantities(kernel, design, draws_so_far.vectors))
                    listed = begin_listing(lists, methodology.reporting, sampling, listing_seed, shares, progress)
                    stack.enter_context(closing(listed.batches))
                    prior = prior.merge(prior_quantities(listed.model, N_PRIOR_DRAWS, prior_seed))
                listed = continue_listing(listed, draws_so_far.vectors.shape[1])
                seconds["listing"] = seconds.get("listing", 0.0) + time.perf_counter() - watch
                watch = time.perf_counter()
            so_far = _attribute(kernel, parted, draws_so_far, so_far, score_seed + batch, listed, progress)
            attribution, by_class = join_parts(so_far, design)
            flows = enough_flows(assessment, sampling, flows, draws_so_far.vectors.shape[1], progress)
            rng = np.random.default_rng(revenue_seed)
            posterior = build_posterior(
                *(assessment, design, kernel, draws_so_far, attribution, rng),
                listed=listed,
                flows=flows,
                level=level,
                by_class=by_class,
            )
            scores = score_draws(posterior, methodology)
            parameters = draws_so_far if listed is None else listed.beside(draws_so_far)
            diagnostics = diagnose(parameters, scores, posterior["posterior"].to_dataset(), prior, sampling, named)
            if flows is not None and methodology.score.per == FLOW:
                diagnostics = with_flow_failures(diagnostics, flows)
            decision = decide_posterior(posterior, methodology, diagnostics.to_json_dict({}))
            seconds["scores"] += time.perf_counter() - watch
            watch = time.perf_counter()
            if not _is_extended(diagnostics, decision, sampling):
                break
    if densities:
        for group, values in prior_parts(kernel, design, draws_so_far).items():
            posterior[group] = xr.DataTree(values)
    return Fit(assessment, design, posterior, attribution, diagnostics, decision, sampling.seed, seconds)


def without_rare_series(design: Design, assessment: Assessment) -> Design:
    """Return a design in which neighbours are independent if the repetition that was learned is negligible."""
    if NEAR not in design.bond_names:
        return design
    share, rest = design.bonds[design.bond_names.index(NEAR)]
    if share >= NEGLIGIBLE_REPEAT * (share + rest):
        return design
    return replace(build_design(assessment, in_series=False), bonds=design.bonds)


def _attribute(
    kernel: Kernel,
    design: Design,
    draws: Draws,
    so_far: Attribution | None,
    seed: int,
    listed: Listed | None,
    progress: Progress,
) -> Attribution:
    """Attribute the draws that have come since; all of them if they are no continuation."""
    known = so_far.realized.shape[1] if so_far is not None else 0
    if draws.vectors.shape[1] <= known:
        so_far, known = None, 0
    odds = None if listed is None else missed_odds(listed.model, listed.vectors(known, draws.vectors.shape[1]))
    more = attribute_draws(kernel, design, draws.vectors[:, known:], seed, progress, odds)
    if odds is not None:
        more = replace(more, unreported=unreported_harms(design, more.responsibility, more.n_unreported, seed))
    return more if so_far is None else extend_attribution(so_far, more)


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
        If scores are to be divided by what no table estimates, or weighted by a panel that gave no weights; or if
        unreported violence is to be estimated from fewer than two lists.
    """
    methodology = assessment.methodology
    why_recorded_only(assessment)
    per = methodology.score.per
    from_networks = per == FLOW and uses_networks(assessment)
    if per != "none" and not from_networks and not (assessment.revenue["kind"] == per).any():
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
    *,
    listed: Listed | None = None,
    flows: Flows | None = None,
    level: Level | None = None,
    by_class: npt.NDArray[np.float64] | None = None,
) -> xr.DataTree:
    """Put draws of parameters, harms, revenue and the panel's weights into one tree.

    Parameters
    ----------
    listed
        What the lists of incidents say of how many none of them has.
    flows
        What distribution networks say of flows.
    level, by_class
        How organizations make units, and the harm by class of incident where units change or allies share.
    """
    table = assessment.organizations
    names = dict(zip(table["organization_id"], table["name"], strict=True))
    shape = draws.vectors.shape[:2]
    revenue, estimated = sample_revenues(assessment, drawn_for(design, level), flows, shape, rng)
    groups = {
        "posterior": _parameters(kernel, design, draws, listed),
        "sample_stats": xr.Dataset(
            {"diverging": (("chain", "draw"), draws.divergent), "n_steps": (("chain", "draw"), draws.steps)}
        ),
    }
    if level is None:
        groups["harms"] = _harms(design, attribution, names)
        groups |= {} if revenue is None else {"revenue": revenue}
    else:
        harm = member_harm(design, attribution, by_class)
        groups |= level_groups(level, harm, revenue, estimated, names, design.categories)
    if flows is not None:
        groups["flows"] = flow_dataset(flows)
    panel = panel_weight_array(assessment.panel_weights, assessment.methodology)
    if panel is not None:
        groups["weights"] = xr.Dataset({"panel_weight": panel})
    tree = xr.DataTree.from_dict(groups)
    ranked = [str(id_) for id_ in groups["harms"][ORGANIZATION].values]
    tree.attrs["names"] = json.dumps({o: names[o] for o in ranked}, ensure_ascii=False)
    for period, days in zip(design.periods, design.days, strict=True):
        tree.attrs[f"days_{period}"] = float(days)
    return tree


def _parameters(kernel: Kernel, design: Design, draws: Draws, listed: Listed | None) -> xr.Dataset:
    """Named quantities of the draws, those of listing among them."""
    found = quantities(kernel, design, draws.vectors)
    if listed is None:
        return found
    return found.merge(listing_quantities(listed.model, listed.vectors(0, draws.vectors.shape[1])))


def _harms(design: Design, attribution: Attribution, names: Mapping[str, str]) -> xr.Dataset:
    """Harm draws of the rankable organizations, and of everybody else together; unreported harm is part of each."""
    ranked = np.flatnonzero(design.rankable)
    rest = np.setdiff1d(np.arange(len(design.actors)), ranked)
    ids = [design.organizations[i] for i in ranked]
    dims, other_dims = ("chain", "draw", ORGANIZATION, CATEGORY), ("chain", "draw", CATEGORY)
    realized = attribution.total.astype(np.int64)
    at = design.periods.index(WINDOW)
    window = realized[:, :, at]
    data = {
        "harm_realized": (dims, window[:, :, ranked]),
        "harm_rate": (dims, attribution.expected[:, :, ranked]),
        "harm_other": (other_dims, window[:, :, rest].sum(axis=2)),
    }
    if attribution.n_unreported.size:
        missed = attribution.unreported[:, :, at].astype(np.int64)
        data[UNREPORTED] = (dims, missed[:, :, ranked])
        data[f"{UNREPORTED}_other"] = (other_dims, missed[:, :, rest].sum(axis=2))
    if BASELINE in design.periods:
        before = realized[:, :, design.periods.index(BASELINE)]
        data["harm_baseline"] = (dims, before[:, :, ranked])
        data["harm_other_baseline"] = (other_dims, before[:, :, rest].sum(axis=2))
    coords = {ORGANIZATION: ids, CATEGORY: list(design.categories), "name": (ORGANIZATION, [names[i] for i in ids])}
    return xr.Dataset(data, coords=coords)
