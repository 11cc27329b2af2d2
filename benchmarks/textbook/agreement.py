"""Do the posteriors agree? Means of the same quantities from two samplers, by their Monte-Carlo errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

FALSE_ALARM = 0.001
"""Probability that samplers of one posterior are found to disagree somewhere, over all comparisons of a run."""

MAX_RHAT = 1.05
"""Chains of one sampler that differ by more have not converged, and compare with nothing."""


def pool_repeats(runs: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    """Put the chains of all repeats side by side; draws beyond the shortest chain are left out."""
    n_draws = min(next(iter(run.values())).shape[1] for run in runs)
    return {name: np.concatenate([run[name][:, :n_draws] for run in runs]) for name in runs[0]}


def min_score_ess(draws: Mapping[str, Floats]) -> float:
    """Least bulk effective sample size of any organization's score (Vehtari et al. 2021)."""
    from arviz_stats.base import array_stats

    scores = np.stack([value for name, value in draws.items() if name.startswith("score[")])
    return float(np.min(array_stats.ess(scores, chain_axis=1, draw_axis=2, method="bulk")))


def max_rhat(draws: Mapping[str, Floats]) -> float:
    """Largest rank-normalized split R-hat of what is compared, indicators apart."""
    from arviz_stats.base import array_stats

    values = np.stack([value for name, value in draws.items() if not name.startswith("P(first)")])
    return float(np.max(array_stats.rhat(values, chain_axis=1, draw_axis=2)))


def mean_and_error(draws: Floats) -> tuple[float, float]:
    """Mean and its Monte-Carlo standard error; of an indicator that never moves, the error that one draw could hide."""
    from arviz_stats.base import array_stats

    spread = float(draws.std())
    if np.isin(draws, (0.0, 1.0)).all():
        spread = max(spread, draws.size**-0.5)
        if draws.std() == 0.0:
            return float(draws.mean()), spread / draws.size**0.5
    ess = float(array_stats.ess(draws, chain_axis=0, draw_axis=1, method="mean"))
    return float(draws.mean()), spread / ess**0.5


def compare_means(ours: Mapping[str, Floats], peer: Mapping[str, Floats]) -> pd.DataFrame:
    """Means and errors of both, and their difference in combined standard errors, a row a quantity."""
    rows = []
    for name in ours:
        (mean, error), (other, other_error) = mean_and_error(ours[name]), mean_and_error(peer[name])
        z = (other - mean) / float(np.hypot(error, other_error))
        rows.append({"quantity": name, "ours": mean, "mcse": error, "peer": other, "peer_mcse": other_error, "z": z})
    return pd.DataFrame(rows)


def largest_allowed(n_comparisons: int) -> float:
    """Difference in standard errors that so many comparisons of equal means exceed with `FALSE_ALARM` (Bonferroni)."""
    from scipy.stats import norm

    return float(norm.isf(FALSE_ALARM / (2 * max(n_comparisons, 1))))
