"""Incidents added, removed, hidden, outside another window: against the compiled density and by counting anew."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from design_cases import build_case, simulated
from robustness_cases import fitted_basis, hand_made, normal_harm

from violencescore.attribution import attribute_draws
from violencescore.fitting import Fit
from violencescore.model.quantities import initial_vector, quantities
from violencescore.robustness import handful, monotonicity, staging, tipping, units, window
from violencescore.robustness.basis import Basis, first_probabilities, lead_shares
from violencescore.robustness.changed import Refit, with_incidents, without_incidents
from violencescore.robustness.insertions import Insertion, inserted
from violencescore.robustness.searching import least_number
from violencescore.robustness.staged_worlds import best_placed, staging_options, usual, usual_insertions
from violencescore.robustness.worlds import build_worlds, draw_counts, importance, learned


def quiet(*_: object) -> None:
    """No progress."""


@pytest.fixture(scope="module")
def basis(small_fit: Fit, assessment_folder: Path) -> Basis:
    return fitted_basis(small_fit, assessment_folder)


# Worlds.


def test_worlds_have_the_scores_of_the_verdicts_draws(basis: Basis) -> None:
    again, drawn = basis.worlds.totals(), basis.values
    error = 5 * drawn.std(axis=(0, 1)) / np.sqrt(drawn[..., 0].size / 4)
    assert (np.abs(again.mean(axis=(0, 1)) - drawn.mean(axis=(0, 1))) < error).all()
    np.testing.assert_allclose(again.std(axis=(0, 1)), drawn.std(axis=(0, 1)), rtol=0.35)


def test_who_did_an_incident_agrees_with_the_attribution(basis: Basis, small_fit: Fit) -> None:
    worlds = basis.worlds
    groups = worlds.design.incident_group[worlds.incident]
    for k in range(len(worlds.design.actors)):
        share = (worlds.actor == k).mean(axis=(0, 1))
        np.testing.assert_allclose(share, small_fit.attribution.responsibility[groups, k], atol=0.15)


def test_without_an_incident_the_scores_lack_its_harm(basis: Basis) -> None:
    worlds = basis.worlds
    gone = worlds.totals() - worlds.without([0, 3])
    expected = worlds.value[..., [0, 3]].sum(axis=-1)
    by_ranked = np.isin(worlds.actor[..., [0, 3]], worlds.ranked)
    assert (gone >= 0).all()
    np.testing.assert_allclose(gone.sum(axis=-1), (worlds.value[..., [0, 3]] * by_ranked).sum(axis=-1))
    assert (gone.sum(axis=-1) <= expected + 1e-9).all()


def test_counts_are_drawn_as_in_the_attribution() -> None:
    drawn = draw_counts(1, 2, 5, (20_000, 1), np.random.default_rng(0))
    chance = np.bincount(drawn.astype(int).ravel(), minlength=6)[1:] / 20_000
    np.testing.assert_allclose(chance, np.array([0.5, 1, 0.75, 0.5, 0.25]) / 3, atol=0.015)
    assert (draw_counts(4, 4, 4, (3, 2), np.random.default_rng(0)) == 4).all()


# Likelihoods of what was added or left out, against the compiled density.


def _worlds_at(assessment, spread: float = 0.3):
    """Worlds of parameter vectors around the middle of the prior, and the vectors."""
    design, kernel = build_case(assessment)
    rng = np.random.default_rng(1)
    vectors = initial_vector(kernel, design) + rng.normal(0, spread, (2, 6, kernel.layout.size))
    weights = xr.DataArray(
        assessment.methodology.weight_vector,
        dims="category",
        coords={"category": list(assessment.methodology.category_labels)},
    )
    posterior = xr.DataTree.from_dict({"posterior": quantities(kernel, design, vectors)})
    return build_worlds(assessment, posterior, weights, 3), kernel, vectors


@pytest.fixture
def one_centre(monkeypatch: pytest.MonkeyPatch) -> None:
    """The prior's centre of the level uses the number of incidents; here it is the same for all tables."""
    from violencescore.model import kernel

    original = kernel.prior_constants
    monkeypatch.setattr(kernel, "prior_constants", lambda *given: np.append(original(*given)[:-1], -3.0))


def _densities(assessment, vectors: np.ndarray) -> np.ndarray:
    _, kernel = build_case(assessment)
    flat = vectors.reshape(-1, vectors.shape[-1])
    return np.array([kernel.log_density(vector)[0] for vector in flat]).reshape(vectors.shape[:2])


def test_removing_an_incident_takes_its_density_from_the_compiled_one(one_centre: None) -> None:
    assessment = simulated("demo", 2, 150)
    worlds, _, vectors = _worlds_at(assessment)
    design = worlds.design
    before = _densities(assessment, vectors)
    for place in (0, 7, 20):
        identity = str(design.incident_id[worlds.incident[place]])
        group = design.incident_group[worlds.incident[place]]
        loss = before - _densities(without_incidents(assessment, [identity]), vectors)
        gap = loss - worlds.log_density[..., group]
        np.testing.assert_allclose(gap, gap.mean(), atol=1e-6)


