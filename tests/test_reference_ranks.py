"""Probabilities of ranks against numbers that others published."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from violencescore.ranks import rank_probabilities, rank_quantile, rank_table

REFERENCE = Path(__file__).parent / "reference"
SMOKING_DRAWS = Path(__file__).parents[2] / "shared" / "reference" / "rankprob_from_samples_gemtc" / "data.csv.gz"


def load(name):
    return json.loads((REFERENCE / f"{name}.json").read_text())


def as_rows(by_name, names):
    return np.array([by_name[name] for name in names])


@pytest.fixture(scope="module")
def parkinsons():
    """The reference, and 200,000 draws of the exact normal posterior, lowest effect = highest score."""
    case = load("ranks_parkinsons")
    studies = sorted(set(case["study"]))
    free = [t for t in case["treatments"] if t != case["reference"]]
    design = np.zeros((len(case["y"]), len(studies) + len(free)))
    for row, (study, treatment) in enumerate(zip(case["study"], case["treatment"], strict=True)):
        design[row, studies.index(study)] = 1
        if treatment in free:
            design[row, len(studies) + free.index(treatment)] = 1
    weight = 1 / np.square(case["se"])
    covariance = np.linalg.inv(design.T @ (weight[:, np.newaxis] * design) + np.eye(design.shape[1]) / 100**2)
    mean = covariance @ design.T @ (weight * np.array(case["y"]))
    draws = np.random.default_rng(1).multivariate_normal(mean, covariance, 200_000)[:, len(studies) :]
    effects = np.column_stack([np.zeros(len(draws)), draws])
    names = [case["reference"], *free]
    return case, xr.DataArray(-effects, dims=("draw", "organization"), coords={"organization": names})


def test_parkinsons_rank_probabilities_are_the_published_ones(parkinsons):
    case, scores = parkinsons
    found = rank_probabilities(scores).sel(organization=case["treatments"]).values
    published = as_rows(case["published_rank_probabilities"], case["treatments"])
    exact = as_rows(case["exact_rank_probabilities"], case["treatments"])
    np.testing.assert_allclose(found, published, atol=case["tolerance"]["published_rank_probability"])
    np.testing.assert_allclose(found, exact, atol=case["tolerance"]["exact_rank_probability"])


def test_parkinsons_ranking_is_the_published_one(parkinsons):
    case, scores = parkinsons
    table = rank_table(scores, interval=0.95).set_index("organization_id").loc[case["treatments"]]
    means = [case["exact_rank_mean"][t] for t in case["treatments"]]
    quantiles = as_rows(case["published_rank_quantiles"], case["treatments"])
    np.testing.assert_allclose(table["expected_rank"], means, atol=case["tolerance"]["rank_mean"])
    np.testing.assert_array_equal(table[["rank_low", "rank_high"]], quantiles[:, [0, 2]])
    assert rank_table(scores)["organization_id"].iloc[0] == "2"


def test_smoking_rank_probabilities_quantiles_and_sucra_are_the_published_ones():
    if not SMOKING_DRAWS.exists():
        pytest.skip("the 8,000 published draws (260 kB) are not kept in the repository")
    case = load("ranks_smoking")
    draws = pd.read_csv(SMOKING_DRAWS)
    scores = np.column_stack([np.zeros(len(draws)), draws[["d.A.B", "d.A.C", "d.A.D"]]])
    found = rank_probabilities(scores, names=list("ABCD"))
    tolerance = case["tolerance"]["rank_probability"]
    np.testing.assert_allclose(found, as_rows(case["rank_probabilities"], "ABCD"), atol=tolerance)
    sucra = found.cumsum("rank").isel(rank=slice(None, -1)).mean("rank")
    np.testing.assert_allclose(sucra, as_rows(case["sucra"], "ABCD"), atol=tolerance)
    for column, q in enumerate(case["rank_quantiles"]["q"]):
        expected = as_rows(case["rank_quantiles"], "ABCD")[:, column]
        np.testing.assert_array_equal(rank_quantile(found.values, q), expected)


@pytest.fixture(scope="module")
def surgical():
    """The reference, and the posterior of the 12 hospitals by PyMC and nutpie."""
    # Here, because importing the sampler takes seconds that the other tests need not wait for.
    import pymc as pm

    case = load("ranks_surgical")
    with pm.Model(coords={"organization": case["hospitals"]}):
        mu = pm.Normal("mu", 0, 1000)
        tau = pm.Gamma("tau", 0.001, 0.001)
        pm.Deterministic("sigma", tau**-0.5)
        b = pm.Normal("b", mu, tau=tau, dims="organization")
        pm.Deterministic("p", pm.math.invlogit(b), dims="organization")
        pm.Binomial("deaths", n=case["operations"], logit_p=b, observed=case["deaths"])
        tree = pm.sample(
            draws=8000,
            tune=1000,
            chains=4,
            cores=2,
            random_seed=1,
            target_accept=0.97,
            nuts_sampler="nutpie",
            progressbar=False,
        )
    return case, tree["posterior"]


def test_surgical_posterior_means_are_the_published_ones(surgical):
    case, posterior = surgical
    table = rank_table(posterior["p"]).set_index("organization_id").loc[case["hospitals"]]
    tolerance = case["tolerance"]
    np.testing.assert_allclose(table["score_mean"], case["published_p_mean"], atol=tolerance["published_mean"])
    for name in ("mu", "sigma"):
        expected = case[f"published_{name}_mean"]
        assert float(posterior[name].mean()) == pytest.approx(expected, abs=tolerance["published_mu_sigma"])


def test_surgical_rank_probabilities_are_the_published_ones(surgical):
    case, posterior = surgical
    found = rank_probabilities(-posterior["p"]).sel(organization=case["hospitals"]).values
    digitised = as_rows(case["digitised_rank_probabilities"], case["hospitals"])
    exact = as_rows(case["exact_rank_probabilities"], case["hospitals"])
    np.testing.assert_allclose(found, digitised, atol=case["tolerance"]["digitised_rank_probability"])
    np.testing.assert_allclose(found, exact, atol=case["tolerance"]["exact_rank_probability"])


def test_surgical_mean_and_median_ranks_agree_and_only_hospital_h_is_clearly_high(surgical):
    case, posterior = surgical
    found = rank_probabilities(-posterior["p"]).sel(organization=case["hospitals"])
    expected = [case["exact_rank_mean"][h] for h in case["hospitals"]]
    mean = found.values @ np.arange(1, 13)
    np.testing.assert_allclose(mean, expected, atol=case["tolerance"]["exact_rank_mean"])
    medians = [case["exact_rank_median"][h] for h in case["hospitals"]]
    np.testing.assert_array_equal(rank_quantile(found.values, 0.5), medians)
    # The published sentence names K too, but its 2.5 % quantile lies on the edge between two ranks.
    assert rank_quantile(found.sel(organization=["H"]).values, 0.025) > 6.5


def test_surgical_p_first_of_the_highest_mortality_has_an_error_that_covers_the_exact_value(surgical):
    case, posterior = surgical
    row = rank_table(posterior["p"]).iloc[0]
    exact = case["exact_rank_probabilities"]["H"][-1]
    assert row["organization_id"] == "H"
    # The exact value itself was counted in 40,000 draws: an error of 0.0024.
    assert abs(row["p_first"] - exact) < 3 * np.hypot(row["p_first_mcse"], 0.0024)
