from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from design_cases import METHODOLOGY, build_case, read_case, simulated
from numba import njit
from scipy.stats import chisquare

from violencescore.assessment import Assessment
from violencescore.attribution import Attribution, allot, attribute_draws
from violencescore.counts import draw_count, mean_count
from violencescore.design import Design
from violencescore.model.kernel import Kernel
from violencescore.model.quantities import initial_vector, quantities

ONE_PERIOD = METHODOLOGY.replace("baseline_start = 2026-01-01\n", "")
TWO = ["a,Alpha,true", "b,Beta,true"]


@njit
def draw_counts(seed: int, low: int, best: int, high: int, n: int) -> np.ndarray:
    np.random.seed(seed)
    out = np.empty(n, dtype=np.int64)
    for i in range(n):
        out[i] = draw_count(low, best, high)
    return out


@njit
def allot_often(seed: int, n: int, weight: np.ndarray, times: int) -> np.ndarray:
    np.random.seed(seed)
    out = np.empty((times, weight.size), dtype=np.int64)
    for i in range(times):
        allot(n, weight, out[i])
    return out


def triangle(low: int, best: int, high: int) -> np.ndarray:
    """Probabilities as stated: from the mode the weight falls linearly, to zero one step beyond either end."""
    counts = np.arange(low, high + 1)
    left, right = (counts - low + 1) / (best - low + 1), (high - counts + 1) / (high - best + 1)
    weight = np.where(counts <= best, left, right)
    return weight / weight.sum()


RANGES = [(1, 2, 4), (0, 0, 3), (0, 3, 3), (2, 3, 4), (0, 1, 9), (5, 8, 9), (0, 0, 1), (3, 4, 4)]


@pytest.mark.parametrize("range_", RANGES)
def test_a_true_count_falls_linearly_from_the_best_estimate(range_: tuple[int, int, int]) -> None:
    low, best, high = range_
    expected = triangle(low, best, high)
    draws = draw_counts(1, low, best, high, 20_000)
    assert low <= draws.min() <= draws.max() <= high
    seen = np.bincount(draws - low, minlength=high - low + 1)
    assert chisquare(seen, 20_000 * expected).pvalue > 1e-3
    assert expected.argmax() + low == best


@pytest.mark.parametrize("range_", [*RANGES, (7, 7, 7), (0, 0, 0)])
def test_the_mean_of_true_counts_is_that_of_the_triangle(range_: tuple[int, int, int]) -> None:
    low, best, high = range_
    expected = np.arange(low, high + 1) @ triangle(low, best, high)
    found = mean_count(np.array([low]), np.array([best]), np.array([high]))
    assert found == pytest.approx([expected], abs=1e-12)


def test_a_count_known_exactly_is_never_anything_else() -> None:
    assert set(draw_counts(1, 5, 5, 5, 100)) == {5}


@pytest.mark.parametrize("n", [1, 2, 40, 1503])
def test_allotted_incidents_are_multinomial(n: int) -> None:
    weight = np.array([0.6, 0.0, 2.4, 1.0])
    share, times = weight / weight.sum(), 20_000
    out = allot_often(2, n, weight, times)
    assert (out.sum(axis=1) == n).all()
    assert (out >= 0).all()
    assert not out[:, 1].any()
    error = np.sqrt(n * share * (1 - share) / times)
    assert (np.abs(out.mean(axis=0) - n * share) <= 4 * error).all()
    covariance = n * (np.diag(share) - np.outer(share, share))
    assert np.allclose(np.cov(out.T), covariance, rtol=0.06, atol=0.03 * n * share.max() * (1 - share.max()))


@pytest.mark.parametrize("n", [1, 3, 50])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_incidents_that_only_one_can_have_done_are_all_its_own(n: int, at: int) -> None:
    out = allot_often(3, n, np.eye(3)[at] * 1e-200, 200)
    assert (out == n * np.eye(3, dtype=int)[at]).all()


Attributed = tuple[Design, Kernel, np.ndarray, Attribution]


def attributed(assessment: Assessment, n_draws: int = 60, seed: int = 5) -> Attributed:
    design, kernel = build_case(assessment)
    rng = np.random.default_rng(0)
    vectors = initial_vector(kernel, design) + rng.normal(0, 0.4, (2, n_draws, kernel.layout.size))
    return design, kernel, vectors, attribute_draws(kernel, design, vectors, seed)


@pytest.mark.parametrize("world", ["demo", "dyads"])
def test_responsibilities_of_an_incident_sum_to_one(world: str) -> None:
    design, _, _, found = attributed(simulated(world, 1, 200), 10)
    assert found.responsibility.shape == (len(design.groups.n), len(design.actors))
    assert np.allclose(found.responsibility.sum(axis=1), 1)
    assert (found.responsibility >= 0).all()
    assert ((found.staged >= 0) & (found.staged <= 1)).all()


