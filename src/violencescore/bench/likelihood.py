"""Who may have done an incident, draw by draw, from the named quantities of a posterior.

The same sums as in the compiled density, written once more in array operations so that they work on
the draws of a run folder and on incidents that never happened. Nothing is held for all incidents, actors and draws
at once: draws come in chunks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from violencescore.design import DATE, NAMES, NO_KIN, SILENT, SPEAKS, UNKNOWN, Design, Patterns
from violencescore.errors import RefusedError
from violencescore.names import CHAIN, DRAW

FloatArray = npt.NDArray[np.float64]

CHUNK_SIZE = 4_000_000
"""Numbers in one array of draws, groups and actors."""

_TINY = 1e-300

NO_ENGAGEMENT = (
    "Some incidents lie between candidates, and these draws do not hold how much each is engaged (`engagement`): fit "
    "the assessment again."
)


@dataclass(frozen=True)
class GroupWeights:
    """What each draw says of each group of incidents, up to ``exp(log_scale)``.

    Attributes
    ----------
    honest, staged
        Weight of the cell times probability of the evidence, by actor, for an incident that is what it seems and one
        that is staged (draw, group, actor).
    cell
        Weight of the cell alone, on the date (draw, group, actor): expected incidents, or shares between candidates.
    log_scale
        What was divided out (draw, group).
    """

    honest: FloatArray
    staged: FloatArray
    cell: FloatArray
    log_scale: FloatArray

    @property
    def either(self) -> FloatArray:
        """Honest and staged together (draw, group, actor)."""
        return self.honest + self.staged


def thin_draws(posterior: xr.Dataset, n_draws: int) -> xr.Dataset:
    """Keep about ``n_draws`` draws, evenly spaced, as many from each chain; all where there are no more."""
    per_chain = max(1, n_draws // posterior.sizes[CHAIN])
    step = max(1, posterior.sizes[DRAW] // per_chain)
    return posterior.isel({DRAW: slice(0, per_chain * step, step)})


def group_weights(design: Design, posterior: xr.Dataset) -> Iterator[GroupWeights]:
    """Yield the weights of all groups for chunks of draws, chain by chain.

    Parameters
    ----------
    posterior
        Named quantities (chain, draw, ...), as ``model.quantities`` makes them.

    Raises
    ------
    RefusedError
        If incidents lie between candidates and the draws do not say how much each is engaged.
    """
    if design.engages and "engagement" not in posterior:
        raise RefusedError(NO_ENGAGEMENT)
    flat = {str(name): _flat(values) for name, values in posterior.data_vars.items()}
    n = len(flat["rate"])
    rows = max(len(design.groups.n), len(design.patterns.stratum)) * len(design.actors)
    step = max(1, CHUNK_SIZE // max(rows, 1))
    for first in range(0, n, step):
        yield _weights(design, {name: values[first : first + step] for name, values in flat.items()})


def _flat(values: xr.DataArray) -> FloatArray:
    ordered = values.transpose(CHAIN, DRAW, ...).values
    return np.asarray(ordered, dtype=np.float64).reshape(-1, *ordered.shape[2:])


def _weights(design: Design, draws: Mapping[str, FloatArray]) -> GroupWeights:
    groups = design.groups
    cell = cell_weights(design, draws)
    honest, staged, log_scale = pattern_probabilities(design, draws)
    p = groups.pattern
    dated = cell if DATE not in design.factors.kind else cell * pattern_dates(design, draws)[:, p]
    return GroupWeights(honest[:, p] * cell, staged[:, p] * cell, dated, log_scale[:, p])


def pattern_dates(design: Design, draws: Mapping[str, FloatArray]) -> FloatArray:
    """Return the density of the date of each pattern, by who did it (draw, pattern, actor); else one."""
    patterns, factors = design.patterns, design.factors
    found = np.ones((len(draws["rate"]), len(patterns.stratum), len(design.actors)))
    owner = np.repeat(np.arange(len(patterns.stratum)), np.diff(patterns.firm_start))
    for at in np.flatnonzero(factors.kind[patterns.firm] == DATE):
        found[:, owner[at]] = _dates(design, draws, int(factors.argument[patterns.firm[at]]))
    return found


def cell_weights(design: Design, draws: Mapping[str, FloatArray]) -> FloatArray:
    """Return the weight of each actor in the cell of each group, the evidence apart (draw, group, actor).

    See ``model.cells.cell_weight``: expected incidents, or, between candidates, shares that add up to one.
    """
    groups, factors = design.groups, design.factors
    weight = draws["rate"][:, groups.kind, groups.period] * draws["presence"][:, groups.region]
    contest = design.patterns.contest[groups.pattern]
    for s in np.unique(contest[contest != UNKNOWN]):
        at = np.flatnonzero(contest == s)
        span = slice(factors.set_start[s], factors.set_start[s + 1])
        members = factors.set_member[span]
        among = weight[:, at[:, None], members] * draws["engagement"][:, None, span]
        accurate = draws["accuracy"][:, factors.set_channel[s], None, None]
        rest = np.delete(np.arange(len(design.actors)), members)
        outside = weight[:, at[:, None], rest]
        weight[:, at[:, None], members] = accurate * among / among.sum(axis=2, keepdims=True)
        weight[:, at[:, None], rest] = (1 - accurate) * outside / outside.sum(axis=2, keepdims=True)
    return weight


def pattern_probabilities(design: Design, draws: Mapping[str, FloatArray]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the probability of each pattern by actor, honest and staged (draw, pattern, actor), and its log scale.

    See ``model.patterns.pattern_probability``.
    """
    patterns = design.patterns
    n_draws, n_actors, n_patterns = len(draws["rate"]), len(design.actors), len(patterns.stratum)
    table = np.log(np.maximum(factor_probabilities(design, draws), _TINY))
    firm = _sum_factors(patterns.firm_start, patterns.firm, table)
    forged = _sum_factors(patterns.forged_start, patterns.forged, table)
    actors = np.arange(n_actors)
    ruled_out = (patterns.perpetrator[:, None] != UNKNOWN) & (patterns.perpetrator[:, None] != actors)
    firm = np.where(ruled_out, -np.inf, firm)
    scale = firm.max(axis=2) + forged.max(axis=2)
    firm = np.exp(firm - firm.max(axis=2, keepdims=True))
    forged = np.exp(forged - forged.max(axis=2, keepdims=True))
    if "false_flag" not in draws:
        return firm * forged, np.zeros((n_draws, n_patterns, n_actors)), scale
    share = draws["false_flag"][:, patterns.stratum]
    seen: FloatArray = np.einsum("dkm,dpm->dpk", draws["target"], forged, optimize=True)
    known = np.flatnonzero(patterns.framed != UNKNOWN)
    framed = patterns.framed[known]
    seen[:, known] = draws["target"][:, :, framed].transpose(0, 2, 1) * forged[:, known, framed][:, :, None]
    honest = firm * (1 - share) * forged * (patterns.staged != 1)[:, None]
    staged: FloatArray = firm * share * seen * (patterns.staged != 0)[:, None]
    return honest, staged, scale


