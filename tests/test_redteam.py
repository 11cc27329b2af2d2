"""The red team: attacks change what they say and nothing else, the search is honest, and its counts are right."""

import dataclasses
import json
import pickle

import numpy as np
import pandas as pd
import pytest

from violencescore import cli
from violencescore.calibration.refits import weigh
from violencescore.errors import InputError
from violencescore.methodology import methodology_from_dict, shipped_methodology, shipped_names
from violencescore.report.trials import redteam_view
from violencescore.robustness.adversaries import (
    ADVERSARIES,
    Delayer,
    Splitter,
    Stager,
    Suppressor,
    adversary_of,
    attack_key,
    attack_words,
    candidate_attacks,
    described,
    smaller,
)
from violencescore.robustness.attacks import FACTION, attacked, guilty_of, unit_of
from violencescore.robustness.frozen_rule import (
    read_scene,
    require_tryable,
    rule_settings,
    set_scene,
    true_ranking,
    world_of,
)
from violencescore.robustness.redteam import (
    FIRST_FRESH_SEED,
    Field,
    RedTask,
    Team,
    achieved_table,
    before_table,
    field_json,
    play,
    redteam_sentences,
)
from violencescore.robustness.trial_figures import redteam_figure
from violencescore.simulation import WORLDS

KLEIMAN = shipped_methodology("kleiman-2011")
SMALL = dataclasses.replace(world_of(KLEIMAN), n_incidents=400)
EVERY = [attack for name in ADVERSARIES for attack in candidate_attacks(name, 0.3)]


@pytest.fixture(scope="module")
def scene():
    return set_scene(KLEIMAN, SMALL, 5)


@pytest.fixture(scope="module")
def truth(scene):
    return true_ranking(scene, read_scene(scene))


def window_incidents(scene, organization):
    """Ids of the incidents that an organization did in the window."""
    window = scene.methodology.window
    incidents = scene.simulation.tables["incidents"]
    inside = incidents.loc[incidents["date"].between(str(window.start), str(window.end)), "incident_id"]
    done = scene.simulation.truth_incidents
    return set(done.loc[done["organization_id"] == organization, "incident_id"]) & set(inside)


def staged_ids(before, after):
    """Ids of the incidents that an attack staged."""
    old, new = (s.simulation.truth_incidents for s in (before, after))
    return set(new.loc[new["framed_id"] != old["framed_id"], "incident_id"])


@pytest.mark.parametrize("attack", EVERY, ids=attack_key)
def test_no_attack_touches_more_than_its_budget_and_what_is_left_can_be_read(scene, truth, attack):
    after, touched = attacked(scene, attack, truth)
    assert 0 < touched <= round(0.3 * len(window_incidents(scene, guilty_of(truth))))
    assert len(read_scene(after).incidents) > 0


@pytest.mark.parametrize("attack", EVERY, ids=attack_key)
def test_the_same_attack_on_the_same_world_is_the_same(scene, truth, attack):
    one, two = (attacked(scene, attack, truth)[0].simulation.tables for _ in range(2))
    for name, table in one.items():
        pd.testing.assert_frame_equal(table, two[name])


@pytest.mark.parametrize("attack", EVERY, ids=attack_key)
def test_evidence_on_incidents_that_an_attack_leaves_alone_stays_as_it_was(scene, truth, attack):
    after, touched = attacked(scene, attack, truth)
    old, new = (s.simulation.tables["evidence"] for s in (scene, after))
    merged = old.merge(new, how="outer", indicator=True)
    assert merged.loc[merged["_merge"] != "both", "incident_id"].nunique() <= touched


