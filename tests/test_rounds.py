"""Rounds: what may follow on what, when the process may stop, how many selections were wrong, and what comes next."""

import json
import re
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from publication_cases import AFTERWARDS, BEFORE, MEANS, METHODOLOGY, write_hand_run, write_tables
from rounds_cases import IN_WINDOW, LATER, Process, make_process, run_to

from violencescore import cli
from violencescore.assessment import read_choices
from violencescore.changes.comparison import compare_runs
from violencescore.errors import InputError, RefusedError
from violencescore.methodology import Window, methodology_from_bytes
from violencescore.montecarlo import Probability
from violencescore.publication.commitment import chain_bytes, commit
from violencescore.ranks import first_probability
from violencescore.report.round_figures import rounds_figure
from violencescore.report.rounds import ledger_json, progress_sentences, standing_sentences, would_still
from violencescore.rounds import statements
from violencescore.rounds.conduct import Actions, market_share, read_actions, violence
from violencescore.rounds.history import Round, build_rounds, current_round
from violencescore.rounds.standing import StopTests, error_budget, stands_out, stop_tests
from violencescore.rounds.successor import next_window, with_window, write_successor
from violencescore.rounds.verification import verify_ledger


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Process:
    """A process that has come to victory."""
    return run_to(make_process(tmp_path_factory.mktemp("process")), "victory")


@pytest.fixture
def process(finished: Process, tmp_path: Path) -> Process:
    """A copy, to be gone on with."""
    folder = Path(shutil.copytree(finished.folder, tmp_path / "ledger"))
    return Process(finished.case, folder, finished.now, finished.files)


def back_to(process: Process, n: int) -> Process:
    """Take the entries after the first n away."""
    for path in sorted(process.folder.iterdir())[n:]:
        path.unlink()
    process.now = process.entries[-1].at
    return process


# What may follow on what.


def test_the_phases_of_a_round(tmp_path: Path) -> None:
    process = make_process(tmp_path)
    found = []
    for step in ("announce", "open", "verdict", "name", "report", "victory"):
        getattr(process, step)()
        found.append(current_round(process.entries).phase)
    assert found == ["announced", "opened", "selected", "named", "named", "over"]


@pytest.mark.parametrize(
    ("n", "step", "rule"),
    [
        (1, "verdict", "its window has not opened"),
        (1, "announce", "finish it first"),
        (2, "name", "no verdict yet"),
        (3, "report", "target is not named yet"),
        (3, "victory", "target is not named yet"),
        (4, "victory", "no progress was reported"),
        (4, "verdict", "has a target that is named"),
        (6, "open", "is over"),
        (6, "name", "is over"),
    ],
)
def test_steps_out_of_order_are_refused(process: Process, n: int, step: str, rule: str) -> None:
    back_to(process, n)
    facts = {
        "verdict": lambda: statements.verdict(process.files, current_round(process.entries).in_force["stop"]),
        "name": lambda: {"organization": "g0", "statement": ""},
        "victory": lambda: {"organization": "g0", "reason": "x"},
        "open": lambda: {"start": "2026-07-01", "end": "2026-08-25"},
        "announce": lambda: {**process.terms(), "title": "x"},
        "report": lambda: dict(make_report(process)),
    }
    kind = {"name": "named", "open": "opened", "announce": "announced", "report": "progress"}.get(step, step)
    with pytest.raises(RefusedError, match=rule):
        process.add(kind, facts[step](), LATER)
    assert len(process.entries) == n


def make_report(process: Process) -> dict:
    interval = {"median": 1.0, "low": 0.5, "high": 2.0}
    found = dict.fromkeys(("target", "rest", "total", "target_ratio", "rest_ratio", "total_ratio"), interval)
    return {
        "run": "0" * 64, "from": "2026-09-10", "to": "2026-11-15", "violence": {"days": 67.0, **found},
        "market": None, "actions": None,
    }  # fmt: skip


