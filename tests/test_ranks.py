"""Probabilities of ranks: by hand, by brute force, and by what must not change them."""

import time

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import rankdata

from violencescore.ranks import (
    first_probability,
    pairwise_probabilities,
    pairwise_table,
    rank_probabilities,
    rank_quantile,
    rank_table,
    smallest_first_set,
)

# Few distinct values, so that ties are common.
tied_draws = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 12), st.integers(1, 6)), elements=st.integers(0, 4).map(float)
)


def ids(scores):
    return [f"g{k}" for k in range(scores.shape[1])]


def probabilities(first):
    return np.array([value.p for value in first.values()])


def brute_force_shares(scores):
    """Share the ranks of each draw by hand, with SciPy's lowest and highest rank of each tied group."""
    n_draws, n = scores.shape
    shares = np.zeros((n, n))
    for draw in scores:
        low = rankdata(-draw, method="min").astype(int)
        high = rankdata(-draw, method="max").astype(int)
        for k in range(n):
            shares[k, low[k] - 1 : high[k]] += 1 / (high[k] - low[k] + 1)
    return shares / n_draws


FOUR_DRAWS = np.array([[9.0, 5.0, 1.0], [9.0, 5.0, 1.0], [4.0, 6.0, 2.0], [3.0, 3.0, 3.0]])


def test_four_draws_worked_by_hand():
    found = rank_probabilities(FOUR_DRAWS, names=["a", "b", "c"])
    third = 1 / 3
    by_hand = np.array([[2 + third, 1 + third, third], [1 + third, 2 + third, third], [third, third, 3 + third]])
    np.testing.assert_allclose(found, by_hand / 4)
    assert found.dims == ("organization", "rank")
    assert found["rank"].values.tolist() == [1, 2, 3]


def test_pairs_of_four_draws_worked_by_hand():
    found = pairwise_probabilities(FOUR_DRAWS, names=["a", "b", "c"])
    np.testing.assert_allclose(found, [[0.5, 2.5 / 4, 3.5 / 4], [1.5 / 4, 0.5, 3.5 / 4], [0.5 / 4, 0.5 / 4, 0.5]])


def test_the_table_of_four_draws_worked_by_hand():
    table = rank_table(FOUR_DRAWS, names={"c": "Charlie", "b": "Bravo", "a": "Alfa"})
    row = table.set_index("organization_id").loc["c"]
    assert row["name"] == "Charlie"
    assert row["p_first"] == pytest.approx((2 + 1 / 3) / 4)
    assert row["expected_rank"] == pytest.approx((1 + 1 + 2 + 2) / 4)
    assert (row["rank_low"], row["rank_high"]) == (1, 3)
    assert row["score_mean"] == pytest.approx(6.25)
    assert row["score_median"] == pytest.approx(6.5)
    assert row["score_low"] == pytest.approx(np.quantile(FOUR_DRAWS[:, 0], 0.05))
    assert row["score_high"] == pytest.approx(np.quantile(FOUR_DRAWS[:, 0], 0.95))


def test_the_columns_are_those_of_the_interface_in_their_order():
    assert rank_table(FOUR_DRAWS, names=["a", "b", "c"]).columns.tolist() == [
        *["organization_id", "name", "p_first", "p_first_mcse", "p_rank_1", "p_rank_2", "p_rank_3"],
        *["expected_rank", "rank_low", "rank_high", "score_mean", "score_median", "score_low", "score_high"],
    ]


def test_rows_are_sorted_by_p_first_then_expected_rank_then_id():
    scores = np.array([[5.0, 1.0, 3.0, 2.0, 2.0], [1.0, 5.0, 3.0, 2.0, 2.0]])
    table = rank_table(scores, names=["z", "y", "m", "c", "b"])
    assert table["organization_id"].tolist() == ["y", "z", "m", "b", "c"]


@given(tied_draws)
def test_ranks_equal_brute_force(scores):
    found = rank_probabilities(scores, names=ids(scores)).values
    expected = brute_force_shares(scores)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert not found[expected == 0].any(), "what never occurs has probability 0, without rounding"


@given(tied_draws)
def test_rank_probabilities_are_doubly_stochastic_and_p_first_is_their_first_column(scores):
    found = rank_probabilities(scores, names=ids(scores))
    np.testing.assert_allclose(found.sum("rank"), 1)
    np.testing.assert_allclose(found.sum("organization"), 1)
    first = first_probability(scores, names=ids(scores))
    np.testing.assert_allclose(probabilities(first), found.sel(rank=1))


@given(tied_draws)
def test_pairs_sum_to_one_and_agree_with_the_expected_rank(scores):
    pairs = pairwise_probabilities(scores, names=ids(scores)).values
    np.testing.assert_allclose(pairs + pairs.T, 1)
    assert (np.diag(pairs) == 0.5).all()
    table = rank_table(scores, names=ids(scores)).set_index("organization_id").loc[ids(scores)]
    # A rank is one more than the number of organizations above, ties half: 1 + sum over the others.
    np.testing.assert_allclose(table["expected_rank"], 0.5 + (1 - pairs).sum(axis=1))


