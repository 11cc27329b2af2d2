"""Confidence sets for ranks, without a prior: what a frequentist says of the same order.

Mogstad, Romano, Shaikh and Wilhelm (2024), "Inference for Ranks with Applications to Mobility across Neighbourhoods and
Academic Achievement across Countries", Review of Economic Studies 91(1). A rank is one more than the number of others
that are higher; pairs whose difference is significant, all tests together, settle which of them are. Rank 1 is the
highest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from violencescore.names import ORGANIZATION

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

N_DRAWS = 4000


@dataclass(frozen=True)
class RankSets:
    """Confidence sets for ranks: each a run of ranks from ``low`` to ``high``; ``rank`` is that of the estimates."""

    low: IntArray
    rank: IntArray
    high: IntArray


def rank_confidence_sets(
    estimate: npt.ArrayLike,
    covariance: npt.ArrayLike,
    confidence: float = 0.95,
    *,
    simultaneous: bool = False,
    one_sided: bool = False,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> RankSets:
    """Return confidence sets for the ranks of true values, given normal estimates of them.

    The critical value is the quantile of the greatest studentized difference, by the normal distribution of the
    estimates; tests are stepped down (Romano and Wolf 2005): what is rejected leaves the others an easier test.

    Parameters
    ----------
    estimate
        One estimate each.
    covariance
        Of the estimates: a matrix, or variances where they are independent.
    confidence
        With which each set holds the true rank; with ``simultaneous``, all of them together.
    one_sided
        Only the best rank is bounded (``low``); ``high`` is then the last rank.
    n_draws, seed
        Of the simulation of the critical value.

    Raises
    ------
    ValueError
        If shapes do not match, or the confidence is not a probability.
    """
    value, sigma = np.asarray(estimate, dtype=float), np.asarray(covariance, dtype=float)
    sigma = np.diag(sigma) if sigma.ndim == 1 else sigma
    if sigma.shape != (len(value), len(value)):
        raise ValueError(f"{len(value)} estimates and a covariance of shape {sigma.shape} do not go together")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; a probability between 0 and 1 is needed")
    n = len(value)
    spread = np.sqrt(np.maximum(np.diag(sigma)[:, None] + np.diag(sigma) - 2 * sigma, 0.0))
    np.fill_diagonal(spread, 1.0)
    if (spread == 0).any():
        raise ValueError("two estimates do not vary against one another, so that no difference can be studentized")
    draws = _normal_draws(sigma, n_draws, seed)
    above = _rejected_together(value, spread, draws, confidence, simultaneous, one_sided)
    low = 1 + above.sum(axis=1)
    high = np.full(n, n) if one_sided else n - _below(above, value, spread, draws, confidence, simultaneous)
    rank = 1 + (value[None, :] > value[:, None]).sum(axis=1)
    return RankSets(low.astype(np.int64), rank.astype(np.int64), np.asarray(high, dtype=np.int64))


def top_set(
    estimate: npt.ArrayLike, covariance: npt.ArrayLike, tau: int, confidence: float = 0.95, *, seed: int = 0
) -> BoolArray:
    """Return which belong to a set that holds all the true best ``tau`` with the stated confidence."""
    found = rank_confidence_sets(estimate, covariance, confidence, simultaneous=True, one_sided=True, seed=seed)
    return np.asarray(found.low <= tau)


def confidence_set_table(scores: xr.DataArray, confidence: float, *, seed: int = 0) -> pd.DataFrame:
    """Return confidence sets for the ranks of organizations, reading posterior means as estimates.

    The mean and the covariance of the draws of the scores stand in for an estimate and its sampling error: that is what
    a frequentist would be given, and large samples make it right. With little data, or scores far from normal, it is
    not.

    Returns
    -------
    pandas.DataFrame
        organization_id, estimate, standard_error, rank; low and high (each set alone), low_all and high_all (all
        sets together hold with the stated confidence); in the order of the ranks.
    """
    values = scores.transpose("chain", "draw", ORGANIZATION).values
    flat = values.reshape(-1, values.shape[2])
    covariance = np.atleast_2d(np.cov(flat, rowvar=False))
    mean = flat.mean(axis=0)
    alone = rank_confidence_sets(mean, covariance, confidence, seed=seed)
    together = rank_confidence_sets(mean, covariance, confidence, simultaneous=True, seed=seed)
    table = pd.DataFrame(
        {
            "organization_id": scores[ORGANIZATION].values.astype(str),
            "estimate": mean,
            "standard_error": np.sqrt(np.diag(covariance)),
            "rank": alone.rank,
            "low": alone.low,
            "high": alone.high,
            "low_all": together.low,
            "high_all": together.high,
        }
    )
    return table.sort_values(["rank", "organization_id"], ignore_index=True)


def _normal_draws(sigma: FloatArray, n_draws: int, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    draws: FloatArray = rng.multivariate_normal(np.zeros(len(sigma)), sigma, size=n_draws, method="eigh")
    return draws


def _rejected_together(
    value: FloatArray, spread: FloatArray, draws: FloatArray, confidence: float, simultaneous: bool, one_sided: bool
) -> BoolArray:
    """Return for each pair (k, l) whether l is found to be above k."""
    n = len(value)
    if simultaneous:
        return _rejected(value, spread, draws, confidence, ~np.eye(n, dtype=bool))
    above = np.zeros((n, n), dtype=bool)
    for k in range(n):
        above[k] = _rejected(value, spread, draws, confidence, _pairs_of(k, n, one_sided))[k]
    return above


def _pairs_of(k: int, n: int, one_sided: bool) -> BoolArray:
    pairs = np.zeros((n, n), dtype=bool)
    pairs[k] = True
    if not one_sided:
        pairs[:, k] = True
    pairs[k, k] = False
    return pairs


def _below(
    above: BoolArray, value: FloatArray, spread: FloatArray, draws: FloatArray, confidence: float, simultaneous: bool
) -> IntArray:
    """Return how many are found to be below each."""
    if simultaneous:
        return np.asarray(above.sum(axis=0))
    n = len(value)
    return np.array(
        [_rejected(value, spread, draws, confidence, _pairs_of(k, n, one_sided=False))[:, k].sum() for k in range(n)]
    )


def _rejected(
    value: FloatArray, spread: FloatArray, draws: FloatArray, confidence: float, tested: BoolArray
) -> BoolArray:
    """Test for each pair (k, l) in ``tested`` whether l is above k, stepping down."""
    statistic = (value[None, :] - value[:, None]) / spread
    rows, columns = np.nonzero(tested)
    noise = (draws[:, columns] - draws[:, rows]) / spread[rows, columns]
    found = np.zeros(len(rows), dtype=bool)
    observed = statistic[rows, columns]
    while not found.all():
        critical = np.quantile(noise[:, ~found].max(axis=1), confidence)
        more = ~found & (observed > critical)
        if not more.any():
            break
        found |= more
    result = np.zeros_like(tested)
    result[rows[found], columns[found]] = True
    return result
