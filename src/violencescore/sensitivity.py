"""What the verdict rests on: how far it moves when a prior, or the likelihood, is given more weight.

Power scaling (Kallioinen, Paananen, Bürkner and Vehtari 2024, Detecting and diagnosing prior and likelihood sensitivity
with power-scaling) raises one part of the posterior to a power near one; draws are reweighted, nothing is fitted again.
The identification band goes farther along one part that data alone seldom identify, the rate of false flags.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from violencescore.errors import RefusedError
from violencescore.methodology import Methodology
from violencescore.model import layout as lay
from violencescore.model.given import share_priors
from violencescore.montecarlo import read_scores
from violencescore.names import BASELINE, CHAIN, DRAW, WINDOW
from violencescore.ranks import best_other, first_shares
from violencescore.scores import score_draws

if TYPE_CHECKING:
    from violencescore.design import Design
    from violencescore.model.kernel import Kernel
    from violencescore.sampling import Draws

FloatArray = npt.NDArray[np.float64]

LOG_PRIOR, LOG_LIKELIHOOD = "log_prior", "log_likelihood"
"""Groups of the posterior, named as ArviZ expects them."""

STAGING_RATE = "staging_rate"

PARTS = {
    "accuracy": (lay.ACCURACY,),
    "echo": (lay.ECHO, lay.FOLLOW),
    "factions": (lay.KIN, lay.KEPT),
    "episode": (lay.EPISODE,),
    "false_flag": (lay.STAGING, lay.STAGING_DEVIATION, lay.STAGING_SHIFT, lay.TARGET),
    "reach": (lay.REACH, lay.REACH_SCALE, lay.REACH_DEVIATION),
    "notoriety": (lay.NOTORIETY, lay.NOTORIETY_OTHER),
    "confusion": (lay.CONFUSION,),
    "rate": (
        *(lay.LEVEL, lay.ORGANIZATION_SCALE, lay.ORGANIZATION, lay.OTHER_LEVEL),
        *(lay.SHIFT_SCALE, lay.SHIFT, lay.KIND_SCALE, lay.KIND),
    ),
    "presence": (lay.REGION_SIZE, lay.PRESENCE_SCALE, lay.PRESENCE),
    "candidates": (lay.CONTESTED, lay.ENGAGEMENT),
}
"""Priors that are weighed together, and the blocks of the vector that each is of."""

NUDGE = (0.99, 1.01)
"""Powers on either side of one."""

SENSITIVE = 0.05
"""Sensitivity from which a prior counts as moving the result, and below which the data count as saying little of it."""

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""What the prior mean of the share of false flags is multiplied by."""

MAX_MEAN = 0.9
SOUND = 0.7
"""Largest Pareto k at which reweighted draws can be trusted (Vehtari, Simpson, Gelman, Yao and Gabry 2024)."""

SAMPLE = (CHAIN, DRAW)
BAND_COLUMNS = ("factor", "prior_mean", "pareto_k", "sound", "refit")


def prior_parts(kernel: Kernel, design: Design, draws: Draws) -> dict[str, xr.Dataset]:
    """Return the log prior of each part and the log likelihood of draws, up to constants; and the staging rates.

    Parameters
    ----------
    draws
        Draws of the parameter vector with their density.

    Returns
    -------
    dict
        ``log_prior`` (a variable for each of ``PARTS`` that the model has; each (chain, draw)), with ``staging_rate``
        (chain, draw, period) as a coordinate where false flags could show; ``log_likelihood`` (``incidents``).
    """
    from scipy.special import expit
    from scipy.stats import beta

    layout, vectors = kernel.layout, draws.vectors
    log_prior = -0.5 * vectors**2
    staging = expit(layout.block(vectors, lay.STAGING))
    stretch = np.zeros(vectors.shape[:2])
    for block, prior_of_share, least in share_priors(design):
        share = expit(layout.block(vectors, block))
        layout.block(log_prior, block)[...] = beta.logpdf(least + (1 - least) * share, *prior_of_share.T)
        # The density is one of the logits: what it has beside the densities of shares is their stretch.
        stretch += _log_slope(share)
    data = {}
    for name, blocks in PARTS.items():
        entries = np.concatenate([layout.block(log_prior, block) for block in blocks], axis=-1)
        if entries.shape[-1]:
            data[name] = (SAMPLE, entries.sum(axis=-1))
    prior = xr.Dataset(data)
    if design.stages:
        prior = prior.assign_coords({STAGING_RATE: ((*SAMPLE, "period"), staging), "period": list(design.strata)})

    likelihood = draws.log_density - sum(np.asarray(values) for _, values in data.values()) - stretch
    return {LOG_PRIOR: prior, LOG_LIKELIHOOD: xr.Dataset({"incidents": (SAMPLE, likelihood)})}


def _log_slope(share: FloatArray) -> FloatArray:
    """Log derivative of shares by their logits, summed over the last axis."""
    with np.errstate(divide="ignore"):
        slope: FloatArray = (np.log(share) + np.log1p(-share)).sum(axis=-1)
    return slope