def _sum_factors(start: npt.NDArray[np.int64], member: npt.NDArray[np.int64], table: FloatArray) -> FloatArray:
    """Sum the logs of each pattern's factors: (draw, factor, actor) to (draw, pattern, actor)."""
    from scipy.sparse import csr_array

    n_draws, n_factors, n_actors = table.shape
    held = csr_array((np.ones(len(member)), member, start), shape=(len(start) - 1, n_factors))
    sums = held @ table.transpose(1, 0, 2).reshape(n_factors, n_draws * n_actors)
    found: FloatArray = np.asarray(sums, dtype=np.float64).reshape(-1, n_draws, n_actors).transpose(1, 0, 2)
    return found


def factor_probabilities(design: Design, draws: Mapping[str, FloatArray]) -> FloatArray:
    """Return the probability of each factor by actor (draw, factor, actor); see ``model.evidence.factor_table``."""
    from scipy.special import gammaln

    factors, n_actors = design.factors, len(design.actors)
    reach, accuracy = draws["reach"], draws["accuracy"]
    table = np.empty((len(reach), len(factors.kind), n_actors))
    n_org = n_actors - 1
    named_by = {
        h: naming_probabilities(draws, h, design.kin) for h in np.unique(factors.channel[factors.kind == NAMES])
    }
    for f, (kind, h, a) in enumerate(zip(factors.kind, factors.channel, factors.argument, strict=True)):
        if kind == DATE:
            table[:, f] = _dates(design, draws, a)
            continue
        right, wrong = accuracy[:, h], 1 - accuracy[:, h]
        if kind in {SILENT, SPEAKS}:
            silent = 1 - reach[:, h]
            if factors.echo[f] != UNKNOWN:
                silent = silent * (1 - draws["follow"][:, factors.echo[f], None])
            table[:, f] = silent if kind == SILENT else 1 - silent
        elif kind == NAMES:
            table[:, f] = named_by[h][:, :, a]
            if factors.echo[f] != UNKNOWN:
                echo = draws["echo"][:, factors.echo[f], None]
                table[:, f] = (1 - echo) * table[:, f] + echo * factors.repeated[f]
        else:
            members = factors.set_member[factors.set_start[a] : factors.set_start[a + 1]]
            m = len(members)

            def ways(n: int, k: int) -> float:
                return float(np.exp(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))) if 0 <= k <= n else np.inf

            table[:, f] = (wrong / ways(n_org - 1, m))[:, None]
            table[:, f, n_org] = 1 / ways(n_org, m)
            table[:, f, members] = (right / ways(n_org - 1, m - 1))[:, None]
    return table


