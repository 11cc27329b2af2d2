"""Scenarios: what a methodology may list, what each changes, and how it stands beside the verdict."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from strategies import METHODOLOGY, TABLES, write_assessment

from violencescore import cli
from violencescore.assessment import read_assessment
from violencescore.decision import decide
from violencescore.errors import InputError
from violencescore.methodology import Methodology, methodology_from_dict, shipped_methodology
from violencescore.montecarlo import Probability
from violencescore.refits import present_channels, present_sources, run_scenarios, scenario_assessment
from violencescore.report.scenarios import scenario_rows, scenarios_json
from violencescore.runs import add_scenarios, load_run, require_same_inputs
from violencescore.scenario_choices import Scenario
from violencescore.scenarios import (
    ScenarioResult,
    changed_methodology,
    describe_scenario,
    draw_scenarios,
    expand_scenarios,
    needs_refit,
    result_from_json,
    scenario_sentences,
)
from violencescore.scores import score_draws

CATEGORIES = ["killing:police", "extortion"]
CONVERGED = {"converged": True}


def methodology(*scenarios: dict, **changes: object) -> Methodology:
    categories = [
        {"element": "killing", "victim_role": "police", "weight": 2.5},
        {"element": "extortion", "weight": 0.3},
    ]
    channels = {"claim": {"forgeable": True}, "press": {"forgeable": True}}
    base = {"id": "m", "version": "1", "category": categories, "channels": channels, "scenario": list(scenarios)}
    return methodology_from_dict(base | changes)


def posterior(**groups: xr.Dataset) -> xr.DataTree:
    """In every draw a killed 10 and extorted 0, b killed 4 and extorted 30: the weights say who is first."""
    harm = np.broadcast_to(np.array([[10, 0], [4, 30]]), (2, 500, 2, 2)).copy()
    dims = ("chain", "draw", "organization", "category")
    coords = {"organization": ["a", "b"], "category": CATEGORIES, "name": ("organization", ["Alpha", "Beta"])}
    harms = xr.Dataset({"harm_realized": (dims, harm), "harm_rate": (dims, harm[:, :, ::-1])}, coords=coords)
    return xr.DataTree.from_dict({"harms": harms, **groups})


def results_of(*scenarios: dict, **groups: xr.Dataset) -> tuple[ScenarioResult, ...]:
    return draw_scenarios(posterior(**groups), methodology(*scenarios), CONVERGED)


def faults_of(*scenarios: dict) -> list[str]:
    with pytest.raises(InputError) as raised:
        methodology(*scenarios)
    return [str(fault) for fault in raised.value.faults]


# What a methodology may list.


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        ({"name": "x"}, "changes nothing"),
        ({"name": "x", "false_flag": {}}, "changes nothing"),
        ({"name": "x", "without_channel": "radio"}, "is no channel of the methodology; name one of claim, press, or *"),
        ({"name": "x", "weights": "double"}, 'must be "equal", "any" or a table of categories'),
        ({"name": "x", "weights": {}}, 'must be "equal", "any" or a table of categories'),
        ({"name": "x", "weights": {"theft": 1}}, "names no element of the methodology"),
        ({"name": "x", "weights": {"killing:cook": 1}}, "names no victim role of the methodology"),
        ({"name": "x", "weights": {"killing": -1}}, "greater than or equal to 0"),
        ({"name": "x", "false_flag": {"window": [1, 0]}}, "greater than 0"),
        ({"name": "x", "per": "year"}, "must be 'none', 'revenue' or 'flow'"),
        ({"per": "revenue"}, "is missing"),
        ({"name": "x", "with": 1}, "is not a key of the methodology"),
    ],
)
def test_a_scenario_that_makes_no_sense_is_a_fault_with_the_way_out(scenario: dict, said: str) -> None:
    assert any(said in fault and "scenario.1" in fault for fault in faults_of(scenario)), faults_of(scenario)


def test_two_scenarios_of_one_name_are_a_fault() -> None:
    twice = {"name": "x", "per": "revenue"}
    assert faults_of(twice, twice) == [
        "methodology.toml, scenario.2.name: 'x': repeats the name of scenario 1; give each its own."
    ]


def test_the_default_methodology_lists_those_that_are_promised() -> None:
    listed = {s.name: s for s in shipped_methodology().scenario}
    assert list(listed) == [
        "false flags rare", "false flags common", "without channel", "without source", "unweighted", "any weights",
        "per revenue", "with corruption",
    ]  # fmt: skip
    assert listed["without channel"].without_channel == listed["without source"].without_source == "*"
    assert listed["with corruption"].weights == {"corruption": 0.1}
    assert all(describe_scenario(s) for s in listed.values())


def test_a_methodology_with_scenarios_survives_json() -> None:
    found = shipped_methodology()
    assert methodology_from_dict(json.loads(json.dumps(found.model_dump(mode="json")))) == found


# What each changes.


def test_only_what_the_draws_do_not_hold_needs_a_refit() -> None:
    found = methodology(
        {"name": "1", "false_flag": {"window": [1, 100]}},
        {"name": "2", "without_channel": "*"},
        {"name": "3", "without_source": "S"},
        {"name": "4", "weights": {"corruption": 1}},
        {"name": "5", "weights": {"extortion": 1}},
        {"name": "6", "weights": "equal"},
        {"name": "7", "per": "revenue"},
        {"name": "8", "estimand": "rate"},
    )
    assert [needs_refit(s, found) for s in found.scenario] == [True] * 4 + [False] * 4


def test_one_of_each_is_named_after_what_is_left_out() -> None:
    each = [Scenario(name="no", without_channel="*"), Scenario(name="w", weights="equal")]
    found = expand_scenarios(each, ["claim", "press"], [])
    assert [(listed, s.name, s.without_channel) for listed, s in found] == [
        ("no", "no claim", "claim"), ("no", "no press", "press"), ("w", "w", None),
    ]  # fmt: skip


def test_a_prior_of_one_period_leaves_that_of_the_other() -> None:
    found = methodology({"name": "x", "false_flag": {"window": [1, 100]}})
    changed = changed_methodology(found.scenario[0], found)
    assert changed.false_flag.window == (1, 100)
    assert changed.false_flag.baseline == found.false_flag.baseline


def test_weights_replace_those_of_the_methodology_and_add_what_it_lacks() -> None:
    found = methodology({"name": "x", "weights": {"extortion": 1, "killing:citizen": 2, "corruption": 0.5}})
    changed = changed_methodology(found.scenario[0], found)
    assert [(c.label, c.weight) for c in changed.category] == [
        ("killing:police", 2.5), ("extortion", 1.0), ("killing:citizen", 2.0), ("corruption", 0.5),
    ]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_assessment(tmp_path / "assessment")


def test_without_a_channel_its_evidence_is_gone_and_nothing_else(folder: Path) -> None:
    whole = read_assessment(folder)
    assert present_channels(whole) == ("claim", "press", "witness", "dyad")
    changed = scenario_assessment(Scenario(name="x", without_channel="dyad"), folder, whole.methodology)
    assert set(changed.evidence["channel"]) == {"claim", "press", "witness"}
    assert len(changed.incidents) == len(whole.incidents)


def test_without_a_source_what_another_one_repeated_stays(folder: Path) -> None:
    # The banner at i1 was seen by paper and radio: one piece of evidence, of which radio's row is a copy.
    whole = read_assessment(folder)
    assert present_sources(whole) == ("paper", "radio")
    for source, claims in (("paper", ["radio"]), ("radio", ["paper"])):
        changed = scenario_assessment(Scenario(name="x", without_source=source), folder, whole.methodology)
        evidence = changed.evidence[changed.evidence["channel"] == "claim"]
        assert evidence["source_id"].tolist() == claims
        assert source not in set(changed.reports["source_id"])


def test_an_incident_that_only_the_source_lists_was_never_heard_of(tmp_path: Path) -> None:
    reports = "incident_id,source_id\ni1,paper\ni3,paper\ni4,paper\n"
    adjudications = "incident_id,organization_id\ni3,007\n"
    evidence = "incident_id,channel,organization_id,origin,source_id\ni1,press,007,,paper\ni4,press,007,,radio\n"
    folder = write_assessment(tmp_path / "a", reports=reports, evidence=evidence, adjudications=adjudications)
    changed = scenario_assessment(
        Scenario(name="x", without_source="paper"), folder, read_assessment(folder).methodology
    )
    # i2 is listed by nobody and stays; i3 went to court; radio speaks of i4.
    assert changed.incidents["incident_id"].tolist() == ["i2", "i3", "i4"]


def test_sources_of_revenue_are_left_out_only_where_revenue_counts(folder: Path) -> None:
    whole = read_assessment(folder)
    per = whole.methodology.model_copy(update={"score": whole.methodology.score.model_copy(update={"per": "revenue"})})
    assert present_sources(read_assessment(folder, per)) == ("paper", "study", "radio")


# What follows from the same draws.


def test_other_weights_and_estimands_need_no_refit() -> None:
    equal, harder, rate = results_of(
        {"name": "equal", "weights": "equal"},
        {"name": "harder", "weights": {"extortion": 0.1}},
        {"name": "rate", "estimand": "rate"},
    )
    # By the methodology's weights a has 25 and b 19; one harm is one harm: 10 and 34.
    assert (equal.leader, harder.leader, rate.leader) == ("b", "a", "b")
    assert equal.p_first is not None
    assert equal.p_first["b"].p == 1.0
    assert equal.p_first["b"].mcse > 0.0
    assert not equal.refit


def test_any_weights_is_the_share_of_all_weights_under_which_one_is_first() -> None:
    (found,) = results_of({"name": "any", "weights": "any"})
    # a is first where 10 w > 4 w + 30 (1 - w), with w even on [0, 1]: above 30/36.
    assert found.p_first is not None
    assert found.p_first["a"].p == pytest.approx(1 / 6, abs=4 * found.p_first["a"].mcse)


def test_per_revenue_divides_by_the_estimates_where_there_are_any() -> None:
    revenue = xr.Dataset(
        {"revenue": (("chain", "draw", "organization"), np.broadcast_to([10.0, 1.0], (2, 500, 2)).copy())},
        coords={"organization": ["a", "b"]},
    )
    (found,) = results_of({"name": "per", "per": "revenue"}, revenue=revenue)
    assert (found.status, found.leader) == ("done", "b")


def test_what_cannot_be_computed_is_shown_with_its_reason() -> None:
    (found,) = results_of({"name": "per", "per": "revenue"})
    assert found.status == "refused"
    assert found.leader is None
    assert found.note.startswith("The score is per revenue, but no row of the table `revenue`")


def test_a_refit_that_was_not_run_is_shown_as_such() -> None:
    (found,) = results_of({"name": "rare", "false_flag": {"window": [1, 100]}})
    assert (found.status, found.refit) == ("not_run", True)
    assert "violencescore scenarios" in found.note


def test_draws_that_have_not_converged_give_no_verdict_in_any_scenario() -> None:
    found = draw_scenarios(posterior(), methodology({"name": "e", "weights": "equal"}), {"converged": False})
    assert found[0].status == "not_converged"
    assert found[0].outcome(0.9, 0.1) == "not_estimable"


# Beside the verdict.

VERDICT = decide(score_draws(posterior(), methodology()), methodology(), diagnostics=CONVERGED)


def result(name: str, leader: str, p: float, status: str = "done") -> ScenarioResult:
    found = {"a": Probability(p if leader == "a" else 1 - p, 0.001), "b": Probability(1 - p, 0.001)}
    found[leader] = Probability(p, 0.001)
    return ScenarioResult(name, name, "something", True, status, leader, found, found[leader], "why")  # type: ignore[arg-type]


def test_it_is_said_when_nothing_changes() -> None:
    assert scenario_sentences([result("x", "a", 0.95), result("y", "a", 0.99)], VERDICT) == (
        "In each of the 2 scenarios that could be computed Alpha stays the likeliest first.",
    )


def test_it_is_said_who_else_would_be_first_and_who_would_no_longer_be_named() -> None:
    said = scenario_sentences([result("x", "b", 0.7), result("y", "a", 0.85)], VERDICT)
    assert said == (
        "Scenario x: Beta would be the likeliest first (0.700), not Alpha.",
        "It would be the likeliest, but not be named, in 1 scenario: y.",
    )


def test_a_scenario_that_did_not_converge_counts_for_nothing_and_is_said() -> None:
    said = scenario_sentences([result("x", "b", 0.7, "not_converged"), result("y", "a", 0.99)], VERDICT)
    assert said == (
        "In the one scenario that could be computed Alpha stays the likeliest first.",
        "1 scenario did not converge: x.",
    )


def test_rows_carry_the_probability_of_the_leader_of_the_scenario_and_of_the_verdict() -> None:
    row = scenario_rows(VERDICT, [result("x", "b", 0.7)])[0]
    assert (row["leader"], row["p"], row["differs"]) == ("Beta", 0.7, True)
    assert row["of_leader"] == pytest.approx(0.3)
    assert row["outcome"] == "nobody named"


def test_another_confidence_changes_what_the_rule_would_say() -> None:
    assert result("x", "a", 0.92).outcome(0.9, 0.1) == "selected"
    assert result("x", "a", 0.92).outcome(0.95, 0.1) == "extend"


def test_a_result_survives_json() -> None:
    for found in (result("x", "b", 0.7), *results_of({"name": "per", "per": "revenue"})):
        assert result_from_json(json.loads(json.dumps(found.to_json_dict()))) == found


def test_a_result_whose_leader_has_no_probability_is_refused() -> None:
    value = result("x", "b", 0.7).to_json_dict() | {"leader": "c"}
    with pytest.raises(ValueError, match="no probability of the leader 'c'"):
        result_from_json(value)


# In a run folder.


def test_results_stand_in_the_run_under_their_digest_and_are_read_back(own_run: Path) -> None:
    run = load_run(own_run)
    before = {r.name: r.status for r in run.scenarios}
    assert before["false flags rare"] == "not_run"
    leader = run.decide().leader
    assert leader is not None
    p = {key: Probability(0.5, 0.01) for key in run.decide().p_first}
    results = [ScenarioResult("false flags rare", "false flags rare", "x", True, "done", leader, p, p[leader])]
    add_scenarios(run, results)
    again = load_run(own_run)
    assert "scenarios.json" in again.run["outputs"]
    assert next(r for r in again.scenarios if r.name == "false flags rare") == results[0]
    (own_run / "scenarios.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="was changed after the run was written"):
        load_run(own_run)


def test_scenarios_of_another_assessment_are_refused(own_run: Path, assessment_folder: Path, tmp_path: Path) -> None:
    run = load_run(own_run)
    require_same_inputs(run, read_assessment(assessment_folder))
    other = Path(shutil.copytree(assessment_folder, tmp_path / "other"))
    with (other / "incidents.csv").open("a", encoding="utf-8") as stream:
        stream.write("\n")
    with pytest.raises(InputError, match=r"incidents\.csv: is not the file that"):
        require_same_inputs(run, read_assessment(other))


def test_scenarios_are_fitted_and_shown_by_decide_and_report(
    assessment_folder: Path, own_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One refit of each sort, with so few draws that only the path is tested; what is found is tested above."""
    run = json.loads((own_run / "run.json").read_text(encoding="utf-8"))
    chosen = load_run(own_run).methodology
    kept = ("false flags common", "without source", "unweighted", "with corruption")
    chosen = chosen.model_copy(update={"scenario": tuple(s for s in chosen.scenario if s.name in kept)})
    results = run_scenarios(assessment_folder, chosen, draws=30, tune=50, chains=2)
    names = [r.name for r in results]
    assert names[0] == "false flags common"
    assert names[-1] == "with corruption"
    assert {r.listed_as for r in results} == {"false flags common", "without source", "with corruption"}
    assert all(r.p_first is not None and sum(p.p for p in r.p_first.values()) == pytest.approx(1) for r in results)
    add_scenarios(load_run(own_run), results)
    assert json.loads((own_run / "run.json").read_text(encoding="utf-8"))["inputs"] == run["inputs"]

    assert cli.run(["decide", str(own_run), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["scenarios"]["results"]
    assert {"unweighted", "with corruption", "any weights"} <= {r["name"] for r in shown}
    assert all("p_first" in r and "outcome" in r for r in shown)
    assert cli.run(["decide", str(own_run)]) == 0
    assert "The verdict under other assumptions" in capsys.readouterr().out
    page = tmp_path / "page.html"
    assert cli.run(["report", str(own_run), "--out", str(page)]) == 0
    html = page.read_text(encoding="utf-8")
    assert "The verdict under other assumptions" in html
    assert all(r.name in html for r in results)


def test_the_scenarios_of_a_run_need_its_assessment(own_run: Path, tmp_path: Path) -> None:
    folder = write_assessment(tmp_path / "other", methodology=METHODOLOGY, incidents=TABLES["incidents"])
    assert cli.run(["scenarios", str(folder), "--run", str(own_run)]) == cli.BAD_INPUT


def test_it_is_said_why_one_cannot_be_computed_and_how_to_run_one_that_was_not() -> None:
    found = results_of({"name": "per", "per": "revenue"}, {"name": "rare", "false_flag": {"window": [1, 100]}})
    refused, left = scenario_sentences(found, VERDICT)
    assert refused.startswith("Scenario per cannot be computed: The score is per revenue")
    assert left == "1 scenario not run: rare. To fit it: violencescore scenarios DIR --run RUN."


def test_scenarios_in_json_carry_what_the_rule_would_say() -> None:
    shown = scenarios_json(VERDICT, [result("x", "b", 0.7)])
    assert shown["results"][0]["outcome"] == "no_selection"
    assert shown["reasons"] == ["Scenario x: Beta would be the likeliest first (0.700), not Alpha."]
