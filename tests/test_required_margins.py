"""A selection that rests on margins: its bundle, its ledger and its page carry them, and whoever alters them is found."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from publication_cases import AFTERWARDS, MEANS, METHODOLOGY, Case, change_json, make_case
from rounds_cases import Process, run_to

from violencescore import cli
from violencescore.errors import InputError, RefusedError
from violencescore.methodology import Methodology
from violencescore.publication import small_verifier
from violencescore.publication.commitment import chain_bytes
from violencescore.publication.margins import MARGINS_FILE, margins_content, read_margins
from violencescore.publication.phrases import LANGUAGES, SENTENCES, WORDS
from violencescore.publication.verify import has_passed, verify
from violencescore.report.page import page_parts
from violencescore.report.rounds import entry_sentence
from violencescore.robustness.findings import Finding
from violencescore.robustness.margins import Margin
from violencescore.robustness.parts import chosen_parts
from violencescore.robustness.passport import build_passport, examine_parts
from violencescore.robustness.record import basis_of, keep_passport
from violencescore.robustness_choices import MARGIN_UNITS, MARGINS
from violencescore.rounds import statements
from violencescore.rounds.facts import fact_faults
from violencescore.rounds.history import current_round
from violencescore.rounds.verification import verify_ledger
from violencescore.runs import load_run

REQUIRES = METHODOLOGY + "\n[robustness]\nminimum = { escape_margin = 0.1, handful = 3 }\n"
EXTENDS = REQUIRES + 'otherwise = "extend"\n'
SECRET = "Without CASE-001 and CASE-002 nobody would be named."


def handful(value: float = 4.0, low: float | None = None) -> Margin:
    low = value if low is None else low
    return Margin("handful", "g0", value, low, value, 0.0, "incidents", SECRET, "refit")


def examined(case: Case, *margins: Margin) -> Case:
    """The case with a passport: the escape margin as its draws give it, and margins that need incidents by hand."""
    passport = examine_parts(basis_of(case.run), chosen_parts(["deterrence"]))
    by_hand = Finding("handful", {}, margins, (SECRET,))
    keep_passport(case.run, build_passport((*passport.findings, by_hand), {}, passport.decision, case.run.methodology))
    return replace(case, run=load_run(case.run.folder))


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return examined(make_case(tmp_path_factory.mktemp("case"), methodology=REQUIRES), handful())


@pytest.fixture(scope="module")
def files(case: Case, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return case.publish(tmp_path_factory.mktemp("bundle") / "b")


def failed(files: dict[str, bytes]) -> str:
    return "\n".join(f"{c.name}: {' '.join(c.details)}" for c in verify(files) if c.status == "fail")


def small_faults(files: dict[str, bytes], folder: Path) -> list[str]:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return [what for what, holds in small_verifier.verify(folder) if not holds]


# What a bundle says.


def test_a_selection_that_rests_on_margins_is_published_and_passes_both_verifiers(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    decision = json.loads(files["decision.json"])
    assert (decision["outcome"], decision["selected"]) == ("selected", "g0")
    required = {part["name"]: part for part in decision["required_margins"]}
    assert [required["handful"][key] for key in ("minimum", "holds")] == [3.0, True]
    assert required["handful"]["found"]["value"] == 4.0
    assert required["handful"]["found"]["method"] == "refit"
    checks = verify(files)
    assert has_passed(checks), failed(files)
    names = [check.name for check in checks]
    assert "The escape margin follows from the draws" in names
    assert "Required of a selection: handful, 3 or more" in names
    assert small_faults(files, tmp_path / "b") == []


def test_what_cannot_be_checked_is_said(files: dict[str, bytes]) -> None:
    stated = next(check for check in verify(files) if check.name == "Taken as stated")
    assert "all but the escape margin rest on single incidents" in " ".join(stated.details)
    assert b"what was found of 1 is the publisher's word" in files["announcement.en.txt"]


def test_the_announcement_says_what_was_required_and_found_in_both_languages(files: dict[str, bytes]) -> None:
    english, spanish = (files[f"announcement.{language}.txt"].decode() for language in LANGUAGES)
    assert "(the fewest found), 3 or more. Found: 4." in english
    assert "(el menor número hallado), 3 o más. Se halló: 4." in spanish
    assert "Required besides, whatever error is left" in english


def test_the_page_says_what_was_required_and_found_in_both_languages(files: dict[str, bytes]) -> None:
    _, data = page_parts(files["page.html"].decode())
    assert "Found: 4." in data["required"]["en"][1]
    assert "Se halló: 4." in data["required"]["es"][1]
    assert [(row["name"], row["value"], row["minimum"]) for row in data["robustness"]["rows"]][1] == (
        "handful",
        "4",
        "3",
    )
    assert data["decision"]["held_back"] is None


def test_nothing_on_single_incidents_leaves_through_margins(case: Case, files: dict[str, bytes]) -> None:
    assert SECRET in (case.run.folder / "robustness.json").read_text()
    assert not [path for path, content in files.items() if b"CASE-0" in content]
    assert [row["name"] for row in json.loads(files[MARGINS_FILE])["margins"]] == ["escape_margin", "handful"]


def test_only_margins_that_are_required_are_published(case: Case) -> None:
    wanted = Methodology.model_validate(
        {**case.run.methodology.model_dump(), "robustness": {"minimum": {"handful": 1}}}
    )
    assert [row["name"] for row in json.loads(margins_content(case.run.margins, wanted))["margins"]] == ["handful"]


@pytest.mark.parametrize(("methodology", "outcome"), [(REQUIRES, "no_selection"), (EXTENDS, "extend")])
@pytest.mark.parametrize(
    ("margins", "said"),
    [
        ([handful(2.0)], "Found: 2. That is not enough."),
        ([handful(4.0, 2.0)], "Found: 4, between 2 and 4. That is not enough."),
        ([handful(float("nan"))], "It could not be told."),
        ([], "It was not examined."),
    ],
    ids=["short", "may be short", "not told", "not examined"],
)
def test_a_verdict_that_is_not_robust_enough_is_published_as_such(
    tmp_path: Path, methodology: str, outcome: str, margins: list[Margin], said: str
) -> None:
    case = examined(make_case(tmp_path / "case", methodology=methodology), *margins)
    files = case.publish(tmp_path / "b", unexamined=not margins)
    assert json.loads(files["decision.json"])["outcome"] == outcome
    text = files["announcement.en.txt"].decode()
    assert "which clears the required 0.9, but not all that the rules require besides was found." in text
    assert said in text
    assert page_parts(files["page.html"].decode())[1]["decision"]["held_back"] in ("short", "unexamined")
    assert failed(files) == ""
    assert small_faults(files, tmp_path / "b") == []


def test_a_margin_without_limit_says_so_and_passes(tmp_path: Path) -> None:
    case = examined(make_case(tmp_path / "case", methodology=REQUIRES), handful(float("inf")))
    files = case.publish(tmp_path / "b")
    assert "Found: nothing within reach changes the verdict." in files["announcement.en.txt"].decode()
    assert failed(files) == ""
    assert small_faults(files, tmp_path / "b") == []


@pytest.mark.parametrize("outcome", ["no_selection", "extend", "not_estimable"])
def test_other_outcomes_are_published_without_a_passport(tmp_path: Path, outcome: str) -> None:
    more = {"means": MEANS.get(outcome, (9, 8, 7)), "converged": outcome != "not_estimable"}
    files = make_case(tmp_path / "case", methodology=REQUIRES, **more).publish(tmp_path / "b")
    assert json.loads(files["decision.json"])["outcome"] == outcome
    assert failed(files) == ""
    assert small_faults(files, tmp_path / "b") == []


def test_every_margin_that_may_be_required_has_its_words_and_its_unit() -> None:
    assert set(MARGINS) == set(MARGIN_UNITS) <= set(WORDS)
    assert not [key for key in MARGINS if any(digit in WORDS[key]["en"] for digit in "0123456789")]
    assert all(f"margin.{kind}" in SENTENCES for kind in ("holds", "short", "untold", "unknown", "rule", "stated"))


# What is refused.


def test_a_run_that_was_not_examined_is_not_published_as_nobody_named(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case", methodology=REQUIRES)
    with pytest.raises(RefusedError, match="violencescore robustness"):
        case.publish(tmp_path / "b")
    assert not (tmp_path / "b").exists()
    with pytest.raises(RefusedError, match="not examined: handful"):
        examined(case).publish(tmp_path / "b")


def test_a_passport_that_does_not_follow_from_the_draws_is_not_published(case: Case, tmp_path: Path) -> None:
    wrong = replace(case.run.margins[0], value=0.5, low=0.4, high=0.6)
    run = load_run(case.run.folder)
    run.__dict__["margins"] = (wrong, *case.run.margins[1:])
    with pytest.raises(RefusedError, match="from the draws follows"):
        replace(case, run=run).publish(tmp_path / "b")


def change_margin(**changes: object) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    def of_handful(value: dict) -> None:
        value["margins"][1].update(changes)

    return lambda files: change_json(files, MARGINS_FILE, of_handful)


def change_row(change: Callable[[list], object]) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda files: change_json(files, MARGINS_FILE, lambda value: change(value["margins"]))


FORGED: dict[str, Callable[[dict[str, bytes]], dict[str, bytes]]] = {
    "removed file": lambda files: {path: content for path, content in files.items() if path != MARGINS_FILE},
    "removed margin": change_row(lambda rows: rows.pop()),
    "no margins": change_row(lambda rows: rows.clear()),
    "altered": change_margin(value=9.0, high=9.0),
    "below": change_margin(value=2.0, low=2.0, high=2.0),
    "null": change_margin(value=None),
    "text": change_margin(value="4"),
    "true": change_margin(value=True),
    "a list": change_margin(value=[4]),
    "huge": change_margin(value=1e300, high=1e300),
    "negative": change_margin(value=-1.0, low=-1.0),
    "upside down": change_margin(low=5.0),
    "no whole number": change_margin(value=3.5, low=3.5),
    "negative error": change_margin(mcse=-1.0),
    "another unit": change_margin(unit="share"),
    "another meaning": change_margin(meaning="Barrio 18 did it"),
    "an unknown organization": change_margin(organization="g9"),
    "a story for a method": change_margin(method="refit without CASE-001"),
    "one that is not required": change_margin(name="units"),
    "one more key": change_margin(sentence=SECRET),
    "a second margin": change_row(lambda rows: rows.append({**rows[1], "value": 1.0, "low": 1.0})),
    "too many": change_row(lambda rows: rows.extend([rows[1]] * 200)),
    "escape margin altered": change_row(lambda rows: rows[0].update(value=rows[0]["value"] + 0.01)),
    "escape margin of another": change_row(lambda rows: rows[0].update(organization="g1")),
    "NaN": lambda files: {**files, MARGINS_FILE: files[MARGINS_FILE].replace(b'"value": 4.0', b'"value": NaN')},
    "beyond a number": lambda files: {
        **files,
        MARGINS_FILE: files[MARGINS_FILE].replace(b'"value": 4.0', b'"value": 1e999'),
    },
    "a long integer": lambda files: {
        **files,
        MARGINS_FILE: files[MARGINS_FILE].replace(b'"value": 4.0', b'"value": ' + b"9" * 400),
    },
    "no JSON": lambda files: {**files, MARGINS_FILE: b"margins"},
    "no object": lambda files: {**files, MARGINS_FILE: b"[]"},
    "not what the decision says": lambda files: change_json(
        files, "decision.json", lambda d: d["required_margins"][1].update(minimum=1.0)
    ),
    "not what the decision holds": lambda files: change_json(
        files, "decision.json", lambda d: d["required_margins"][0].update(holds=False)
    ),
}
HARMLESS = {"too many"}
"""To the small verifier: copies of what stands there already say nothing new."""


@pytest.mark.parametrize("forgery", FORGED)
def test_margins_that_were_altered_are_found_with_and_without_the_panels_key(
    case: Case, files: dict[str, bytes], tmp_path: Path, forgery: str
) -> None:
    forged = FORGED[forgery](files)
    assert forged != files
    assert "digest is another" in failed(forged) or "missing" in failed(forged)
    signed = case.sign(forged)
    assert failed(signed) != ""
    assert small_faults(files={**forged}, folder=tmp_path / "unsigned") != []
    if forgery not in HARMLESS:
        assert small_faults(signed, tmp_path / "signed") != []


def test_a_bundle_that_selects_below_the_minimum_is_refused_whatever_else_is_forged(
    case: Case, files: dict[str, bytes], tmp_path: Path
) -> None:
    """The key's owner lowers what was found in every file that says it, and keeps the name."""
    forged = FORGED["below"](files)
    for path in ("decision.json", "claims.json", "page.html", *(f"announcement.{lang}.txt" for lang in LANGUAGES)):
        forged[path] = forged[path].replace(b"4.0", b"2.0").replace(b": 4.", b": 2.")
    signed = case.sign(forged)
    assert "Required of a selection: handful, 3 or more" in failed(signed)
    assert small_faults(signed, tmp_path / "b") != []


