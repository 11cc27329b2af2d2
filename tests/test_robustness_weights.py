"""Weights, panelists and revenue under doubt: by hand, on grids, and against a published table."""

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from violencescore.methodology import DecisionRule, Weights
from violencescore.robustness.nearest import (
    distance_points,
    factor_table,
    leader_under,
    nearest_weights,
    pair_table,
)
from violencescore.robustness.panelists import judge_weights, least_removal, leverage_table, pool_table
from violencescore.robustness.paths import change_of_first, fall_below, first_along
from violencescore.robustness.revenue import agreement_table, break_even_table, curve_table
from violencescore.robustness.weights import (
    acceptability_rows,
    acceptability_table,
    central_table,
    sample_mixes,
    scored_harm,
)
from violencescore.scores import pool_weights

CASE = json.loads((Path(__file__).parent / "reference" / "acceptability_thrombo.json").read_text(encoding="utf-8"))
DRAWS = Path(__file__).parents[2] / "shared" / "reference" / "smaa_thrombo" / "data.csv.gz"
RULE = DecisionRule(confidence=0.9)


def chained(values: np.ndarray, ids: list[str], categories: list[str]) -> xr.DataArray:
    """Draws of harm in two chains."""
    shaped = values.reshape(2, -1, *values.shape[1:])
    coords = {"organization": ids, "category": categories}
    return xr.DataArray(shaped, dims=("chain", "draw", "organization", "category"), coords=coords)


