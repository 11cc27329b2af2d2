"""The ledger of uncertainty: shares that add up, and are those of every world tried."""

import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from violencescore.robustness import matching
from violencescore.robustness.allotment import (
    Chances,
    Incidents,
    Rows,
    allotted_scores,
    flat_draws,
    place_incidents,
    sample_noise,
)
from violencescore.robustness.ledger import (
    ALLOTMENT,
    COUNTS,
    FALSE_FLAGS,
    MONTE_CARLO,
    PARAMETERS,
    REPORTING,
    REVENUE,
    WEIGHTS,
    Ingredients,
    Scoring,
    divide_doubt,
    shapley_shares,
)
from violencescore.robustness.ties import Ties

ACTORS = ("a", "b", "other")


def incidents_of(harms: list[tuple[int, int, int]]) -> Incidents:
    """One incident of each (low, best, high), all in one category, each a group of its own."""
    n = len(harms)
    low, best, high = (np.array(column, dtype=np.int64) for column in zip(*harms, strict=True))
    at = np.arange(n)
    return Incidents(
        pd.Index([f"I{i}" for i in at]), at, np.ones(n, dtype=bool), np.arange(n + 1), np.zeros(n, dtype=np.int64),
        low, best, high, Ties(at, np.full(n, -1), np.full(n, -1)),
    )  # fmt: skip


def chances_of(honest: np.ndarray, staged: np.ndarray) -> Chances:
    """Chances from weights of the actors (draw, group, actor), for what they seem and staged."""
    false = staged.sum(axis=2)

    def below(weight: np.ndarray) -> np.ndarray:
        total = np.maximum(weight.sum(axis=2, keepdims=True), 1e-300)
        return (weight.cumsum(axis=2) / total).astype(np.float32)

    none = np.empty((len(honest), 0, honest.shape[2]), dtype=np.float32)
    flags = (false / (false + honest.sum(axis=2))).astype(np.float32)
    return Chances(flags, below(honest), below(staged), none)


def ingredients_of(incidents: Incidents, chances: Chances, n: int, **given) -> Ingredients:
    rng = np.random.default_rng(5)
    weights = given.get("weights", np.ones((1, 1)))
    scoring = Scoring(weights, np.array([0, 1]), ("a", "b"), given.get("revenue"), given.get("unreported"))
    return Ingredients(
        incidents, scoring, chances, given.get("partner"), sample_noise(n, incidents, rng),
        rng.integers(len(weights), size=n), given.get("revenue"), given.get("unreported"),
    )  # fmt: skip


def test_shares_of_a_game_add_up_to_its_whole() -> None:
    rng = np.random.default_rng(0)
    parts = ("x", "y", "z")
    worth = {frozenset(s): rng.random(2) for k in (1, 2, 3) for s in itertools.combinations(parts, k)}
    shares = shapley_shares(parts, worth.__getitem__)
    np.testing.assert_allclose(sum(shares.values()), worth[frozenset(parts)])


def test_shares_are_the_mean_of_what_a_part_adds_in_every_order() -> None:
    rng = np.random.default_rng(1)
    parts = ("x", "y", "z", "w")
    worth = {frozenset(s): rng.random() for k in (1, 2, 3, 4) for s in itertools.combinations(parts, k)}
    worth[frozenset()] = 0.0
    shares = shapley_shares(parts, lambda s: np.array(worth[s]))
    for part in parts:
        added = [
            worth[frozenset(order[: order.index(part) + 1])] - worth[frozenset(order[: order.index(part)])]
            for order in itertools.permutations(parts)
        ]
        assert float(shares[part]) == pytest.approx(np.mean(added))


def test_what_explains_nothing_alone_shares_what_it_explains_with_others() -> None:
    # Exclusive or: neither part says anything, both say all.
    shares = shapley_shares(("x", "y"), lambda s: np.array(0.25 if len(s) == 2 else 0.0))
    assert [float(v) for v in shares.values()] == [0.125, 0.125]