@pytest.mark.parametrize("victim", ["second", "third"])
def test_a_stager_turns_what_can_be_forged_and_nothing_else(scene, truth, victim):
    after, touched = attacked(scene, Stager(0.3, victim, "any", "imitation"), truth)
    guilty, framed = guilty_of(truth), sorted(truth, key=truth.get, reverse=True)[1 if victim == "second" else 2]
    ids = staged_ids(scene, after)
    assert len(ids) == touched
    assert ids <= window_incidents(scene, guilty)
    old, new = (s.simulation.tables["evidence"] for s in (scene, after))
    assert len(old) == len(new)
    turned = new[new["organization_id"] != old["organization_id"]]
    assert set(turned["organization_id"]) == {framed}
    assert all(KLEIMAN.channels[channel].forgeable for channel in turned["channel"])
    forgeable = new["channel"].map(lambda name: KLEIMAN.channels[name].forgeable)
    assert not (new["incident_id"].isin(ids) & forgeable & (new["organization_id"] == guilty)).any()
    assert true_ranking(after, read_scene(after)) == truth


def test_forged_claims_come_on_top_one_for_each_staged_incident(scene, truth):
    after, touched = attacked(scene, Stager(0.3, "second", "heaviest", "claims"), truth)
    old, new = (s.simulation.tables["evidence"] for s in (scene, after))
    forged = new.iloc[len(old) :]
    assert len(forged) == touched
    assert set(forged["channel"]) == {"claim"}
    assert set(forged["incident_id"]) == staged_ids(scene, after)


def test_the_heaviest_incidents_weigh_as_much_as_any_choice_of_as_many(scene, truth):
    harms = scene.simulation.truth_harms
    weight = weigh(harms, KLEIMAN).groupby(harms["incident_id"]).sum()
    heavy, random = (
        weight[list(staged_ids(scene, attacked(scene, Stager(0.3, "second", which, "imitation"), truth)[0]))].sum()
        for which in ("heaviest", "any")
    )
    assert heavy > random


def test_everyone_is_framed_in_turn(scene, truth):
    after, _ = attacked(scene, Stager(0.3, "everyone", "any", "claims"), truth)
    new = after.simulation.truth_incidents
    framed = new.loc[new["incident_id"].isin(staged_ids(scene, after)), "framed_id"]
    assert set(framed) == set(truth) - {guilty_of(truth)}


def test_where_nothing_can_be_forged_staging_changes_no_evidence():
    firm = KLEIMAN.model_copy(
        update={"channels": {n: c.model_copy(update={"forgeable": False}) for n, c in KLEIMAN.channels.items()}}
    )
    scene = set_scene(firm, dataclasses.replace(world_of(firm), n_incidents=200), 2)
    after, _ = attacked(scene, Stager(0.5, "second", "any", "claims"), true_ranking(scene, read_scene(scene)))
    pd.testing.assert_frame_equal(scene.simulation.tables["evidence"], after.simulation.tables["evidence"])


@pytest.mark.parametrize("where", ["own", "one region", "three regions"])
def test_what_is_suppressed_is_gone_from_every_table_and_still_counts_in_the_truth(scene, truth, where):
    after, touched = attacked(scene, Suppressor(0.3, where, "record"), truth)
    old, new = (set(s.simulation.tables["incidents"]["incident_id"]) for s in (scene, after))
    gone = old - new
    assert len(gone) == touched
    assert all(
        not table["incident_id"].isin(gone).any()
        for table in after.simulation.tables.values()
        if "incident_id" in table
    )
    assert true_ranking(after, read_scene(after)) == truth
    if where == "own":
        assert gone <= window_incidents(scene, guilty_of(truth))
    else:
        regions = scene.simulation.tables["incidents"].set_index("incident_id")["region"]
        assert regions[list(gone)].nunique() <= (1 if where == "one region" else 3)


def test_a_silent_press_leaves_the_other_channels(scene, truth):
    after, _ = attacked(scene, Suppressor(0.3, "own", "press"), truth)
    old, new = (s.simulation.tables["evidence"] for s in (scene, after))
    assert set(old.loc[~old.index.isin(old.merge(new, how="inner").index), "channel"]) <= {"press"} | set(
        old["channel"]
    )
    assert (old["channel"] != "press").sum() == (new["channel"] != "press").sum()
    assert (old["channel"] == "press").sum() > (new["channel"] == "press").sum()


