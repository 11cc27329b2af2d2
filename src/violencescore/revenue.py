"""Revenue or drug flow of each organization, from several rough estimates of it.

On the log scale each estimate is the truth plus a bias of its source plus an error, and what (low, high) say of the
estimate's own width; organizations spread around a common level. Given the scales all of it is jointly normal, so that
draws are exact and independent. The methodology states the scales, or has them learned (``pooling = "learned"``) over a
grid of half-Cauchy priors (Gelman 2006). An organization without an estimate gets the common spread: wide, and said.
Intensity is handled on the log scale; its mean is never reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from violencescore.methodology import RevenuePrior

FloatArray = npt.NDArray[np.float64]

LEVEL_SD = 10.0
"""Prior sd of the common log level: so wide that the estimates alone set it."""

N_SCALES = 24
"""Quantiles of each scale that is learned."""


def sample_revenue(
    estimates: pd.DataFrame,
    organizations: Sequence[str],
    prior: RevenuePrior,
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> FloatArray:
    """Draw the revenue of each organization given all estimates of one kind.

    Parameters
    ----------
    estimates
        Columns ``organization_id``, ``source_id``, ``best``, ``low``, ``high``; positive; (low, high) may be missing.
    organizations
        Ids to draw for, in order.
    prior
        Log-scale standard deviations of source bias, source error and spread, and what (low, high) cover.
    shape
        (chain, draw).

    Returns
    -------
    numpy.ndarray
        (chain, draw, organization), in the unit of the estimates.
    """
    log_best = np.log(estimates["best"].to_numpy(dtype=float))
    who = np.asarray(pd.Index(organizations).get_indexer(pd.Index(estimates["organization_id"])), dtype=np.int64)
    known = who >= 0
    width = _log_width(estimates, prior.interval)[known]
    pooled = pool_estimates(
        log_best[known],
        prior.source_error**2 + width**2,
        who[known],
        pd.factorize(estimates["source_id"])[0][known],
        len(organizations),
        level=(float(log_best[known].mean()) if known.any() else 0.0, LEVEL_SD),
        scales=_scales(prior),
    )
    n = shape[0] * shape[1]
    chosen = rng.choice(len(pooled.weight), size=n, p=pooled.weight) if len(pooled.weight) > 1 else np.zeros(n, int)
    draws = np.empty((n, len(organizations)))
    for i in np.unique(chosen):
        at = chosen == i
        draws[at] = rng.multivariate_normal(pooled.mean[i], pooled.covariance[i], size=int(at.sum()), method="eigh")
    return np.exp(draws).reshape(*shape, -1)


@dataclass(frozen=True)
class Pooled:
    """Posterior of the organizations' logs: a mixture of normals, one for each pair of scales.

    Attributes
    ----------
    weight
        Posterior probability of the pair (scale).
    mean, covariance
        Of the logs, given the pair (scale, organization) and (scale, organization, organization).
    """

    weight: FloatArray
    mean: FloatArray
    covariance: FloatArray


def pool_estimates(
    estimate: FloatArray,
    error_variance: FloatArray,
    who: npt.NDArray[np.int64],
    source: npt.NDArray[np.int64],
    n_organizations: int,
    *,
    level: tuple[float, float],
    scales: FloatArray,
) -> Pooled:
    """Pool estimates by conditioning a joint normal, over a grid of the scales.

    With one organization and a source each this is the normal random-effects pooling of Rubin (1981), the sources'
    bias being the effect; with one estimate each, the organizations' spread is.

    Parameters
    ----------
    estimate, error_variance, who, source
        Of each estimate: its value, the variance of its own error, its organization and its source as codes.
    level
        Mean and sd of the prior of the common level.
    scales
        Pairs of the sd of source bias and that of the spread between organizations, equally likely a priori (scale, 2).
    """
    parts = [_condition(estimate, error_variance, who, source, n_organizations, level, *pair) for pair in scales]
    log_evidence = np.array([part[2] for part in parts])
    weight = np.exp(log_evidence - log_evidence.max())
    return Pooled(weight / weight.sum(), np.array([part[0] for part in parts]), np.array([part[1] for part in parts]))


def _scales(prior: RevenuePrior) -> FloatArray:
    """Return the pairs of scales: the one that is stated, or a grid of quantiles of half-Cauchy priors around it."""
    stated = np.array([[prior.source_bias, prior.spread]])
    if prior.pooling == "fixed":
        return stated
    quantile = half_cauchy_quantiles(N_SCALES)
    bias, spread = np.meshgrid(prior.source_bias * quantile, prior.spread * quantile)
    return np.column_stack([bias.ravel(), spread.ravel()])


def half_cauchy_quantiles(n: int) -> FloatArray:
    """Return n quantiles of the half-Cauchy distribution with scale 1, each standing for an equal share."""
    return np.tan(np.pi / 2 * (np.arange(n) + 0.5) / n)


def _condition(
    estimate: FloatArray,
    error_variance: FloatArray,
    who: npt.NDArray[np.int64],
    source: npt.NDArray[np.int64],
    n_organizations: int,
    level: tuple[float, float],
    bias: float,
    spread: float,
) -> tuple[FloatArray, FloatArray, float]:
    """Mean and covariance of the organizations' logs given the scales, and the log density of the estimates."""
    centre, level_sd = level
    between = level_sd**2 + spread**2 * np.eye(n_organizations)
    if not len(estimate):
        return np.full(n_organizations, centre), between, 0.0
    same_source = bias**2 * (source[:, None] == source)
    of_estimates = between[np.ix_(who, who)] + same_source + np.diag(error_variance)
    gain = np.linalg.solve(of_estimates, between[who]).T
    rest = estimate - centre
    covariance = between - gain @ between[who]
    log_evidence = -0.5 * (rest @ np.linalg.solve(of_estimates, rest) + np.linalg.slogdet(of_estimates)[1])
    return centre + gain @ rest, (covariance + covariance.T) / 2, float(log_evidence)


def _log_width(estimates: pd.DataFrame, interval: float) -> FloatArray:
    """Log-scale sd that an estimate's own (low, high) state, read as a central interval; 0 where not given."""
    low, high = (pd.to_numeric(estimates[c]).to_numpy(dtype=float) for c in ("low", "high"))
    best = estimates["best"].to_numpy(dtype=float)
    low, high = np.where(np.isnan(low), best, low), np.where(np.isnan(high), best, high)
    sides = (low < best).astype(float) + (high > best)
    z = float(ndtri(0.5 + interval / 2))
    spread = np.log(high) - np.log(low)
    width: FloatArray = np.divide(spread, sides * z, out=np.zeros(len(best)), where=sides > 0)
    return width
