"""Pooling of estimates with scales that are learned, against published results and by hand."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from violencescore.methodology import RevenuePrior
from violencescore.revenue import Pooled, half_cauchy_quantiles, pool_estimates, sample_revenue

CASE = json.loads((Path(__file__).parent / "reference" / "pooling_eight_schools.json").read_text(encoding="utf-8"))
EFFECT, VARIANCE = np.array(CASE["effect"]), np.array(CASE["se"]) ** 2
N = len(EFFECT)
FLAT_LEVEL = (0.0, 1e4)


def as_one_organization(tau: np.ndarray, level: tuple[float, float]) -> Pooled:
    """The schools as sources of one organization: its value is mu, and the sources' bias is tau."""
    scales = np.column_stack([tau, np.zeros_like(tau)])
    return pool_estimates(EFFECT, VARIANCE, np.zeros(N, int), np.arange(N), 1, level=level, scales=scales)


def as_organizations(tau: np.ndarray, level: tuple[float, float]) -> Pooled:
    """The schools as organizations with an estimate each, and one without: their spread is tau."""
    scales = np.column_stack([np.zeros_like(tau), tau])
    return pool_estimates(EFFECT, VARIANCE, np.arange(N), np.arange(N), N + 1, level=level, scales=scales)


def mean_sd(found: Pooled, k: int) -> tuple[float, float]:
    mean, variance = found.mean[:, k], found.covariance[:, k, k]
    average = found.weight @ mean
    return float(average), float(np.sqrt(found.weight @ (variance + (mean - average) ** 2)))


def quantile(found: Pooled, k: int, q: float) -> float:
    sd = np.sqrt(found.covariance[:, k, k])
    return float(brentq(lambda x: found.weight @ norm.cdf((x - found.mean[:, k]) / sd) - q, -500, 500))


def weighted_median(values: np.ndarray, weight: np.ndarray) -> float:
    return float(np.interp(0.5, np.cumsum(weight) - weight / 2, values))


@pytest.fixture(scope="module")
def half_cauchy() -> np.ndarray:
    return 25 * half_cauchy_quantiles(4000)


def test_the_pooled_value_of_one_organization_is_the_published_one(half_cauchy: np.ndarray) -> None:
    found, expected = as_one_organization(half_cauchy, (0.0, 50.0)), CASE["HC25_N50"]
    tolerance = CASE["tolerance"]["abs"]
    assert mean_sd(found, 0) == pytest.approx((expected["mu"]["mean"], expected["mu"]["sd"]), abs=tolerance)
    assert quantile(found, 0, 0.5) == pytest.approx(expected["mu"]["median"], abs=tolerance)
    above = found.weight @ norm.sf(-found.mean[:, 0] / np.sqrt(found.covariance[:, 0, 0]))
    assert above == pytest.approx(expected["P_mu_gt_0"], abs=tolerance)
    assert found.weight @ half_cauchy == pytest.approx(expected["tau"]["mean"], abs=tolerance)
    assert weighted_median(half_cauchy, found.weight) == pytest.approx(expected["tau"]["median"], abs=tolerance)


def test_organizations_are_shrunk_as_published_and_one_without_an_estimate_is_as_wide(half_cauchy: np.ndarray) -> None:
    found, expected = as_organizations(half_cauchy, (0.0, 50.0)), CASE["HC25_N50"]
    tolerance = CASE["tolerance"]["abs"]
    for school, mean in expected["shrinkage_mean"].items():
        assert mean_sd(found, CASE["school"].index(school))[0] == pytest.approx(mean, abs=tolerance)
    assert mean_sd(found, N)[1] == pytest.approx(expected["theta_new"]["sd"], abs=tolerance)
    assert quantile(found, N, 0.5) == pytest.approx(expected["theta_new"]["median"], abs=tolerance)


def test_flat_priors_give_the_published_values_too() -> None:
    tau = np.geomspace(0.01, 2000, 6000)
    found = as_one_organization(tau, FLAT_LEVEL)
    # Even on a logarithmic grid is not even on tau: the width of each step makes it so.
    weight = found.weight * np.gradient(tau)
    flat = Pooled(weight / weight.sum(), found.mean, found.covariance)
    tolerance, expected = CASE["tolerance"]["abs"], CASE["flat"]
    assert mean_sd(flat, 0) == pytest.approx((expected["mu"]["mean"], expected["mu"]["sd"]), abs=tolerance)
    assert flat.weight @ tau == pytest.approx(expected["tau"]["mean"], abs=tolerance)
    assert weighted_median(tau, flat.weight) == pytest.approx(expected["tau"]["median"], abs=tolerance)


def estimates(*rows: tuple[str, str, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["organization_id", "source_id", "best"])
    return frame.assign(low=np.nan, high=np.nan)


def log_sd(prior: RevenuePrior, rows: pd.DataFrame, organizations: list[str]) -> np.ndarray:
    draws = np.log(sample_revenue(rows, organizations, prior, (2, 4000), np.random.default_rng(1)))
    low, high = np.quantile(draws, (0.16, 0.84), axis=(0, 1))
    return (high - low) / 2


def test_sources_that_agree_narrow_what_is_learned_and_not_what_is_stated() -> None:
    agree = estimates(*[("a", f"s{i}", 10.0 * (1 + 0.001 * i)) for i in range(8)])
    fixed, learned = RevenuePrior(), RevenuePrior(pooling="learned")
    # Stated: a bias of 0.3 and an error of 0.2 over eight sources leave sqrt(0.13 / 8) = 0.127.
    assert log_sd(fixed, agree, ["a"])[0] == pytest.approx(np.sqrt(0.13 / 8), rel=0.05)
    assert log_sd(learned, agree, ["a"])[0] < 0.11


def test_sources_that_contradict_one_another_widen_what_is_learned() -> None:
    rows = estimates(*[("a", f"s{i}", 10.0 * np.exp(2.0 * (-1) ** i)) for i in range(6)])
    assert log_sd(RevenuePrior(pooling="learned"), rows, ["a"])[0] > 2 * log_sd(RevenuePrior(), rows, ["a"])[0]


def test_one_seed_gives_the_same_learned_draws() -> None:
    rows, prior = estimates(("a", "s", 3.0), ("b", "s", 9.0)), RevenuePrior(pooling="learned")
    found = [sample_revenue(rows, ["a", "b"], prior, (2, 5), np.random.default_rng(3)) for _ in range(2)]
    np.testing.assert_array_equal(*found)