def test_harm_known_exactly_is_all_allotted_and_none_is_added() -> None:
    incidents = [f"i{i},2026-0{3 + 4 * (i % 2)}-10,r{i % 3}" for i in range(40)]
    harms = [f"i{i},killing,police,{i % 5},," for i in range(40)] + [f"i{i},extortion,,{i},," for i in range(0, 40, 3)]
    evidence = [f"i{i},press,{'ab'[i % 2]},," for i in range(0, 40, 2)]
    assessment = read_case(organizations=TWO, incidents=incidents, harms=harms, evidence=evidence)
    design, _, _, found = attributed(assessment)
    period = assessment.harms["incident_id"].map(assessment.incidents.set_index("incident_id")["period"])
    totals = assessment.harms.groupby([period, "category"])["best"].sum()
    for (when, category), total in totals.items():
        sums = found.realized[:, :, design.periods.index(when), :, design.categories.index(category)].sum(axis=-1)
        assert (sums == total).all()
    assert found.realized.sum() == assessment.harms["best"].sum() * found.realized.shape[0] * found.realized.shape[1]


def test_harm_known_as_a_range_stays_within_it_and_varies() -> None:
    assessment = simulated("demo", 1, 200)
    design, _, _, found = attributed(assessment)
    totals = found.realized.sum(axis=(2, 3))
    by_category = assessment.harms.groupby("category")[["low", "high"]].sum()
    by_category = by_category.reindex(list(design.categories), fill_value=0)
    assert (totals >= by_category["low"].to_numpy()).all()
    assert (totals <= by_category["high"].to_numpy()).all()
    assert totals.sum(axis=-1).std() > 0


def test_an_incident_goes_to_whom_the_court_named() -> None:
    assessment = simulated("demo", 1, 300)
    design, _, _, found = attributed(assessment, 10)
    groups = dict(zip(design.incident_id, design.incident_group, strict=True))
    assert len(assessment.adjudications) > 10
    for row in assessment.adjudications.itertuples():
        group = groups[row.incident_id]
        assert found.responsibility[group, design.actors.index(row.organization_id)] == pytest.approx(1)
        assert found.staged[group] == pytest.approx(float(row.false_flag))


def test_a_settled_incident_between_candidates_goes_to_whom_the_court_named() -> None:
    evidence = ["i1,dyad,a,x,", "i1,dyad,b,x,", "i2,dyad,a,x,", "i2,dyad,b,x,"]
    incidents, harms = [f"i{i},2026-07-02,r" for i in (1, 2)], [f"i{i},killing,police,3,," for i in (1, 2)]
    assessment = read_case(
        organizations=TWO, incidents=incidents, harms=harms, evidence=evidence, adjudications=["i1,b,,", "i2,other,,"]
    )
    _, _, _, found = attributed(assessment, 10)
    window = found.realized[:, :, 1, :, :].sum(axis=-1)
    assert (window == [0, 3, 3]).all()


def test_responsibilities_are_those_of_bayes_theorem() -> None:
    assessment = read_case(
        ONE_PERIOD,
        organizations=TWO,
        incidents=["i1,2026-07-02,r", "i2,2026-07-02,r"],
        harms=["i1,killing,police,1,,", "i2,killing,police,1,,"],
        evidence=["i1,ballistics,a,,", "i2,press,b,,"],
    )
    design, kernel = build_case(assessment)
    vectors = np.random.default_rng(4).normal(0, 0.6, (1, 1, kernel.layout.size))
    found = attribute_draws(kernel, design, vectors, 0)
    q = quantities(kernel, design, vectors).isel(chain=0, draw=0, period=0, kind=0)
    rate, phi, target = q["rate"].values, q["false_flag"].values, q["target"].values
    reach = {h: q["reach"].sel(channel=h).values for h in design.channels}
    accuracy = {h: float(q["accuracy"].sel(channel=h)) for h in design.channels}
    press = {h: q["notoriety"].sel(channel=h).values for h in design.channels}["press"]
    # Of two organizations, one that is named by mistake is named for the other; `other` for either, by notoriety.
    ballistics_a = reach["ballistics"] * [
        accuracy["ballistics"], 1 - accuracy["ballistics"], float(q["notoriety"].sel(channel="ballistics", actor="a")),
    ]  # fmt: skip
    press_b = reach["press"] * [1 - accuracy["press"], accuracy["press"], press[1]]
    silent_press = 1 - reach["press"]
    first = rate * ballistics_a * ((1 - phi) * silent_press + phi * (target @ silent_press))
    second = rate * (1 - reach["ballistics"]) * ((1 - phi) * press_b + phi * (target @ press_b))
    group = dict(zip(design.incident_id, design.incident_group, strict=True))
    assert np.allclose(found.responsibility[group["i1"]], first / first.sum(), rtol=1e-10)
    assert np.allclose(found.responsibility[group["i2"]], second / second.sum(), rtol=1e-10)
    false = (rate * (1 - reach["ballistics"]) * phi * (target @ press_b)).sum()
    assert found.staged[group["i2"]] == pytest.approx(false / second.sum(), rel=1e-10)


