"""How good were predictions of who did it: proper scores, likelihood-ratio cost, and reliability.

Predictions are of several actors, of which one did it. Every score is a mean over incidents, and may be weighed: with
the inverse of the probability with which each incident was chosen for adjudication, the mean is for all incidents and
not for those that courts find easy (Hájek 1971).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LEAST = 1e-6
"""Probabilities below this count as this much: a logarithm of zero would drown everything else."""

N_RESAMPLES = 1000


@dataclass(frozen=True)
class Mean:
    """A weighted mean with its standard error."""

    value: float
    error: float


def weighted_mean(values: FloatArray, weight: FloatArray) -> Mean:
    """Return the mean of values with weights, and the error of that ratio (linearized)."""
    if not len(values):
        return Mean(np.nan, np.nan)
    share = weight / weight.sum()
    mean = float(share @ values)
    correction = len(values) / max(len(values) - 1, 1)
    error = float(np.sqrt(correction * (share**2 @ (values - mean) ** 2))) if len(values) > 1 else np.nan
    return Mean(mean, error)


def brier_scores(p: FloatArray, truth: IntArray) -> FloatArray:
    """Return Brier's score of each prediction (incident, actor): sum of squares over all actors, 0 best, 2 worst.

    Brier (1950).

    Examples
    --------
    >>> brier_scores(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([0, 1])).tolist()
    [0.0, 0.5]
    """
    hit = np.zeros_like(p)
    hit[np.arange(len(p)), truth] = 1
    return np.asarray(((p - hit) ** 2).sum(axis=1))


def log_scores(p: FloatArray, truth: IntArray) -> FloatArray:
    """Return the natural logarithm of the probability given to who did it: 0 best (Good 1952)."""
    return np.asarray(np.log(np.maximum(p[np.arange(len(p)), truth], LEAST)))


def likelihood_ratio_cost(p: FloatArray, prior: FloatArray, truth: IntArray, weight: FloatArray) -> float:
    """Return Cllr of several classes: 0 perfect, 1 what saying nothing costs, above 1 worse than nothing.

    The evidence is judged apart from the prior: posteriors are divided by the priors of the same incident, which leaves
    likelihoods L[i, k] up to a constant, and put on equal priors over the C classes that occur. Then

        Cllr = 1/C * sum over classes c of the mean over incidents i done by c of log_C(sum over k of L[i, k] / L[i, c])

    with k over all actors that occur. For two classes it is that of Brümmer and du Preez (2006); for several it is the
    multi-class cost of Brümmer and van Leeuwen (2006), in units of its value for a system that says nothing.

    Parameters
    ----------
    p, prior
        Probability of each actor after and before the evidence (incident, actor).
    weight
        Weight of each incident; classes weigh the same whatever their size.

    Returns
    -------
    float
        NaN where fewer than two classes occur.
    """
    classes = np.unique(truth)
    if len(classes) < 2:
        return float("nan")
    likelihood = np.maximum(p[:, classes], LEAST) / np.maximum(prior[:, classes], LEAST)
    own = likelihood[np.arange(len(p)), np.searchsorted(classes, truth)]
    cost = np.log(likelihood.sum(axis=1) / own) / np.log(len(classes))
    means = [np.average(cost[truth == c], weights=weight[truth == c]) for c in classes]
    return float(np.mean(means))


def two_class_cost(p: FloatArray, prior: FloatArray, hit: npt.NDArray[np.bool_], weight: FloatArray) -> float:
    """Return Cllr of one actor against all others (Brümmer and du Preez 2006); NaN where all did it, or none.

        Cllr = 1/2 * (mean over those it did of log2(1 + 1/LR) + mean over the others of log2(1 + LR))

    Parameters
    ----------
    p, prior
        Probability that the actor did it, after and before the evidence (incident): LR is the ratio of their odds.
    """
    if hit.all() or not hit.any():
        return float("nan")
    p, prior = np.clip(p, LEAST, 1 - LEAST), np.clip(prior, LEAST, 1 - LEAST)
    log_ratio = np.log(p / (1 - p)) - np.log(prior / (1 - prior))
    cost = np.logaddexp(0, np.where(hit, -log_ratio, log_ratio)) / np.log(2)
    means = [np.average(cost[side], weights=weight[side]) for side in (hit, ~hit)]
    return float(np.mean(means))


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram of probabilities of yes or no, by the CORP approach.

    Attributes
    ----------
    p, recalibrated
        Stated probabilities, in order, and the share that came true at each by isotonic regression.
    low, high
        Where 90 % of such curves would lie if every stated probability were true.
    brier, miscalibration, discrimination, uncertainty
        Brier's score (of yes or no) and its parts: brier = miscalibration - discrimination + uncertainty.
    n
        Number of predictions.
    """

    p: FloatArray
    recalibrated: FloatArray
    low: FloatArray
    high: FloatArray
    brier: float
    miscalibration: float
    discrimination: float
    uncertainty: float
    n: int


def reliability(p: FloatArray, hit: npt.NDArray[np.bool_], weight: FloatArray, seed: int) -> Reliability:
    """Return the reliability diagram of predictions: no bins to choose, and bands of what chance would do.

    Dimitriadis, Gneiting and Jordan (2021), "Stable reliability diagrams for probabilistic classifiers": the share that
    came true is estimated by isotonic regression, and Brier's score falls into three parts.

    Parameters
    ----------
    p
        Probability that it happens (prediction).
    hit
        Whether it did.
    weight
        Weight of each prediction.
    seed
        Of the resampling behind the bands.
    """
    order = np.argsort(p, kind="stable")
    p, came, weight = p[order], hit[order].astype(float), weight[order]
    found = _isotonic(came, weight, p)
    rng = np.random.default_rng(seed)
    curves = np.array([_isotonic((rng.random(len(p)) < p).astype(float), weight, p) for _ in range(N_RESAMPLES)])
    low, high = np.quantile(curves, (0.05, 0.95), axis=0)
    base = np.average(came, weights=weight)
    parts = [float(np.average((x - came) ** 2, weights=weight)) for x in (p, found, np.full(len(p), base))]
    brier, after, uncertainty = parts
    return Reliability(p, found, low, high, brier, brier - after, uncertainty - after, uncertainty, len(p))


def _isotonic(values: FloatArray, weight: FloatArray, p: FloatArray) -> FloatArray:
    """Isotonic regression of values on p, which is in order; equal p get one value."""
    from scipy.optimize import isotonic_regression

    starts = np.flatnonzero(np.diff(p, prepend=-1.0) > 0)
    total = np.add.reduceat(weight, starts)
    mean = np.add.reduceat(weight * values, starts) / total
    fitted = isotonic_regression(mean, weights=total).x
    return np.asarray(np.repeat(fitted, np.diff(np.append(starts, len(p)))))