def exact_shares() -> dict[str, float]:
    """Shapley shares where a did one incident of 2, and another of 1 to 3 is a's or b's, by trying every world.

    The count of the second is 1, 2, 3 with weights 1/2, 1, 1/2; b is first if it did it and the count is 3, and shares
    the first place at 2.
    """
    who, count = {"a": 0.4, "b": 0.6}, {1: 0.25, 2: 0.5, 3: 0.25}

    def first(w: str, c: int) -> float:
        return {1: 1.0, 2: 0.5, 3: 0.0}[c] if w == "b" else 1.0

    p = sum(who[w] * count[c] * first(w, c) for w in who for c in count)
    by_who = sum(who[w] * (sum(count[c] * first(w, c) for c in count) - p) ** 2 for w in who)
    by_count = sum(count[c] * (sum(who[w] * first(w, c) for w in who) - p) ** 2 for c in count)
    whole = sum(who[w] * count[c] * (first(w, c) - p) ** 2 for w in who for c in count)
    return {
        ALLOTMENT: (by_who + whole - by_count) / 2,
        COUNTS: (by_count + whole - by_who) / 2,
        PARAMETERS: 0.0,
        "whole": whole,
    }


def test_the_ledger_of_a_small_world_is_that_of_every_world_tried() -> None:
    n = 20_000
    incidents = incidents_of([(2, 2, 2), (1, 2, 3)])
    honest = np.broadcast_to([[1.0, 0.0, 0.0], [0.4, 0.6, 0.0]], (n, 2, 3))
    made = ingredients_of(incidents, chances_of(honest, np.zeros_like(honest)), n)
    assert made.parts == (PARAMETERS, ALLOTMENT, COUNTS)
    error = np.array([0.01, 0.02])
    table, p_first = divide_doubt(made, np.random.default_rng(3), error)
    own = table[table["organization_id"] == "a"].set_index("part")
    expected = exact_shares()
    assert p_first.sum() == pytest.approx(1.0)
    for part in made.parts:
        assert own.loc[part, "variance"] == pytest.approx(expected[part], abs=4 * own.loc[part, "mcse"] + 1e-9)
    assert own.loc[MONTE_CARLO, "variance"] == pytest.approx(0.0001)
    assert own["variance"].sum() == pytest.approx(own["total"].iloc[0])
    assert own["share"].sum() == pytest.approx(1.0)
    assert own["total"].iloc[0] == pytest.approx(expected["whole"] + 0.0001, rel=0.05)