def test_the_same_seed_gives_the_same_harms_and_another_gives_others() -> None:
    assessment = simulated("demo", 1, 200)
    found, again, other = (attributed(assessment, 60, seed)[3] for seed in (7, 7, 8))
    assert np.array_equal(found.realized, again.realized)
    assert np.array_equal(found.expected, again.expected)
    assert np.array_equal(found.responsibility, again.responsibility)
    assert not np.array_equal(found.realized, other.realized)
    assert np.allclose(found.responsibility, other.responsibility)


def test_draws_do_not_repeat_one_another_across_chunks_and_chains() -> None:
    assessment = simulated("demo", 1, 200)
    design, kernel = build_case(assessment)
    vectors = np.tile(initial_vector(kernel, design), (3, 120, 1))
    found = attribute_draws(kernel, design, vectors, 1)
    assert max(Counter(draw.tobytes() for chain in found.realized for draw in chain).values()) == 1


def test_allotted_harm_varies_more_than_added_up_probabilities_and_agrees_on_average() -> None:
    assessment = simulated("plain", 1, 300)
    design, kernel = build_case(assessment)
    n_draws = 400
    vectors = np.tile(initial_vector(kernel, design), (1, n_draws, 1))
    found = attribute_draws(kernel, design, vectors, 3)
    harm = found.realized[0].sum(axis=(1, 3))
    profiles = design.profiles
    owner = np.repeat(np.arange(len(profiles.n)), np.diff(profiles.start))
    weight = profiles.n[owner] * mean_count(profiles.low, profiles.best, profiles.high)
    added = weight @ found.responsibility[profiles.group[owner]]
    # With the parameters held still, added-up probabilities would not vary at all; who did what does.
    assert (harm.std(axis=0) > 3).all()
    error = harm.std(axis=0) / np.sqrt(n_draws)
    assert (np.abs(harm.mean(axis=0) - added) < 4 * error).all()
    assert (np.corrcoef(harm.T) - np.eye(harm.shape[1]) < 0.2).all()


def test_expected_harm_of_uncontested_incidents_is_rate_times_severity() -> None:
    incidents = [f"i{i},2026-07-10,r" for i in range(30)]
    harms = [f"i{i},killing,police,4,," for i in range(30)]
    evidence = [f"i{i},ballistics,{'ab'[i % 2]},," for i in range(30)]
    assessment = read_case(ONE_PERIOD, organizations=TWO, incidents=incidents, harms=harms, evidence=evidence)
    design, kernel = build_case(assessment)
    vectors = np.tile(initial_vector(kernel, design), (1, 4000, 1))
    found = attribute_draws(kernel, design, vectors, 3)
    rate = quantities(kernel, design, vectors[:, :1])["rate"].values[0, 0, 0, 0]
    killing = design.categories.index("killing:police")
    assert np.allclose(found.expected[0, :, :, killing].mean(axis=0), 4 * rate, rtol=0.03)
    assert not np.delete(found.expected, killing, axis=-1).any()


def test_expected_harm_counts_what_only_the_upper_end_of_a_range_allows() -> None:
    incidents, harms = ["i1,2026-07-10,r"], ["i1,killing,police,0,0,6"]
    assessment = read_case(ONE_PERIOD, organizations=TWO, incidents=incidents, harms=harms)
    design, _, _, found = attributed(assessment)
    killing = design.categories.index("killing:police")
    assert found.expected[..., killing].mean() > 0.1
    assert found.realized[..., killing].max() > 0


def test_contested_incidents_count_in_expected_harm_too() -> None:
    incidents = [f"i{i},2026-07-10,r" for i in range(40)]
    harms = [f"i{i},killing,police,2,," for i in range(40)]
    evidence = [f"i{i},dyad,{o},x," for i in range(40) for o in "ab"]
    assessment = read_case(ONE_PERIOD, organizations=TWO, incidents=incidents, harms=harms, evidence=evidence)
    design, kernel = build_case(assessment)
    vectors = np.tile(initial_vector(kernel, design), (1, 2000, 1))
    found = attribute_draws(kernel, design, vectors, 3)
    rate = quantities(kernel, design, vectors[:, :1])["rate"].values[0, 0, 0, 0]
    killing = design.categories.index("killing:police")
    realized, expected = (x[0, ..., killing].mean(axis=0) for x in (found.realized[:, :, 0], found.expected))
    assert realized.sum() == pytest.approx(80)
    assert np.allclose(expected, 2 * rate + realized, rtol=0.05)


def test_progress_ends_when_all_is_done() -> None:
    assessment = simulated("demo", 1, 200)
    design, kernel = build_case(assessment)
    calls: list[tuple[str, int, int]] = []
    vectors = np.tile(initial_vector(kernel, design), (2, 120, 1))
    attribute_draws(kernel, design, vectors, 1, lambda *call: calls.append(call))
    assert calls[-1] == ("scores", 6, 6)
    assert [done for _, done, _ in calls] == [1, 2, 3, 4, 5, 6]