def test_a_round_is_announced_before_its_window_and_opens_in_it(tmp_path: Path) -> None:
    late = make_process(tmp_path / "a")
    with pytest.raises(RefusedError, match=r"the window opened on 2026-07-01: rules announced or amended after"):
        late.announce(now=IN_WINDOW)
    assert not late.folder.exists()
    early = make_process(tmp_path / "b")
    early.announce()
    with pytest.raises(RefusedError, match="the window opens on 2026-07-01"):
        early.open(now=BEFORE)


def test_a_rehearsal_may_come_too_late_and_says_so(tmp_path: Path) -> None:
    process = make_process(tmp_path, rehearsal=True)
    process.announce(now=AFTERWARDS)
    process.open(now=AFTERWARDS)
    process.verdict()
    assert ledger_json(process.entries)["rehearsal"]
    other = make_process(tmp_path / "other")
    chain = other.case.chain
    process.add("ended", {"reason": "x"})
    with pytest.raises(RefusedError, match="a rehearsal cannot become a process that binds"):
        process.announce(chain)


def test_a_commitment_dated_after_its_announcement_is_refused(tmp_path: Path) -> None:
    process = make_process(tmp_path)
    with pytest.raises(RefusedError, match="before the commitment that it announces"):
        process.announce(now=datetime(2026, 6, 19, tzinfo=UTC))


def test_an_amendment_is_entered_with_its_reason_before_the_window_only(tmp_path: Path) -> None:
    process = make_process(tmp_path)
    process.announce()
    case, old = process.case, METHODOLOGY
    path = case.assessment / "methodology.toml"
    path.write_text(old.replace("weight = 3.0", "weight = 4.0"))
    amended = commit(
        read_choices(case.assessment), case.key, previous=case.chain, reason="Police weigh more.",
        panel=case.chain[0].statement["panel"], now=datetime(2026, 6, 25, tzinfo=UTC),
    )  # fmt: skip
    facts = process.terms(amended)
    with pytest.raises(RefusedError, match="gives no reason"):
        process.add("amended", {**facts, "reason": " "}, datetime(2026, 6, 26, tzinfo=UTC))
    with pytest.raises(RefusedError, match="does not amend the one that was announced"):
        process.add("amended", {**facts, "commitments": facts["commitments"][1:]}, datetime(2026, 6, 26, tzinfo=UTC))
    with pytest.raises(RefusedError, match="does not amend the one that was announced"):
        process.add("amended", {**process.terms(), "reason": "nothing"}, datetime(2026, 6, 26, tzinfo=UTC))
    with pytest.raises(RefusedError, match="bind nobody"):
        process.add("amended", facts, IN_WINDOW)
    later = {**facts, "window": {**facts["window"], "start": "2026-08-01"}}
    with pytest.raises(RefusedError, match="cannot be put off any more"):
        process.add("amended", later, IN_WINDOW)
    process.add("amended", facts, datetime(2026, 6, 26, tzinfo=UTC))
    assert current_round(process.entries).in_force["commitment"] == amended[-1].sha256
    process.open()
    with pytest.raises(RefusedError, match="the bundle follows another commitment"):
        process.verdict()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"commitment": "0" * 64}, "another commitment"),
        ({"required": 0.6}, "another line"),
        ({"margin": 0.3}, "another line"),
        ({"selected": None}, "somebody else than its outcome says"),
        ({"selected": "g1"}, "somebody else than its outcome says"),
        ({"leader": "g7", "selected": "g7"}, "its leader has no probability"),
        ({"outcome": "no_selection"}, "somebody else than its outcome says"),
        ({"published_at": "2026-08-25T23:00:00Z"}, "the window is open to the end of 2026-08-25"),
        ({"p_first": {"g0": {"p": 1.0, "mcse": 0.1}}}, "other organizations"),
        ({"outcome": "chosen"}, "outcome"),
        ({"bundle": "x"}, "bundle"),
        ({"more": 1}, "more"),
    ],
)
def test_a_verdict_other_than_announced_is_refused(process: Process, change: dict, rule: str) -> None:
    back_to(process, 2)
    facts = statements.verdict(process.files, current_round(process.entries).in_force["stop"])
    with pytest.raises(RefusedError, match=rule):
        process.add("verdict", {**facts, **change}, AFTERWARDS)
    with pytest.raises(RefusedError, match="its stop tests are not those"):
        process.add("verdict", {**facts, "stop": {**facts["stop"], "margin": 0.9}}, AFTERWARDS)
    process.add("verdict", facts, AFTERWARDS)


