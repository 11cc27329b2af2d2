"""The passport: margins, what a methodology requires of them, the run folder, the command."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from robustness_cases import fitted_basis, hand_made, normal_harm

from violencescore import cli
from violencescore.errors import InputError
from violencescore.fitting import Fit
from violencescore.methodology import methodology_from_dict
from violencescore.publication.margins import MARGINS_FILE, margins_content, read_margins
from violencescore.report.page import page_parts
from violencescore.report.robustness import passport_rows, passport_section
from violencescore.report.sentences import verdict_sentence
from violencescore.robustness.margins import Margin, check_required, margin_from_json
from violencescore.robustness.parts import PARTS, chosen_parts
from violencescore.robustness.passport import examine_parts, margins_of, merge_record
from violencescore.robustness.record import basis_of, keep_passport, write_results
from violencescore.robustness_choices import MARGINS, Robustness, Unit
from violencescore.runs import load_run
from violencescore.verdict import require_margins


def margin(name: str = "handful", value: float = 3.0, mcse: float = 0.0, **changes: object) -> Margin:
    plain = Margin(name, "g0", value, value - 2 * mcse, value + 2 * mcse, mcse, "incidents", "A sentence.", "draws")
    return dataclasses.replace(plain, **changes)


def sure_harm() -> np.ndarray:
    harm = normal_harm(2000)
    harm[:, 0] += 40.0
    return harm


# Margins and what is required.


@pytest.mark.parametrize("value", [3.0, 0.25, np.inf, np.nan])
def test_a_margin_is_read_back_as_it_was_written(value: float) -> None:
    written = margin(value=value)
    again = margin_from_json(json.loads(json.dumps(written.to_json_dict())))
    assert again.sentence == written.sentence
    np.testing.assert_equal(again.value, value)


@pytest.mark.parametrize(
    ("found", "minimum", "holds"),
    [(3.0, 3.0, True), (3.0, 4.0, False), (np.inf, 50.0, True), (np.nan, 0.0, False)],
)
def test_a_required_margin_holds_where_its_value_is_enough(found: float, minimum: float, holds: bool) -> None:
    checked = check_required(Robustness(minimum={"handful": minimum}), [margin(value=found)])
    assert [r.holds for r in checked] == [holds]


def test_a_margin_is_enough_only_beyond_its_monte_carlo_error() -> None:
    rule = Robustness(minimum={"escape_margin": 0.2})
    near = margin("escape_margin", 0.21, 0.01)
    assert not check_required(rule, [near])[0].holds
    assert check_required(rule, [margin("escape_margin", 0.21, 0.001)])[0].holds
    assert not check_required(rule, [near, margin("escape_margin", 0.209, 0.0)])[0].holds


def test_the_least_of_several_margins_of_a_name_counts() -> None:
    rule = Robustness(minimum={"handful": 3.0})
    assert not check_required(rule, [margin(value=9.0), margin(value=2.0)])[0].holds


def test_nobody_is_selected_without_the_margins_that_are_required() -> None:
    basis = hand_made(sure_harm())
    assert basis.decision.outcome == "selected"
    rule = Robustness(minimum={"handful": 5.0}, otherwise="extend")
    unknown = require_margins(basis.decision, rule, [])
    assert (unknown.outcome, unknown.selected, unknown.selected_score) == ("extend", None, None)
    assert "were examined" in unknown.reasons[0]
    assert unknown.reasons[1] == "Handful: not examined, 5 or more required."
    assert "have not been examined" in verdict_sentence(unknown)
    short = require_margins(basis.decision, rule, [margin(value=4.0)])
    assert short.reasons[1] == "Handful: 4 found, 5 or more required: not enough."
    assert "not robust enough" in verdict_sentence(short)
    enough = require_margins(basis.decision, rule, [margin(value=5.0)])
    assert (enough.outcome, enough.selected) == ("selected", "g0")
    assert "Handful: 5 found, 5 or more required." in enough.reasons


def test_other_outcomes_ask_for_no_margins() -> None:
    decision = hand_made(normal_harm(2000)).decision
    assert decision.outcome != "selected"
    asked = require_margins(decision, Robustness(minimum={"handful": 5.0}), [])
    assert (asked.outcome, asked.reasons) == (decision.outcome, decision.reasons)
    assert [part.holds for part in asked.required_margins] == [False]


def test_a_methodology_may_require_only_margins_that_there_are() -> None:
    base = {"extends": "kleiman-2011", "robustness": {"minimum": {"staging_bugdet": 3.0}}}
    with pytest.raises(InputError, match="names no margin: staging_bugdet; there are escape_margin"):
        methodology_from_dict(base)
    base["robustness"] = {"minimum": {"staging_budget": 3.0, "handful": 2}, "otherwise": "extend"}
    assert methodology_from_dict(base).robustness.minimum == {"staging_budget": 3.0, "handful": 2.0}


@pytest.mark.parametrize(
    ("unit", "fault"),
    [
        ({"name": "u", "kind": "split", "divide": "a"}, "regions or since"),
        ({"name": "u", "kind": "merger", "join": ["a"]}, "two organizations or more"),
        ({"name": "u", "kind": "alliance", "join": ["a", "a"]}, "two organizations or more"),
    ],
)
def test_a_unit_says_what_it_joins_or_divides(unit: dict, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Unit.model_validate(unit)


def test_units_have_names_of_their_own() -> None:
    unit = {"name": "u", "kind": "merger", "join": ["a", "b"]}
    with pytest.raises(ValueError, match="more than once: u"):
        Robustness.model_validate({"unit": [unit, unit]})


# The passport.


def test_parts_that_need_tables_say_so_and_the_others_are_answered() -> None:
    passport = examine_parts(hand_made(sure_harm()), PARTS)
    answered = {finding.part for finding in passport.findings}
    # Nothing is known of revenues there.
    assert answered == {part.name for part in PARTS if not part.needs_tables} - {"revenue"}
    assert set(passport.left_out) == {part.name for part in PARTS if part.needs_tables} | {"revenue"}
    assert "--assessment" in passport.left_out["staging"]


def test_every_margin_that_may_be_required_is_one_that_a_part_gives(small_fit: Fit, assessment_folder: Path) -> None:
    basis = fitted_basis(small_fit, assessment_folder)
    if basis.decision.outcome == "not_estimable":
        pytest.fail("the small fit has no verdict")
    passport = examine_parts(basis, PARTS)
    found = {margin.name for margin in passport.margins}
    of_revenue = {f"{kind}_{what}" for kind in ("revenue", "flow") for what in ("agreement", "break_even")}
    assert found >= set(MARGINS) - {"units", "any_answer"} - of_revenue
    for finding in passport.findings:
        for table in finding.tables.values():
            assert {"estimand", "method"} <= table.attrs.keys()
    assert set(passport.left_out) == {"revenue"}
    # A bundle can hold each of them.
    rule = Robustness(minimum={m.name: 0.0 for m in passport.margins if m.name in MARGINS})
    wanted = basis.methodology.model_copy(update={"robustness": rule})
    content = margins_content(passport.margins, wanted)
    again = read_margins({MARGINS_FILE: content}, wanted, basis.names)
    assert [m.name for m in again] == [m.name for m in passport.margins if m.name in MARGINS]


def test_parts_are_chosen_by_name_in_the_order_of_the_passport() -> None:
    assert [part.name for part in chosen_parts(["units", "deterrence"])] == ["deterrence", "units"]
    assert chosen_parts([]) == PARTS
    with pytest.raises(InputError, match="is no part of the passport; there are deterrence"):
        chosen_parts(["detterence", "units"])


def test_an_earlier_passport_keeps_the_parts_that_were_not_examined_now() -> None:
    basis = hand_made(sure_harm())
    first = examine_parts(basis, chosen_parts(["deterrence"]))
    record = merge_record(None, first)
    kept = {**record, "margins": [*record["margins"], {**margin().to_json_dict(), "part": "handful"}]}
    kept["parts"] = {**record["parts"], "handful": ["A note."]}
    again = merge_record(kept, first)
    names = [m.name for m in margins_of(again)]
    assert sorted(names) == ["deterrence_gradient", "escape_margin", "handful"]
    assert "handful" in again["parts"]


def test_a_run_keeps_its_passport_and_decides_by_it(own_run: Path) -> None:
    run = load_run(own_run)
    assert run.margins == ()
    passport = examine_parts(basis_of(run), chosen_parts(["deterrence"]))
    keep_passport(run, passport)
    again = load_run(own_run)
    assert [m.name for m in again.margins] == ["escape_margin", "deterrence_gradient"]
    assert again.decide().outcome == run.decide().outcome
    (own_run / "robustness.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="was changed after the run was written"):
        load_run(own_run)


def test_rows_of_the_page_show_what_is_required_and_escape_what_is_hostile() -> None:
    hostile = margin(sentence="a\u202eb <script>", value=np.inf)
    rows = passport_rows([hostile, margin("escape_margin", 0.21, 0.01, unit="share")], [
        {"name": "handful", "minimum": 3.0, "holds": True, "sentence": ""}
    ])  # fmt: skip
    assert rows[0]["value"] == "none found"
    assert rows[0]["holds"]
    assert "\u202e" not in rows[0]["sentence"]
    assert rows[1]["value"] == "21 %"
    assert rows[1]["interval"] == "19 % – 23 %"
    assert passport_section(None, ()) is None


def test_tables_and_figures_are_written_whole(tmp_path: Path) -> None:
    passport = examine_parts(hand_made(sure_harm()), PARTS)
    folder = tmp_path / "out"
    write_results(passport, PARTS, {"g0": "=cmd()"}, folder)
    names = {path.name for path in folder.iterdir()}
    assert {"deterrence-escape.csv", "deterrence-escape.svg", "deterrence-who-gains.svg"} <= names
    table = pd.read_csv(folder / "deterrence-gradient.csv")
    assert table["estimand"].str.startswith("percentage points").all()


# The command.


def test_the_command_prints_json_and_keeps_the_passport(own_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["robustness", str(own_run), "--part", "deterrence", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {m["name"] for m in found["margins"]} == {"escape_margin", "deterrence_gradient"}
    assert found["tables"]["deterrence"]["escape"]["estimand"]
    assert (own_run / "robustness.json").is_file()


def test_the_command_prints_a_page_and_says_what_was_left_out(
    own_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["robustness", str(own_run), "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert "What would change the verdict" in shown
    assert "Not examined: staging" in shown
    assert (tmp_path / "out" / "deterrence-escape.svg").is_file()


def test_the_command_refuses_parts_that_do_not_exist_and_negative_refits(
    own_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["robustness", str(own_run), "--part", "nothing"]) == 2
    assert "is no part of the passport" in capsys.readouterr().err
    assert cli.run(["robustness", str(own_run), "--refits", "-1"]) == 2
    assert not (own_run / "robustness.json").exists()


def test_the_page_has_a_section_of_the_passport(own_run: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert cli.run(["report", str(own_run), "--out", str(page)]) == 0
    assert page_parts(page.read_text(encoding="utf-8"))[1]["robustness"] is None
    run = load_run(own_run)
    keep_passport(run, examine_parts(basis_of(run), chosen_parts(["deterrence"])))
    assert cli.run(["report", str(own_run), "--out", str(page)]) == 0
    shown = page_parts(page.read_text(encoding="utf-8"))[1]["robustness"]
    assert "escape margin" in [row["name"] for row in shown["rows"]]
