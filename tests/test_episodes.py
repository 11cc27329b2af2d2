"""How probable repetition is, learned from pairs of neighbours."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from violencescore.attribution import attribute_draws
from violencescore.calibration.refits import read_simulation
from violencescore.design import build_design
from violencescore.episodes import build_forest
from violencescore.fitting import NEGLIGIBLE_REPEAT, without_rare_series
from violencescore.model.kernel import build_kernel
from violencescore.model.pilot import in_pairs, learn_repeats
from violencescore.model.quantities import initial_vector, quantities
from violencescore.simulation import simulate_world

NO_LINKS = np.empty((0, 2), dtype=np.int64)


def test_chains_are_cut_into_pairs() -> None:
    parent = np.array([-1, 0, 1, 2, 0, 3, -1])
    assert in_pairs(parent).tolist() == [-1, 0, -1, 2, 0, -1, -1]


def test_repetition_is_as_probable_as_neighbours_truly_agree() -> None:
    simulation = simulate_world("episodes", 1)
    assessment = read_simulation(simulation)
    design = build_design(assessment)
    learned = learn_repeats(design, assessment.methodology.priors)
    a, b = learned.bonds[learned.bond_names.index("region")]

    incidents = assessment.incidents
    truth = simulation.truth_incidents.set_index("incident_id")["organization_id"]
    who = pd.factorize(truth.reindex(incidents["incident_id"]))[0]
    region = pd.factorize(incidents["region"])[0]
    days = assessment.methodology.episodes.days
    parent, decay, _ = build_forest(incidents["date_start"], region, NO_LINKS, days)
    hangs = parent >= 0
    usual = pd.crosstab(region, who, normalize="index").to_numpy()[region, who][hangs]
    repeat = np.linspace(0.01, 0.99, 99)[:, None] * decay[hangs]
    probability = repeat * (who[hangs] == who[parent[hangs]]) + (1 - repeat) * usual
    likeliest = 0.01 + 0.01 * np.log(probability).sum(axis=1).argmax()
    assert 0.5 < likeliest < 0.8
    assert a / (a + b) == pytest.approx(likeliest, abs=0.1)


def test_neighbours_that_hardly_ever_repeat_one_another_are_independent() -> None:
    assessment = read_simulation(simulate_world("episodes", 1, 400))
    design = build_design(assessment)
    rare, frequent = (
        dataclasses.replace(design, bonds=np.array([[share, 1.0 - share]]) * 1e5)
        for share in (0.9 * NEGLIGIBLE_REPEAT, 1.1 * NEGLIGIBLE_REPEAT)
    )
    assert without_rare_series(frequent, assessment) is frequent
    apart = without_rare_series(rare, assessment)
    episodes = assessment.methodology.episodes.model_copy(update={"repeat": None})
    off = dataclasses.replace(assessment, methodology=assessment.methodology.model_copy(update={"episodes": episodes}))
    assert apart.nodes.group.size == 0 < design.nodes.group.size
    assert np.array_equal(apart.groups.n, build_design(off).groups.n)
    assert np.array_equal(apart.bonds, rare.bonds)
    assert apart.count_dispersion == design.count_dispersion > 1.0
    assert without_rare_series(build_design(off), off).bonds.size == 0


def test_without_episodes_nothing_is_learned_beforehand() -> None:
    assessment = read_simulation(simulate_world("plain", 1, 100))
    design = build_design(assessment)
    assert learn_repeats(design, assessment.methodology.priors) is design


def test_rates_are_known_the_less_the_more_numbers_vary() -> None:
    assessment = read_simulation(simulate_world("episodes", 1, 400))
    design = build_design(assessment)
    kernel = build_kernel(design, assessment.methodology.priors)
    vectors = np.tile(initial_vector(kernel, design), (1, 1500, 1))
    assert 3.0 < design.count_dispersion < 20.0  # episodes of six on average vary eleven times as much, uncut by weeks
    alone, series = (
        attribute_draws(kernel, d, vectors, 1).expected.sum(axis=3)[0]
        for d in (dataclasses.replace(design, count_dispersion=1.0), design)
    )
    rate = quantities(kernel, design, vectors[:, :1])["rate"].sel(period="window").sum("kind").to_numpy()[0, 0]
    more = np.var(series / alone.mean(axis=0), axis=0) - np.var(alone / alone.mean(axis=0), axis=0)
    assert np.allclose(series.mean(axis=0), alone.mean(axis=0), rtol=0.15)
    assert np.allclose(more, (design.count_dispersion - 1.0) / rate, rtol=0.4)


def test_what_is_independent_has_no_dispersion_to_speak_of() -> None:
    simulation = simulate_world("plain", 1, 2000)
    rules = read_simulation(simulation)
    episodes = rules.methodology.episodes.model_copy(update={"repeat": (1.0, 1.0)})
    doubted = dataclasses.replace(rules, methodology=rules.methodology.model_copy(update={"episodes": episodes}))
    assert build_design(rules).count_dispersion == 1.0
    assert build_design(doubted).count_dispersion < 1.3