def test_only_who_was_selected_is_named(process: Process) -> None:
    back_to(process, 3)
    with pytest.raises(RefusedError, match="the verdict selected g0: nobody else can be named"):
        process.name("g1")
    process.name()


def test_a_report_lies_after_the_window_and_in_the_past(process: Process) -> None:
    back_to(process, 4)
    for change, rule in (
        ({"from": "2026-08-20"}, "begins inside the window"),
        ({"to": "2026-12-31"}, "has not ended yet"),
        ({"to": "2026-09-01"}, "ends before it begins"),
    ):
        with pytest.raises(RefusedError, match=rule):
            process.add("progress", {**make_report(process), **change}, LATER)


def test_a_round_without_a_selection_is_over_with_its_verdict(tmp_path: Path) -> None:
    process = make_process(tmp_path, means=MEANS["no_selection"])
    process.announce()
    process.open()
    process.verdict()
    assert current_round(process.entries).phase == "over"
    with pytest.raises(RefusedError, match="is over"):
        process.name("g0")
    assert "Nobody was selected so far" in " ".join(standing_sentences(build_rounds(process.entries)))


def test_a_round_that_is_given_up_has_a_reason_and_retires_nobody(process: Process) -> None:
    back_to(process, 4)
    with pytest.raises(RefusedError, match="gives no reason"):
        process.add("ended", {"reason": ""})
    process.add("ended", {"reason": "The panel resigned."})
    assert process.terms()["retired"] == []
    assert build_rounds(process.entries)[0].phase == "over"


def test_the_next_round_does_not_rank_whom_victory_was_declared_over(process: Process, tmp_path: Path) -> None:
    """The whole way: the successor's choices are committed, announced as round 2, and the target is not in it."""
    case = process.case
    with pytest.raises(RefusedError, match="it ranks g0, over whom victory was declared"):
        process.announce(now=LATER)
    window = next_window(
        read_choices(case.assessment).methodology.window, date(2027, 1, 1), date(2027, 2, 25), None, None
    )
    write_successor(case.assessment, ("g0",), window, tmp_path / "rules")
    choices = read_choices(tmp_path / "rules")
    chain = commit(choices, case.key, panel=None, now=LATER)
    with pytest.raises(RefusedError, match="does not name the targets"):
        process.add("announced", {**process.terms(chain), "retired": [], "title": ""}, LATER, 2)
    entry = process.announce(chain, now=LATER)
    assert entry.facts["retired"] == ["g0"]
    assert sorted(entry.facts["organizations"]) == ["g1", "g2"]
    assert entry.round == 2
    assert not [check for check in verify_ledger(process.folder) if check.status == "fail"]


# The next round's choices.


def test_a_successor_keeps_all_but_the_window_and_who_is_ranked(process: Process, tmp_path: Path) -> None:
    folder = process.case.assessment
    before = read_choices(folder)
    window = next_window(before.methodology.window, date(2027, 1, 1), date(2027, 2, 25), date(2026, 12, 20), None)
    files = write_successor(folder, ("g0",), window, tmp_path / "rules")
    after = read_choices(tmp_path / "rules")
    assert set(files) == {"methodology.toml", "organizations.csv", "panel_weights.csv"}
    assert after.methodology == before.methodology.model_copy(update={"window": window})
    assert after.methodology.window.baseline_start == date(2026, 1, 1)
    ranked = dict(zip(after.organizations["organization_id"], after.organizations["rankable"], strict=True))
    assert ranked == {"g0": False, "g1": True, "g2": True}
    pd.testing.assert_frame_equal(after.panel_weights, before.panel_weights)


WINDOWED = """\
# A comment that stays.
extends = "kleiman-2011"
id = "x"
version = "1"
{before}
  [ window ]  # days
start = 2026-07-01
end = 2026-08-25   # last
baseline_start = 2026-01-01
{after}"""


