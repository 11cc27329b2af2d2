"""Worlds consistent with the evidence: in each draw who did each incident of the window, and how much harm it did.

The draws of a run hold totals. What concerns single incidents (staged, removed, unreported, outside another window)
needs them one by one, so they are allotted once more, from the same posterior. Incidents that never happened can be
added: each draw then says how probable they would have been, and whose they would be.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from violencescore.assessment import Assessment
from violencescore.bench.likelihood import group_weights, thin_draws
from violencescore.design import NAMES, SILENT, SPEAKS, UNKNOWN, Design, Factors, Groups, Patterns, build_design
from violencescore.errors import RefusedError
from violencescore.methodology import Window
from violencescore.names import CHAIN, DRAW, ORGANIZATION, WINDOW
from violencescore.strata import build_strata

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SIZE = 8_000_000
"""Draws times incidents that are held at once; the draws are thinned to that, to no fewer than `LEAST` of them."""
LEAST = 400
SOUND = 0.7
"""Largest Pareto k at which reweighted draws can be trusted (Vehtari, Simpson, Gelman, Yao and Gabry 2024)."""

EPISODES = (
    "The methodology lets incidents share their perpetrator ([episodes]), so that none can be moved alone: only what "
    "follows from the scores is answered."
)

_BATCH = 256
_STANDS_OUT = 3.0
"""What a model learns from an incident counts where it exceeds this many of its Monte-Carlo errors."""
_TINY = 1e-300


@dataclass(frozen=True, eq=False)
class Worlds:
    """Posterior worlds.

    Attributes
    ----------
    design
        The assessment as arrays.
    quantities
        Named quantities of the draws that are kept (chain, draw, ...).
    incident
        Which incidents lie in the window: indices into ``design.incident_id``.
    actor
        Who did each of them: index into ``design.actors`` (chain, draw, incident).
    value
        The weighted harm that it did (chain, draw, incident).
    log_density
        Log probability density of one incident of each group, up to a constant (chain, draw, group).
    ranked
        Index among the actors of each rankable organization.
    size
        What scores are divided by (chain, draw, organization).
    stratum
        Of staging: that of an incident of each kind in the middle of the window (kind).
    """

    design: Design
    quantities: xr.Dataset
    incident: IntArray
    actor: npt.NDArray[np.int16]
    value: FloatArray
    log_density: FloatArray
    ranked: IntArray
    size: FloatArray
    stratum: IntArray

    @property
    def shape(self) -> tuple[int, int]:
        """Chains and draws."""
        return self.actor.shape[0], self.actor.shape[1]

    def totals(self, value: FloatArray | None = None, actor: npt.NDArray[np.int16] | None = None) -> FloatArray:
        """Return the scores with other values, or other perpetrators, of the incidents (chain, draw, organization)."""
        value, actor = self.value if value is None else value, self.actor if actor is None else actor
        n, n_actors = self.shape[0] * self.shape[1], len(self.design.actors)
        place = np.arange(n)[:, None] * n_actors + actor.reshape(n, -1)
        sums = np.bincount(place.ravel(), weights=value.ravel(), minlength=n * n_actors)
        return np.asarray(sums.reshape(*self.shape, n_actors)[..., self.ranked] / self.size)

    def without(self, removed: Sequence[int]) -> FloatArray:
        """Return the scores without some incidents, by their place in ``incident``."""
        value = self.value.copy()
        value[..., list(removed)] = 0.0
        return self.totals(value)


def build_worlds(
    assessment: Assessment, posterior: xr.DataTree, weights: xr.DataArray, seed: int, size: int = SIZE
) -> Worlds:
    """Allot the incidents of the window in each draw.

    Parameters
    ----------
    assessment, posterior
        Tables, and the draws fitted to them.
    weights
        Weight of each category (category).
    """
    design = build_design(assessment)
    if len(design.bonds):
        raise RefusedError(EPISODES)
    named = posterior["posterior"].to_dataset()
    incident = np.flatnonzero(design.groups.period[design.incident_group] == design.periods.index(WINDOW))
    n_draws = max(LEAST, size // max(len(incident), 1))
    kept = thin_draws(named, n_draws)
    rng = np.random.default_rng(seed)
    actors, densities = [], []
    groups = design.incident_group[incident]
    for found in group_weights(design, kept):
        either = found.either
        total = either.sum(axis=2)
        densities.append(np.log(np.maximum(total, _TINY)) + found.log_scale)
        below = np.cumsum(either, axis=2)[:, :, :-1] / np.maximum(total, _TINY)[:, :, None]
        u = rng.random((len(total), len(incident)))
        actor = np.zeros(u.shape, dtype=np.int16)
        for k in range(below.shape[2]):
            actor += u > below[:, groups, k]
        actors.append(actor)
    shape = (kept.sizes[CHAIN], kept.sizes[DRAW])
    return Worlds(
        design=design,
        quantities=kept,
        incident=incident,
        actor=np.concatenate(actors).reshape(*shape, -1),
        value=_values(assessment, design, incident, weights, shape, rng),
        log_density=np.concatenate(densities).reshape(*shape, -1),
        ranked=np.flatnonzero(design.rankable),
        size=_sizes(assessment, posterior, n_draws, shape, int(design.rankable.sum())),
        stratum=_strata(assessment, design),
    )


def middle_of(window: Window) -> pd.Timestamp:
    """Return the day in the middle of a window, on which what is added has happened."""
    start = pd.Timestamp(window.start)
    return start + (pd.Timestamp(window.end) - start) // 2


def _strata(assessment: Assessment, design: Design) -> IntArray:
    """Stratum of staging of an incident of each kind in the middle of the window."""
    window = assessment.methodology.window
    kinds = np.arange(len(design.kinds))
    if window is None:
        return np.zeros(len(kinds), dtype=np.int64)
    days = pd.Series([middle_of(window)] * len(kinds))
    period = np.full(len(kinds), design.periods.index(WINDOW))
    return build_strata(assessment.methodology, design.periods, days, period, design.kinds, kinds).of_incident


def _values(
    assessment: Assessment,
    design: Design,
    incident: IntArray,
    weights: xr.DataArray,
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> FloatArray:
    """Weighted harm of each incident of the window (chain, draw, incident), its counts drawn from their ranges."""
    place = pd.Series(np.arange(len(incident)), index=design.incident_id[incident])
    harms = assessment.harms.assign(at=assessment.harms["incident_id"].map(place)).dropna(subset=["at"])
    weight = harms["category"].map(weights.to_series()).fillna(0.0).to_numpy(float)
    at = harms["at"].to_numpy(np.int64)
    n = shape[0] * shape[1]
    value = np.zeros((n, len(incident)))
    ranges, code = np.unique(harms[["low", "best", "high"]].to_numpy(np.int64), axis=0, return_inverse=True)
    for c, (low, best, high) in enumerate(ranges):
        own = np.flatnonzero(code.ravel() == c)
        counts = draw_counts(int(low), int(best), int(high), (n, len(own)), rng)
        for i, row in enumerate(own):  # several harms of one incident add up
            value[:, at[row]] += weight[row] * counts[:, i]
    return value.reshape(*shape, -1)


def draw_counts(low: int, best: int, high: int, shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    """Draw true counts on [low, high]: the weight falls linearly from the mode; as ``attribution.draw_count``."""
    if low == high:
        return np.full(shape, float(best))
    support = np.arange(low, high + 1)
    up = (support - low + 1) / (best - low + 1)
    down = (high - support + 1) / (high - best + 1)
    chance = np.minimum(up, down)
    return rng.choice(support, size=shape, p=chance / chance.sum()).astype(np.float64)


def _sizes(
    assessment: Assessment, posterior: xr.DataTree, n_draws: int, shape: tuple[int, int], n_ranked: int
) -> FloatArray:
    per = assessment.methodology.score.per
    if per == "none":
        return np.ones((*shape, n_ranked))
    found = thin_draws(posterior["revenue"].to_dataset(), n_draws)[per].transpose(CHAIN, DRAW, ORGANIZATION)
    return np.asarray(found.values, dtype=np.float64)


@dataclass(frozen=True)
class Insertion:
    """An incident of the window that never happened.

    Attributes
    ----------
    kind, region
        Indices into ``design.kinds`` and ``design.regions``.
    named
        Pairs (channel, actor): what evidence there is. Channels that name nobody are silent.
    settled
        Actor whom a court found to have done it, and not staged it; then channels do not count at all.
    """

    kind: int
    region: int
    named: tuple[tuple[int, int], ...] = ()
    settled: int = UNKNOWN


def inserted(worlds: Worlds, insertions: Sequence[Insertion]) -> tuple[FloatArray, FloatArray]:
    """Return what each draw says of incidents that never happened.

    Returns
    -------
    tuple
        Log density of each (chain, draw, insertion), what a draw's weight grows by where the incident is added; and
        the probability that each actor did it (chain, draw, insertion, actor).
    """
    densities, shares = [], []
    for first in range(0, len(insertions), _BATCH):
        design = _inserted_design(worlds.design, worlds.stratum, insertions[first : first + _BATCH])
        parts = list(group_weights(design, worlds.quantities))
        either = np.concatenate([part.either for part in parts])
        total = np.maximum(either.sum(axis=2), _TINY)
        densities.append(np.log(total) + np.concatenate([part.log_scale for part in parts]))
        shares.append(either / total[:, :, None])
    density, share = np.concatenate(densities, axis=1), np.concatenate(shares, axis=1)
    return density.reshape(*worlds.shape, -1), share.reshape(*worlds.shape, len(insertions), -1)


def _inserted_design(design: Design, stratum: IntArray, insertions: Sequence[Insertion]) -> Design:
    """Return the design whose groups are the insertions, one each."""
    factors, name_at = _all_names(design)
    n_channels, window = len(design.channels), design.periods.index(WINDOW)
    firm: list[list[int]] = []
    forged: list[list[int]] = []
    for insertion in insertions:
        held = [] if insertion.settled != UNKNOWN else _factors_of(insertion, n_channels, name_at)
        forged.append([f for f in held if design.forgeable[factors.channel[f]]])
        firm.append([f for f in held if not design.forgeable[factors.channel[f]]])
    n = len(insertions)
    settled = np.array([i.settled for i in insertions], dtype=np.int64)
    unknown = np.full(n, UNKNOWN, dtype=np.int64)
    patterns = Patterns(
        firm_start=np.cumsum([0, *map(len, firm)]),
        firm=np.array([f for part in firm for f in part], dtype=np.int64),
        forged_start=np.cumsum([0, *map(len, forged)]),
        forged=np.array([f for part in forged for f in part], dtype=np.int64),
        stratum=stratum[[i.kind for i in insertions]],
        perpetrator=settled,
        staged=np.where(settled == UNKNOWN, UNKNOWN, 0),
        framed=unknown,
        contest=unknown,
    )
    groups = Groups(
        kind=np.array([i.kind for i in insertions], dtype=np.int64),
        region=np.array([i.region for i in insertions], dtype=np.int64),
        period=np.full(n, window, dtype=np.int64),
        pattern=np.arange(n),
        n=np.ones(n, dtype=np.int64),
    )
    return dataclasses.replace(design, factors=factors, patterns=patterns, groups=groups)


def _factors_of(insertion: Insertion, n_channels: int, name_at: IntArray) -> list[int]:
    """Indices of the factors of an insertion's evidence: each channel is silent or speaks, and what it says."""
    speaking = {channel for channel, _ in insertion.named}
    held = [h + n_channels * (h in speaking) for h in range(n_channels)]
    return held + [int(name_at[channel, actor]) for channel, actor in insertion.named]