def random_harm(n: int = 200, n_organizations: int = 3, n_categories: int = 3, seed: int = 4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mean = rng.gamma(3.0, 3.0, (n_organizations, n_categories))
    return rng.poisson(mean, (n, n_organizations, n_categories)).astype(float)


def scores_tree(harm: np.ndarray, revenue: np.ndarray) -> xr.DataTree:
    dims = ("chain", "draw", "organization", "category")
    coords = {"organization": ["a", "b", "c"], "category": ["killing:police", "terror"]}
    harms = xr.Dataset({"harm_realized": (dims, harm), "harm_rate": (dims, harm)}, coords=coords)
    money = xr.Dataset({"revenue": (dims[:3], revenue)}, coords={"organization": ["a", "b", "c"]})
    return xr.DataTree.from_dict({"harms": harms, "revenue": money})


# ---- paths


def test_a_path_says_at_every_point_what_the_draws_say_there() -> None:
    harm = random_harm(n_organizations=4)
    start, end = np.array([0.7, 0.2, 0.1]), np.array([0.05, 0.15, 0.8])
    path = first_along(harm @ start, harm @ end)
    for t in np.random.default_rng(0).random(50):
        scores = harm @ (start + t * (end - start))
        expected = np.bincount(scores.argmax(axis=1), minlength=4) / len(harm)
        np.testing.assert_allclose(path.p_first[np.searchsorted(path.at, t, side="right") - 1], expected, atol=1e-12)
    np.testing.assert_allclose(path.p_first.sum(axis=1), 1.0)


def test_a_path_without_crossings_has_one_step() -> None:
    path = first_along(np.array([[2.0, 1.0]]), np.array([[3.0, 1.0]]))
    assert path.at.tolist() == [0.0]
    assert change_of_first(path, 0) == (np.inf, 0)
    assert fall_below(path, 0, 0.9) == np.inf


def test_a_tie_at_the_start_goes_to_whoever_rises() -> None:
    path = first_along(np.array([[1.0, 1.0]]), np.array([[1.0, 2.0]]))
    assert path.p_first[0].tolist() == [0.0, 1.0]


# ---- nearest weights


def test_weight_moved_between_two_categories_is_known_by_hand() -> None:
    # a killed 10 and extorted 0, b 4 and 30: a is first where killing has more than 30 of 36 points.
    harm = np.broadcast_to([[10.0, 0.0], [4.0, 30.0]], (10, 2, 2)).astype(float)
    table = pair_table(harm, np.array([9.0, 1.0]), ["killing", "extortion"], ["a", "b"], 0.9)
    row = table.iloc[0]
    assert (row["from"], row["to"], row["first"]) == ("killing", "extortion", "b")
    assert row["points"] == pytest.approx(90 - 100 * 30 / 36)
    assert row["points_unnamed"] == pytest.approx(row["points"])
    assert np.isinf(table.iloc[1]["points"])
    assert table.iloc[1]["first"] == ""
    factors = factor_table(harm, np.array([9.0, 1.0]), ["killing", "extortion"], ["a", "b"], 0.9)
    up = factors[(factors["category"] == "extortion") & (factors["direction"] == "up")].iloc[0]
    assert up["factor"] == pytest.approx(9 * 6 / 30)
    down = factors[(factors["category"] == "killing") & (factors["direction"] == "down")].iloc[0]
    assert down["factor"] == pytest.approx(30 / 6 / 9)


@pytest.mark.parametrize("seed", [1, 2, 3, 5, 8])
def test_the_nearest_weights_change_the_first_and_nothing_nearer_on_a_grid_does(seed: int) -> None:
    harm = random_harm(seed=seed, n_organizations=4)
    start = np.random.default_rng(seed).dirichlet([4.0, 3.0, 2.0])
    leader = leader_under(harm, start)
    found = nearest_weights(harm, start, np.random.default_rng(0))
    steps = 60
    grid = [
        np.array([i, j, steps - i - j]) / steps
        for i, j in itertools.product(range(steps + 1), repeat=2)
        if i + j <= steps
    ]
    elsewhere = [distance_points(w, start) for w in grid if leader_under(harm, w) != leader]
    if not elsewhere:
        assert np.isinf(found.points)
        return
    assert leader_under(harm, found.weights) == found.first != leader
    assert found.weights.min() >= 0
    assert found.weights.sum() == pytest.approx(1.0)
    assert found.points <= min(elsewhere) + 1e-9


def test_where_one_did_more_of_everything_no_weights_change_the_first() -> None:
    harm = np.broadcast_to([[5.0, 5.0], [1.0, 2.0]], (20, 2, 2)).astype(float)
    found = nearest_weights(harm, np.array([1.0, 1.0]), np.random.default_rng(0))
    assert np.isinf(found.points)


# ---- acceptability


def test_the_thrombolytics_table_comes_out_of_the_weight_functions() -> None:
    if not DRAWS.exists():
        pytest.skip("the 10,000 published draws (740 kB) are not kept in the repository")
    draws, criteria, alternatives = pd.read_csv(DRAWS), ["ProxDVT", "DistDVT", "Bleed"], ["Heparin", "Enoxaparin"]
    values = draws[[f"{a}_{c}" for a in alternatives for c in criteria]].to_numpy().reshape(1, -1, 2, 3)
    coords = {"organization": alternatives, "category": criteria}
    harm = xr.DataArray(values, dims=("chain", "draw", "organization", "category"), coords=coords)
    weights = xr.DataArray(
        draws[[f"w_{c}" for c in criteria]].to_numpy(), dims=("sample", "category"), coords={"category": criteria}
    )
    table = acceptability_rows("published", harm, weights).set_index("organization_id")
    tolerance = CASE["tolerance"]["abs"]
    for name in alternatives:
        row = table.loc[name]
        assert row["p_first"] == pytest.approx(CASE["rank_acceptability"][name][0], abs=tolerance)
        assert row["p_first_central"] == pytest.approx(CASE["confidence_factor"][name], abs=tolerance)
        central = [row[f"central_{c}"] for c in criteria]
        np.testing.assert_allclose(central, CASE["central_weights"][name], atol=tolerance)


def test_acceptability_over_all_weights_is_the_share_of_weights_where_harm_is_known() -> None:
    harm = chained(np.broadcast_to([[10.0, 0.0], [4.0, 30.0]], (4000, 2, 2)), ["a", "b"], ["killing", "extortion"])
    table = acceptability_table(harm, None, np.random.default_rng(1)).set_index("organization_id")
    assert table.loc["a", "p_first"] == pytest.approx(1 / 6, abs=0.01)
    assert table.loc["a", "central_killing"] == pytest.approx(11 / 12, abs=0.01)
    central = central_table(table.reset_index(), np.array([1.0, 3.0]), ["killing", "extortion"])
    assert central["points"].tolist() == [25.0, 75.0]
    assert central["a"].sum() == pytest.approx(100.0)


def test_mixes_of_a_panel_lie_between_its_members() -> None:
    coords = {"panelist": ["p", "q"], "category": ["x", "y"]}
    panel = xr.DataArray([[3.0, 1.0], [1.0, 1.0]], dims=("panelist", "category"), coords=coords)
    mixes = sample_mixes(1000, panel, np.random.default_rng(0))
    assert mixes.dims == ("sample", "category")
    assert 0.5 <= float(mixes.sel(category="x").min()) < 0.52
    assert 0.73 < float(mixes.sel(category="x").max()) <= 0.75


@pytest.mark.parametrize("per", ["none", "revenue"])
def test_what_a_score_adds_up_sums_to_the_score(per: str) -> None:
    from violencescore.methodology import methodology_from_dict
    from violencescore.scores import score_draws

    rng = np.random.default_rng(3)
    tree = scores_tree(rng.poisson(4, (2, 10, 3, 2)), rng.gamma(5, 1, (2, 10, 3)))
    category = [
        {"element": "killing", "victim_role": "police", "weight": 3.0},
        {"element": "terror", "weight": 2.0},
    ]
    methodology = methodology_from_dict({"extends": "kleiman-2011", "category": category, "score": {"per": per}})
    weights = xr.DataArray([3.0, 2.0], dims="category", coords={"category": ["killing:police", "terror"]})
    xr.testing.assert_allclose(
        xr.dot(scored_harm(tree, methodology), weights, dim="category"),
        score_draws(tree, methodology).reset_coords(drop=True),
    )


# ---- panelists


def panel_of(rows: list[list[float]]) -> xr.DataArray:
    coords = {"panelist": [f"p{i + 1}" for i in range(len(rows))], "category": ["x", "y"]}
    return xr.DataArray(np.array(rows), dims=("panelist", "category"), coords=coords)


def two_sided_harm() -> xr.DataArray:
    rng = np.random.default_rng(2)
    return chained(rng.poisson([[20.0, 2.0], [2.0, 20.0]], (400, 2, 2)).astype(float), ["a", "b"], ["x", "y"])


def test_the_least_number_of_panelists_is_that_of_trying_every_set() -> None:
    harm, pool = two_sided_harm(), Weights(use="panel", pool="linear")
    panel = panel_of([[9, 1], [8, 2], [7, 3], [1, 9], [3, 7]])
    everyone = judge_weights(harm, pool_weights(panel, pool), RULE)
    found = least_removal(harm, panel, pool, RULE)
    assert found.exact
    assert found.n is not None
    for size in range(1, 5):
        changes = [
            left_out
            for left_out in itertools.combinations(range(5), size)
            if judge_weights(
                harm, pool_weights(panel.isel(panelist=[i for i in range(5) if i not in left_out]), pool), RULE
            ).named
            != everyone.named
        ]
        assert bool(changes) == (size >= found.n)
        if changes:
            assert found.panelists in [tuple(f"p{i + 1}" for i in left_out) for left_out in changes]
            break


def test_a_panel_that_agrees_cannot_be_tipped_by_leaving_anyone_out() -> None:
    found = least_removal(two_sided_harm(), panel_of([[9, 1]] * 3), Weights(use="panel"), RULE)
    assert found.n is None
    assert found.panelists == ()


def test_leverage_is_the_change_of_the_first_without_the_panelist() -> None:
    harm, pool = two_sided_harm(), Weights(use="panel", pool="linear")
    panel = panel_of([[6, 4], [5, 5], [3, 7]])
    table = leverage_table(harm, panel, pool, RULE).set_index("panelist_id")
    everyone = judge_weights(harm, pool_weights(panel, pool), RULE)
    without = judge_weights(harm, pool_weights(panel.isel(panelist=[0, 1]), pool), RULE)
    at = ["a", "b"].index(everyone.leader)
    expected = without.shares.mean(axis=(0, 1))[at] - everyone.shares.mean(axis=(0, 1))[at]
    assert table.loc["p3", "leverage"] == pytest.approx(expected)
    assert table.loc["p3", "changes_first"] == (without.leader != everyone.leader)


def test_pools_and_each_panelist_alone_stand_side_by_side() -> None:
    table = pool_table(two_sided_harm(), panel_of([[9, 1], [1, 9]]), RULE)
    assert table["weights"].tolist() == ["linear", "logarithmic", "median", "panelist p1", "panelist p2"]
    assert table.set_index("weights").loc[["panelist p1", "panelist p2"], "leader"].tolist() == ["a", "b"]
    np.testing.assert_allclose(table["p_first_a"] + table["p_first_b"], 1.0)


# ---- revenue


def money_case() -> tuple[xr.DataArray, xr.DataArray]:
    rng = np.random.default_rng(7)
    coords, dims = {"organization": ["a", "b", "c"]}, ("chain", "draw", "organization")
    totals = xr.DataArray(rng.poisson([30, 20, 5], (2, 1000, 3)).astype(float), dims=dims, coords=coords)
    return totals, xr.DataArray(rng.lognormal([2.0, 1.5, 1.0], 0.3, (2, 1000, 3)), dims=dims, coords=coords)


def test_at_the_break_even_revenue_the_probability_of_being_first_crosses_the_level() -> None:
    totals, revenue = money_case()
    for row in break_even_table(totals, revenue, 0.9).to_dict("records"):
        for factor, above in ((0.999, True), (1.001, False)):
            known = revenue.copy()
            known.loc[{"organization": row["organization_id"]}] = factor * row["break_even"]
            intensity = totals / known
            first = (intensity.argmax("organization") == list("abc").index(row["organization_id"])).mean()
            assert float(first) >= row["level"] - 1e-9 if above else float(first) <= row["level"] + 1e-9
        assert row["low"] <= row["break_even"] <= row["high"]


def test_the_curve_falls_from_one_to_nought() -> None:
    totals, revenue = money_case()
    curve = curve_table(totals, revenue, (0.01, 1.0, 100.0))
    for _, own in curve.groupby("organization_id"):
        assert own["p_first"].is_monotonic_decreasing
        assert own["p_first"].iloc[0] > 0.95
        assert own["p_first"].iloc[-1] == 0.0


def test_totals_and_intensities_agree_as_often_as_they_do() -> None:
    totals, revenue = money_case()
    table, same, error = agreement_table(totals, totals / revenue)
    expected = (totals.argmax("organization") == (totals / revenue).argmax("organization")).mean()
    assert same == pytest.approx(float(expected), abs=0.02)  # ties of totals are shared
    assert table.loc[table["total_id"] == table["per_id"], "p"].sum() == pytest.approx(same)
    assert table["p"].sum() == pytest.approx(1.0)
    assert 0 < error < 0.05