@pytest.mark.parametrize("after", ["", "\n[score]\nper = 'none'\n", "[[scenario]]\nname = 'a'\nweights = 'equal'\n"])
@pytest.mark.parametrize("before", ["", "[decision]\nconfidence = 0.95\n"])
def test_the_window_of_a_methodology_is_exchanged_and_every_other_line_stays(before: str, after: str) -> None:
    text = WINDOWED.format(before=before, after=after)
    old = methodology_from_bytes(text.encode())
    window = Window(start=date(2027, 1, 1), end=date(2027, 2, 1))
    changed = with_window(text, window, old)
    assert methodology_from_bytes(changed.encode()) == old.model_copy(update={"window": window})
    days = ("start =", "end =", "baseline_start =", "announced =")
    kept = [line for line in text.splitlines() if line.strip() and "window" not in line and not line.startswith(days)]
    assert [line for line in changed.splitlines() if line in kept] == kept


@pytest.mark.parametrize(
    "text",
    [
        'extends = "kleiman-2011"\nid = "x"\nversion = "1"\nwindow = {start = 2026-07-01, end = 2026-08-25}\n',
        'extends = "kleiman-2011"\nid = "x"\nversion = "1"\nwindow.start = 2026-07-01\nwindow.end = 2026-08-25\n',
        'extends = "kleiman-2011"\nid = "x"\nversion = "1"\ndescription = """\n[window]\nstart\n"""\n'
        "[window]\nstart = 2026-07-01\nend = 2026-08-25\n",
    ],
)
def test_a_window_that_is_no_table_of_its_own_is_a_fault(text: str) -> None:
    window = Window(start=date(2027, 1, 1), end=date(2027, 2, 1))
    with pytest.raises(InputError, match="in one table"):
        with_window(text, window, methodology_from_bytes(text.encode()))


def test_a_successor_needs_known_targets_somebody_to_rank_and_a_window_in_order(
    process: Process, tmp_path: Path
) -> None:
    folder, window = process.case.assessment, Window(start=date(2027, 1, 1), end=date(2027, 2, 1))
    with pytest.raises(InputError, match="keep it, so that what it does is modelled"):
        write_successor(folder, ("g9",), window, tmp_path / "a")
    with pytest.raises(InputError, match="would rank nobody"):
        write_successor(folder, ("g0", "g1", "g2"), window, tmp_path / "a")
    with pytest.raises(InputError, match="lies before the start"):
        next_window(window, date(2027, 3, 1), date(2027, 2, 1), None, None)
    assert not (tmp_path / "a").exists()


# When to stop.


def test_standing_out_is_counted_inside_each_draw() -> None:
    draws = np.array([[10.0, 8, 1], [10, 7, 1], [4, 5, 5], [0, 0, 0], [6, 12, 15]])
    names = ["a", "b", "c"]
    from violencescore.montecarlo import read_scores

    found = stands_out(read_scores(draws, names), 0.25)
    assert found is not None
    assert found.p == pytest.approx(3 / 5)  # 10 against 8, 10 against 7, 15 against 12
    by_organization = first_probability(draws, 0.25, names=names)
    assert found.p == pytest.approx(sum(p.p for p in by_organization.values()))


def test_one_alone_stands_out_if_it_did_anything_and_a_margin_of_nothing_is_refused() -> None:
    from violencescore.montecarlo import read_scores

    alone = read_scores(np.array([[3.0], [0.0]]), ["a"])
    assert stands_out(alone, 0.25).p == 0.5
    with pytest.raises(ValueError, match="above 0"):
        stands_out(alone, 0.0)


@pytest.mark.parametrize(
    ("p", "mcse", "stops"), [(0.05, 0.01, True), (0.09, 0.01, False), (0.1, 0.001, False), (0.5, 0.01, False)]
)
def test_a_stop_test_is_met_by_more_than_the_monte_carlo_error(p: float, mcse: float, stops: bool) -> None:
    found = StopTests(0.25, 0.9, Probability(p, mcse), Probability(1 - p, mcse))
    assert found.nobody_stands_out == stops
    assert found.is_back_at_baseline == stops
    assert not StopTests(0.25, 0.9, None, None).nobody_stands_out
    assert not StopTests(0.25, 0.9, None, None).is_back_at_baseline


