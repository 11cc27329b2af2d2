"""Simulation-based calibration, and the check of the check: it passes what is sound and fails what is broken."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import xarray as xr

from violencescore.assessment import Assessment
from violencescore.calibration import sbc
from violencescore.calibration.plan import Settings, Task
from violencescore.calibration.prior_worlds import STRUCTURES, PriorWorld, fix_level, simulate_prior
from violencescore.design import build_design

SHORT = Settings(draws=100, tune=200, chains=2)


def normal_records(n: int, *, spread: float = 1.0, shift: float = 0.0) -> list[dict]:
    """Ranks of a conjugate normal posterior, sound unless its spread or centre is falsified; and a rank with ties."""
    records = []
    for seed in range(n):
        rng = np.random.default_rng(seed)
        true = rng.normal()
        data = rng.normal(true, 1.0)
        draws = rng.normal(data / 2 + shift, spread * np.sqrt(0.5), sbc.N_RANKS)
        shares = {}
        for name, one, many in (("value", true, draws), ("is positive", float(true > 0), (draws > 0).astype(float))):
            below, ties = (many < one).sum(), (many == one).sum()
            shares[name] = (below + rng.integers(ties + 1) + rng.random()) / (len(many) + 1)
        records.append({"task": {"name": "normal", "seed": seed}, "ranks": shares})
    return records


def test_a_sound_posterior_passes() -> None:
    table = sbc.uniformity(normal_records(300))
    assert table["passes"].all()
    assert table["inside_band"].all()
    assert table["n"].tolist() == [300, 300]


@pytest.mark.parametrize("broken", [{"spread": 0.6}, {"spread": 1.7}, {"shift": 0.4}])
def test_a_posterior_that_is_too_sure_too_unsure_or_to_one_side_fails(broken: dict[str, float]) -> None:
    table = sbc.uniformity(normal_records(300, **broken)).set_index("quantity")
    assert not table.loc["value", "passes"]
    assert not table.loc["value", "inside_band"]


def test_sound_quantities_leave_their_own_band_in_about_one_case_in_twenty() -> None:
    rng = np.random.default_rng(5)
    outside = [not sbc.is_inside(rng.random(50), sbc.BAND) for _ in range(400)]
    assert np.mean(outside) == pytest.approx(0.05, abs=3.5 * np.sqrt(0.05 * 0.95 / 400))


def test_a_chi_square_finds_a_hollow_middle_and_passes_an_even_spread() -> None:
    even = (np.arange(200) + 0.5) / 200
    assert sbc.chi_square(even) == 1.0
    assert sbc.chi_square(np.where(even < 0.5, even / 2, 1 - (1 - even) / 2)) < 1e-6


def test_thinned_draws_are_spread_over_all_chains() -> None:
    thinned = sbc.thin(np.arange(4000.0).reshape(4, 1000))
    assert len(thinned) == sbc.N_RANKS
    assert np.bincount((thinned // 1000).astype(int)).min() >= 49
    assert (np.diff(thinned) > 0).all()


def scores_of(values: list[list[float]]) -> xr.DataArray:
    return xr.DataArray(
        np.array(values)[None], dims=("chain", "draw", "organization"), coords={"organization": ["a", "b", "c"]}
    )


def test_ranks_events_and_margins_are_taken_inside_each_draw() -> None:
    drawn = sbc.score_quantities(scores_of([[3.0, 1.0, 2.0], [5.0, 5.0, 1.0]]))
    assert drawn["rank of a"].tolist() == [[1.0, 1.5]]
    assert drawn["rank of b"].tolist() == [[3.0, 1.5]]
    assert drawn["a is first"].tolist() == [[1.0, 1.0]]
    assert drawn["b is first"].tolist() == [[0.0, 1.0]]
    assert drawn["margin"].tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize("name", list(STRUCTURES))
def test_the_same_seed_gives_the_same_draw_from_the_prior_and_its_data_keep_the_structure(name: str) -> None:
    first, again, other = (simulate_prior(name, seed) for seed in (1, 1, 2))
    structure = STRUCTURES[name]
    xr.testing.assert_identical(first.truth, again.truth)
    assert first.scores == again.scores
    assert not first.truth.equals(other.truth)
    n_between = len(structure.sets) * structure.n_between * 2 * 2 * len(structure.regions)
    for world in (first, other):
        design = build_design(world.assessment)
        assert design.organizations == structure.organizations
        assert design.regions == structure.regions
        assert set(design.channels) == set(structure.channels)
        assert (design.bond_names == ("region",)) == (structure.days is not None)
        contested = (design.patterns.contest[design.groups.pattern] >= 0) @ design.groups.n
        assert contested == n_between
        assert structure.at_least <= design.n_incidents - n_between <= structure.at_most


def test_true_scores_are_those_of_the_incidents_where_all_is_settled_and_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "violencescore.calibration.prior_worlds.STRUCTURES",
        {"names": dataclasses.replace(STRUCTURES["names"], settled=1.0)},
    )
    world = simulate_prior("names", 3)
    harms = world.assessment.harms.merge(world.assessment.adjudications, on="incident_id")
    inside = world.assessment.incidents.query("period == 'window'")["incident_id"]
    harms = harms[harms["incident_id"].isin(inside)]
    weight = harms["category"].map({"killing": 2.0, "extortion": 0.5})
    low, high = ((harms[end] * weight).groupby(harms["organization_id"]).sum() for end in ("low", "high"))
    assert all(low.get(k, 0.0) <= score <= high.get(k, 0.0) for k, score in world.scores.items())
    assert sum(world.scores.values()) > 0


def test_an_unknown_structure_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no structure is named 'x': choose among names, candidates, doubts"):
        simulate_prior("x", 1)


def test_the_level_s_centre_is_the_template_s_whatever_the_data() -> None:
    worlds = [simulate_prior("names", seed) for seed in (1, 2)]
    designs = [build_design(world.assessment) for world in worlds]
    assert designs[0].n_incidents != designs[1].n_incidents
    assert len({fix_level(design, "names").n_incidents for design in designs}) == 1


def too_trusting(assessment: Assessment) -> Assessment:
    """Have the model believe that channels are right in 999 of 1,000 cases, which is not what made the data."""
    methodology = assessment.methodology
    channels = {n: c.model_copy(update={"accuracy": (5000.0, 5.0)}) for n, c in methodology.channels.items()}
    return dataclasses.replace(assessment, methodology=methodology.model_copy(update={"channels": channels}))


def test_a_model_broken_on_purpose_fails_where_the_same_model_intact_does_not() -> None:
    tasks = [Task("prior", "names", seed) for seed in range(1, 13)]
    broken = sbc.uniformity([sbc.refit_prior(task, SHORT, too_trusting) for task in tasks]).set_index("quantity")
    intact = sbc.uniformity([sbc.refit_prior(task, SHORT) for task in tasks]).set_index("quantity")
    assert not broken.loc["accuracy of press", "passes"]
    assert broken["passes"].sum() < len(broken) - 1
    assert intact["passes"].all()


def test_every_true_quantity_has_a_place_and_stands_among_those_that_are_named() -> None:
    record = sbc.refit_prior(Task("prior", "candidates", 2), SHORT)
    assert all(0 < share < 1 for share in record["ranks"].values())
    words = ("scale of", "rate of", "presence of", "accuracy of", "reach of", "notoriety in", "staged share of")
    words += ("target of", "score of", "rank of", "is first", "margin")
    assert all(any(word in name for name in record["ranks"]) for word in words)
    assert sum(record["p_first"].values()) == pytest.approx(1.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(STRUCTURES))
def test_the_model_is_calibrated_to_itself_over_a_hundred_refits(name: str) -> None:
    settings = Settings(draws=400, tune=400, chains=2)
    records = [sbc.refit_prior(Task("prior", name, seed), settings) for seed in range(1, 101)]
    table = sbc.uniformity(records)
    assert table.loc[~table["passes"], "quantity"].tolist() == []


def test_the_truth_s_own_draw_is_ranked_among_equals_at_random() -> None:
    world = simulate_prior("names", 1)
    ids = list(world.scores)
    values = np.tile(list(world.scores.values()), (1, 300, 1))
    scores = xr.DataArray(values, dims=("chain", "draw", "organization"), coords={"organization": ids})
    repeated = world.truth.isel(draw=np.zeros(300, dtype=int))
    same = PriorWorld(world.assessment, world.truth, world.scores)
    ranks = sbc.rank_truth(same, repeated, scores, np.random.default_rng(1))
    assert min(ranks.values()) < 0.3
    assert max(ranks.values()) > 0.7
    assert sbc.chi_square(np.array(list(ranks.values()))) > 1e-4