def test_adding_an_incident_adds_its_density_to_the_compiled_one(one_centre: None) -> None:
    assessment = simulated("demo", 2, 150)
    worlds, _, vectors = _worlds_at(assessment)
    holder = dataclasses.replace(hand_made(normal_harm(200)), assessment=assessment, methodology=assessment.methodology)
    holder.__dict__["worlds"] = worlds
    design = worlds.design
    claim, press = design.channels.index("claim"), design.channels.index("press")
    before = _densities(assessment, vectors)
    for insertion in (
        Insertion(0, 1, ((claim, 2), (press, 2))),
        Insertion(2, 0, ((press, 0),)),
        Insertion(1, 2),
    ):
        density, share = inserted(worlds, [insertion])
        gain = _densities(with_incidents(assessment, holder, [(insertion, 1)]), vectors) - before
        gap = gain - density[..., 0]
        np.testing.assert_allclose(gap, gap.mean(), atol=1e-6)
        np.testing.assert_allclose(share.sum(axis=-1), 1.0)


def test_who_did_an_added_incident_agrees_with_the_attribution_of_the_changed_tables() -> None:
    assessment = simulated("demo", 2, 150)
    worlds, _, vectors = _worlds_at(assessment)
    holder = dataclasses.replace(hand_made(normal_harm(200)), assessment=assessment, methodology=assessment.methodology)
    holder.__dict__["worlds"] = worlds
    insertion = Insertion(0, 1, ((worlds.design.channels.index("claim"), 2),))
    changed = with_incidents(assessment, holder, [(insertion, 1)])
    design, kernel = build_case(changed)
    shares = attribute_draws(kernel, design, vectors, 1).responsibility
    row = shares[design.incident_group[list(design.incident_id).index("added-0")]]
    np.testing.assert_allclose(inserted(worlds, [insertion])[1].mean(axis=(0, 1))[0], row, rtol=1e-6, atol=1e-9)


def test_a_settled_incident_is_whose_the_court_found_it(basis: Basis) -> None:
    _, share = inserted(basis.worlds, [Insertion(0, 0, settled=2)])
    assert (share[..., 0, 2] == 1).all()


def test_importance_weights_find_the_mean_of_a_shifted_normal() -> None:
    draws = np.random.default_rng(4).normal(0, 1, (4, 5000))
    weight, k = importance(0.4 * draws)
    assert k < 0.5
    assert (weight * draws).sum() == pytest.approx(0.4, abs=0.03)
    assert importance(np.zeros((2, 10)))[1] == 0.0


def test_what_is_learned_is_the_slope_of_the_mean_by_the_power_of_the_likelihood() -> None:
    rng = np.random.default_rng(6)
    scores = rng.normal(10, 2, (4, 20_000, 1))
    density = 0.5 * scores[..., 0] + rng.normal(0, 0.1, (4, 20_000))
    slope = learned(scores, density[..., None])[0, 0]
    step = 0.01
    weight, _ = importance(step * density)
    assert slope == pytest.approx(((weight * scores[..., 0]).sum() - scores.mean()) / step, rel=0.03)
    noise = rng.normal(0, 1, (4, 20_000, 1))
    assert abs(learned(scores, noise)[0, 0]) < 0.1


# The handful.


def test_the_influence_of_an_incident_is_what_its_removal_does_to_the_mean_lead(basis: Basis) -> None:
    worlds, focus = basis.worlds, 0
    none = np.zeros((len(worlds.incident), len(basis.ids)))
    found = handful.influence(worlds, focus, none)
    lead = _lead(worlds.totals(), focus).mean()
    for i in (0, 5, 11, 30):
        assert found[i] == pytest.approx(_lead(worlds.without([i]), focus).mean() - lead, abs=1e-9)
    taught = none.copy()
    taught[3, focus] = 2.0
    assert handful.influence(worlds, focus, taught)[3] == pytest.approx(found[3] - 2.0)


def _lead(totals: np.ndarray, focus: int) -> np.ndarray:
    return totals[..., focus] - np.delete(totals, focus, axis=-1).max(axis=-1)


def test_the_incidents_chosen_lower_the_lead_one_after_the_other(basis: Basis) -> None:
    focus = basis.ids.index(basis.leader)
    taught = handful.lessons(basis.worlds)
    order = handful.ordered(basis, focus, -1, taught, most=12)
    assert len(set(order)) == len(order) == 12
    shares = [handful.remove(basis, order[:n], focus, taught).p_first.p for n in (1, 6, 12)]
    assert shares[0] >= shares[1] >= shares[2]


