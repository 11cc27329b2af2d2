"""Revenue or drug flow of each organization, from several rough estimates of it.

On the log scale each estimate is the truth plus a bias of its source plus an error, and what (low, high) say of the
estimate's own width; organizations spread around a common level. With the scales fixed by the methodology all of it is
jointly normal, so that draws are exact and independent. An organization without an estimate gets the common spread:
wide, and said. Intensity is handled on the log scale; its mean is never reported.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from violencescore.methodology import RevenuePrior

FloatArray = npt.NDArray[np.float64]

LEVEL_SD = 10.0
"""Prior sd of the common log level: so wide that the estimates alone set it."""


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
    mean, covariance = _posterior(estimates, log_best, organizations, prior)
    draws = rng.multivariate_normal(mean, covariance, size=shape, method="eigh")
    return np.exp(draws)


def _posterior(
    estimates: pd.DataFrame, log_best: FloatArray, organizations: Sequence[str], prior: RevenuePrior
) -> tuple[FloatArray, FloatArray]:
    """Mean and covariance of the organizations' log revenues, by conditioning a joint normal."""
    who = np.asarray(pd.Index(organizations).get_indexer(pd.Index(estimates["organization_id"])), dtype=np.int64)
    known = who >= 0
    who, log_best = who[known], log_best[known]
    source = pd.factorize(estimates["source_id"])[0][known]
    width = _log_width(estimates, prior.interval)[known]
    n_org = len(organizations)
    centre = float(log_best.mean()) if len(log_best) else 0.0
    between = LEVEL_SD**2 + prior.spread**2 * np.eye(n_org)
    same_source = prior.source_bias**2 * (source[:, None] == source)
    of_estimates = between[np.ix_(who, who)] + same_source + np.diag(prior.source_error**2 + width**2)
    gain = np.linalg.solve(of_estimates, between[who]).T
    mean = centre + gain @ (log_best - centre)
    covariance = between - gain @ between[who]
    return mean, (covariance + covariance.T) / 2


def _log_width(estimates: pd.DataFrame, interval: float) -> FloatArray:
    """Log-scale sd that an estimate's own (low, high) state, read as a central interval; 0 where not given."""
    low, high = (pd.to_numeric(estimates[c]).to_numpy(dtype=float) for c in ("low", "high"))
    best = estimates["best"].to_numpy(dtype=float)
    low, high = np.where(np.isnan(low), best, low), np.where(np.isnan(high), best, high)
    sides = (low < best).astype(float) + (high > best)
    z = float(norm.ppf(0.5 + interval / 2))
    spread = np.log(high) - np.log(low)
    width: FloatArray = np.divide(spread, sides * z, out=np.zeros(len(best)), where=sides > 0)
    return width