def test_margins_that_nothing_requires_are_refused(tmp_path: Path, files: dict[str, bytes]) -> None:
    plain = make_case(tmp_path / "case")
    more = plain.sign({**plain.publish(tmp_path / "b"), MARGINS_FILE: files[MARGINS_FILE]})
    assert "requires no margins" in failed(more)
    assert small_faults(more, tmp_path / "more") != []


def test_all_faults_of_a_file_are_told_at_once(case: Case, files: dict[str, bytes]) -> None:
    forged = change_row(lambda rows: [row.update(unit="x", method="y") for row in rows])(files)
    with pytest.raises(InputError) as raised:
        read_margins(forged, case.run.methodology, {"g0": "Amber"})
    assert len(raised.value.faults) == 4


def test_a_minimum_that_was_not_committed_is_refused(case: Case, tmp_path: Path) -> None:
    other = make_case(tmp_path / "o", methodology=REQUIRES.replace("handful = 3", "handful = 4"))
    with pytest.raises(RefusedError, match=r"methodology\.robustness\.minimum\.handful"):
        replace(case, chain=other.chain, key=other.key).publish(tmp_path / "b")


# The ledger.


def test_a_round_whose_rules_require_margins_runs_to_a_name_and_is_verified(tmp_path: Path, case: Case) -> None:
    process = Process(case, tmp_path / "ledger")
    run_to(process, "named")
    found = next(entry for entry in process.entries if entry.kind == "verdict")
    assert [part["holds"] for part in found.facts["required_margins"]] == [True, True]
    assert "Handful 4, 3 required." in entry_sentence(found, {"g0": "Amber"})
    checks = verify_ledger(process.folder, bundles={"b": process.files})
    assert not [check for check in checks if check.status == "fail"]