def _refit(changed: bool) -> Refit:
    return Refit({}, ("extend", None) if changed else ("selected", "a"), converged=True)


@pytest.mark.parametrize(("truth", "guess"), [(1, 1), (1, 9), (5, 5), (5, 2), (5, 11), (30, 20)])
def test_refits_find_the_least_number_and_that_one_fewer_does_not_do(truth: int, guess: int) -> None:
    found = least_number(lambda n: _refit(n >= truth), ("selected", "a"), guess, 40, 20)
    assert found.least == truth
    assert found.is_exact
    assert found.value(guess) == truth
    assert found.method("draws") == "refit"


def test_a_search_says_when_refits_run_out_or_contradict() -> None:
    short = least_number(lambda n: _refit(n >= 5), ("selected", "a"), 12, 40, 1)
    assert short.method("draws") == "refit (between 1 and 12)"
    never = least_number(lambda _: _refit(False), ("selected", "a"), 4, 40, 3)
    assert np.isnan(never.value(4))
    assert never.method("draws") == "refit (not borne out)"
    none = least_number(lambda _: _refit(True), ("selected", "a"), 4, 40, 0)
    assert none.value(4) == 4
    assert none.value(None) == np.inf


# Monotonicity.


def test_one_more_incident_is_whose_it_is_in_every_check(basis: Basis) -> None:
    table = monotonicity.monotonicity_table(basis, quiet)
    kinds = [label for label in basis.worlds.design.kinds if basis.weights.to_series().get(label, 0) > 0]
    n_regions = len(basis.worlds.design.regions)
    assert len(table) == len(basis.ids) * len(kinds) * (n_regions + 1)
    sure = table[table["pareto_k"] < 0.7]
    # What the harm itself does can only help; the rest is learned, and small here.
    assert (sure["change"] > -0.15).all()


def test_added_harm_alone_never_lowers_ones_own_probability() -> None:
    totals = np.random.default_rng(0).gamma(4, 5, (2, 300, 4))
    share = np.zeros((2, 300, 5))
    share[..., 2] = 1.0
    after = monotonicity._expected_shares(totals, np.full((2, 300, 4), 1.5), share, np.arange(4), 0.0)
    before = lead_shares(totals)
    assert (after[..., 2] >= before[..., 2]).all()
    assert (after[..., [0, 1, 3]] <= before[..., [0, 1, 3]]).all()
    np.testing.assert_allclose(after.sum(axis=-1), 1.0)


# Staging.


def test_staged_incidents_speak_through_forgeable_channels_of_the_framed_one(basis: Basis) -> None:
    design = basis.worlds.design
    staged = best_placed(basis, basis.ids[0], basis.ids[1], 5)
    k = design.actors.index(basis.ids[1])
    assert len(staged.insertions) == 5
    for channel, actor in staged.insertions[0].named:
        assert design.forgeable[channel]
        assert actor == k
    options = staging_options(basis, basis.ids[1])
    assert len(options.insertions) == len(options.gain)
    looks = usual_insertions(basis, basis.ids[0], basis.ids[1], 400, 1)
    said = pd.Series([a for i in looks for h, a in i.named if design.forgeable[h]]).value_counts(normalize=True)
    firm = pd.Series([a for i in looks for h, a in i.named if not design.forgeable[h]]).value_counts(normalize=True)
    assert said.idxmax() == k
    assert firm.idxmax() == design.actors.index(basis.ids[0])


def test_what_is_staged_adds_its_harm_to_whoever_is_credited(basis: Basis) -> None:
    staged = usual(basis, basis.ids[0], basis.ids[1], 6, 1)
    bare = dataclasses.replace(staged, taught=np.zeros_like(staged.taught))
    added = bare.totals(6) - staged.base
    credited = np.where(staged.place >= 0, staged.value, 0.0).sum(axis=-1)
    np.testing.assert_allclose(added.sum(axis=-1), credited)
    np.testing.assert_allclose(bare.totals(0), staged.base)


def test_staged_incidents_in_another_order_are_the_same_in_all(basis: Basis) -> None:
    staged = usual(basis, basis.ids[0], basis.ids[1], 6, 1)
    turned = staged.reordered(np.arange(5, -1, -1))
    np.testing.assert_allclose(turned.totals(6), staged.totals(6))
    np.testing.assert_array_equal(turned.place[..., 0], staged.place[..., 5])
    assert turned.insertions[0] == staged.insertions[5]


def test_what_is_staged_as_usual_has_the_median_budget_of_the_ways_in_which_it_may_come(basis: Basis) -> None:
    framed = next(k for k in basis.ids if k != basis.decision.selected)
    framer = next(k for k in basis.ids if k != framed)
    ways = [usual(basis, framer, framed, staging.MOST, seed) for seed in (5, 6, 7)]
    found = [least for _, b in staging.with_budgets(basis, framed, ways) for least in [b.least]]
    known = [staging.budget(basis, way, framed).least for way in ways]
    assert found == sorted(known, key=lambda n: np.inf if n is None else n)


