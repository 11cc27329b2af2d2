from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from violencescore.errors import RefusedError
from violencescore.methodology import Methodology, Weights, methodology_from_dict
from violencescore.ranks import rank_table
from violencescore.scores import baseline_ratio, panel_weight_array, pool_weights, score_draws

CATEGORIES = ["killing:police", "killing", "extortion"]
ORGANIZATIONS = ["a", "b", "c"]


def methodology(**changes: object) -> Methodology:
    categories = [
        {"element": "killing", "victim_role": "police", "weight": 3.0},
        {"element": "killing", "weight": 2.0},
        {"element": "extortion", "weight": 0.5},
    ]
    return methodology_from_dict({"id": "m", "version": "1", "category": categories} | changes)


def posterior(seed: int = 1, **groups: xr.Dataset) -> xr.DataTree:
    rng = np.random.default_rng(seed)
    dims, shape = ("chain", "draw", "organization", "category"), (2, 50, 3, 3)
    coords = {"organization": ORGANIZATIONS, "category": CATEGORIES, "name": ("organization", ["A", "B", "C"])}
    data = {name: (dims, rng.poisson(mean, shape)) for name, mean in (("harm_realized", 5), ("harm_baseline", 10))}
    data["harm_rate"] = (dims, rng.gamma(5, size=shape))
    for name, mean in (("harm_other", 3), ("harm_other_baseline", 6)):
        data[name] = (("chain", "draw", "category"), rng.poisson(mean, (2, 50, 3)))
    tree = xr.DataTree.from_dict({"harms": xr.Dataset(data, coords=coords), **groups})
    tree.attrs |= {"days_window": 10.0, "days_baseline": 30.0, "names": json.dumps({})}
    return tree


def by_organization(name: str, values: np.ndarray) -> xr.Dataset:
    return xr.Dataset({name: (("chain", "draw", "organization"), values)}, coords={"organization": ORGANIZATIONS})


def panel(*rows: list[float], names: str = "xyz") -> xr.DataArray:
    labels = list(names[: len(rows)])
    return xr.DataArray(list(rows), dims=("panelist", "category"), coords={"panelist": labels, "category": CATEGORIES})


def test_a_score_is_the_weighted_sum_of_harm_in_each_draw() -> None:
    tree = posterior()
    scores = score_draws(tree, methodology())
    assert scores.dims == ("chain", "draw", "organization")
    assert scores["name"].values.tolist() == ["A", "B", "C"]
    assert np.array_equal(scores.values, tree["harms"]["harm_realized"].values @ [3.0, 2.0, 0.5])


def test_realized_and_rate_are_two_scores_and_say_which_they_are() -> None:
    tree = posterior()
    realized = score_draws(tree, methodology())
    rate = score_draws(tree, methodology(score={"estimand": "rate"}))
    assert np.allclose(rate.values, tree["harms"]["harm_rate"].values @ [3.0, 2.0, 0.5])
    assert (realized.attrs["estimand"], rate.attrs["estimand"]) == ("realized", "rate")
    assert score_draws(tree, methodology(), estimand="rate").equals(rate)


def test_weights_are_matched_by_category_and_not_by_place() -> None:
    tree = posterior()
    turned = xr.DataTree.from_dict({"harms": tree["harms"].to_dataset().isel(category=[2, 0, 1])})
    assert np.allclose(score_draws(turned, methodology()), score_draws(tree, methodology()))


def test_a_category_without_a_weight_counts_nothing() -> None:
    only = xr.DataArray([4.0], dims="category", coords={"category": ["killing"]})
    tree = posterior()
    expected = 4 * tree["harms"]["harm_realized"].sel(category="killing").values
    assert np.array_equal(score_draws(tree, methodology(), weights=only).values, expected)


@pytest.mark.parametrize("factor", [2.0**10, 2.0**-20, 7.3, 1e6])
def test_rescaled_weights_rescale_scores_and_leave_the_ranking_alone(factor: float) -> None:
    tree = posterior()
    weights = xr.DataArray([3.0, 2.0, 0.5], dims="category", coords={"category": CATEGORIES})
    scores, scaled = (score_draws(tree, methodology(), weights=w) for w in (weights, weights * factor))
    assert np.allclose(scaled.values, factor * scores.values, rtol=1e-14)
    columns = ["organization_id", "p_first", "p_first_mcse", "p_rank_1", "p_rank_2", "p_rank_3", "expected_rank"]
    pd.testing.assert_frame_equal(rank_table(scaled)[columns], rank_table(scores)[columns], check_exact=True)


def test_a_score_per_revenue_is_divided_draw_by_draw_and_organization_by_organization() -> None:
    revenue = np.random.default_rng(2).gamma(3, size=(2, 50, 3))
    by_id = by_organization("revenue", revenue)
    tree = posterior(revenue=by_id.isel(organization=[2, 1, 0]))
    scores = score_draws(tree, methodology(score={"per": "revenue"}))
    assert np.allclose(scores, score_draws(tree, methodology()).values / revenue)
    assert scores["organization"].values.tolist() == ORGANIZATIONS
    assert scores.attrs["per"] == "revenue"


