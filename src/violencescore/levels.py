"""Draws by organization to draws by unit, and what a score is divided by at either: revenue, or flow from networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from violencescore.assessment import Assessment
from violencescore.attribution import Attribution
from violencescore.design import Design
from violencescore.flows import Flows, as_estimates, extend_flows, sample_flows
from violencescore.methodology import Sampling
from violencescore.names import BASELINE, CATEGORY, CHAIN, DRAW, ORGANIZATION, WINDOW
from violencescore.networks import FLOW, uses_networks
from violencescore.revenue import sample_revenue
from violencescore.sampling import Progress
from violencescore.trees import Classes, Trees, build_classes, build_trees
from violencescore.unit_options import Shared
from violencescore.units import (
    TREE,
    UNITS,
    MemberHarm,
    counted_members,
    harms_at,
    revenue_at,
    unit_draws,
)

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Level:
    """How organizations make units: the trees, the first of which is the verdict's, classes of incidents, sharing."""

    trees: Trees
    classes: Classes | None
    shared: Shared


def build_level(assessment: Assessment) -> Level | None:
    """Return how organizations make units; None where every row of the table counts by itself."""
    trees = build_trees(assessment)
    if trees is None:
        return None
    return Level(trees, build_classes(assessment, trees), assessment.methodology.units.shared)


def member_harm(design: Design, attribution: Attribution, by_class: FloatArray | None) -> MemberHarm:
    """Return draws of harm by organization, as units are made of them."""
    has_baseline = BASELINE in design.periods
    return MemberHarm(
        realized=attribution.total[:, :, design.periods.index(WINDOW)],
        expected=attribution.expected,
        baseline=attribution.total[:, :, design.periods.index(BASELINE)] if has_baseline else None,
        by_class=by_class,
    )


def level_groups(
    level: Level,
    harm: MemberHarm,
    revenue: xr.Dataset | None,
    estimated: Mapping[str, frozenset[str]],
    names: Mapping[str, str],
    categories: tuple[str, ...],
) -> dict[str, xr.Dataset]:
    """Return the groups ``units``, ``harms`` and ``revenue`` of a posterior at the level of the verdict.

    Parameters
    ----------
    revenue
        Draws of those who count, by kind; None without estimates.
    estimated
        By kind, the organizations of which there is an estimate.
    """
    trees = level.trees
    of_kind = {
        kind: (_widened(revenue[kind], trees.members), np.array([m in ids for m in trees.members]))
        for kind, ids in estimated.items()
        if revenue is not None
    }
    units = unit_draws(trees, level.classes, level.shared, harm, of_kind, names, categories)
    groups = {UNITS: units, "harms": _level_harms(units, level, harm)}
    found = revenue_at(units, trees.names[0])
    return groups if found is None else groups | {"revenue": found}


def _widened(values: xr.DataArray, members: tuple[str, ...]) -> FloatArray:
    """Draws of all members (chain, draw, member), zero where nobody asks for them."""
    wide: FloatArray = values.reindex({ORGANIZATION: list(members)}, fill_value=0.0).values
    return wide


def _level_harms(units: xr.Dataset, level: Level, harm: MemberHarm) -> xr.Dataset:
    """The harms of the verdict's units, and those of everybody else together.

    Where an incident counts in full for each ally, totals of the window and of the baseline are no longer of one kind,
    so that the baseline is left out.
    """
    tree = level.trees.names[0]
    harms = harms_at(units, tree)
    rest = harm.realized.sum(axis=2) - _total(harms["harm_realized"])
    if level.shared == "each":
        counted = units["credit"].sel({TREE: tree}).values[:, :, level.trees.ranked[0]].any(axis=(0, 2))
        rest = harm.realized[:, :, np.append(~counted, True)].sum(axis=2)
        harms = harms.drop_vars("harm_baseline", errors="ignore")
    other = {"harm_other": rest}
    if harm.baseline is not None and "harm_baseline" in harms:
        other["harm_other_baseline"] = harm.baseline.sum(axis=2) - _total(harms["harm_baseline"])
        harms = harms.assign(harm_baseline=harms["harm_baseline"].astype(np.int64))
    return harms.assign({name: ((CHAIN, DRAW, CATEGORY), _as_counts(values)) for name, values in other.items()})


def _total(harm: xr.DataArray) -> FloatArray:
    total: FloatArray = harm.transpose(CHAIN, DRAW, ORGANIZATION, CATEGORY).sum(ORGANIZATION).values
    return total


def _as_counts(values: FloatArray) -> npt.NDArray[Any]:
    """Whole numbers as integers; the crumbs of halves and thirds that were added up and taken away are nothing."""
    if (np.abs(values - np.round(values)) < _CRUMB).all():
        return np.round(values).astype(np.int64)
    return np.where(values > _CRUMB, values, 0.0)


_CRUMB = 1e-6


def sample_revenues(
    assessment: Assessment,
    organizations: list[str],
    flows: Flows | None,
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[xr.Dataset | None, dict[str, frozenset[str]]]:
    """Draw what a score may be divided by, by kind; and say of whom there is an estimate.

    Parameters
    ----------
    organizations
        Ids to draw for, in order.
    flows
        What the networks say; None where they are not asked. What did not converge is left out, unless the verdict
        rests on it, which is then refused.
    """
    methodology = assessment.methodology
    rows = {str(kind): table for kind, table in assessment.revenue.groupby("kind")}
    sizes = dict(zip((CHAIN, DRAW), shape, strict=True))
    direct: FloatArray | None = None
    if flows is not None:
        estimates = rows.pop(FLOW, None)
        is_shown = flows.diagnostics.converged or methodology.score.per == FLOW
        if is_shown and methodology.flow.use == "combined" and estimates is not None:
            rows[FLOW] = pd.concat([estimates, as_estimates(flows, methodology.revenue.interval)], ignore_index=True)
        elif is_shown:
            places = [flows.actors.index(id_) for id_ in organizations]
            direct = flows.total[:, : sizes[DRAW], places]
    dims = (CHAIN, DRAW, ORGANIZATION)
    prior = methodology.revenue
    drawn = {kind: (dims, sample_revenue(rows[kind], organizations, prior, shape, rng)) for kind in sorted(rows)}
    estimated = {kind: frozenset(rows[kind]["organization_id"].astype(str)) for kind in sorted(rows)}
    if direct is not None:
        drawn[FLOW] = (dims, direct)
        estimated[FLOW] = frozenset(organizations)
    return (xr.Dataset(drawn, coords={ORGANIZATION: organizations}) if drawn else None), estimated


def drawn_for(design: Design, level: Level | None) -> list[str]:
    """Return for whom revenue is drawn: those who are ranked, and those who are part of a unit that is."""
    counts = design.rankable if level is None else counted_members(level.trees)
    return [id_ for id_, is_counted in zip(design.organizations, counts, strict=True) if is_counted]


def enough_flows(
    assessment: Assessment, sampling: Sampling, flows: Flows | None, n_draws: int, progress: Progress
) -> Flows | None:
    """Return flows with ``n_draws`` draws a chain or more, fitting again for more; None without networks."""
    if not uses_networks(assessment):
        return None
    while flows is None or flows.total.shape[1] < n_draws:
        number = 0 if flows is None else flows.total.shape[1]
        seed = int(np.random.SeedSequence((sampling.seed, _STREAM, number)).generate_state(1)[0])
        more = sample_flows(assessment, sampling, seed, progress)
        flows = more if flows is None else extend_flows(flows, more)
    return flows


_STREAM = 7
"""Sets the seeds of the flows apart from those of the incidents."""