def test_a_round_that_is_not_robust_enough_names_nobody(tmp_path: Path) -> None:
    case = examined(make_case(tmp_path / "case", methodology=REQUIRES), handful(2.0))
    process = Process(case, tmp_path / "ledger")
    run_to(process, "verdict")
    found = process.entries[-1]
    assert (found.facts["outcome"], found.facts["selected"]) == ("no_selection", None)
    assert "Handful 2, 3 required: not enough." in entry_sentence(found, {"g0": "Amber"})
    checks = verify_ledger(process.folder, bundles={"b": process.files})
    assert not [check for check in checks if check.status == "fail"]


def test_a_ledger_cannot_select_without_the_margins(tmp_path: Path, case: Case) -> None:
    process = Process(case, tmp_path / "ledger")
    process.announce()
    process.open()
    process.files = case.publish(tmp_path / "b")
    facts = statements.verdict(process.files, current_round(process.entries).in_force["stop"])
    facts["required_margins"][1]["holds"] = False
    with pytest.raises(RefusedError, match="without the margins that are required"):
        process.add("verdict", facts, AFTERWARDS)


@pytest.mark.parametrize("value", [float("nan"), "many", -1.0, True])
def test_an_entry_with_a_margin_that_is_none_is_refused(files: dict[str, bytes], value: object) -> None:
    facts = statements.verdict(files, {"margin": 0.25, "confidence": 0.9})
    assert fact_faults("verdict", facts) == ()
    facts["required_margins"][1]["found"]["value"] = value
    assert fact_faults("verdict", facts) != ()