@pytest.mark.parametrize("per", ["revenue", "flow"])
def test_a_score_per_what_no_table_estimates_is_refused(per: str) -> None:
    other = {"revenue": "flow", "flow": "revenue"}[per]
    wrong = by_organization(other, np.ones((2, 50, 3)))
    for tree in (posterior(), posterior(revenue=wrong)):
        with pytest.raises(RefusedError, match=f"per {per}.*kind `{per}`"):
            score_draws(tree, methodology(score={"per": per}))


def test_the_panel_is_refused_where_there_is_none() -> None:
    with pytest.raises(RefusedError, match="panel_weights"):
        score_draws(posterior(), methodology(weights={"use": "panel"}))


def test_a_linear_pool_is_the_mean_of_shares_so_that_large_numbers_do_not_shout() -> None:
    pooled = pool_weights(panel([1.0, 1.0, 2.0], [600.0, 200.0, 200.0]), Weights(pool="linear"))
    assert pooled.values == pytest.approx([(0.25 + 0.6) / 2, (0.25 + 0.2) / 2, (0.5 + 0.2) / 2])


def test_a_logarithmic_pool_is_the_geometric_mean_of_shares() -> None:
    pooled = pool_weights(panel([1.0, 1.0, 2.0], [6.0, 2.0, 2.0]), Weights(pool="logarithmic"))
    means = np.sqrt([0.25 * 0.6, 0.25 * 0.2, 0.5 * 0.2])
    assert pooled.values == pytest.approx(means / means.sum())


def test_a_logarithmic_pool_bears_a_zero() -> None:
    pooled = pool_weights(panel([1.0, 1.0, 0.0], [1.0, 1.0, 2.0]), Weights(pool="logarithmic"))
    assert np.isfinite(pooled.values).all()
    assert pooled.values == pytest.approx([0.5, 0.5, 0.0], abs=1e-4)


def test_a_median_pool_lets_no_single_panelist_move_it_far() -> None:
    shy = [[0.5, 0.3, 0.2], [0.4, 0.4, 0.2]]
    pooled = pool_weights(panel(*shy, [0.0, 0.0, 9.0]), Weights(pool="median"))
    medians = np.array([0.4, 0.3, 0.2])
    assert pooled.values == pytest.approx(medians / medians.sum())


@pytest.mark.parametrize("pool", ["linear", "logarithmic", "median"])
def test_a_pool_of_one_is_that_one(pool: str) -> None:
    assert pool_weights(panel([3.0, 2.0, 5.0]), Weights(pool=pool)).values == pytest.approx([0.3, 0.2, 0.5])


@pytest.mark.parametrize("pool", ["linear", "logarithmic", "median"])
def test_a_panelist_who_weighs_nothing_that_is_scored_is_refused_by_name(pool: str) -> None:
    with pytest.raises(RefusedError, match="from y,"):
        pool_weights(panel([1.0, 1.0, 2.0], [0.0, 0.0, 0.0]), Weights(pool=pool))


def test_medians_that_are_all_zero_are_refused() -> None:
    with pytest.raises(RefusedError, match="median"):
        pool_weights(panel([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]), Weights(pool="median"))


def test_the_panel_counts_only_when_the_methodology_says_so() -> None:
    weights = xr.Dataset({"panel_weight": panel([0.0, 1.0, 0.0], [0.0, 0.0, 1.0])})
    tree = posterior(weights=weights)
    published = score_draws(tree, methodology())
    assert published.equals(score_draws(posterior(), methodology()))
    pooled = score_draws(tree, methodology(weights={"use": "panel"}))
    assert np.allclose(pooled.values, tree["harms"]["harm_realized"].values @ [0.0, 0.5, 0.5])


def test_what_a_panelist_leaves_out_weighs_nothing() -> None:
    rows = [("y", "extortion", 0.5), ("x", "killing:police", 3.0), ("y", "killing", 2.0)]
    table = pd.DataFrame(rows, columns=["panelist_id", "category", "weight"])
    found = panel_weight_array(table, methodology())
    assert found is not None
    assert found.dims == ("panelist", "category")
    assert found.sel(panelist="x", category=CATEGORIES).values.tolist() == [3.0, 0.0, 0.0]
    assert found.sel(panelist="y", category=CATEGORIES).values.tolist() == [0.0, 2.0, 0.5]
    assert panel_weight_array(table.iloc[:0], methodology()) is None


def test_the_comparison_with_the_baseline_is_per_day_and_counts_everybody() -> None:
    tree, weights = posterior(), np.array([3.0, 2.0, 0.5])
    ratio = baseline_ratio(tree, methodology())
    assert ratio is not None
    harms = tree["harms"]
    window = harms["harm_realized"].values.sum(axis=2) + harms["harm_other"].values
    before = harms["harm_baseline"].values.sum(axis=2) + harms["harm_other_baseline"].values
    assert ratio.dims == ("chain", "draw")
    assert np.allclose(ratio.values, (window @ weights / 10) / (before @ weights / 30))


def test_without_violence_in_the_baseline_nothing_is_compared() -> None:
    tree = posterior()
    harms = tree["harms"].to_dataset()
    bare = xr.DataTree.from_dict({"harms": harms.drop_vars(["harm_baseline", "harm_other_baseline"])})
    assert baseline_ratio(bare, methodology()) is None
    harms[["harm_baseline", "harm_other_baseline"]] *= 0
    empty = xr.DataTree.from_dict({"harms": harms})
    empty.attrs |= tree.attrs
    assert baseline_ratio(empty, methodology()) is None