def _all_names(design: Design) -> tuple[Factors, IntArray]:
    """Factors of every channel's silence, speech and naming of every organization; and where those namings stand."""
    n_channels, n_named = len(design.channels), len(design.organizations)
    channels, actors = np.arange(n_channels), np.arange(n_named)
    sizes = (n_channels, n_channels, n_channels * n_named)
    none = np.empty(0, dtype=np.int64)
    factors = Factors(
        kind=np.repeat(np.array([SILENT, SPEAKS, NAMES], dtype=np.int64), sizes),
        echo=np.full(sum(sizes), UNKNOWN, dtype=np.int64),
        repeated=np.zeros(sum(sizes)),
        channel=np.concatenate([channels, channels, np.repeat(channels, n_named)]),
        argument=np.concatenate([channels, channels, np.tile(actors, n_channels)]),
        set_channel=none,
        set_start=np.zeros(1, dtype=np.int64),
        set_member=none,
    )
    name_at = 2 * n_channels + np.arange(n_channels * n_named).reshape(n_channels, n_named)
    return factors, name_at


def learned(totals: FloatArray, log_density: FloatArray) -> FloatArray:
    """Return how far one more incident moves the mean of each score by what the model learns from it.

    To first order that is the covariance of score and log density of the incident (the infinitesimal jackknife:
    Giordano and Broderick 2023); nought where it does not stand out of its Monte-Carlo error. Leaving an incident out
    moves them as far the other way.

    Parameters
    ----------
    totals
        (chain, draw, organization).
    log_density
        (chain, draw, incident).

    Returns
    -------
    FloatArray
        (incident, organization).
    """
    scores = totals.reshape(-1, totals.shape[-1])
    density = log_density.reshape(len(scores), -1)
    scores, density = scores - scores.mean(axis=0), density - density.mean(axis=0)
    found = density.T @ scores / len(scores)
    error = np.sqrt(np.maximum((density**2).T @ scores**2 / len(scores) - found**2, 0.0) / len(scores))
    return np.where(np.abs(found) > _STANDS_OUT * error, found, 0.0)


def importance(log_weight: FloatArray) -> tuple[FloatArray, float]:
    """Return Pareto-smoothed importance weights that sum to one, and Pareto's k (Vehtari and others 2024).

    Parameters
    ----------
    log_weight
        (chain, draw), up to a constant.
    """
    from arviz_stats.base import array_stats

    flat = log_weight.ravel()
    if np.ptp(flat) < 1e-9:
        return np.full(log_weight.shape, 1.0 / flat.size), 0.0
    # It takes the logarithm of one over the ratio, as of a likelihood that is left out.
    smoothed, k = array_stats.psislw(-flat)
    weight = np.exp(smoothed - smoothed.max())
    return (weight / weight.sum()).reshape(log_weight.shape), float(k)


def how(k: float) -> str:
    """Say how a reweighted number was found."""
    return f"reweighted (k {k:.2f})" if k <= SOUND else f"reweighted (k {k:.2f}, not to be trusted)"
