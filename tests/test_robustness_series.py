"""Incidents that hang together, removed, added and drawn: against the compiled density of the changed tables."""

import dataclasses
import itertools
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conftest import RELAXED
from design_cases import build_case, simulated
from robustness_cases import fitted_basis, hand_made, normal_harm

from violencescore.assessment import Assessment, read_assessment
from violencescore.attribution import attribute_draws
from violencescore.fitting import fit_assessment
from violencescore.model.quantities import initial_vector, quantities
from violencescore.model_options import Episodes
from violencescore.robustness import window
from violencescore.robustness.allotment import (
    Rows,
    allotted_scores,
    flat_draws,
    group_chances,
    list_incidents,
    place_incidents,
    sample_noise,
    settled_chances,
)
from violencescore.robustness.basis import Basis
from violencescore.robustness.changed import with_incidents, without_incidents
from violencescore.robustness.insertions import Insertion, inserted, inserted_together
from violencescore.robustness.matching import log_evidence
from violencescore.robustness.parts import PARTS
from violencescore.robustness.passport import examine_parts
from violencescore.robustness.series import node_arrays
from violencescore.robustness.ties import Tied, draw_again, given_neighbours, incident_of_nodes
from violencescore.robustness.worlds import Worlds, build_worlds
from violencescore.simulation import simulate_world, write_simulation

ROUNDING = 3e-5
"""What single precision leaves of a log density."""


@cache
def tables(linked: bool = True) -> Assessment:
    """A small world in which incidents repeat one another, channels echo, and some incidents are linked."""
    assessment = simulated("demo", 2, 150)
    methodology = assessment.methodology
    channels = {n: c.model_copy(update={"echoes": (1.0, 4.0)}) for n, c in methodology.channels.items()}
    doubts = {"episodes": Episodes(repeat=(1.0, 1.0), days=3.0), "channels": channels}
    ids = assessment.incidents["incident_id"].to_numpy()
    pairs = [(3, 60), (60, 61), (20, 140), (99, 100), (7, 8)] if linked else []
    links = pd.DataFrame([(ids[a], ids[b]) for a, b in pairs], columns=["incident_id", "linked_id"], dtype=object)
    return dataclasses.replace(assessment, methodology=methodology.model_copy(update=doubts), links=links)


def worlds_at(assessment: Assessment, n: int = 6, spread: float = 0.3) -> tuple[Worlds, np.ndarray]:
    """Worlds of parameter vectors around the middle of the prior, and the vectors; of one vector without a spread."""
    design, kernel = build_case(assessment)
    rng = np.random.default_rng(1)
    vectors = initial_vector(kernel, design) + rng.normal(0, spread, (2, n, kernel.layout.size))
    posterior = xr.DataTree.from_dict({"posterior": quantities(kernel, design, vectors)})
    labels = list(assessment.methodology.category_labels)
    weights = xr.DataArray(assessment.methodology.weight_vector, dims="category", coords={"category": labels})
    return build_worlds(assessment, posterior, weights, 3), vectors


@pytest.fixture
def one_centre(monkeypatch: pytest.MonkeyPatch) -> None:
    """The prior's centre of the level uses the number of incidents; here it is the same for all tables."""
    from violencescore.model import kernel

    original = kernel.prior_constants
    monkeypatch.setattr(kernel, "prior_constants", lambda *given: np.append(original(*given)[:-1], -3.0))


def densities(assessment: Assessment, vectors: np.ndarray) -> np.ndarray:
    _, kernel = build_case(assessment)
    flat = vectors.reshape(-1, vectors.shape[-1])
    return np.array([kernel.log_density(vector)[0] for vector in flat]).reshape(vectors.shape[:2])


def holder(assessment: Assessment, worlds: Worlds) -> Basis:
    made = dataclasses.replace(hand_made(normal_harm(200)), assessment=assessment, methodology=assessment.methodology)
    made.__dict__["worlds"] = worlds
    return made