@pytest.mark.parametrize("which", ["any", "regions"])
def test_a_split_parts_what_one_did_and_no_more(scene, truth, which):
    after, _ = attacked(scene, Splitter(0.3, 0, which), truth)
    guilty = guilty_of(truth)
    found = true_ranking(after, read_scene(after))
    assert found[guilty] + found[guilty + FACTION] == pytest.approx(truth[guilty])
    assert {k: v for k, v in found.items() if unit_of(k) != guilty} == {k: v for k, v in truth.items() if k != guilty}
    names = after.simulation.tables["organizations"].set_index("organization_id")
    assert names.loc[guilty + FACTION, "parent_id"] == guilty


def test_copies_of_one_piece_give_the_faction_one_name(scene, truth):
    after, _ = attacked(scene, Splitter(0.3, 0, "any"), truth)
    evidence = after.simulation.tables["evidence"]
    assert (evidence.groupby(["incident_id", "origin"])["organization_id"].nunique() == 1).all()
    assert guilty_of(truth) + FACTION in set(evidence["organization_id"])


@pytest.mark.parametrize("where", ["after", "before"])
def test_a_delay_takes_the_violence_out_of_the_window(scene, truth, where):
    after, touched = attacked(scene, Delayer(0.3, "heaviest", where), truth)
    guilty = guilty_of(truth)
    assessment = read_scene(after)
    found = true_ranking(after, assessment)
    assert found[guilty] < truth[guilty]
    assert {k: v for k, v in found.items() if k != guilty} == {k: v for k, v in truth.items() if k != guilty}
    assert len(window_incidents(after, guilty)) == len(window_incidents(scene, guilty)) - touched
    lost = len(scene.simulation.tables["incidents"]) - len(assessment.incidents)
    assert lost == (touched if where == "after" else 0)


def test_the_last_incidents_are_those_that_are_delayed_last(scene, truth):
    after, _ = attacked(scene, Delayer(0.3, "last", "after"), truth)
    old, new = (s.simulation.tables["incidents"].set_index("incident_id")["date"] for s in (scene, after))
    kept = window_incidents(after, guilty_of(truth))
    moved = set(old.index[old != new])
    assert min(old[list(moved)]) >= max(old[list(kept)])


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_methodology_can_be_tried_and_attacked(name):
    rule = shipped_methodology(name)
    require_tryable(rule)
    scene = set_scene(rule, dataclasses.replace(world_of(rule), n_incidents=200), 1)
    truth = true_ranking(scene, read_scene(scene))
    assert max(truth.values()) > 0
    for adversary in ADVERSARIES:
        after, _ = attacked(scene, candidate_attacks(adversary, 0.3)[0], truth)
        assert set(map(unit_of, true_ranking(after, read_scene(after)))) == set(truth)


def test_per_revenue_the_truth_is_divided_by_true_revenue_and_a_faction_takes_its_share():
    rule = shipped_methodology("kleiman-2011-intensity")
    scene = set_scene(rule, dataclasses.replace(world_of(rule), n_incidents=200), 1)
    total = set_scene(KLEIMAN, dataclasses.replace(world_of(KLEIMAN), n_incidents=200), 1)
    found, whole = (true_ranking(s, read_scene(s)) for s in (scene, total))
    assert found == pytest.approx({k: v / scene.revenue[k] for k, v in whole.items()})
    after, _ = attacked(scene, Splitter(0.3, 0, "any"), found)
    guilty = guilty_of(found)
    assert after.revenue[guilty] + after.revenue[guilty + FACTION] == pytest.approx(scene.revenue[guilty])
    estimates = after.simulation.tables["revenue"].groupby("organization_id")["best"].sum()
    old = scene.simulation.tables["revenue"].groupby("organization_id")["best"].sum()
    assert estimates[guilty] + estimates[guilty + FACTION] == pytest.approx(old[guilty])