@dataclass(frozen=True)
class Sensitivity:
    """What the verdict rests on.

    Attributes
    ----------
    leader
        The organization that is likeliest first.
    parts
        part (``data``: the likelihood), sensitivity (of the margin between the leader and the best of the others; the
        change of its distribution for a doubling of the weight, by ArviZ), per_doubling (change of P(first) of the
        leader for a doubling, by the slope at one) and mcse.
    band
        factor (of the prior mean of the share of false flags), prior_mean (in the last period), pareto_k, sound, refit
        (fitted again, not reweighted; then sound if that converged), and P(first) of each organization with its
        Monte-Carlo error. Empty where no channel can be forged.
    """

    leader: str
    parts: pd.DataFrame
    band: pd.DataFrame


def examine_sensitivity(posterior: xr.DataTree, methodology: Methodology) -> Sensitivity:
    """Weigh the priors and the data of a fit, and vary the prior of false flags.

    Raises
    ------
    RefusedError
        If the posterior does not hold the log prior: it was drawn by another version, or by somebody else.
    """
    if not {LOG_PRIOR, LOG_LIKELIHOOD} <= set(posterior.children):
        raise RefusedError(
            "The run does not hold the log prior of its draws: fit the assessment again with this version."
        )
    scores = read_scores(score_draws(posterior, methodology))
    first = first_shares(scores)
    leader = int(first.mean(axis=(0, 1)).argmax())
    margin = (scores.values - best_other(scores.values))[..., leader]
    parts = _weigh(posterior, xr.DataArray(margin, dims=SAMPLE), first[..., leader])
    return Sensitivity(scores.ids[leader], parts, _false_flag_band(posterior, methodology, first, scores.ids))


def _weigh(posterior: xr.DataTree, margin: xr.DataArray, first: FloatArray) -> pd.DataFrame:
    from arviz_stats.base import array_stats
    from arviz_stats.psense import psense

    rows = []
    prior, likelihood = posterior[LOG_PRIOR].to_dataset(), posterior[LOG_LIKELIHOOD].to_dataset()
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({"margin": margin}),
            LOG_PRIOR: prior.reset_coords(drop=True),
            LOG_LIKELIHOOD: likelihood,
        }
    )
    for name, group, values in [
        *((name, "prior", prior[name]) for name in prior.data_vars),
        ("data", "likelihood", likelihood["incidents"]),
    ]:
        names = None if group == "likelihood" else [str(name)]
        found = psense(tree, group=group, alphas=NUDGE, group_var_names=names, sample_dims=list(SAMPLE))
        centred = values.values - values.values.mean()
        # The slope of a mean by the logarithm of the power is a covariance with the logarithm that is raised.
        each = (first - first.mean()) * centred * np.log(2.0)
        mcse = float(array_stats.mcse(each, chain_axis=0, draw_axis=1, method="mean"))
        rows.append((str(name), float(found["margin"]), float(each.mean()), mcse))
    return pd.DataFrame(rows, columns=["part", "sensitivity", "per_doubling", "mcse"])


def varied_prior(methodology: Methodology, factor: float) -> dict[str, tuple[float, float]]:
    """Beta prior of the share of false flags in each period, its mean multiplied and its weight left as it is."""
    varied = {}
    for period in (BASELINE, WINDOW):
        a, b = getattr(methodology.false_flag, period)
        mean = min(factor * a / (a + b), MAX_MEAN)
        varied[period] = (mean * (a + b), (1 - mean) * (a + b))
    return varied


def _false_flag_band(
    posterior: xr.DataTree, methodology: Methodology, first: FloatArray, ids: tuple[str, ...]
) -> pd.DataFrame:
    from arviz_stats.base import array_stats
    from scipy.stats import beta

    prior = posterior[LOG_PRIOR].to_dataset()
    columns = [*BAND_COLUMNS, *(c for i in ids for c in (i, f"{i}_mcse"))]
    rows = []
    flat = first.reshape(-1, len(ids))
    for factor in FACTORS if STAGING_RATE in prior.coords else ():
        log_weight, mean, varied = np.zeros(len(flat)), 0.0, varied_prior(methodology, factor)
        for i, period in enumerate(prior["period"].values):
            shape = varied[str(period)]
            mean = shape[0] / sum(shape)
            drawn = prior[STAGING_RATE].values[..., i].ravel()
            log_weight += beta.logpdf(drawn, *shape) - beta.logpdf(drawn, *getattr(methodology.false_flag, str(period)))
        k = 0.0
        if factor != 1.0:
            # It takes the logarithm of one over the ratio, as of a likelihood that is left out.
            log_weight, k_hat = array_stats.psislw(-log_weight)
            k = float(k_hat)
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        shares = zip(*_weighted(flat, weight), strict=True)
        rows.append((factor, mean, k, k <= SOUND, False, *(value for pair in shares for value in pair)))
    return pd.DataFrame(rows, columns=columns)


def _weighted(first: FloatArray, weight: FloatArray) -> tuple[list[float], list[float]]:
    """Return weighted shares, and their errors as of independent draws: at least one draw among the effective ones."""
    share = np.clip(weight @ first, 0.0, 1.0)
    error = np.sqrt((weight[:, None] ** 2 * (first - share) ** 2).sum(axis=0))
    return share.tolist(), np.maximum(error, (weight**2).sum()).tolist()