def agree(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal up to a constant, which no weight of a draw depends on."""
    gap = found - expected
    np.testing.assert_allclose(gap, gap.mean(), atol=ROUNDING)


def test_the_likelihood_of_a_series_is_that_of_the_compiled_density(one_centre: None) -> None:
    worlds, vectors = worlds_at(tables())
    fewer = without_incidents(tables(), [str(worlds.design.incident_id[i]) for i in range(0, 150, 9)])
    posterior = xr.DataTree.from_dict({"posterior": worlds.quantities})
    labels = list(tables().methodology.category_labels)
    weights = xr.DataArray(tables().methodology.weight_vector, dims="category", coords={"category": labels})
    assert build_case(fewer)[0].kinds == worlds.design.kinds
    other = build_worlds(fewer, posterior, weights, 3)
    change = other.log_likelihood() - worlds.log_likelihood()
    agree(change, densities(fewer, vectors) - densities(tables(), vectors))


def test_without_one_incident_the_forest_closes_the_gap_as_a_refit_would(one_centre: None) -> None:
    worlds, vectors = worlds_at(tables())
    design = worlds.design
    before = densities(tables(), vectors)
    ids = {str(i) for i in tables().links.to_numpy().ravel()}
    linked = [i for i in range(len(worlds.incident)) if str(design.incident_id[worlds.incident[i]]) in ids]
    assert linked
    for place in (*range(0, len(worlds.incident), 3), *linked):
        identity = str(design.incident_id[worlds.incident[place]])
        loss = before - densities(without_incidents(tables(), [identity]), vectors)
        agree(worlds.log_density[..., design.incident_group[worlds.incident[place]]], loss)
        agree(worlds.log_density_of([place]), loss)


def test_without_several_incidents_it_does_so_too(one_centre: None) -> None:
    worlds, vectors = worlds_at(tables())
    design, before = worlds.design, densities(tables(), vectors)
    gone = list(range(4, 24, 2))
    ids = [str(design.incident_id[worlds.incident[i]]) for i in gone]
    agree(worlds.log_density_of(gone), before - densities(without_incidents(tables(), ids), vectors))
    apart = sum(worlds.log_density_of([i]) for i in gone)
    assert np.ptp(apart - worlds.log_density_of(gone)) > 0.01


def test_one_incident_more_hangs_together_with_its_neighbours(one_centre: None) -> None:
    worlds, vectors = worlds_at(tables())
    design, basis = worlds.design, holder(tables(), worlds)
    claim, press = design.channels.index("claim"), design.channels.index("press")
    before = densities(tables(), vectors)
    for insertion in (
        *(Insertion(0, r, ((claim, 2), (press, 2))) for r in range(len(design.regions))),
        Insertion(2, 0, ((press, 0),)),
        Insertion(1, 2),
    ):
        density, share = inserted(worlds, [insertion])
        changed = with_incidents(tables(), basis, [(insertion, 1)])
        agree(density[..., 0], densities(changed, vectors) - before)
        own, kernel = build_case(changed)
        found = attribute_draws(kernel, own, vectors, 1).responsibility
        row = found[own.incident_group[list(own.incident_id).index("added-0")]]
        np.testing.assert_allclose(share.mean(axis=(0, 1))[0], row, atol=1e-5)


def test_several_more_follow_one_another() -> None:
    # The same parameters in every draw: the mean over draws is over who did what.
    worlds, vectors = worlds_at(tables(), n=4_000, spread=0.0)
    design, basis = worlds.design, holder(tables(), worlds)
    press = design.channels.index("press")
    added = [Insertion(0, 1, ((press, 2),)), Insertion(0, 1), Insertion(2, 0), Insertion(0, 1, ((press, 0),))]
    together = inserted_together(worlds, added, np.random.default_rng(2).random((*worlds.shape, len(added))))
    assert together is not None
    density, actor = together
    weight = np.exp(density.sum(axis=-1) - density.sum(axis=-1).max())
    changed = with_incidents(tables(), basis, [(insertion, 1) for insertion in added])
    own, kernel = build_case(changed)
    shares = attribute_draws(kernel, own, vectors[:, :1], 1).responsibility
    for n in range(len(added)):
        row = shares[own.incident_group[list(own.incident_id).index(f"added-{n}")]]
        found = np.bincount(actor[..., n].ravel(), weights=weight.ravel(), minlength=len(row)) / weight.sum()
        np.testing.assert_allclose(found, row, atol=0.04)


def test_the_weight_of_several_is_the_density_with_them(one_centre: None) -> None:
    worlds, vectors = worlds_at(tables(), n=4_000, spread=0.0)
    design, basis = worlds.design, holder(tables(), worlds)
    press = design.channels.index("press")
    added = [Insertion(0, 1, ((press, 2),)), Insertion(0, 1), Insertion(0, 1, ((press, 0),))]
    u = np.random.default_rng(2).random((*worlds.shape, len(added)))
    together = inserted_together(worlds, added, u)
    assert together is not None
    # Of two sets what differs is free of constants.
    other = [*added[:2], Insertion(0, 1, ((press, 3),))]
    also = inserted_together(worlds, other, u)
    assert also is not None
    found = np.log(np.exp(together[0].sum(axis=-1)).mean()) - np.log(np.exp(also[0].sum(axis=-1)).mean())
    values = [
        densities(with_incidents(tables(), basis, [(insertion, 1) for insertion in given]), vectors[:, :1])[0, 0]
        for given in (added, other)
    ]
    assert found == pytest.approx(values[0] - values[1], abs=0.05)


def test_incidents_are_drawn_jointly_and_as_the_attribution_draws_them() -> None:
    worlds, vectors = worlds_at(tables(), n=3_000, spread=0.0)
    design, kernel = build_case(tables())
    shares = attribute_draws(kernel, design, vectors[:, :1], 1).responsibility
    groups = design.incident_group[worlds.incident]
    for k in range(len(design.actors)):
        np.testing.assert_allclose((worlds.actor == k).mean(axis=(0, 1)), shares[groups, k], atol=0.04)
    # Neighbours repeat one another more often than if each was drawn by itself.
    series = worlds.series
    assert series is not None
    u = np.random.default_rng(0).random((len(series.episode), design.n_incidents))
    who = series.draw(u)
    child = np.flatnonzero(series.forest.parent >= 0)
    i, p = series.forest.incident[child], series.forest.incident[series.forest.parent[child]]
    same = (who[:, i] == who[:, p]).mean(axis=0)
    own, above = shares[design.incident_group[i]], shares[design.incident_group[p]]
    assert same.mean() > (own * above).sum(axis=1).mean() + 0.02


# Placed one by one.


def small_forest(n_draws: int = 1) -> Tied:
    """Five incidents of which four hang together, in draws that are all alike."""
    rng = np.random.default_rng(7)
    parent = np.array([-1, 0, 1, 1, -1])
    cell, honest, staged = (rng.random((1, 5, 3)).astype(np.float32) for _ in range(3))
    repeat = np.array([[0.0, 0.7, 0.4, 0.9, 0.0]])
    nodes = node_arrays(np.arange(5), parent, np.zeros(5, dtype=np.int64))
    arrays = (cell, honest, staged * 0.2, np.zeros((1, 5)), repeat)
    return Tied(*(np.repeat(a, n_draws, axis=0) for a in arrays), nodes)


def every_outcome(tied: Tied, likelihood: np.ndarray | None = None) -> dict[tuple[int, ...], float]:
    """The density of every way in which who did what could have been."""
    seen = tied.seen[0].astype(float) * (1.0 if likelihood is None else likelihood)
    found = {}
    for who in itertools.product(range(3), repeat=5):
        value = 1.0
        for i, k in enumerate(who):
            expected, r, above = tied.cell[0, i].sum(), tied.repeat[0, i], tied.nodes.parent[i]
            weight = (1 - r) * tied.cell[0, i, k] + (r * expected if above >= 0 and who[above] == k else 0.0)
            value *= weight * seen[i, k]
        found[who] = float(value)
    return found


def test_the_density_of_a_small_forest_is_the_sum_of_every_outcome() -> None:
    tied = small_forest()
    assert tied.log_density()[0] == pytest.approx(np.log(sum(every_outcome(tied).values())), abs=1e-5)
    belief = tied.messages().belief[0]
    outcomes = every_outcome(tied)
    for i, k in itertools.product(range(5), range(3)):
        share = sum(p for who, p in outcomes.items() if who[i] == k) / sum(outcomes.values())
        assert belief[i, k] == pytest.approx(share, abs=1e-5)


def test_given_its_neighbours_an_incident_is_whose_every_outcome_says() -> None:
    tied, outcomes = small_forest(), every_outcome(small_forest())
    for who in ((0, 0, 0, 0, 0), (2, 1, 1, 0, 2), (1, 1, 2, 1, 0)):
        weight = given_neighbours(tied, np.array([who], dtype=np.int16))[0] * tied.seen[0]
        for i in range(5):
            expected = np.array([outcomes[*who[:i], k, *who[i + 1 :]] for k in range(3)])
            np.testing.assert_allclose(weight[i] / weight[i].sum(), expected / expected.sum(), atol=1e-6)


def test_what_is_learned_of_each_moves_the_whole_series() -> None:
    n = 40_000
    tied, likelihood = small_forest(n), np.random.default_rng(1).random((5, 3))
    outcomes, before = every_outcome(tied, likelihood), sum(every_outcome(tied).values())
    who, told = draw_again(tied, likelihood, np.random.default_rng(2).random((n, 5)), tied.log_mixed())
    np.testing.assert_allclose(told, np.log(sum(outcomes.values()) / before), atol=1e-5)
    codes = np.bincount(who.astype(int) @ 3 ** np.arange(4, -1, -1), minlength=243) / n
    expected = np.array(list(outcomes.values())) / sum(outcomes.values())
    np.testing.assert_allclose(codes, expected, atol=5 * np.sqrt(0.25 / n))


def test_worlds_are_placed_jointly_and_one_incident_drawn_again_leaves_them_as_they_were() -> None:
    worlds, vectors = worlds_at(tables(), n=3_000, spread=0.0)
    design, rng = worlds.design, np.random.default_rng(5)
    draws = flat_draws(worlds.quantities)
    incidents, chances = list_incidents(design, tables()), group_chances(design, draws)
    weights = np.ones(len(design.categories))
    placed = place_incidents(incidents, chances, sample_noise(chances.n_draws, incidents, rng), weights)
    shares = attribute_draws(build_case(tables())[1], design, vectors[:, :1], 1).responsibility
    for k in range(len(design.actors)):
        np.testing.assert_allclose((placed.who == k).mean(axis=0), shares[design.incident_group, k], atol=0.04)
    series, at = worlds.series, incident_of_nodes(design)
    assert series is not None
    drawn = series.draw(rng.random((chances.n_draws, design.n_incidents)))
    child = np.flatnonzero(design.nodes.parent >= 0)
    i, p = at[child], at[design.nodes.parent[child]]
    same = (placed.who[:, i] == placed.who[:, p]).mean(axis=0)
    np.testing.assert_allclose(same, (drawn[:, i] == drawn[:, p]).mean(axis=0), atol=0.05)
    # The same worlds, the second number for who did what: the scores are those of the ledger.
    given = settled_chances(design, draws, incidents, chances, placed)
    for one, above in zip(i[:8], p[:8], strict=True):
        g, rest = design.incident_group[one], placed.who[:, above]
        share = given.staged[:, g, None] * np.diff(given.staged_below[:, g], prepend=0.0, axis=1)
        share += (1 - given.staged[:, g, None]) * np.diff(given.honest_below[:, g], prepend=0.0, axis=1)
        np.testing.assert_allclose(share.mean(axis=0), shares[g], atol=0.04)
        assert share[np.arange(len(share)), rest].mean() == pytest.approx((placed.who[:, one] == rest).mean(), abs=0.04)


def test_the_ledgers_worlds_have_the_scores_of_those_placed_one_by_one() -> None:
    worlds, _ = worlds_at(tables(), n=50)
    design, rng = worlds.design, np.random.default_rng(5)
    incidents, chances = list_incidents(design, tables()), group_chances(design, flat_draws(worlds.quantities))
    noise, weights = sample_noise(chances.n_draws, incidents, rng), rng.random(len(design.categories))
    itself = np.arange(chances.n_draws)
    rows = Rows(itself, itself, itself, itself, np.zeros_like(itself), itself)
    scores = allotted_scores(incidents, chances, noise, weights[None], rows)
    np.testing.assert_allclose(scores, place_incidents(incidents, chances, noise, weights).scores)


def test_exchanges_of_false_flags_are_judged_by_the_whole_forest() -> None:
    worlds, _ = worlds_at(tables())
    total = worlds.quantities["rate"].sum(["kind", "period", "actor"]).values.ravel()
    found = log_evidence(worlds.design, flat_draws(worlds.quantities)) - total
    np.testing.assert_allclose(found, worlds.log_likelihood().ravel(), atol=ROUNDING)


def test_every_part_on_single_incidents_answers_under_the_cautious_methodology(tmp_path: Path) -> None:
    write_simulation(simulate_world("episodes", 3, 110), tmp_path / "world")
    rules = tmp_path / "world" / "methodology.toml"
    text = rules.read_text(encoding="utf-8")
    assert 'extends = "kleiman-2011"' in text
    rules.write_text(text.replace('"kleiman-2011"', '"kleiman-2011-cautious"') + RELAXED, encoding="utf-8")
    fit = fit_assessment(read_assessment(tmp_path / "world"), draws=60, tune=80, chains=2)
    basis = fitted_basis(fit, tmp_path / "world")
    assert basis.worlds.series is not None
    needing = [part for part in PARTS if part.needs_tables and part.name != "window"]
    passport = examine_parts(basis, needing)
    assert passport.left_out == {}
    assert {finding.part for finding in passport.findings} == {part.name for part in needing}
    budget = next(f for f in passport.findings if f.part == "staging").tables["budget"]
    assert "as if it came or went alone" in budget.attrs["method"]
    # A window that does not move is the window.
    found = window.reweighted(basis, window.shifted_assessment(basis, 0))
    assert found is not None
    np.testing.assert_allclose(found[1], 1 / found[1].size, rtol=1e-4)