def test_parameters_get_the_doubt_where_they_alone_decide() -> None:
    n = 4_000
    sure = np.zeros((n, 1, 3))
    sure[: n // 2, 0, 0] = sure[n // 2 :, 0, 1] = 1.0
    made = ingredients_of(incidents_of([(1, 1, 1)]), chances_of(sure, np.zeros_like(sure)), n)
    table, _ = divide_doubt(made, np.random.default_rng(0))
    own = table[table["organization_id"] == "a"].set_index("part")["share"]
    assert own[PARAMETERS] == pytest.approx(1.0, abs=0.05)
    assert own[ALLOTMENT] == pytest.approx(0.0, abs=0.05)


def test_false_flags_get_the_doubt_where_only_they_are_in_doubt() -> None:
    # The incident is a's if it is what it seems, b's if it was staged; and nobody knows which.
    n = 4_000
    honest, staged = np.zeros((2 * n, 1, 3)), np.zeros((2 * n, 1, 3))
    honest[:, 0, 0], staged[:, 0, 1] = 0.5, 0.5
    made = ingredients_of(incidents_of([(1, 1, 1)]), chances_of(honest, staged), n, partner=np.roll(np.arange(n), 1))
    table, _ = divide_doubt(made, np.random.default_rng(0))
    own = table[table["organization_id"] == "a"].set_index("part")["share"]
    assert own[FALSE_FLAGS] == pytest.approx(1.0, abs=0.05)


def test_a_panel_and_revenue_have_lines_of_their_own() -> None:
    n = 4_000
    honest = np.broadcast_to([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], (n, 2, 3))
    incidents = incidents_of([(1, 1, 1), (1, 1, 1)])
    incidents.category[:] = [0, 1]
    rng = np.random.default_rng(8)
    made = ingredients_of(
        incidents,
        chances_of(honest, np.zeros_like(honest)),
        n,
        weights=np.array([[2.0, 1.0], [1.0, 2.0]]),
        revenue=rng.lognormal(0.0, 0.7, (n, 2)),
    )
    table, _ = divide_doubt(made, np.random.default_rng(0))
    own = table[table["organization_id"] == "a"].set_index("part")["share"]
    assert own[WEIGHTS] > 0.1
    assert own[REVENUE] > 0.1
    assert own[[WEIGHTS, REVENUE]].sum() == pytest.approx(1.0, abs=0.05)


def test_what_was_not_reported_has_a_line_where_it_is_estimated() -> None:
    n = 4_000
    honest = np.broadcast_to([1.0, 0.0, 0.0], (n, 1, 3))
    hidden = np.random.default_rng(3).poisson(0.7, (n, 2, 1)).astype(float)
    made = ingredients_of(incidents_of([(1, 1, 1)]), chances_of(honest, np.zeros_like(honest)), n, unreported=hidden)
    table, p_first = divide_doubt(made, np.random.default_rng(0))
    own = table[table["organization_id"] == "a"].set_index("part")["share"]
    assert own[REPORTING] == pytest.approx(1.0, abs=0.05)
    lead = 1 + hidden[:, 0, 0] - hidden[:, 1, 0]
    assert p_first[0] == pytest.approx(((lead > 0) + 0.5 * (lead == 0)).mean())


def test_worlds_keep_what_they_share() -> None:
    n = 500
    rng = np.random.default_rng(2)
    honest, staged = rng.random((n, 3, 3)), 0.3 * rng.random((n, 3, 3))
    incidents, chances = incidents_of([(1, 2, 4)] * 3), chances_of(honest, staged)
    noise = sample_noise(n, incidents, rng)
    itself = np.arange(n)
    rows = Rows(itself, itself, itself, itself, np.zeros(n, dtype=np.int64), itself)
    scores = allotted_scores(incidents, chances, noise, np.ones((1, 1)), rows)
    placed = place_incidents(incidents, chances, noise, np.ones(1))
    np.testing.assert_allclose(placed.scores, scores)
    np.testing.assert_allclose(placed.amount.sum(axis=1), scores.sum(axis=1))
    share = honest + staged
    share = (share / share.sum(axis=2, keepdims=True)).mean(axis=0)
    for i in range(3):
        found = np.bincount(placed.who[:, i], minlength=3) / n
        np.testing.assert_allclose(found, share[i], atol=0.08)


def test_exchanges_give_each_draw_another_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two parts that are normal with correlation 0.6 as the likelihood has it; exchanged, they still are.
    rng = np.random.default_rng(4)
    n, r = 3_000, 0.6
    x = rng.standard_normal(n)
    y = r * x + np.sqrt(1 - r**2) * rng.standard_normal(n)
    dims = ("chain", "draw")
    draws = xr.Dataset({"rate": (dims, x[None]), "false_flag": (dims, y[None]), "target": (dims, y[None])})

    def log_evidence(design: object, given: xr.Dataset) -> np.ndarray:
        return r * given["rate"].values[0] * given["false_flag"].values[0] / (1 - r**2)

    monkeypatch.setattr(matching, "log_evidence", log_evidence)
    found = matching.match_false_flags(SimpleNamespace(), draws, rng, sweeps=60)
    assert sorted(found.partner) == list(range(n))
    assert found.own < 0.05
    given = y[found.partner]
    assert np.corrcoef(x, given)[0, 1] == pytest.approx(r, abs=0.05)
    # Given x, what is left of y must have nothing to do with the y that the draw had.
    assert np.corrcoef(y - r * x, given - r * x)[0, 1] == pytest.approx(0.0, abs=0.08)


def test_chains_are_put_one_after_the_other() -> None:
    values = np.arange(12.0).reshape(2, 3, 2)
    flat = flat_draws(xr.Dataset({"reach": (("chain", "draw", "channel"), values)}))
    assert flat["reach"].dims == ("chain", "draw", "channel")
    np.testing.assert_array_equal(flat["reach"].values[0], values.reshape(6, 2))