def test_the_stop_tests_of_a_verdict_are_those_of_its_draws(finished: Process) -> None:
    found = stop_tests(build_rounds(finished.entries)[0])
    assert found is not None
    decision = json.loads(finished.files["decision.json"])
    assert vars(found.not_above_baseline) == decision["p_not_above_baseline"]
    scores = finished.case.run.scores()
    values = scores.values.reshape(-1, 3)
    top = np.sort(values, axis=1)
    assert found.stands_out.p == pytest.approx((top[:, 2] >= 1.25 * top[:, 1]).mean())
    assert (found.margin, found.confidence) == (0.25, 0.9)
    said = " ".join(standing_sentences(build_rounds(finished.entries)))
    assert "Stop test 1" in said
    assert "Stop test 2" in said


def test_stop_tests_are_chosen_with_the_first_round_and_hold_on(tmp_path: Path) -> None:
    other = make_process(tmp_path / "other")
    other.announce(stop_margin=0.5, stop_confidence=0.8)
    assert other.entries[0].facts["stop"] == {"margin": 0.5, "confidence": 0.8}
    assert other.terms()["stop"] == {"margin": 0.5, "confidence": 0.8}
    for bad in ({"stop_margin": 0.0}, {"stop_confidence": 0.5}, {"stop_confidence": 1.0}):
        with pytest.raises(RefusedError, match="the stop tests need"):
            make_process(tmp_path / str(bad)).announce(**bad)


# How many were wrong.


def fake_round(number: int, selected: str | None, p: float, mcse: float, again: tuple[float, float] | None = None):
    class Fake:
        def __init__(self, facts: dict) -> None:
            self.facts = facts

    facts = {"selected": selected, "required": 0.9, "p_first": {"a": {"p": p, "mcse": mcse}}}
    restated = () if again is None else (Fake({"p_first": {"a": dict(zip(("p", "mcse"), again, strict=True))}}),)
    return Round(number, (), verdict=Fake(facts), restated=restated)


def test_the_error_budget_adds_up_what_selections_may_be_wrong() -> None:
    """By hand: 1 - 0.95 and 1 - 0.92 make 0.13; errors 0.003 and 0.004 make 0.005; nobody selected adds nothing."""
    rounds = [
        fake_round(1, "a", 0.95, 0.003, (0.5, 0.01)),
        fake_round(2, None, 0.4, 0.01),
        fake_round(3, "a", 0.92, 0.004),
    ]
    found = error_budget(rounds)
    assert found.selections == 2
    assert found.expected == pytest.approx(0.13)
    assert found.mcse == pytest.approx(0.005)
    assert found.allowed == pytest.approx(0.2)
    assert found.any_wrong == pytest.approx(1 - 0.95 * 0.92)
    again = error_budget(rounds, restated=True)
    assert again.expected == pytest.approx(0.58)
    assert error_budget(rounds).expected == found.expected


# What became of the violence.


def test_violence_per_day_is_that_of_the_draws(finished: Process) -> None:
    run = finished.case.run
    harms = run.posterior["harms"].to_dataset()
    found = violence(run.posterior, {"killing:police": 3.0, "killing": 1.5}, "g0")
    weights = np.array([3.0, 1.5])
    own = (harms["harm_realized"].sel(organization="g0").values @ weights) / 56
    everybody = (harms["harm_realized"].sum("organization").values + harms["harm_other"].values) @ weights / 56
    before = (harms["harm_baseline"].sel(organization="g0").values @ weights) / 181
    assert found["target"]["median"] == pytest.approx(np.median(own))
    assert found["target"]["high"] == pytest.approx(np.quantile(own, 0.95))
    assert found["rest"]["median"] == pytest.approx(np.median(everybody - own))
    assert found["total"]["low"] == pytest.approx(np.quantile(everybody, 0.05))
    assert found["target_ratio"]["median"] == pytest.approx(np.median(own / before))
    without = run.posterior.copy()
    without["harms"] = harms.drop_vars(["harm_baseline", "harm_other_baseline"])
    assert violence(without, {"killing:police": 3.0, "killing": 1.5}, None)["total_ratio"] is None


