"""Whether the draws can be used, and what the data said about each parameter.

Convergence follows Vehtari et al. (2021), "Rank-normalization, folding, and localization: an improved R-hat". The
identification table compares each parameter's spread before and after the data: what has not contracted is assumed,
not learned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from violencescore.methodology import Sampling
from violencescore.names import ORGANIZATION
from violencescore.sampling import Draws

FloatArray = npt.NDArray[np.float64]

MIN_DRAWS = 4
"""Draws per chain from which convergence can be judged at all."""

REPORTED = (
    "accuracy", "echo", "follow", "old_name", "kept", "episode", "false_flag", "reach", "notoriety", "confusion",
    "listed", "listed_by", "visibility", "dependence",
)  # fmt: skip
"""Quantities of the identification table."""


@dataclass(frozen=True)
class Diagnostics:
    """Convergence of a fit, and what was identified.

    Attributes
    ----------
    converged
        All of: R-hat of every parameter and score at most ``max_rhat`` of the methodology, effective sample sizes of
        the scores at least ``min_ess``, and no more divergences than allowed.
    max_rhat
        Largest rank-normalized R-hat over all parameters and scores; NaN where it cannot be computed.
    min_ess
        Least bulk effective sample size over the scores of the rankable organizations.
    reasons
        What failed, in words; empty when converged.
    identification
        Rows of parameter, prior_mean, prior_sd, posterior_mean, posterior_sd, contraction (1 - variance ratio).
    named
        Incidents of which evidence, or a settled case, names a rankable organization. None: not counted. At 0 the
        data cannot tell one organization from another, and any ranking is the prior's.
    """

    converged: bool
    max_rhat: float
    min_ess: float
    divergences: int
    n_draws: int
    reasons: tuple[str, ...]
    identification: tuple[Mapping[str, Any], ...]
    named: int | None = None

    def to_json_dict(self, seconds: Mapping[str, float]) -> dict[str, Any]:
        """Return the content of ``diagnostics.json``; an R-hat that cannot be computed is None."""
        max_rhat = self.max_rhat if np.isfinite(self.max_rhat) else None
        return {**asdict(self), "max_rhat": max_rhat, "seconds": dict(seconds)}


def diagnose(
    draws: Draws,
    scores: xr.DataArray,
    posterior: xr.Dataset,
    prior: xr.Dataset,
    sampling: Sampling,
    named: int | None = None,
) -> Diagnostics:
    """Judge the draws by the limits of the methodology.

    Parameters
    ----------
    scores
        Draws of the scores (chain, draw, organization).
    posterior, prior
        Named quantities on the same scales (see ``model.quantities``).
    named
        See ``Diagnostics``.
    """
    with np.errstate(all="ignore"):  # what never moves, or is not finite, shows as NaN and is refused below
        worst, min_ess = _mixing(draws, scores)
    divergences = int(draws.divergent.sum())
    reasons = _failures(worst, min_ess, divergences, sampling)
    return Diagnostics(
        converged=not reasons,
        max_rhat=worst,
        min_ess=min_ess if np.isfinite(min_ess) else 0.0,
        divergences=divergences,
        n_draws=int(draws.divergent.size),
        reasons=reasons,
        identification=identification(posterior, prior),
        named=named,
    )


def _mixing(draws: Draws, scores: xr.DataArray) -> tuple[float, float]:
    """Return the largest R-hat and the least ESS: NaN where not computable, an ESS of inf where no score varies."""
    from arviz_stats import ess, rhat

    sample = ("chain", "draw")
    varying = scores.isel({ORGANIZATION: np.flatnonzero(np.asarray(scores.max(sample) != scores.min(sample)))})
    both = xr.Dataset({"parameter": (("chain", "draw", "index"), draws.vectors), "score": varying})
    if not all(np.isfinite(values).all() for values in (draws.vectors, scores.values)):
        return float("nan"), float("nan")
    if draws.vectors.shape[0] < 2:
        both = _halves(both)
    if both.sizes["draw"] < MIN_DRAWS:
        return float("nan"), float("nan")
    worst = float(np.max([v.max(skipna=False) for v in rhat(both).data_vars.values() if v.size]))
    if not varying.size:
        return worst, float("inf")
    return worst, float(ess(both[["score"]], method="bulk")["score"].min(skipna=False))


def _halves(draws: xr.Dataset) -> xr.Dataset:
    """Make two chains of one, so that R-hat compares its halves."""
    half = draws.sizes["draw"] // 2
    parts = [draws.isel(draw=slice(i * half, (i + 1) * half)).drop_vars("draw", errors="ignore") for i in range(2)]
    return xr.concat([p.isel(chain=0, drop=True) for p in parts], dim="chain")


def _failures(worst: float, min_ess: float, divergences: int, sampling: Sampling) -> tuple[str, ...]:
    found = []
    if np.isnan(worst):
        found.append(
            "R-hat cannot be computed: the draws are too few or not finite, or the chains stand still; draw more"
        )
    elif worst > sampling.max_rhat:
        found.append(f"the chains disagree: the largest R-hat is {worst:.3f}, and {sampling.max_rhat:g} is allowed")
    if min_ess < sampling.min_ess:
        found.append(
            f"too few independent draws: the least effective sample size of a score is {min_ess:.0f}, and "
            f"{sampling.min_ess:g} are required"
        )
    if divergences > sampling.max_divergences:
        found.append(
            f"the sampler could not follow the posterior everywhere: {divergences} divergent transitions, and "
            f"{sampling.max_divergences} are allowed"
        )
    return tuple(found)


def identification(posterior: xr.Dataset, prior: xr.Dataset) -> tuple[Mapping[str, Any], ...]:
    """Compare prior and posterior spread of the parameters that a verdict depends on."""
    rows = []
    for name in REPORTED:
        if name not in posterior:
            continue
        sample = ("chain", "draw")
        parts = [part for draws in (prior[name], posterior[name]) for part in (draws.mean(sample), draws.std(sample))]
        for index in np.ndindex(parts[0].shape):
            prior_mean, prior_sd, mean, sd = (float(p.values[index]) for p in parts)
            if prior_sd == 0.0:
                continue
            labels = [str(parts[0][dim].values[i]) for dim, i in zip(parts[0].dims, index, strict=True)]
            place = f"[{', '.join(labels)}]" if labels else ""
            rows.append(
                {
                    "parameter": name + place,
                    "prior_mean": prior_mean,
                    "prior_sd": prior_sd,
                    "posterior_mean": mean,
                    "posterior_sd": sd,
                    "contraction": 1.0 - (sd / prior_sd) ** 2,
                }
            )
    return tuple(rows)