def test_the_least_number_is_found_by_doubling_and_halving() -> None:
    for truth in (1, 2, 3, 7, 31, 60):
        assert staging._first(lambda n, truth=truth: n >= truth, 60) == truth
    assert staging._first(lambda _: False, 60) is None


def test_the_tipping_share_is_where_the_lead_ends() -> None:
    values = np.array([[[10.0, 6.0, 1.0], [10.0, 6.0, 9.9]]])
    found = tipping.tipping_shares(values, 0, 1)
    np.testing.assert_allclose(found, [[0.2, 0.01]])
    rng = np.random.default_rng(1)
    values = rng.gamma(20, 1, (2, 500, 3)) + np.array([8.0, 0, 0])
    found = tipping.tipping_shares(values, 0, 1)
    for share in (0.05, 0.2):
        moved = values.copy()
        moved[..., 1] += share * moved[..., 0]
        moved[..., 0] *= 1 - share
        assert (found > share).mean() == pytest.approx(first_probabilities(moved)[0].p)


def test_a_category_that_weighs_nothing_returns_nothing_to_a_stager(basis: Basis) -> None:
    from violencescore.robustness.staged_returns import weight_table

    table = weight_table(basis, 1, times=(0.0, 1.0))
    nothing = table[table["times"] == 0.0]
    assert (nothing["weight"] == 0).all()
    assert set(table["framer_id"]) == {basis.leader}


# The window.


def test_a_taper_counts_the_middle_whole_and_the_ends_hardly(basis: Basis) -> None:
    assert (window.tapered(basis) <= basis.worlds.totals() + 1e-9).all()
    flat = window.tapered(basis, weeks=0.01)
    np.testing.assert_allclose(flat, basis.worlds.totals())


def test_a_window_that_does_not_move_is_the_window(basis: Basis) -> None:
    same = window.shifted_assessment(basis, 0)
    found = window.reweighted(basis, same)
    assert found is not None
    worlds, weight, k = found
    assert k == 0.0
    np.testing.assert_allclose(weight, 1 / weight.size)
    np.testing.assert_allclose(worlds.totals(), basis.worlds.totals())


def test_the_likelihood_of_a_shifted_window_is_that_of_the_compiled_density(basis: Basis, one_centre: None) -> None:
    design, kernel = build_case(basis.tables)
    vectors = initial_vector(kernel, design) + np.random.default_rng(1).normal(0, 0.3, (2, 5, kernel.layout.size))
    tree = basis.posterior.copy()
    tree["posterior"] = xr.DataTree(quantities(kernel, design, vectors))
    own = dataclasses.replace(basis, posterior=tree)
    shifted = window.shifted_assessment(own, -2)
    changed, _ = build_case(shifted)
    assert changed.regions == design.regions
    assert changed.kinds == design.kinds
    worlds = build_worlds(shifted, window._rescaled(own, changed), basis.weights, 1)
    gap = worlds.log_likelihood() - _densities(shifted, vectors)
    old = own.worlds.log_likelihood() - _densities(basis.tables, vectors)
    np.testing.assert_allclose(gap - old, (gap - old).mean(), atol=1e-5)


# Units.


def test_merged_organizations_have_the_sum_of_their_scores() -> None:
    merger = {"name": "one", "kind": "merger", "join": ["g1", "g2"]}
    basis = hand_made(normal_harm(2000), robustness={"unit": [merger]})
    ids, values = units.unit_scores(basis, basis.methodology.robustness.unit[0])
    assert ids == ("g0", "g1+g2")
    np.testing.assert_allclose(values[..., 1], basis.values[..., 1] + basis.values[..., 2])
    table = units.units_table(basis)
    assert table["organization_id"].tolist() == ["g1+g2"]
    assert not table["same"].item()


def test_parts_of_a_split_have_the_whole_between_them(small_fit: Fit, assessment_folder: Path) -> None:
    basis = fitted_basis(small_fit, assessment_folder)
    region = basis.worlds.design.regions[0]
    unit = units.Unit(name="north", kind="split", divide=basis.ids[0], regions=(region,))
    ids, values = units.unit_scores(basis, unit)
    assert ids == (*basis.ids, f"{basis.ids[0]}:north")
    np.testing.assert_allclose(values[..., 0] + values[..., -1], basis.worlds.totals()[..., 0])
    assert (values[..., -1] >= 0).all()
    assert values[..., -1].any()


def test_without_published_units_there_is_nothing_to_compare() -> None:
    finding = units.examine(hand_made(normal_harm(400)), quiet)
    assert finding.margins == ()
    assert "robustness.unit" in finding.notes[0]