def test_a_market_share_is_taken_inside_each_draw(tmp_path: Path) -> None:
    methodology = METHODOLOGY.replace("[window]", '[score]\nper = "revenue"\n[window]')
    run = write_hand_run(tmp_path / "run", write_tables(tmp_path / "a", methodology=methodology))
    found = market_share(run.posterior, "g1")
    values = run.posterior["revenue"].to_dataset()["revenue"].values
    assert found == pytest.approx(
        {"kind": "revenue", **dict(zip(("low", "median", "high"), np.quantile(values[..., 1] / values.sum(-1), [0.05, 0.5, 0.95]), strict=True))}
    )  # fmt: skip
    assert 0.2 < found["median"] < 0.5


def test_enforcement_is_counted_on_and_off_the_target_with_intervals(tmp_path: Path) -> None:
    path = tmp_path / "actions.csv"
    path.write_text(
        "date,organization_id,count\n2026-09-10,g0,7\n2026-09-11,g1,2\n2026-09-30,other,1\n2026-10-01,g0,9\n"
    )
    found = read_actions(path, "g0", {"g0": "", "g1": ""}, date(2026, 9, 10), date(2026, 9, 30))
    assert found == Actions(on=7, off=3, outside=9)
    shown = found.to_json_dict(20.0)
    from scipy.stats import beta, gamma

    assert shown["share_on"]["low"] == pytest.approx(beta(7.5, 3.5).ppf(0.05))
    assert shown["on_per_day"]["high"] == pytest.approx(gamma(7.5, scale=1 / 20).ppf(0.95))
    assert Actions(0, 0, 0).to_json_dict(20.0)["share_on"] is None
    path.write_text("date,organization_id\n2026-09-10,g0\n2026-09-12,g0\n")
    assert read_actions(path, "g0", {"g0": ""}, date(2026, 9, 10), date(2026, 9, 30)).on == 2


def test_every_fault_of_a_table_of_actions_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "actions.csv"
    path.write_text("date,organization_id,count\n2026-13-01,g0,1\n2026-09-11,nobody,-2\n")
    with pytest.raises(InputError) as caught:
        read_actions(path, "g0", {"g0": ""}, date(2026, 9, 10), date(2026, 9, 30))
    assert [(fault.row, fault.column) for fault in caught.value.faults] == [
        (2, "date"), (3, "organization_id"), (3, "count"),
    ]  # fmt: skip
    path.write_text("day\n1\n")
    with pytest.raises(InputError, match="the column is missing"):
        read_actions(path, "g0", {"g0": ""}, date(2026, 9, 10), date(2026, 9, 30))


def test_a_report_needs_the_target_the_categories_and_convergence(process: Process, tmp_path: Path) -> None:
    back_to(process, 4)
    with pytest.raises(InputError, match="does not rank the target"):
        process.report(ids=["h0", "g1", "g2"])
    with pytest.raises(InputError, match="scores other categories"):
        process.report(
            methodology=METHODOLOGY.replace('victim_role = "police"', 'victim_role = "official"'), panel=None
        )
    run = process.later_run()
    unsure = write_hand_run(tmp_path / "unsure", run.folder.parent / "assessment", converged=False)
    with pytest.raises(RefusedError, match="has not converged"):
        statements.progress(unsure, current_round(process.entries))


def test_a_report_with_market_and_enforcement_is_entered_shown_and_drawn(process: Process, tmp_path: Path) -> None:
    back_to(process, 4)
    run = process.later_run(methodology=METHODOLOGY.replace("[window]", '[score]\nper = "revenue"\n[window]'))
    (tmp_path / "actions.csv").write_text(
        "date,organization_id,count\n2026-09-12,g0,8\n2026-10-01,other,2\n2026-12-01,g0,3\n"
    )
    facts = statements.progress(run, current_round(process.entries), tmp_path / "actions.csv")
    entry = process.add("progress", facts, LATER)
    said = " ".join(progress_sentences(entry.facts))
    assert re.search(r"Its share of revenue: \d\d\.\d \(\d\d\.\d–\d\d\.\d\) %", said)
    assert "Enforcement: 8 actions on the target, 2 on others" in said
    assert "3 outside the period are not counted" in said
    panels = rounds_figure(process.entries).axes
    assert [line.get_label() for line in panels[2].get_lines() if not line.get_label().startswith("_")] == [
        "target's share of revenue", "enforcement on the target",
    ]  # fmt: skip
    assert panels[2].get_lines()[1].get_ydata()[0] == facts["market"]["median"]


