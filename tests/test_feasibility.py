"""Feasibility before any data: the design, the worlds it asks for, and what is counted in them."""

import dataclasses
import json
from datetime import date

import numpy as np
import pytest
from matplotlib.figure import Figure

from violencescore import cli
from violencescore.calibration.folder import open_folder, write_record
from violencescore.calibration.plan import code_digest
from violencescore.methodology import shipped_methodology
from violencescore.report.trials import feasibility_view
from violencescore.robustness.feasibility import (
    FACTORS,
    Country,
    FeasibilityTask,
    Levels,
    along,
    centre_of,
    country_world,
    feasibility_sentences,
    feasibility_table,
    plan_feasibility,
)
from violencescore.robustness.frozen_rule import read_scene, rule_settings, set_scene
from violencescore.robustness.trial_figures import feasibility_figure
from violencescore.simulation import BASELINE_DAYS

KLEIMAN = shipped_methodology("kleiman-2011")
COUNTRY = Country(KLEIMAN, "plain", 44, rule_settings(KLEIMAN))
CENTRE = FeasibilityTask(8, 0.75, 90, 0.7, 1)


def test_factors_are_varied_one_at_a_time_around_the_middle():
    tasks = plan_feasibility(Levels(), [1])
    centre = centre_of(Levels())
    assert centre == (8, 0.75, 90, 0.7)
    assert len(tasks) == 1 + 4 * 3
    assert all(sum(getattr(t, n) != c for n, c in zip(FACTORS, centre, strict=True)) <= 1 for t in tasks)


def test_all_combinations_are_all():
    levels = Levels(weeks=(2, 8), attributed=(0.5,), adjudicated=(0, 90), accuracy=(0.6, 0.8))
    assert len(plan_feasibility(levels, [1, 2], all_combinations=True)) == 2 * 2 * 2 * 2


def test_the_middle_is_the_middle_one_of_the_values_that_are_given():
    assert centre_of(Levels(weeks=(3, 6, 12), attributed=(0.4,))) == (6, 0.4, 90, 0.7)


def test_seeds_go_round_so_that_an_interrupted_run_has_some_of_each_setting():
    tasks = plan_feasibility(Levels(weeks=(2, 4)), [1, 2])
    n = len(tasks) // 2
    assert {t.seed for t in tasks[:n]} == {1}
    assert len({t.key for t in tasks}) == len(tasks)


@pytest.mark.parametrize(("attributed", "accuracy"), [(0.3, 0.7), (0.75, 0.5), (0.9, 0.85)])
def test_a_world_has_the_share_attributed_and_the_accuracy_that_is_asked_for(attributed, accuracy):
    world = country_world(dataclasses.replace(CENTRE, attributed=attributed, accuracy=accuracy), COUNTRY)
    reach = np.array([channel.reach for channel in world.channels.values()])
    right = np.array([channel.accuracy for channel in world.channels.values()])
    assert 1 - np.prod(1 - reach) == pytest.approx(attributed)
    assert np.average(right, weights=reach) == pytest.approx(accuracy)


def test_a_world_has_the_incidents_and_the_settled_ones_that_are_asked_for():
    world = country_world(CENTRE, COUNTRY)
    assert world.n_incidents == round(44 * (BASELINE_DAYS / 7 + 8))
    assert world.adjudicated * world.n_incidents == pytest.approx(90, rel=0.01)
    assert country_world(dataclasses.replace(CENTRE, adjudicated=10**6), COUNTRY).adjudicated == 1.0


def test_what_a_simulated_window_holds_follows_from_its_length():
    scene = set_scene(KLEIMAN, country_world(dataclasses.replace(CENTRE, weeks=16), COUNTRY), 3)
    assert scene.methodology.window.end == date(2026, 10, 20)
    days = scene.simulation.tables["incidents"]["date"]
    assert days.max() <= "2026-10-20"
    inside = (days >= "2026-07-01").sum()
    assert 0.6 * 44 * 16 < inside < 1.6 * 44 * 16
    assert len(read_scene(scene).incidents) == len(days)


def test_settings_of_one_seed_share_what_is_done_and_differ_in_the_evidence():
    one, two = (
        set_scene(KLEIMAN, country_world(dataclasses.replace(CENTRE, attributed=share), COUNTRY), 4).simulation
        for share in (0.3, 0.9)
    )
    assert one.truth.equals(two.truth)
    assert one.truth_incidents.equals(two.truth_incidents)
    assert len(one.tables["evidence"]) < len(two.tables["evidence"])