# The commands.


def test_a_required_margin_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    requires = METHODOLOGY + "\n[robustness]\nminimum = { escape_margin = 0.1 }\n"
    case = make_case(tmp_path, methodology=requires, rehearsal=True)
    (tmp_path / "c.json").write_bytes(chain_bytes(case.chain))

    def run(*arguments: object) -> int:
        return cli.run([str(argument) for argument in arguments])

    given = ("publish", case.run.folder, "--commitment", tmp_path / "c.json", "--key", tmp_path / "panel.key")
    assert run("decide", case.run.folder) == 0
    assert "violencescore robustness" in capsys.readouterr().out
    assert run(*given, "--out", tmp_path / "b") == 3
    assert "were not examined" in " ".join(capsys.readouterr().err.split())
    assert run(*given, "--out", tmp_path / "nobody", "--unexamined") == 0
    assert "It was not examined." in capsys.readouterr().out
    assert run("robustness", case.run.folder, "--part", "deterrence") == 0
    capsys.readouterr()
    assert run("decide", case.run.folder) == 0
    assert "0.1 or more required" in capsys.readouterr().out
    assert run(*given, "--out", tmp_path / "b") == 0
    assert "Amber is named" in capsys.readouterr().out
    assert run("verify", tmp_path / "b", "--commitment", tmp_path / "c.json") == 0
    assert "The escape margin follows from the draws" in capsys.readouterr().out