@pytest.mark.parametrize("world", ["listed", "silenced", "troubled"])
def test_worlds_with_lists_of_incidents_can_be_tried_in_other_processes_and_kept_in_a_manifest(world):
    field = Field(KLEIMAN, world_of(KLEIMAN, world), rule_settings(KLEIMAN))
    assert pickle.loads(pickle.dumps(field)).world == field.world
    assert json.loads(json.dumps(field_json(field, Team(("delayer",), 0.3, 2, 2))))["world"]["sources"]


def test_channels_that_no_simulated_world_knows_get_the_accuracy_that_is_expected():
    data = {"extends": "kleiman-2011", "id": "own", "version": "1", "scenario": []}
    rule = methodology_from_dict(data).model_copy(update={"channels": {"drones": KLEIMAN.channels["ballistics"]}})
    (channel,) = world_of(rule).channels.values()
    assert (channel.reach, channel.accuracy, channel.forgeable) == (0.2, 0.9, False)


def test_a_rule_that_needs_a_panel_is_refused():
    rule = KLEIMAN.model_copy(update={"weights": KLEIMAN.weights.model_copy(update={"use": "panel"})})
    with pytest.raises(InputError, match="no simulated world has a panel"):
        require_tryable(rule)


# The search, with records made by hand.


def record(p, outcome="selected", selected="a", guilty="a", touched=3, truth=None):
    truth = truth or {"a": 10.0, "b": 5.0}
    return {
        "guilty": guilty, "truth_before": truth, "truth": truth, "touched": touched, "outcome": outcome,
        "selected": selected if outcome == "selected" else None, "p_first": {"a": p, "b": 1 - p},
    }  # fmt: skip


BEST = Stager(0.15, "everyone", "any", "claims")
"""Half of a full stager: found only where finalists are tried at half their size too."""


def made_up_run(asked):
    def run(stage, tasks):
        asked.append((stage, list(tasks)))
        found = {}
        for task in tasks:
            p = (
                0.95
                if task.attack is None
                else 0.2
                if task.attack == BEST
                else 0.5 - 0.2 * (attack_key(task.attack) == attack_key(dataclasses.replace(BEST, share=0.3)))
            )
            found[task.key] = record(p, "selected" if p > 0.9 else "no_selection")
        return found

    return run


def test_the_search_picks_in_training_worlds_and_tests_in_fresh_ones():
    asked = []
    found = play(Team(("stager", "delayer"), 0.3, train=2, worlds=5), made_up_run(asked))
    (_, first), (_, second), (_, fresh) = asked
    assert {task.seed for task in first} == {1, 2}
    assert {task.seed for task in second} == {1, 2, 3, 4}
    assert {task.seed for task in fresh} == set(range(FIRST_FRESH_SEED, FIRST_FRESH_SEED + 5))
    assert {task.attack for task in fresh} >= {None, BEST}
    assert len(fresh) == 5 * 3
    best = found.achieved.set_index("adversary").loc["stager"]
    assert best["attack"] == attack_words(BEST)
    assert best["change"] == pytest.approx(0.2 - 0.95)
    assert (best["named_before"], best["named_after"], best["fooled"]) == (5, 0, 5)
    tried = found.tried[found.tried["adversary"] == "stager"].set_index("attack")
    assert tried["finalist"].sum() == 4
    assert tried["p_first"].idxmin() == attack_words(BEST)
    assert tried["p_first"].isna().equals(~tried["finalist"])
    assert tried["worlds"].tolist() == [4 if finalist else 2 for finalist in tried["finalist"]]