# Would we still?


def test_restated_data_score_an_old_round_again_and_leave_the_record(process: Process, tmp_path: Path) -> None:
    before = [path.read_bytes() for path in sorted(process.folder.iterdir())]
    restated = Path(shutil.copytree(process.case.assessment, tmp_path / "restated"))
    harms = (restated / "harms.csv").read_text().replace("CASE-001,killing,citizen,2", "CASE-001,killing,citizen,9")
    (restated / "harms.csv").write_text(harms)
    again = write_hand_run(tmp_path / "again", restated, means=MEANS["no_selection"])
    found = compare_runs(process.case.run, again, (process.case.assessment, restated))
    assert found.tables["harms"].n_changed == 1
    assert found.cause == "data"
    entry = process.add("restated", statements.restated(again, found), LATER, number=1)
    assert [path.read_bytes() for path in sorted(process.folder.iterdir())][: len(before)] == before
    (round_,) = build_rounds(process.entries)
    assert would_still(round_) is False
    assert round_.verdict.facts["selected"] == "g0"
    assert round_.phase == "over"
    assert entry.facts["change"]["tables"]["harms"]["changed"] == 1
    said = ledger_json(process.entries)
    assert said["rounds"][0]["would_still"] is False
    assert any(sentence.startswith("By the restated data") for sentence in said["said"])
    assert not [check for check in verify_ledger(process.folder) if check.status == "fail"]


def test_only_a_round_with_a_verdict_can_be_scored_again(tmp_path: Path) -> None:
    process = make_process(tmp_path)
    process.announce()
    found = compare_runs(process.case.run, process.case.run)
    with pytest.raises(RefusedError, match="no verdict that could be scored again"):
        process.add("restated", statements.restated(process.case.run, found), number=1)


def test_a_run_other_than_that_of_the_verdict_is_refused(process: Process, tmp_path: Path) -> None:
    other = write_hand_run(tmp_path / "other", process.case.assessment, means=(28, 12, 8))
    (round_,) = build_rounds(process.entries)
    statements.require_verdict_of(process.case.run, round_)
    with pytest.raises(InputError, match="is not the run that the verdict of round 1"):
        statements.require_verdict_of(other, round_)


# What is shown.


def test_a_verdict_that_does_not_follow_from_its_bundle_is_found(process: Process) -> None:
    back_to(process, 2)
    facts = statements.verdict(process.files, current_round(process.entries).in_force["stop"])
    better = {**facts["p_first"], "g0": {"p": 1.0, "mcse": 0.001}}
    process.add("verdict", {**facts, "p_first": better}, AFTERWARDS)
    checks = {c.name: c for c in verify_ledger(process.folder, bundles={"b": process.files})}
    (failed,) = (check for check in checks.values() if check.status == "fail")
    assert failed.details == ("p_first is not what follows from the bundle.",)


def test_a_bundle_of_no_verdict_and_a_changed_bundle_are_found(process: Process, tmp_path: Path) -> None:
    other = make_process(tmp_path).case.publish(tmp_path / "b")
    found = [c.name for c in verify_ledger(process.folder, bundles={"b": other}) if c.status == "fail"]
    assert found == ["b: a verdict of the ledger rests on it"]
    changed = {**process.files, "ranking.csv": b"x"}
    found = [c.name for c in verify_ledger(process.folder, bundles={"b": changed}) if c.status == "fail"]
    assert found == ["b: the bundle passes all its own checks"]


def test_the_figure_shows_verdicts_violence_and_shares(process: Process) -> None:
    figure = rounds_figure(process.entries)
    panels = figure.axes
    assert len(panels) == 2
    written = [text.get_text() for text in panels[0].texts]
    assert written == ["Amber named"]
    report = build_rounds(process.entries)[0].progress[0].facts["violence"]
    target = next(line for line in panels[1].get_lines() if line.get_label() == "target")
    assert target.get_ydata()[1] == report["target"]["median"]
    back_to(process, 1)
    assert [text.get_text() for text in rounds_figure(process.entries).axes[0].texts] == ["no verdict yet"]