def _dates(design: Design, draws: Mapping[str, FloatArray], era: int) -> FloatArray:
    """Return the density of the dates of an era, by who did it (draw, actor); see ``activity``."""
    table = np.tile(design.dated[era], (len(draws["rate"]), 1))
    for i, (_, elder) in enumerate(design.kin):
        if side := design.side[era, i]:
            kept, (before, after) = draws["kept"][:, i], design.cut[i]
            table[:, elder] *= (before + after) / (before + after * kept) * (kept if side > 0 else 1.0)
    return table


def naming_probabilities(
    draws: Mapping[str, FloatArray], channel: int, kin: npt.NDArray[np.int64] = NO_KIN
) -> FloatArray:
    """Return whom a piece of a channel names, by who did it (draw, actor, named); as ``model.evidence.channels``."""
    if "confusion" in draws:
        return draws["confusion"][:, channel]
    accuracy, notoriety = draws["accuracy"][:, channel, None], draws["notoriety"][:, channel]
    n_org = notoriety.shape[1] - 1
    table = (1 - accuracy)[:, :, None] * notoriety[:, None] / np.maximum(1 - notoriety, _TINY)[:, :, None]
    named = np.arange(n_org + 1)
    table[:, named, named] = accuracy
    never = notoriety[:, n_org] == 0.0
    table[never, n_org] = notoriety[never]
    shape = table.copy()
    for i, (heir, elder) in enumerate(kin):
        old = draws["old_name"][:, i, None]
        table[:, heir] = (1 - old) * shape[:, heir] + old * shape[:, elder]
    return table


def log_likelihood(design: Design, posterior: xr.Dataset) -> xr.DataArray:
    """Return the log probability of one incident of each group (chain, draw, group).

    Of an incident without candidates: of its kind, region, period and evidence, the number of incidents being given
    (its share of all that is expected). Of one between candidates: of the rest of its evidence, given that it is
    between them. That is what the model says of each (``docs/model.md``, Candidates).
    """
    plain = design.patterns.contest[design.groups.pattern] == UNKNOWN
    total = _flat(posterior["rate"].sum(["kind", "period", "actor"]))
    parts = []
    for weights in group_weights(design, posterior):
        parts.append(np.log(np.maximum(weights.either.sum(axis=2), _TINY)) + weights.log_scale)
    found = np.concatenate(parts) - np.where(plain, np.log(total)[:, None], 0.0)
    shape = (posterior.sizes[CHAIN], posterior.sizes[DRAW], -1)
    return xr.DataArray(found.reshape(shape), dims=(CHAIN, DRAW, "group"), name="log_likelihood")


def responsibilities(design: Design, posterior: xr.Dataset) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return posterior means: who did an incident of each group, who before its evidence, and was it staged.

    Returns
    -------
    tuple
        (group, actor), (group, actor) and (group). Before the evidence: by the rates of the cell alone, or, between
        candidates, by the shares.
    """
    shape = (len(design.groups.n), len(design.actors))
    after, before, staged, n = np.zeros(shape), np.zeros(shape), np.zeros(shape[0]), 0
    for weights in group_weights(design, posterior):
        total = weights.either.sum(axis=2, keepdims=True)
        after += (weights.either / total).sum(axis=0)
        before += (weights.cell / weights.cell.sum(axis=2, keepdims=True)).sum(axis=0)
        staged += (weights.staged.sum(axis=2) / total[:, :, 0]).sum(axis=0)
        n += len(total)
    return after / n, before / n, staged / n


def one_incident(design: Design, incident: int, steps: tuple[Patterns, npt.NDArray[np.int64]]) -> Design:
    """Return a design whose groups are the cell of one incident with each of the patterns given."""
    patterns, order = steps
    g = design.incident_group[incident]
    cell = {name: np.full(len(order), getattr(design.groups, name)[g]) for name in ("kind", "region", "period")}
    groups = dataclasses.replace(design.groups, **cell, pattern=order, n=np.ones(len(order), dtype=np.int64))
    return dataclasses.replace(design, patterns=patterns, groups=groups)