def test_being_fooled_is_naming_another_or_letting_go_whom_it_named():
    before = [record(0.95), record(0.95), record(0.5, "no_selection"), record(0.4, selected="b"), record(0.95)]
    after = [
        record(0.5, "no_selection"),  # let go
        record(0.05, selected="b"),  # another is named
        record(0.5, "no_selection"),  # silent before and after
        record(0.3, selected="b"),  # wrong already before
        record(0.92),  # named all the same
    ]
    row = achieved_table([(Delayer(0.3, "last", "after"), before, after)]).iloc[0]
    assert (row["fooled"], row["named_before"], row["named_after"]) == (2, 3, 1)
    assert (row["another_before"], row["another_after"], row["wrong_after"]) == (1, 2, 2)
    assert row["fooled_low"] < 2 / 5 < row["fooled_high"]
    assert row["change"] == pytest.approx(np.mean([-0.45, -0.9, 0, -0.1, -0.03]))


def test_a_faction_counts_as_the_attacker():
    split = record(0.4) | {"selected": "a-faction", "p_first": {"a": 0.1, "a-faction": 0.85, "b": 0.05}}
    row = achieved_table([(Splitter(0.3, 0, "any"), [record(0.95)], [split])]).iloc[0]
    assert row["fooled"] == 0
    assert row["p_after"] == pytest.approx(0.95)


def test_what_could_not_be_fitted_is_an_abstention_without_a_probability():
    nothing = record(0.5, "not_estimable") | {"p_first": None}
    row = achieved_table(
        [(Delayer(0.3, "last", "after"), [record(0.95)] * 3, [record(0.9), record(0.8), nothing])]
    ).iloc[0]
    assert row["change"] == pytest.approx(-0.1)
    assert row["fooled"] == 1


def test_results_are_said_drawn_and_tabulated():
    asked = []
    found = play(Team(tuple(ADVERSARIES), 0.3, train=1, worlds=4), made_up_run(asked))
    said = redteam_sentences(found)
    assert said[0].startswith(f"The stager {attack_words(BEST)}. P(first) of the most violent changes by -0.75")
    assert redteam_view(found).row_count == 4
    assert [t.get_text() for t in redteam_figure(found).axes[0].get_yticklabels()] == ["no attack", *ADVERSARIES]
    assert before_table([record(0.95)]).to_dict("records") == [{"worlds": 1, "right": 1, "wrong": 0, "abstained": 0}]


@pytest.mark.parametrize("attack", EVERY, ids=attack_key)
def test_every_attack_has_a_name_of_its_own_words_and_plain_values(attack):
    assert sum(attack_key(attack) == attack_key(other) for other in EVERY) == 1
    assert attack_words(attack)
    assert json.loads(json.dumps(described(attack)))["adversary"] == adversary_of(attack)
    assert smaller(attack).share == pytest.approx(0.15)
    assert RedTask(attack, 3).key != RedTask(None, 3).key


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["kleiman-2011", "--adversary", "bomber"], "is no adversary"),
        (["kleiman-2011", "--world", "flat"], "no world has this name"),
        (["kleiman-2012"], "kleiman-2012"),
        (["kleiman-2011", "--budget", "1.5"], "must lie between"),
    ],
)
def test_what_cannot_be_asked_is_a_fault_and_writes_nothing(arguments, rule, tmp_path, capsys):
    out = tmp_path / "redteam"
    assert cli.run(["redteam", *arguments, "--out", str(out)]) == 2
    assert rule in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


@pytest.mark.slow
def test_a_stager_who_stages_most_of_what_it_does_gains_little():
    from violencescore.robustness.redteam import in_this_process, p_of_guilty, tasks_of

    field = Field(KLEIMAN, dataclasses.replace(WORLDS["plain"], n_incidents=400), rule_settings(KLEIMAN, 200, 150, 2))
    attack = Stager(0.8, "second", "heaviest", "claims")
    found = in_this_process(field)("search", tasks_of([None, attack], range(1, 5)))
    before, after = (
        np.mean([p_of_guilty(found[RedTask(a, seed).key]) for seed in range(1, 5)]) for a in (None, attack)
    )
    assert before > 0.7
    assert abs(after - before) < 0.15  # of twelve such rounds: +0.02 with a standard error of 0.04
