"""Worlds consistent with the evidence: in each draw who did each incident of the window, and how much harm it did.

The draws of a run hold totals. What concerns single incidents (staged, removed, unreported, outside another window)
needs them one by one, so they are allotted once more, from the same posterior.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from violencescore.assessment import Assessment
from violencescore.bench.likelihood import group_weights, thin_draws
from violencescore.design import Design, build_design
from violencescore.methodology import Window
from violencescore.names import CATEGORY, CHAIN, DRAW, ORGANIZATION, UNREPORTED, WINDOW
from violencescore.robustness.series import (
    Gap,
    Series,
    build_series,
    log_density_of,
    log_density_of_each,
    open_gap,
)
from violencescore.strata import build_strata

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Actors = npt.NDArray[np.int16]

SIZE = 8_000_000
"""Draws times incidents that are held at once; the draws are thinned to that, to no fewer than `LEAST` of them."""
LEAST = 400
SOUND = 0.7
"""Largest Pareto k at which reweighted draws can be trusted (Vehtari, Simpson, Gelman, Yao and Gabry 2024)."""

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
        Log probability density of one incident of each group, up to a constant, all others given (chain, draw, group).
    ranked
        Index among the actors of each rankable organization.
    size
        What scores are divided by (chain, draw, organization).
    unlisted
        Weighted harm of incidents that no source lists, where it is estimated, zeros elsewhere; as the verdict's draws
        have it, and kept whatever is changed of the recorded ones (chain, draw, organization).
    stratum
        Of staging: that of an incident of each kind in the middle of the window (kind).
    series
        What hangs together; None where each incident stands alone.
    """

    design: Design
    quantities: xr.Dataset
    incident: IntArray
    actor: Actors
    value: FloatArray
    log_density: FloatArray
    ranked: IntArray
    size: FloatArray
    unlisted: FloatArray
    stratum: IntArray
    series: Series | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Chains and draws."""
        return self.actor.shape[0], self.actor.shape[1]

    @property
    def first_order(self) -> str:
        """How numbers are found that guess what the model learns."""
        found = "draws, to first order"
        return found if self.series is None else f"{found}, in a series each as if it came or went alone"

    def totals(self, value: FloatArray | None = None, actor: Actors | None = None) -> FloatArray:
        """Return the scores with other values, or other perpetrators, of the incidents (chain, draw, organization)."""
        value, actor = self.value if value is None else value, self.actor if actor is None else actor
        n, n_actors = self.shape[0] * self.shape[1], len(self.design.actors)
        place = np.arange(n)[:, None] * n_actors + actor.reshape(n, -1)
        sums = np.bincount(place.ravel(), weights=value.ravel(), minlength=n * n_actors)
        return np.asarray((sums.reshape(*self.shape, n_actors)[..., self.ranked] + self.unlisted) / self.size)

    def without(self, removed: Sequence[int]) -> FloatArray:
        """Return the scores without some incidents, by their place in ``incident``."""
        value = self.value.copy()
        value[..., list(removed)] = 0.0
        return self.totals(value)

    def log_density_of(self, removed: Sequence[int]) -> FloatArray:
        """Return the log of the density with some incidents over that without them (chain, draw).

        Parameters
        ----------
        removed
            Their places in ``incident``.
        """
        incidents = self.incident[list(removed)]
        if self.series is not None:
            return log_density_of(self.series, incidents).reshape(self.shape)
        return np.asarray(self.log_density[..., self.design.incident_group[incidents]].sum(axis=-1))

    @cached_property
    def means(self) -> Mapping[str, FloatArray]:
        """Posterior means of the named quantities, as one draw."""
        means = self.quantities.mean([CHAIN, DRAW])
        return {str(name): values.values[None] for name, values in means.data_vars.items()}

    @cached_property
    def _gaps(self) -> dict[int, Gap]:
        return {}

    def gap(self, region: int) -> Gap:
        """Return the place in a region's series in the middle of the window; only where incidents hang together."""
        if region not in self._gaps:
            if self.series is None or (window := self.series.assessment.methodology.window) is None:
                raise ValueError("no incident hangs together with another")
            self._gaps[region] = open_gap(self.series, region, middle_of(window))
        return self._gaps[region]

    def log_likelihood(self) -> FloatArray:
        """Return the log likelihood of all incidents (chain, draw)."""
        total = self.quantities["rate"].sum(["kind", "period", "actor"]).transpose(CHAIN, DRAW).values
        if self.series is not None:
            return np.asarray(self.series.log_likelihood().reshape(self.shape) - total)
        return np.asarray(self.log_density @ self.design.groups.n - total)