@given(tied_draws)
def test_the_pairwise_table_holds_the_matrix_without_its_diagonal(scores):
    table = pairwise_table(scores, names=ids(scores))
    matrix = pairwise_probabilities(scores, names=ids(scores))
    n = scores.shape[1]
    assert len(table) == n * (n - 1)
    for row in table.itertuples():
        assert row.p_greater == float(matrix.sel(organization=row.organization_id, other=row.other_id))
        assert row.mcse > 0
    mirrored = table.merge(table, left_on=["organization_id", "other_id"], right_on=["other_id", "organization_id"])
    assert (mirrored["mcse_x"] == mirrored["mcse_y"]).all()


@given(tied_draws, st.sampled_from([1e-6, 0.25, 3.0, 1e9]))
def test_rescaling_all_scores_moves_no_rank(scores, factor):
    before = rank_probabilities(scores, names=ids(scores))
    xr.testing.assert_equal(before, rank_probabilities(scores * factor, names=ids(scores)))


@given(tied_draws, st.randoms(use_true_random=False))
def test_reordering_or_renaming_organizations_moves_no_figure(scores, random):
    order = list(range(scores.shape[1]))
    random.shuffle(order)
    names = ids(scores)
    before = rank_table(scores, names=names).set_index("organization_id").drop(columns="name")
    after = rank_table(scores[:, order], names=[names[k] for k in order])
    after = after.set_index("organization_id").drop(columns="name").loc[before.index]
    np.testing.assert_allclose(after, before, rtol=1e-12)
    renamed = rank_probabilities(scores, names=[f"other name {k}" for k in order])
    np.testing.assert_array_equal(renamed.values, rank_probabilities(scores, names=names).values)


@given(tied_draws.map(lambda scores: scores + 1))
def test_an_organization_that_did_nothing_leaves_the_others_where_they_were(scores):
    before = first_probability(scores, names=ids(scores))
    wider = np.column_stack([scores, np.zeros(len(scores))])
    after = first_probability(wider, names=[*ids(scores), "idle"])
    assert after.pop("idle").p == 0
    np.testing.assert_array_equal(probabilities(after), probabilities(before))


@given(tied_draws, st.data())
def test_more_violence_never_lowers_the_probability_to_be_first(scores, data):
    k = data.draw(st.integers(0, scores.shape[1] - 1))
    added = data.draw(hnp.arrays(np.float64, len(scores), elements=st.sampled_from([0.0, 1.0, 2.5])))
    raised = scores.copy()
    raised[:, k] += added
    before = rank_table(scores, names=ids(scores)).set_index("organization_id").loc[f"g{k}"]
    after = rank_table(raised, names=ids(scores)).set_index("organization_id").loc[f"g{k}"]
    assert after["p_first"] >= before["p_first"] - 1e-12
    assert after["expected_rank"] <= before["expected_rank"] + 1e-12


@given(tied_draws, st.sampled_from([0.0, 0.1, 0.5, 2.0]))
def test_first_by_a_margin_equals_brute_force(scores, margin):
    found = probabilities(first_probability(scores, margin, names=ids(scores)))
    expected = np.zeros(scores.shape[1])
    for draw in scores:
        for k in range(len(draw)):
            others = np.delete(draw, k)
            second = others.max() if len(others) else 0.0
            if margin == 0:
                expected[k] += (draw[k] == draw.max()) / (draw == draw.max()).sum()
            else:
                expected[k] += draw[k] >= (1 + margin) * second and draw[k] > second
    np.testing.assert_allclose(found, expected / len(scores))


def test_a_margin_is_met_when_the_first_exceeds_the_second_by_exactly_that_share():
    scores = np.array([[1.5, 1.0], [1.4, 1.0]])
    assert first_probability(scores, 0.5, names=["a", "b"])["a"].p == 0.5


def test_with_a_margin_nobody_is_first_where_all_scores_are_zero():
    found = first_probability(np.zeros((10, 3)), 0.1, names=["a", "b", "c"])
    assert all(value.p == 0 for value in found.values())


@pytest.mark.parametrize("margin", [-0.1, float("nan")])
def test_a_margin_that_is_no_share_is_refused(margin):
    with pytest.raises(ValueError, match="margin"):
        first_probability(FOUR_DRAWS, margin, names=["a", "b", "c"])


def test_a_margin_over_negative_scores_is_refused():
    with pytest.raises(ValueError, match="negative"):
        first_probability(-FOUR_DRAWS, 0.1, names=["a", "b", "c"])


