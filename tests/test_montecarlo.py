"""Monte-Carlo errors against ArviZ, against repetition, and against what no error may do."""

import numpy as np
import pytest
import xarray as xr
from arviz_stats.base import array_stats
from hypothesis import given
from hypothesis import strategies as st

from violencescore.montecarlo import (
    Probability,
    effective_size,
    estimate_probability,
    format_probability,
    rank_rhat,
    read_scores,
)


def autoregression(rng, shape, persistence):
    """Return a stationary series with unit variance along the last axis."""
    noise = rng.normal(size=shape) * np.sqrt(1 - persistence**2)
    noise[..., 0] /= np.sqrt(1 - persistence**2)
    for t in range(1, shape[-1]):
        noise[..., t] += persistence * noise[..., t - 1]
    return noise


@pytest.mark.parametrize("persistence", [0.3, 0.8, 0.97])
@pytest.mark.parametrize("n_draws", [10, 100, 102, 1000])
def test_the_effective_size_equals_arviz(persistence, n_draws):
    series = autoregression(np.random.default_rng(3), (6, 4, n_draws), persistence)
    expected = array_stats.ess(series, chain_axis=1, draw_axis=2, method="mean")
    np.testing.assert_allclose(effective_size(series), np.minimum(expected, 4 * n_draws), rtol=1e-6)


def test_an_odd_draw_out_costs_no_more_than_itself():
    series = autoregression(np.random.default_rng(3), (6, 4, 101), 0.5)
    expected = array_stats.ess(series, chain_axis=1, draw_axis=2, method="mean")
    np.testing.assert_allclose(effective_size(series), expected * 101 / 100, rtol=1e-6)


def test_the_effective_size_of_an_indicator_equals_arviz():
    series = (autoregression(np.random.default_rng(4), (5, 4, 500), 0.7) > 0.8).astype(float)
    expected = array_stats.ess(series, chain_axis=1, draw_axis=2, method="mean")
    np.testing.assert_allclose(effective_size(series), expected, rtol=1e-6)


def test_alternating_chains_earn_no_credit():
    series = autoregression(np.random.default_rng(5), (1, 4, 500), -0.9)
    assert effective_size(series) == 2000


def test_a_series_that_varies_in_its_middle_draw_alone_counts_as_one_that_never_varies():
    series = np.zeros((1, 1, 11))
    series[0, 0, 5] = 1
    assert effective_size(series) == 11


def test_chains_that_stand_still_at_different_places_are_worth_few_draws():
    series = np.repeat(np.array([0.0, 1.0, 0.0, 1.0]), 500).reshape(1, 4, 500)
    assert effective_size(series)[0] < 10


def test_blocks_of_series_do_not_change_the_effective_size(monkeypatch):
    series = autoregression(np.random.default_rng(6), (7, 2, 64), 0.5)
    whole = effective_size(series)
    monkeypatch.setattr("violencescore.montecarlo._BLOCK", 2 * 2 * 64)
    np.testing.assert_array_equal(effective_size(series), whole)


@pytest.mark.parametrize("shift", [0.0, 0.1, 2.0])
def test_the_rank_normalized_rhat_equals_arviz(shift):
    chains = np.random.default_rng(7).normal(size=(4, 400)) + shift * np.arange(4)[:, np.newaxis]
    expected = array_stats.rhat(chains, chain_axis=0, draw_axis=1, method="rank")
    assert rank_rhat(chains) == pytest.approx(float(expected), rel=1e-9)


def test_the_rhat_of_counts_with_ties_equals_arviz():
    chains = np.random.default_rng(8).poisson(3, size=(4, 400)).astype(float)
    expected = array_stats.rhat(chains, chain_axis=0, draw_axis=1, method="rank")
    assert rank_rhat(chains) == pytest.approx(float(expected), rel=1e-9)


def test_the_rhat_of_what_never_varies_is_one_and_of_frozen_chains_infinite():
    assert rank_rhat(np.full((4, 100), 2.0)) == 1.0
    assert rank_rhat(np.repeat(np.array([[1.0], [2.0]]), 100, axis=1)) == np.inf


def test_the_error_of_autocorrelated_draws_is_the_spread_over_repetitions():
    rng = np.random.default_rng(9)
    estimates, errors = [], []
    for _ in range(300):
        gap = autoregression(rng, (4, 400), 0.8)[..., np.newaxis] + 0.5
        p, mcse = estimate_probability((gap > 0).astype(float), gap)
        estimates.append(p[0])
        errors.append(mcse[0])
    independent = np.sqrt(np.mean(estimates) * (1 - np.mean(estimates)) / 1600)
    assert np.mean(errors) == pytest.approx(np.std(estimates), rel=0.15)
    assert np.mean(errors) > 1.8 * independent


def test_an_event_that_always_happens_still_has_an_error():
    gap = np.random.default_rng(10).normal(size=(4, 1000, 1)) + 10
    p, mcse = estimate_probability(np.ones_like(gap), gap)
    assert p == 1
    assert mcse == pytest.approx(1 / 4001, rel=0.1)


