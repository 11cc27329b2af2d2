from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from violencescore.methodology import RevenuePrior
from violencescore.revenue import LEVEL_SD, sample_revenue

PRIOR = RevenuePrior()
Z90 = 1.6448536269514722


def estimates(*rows: tuple[str, str, float, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["organization_id", "source_id", "best", "low", "high"])


def log_draws(
    table: pd.DataFrame, organizations: Sequence[str], prior: RevenuePrior = PRIOR, n: int = 20_000
) -> np.ndarray:
    draws = sample_revenue(table, organizations, prior, (2, n // 2), np.random.default_rng(1))
    assert draws.shape == (2, n // 2, len(organizations))
    return np.log(draws.reshape(n, len(organizations)))


NAN = float("nan")


def test_one_estimate_of_one_organization_is_as_wide_as_its_errors() -> None:
    draws = log_draws(estimates(("a", "s", 100.0, NAN, NAN)), ["a"])[:, 0]
    # One organization with a level that nothing else sets: the estimate's own error is all that is left.
    error = np.hypot(0.3, 0.2)
    prior_variance = LEVEL_SD**2 + 1.0
    sd = np.sqrt(1 / (1 / prior_variance + 1 / error**2))
    assert draws.mean() == pytest.approx(np.log(100), abs=4 * sd / np.sqrt(20_000))
    assert draws.std() == pytest.approx(sd, rel=0.02)


def test_an_interval_is_read_at_the_stated_share() -> None:
    tight = RevenuePrior(source_bias=1e-6, source_error=1e-6)
    for interval in (0.5, 0.9):
        prior = tight.model_copy(update={"interval": interval})
        draws = log_draws(estimates(("a", "s", 100.0, 50.0, 200.0)), ["a"], prior)[:, 0]
        inside = ((draws > np.log(50)) & (draws < np.log(200))).mean()
        assert inside == pytest.approx(interval, abs=0.015)


@pytest.mark.parametrize(("low", "high"), [(50.0, NAN), (NAN, 200.0), (50.0, 100.0), (100.0, 200.0)])
def test_one_end_of_an_interval_stands_for_both(low: float, high: float) -> None:
    prior = RevenuePrior(source_bias=1e-6, source_error=1e-6)
    draws = log_draws(estimates(("a", "s", 100.0, low, high)), ["a"], prior)[:, 0]
    assert draws.std() == pytest.approx(np.log(2) / Z90, rel=0.02)


def test_an_interval_of_no_width_adds_nothing() -> None:
    wide = log_draws(estimates(("a", "s", 100.0, 100.0, 100.0)), ["a"])
    assert np.array_equal(wide, log_draws(estimates(("a", "s", 100.0, NAN, NAN)), ["a"]))


def test_two_estimates_of_one_source_share_its_bias_and_those_of_two_sources_do_not() -> None:
    one = estimates(("a", "s", 100.0, NAN, NAN), ("a", "s", 100.0, NAN, NAN))
    two = estimates(("a", "s", 100.0, NAN, NAN), ("a", "t", 100.0, NAN, NAN))
    assert log_draws(one, ["a"]).std() == pytest.approx(np.sqrt(0.3**2 + 0.2**2 / 2), rel=0.02)
    assert log_draws(two, ["a"]).std() == pytest.approx(np.sqrt((0.3**2 + 0.2**2) / 2), rel=0.02)


def test_the_bias_of_a_common_source_leaves_the_ratio_of_two_organizations_alone() -> None:
    common = estimates(("a", "s", 100.0, NAN, NAN), ("b", "s", 50.0, NAN, NAN))
    apart = estimates(("a", "s", 100.0, NAN, NAN), ("b", "t", 50.0, NAN, NAN))
    ratio, ratio_apart = (np.diff(log_draws(table, ["b", "a"]), axis=1)[:, 0] for table in (common, apart))
    for found, variance in ((ratio, 2 * 0.2**2), (ratio_apart, 2 * (0.3**2 + 0.2**2))):
        # A priori the two differ by a factor with a log variance of 2 (the spread, twice).
        shrunk = 2 / (2 + variance)
        assert found.mean() == pytest.approx(np.log(2) * shrunk, abs=0.015)
        assert found.std() == pytest.approx(np.sqrt(variance * shrunk), rel=0.02)


def test_two_organizations_are_drawn_from_the_closed_form() -> None:
    table = estimates(("a", "s", 100.0, 60.0, 200.0), ("b", "s", 20.0, NAN, NAN), ("b", "t", 30.0, 10.0, NAN))
    prior = RevenuePrior(source_bias=0.5, source_error=0.1, interval=0.8, spread=0.7)
    # By precision: unknowns are (level, a, b, bias of s, bias of t), all about the mean of the estimates.
    y = np.log([100.0, 20.0, 30.0])
    y, centre = y - y.mean(), y.mean()
    z = norm.ppf(0.9)
    variance = 0.1**2 + np.array([np.log(200 / 60) / (2 * z), 0.0, np.log(3) / z]) ** 2
    prior_precision = np.diag([1 / LEVEL_SD**2, 0, 0, 1 / 0.25, 1 / 0.25])
    for k in (1, 2):
        difference = np.eye(5)[k] - np.eye(5)[0]
        prior_precision += np.outer(difference, difference) / 0.49
    observed = np.array([[0, 1, 0, 1, 0], [0, 0, 1, 1, 0], [0, 0, 1, 0, 1]])
    precision = prior_precision + observed.T @ (observed / variance[:, None])
    covariance = np.linalg.inv(precision)
    mean = covariance @ (observed.T @ (y / variance)) + centre
    draws = log_draws(table, ["a", "b"], prior, 100_000)
    assert np.allclose(draws.mean(axis=0), mean[1:3], atol=0.01)
    assert np.allclose(np.cov(draws.T), covariance[1:3, 1:3], rtol=0.03)


def test_an_organization_without_an_estimate_is_as_wide_as_organizations_differ() -> None:
    draws = log_draws(estimates(("a", "s", 100.0, NAN, NAN), ("b", "s", 100.0, NAN, NAN)), ["a", "b", "x"])
    assert draws[:, 2].mean() == pytest.approx(np.log(100), abs=0.04)
    # Its own spread, and that of the level, which two organizations and one source tell little of.
    assert draws[:, 2].std() == pytest.approx(np.sqrt(1 + 1 / 2 + 0.3**2 + 0.2**2 / 2), rel=0.02)
    assert draws[:, 2].std() > 2.5 * draws[:, 0].std()


def test_estimates_of_organizations_that_are_not_ranked_are_left_out() -> None:
    table = estimates(("a", "s", 100.0, NAN, NAN), ("x", "s", 1e6, NAN, NAN))
    assert np.array_equal(log_draws(table, ["a"]), log_draws(table.iloc[:1], ["a"]))


def test_without_any_estimate_of_the_ranked_nothing_is_known() -> None:
    draws = log_draws(estimates(("x", "s", 1e6, NAN, NAN)), ["a", "b"])
    assert draws.std() > 5
    assert np.diff(draws, axis=1).std() == pytest.approx(np.sqrt(2), rel=0.03)


def test_the_unit_of_the_estimates_is_that_of_the_draws() -> None:
    table = estimates(("a", "s", 100.0, 60.0, 200.0), ("b", "t", 20.0, NAN, NAN))
    scaled = table.assign(**{c: table[c] * 1000 for c in ("best", "low", "high")})
    assert np.allclose(log_draws(scaled, ["a", "b"]), log_draws(table, ["a", "b"]) + np.log(1000))


def test_the_order_of_organizations_is_that_asked_for() -> None:
    table = estimates(("a", "s", 1000.0, NAN, NAN), ("b", "t", 1.0, NAN, NAN))
    assert np.median(log_draws(table, ["b", "a"]), axis=0) == pytest.approx([0, np.log(1000)], abs=0.8)
