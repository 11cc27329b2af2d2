"""Weights as a distribution: how often each organization has each rank when nobody fixes the weights.

Stochastic multicriteria acceptability analysis (Lahdelma, Hokkanen and Salminen 1998; Lahdelma and Salminen 2001).
Where a panel does not agree, or will not say, weights are drawn too, and every rank is counted over both: worlds and
weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from violencescore.names import CATEGORY, ORGANIZATION, RANK
from violencescore.ranks import rank_probabilities

FloatArray = npt.NDArray[np.float64]

_SAMPLE = "sample"


@dataclass(frozen=True)
class Acceptability:
    """What draws of harm and of weights say together.

    Attributes
    ----------
    rank
        Share of the draws in which each organization has each rank (organization, rank).
    central_weights
        Mean of the weights under which each organization is first: what one must believe to put it there; missing
        where it never is (organization, category).
    confidence
        Probability that it is first under its own central weights (organization).
    entropy
        Of the ranking, in bits: 0 when one order is certain (nobody's rank is in doubt).
    """

    rank: xr.DataArray
    central_weights: xr.DataArray
    confidence: xr.DataArray
    entropy: float


def sample_weights(n_draws: int, categories: list[str], rng: np.random.Generator) -> xr.DataArray:
    """Draw weights evenly from all that are not negative and add up to one (sample, category)."""
    drawn = rng.dirichlet(np.ones(len(categories)), size=n_draws)
    return xr.DataArray(drawn, dims=(_SAMPLE, CATEGORY), coords={CATEGORY: categories})


def weighted_scores(harms: xr.DataArray, weights: xr.DataArray) -> xr.DataArray:
    """Return scores with the weights of each draw (sample, organization).

    Parameters
    ----------
    harms
        (sample, organization, category), or (chain, draw, organization, category).
    weights
        (sample, category): one vector for each draw, as many; or (category): the same for all.
    """
    flat = _flat(harms)
    scores: xr.DataArray = xr.dot(flat, weights, dim=CATEGORY)
    return scores.transpose(_SAMPLE, ORGANIZATION)


def rank_acceptability(harms: xr.DataArray, weights: xr.DataArray) -> Acceptability:
    """Count ranks over draws of harm and of weights together.

    Parameters
    ----------
    harms, weights
        As in `weighted_scores`, weights with a sample dimension.

    Raises
    ------
    ValueError
        If there are not as many weights as draws of harm.
    """
    flat = _flat(harms)
    if weights.sizes.get(_SAMPLE) != flat.sizes[_SAMPLE]:
        raise ValueError(
            f"{flat.sizes[_SAMPLE]} draws of harm and {weights.sizes.get(_SAMPLE)} of weights: give one vector each"
        )
    weights = weights.transpose(_SAMPLE, CATEGORY)
    scores = weighted_scores(flat, weights)
    top = scores == scores.max(ORGANIZATION)
    share = top / top.sum(ORGANIZATION)
    first = share.sum(_SAMPLE)
    central = xr.dot(share, weights, dim=_SAMPLE) / first.where(first > 0)
    confidence = [_first_under(flat, central.isel({ORGANIZATION: k}), k) for k in range(flat.sizes[ORGANIZATION])]
    return Acceptability(
        rank=rank_probabilities(scores),
        central_weights=central.transpose(ORGANIZATION, CATEGORY),
        confidence=xr.DataArray(confidence, dims=ORGANIZATION, coords={ORGANIZATION: flat[ORGANIZATION]}),
        entropy=ranking_entropy(scores),
    )


def _flat(harms: xr.DataArray) -> xr.DataArray:
    if _SAMPLE in harms.dims:
        return harms.transpose(_SAMPLE, ORGANIZATION, CATEGORY)
    ordered = harms.transpose("chain", "draw", ORGANIZATION, CATEGORY)
    coords = {name: ordered[name] for name in (ORGANIZATION, CATEGORY)}
    values = ordered.values.reshape(-1, *ordered.shape[2:])
    return xr.DataArray(values, dims=(_SAMPLE, ORGANIZATION, CATEGORY), coords=coords)


def _first_under(harms: xr.DataArray, weights: xr.DataArray, k: int) -> float:
    if not np.isfinite(weights.values).all():
        return float("nan")
    first = rank_probabilities(weighted_scores(harms, weights)).sel({RANK: 1})
    return float(first.values[k])


def ranking_entropy(scores: xr.DataArray) -> float:
    """Return the entropy of the whole order in bits, over the orders that were drawn (Tervonen and Lahdelma 2007).

    Draws with ties are orders of their own. It is too low where the draws are few against the possible orders.
    """
    values = scores.transpose(_SAMPLE, ORGANIZATION).values
    above = (values[:, None, :] > values[:, :, None]).sum(axis=2)
    count = np.unique(above, axis=0, return_counts=True)[1]
    share = count / count.sum()
    return float(-(share * np.log2(share)).sum())