def test_an_event_that_always_happens_in_sticky_chains_has_a_larger_error():
    gap = autoregression(np.random.default_rng(11), (4, 1000), 0.95)[..., np.newaxis] + 10
    _, mcse = estimate_probability(np.ones_like(gap), gap)
    assert mcse > 10 / 4001


def test_one_draw_is_enough_for_a_probability_that_admits_to_know_little():
    _, mcse = estimate_probability(np.ones((1, 1, 1)), np.ones((1, 1, 1)))
    assert mcse == 0.5


@pytest.mark.parametrize(
    ("p", "mcse", "text"),
    [
        (1.0, 0.001, ">0.998"),
        (1.0, 0.00025, ">0.999"),
        (0.0, 0.001, "<0.002"),
        (0.9412, 0.004, "0.94"),
        (0.9412, 0.0004, "0.941"),
        (0.5, 0.03, "0.5"),
        (0.9995, 0.0005, ">0.998"),
        (0.97, 0.02, "0.97"),
        (0.5, 1e-7, "0.5000"),
        (1 - 1e-9, 1e-10, ">0.9999"),
        (1e-9, 1e-10, "<0.0001"),
        (1.0, 0.5, ">0.0"),
        (0.0, 0.5, "<1.0"),
    ],
)
def test_a_probability_is_written_no_finer_than_its_error(p, mcse, text):
    assert format_probability(p, mcse) == text
    assert str(Probability(p, mcse)) == text


@given(p=st.floats(0, 1), mcse=st.floats(1e-9, 0.5))
def test_no_probability_is_ever_written_as_certain(p, mcse):
    text = format_probability(p, mcse)
    value = float(text.lstrip("<>"))
    if text[0] == ">":
        assert value <= p
    elif text[0] == "<":
        assert value >= p
    else:
        assert 0 < value < 1
        assert abs(value - p) <= 0.5 * 10.0 ** -len(text[2:]) + 1e-9


@pytest.mark.parametrize(("p", "mcse"), [(1.1, 0.1), (-0.1, 0.1), (float("nan"), 0.1), (0.5, 0.0)])
def test_what_is_no_probability_is_refused(p, mcse):
    with pytest.raises(ValueError, match="not a probability"):
        format_probability(p, mcse)


def test_sample_dimensions_may_come_in_any_order():
    values = np.arange(24.0).reshape(2, 3, 4)
    labelled = xr.DataArray(
        values, dims=("chain", "draw", "organization"), coords={"organization": ["a", "b", "c", "d"]}
    )
    for order in [("organization", "draw", "chain"), ("draw", "organization", "chain")]:
        np.testing.assert_array_equal(read_scores(labelled.transpose(*order)).values, values)
    stacked = labelled.stack(sample=("chain", "draw"))
    np.testing.assert_array_equal(read_scores(stacked).flat, values.reshape(6, 4))


def test_names_come_from_a_mapping_or_a_coordinate_or_are_the_ids():
    scores = xr.DataArray(np.ones((3, 2)), dims=("draw", "organization"), coords={"organization": ["a", "b"]})
    assert read_scores(scores).names == ("a", "b")
    assert read_scores(scores, {"b": "Bravo"}).names == ("a", "Bravo")
    named = scores.assign_coords(name=("organization", ["Alfa", "Bravo"]))
    assert read_scores(named).names == ("Alfa", "Bravo")
    assert read_scores(np.ones((3, 2)), {"a": "Alfa", "b": "b"}).names == ("Alfa", "b")


@pytest.mark.parametrize(
    ("scores", "names", "told"),
    [
        (np.ones((3, 2)), None, "names="),
        (np.ones((3, 2)), ["a"], "1 names for 2 columns"),
        (np.ones((3, 2)), ["a", "a"], "more than once: a"),
        (np.ones(3), ["a"], "1 dimensions"),
        (np.ones((0, 2)), ["a", "b"], "no draws"),
        (np.array([[1.0, np.nan], [np.inf, np.nan]]), ["a", "b"], r"a: 1, b: 2 of 2"),
        (xr.DataArray(np.ones((3, 2)), dims=("draw", "hospital")), None, "organization"),
        (xr.DataArray(np.ones(2), dims="organization"), ["a", "b"], "no sample dimension"),
        (xr.DataArray(np.ones((3, 2)), dims=("draw", "organization")), None, "no organization ids"),
    ],
)
def test_draws_that_cannot_be_ranked_are_refused_with_the_cause(scores, names, told):
    with pytest.raises(ValueError, match=told):
        read_scores(scores, names)


def test_other_names_for_labelled_draws_must_say_whose_they_are():
    scores = xr.DataArray(np.ones((3, 2)), dims=("draw", "organization"), coords={"organization": ["a", "b"]})
    with pytest.raises(ValueError, match="carry ids already"):
        read_scores(scores, ["Alfa", "Bravo"])
