"""How probable repetition is, learned from pairs of neighbours."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from violencescore.calibration.refits import read_simulation
from violencescore.design import build_design
from violencescore.episodes import build_forest
from violencescore.model.pilot import in_pairs, learn_repeats
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


def test_without_episodes_nothing_is_learned_beforehand() -> None:
    assessment = read_simulation(simulate_world("plain", 1, 100))
    design = build_design(assessment)
    assert learn_repeats(design, assessment.methodology.priors) is design
