"""Weights as a distribution, against a published table and by hand."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from violencescore.acceptability import rank_acceptability, ranking_entropy, sample_weights, weighted_scores
from violencescore.ranks import rank_probabilities

CASE = json.loads((Path(__file__).parent / "reference" / "acceptability_thrombo.json").read_text(encoding="utf-8"))
DRAWS = Path(__file__).parents[2] / "shared" / "reference" / "smaa_thrombo" / "data.csv.gz"
CRITERIA = ["ProxDVT", "DistDVT", "Bleed"]
ALTERNATIVES = ["Heparin", "Enoxaparin"]


def harm_of(values: np.ndarray, organizations: list[str], categories: list[str]) -> xr.DataArray:
    coords = {"organization": organizations, "category": categories}
    return xr.DataArray(values, dims=("sample", "organization", "category"), coords=coords)


def test_the_thrombolytics_table_is_the_published_one() -> None:
    if not DRAWS.exists():
        pytest.skip("the 10,000 published draws (740 kB) are not kept in the repository")
    draws = pd.read_csv(DRAWS)
    values = draws[[f"{a}_{c}" for a in ALTERNATIVES for c in CRITERIA]].to_numpy().reshape(-1, 2, 3)
    harms = harm_of(values, ALTERNATIVES, CRITERIA)
    weights = xr.DataArray(
        draws[[f"w_{c}" for c in CRITERIA]].to_numpy(), dims=("sample", "category"), coords={"category": CRITERIA}
    )
    found, tolerance = rank_acceptability(harms, weights), CASE["tolerance"]["abs"]
    for name in ALTERNATIVES:
        at = {"organization": name}
        np.testing.assert_allclose(found.rank.sel(at), CASE["rank_acceptability"][name], atol=tolerance)
        np.testing.assert_allclose(found.central_weights.sel(at), CASE["central_weights"][name], atol=tolerance)
        assert float(found.confidence.sel(at)) == pytest.approx(CASE["confidence_factor"][name], abs=tolerance)
    assert found.entropy == pytest.approx(CASE["ranking_entropy_bits"], abs=tolerance)
    fixed = xr.DataArray([0.5, 0.2, 0.3], dims="category", coords={"category": CRITERIA})
    ranks = rank_probabilities(weighted_scores(harms, fixed))
    for name in ALTERNATIVES:
        expected = CASE["rank_acceptability_fixed_weights_0p5_0p2_0p3"][name]
        np.testing.assert_allclose(ranks.sel(organization=name), expected, atol=tolerance)


def test_known_harm_leaves_the_weights_to_decide() -> None:
    # a killed 10 and extorted 0, b 4 and 30: a is first where its weight w of killing is above 30/36.
    harms = harm_of(np.broadcast_to([[10.0, 0.0], [4.0, 30.0]], (40_000, 2, 2)), ["a", "b"], ["killing", "extortion"])
    found = rank_acceptability(harms, sample_weights(40_000, ["killing", "extortion"], np.random.default_rng(1)))
    assert float(found.rank.sel(organization="a", rank=1)) == pytest.approx(1 / 6, abs=0.01)
    # The mean of w above 5/6 is 11/12, and below it 5/12.
    assert found.central_weights.sel(category="killing").values == pytest.approx([11 / 12, 5 / 12], abs=0.01)
    assert found.confidence.values.tolist() == [1.0, 1.0]
    p = 1 / 6
    assert found.entropy == pytest.approx(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)), abs=0.02)


def test_one_who_is_never_first_has_no_central_weights() -> None:
    harms = harm_of(np.broadcast_to([[2.0, 2.0], [1.0, 1.0]], (100, 2, 2)), ["a", "b"], ["x", "y"])
    found = rank_acceptability(harms, sample_weights(100, ["x", "y"], np.random.default_rng(1)))
    assert np.isnan(found.central_weights.sel(organization="b")).all()
    assert np.isnan(found.confidence.sel(organization="b"))
    assert found.entropy == 0.0


def test_chains_and_draws_are_read_in_the_order_of_the_weights() -> None:
    values = np.random.default_rng(2).poisson(5, (2, 50, 3, 2)).astype(float)
    coords = {"organization": list("abc"), "category": ["x", "y"]}
    chained = xr.DataArray(values, dims=("chain", "draw", "organization", "category"), coords=coords)
    weights = sample_weights(100, ["x", "y"], np.random.default_rng(3))
    flat = harm_of(values.reshape(100, 3, 2), list("abc"), ["x", "y"])
    xr.testing.assert_allclose(rank_acceptability(chained, weights).rank, rank_acceptability(flat, weights).rank)


def test_every_draw_needs_its_own_weights() -> None:
    harms = harm_of(np.ones((5, 2, 2)), ["a", "b"], ["x", "y"])
    with pytest.raises(ValueError, match="5 draws of harm and 4 of weights"):
        rank_acceptability(harms, sample_weights(4, ["x", "y"], np.random.default_rng(1)))


def test_the_entropy_of_orders_equally_likely_is_the_logarithm_of_their_number() -> None:
    orders = np.array([[3, 2, 1], [1, 2, 3], [2, 3, 1], [1, 3, 2]], dtype=float)
    scores = xr.DataArray(orders, dims=("sample", "organization"))
    assert ranking_entropy(scores) == pytest.approx(2.0)
