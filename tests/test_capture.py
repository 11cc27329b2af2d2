"""The density of listing against brute force and differences, and what it makes of known lists."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from violencescore.listings import COMPLETE, EDGES, Histories, build_pairs, histories_from_table
from violencescore.methodology import Sampling
from violencescore.model.capture import quadrature, turned
from violencescore.model.listing import SPREAD
from violencescore.model_options import Reporting
from violencescore.reporting import (
    ListingModel,
    build_listing_model,
    estimate_unreported,
    listed_share,
    missed_odds,
    prior_quantities,
    sample_shares,
)

REFERENCE = Path(__file__).parent / "reference" / "lists_modern_slavery.json"
SOURCES = ("a", "b", "c", "d")
OPTIONS = Reporting(dependent=(("a", "c"), ("c", "b")), heterogeneity=0.6)


def random_histories(seed: int = 0, n_cells: int = 6) -> Histories:
    """Histories of four sources in some cells of two kinds, three regions, two periods and two ages."""
    rng = np.random.default_rng(seed)
    every = np.array(list(itertools.product(range(2), range(3), range(2), (3, COMPLETE))))
    cells = every[rng.choice(len(every), n_cells, replace=False)]
    patterns = np.array(list(itertools.product((0, 1), repeat=4)))[1:] > 0
    cell, pattern = np.divmod(np.arange(n_cells * 15), 15)
    days = np.zeros((2, len(EDGES)))
    days[:, [3, COMPLETE]] = [[0.0, 1.0], [0.25, 0.75]]
    delays = np.column_stack([rng.integers(0, 4, 80), rng.integers(0, 9, 80), np.full(80, 30)])
    return Histories(
        sources=SOURCES,
        kinds=("k1", "k2"),
        regions=("r1", "r2", "r3"),
        periods=("baseline", "window"),
        listed=patterns[pattern],
        n=rng.poisson(4, len(cell)),
        cell=cell,
        cells=cells,
        days=days,
        unlisted=np.zeros(2),
        delays=delays,
    )


def build(histories: Histories, options: Reporting = OPTIONS, dominance: np.ndarray | None = None) -> ListingModel:
    return build_listing_model(histories, options, np.random.default_rng(1), dominance)


def brute_force(model: ListingModel, vector: np.ndarray) -> tuple[float, np.ndarray]:
    """Log posterior by listing every history of every cell, and the probability of none by cell; as the docs state it."""
    of, options, listing = model.histories, model.options, model.capture.listing
    n_sources, n_columns, n_families, n_free, is_visible = listing.sizes
    z = vector[n_sources:][: n_sources * n_columns].reshape(n_sources, n_columns)
    rest = vector[n_sources * (1 + n_columns) :]
    scale = listing.prior[4:] * np.exp(SPREAD * rest[:n_families])
    theta = np.zeros((n_sources, n_sources))
    free = rest[n_families:][:n_free] * options.dependence_scale
    pairs = build_pairs(of.sources, options)
    for (i, j), which, fixed in zip(pairs.sources, pairs.theta, pairs.fixed, strict=True):
        theta[i, j] = fixed + (free[which] if which >= 0 else 0.0)
    sigma = np.exp(vector[-1]) if is_visible else 0.0
    node, share = quadrature(7) if is_visible else (np.zeros(1), np.ones(1))
    total = -0.5 * (vector @ vector)
    if is_visible:
        total += 0.5 * vector[-1] ** 2 - 0.5 * (sigma / options.heterogeneity) ** 2 + vector[-1]
    none = np.empty(len(of.cells))
    for q in range(len(of.cells)):
        level = options.level_mean + options.level_scale * vector[:n_sources]
        for e in range(listing.start[q], listing.start[q + 1]):
            column = listing.column[e]
            level = level + listing.weight[e] * scale[listing.family[column]] * z[:, column]
        p = listing.seen[of.cells[q, 3]] / (1 + np.exp(-level))
        odds = np.log(p / (1 - p))
        x = np.array(list(itertools.product((0, 1), repeat=int(n_sources))))
        energy = x @ odds + np.einsum("hi,ij,hj->h", x, theta, x)
        at_node = np.exp(energy[None] + sigma * node[:, None] * x.sum(axis=1))
        probability = share @ (at_node / at_node.sum(axis=1, keepdims=True))
        by_history = dict(zip(map(tuple, x), probability, strict=True))
        none[q] = by_history[(0,) * int(n_sources)]
        for h in np.flatnonzero(of.cell == q):
            own = by_history[tuple(of.listed[h].astype(int))]
            total += of.n[h] * np.log(own / (1 - none[q]))
    return float(total), none


CASES = {
    "plain": (Reporting(heterogeneity=0.0), False),
    "visible": (Reporting(), False),
    "pairs": (OPTIONS, False),
    "all dependent": (OPTIONS.model_copy(update={"odds_ratio": 2.0}), False),
    "dominant": (OPTIONS.model_copy(update={"by_dominant": True}), True),
}


@pytest.mark.parametrize("case", CASES)
def test_the_density_is_that_of_brute_force(case: str) -> None:
    options, is_dominant = CASES[case]
    model = build(random_histories(), options, np.array([[0.7, 0.3], [0.1, 0.9], [0.5, 0.5]]) if is_dominant else None)
    rng = np.random.default_rng(3)
    points = rng.normal(0, 0.7, (2, model.capture.size))
    found = [model.capture.log_density(point)[0] for point in points]
    expected = [brute_force(model, point)[0] for point in points]
    assert found[0] - found[1] == pytest.approx(expected[0] - expected[1], rel=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_the_gradient_is_that_of_differences(case: str) -> None:
    options, is_dominant = CASES[case]
    model = build(random_histories(1), options, np.array([[0.7, 0.3], [0.1, 0.9], [0.5, 0.5]]) if is_dominant else None)
    for capture in (model.capture, turned(model.capture)):
        point = np.random.default_rng(4).normal(0, 0.5, capture.size)
        step = 1e-5
        differences = [
            (capture.log_density(point + step * e)[0] - capture.log_density(point - step * e)[0]) / (2 * step)
            for e in np.eye(capture.size)
        ]
        assert np.allclose(capture.log_density(point)[1], differences, rtol=1e-5, atol=1e-5)


def test_the_share_that_is_listed_is_that_of_brute_force() -> None:
    histories = dataclasses.replace(random_histories(2), delays=np.empty((0, 3), dtype=np.int64))
    model = build(histories)
    vector = np.random.default_rng(5).normal(0, 0.5, model.capture.size)
    share = listed_share(model, vector[None])[0]
    _, none = brute_force(model, vector)
    for (kind, region, period, _), missed in zip(histories.cells, none, strict=True):
        assert 1 - share[kind, region, period] == pytest.approx(missed, rel=1e-9)


def test_incidents_that_are_known_from_elsewhere_are_among_the_missed() -> None:
    model = build(random_histories())
    some = dataclasses.replace(model, histories=dataclasses.replace(model.histories, unlisted=np.array([0.0, 0.1])))
    vectors = np.random.default_rng(5).normal(0, 0.5, (3, model.capture.size))
    share = listed_share(model, vectors)
    odds = missed_odds(some, vectors)
    assert np.allclose(odds[..., 0], (1 - share[..., 0]) / share[..., 0])
    assert np.allclose(odds[..., 1], np.maximum(0.9 * (1 - share[..., 1]) / share[..., 1] - 0.1, 0))


def table(sources: str, **counts: int) -> pd.DataFrame:
    rows = [[int(name in history) for name in sources] + [n] for history, n in counts.items()]
    return pd.DataFrame(rows, columns=[*sources, "count"])


def test_two_independent_lists_give_lincoln_and_petersen() -> None:
    wide = Reporting(heterogeneity=0.0, level_scale=5.0)
    total = estimate_unreported(table("ab", ab=200, a=400, b=300), wide, seed=1, draws=400)
    assert total.attrs["max_rhat"] < 1.02
    assert float(total.median()) == pytest.approx(600 * 500 / 200, rel=0.02)


def test_lists_that_follow_one_another_have_missed_more() -> None:
    lists = table("abc", a=100, b=90, c=80, ab=40, ac=35, bc=30, abc=20)
    medians = [
        float(estimate_unreported(lists, Reporting(odds_ratio=ratio), seed=2, draws=300).median())
        for ratio in (0.5, 1.0, 2.0)
    ]
    assert medians == sorted(medians)
    assert medians[2] > 1.3 * medians[0]


def test_visibility_that_varies_makes_the_answer_larger_and_less_sure() -> None:
    lists = table("abc", a=100, b=90, c=80, ab=40, ac=35, bc=30, abc=20)
    same, varied = (
        estimate_unreported(lists, Reporting(heterogeneity=h), seed=2, draws=300).quantile([0.05, 0.5, 0.95])
        for h in (0.0, 1.0)
    )
    assert float(varied[1]) > float(same[1])
    assert float(varied[2] - varied[0]) > float(same[2] - same[0])


def test_modern_slavery_in_the_united_kingdom_comes_out_as_published() -> None:
    reference = json.loads(REFERENCE.read_text(encoding="utf-8"))
    rows = [[*map(int, history), n] for history, n in reference["histories"].items()]
    lists = pd.DataFrame(rows, columns=[*reference["lists"], "count"])
    assert lists["count"].sum() == 2744
    declared = Reporting(heterogeneity=0.0, dependent=tuple(map(tuple, reference["dependent"])))
    total = estimate_unreported(lists, declared, seed=1, draws=1000)
    assert total.attrs["max_rhat"] < 1.02
    ends = total.quantile([0.025, 0.975]).values
    nearest = reference["tolerance"]["interval_to_nearest"]
    assert (np.round(ends / nearest) * nearest).tolist() == reference["interval_95"]


def test_shares_that_lists_have_of_known_cases_are_recovered() -> None:
    rng = np.random.default_rng(8)
    n, p = 3000, np.array([0.5, 0.4, 0.3, 0.25])
    listed = rng.random((n, 4)) < 1 / (1 + np.exp(-(np.log(p / (1 - p)) + 0.5 * rng.normal(size=(n, 1)))))
    frame = pd.DataFrame(listed.astype(int), columns=list("abcd"))
    found = frame[frame.sum(axis=1) > 0].value_counts().rename("count").reset_index()
    low, high = estimate_unreported(found, seed=3, draws=400).quantile([0.025, 0.975]).values
    assert low < n < high


def test_one_cell_is_the_whole_table_and_the_same_seed_gives_the_same_draws() -> None:
    lists = table("ab", ab=20, a=40, b=30)
    once, again = (estimate_unreported(lists, seed=4, draws=50, chains=2) for _ in range(2))
    assert np.array_equal(once.values, again.values)
    assert not np.array_equal(once.values, estimate_unreported(lists, seed=5, draws=50, chains=2).values)


def test_what_two_lists_cannot_tell_shows_as_no_contraction() -> None:
    histories = histories_from_table(table("ab", ab=200, a=400, b=300))
    options = Reporting(dependent=(("a", "b"),))
    found = sample_shares(histories, options, Sampling(draws=500, seed=6))
    model = build(histories, options)
    before = prior_quantities(model, 2000, 7)
    ratio = float(found["dependence"].std()) / float(before["dependence"].std())
    assert ratio > 0.6  # two lists say nothing of how they depend, but for what the prior of their levels does
    level = float(found["listed_by"].std()) / float(before["listed_by"].std())
    assert level < 0.8


@pytest.mark.slow
def test_ranks_of_prior_draws_among_posterior_ones_are_uniform() -> None:
    """Simulation-based calibration of the posterior of listing (Talts et al. 2018)."""
    base = random_histories(3, 8)
    base = dataclasses.replace(base, delays=np.empty((0, 3), dtype=np.int64))
    model = build(base, Reporting())
    patterns = np.array(list(itertools.product((0, 1), repeat=4)))[1:] > 0
    rng = np.random.default_rng(9)
    from violencescore.model.capture import sample_prior
    from violencescore.reporting import listing_quantities

    ranks = []
    for seed in range(60):
        vector = sample_prior(model.capture, 1, rng)
        data = dataclasses.replace(base, n=_histories_of(model, vector[0], patterns, 60, rng))
        truth = listing_quantities(build(data, Reporting()), vector[None])["listed"]
        found = sample_shares(data, Reporting(), Sampling(draws=100, chains=2, seed=seed))["listed"]
        ranks.append(float((found < truth.squeeze(drop=True)).mean(["chain", "draw"])[1, 1]))
    from scipy.stats import kstest

    assert kstest(ranks, "uniform").pvalue > 1e-3


def _histories_of(
    model: ListingModel, vector: np.ndarray, patterns: np.ndarray, n: int, rng: np.random.Generator
) -> np.ndarray:
    """Counts of the histories of ``n`` listed incidents in each cell, at a vector."""
    of = model.histories
    counts = []
    for q in range(len(of.cells)):
        probability = np.array(
            [
                np.exp(
                    brute_force(_single(model, q, pattern), vector)[0] - brute_force(_single(model, q, None), vector)[0]
                )
                for pattern in patterns
            ]
        )
        counts.append(rng.multinomial(n, probability / probability.sum()))
    return np.concatenate(counts)


def _single(model: ListingModel, q: int, pattern: np.ndarray | None) -> ListingModel:
    """The model with one incident of one history in cell ``q``, or with none."""
    of = model.histories
    n = np.zeros(len(of.n), dtype=np.int64)
    if pattern is not None:
        n[(of.cell == q) & (of.listed == pattern).all(axis=1)] = 1
    return dataclasses.replace(model, histories=dataclasses.replace(of, n=n))
