"""Confidence sets for ranks, against published ones, by hand and by their promise."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from violencescore import cli
from violencescore.confidence_sets import confidence_set_table, rank_confidence_sets, top_set

CASE = json.loads((Path(__file__).parent / "reference" / "confidence_sets_pisa.json").read_text(encoding="utf-8"))
SCORE, VARIANCE = np.array(CASE["score"]), np.array(CASE["se"]) ** 2
NAMES = CASE["jurisdiction"]


def test_the_marginal_set_of_the_united_kingdom_is_the_published_one() -> None:
    found = rank_confidence_sets(SCORE, VARIANCE, 0.95, seed=1)
    low, rank, high = CASE["marginal_95"]["United Kingdom"]
    k = NAMES.index("United Kingdom")
    assert found.rank[k] == rank
    assert abs(found.low[k] - low) <= CASE["tolerance"]["bound"]
    assert abs(found.high[k] - high) <= CASE["tolerance"]["bound"]


@pytest.mark.parametrize(("confidence", "key"), [(0.95, "best_5_95"), (0.90, "best_5_90")])
def test_the_sets_of_the_best_five_are_the_published_ones(confidence: float, key: str) -> None:
    inside = top_set(SCORE, VARIANCE, 5, confidence, seed=1)
    found = {NAMES[k] for k in np.flatnonzero(inside)} - set(CASE["borderline"])
    assert found == set(CASE[key]) - set(CASE["borderline"])


def test_simultaneous_sets_are_those_of_a_recount_and_separate_the_last() -> None:
    found = rank_confidence_sets(SCORE, VARIANCE, 0.95, simultaneous=True, seed=1)
    for name, (low, high) in CASE["recount_simultaneous_95"].items():
        k = NAMES.index(name)
        assert abs(found.low[k] - low) <= CASE["tolerance"]["bound"]
        assert abs(found.high[k] - high) <= CASE["tolerance"]["bound"]
    last = [NAMES.index(name) for name in CASE["separated_last"]]
    rest = np.delete(found.high, last)
    assert found.low[last].min() > rest.max()


def test_two_estimates_are_told_apart_by_the_normal_quantile() -> None:
    # Two-sided at 0.95, the difference of two estimates with variance 1/2 each must exceed 1.96.
    for gap, sets in ((1.86, ([1, 1], [2, 2])), (2.06, ([2, 1], [2, 1]))):
        found = rank_confidence_sets([0.0, gap], [0.5, 0.5], 0.95, n_draws=40_000)
        assert (found.low.tolist(), found.high.tolist()) == sets


def test_what_is_known_exactly_has_one_rank() -> None:
    found = rank_confidence_sets([3.0, 1.0, 2.0], [1e-9] * 3)
    assert found.low.tolist() == found.rank.tolist() == found.high.tolist() == [1, 3, 2]


def test_a_common_error_does_not_blur_the_order() -> None:
    common = np.full((3, 3), 100.0) + 1e-6 * np.eye(3)
    assert rank_confidence_sets([3.0, 1.0, 2.0], common).low.tolist() == [1, 3, 2]


def test_sets_that_hold_together_are_no_narrower_than_those_that_hold_alone() -> None:
    alone = rank_confidence_sets(SCORE, VARIANCE, seed=2)
    together = rank_confidence_sets(SCORE, VARIANCE, simultaneous=True, seed=2)
    assert (together.low <= alone.low).all()
    assert (together.high >= alone.high).all()


def test_simultaneous_sets_hold_the_truth_as_often_as_stated_even_among_ties() -> None:
    """200 worlds of five, of which three are equal: 90 % sets may miss in 10 %, give or take 2 %."""
    rng = np.random.default_rng(5)
    truth, sd = np.array([2.0, 0.0, 0.0, 0.0, -1.0]), 0.8
    best = 1 + (truth[None, :] > truth[:, None]).sum(axis=1)
    worst = (truth[None, :] >= truth[:, None]).sum(axis=1)
    held = 0
    for world in range(200):
        seen = truth + sd * rng.standard_normal(5)
        found = rank_confidence_sets(seen, np.full(5, sd**2), 0.9, simultaneous=True, n_draws=1000, seed=world)
        held += bool(((found.low <= best) & (found.high >= worst)).all())
    assert held / 200 > 0.9 - 3 * np.sqrt(0.09 / 200)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([1.0, 2.0], [1.0]), "do not go together"),
        (([1.0, 2.0], [1.0, 1.0], 1.0), "a probability between 0 and 1"),
        (([1.0, 2.0], np.ones((2, 2))), "no difference can be studentized"),
    ],
)
def test_what_cannot_be_is_refused(arguments: tuple, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        rank_confidence_sets(*arguments)


def test_draws_of_scores_are_read_as_an_estimate_with_its_covariance() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal([1.0, 5.0, 1.2], [0.5, 0.5, 0.5], (4, 500, 3))
    scores = xr.DataArray(values, dims=("chain", "draw", "organization"), coords={"organization": ["a", "b", "c"]})
    table = confidence_set_table(scores, 0.9).set_index("organization_id")
    assert table.index[0] == "b"
    assert table.loc["b", ["low", "high"]].tolist() == [1, 1]
    assert table.loc["a", ["low", "high", "low_all", "high_all"]].tolist() == [2, 3, 2, 3]
    assert table.loc["a", "standard_error"] == pytest.approx(0.5, rel=0.05)


def test_the_command_shows_them_beside_ours_on_request(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["rank", str(run_folder)]) == 0
    assert "confidence" not in capsys.readouterr().out
    assert cli.run(["rank", str(run_folder), "--confidence-sets"]) == 0
    assert "without a prior" in capsys.readouterr().out
    assert cli.run(["rank", str(run_folder), "--confidence-sets", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert all(1 <= row["set_low"] <= row["set_high"] <= len(rows) for row in rows)