def test_no_organizations_give_empty_tables():
    nothing = np.empty((100, 0))
    assert rank_table(nothing, names=[]).empty
    assert rank_probabilities(nothing, names=[]).shape == (0, 0)
    assert pairwise_probabilities(nothing, names=[]).shape == (0, 0)
    assert pairwise_table(nothing, names=[]).empty
    assert first_probability(nothing, names=[]) == {}
    assert smallest_first_set(nothing, 0.9, names=[]) == ()


def test_one_organization_has_rank_one():
    row = rank_table(np.arange(50.0)[:, np.newaxis], names=["a"]).iloc[0]
    assert (row["p_first"], row["p_rank_1"], row["expected_rank"], row["rank_low"], row["rank_high"]) == (1,) * 5
    assert row["p_first_mcse"] > 0
    assert smallest_first_set(np.ones((50, 1)), 0.9, names=["a"]) == ("a",)


def test_equal_scores_share_every_rank():
    table = rank_table(np.full((40, 4), 7.0), names=list("abcd"))
    assert (table[["p_first", "p_rank_1", "p_rank_4"]] == 0.25).all(axis=None)
    assert (table["expected_rank"] == 2.5).all()
    assert (table["p_first_mcse"] > 0).all()
    assert table["organization_id"].tolist() == list("abcd")


def test_rank_limits_are_the_integer_quantiles_of_the_rank_distribution():
    shares = np.array([[0.05, 0.90, 0.05], [0.04, 0.91, 0.05], [0.5, 0.44, 0.06]])
    assert rank_quantile(shares, 0.05).tolist() == [1, 2, 1]
    assert rank_quantile(shares, 0.95).tolist() == [2, 2, 3]


def test_no_probability_comes_without_an_error():
    rng = np.random.default_rng(1)
    certain = rng.normal(size=(4, 1000, 2)) + [100.0, 0.0]
    scores = xr.DataArray(certain, dims=("chain", "draw", "organization"), coords={"organization": ["a", "b"]})
    table = rank_table(scores)
    assert table["p_first"].tolist() == [1, 0]
    np.testing.assert_allclose(table["p_first_mcse"], 1 / 4001, rtol=0.1)


def test_the_mean_of_an_intensity_is_not_reported():
    scores = xr.DataArray(FOUR_DRAWS, dims=("draw", "organization"), coords={"organization": ["a", "b", "c"]})
    assert rank_table(scores)["score_mean"].notna().all()
    intensity = rank_table(scores.assign_attrs(per="revenue"))
    assert intensity["score_mean"].isna().all()
    assert intensity["score_median"].notna().all()


@pytest.mark.parametrize("interval", [0.0, 1.0, 90.0])
def test_an_interval_that_is_no_probability_is_refused(interval):
    with pytest.raises(ValueError, match="interval"):
        rank_table(FOUR_DRAWS, names=["a", "b", "c"], interval=interval)


def one_hot(counts):
    """Return draws in which organization k is first in counts[k] draws, well mixed."""
    winners = np.random.default_rng(2).permutation(np.repeat(np.arange(len(counts)), counts))
    return np.eye(len(counts))[winners]


def test_the_smallest_set_takes_the_likeliest_until_the_confidence_is_cleared():
    scores = one_hot([6000, 2500, 1000, 500])
    names = list("abcd")
    assert smallest_first_set(scores, 0.55, names=names) == ("a",)
    assert smallest_first_set(scores, 0.80, names=names) == ("a", "b")
    assert smallest_first_set(scores, 0.90, names=names) == ("a", "b", "c")
    assert smallest_first_set(scores, 0.99, names=names) == ("a", "b", "c", "d")


def test_the_smallest_set_must_clear_the_confidence_by_more_than_the_error():
    assert smallest_first_set(one_hot([9010, 600, 390]), 0.90, names=list("abc")) == ("a", "b")
    assert smallest_first_set(one_hot([9100, 600, 300]), 0.90, names=list("abc")) == ("a",)


def test_equally_likely_organizations_enter_the_smallest_set_together():
    scores = one_hot([7000, 1000, 1000, 1000])
    assert smallest_first_set(scores, 0.75, names=list("dcba")) == ("d", "a", "b", "c")


def test_an_organization_that_is_never_first_is_in_no_smallest_set():
    assert smallest_first_set(one_hot([9, 1, 0]), 0.99, names=list("abc")) == ("a", "b")


@pytest.mark.parametrize("confidence", [0.0, 1.0])
def test_a_smallest_set_needs_a_confidence_between_zero_and_one(confidence):
    with pytest.raises(ValueError, match="confidence"):
        smallest_first_set(FOUR_DRAWS, confidence, names=["a", "b", "c"])


def test_four_thousand_draws_of_twelve_take_no_noticeable_time():
    scores = np.random.default_rng(3).poisson(30, (4000, 12))
    rank_table(scores, names=ids(scores))
    start = time.perf_counter()
    rank_table(scores, names=ids(scores))
    # Some 10 ms; the limit is for busy machines and still catches a loop over draws.
    assert time.perf_counter() - start < 0.25