def build_worlds(
    assessment: Assessment, posterior: xr.DataTree, weights: xr.DataArray, seed: int, n_draws: int | None = None
) -> Worlds:
    """Allot the incidents of the window in each draw.

    Parameters
    ----------
    assessment, posterior
        Tables, and the draws fitted to them.
    weights
        Weight of each category (category).
    n_draws
        To how many draws they are thinned; unless given, as many as memory affords.
    """
    design = build_design(assessment)
    named = posterior["posterior"].to_dataset()
    incident = np.flatnonzero(design.groups.period[design.incident_group] == design.periods.index(WINDOW))
    n_draws = max(LEAST, _affordable(design, len(incident))) if n_draws is None else n_draws
    kept = thin_draws(named, n_draws)
    rng = np.random.default_rng(seed)
    shape = (kept.sizes[CHAIN], kept.sizes[DRAW])
    actor, density, series = _hanging(assessment, design, kept, rng) if len(design.bonds) else _alone(design, kept, rng)
    return Worlds(
        design=design,
        quantities=kept,
        incident=incident,
        actor=actor.reshape(*shape, -1),
        value=_values(assessment, design, incident, weights, shape, rng),
        log_density=density.reshape(*shape, -1),
        ranked=np.flatnonzero(design.rankable),
        size=_sizes(assessment, posterior, n_draws, shape, int(design.rankable.sum())),
        unlisted=_unlisted(posterior, weights, n_draws, shape, int(design.rankable.sum())),
        stratum=_middle_strata(assessment, design),
        series=series,
    )


def _affordable(design: Design, n_window: int) -> int:
    """Return how many draws may be held; of what hangs together those of all incidents, by actor."""
    each = 2 * len(design.actors) * design.n_incidents if len(design.bonds) else n_window
    return SIZE // max(each, 1)


def _alone(design: Design, draws: xr.Dataset, rng: np.random.Generator) -> tuple[Actors, FloatArray, None]:
    """Return who did each incident of the window (draw, incident), and the log density of each group (draw, group)."""
    groups = _window_groups(design)
    actors, densities = [], []
    for found in group_weights(design, draws):
        either = found.either
        total = either.sum(axis=2)
        densities.append(np.log(np.maximum(total, _TINY)) + found.log_scale)
        below = np.cumsum(either, axis=2)[:, :, :-1] / np.maximum(total, _TINY)[:, :, None]
        u = rng.random((len(total), len(groups)))
        actor = np.zeros(u.shape, dtype=np.int16)
        for k in range(below.shape[2]):
            actor += u > below[:, groups, k]
        actors.append(actor)
    return np.concatenate(actors), np.concatenate(densities), None


def _hanging(
    assessment: Assessment, design: Design, draws: xr.Dataset, rng: np.random.Generator
) -> tuple[Actors, FloatArray, Series]:
    """As `_alone`, of incidents that hang together, and their series; all are drawn jointly."""
    series = build_series(assessment, design, draws, group_weights(design, draws))
    actor = series.draw(rng.random((len(series.episode), design.n_incidents)))
    in_window = design.groups.period[design.incident_group] == design.periods.index(WINDOW)
    each = log_density_of_each(series)
    density = np.empty((len(each), len(design.groups.n)))
    density[:, design.incident_group] = each
    return actor[:, in_window], density, series


def _window_groups(design: Design) -> IntArray:
    """Group of each incident of the window."""
    groups: IntArray = design.incident_group[
        design.groups.period[design.incident_group] == design.periods.index(WINDOW)
    ]
    return groups


def middle_of(window: Window) -> pd.Timestamp:
    """Return the day in the middle of a window, on which what is added has happened."""
    start = pd.Timestamp(window.start)
    return start + (pd.Timestamp(window.end) - start) // 2


def _middle_strata(assessment: Assessment, design: Design) -> IntArray:
    """Stratum of staging of an incident of each kind in the middle of the window."""
    window = assessment.methodology.window
    if window is None:
        return np.zeros(len(design.kinds), dtype=np.int64)
    return strata_on(assessment, design, middle_of(window))


def strata_on(assessment: Assessment, design: Design, day: pd.Timestamp) -> IntArray:
    """Return the stratum of staging of an incident of each kind on a day of the window (kind)."""
    kinds = np.arange(len(design.kinds))
    days = pd.Series([day] * len(kinds))
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


def _unlisted(
    posterior: xr.DataTree, weights: xr.DataArray, n_draws: int, shape: tuple[int, int], n_ranked: int
) -> FloatArray:
    if "harms" not in posterior.children or UNREPORTED not in posterior["harms"]:
        return np.zeros((*shape, n_ranked))
    harm = thin_draws(posterior["harms"].to_dataset()[[UNREPORTED]], n_draws)[UNREPORTED]
    found = (harm * weights.reindex({CATEGORY: harm[CATEGORY]}, fill_value=0.0)).sum(CATEGORY)
    return np.asarray(found.transpose(CHAIN, DRAW, ORGANIZATION).values, dtype=np.float64)


def _sizes(
    assessment: Assessment, posterior: xr.DataTree, n_draws: int, shape: tuple[int, int], n_ranked: int
) -> FloatArray:
    per = assessment.methodology.score.per
    if per == "none":
        return np.ones((*shape, n_ranked))
    found = thin_draws(posterior["revenue"].to_dataset(), n_draws)[per].transpose(CHAIN, DRAW, ORGANIZATION)
    return np.asarray(found.values, dtype=np.float64)


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
