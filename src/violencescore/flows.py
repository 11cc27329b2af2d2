"""Draws of each organization's drug flow, from distribution networks: the model of attribution, used a second time.

A network's flow goes to whoever runs it in a draw. What no listed network carries is a share of all flow whose prior
the methodology states, and is divided among all organizations by a flat Dirichlet distribution: nothing is known of it,
and so no organization's flow is ever exactly zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from violencescore.assessment import Assessment
from violencescore.attribution import attribute_draws
from violencescore.design import Design, build_design
from violencescore.diagnostics import Diagnostics, diagnose
from violencescore.methodology import Sampling
from violencescore.model.kernel import build_kernel
from violencescore.model.quantities import quantities, sample_prior
from violencescore.names import CHAIN, DRAW, ORGANIZATION
from violencescore.networks import FLOW, network_assessment
from violencescore.sampling import Progress, kernel_target, no_progress, sample_safely
from violencescore.unit_options import FlowRule

FloatArray = npt.NDArray[np.float64]

N_PRIOR_DRAWS = 1000
ACTOR, NETWORK = "actor", "network"
SOURCE = "networks"
"""What the networks are called where they count as one more source among estimates."""


@dataclass(frozen=True, eq=False)
class Flows:
    """What networks say of flows.

    Attributes
    ----------
    listed, total
        Flow of the listed networks, and with what none of them carries (chain, draw, actor), ``other`` last.
    actors
        Ids, ``other`` last.
    networks, probability
        Ids, and how probably each actor runs each (network, actor).
    unit
        Of the flows; may be empty.
    diagnostics
        Convergence of the fit, judged by the limits of the methodology, and what was identified.
    """

    listed: FloatArray
    total: FloatArray
    actors: tuple[str, ...]
    networks: tuple[str, ...]
    probability: FloatArray
    unit: str
    diagnostics: Diagnostics

    @property
    def share(self) -> FloatArray:
        """Share of all flow (chain, draw, actor)."""
        return self.total / self.total.sum(axis=-1, keepdims=True)


def sample_flows(assessment: Assessment, sampling: Sampling, seed: int, progress: Progress = no_progress) -> Flows:
    """Fit the networks and draw the flow of each organization.

    Parameters
    ----------
    assessment
        With networks.
    sampling
        How many draws and chains, and when they are good enough; more are drawn while they are not.
    seed
        Of all randomness.
    """
    derived, worth = network_assessment(assessment)
    design = build_design(derived)
    kernel = build_kernel(design, derived.methodology.priors)
    seeds = np.random.SeedSequence(seed).generate_state(4, dtype=np.uint64) >> np.uint64(1)
    vectors = sample_prior(kernel, design, N_PRIOR_DRAWS, np.random.default_rng(int(seeds[0])))
    prior = quantities(kernel, design, vectors)
    named = len({*derived.evidence["incident_id"], *derived.adjudications["incident_id"]})

    def report(stage: str, done: int, total: int) -> None:
        progress(f"flows: {stage}", done, total)

    with closing(sample_safely(kernel_target(kernel, design), sampling, int(seeds[1]), report)) as batches:
        for draws in batches:
            attribution = attribute_draws(kernel, design, draws.vectors, int(seeds[2]), report)
            listed = worth * attribution.realized[:, :, 0, :, 0]
            shares = _as_scores(listed, design)
            posterior = quantities(kernel, design, draws.vectors)
            diagnostics = diagnose(draws, shares, posterior, prior, sampling, named)
            if diagnostics.max_rhat <= sampling.max_rhat and diagnostics.min_ess >= sampling.min_ess:
                break
    n = sampling.draws  # the last ones: a chain that had to go on has forgotten more of its start
    listed = listed[:, -n:]
    total = add_unlisted(listed, assessment.methodology.flow, np.random.default_rng(int(seeds[3])))
    return Flows(
        listed=listed,
        total=total,
        actors=design.actors,
        networks=tuple(derived.incidents["incident_id"]),
        probability=attribution.responsibility[design.incident_group],
        unit=str(assessment.networks["unit"].iloc[0]),
        diagnostics=diagnostics,
    )


def add_unlisted(listed: FloatArray, rule: FlowRule, rng: np.random.Generator) -> FloatArray:
    """Add to the listed flow (chain, draw, actor) what no listed network carries."""
    sample = listed.shape[:-1]
    share = np.minimum(rng.beta(*rule.unlisted, size=sample), 1 - 1e-9)
    whole = listed.sum(axis=-1) * share / (1 - share)
    total: FloatArray = listed + whole[..., None] * rng.dirichlet(np.ones(listed.shape[-1]), size=sample)
    return total


def extend_flows(flows: Flows, more: Flows) -> Flows:
    """Append further draws, of chains of their own; the worse of the two diagnostics counts."""
    worse = flows.diagnostics if not flows.diagnostics.converged else more.diagnostics
    return replace(
        more,
        listed=np.concatenate([flows.listed, more.listed], axis=1),
        total=np.concatenate([flows.total, more.total], axis=1),
        probability=(flows.probability + more.probability) / 2,
        diagnostics=worse,
    )


def _as_scores(listed: FloatArray, design: Design) -> xr.DataArray:
    """The flow of those who may be ranked, in the shape in which convergence is judged."""
    ranked = np.flatnonzero(design.rankable)
    ids = [design.organizations[i] for i in ranked]
    return xr.DataArray(listed[:, :, ranked], dims=(CHAIN, DRAW, ORGANIZATION), coords={ORGANIZATION: ids})


def as_estimates(flows: Flows, interval: float) -> pd.DataFrame:
    """Return the flows as rows of `revenue`, to be combined with other estimates: log mean and log sd of each.

    What the flows of two organizations have in common in the draws is lost; the bias of a source stands in for it.
    """
    from scipy.special import ndtri

    logs = np.log(flows.total[:, :, :-1]).reshape(-1, len(flows.actors) - 1)
    mean, width = logs.mean(axis=0), float(ndtri(0.5 + interval / 2)) * logs.std(axis=0)
    return pd.DataFrame(
        {
            "organization_id": list(flows.actors[:-1]),
            "source_id": SOURCE,
            "best": np.exp(mean),
            "low": np.exp(mean - width),
            "high": np.exp(mean + width),
            "year": pd.array([pd.NA] * len(mean), dtype="Int64"),
            "kind": FLOW,
            "unit": flows.unit,
        }
    )


def flow_dataset(flows: Flows) -> xr.Dataset:
    """Return the group ``flows`` of a posterior: shares, listed flow, and who runs each network."""
    sample = (CHAIN, DRAW)
    data: Mapping[str, Any] = {
        "share": ((*sample, ACTOR), flows.share),
        "listed": ((*sample, ACTOR), flows.listed),
        "total": ((*sample, ACTOR), flows.total),
        "p_network": ((NETWORK, ACTOR), flows.probability),
    }
    found = flows.diagnostics
    attributes = {
        "unit": flows.unit,
        "converged": int(found.converged),
        "max_rhat": float(found.max_rhat),
        "min_ess": float(found.min_ess),
        "reasons": " ".join(found.reasons),
    }
    coords = {ACTOR: list(flows.actors), NETWORK: list(flows.networks)}
    return xr.Dataset(data, coords=coords, attrs=attributes)


def with_flow_failures(diagnostics: Diagnostics, flows: Flows) -> Diagnostics:
    """Return the diagnostics of a verdict that divides by flows: not converged where the flows are not."""
    if flows.diagnostics.converged:
        return diagnostics
    reasons = tuple(f"in the fit of the networks, {reason}" for reason in flows.diagnostics.reasons)
    return replace(diagnostics, converged=False, reasons=(*diagnostics.reasons, *reasons))