def test_names_that_are_scripts_or_marks_are_shown_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    process = run_to(make_process(tmp_path, names=("$x_{1}$[red]", "<script>", "=1+1")), "named")
    assert cli.run(["rounds", "show", str(process.folder)]) == 0
    assert "$x_{1}$[red] named" in capsys.readouterr().out
    assert cli.run(["rounds", "figure", str(process.folder), "--out", str(tmp_path / "f.svg")]) == 0
    assert "<script>" not in (tmp_path / "f.svg").read_text()
    facts = {"reason": "\x1b[31mred\u202e"}
    process.add("ended", facts, LATER)
    assert cli.run(["rounds", "show", str(process.folder)]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed and "\u202e" not in printed


def test_the_commands_of_a_whole_round(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a rehearsal, since the window of the case lies where it lies."""
    process = make_process(tmp_path, rehearsal=True)
    case, ledger, key = process.case, tmp_path / "ledger", ["--key", str(tmp_path / "case" / "panel.key")]
    (tmp_path / "c.json").write_bytes(chain_bytes(case.chain))
    case.publish(tmp_path / "bundle", now=None)
    later = write_hand_run(tmp_path / "later", case.assessment, means=(9, 12, 8))
    (tmp_path / "actions.csv").write_text("date,organization_id\n2026-07-03,g0\n2026-07-09,g1\n")

    def run(*arguments: object) -> int:
        return cli.run(["rounds", *map(str, arguments)])

    assert run("announce", ledger, "--commitment", tmp_path / "c.json", "--stop-margin", 0.3, *key) == 0
    assert run("verdict", ledger, "--bundle", tmp_path / "bundle", *key) == 3
    assert run("open", ledger, *key) == 0
    assert run("verdict", ledger, "--bundle", tmp_path / "bundle", *key) == 0
    assert run("name", ledger, "--statement", "As announced.", *key) == 0
    assert (
        run("next", ledger, case.assessment, "--out", tmp_path / "n", "--start", "2027-01-01", "--end", "2027-02-01")
        == 3
    )
    assert run("progress", ledger, "--run", later.folder, "--actions", tmp_path / "actions.csv", *key) == 0
    assert run("victory", ledger, "--reason", "Done.", *key) == 0
    capsys.readouterr()
    assert run("restate", ledger, "--run", later.folder, "--was", case.run.folder, "--json", *key) == 0
    assert json.loads(capsys.readouterr().out)["facts"]["change"]["cause"] == "unexplained"
    assert run("restate", ledger, "--run", case.run.folder, "--was", case.run.folder, *key) == 0
    assert "Would we still? Yes" in capsys.readouterr().out
    assert run("restate", ledger, "--run", later.folder, "--was", case.run.folder, "--round", 7, *key) == 2
    assert (
        run("next", ledger, case.assessment, "--out", tmp_path / "n", "--start", "2027-01-01", "--end", "2027-02-01")
        == 0
    )
    capsys.readouterr()
    assert run("show", ledger, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["rounds"][0]["stop"]["margin"] == 0.3
    assert shown["error_budget"]["selections"] == 1
    assert len(shown["entries"]) == 8
    assert run("verify", ledger, "--head", shown["head"], "--bundle", tmp_path / "bundle", "--json") == 0
    assert json.loads(capsys.readouterr().out)["passed"]
    assert run("verify", ledger, "--head", "0" * 64) == 3
    assert run("figure", ledger, "--out", tmp_path / "f.png") == 0
    assert run("figure", ledger, "--out", tmp_path / "f.docx") == 2
    assert run("end", ledger, "--reason", "x", *key) == 3
    assert run("open", tmp_path / "none", *key) == 2
    (tmp_path / "bundle" / "ranking.csv").write_text("x")
    assert run("verdict", ledger, "--bundle", tmp_path / "bundle", *key) == 3
