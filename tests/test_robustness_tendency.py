"""Scores of the rate, world by world: against the fit's own draws, and one incident given to another."""

import dataclasses

import numpy as np
import pytest
from design_cases import build_case, simulated
from test_robustness_information import basis as basis
from test_robustness_series import worlds_at

from violencescore.attribution import attribute_draws
from violencescore.errors import RefusedError
from violencescore.robustness import information, ledger
from violencescore.robustness.allotment import (
    Rows,
    flat_draws,
    group_chances,
    list_incidents,
    sample_noise,
)
from violencescore.robustness.basis import Basis
from violencescore.robustness.tendency import build_tendency, place_tendencies, tended_scores
from violencescore.sampling import no_progress


def ingredients(n: int, spread: float):
    """One small world, its draws, and what its scores are made of."""
    assessment = simulated("demo", 2, 150)
    worlds, vectors = worlds_at(assessment, n=n, spread=spread)
    design, draws, rng = worlds.design, flat_draws(worlds.quantities), np.random.default_rng(5)
    incidents, chances = list_incidents(design, assessment, everywhere=True), group_chances(design, draws)
    tendency = build_tendency(design, incidents, draws, counts_unlisted=False, rng=rng)
    noise = sample_noise(chances.n_draws, incidents, rng)
    return assessment, design, vectors, incidents, chances, tendency, noise


def test_scores_of_the_rate_are_those_of_the_fit() -> None:
    assessment, design, vectors, incidents, chances, tendency, noise = ingredients(3_000, 0.0)
    weights = np.asarray(assessment.methodology.weight_vector, dtype=float)
    placed, _ = place_tendencies(tendency, incidents, chances, noise, weights)
    own = attribute_draws(build_case(assessment)[1], design, vectors, 1).expected.reshape(6_000, len(design.actors), -1)
    expected = own @ weights
    for k in range(len(design.actors)):
        assert placed.scores[:, k].mean() == pytest.approx(expected[:, k].mean(), rel=0.03)
        assert placed.scores[:, k].std() == pytest.approx(expected[:, k].std(), rel=0.12)


def test_an_incident_is_worth_to_each_what_its_score_moves_by_when_it_is_given_to_it() -> None:
    assessment, design, _, incidents, chances, tendency, noise = ingredients(4, 0.3)
    weights = np.asarray(assessment.methodology.weight_vector, dtype=float)
    placed, worth = place_tendencies(tendency, incidents, chances, noise, weights)
    groups = np.bincount(incidents.group)
    alone = next(
        i
        for i in range(len(incidents.group))
        if groups[incidents.group[i]] == 1 and incidents.start[i] < incidents.start[i + 1]
    )
    for k in range(len(design.actors)):
        given = chances.honest_below.copy()
        given[:, incidents.group[alone]] = (np.arange(len(design.actors)) >= k).astype(float)
        sure = dataclasses.replace(chances, honest_below=given, staged_below=given)
        # Nothing else may change: its own number for staging decides between two tables that are the same for it.
        other, _ = place_tendencies(
            tendency,
            incidents,
            dataclasses.replace(sure, staged_below=swapped(chances, given, incidents.group[alone])),
            noise,
            weights,
        )
        for d in range(chances.n_draws):
            was = placed.who[d, alone]
            move = np.zeros(len(design.actors))
            if was != k:
                move[was], move[k] = -worth[d, alone, was], worth[d, alone, k]
            np.testing.assert_allclose(other.scores[d] - placed.scores[d], move, atol=1e-4)


def swapped(chances, given: np.ndarray, group: int) -> np.ndarray:
    """The chances of staged incidents, those of one group as given."""
    staged = chances.staged_below.copy()
    staged[:, group] = given[:, group]
    return staged


def test_the_ledgers_worlds_are_those_placed_one_by_one() -> None:
    assessment, _, _, incidents, chances, tendency, noise = ingredients(5, 0.3)
    weights = np.asarray(assessment.methodology.weight_vector, dtype=float)
    placed, _ = place_tendencies(tendency, incidents, chances, noise, weights)
    itself = np.arange(chances.n_draws)
    rows = Rows(itself, itself, itself, itself, np.zeros_like(itself), itself)
    scores = tended_scores(tendency, incidents, chances, noise, weights[None], rows)
    np.testing.assert_allclose(scores, placed.scores)


def of_rate(basis: Basis) -> Basis:
    score = basis.methodology.score.model_copy(update={"estimand": "rate"})
    return dataclasses.replace(basis, methodology=basis.methodology.model_copy(update={"score": score}))


def test_where_scores_are_of_the_rate_ledger_and_information_answer_too(basis: Basis) -> None:
    rates = of_rate(basis)
    shares = ledger.PART.examine(rates, no_progress).tables["shares"]
    own = shares[shares["organization_id"] == rates.leader].set_index("part")
    assert ledger.SEVERITY in own.index
    assert own["share"].sum() == pytest.approx(1.0)
    p = rates.decision.p_first[rates.leader]
    assert own["total"].iloc[0] == pytest.approx(p.p * (1 - p.p), abs=0.06)
    finding = information.PART.examine(rates, no_progress)
    assert set(finding.tables["waiting"]["what"]) >= {"another week"}
    assert np.isfinite(finding.tables["incidents"]["doubt"]).all()


def test_what_the_draws_of_a_rate_do_not_hold_is_said(basis: Basis) -> None:
    _, design, _, incidents, *_ = ingredients(2, 0.3)
    with pytest.raises(RefusedError, match="no source lists"):
        build_tendency(design, incidents, None, counts_unlisted=True, rng=np.random.default_rng(0))


def test_single_incidents_say_nothing_of_a_verdict_that_what_was_done_does_not_give(basis: Basis) -> None:
    rates = of_rate(basis)
    decision = dataclasses.replace(rates.decision, outcome="selected", selected=rates.ids[-1])
    rates.__dict__["decision"] = decision
    with pytest.raises(RefusedError, match=rf"about rates \(selected {rates.ids[-1]}\)"):
        _ = rates.worlds