def made_up(task, right=True, outcome="selected"):
    return {
        "task": dataclasses.asdict(task), "code_sha256": code_digest(), "n_window": 300, "share_attributed": 0.74,
        "n_adjudicated": 88, "truth": {"a": 9.0, "b": 4.0}, "outcome": outcome,
        "selected": ("a" if right else "b") if outcome == "selected" else None, "p_first": {"a": 0.8, "b": 0.2},
    }  # fmt: skip


def records():
    """Ten worlds a setting: the longer the window, the more right decisions; one wrong one in all."""
    found = []
    for task in plan_feasibility(Levels(), range(10)):
        decided = task.seed < {2: 2, 4: 4, 8: 6, 16: 9}[task.weeks]
        wrong = (task.weeks, task.seed, task.accuracy) == (2, 0, 0.7)
        found.append(made_up(task, not wrong, "selected" if decided else "no_selection"))
    return found


def test_right_and_wrong_decisions_are_counted_by_setting_with_exact_intervals():
    table = feasibility_table(records(), 0.9).set_index(list(FACTORS))
    row = table.loc[(2, 0.75, 90, 0.7)]
    assert (row["assessments"], row["right"], row["wrong"], row["abstained"]) == (10, 1, 1, 8)
    assert (row["selected_share"], row["right_share"]) == (0.2, 0.1)
    assert row["right_share_low"] == pytest.approx(0.0025, abs=1e-4)
    assert row["p_true_first"] == pytest.approx(0.8)
    assert table.loc[(16, 0.75, 90, 0.7), "right_share"] == 0.9


def test_along_each_factor_the_others_stay_in_the_middle():
    parts = along(feasibility_table(records(), 0.9), centre_of(Levels()))
    assert list(parts) == list(FACTORS)
    assert parts["weeks"]["right"].tolist() == [1, 4, 6, 9]
    assert parts["accuracy"]["right"].tolist() == [6, 6, 6, 6]


def test_it_is_said_how_often_the_rule_decides_and_what_moves_that_most():
    said = feasibility_sentences(feasibility_table(records(), 0.9), centre_of(Levels()), 0.9)
    assert "names the right one in 6 of 10 worlds (95 % interval 26 to 88 %)" in said[0]
    assert "weeks of the window. From 2 to 16, right decisions go from 10 % to 90 %" in said[1]
    assert said[2].startswith("Over all settings, which share worlds, 1 of")


def test_results_are_drawn_and_tabulated():
    table = feasibility_table(records(), 0.9)
    figure = feasibility_figure(table, centre_of(Levels()))
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 4
    assert feasibility_view(table).row_count == len(table)
    assert feasibility_figure(table.head(1), centre_of(Levels())) is None


def test_the_command_tabulates_what_is_done_and_counts_only_what_is_asked_for(tmp_path, capsys):
    out = tmp_path / "feasibility"
    shared = {"methodology": KLEIMAN.sha256, "world": "plain", "per_week": 44}
    open_folder(out, rule_settings(KLEIMAN), shared)
    levels = Levels(weeks=(8,), attributed=(0.5, 0.75), adjudicated=(90,), accuracy=(0.7,))
    for task in plan_feasibility(levels, range(1, 6)):
        write_record(out, task, made_up(task))
    asked = ["--weeks", "8", "--attributed", "0.5", "--attributed", "0.75", "--adjudicated", "90", "--accuracy", "0.7"]
    assert cli.run(["feasibility", "kleiman-2011", "--out", str(out), *asked, "--assessments", "4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["assessments"] for row in found["tables"]["feasibility"]] == [4, 4]
    assert (out / "tables" / "feasibility.csv").exists()
    assert (out / "figures" / "feasibility.svg").exists()
    assert cli.run(["feasibility", "killings-only", "--out", str(out), *asked]) == 2
    assert "methodology" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--attributed", "1.2"], "must lie between"),
        (["--weeks", "0"], "must be 1 or more"),
        (["--world", "flat"], "no world has this name"),
    ],
)
def test_what_cannot_be_asked_is_a_fault_and_writes_nothing(arguments, rule, tmp_path, capsys):
    out = tmp_path / "feasibility"
    assert cli.run(["feasibility", "kleiman-2011", "--out", str(out), *arguments]) == 2
    assert rule in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


@pytest.mark.slow
def test_a_world_of_the_design_is_simulated_fitted_and_judged():
    from violencescore.robustness.feasibility import refit_feasibility

    country = Country(KLEIMAN, "plain", 12, rule_settings(KLEIMAN, 150, 150, 2))
    record = refit_feasibility(FeasibilityTask(4, 0.9, 60, 0.85, 1), country)
    assert record["outcome"] in ("selected", "extend", "no_selection", "not_estimable")
    assert sum(record["p_first"].values()) == pytest.approx(1.0)
    assert 0 < record["n_window"] < 12 * 8
