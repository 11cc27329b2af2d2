"""A bundle: what it holds, that nothing in it disagrees, what it does not tell, and what is refused."""

import csv
import json
import re
from io import StringIO
from pathlib import Path

import pytest
from publication_cases import (
    AFTERWARDS,
    BEFORE,
    MEANS,
    METHODOLOGY,
    PANEL,
    Case,
    change_json,
    make_case,
    write_hand_run,
    write_tables,
)

from violencescore import cli
from violencescore.assessment import read_assessment, read_choices
from violencescore.errors import InputError, RefusedError
from violencescore.publication import small_verifier
from violencescore.publication.commitment import chain_bytes, commit
from violencescore.publication.disclosure import disclosed_tables, input_files, leaked_ids, level_faults
from violencescore.publication.keys import make_key
from violencescore.publication.panelists import open_panel
from violencescore.publication.phrases import HEADINGS, LANGUAGES, SENTENCES, WORDS
from violencescore.publication.publish import Disclosed, publish, run_differences
from violencescore.publication.tabular import csv_bytes, read_text_table
from violencescore.publication.verify import Check, has_passed, verify
from violencescore.runs import add_scenarios, load_run
from violencescore.scenarios import missing_result

NUMBER = re.compile(r"\d+(?:\.\d+)?")
USE_PANEL = METHODOLOGY + '\n[weights]\nuse = "panel"\n'


def failed(checks: tuple[Check, ...]) -> str:
    return "\n".join(f"{check.name}: {' '.join(check.details)}" for check in checks if check.status == "fail")


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return make_case(tmp_path_factory.mktemp("case"))


@pytest.fixture(scope="module")
def files(case: Case, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return case.publish(tmp_path_factory.mktemp("bundle") / "b")


# What a bundle holds.


def test_a_bundle_is_a_data_package_of_all_its_files(files: dict[str, bytes], case: Case, tmp_path: Path) -> None:
    case.publish(tmp_path / "b")
    written = {path.relative_to(tmp_path / "b").as_posix() for path in (tmp_path / "b").rglob("*") if path.is_file()}
    assert written == set(files)
    package = json.loads(files["datapackage.json"])
    assert {entry["path"] for entry in package["resources"]} == written - {"datapackage.json", "signature.json"}
    scores = next(entry for entry in package["resources"] if entry["path"] == "draws/scores.csv")
    kinds = {field["name"]: field["type"] for field in scores["schema"]["fields"]}
    assert kinds == {"chain": "integer", "draw": "integer", "g0": "number", "g1": "number", "g2": "number"}


@pytest.mark.parametrize("outcome", ["selected", "no_selection", "extend", "not_estimable"])
def test_a_bundle_of_every_outcome_passes_all_checks(tmp_path: Path, outcome: str) -> None:
    case = make_case(tmp_path, means=MEANS.get(outcome, (9, 8, 7)), converged=outcome != "not_estimable")
    files = case.publish(tmp_path / "b")
    assert json.loads(files["decision.json"])["outcome"] == outcome
    checks = verify(files, published=case.chain[-1].sha256, key=case.chain[-1].statement["public_key"])
    assert has_passed(checks), failed(checks)
    assert [check.name for check in checks if check.status == "unchecked"] == ["Taken as stated"]


@pytest.mark.parametrize(
    ("methodology", "more"),
    [
        (METHODOLOGY.replace("[window]", '[score]\nestimand = "rate"\n[window]'), {}),
        (METHODOLOGY.replace("[window]", "[decision]\nmargin = 0.05\n[window]"), {}),
        (METHODOLOGY, {"panel": ""}),
        (USE_PANEL, {}),
        (USE_PANEL, {"sealed": True}),
        (METHODOLOGY, {"sealed": True}),
        (METHODOLOGY, {"names": ("Solo",), "means": (9,)}),
    ],
    ids=["rate", "margin", "no panel", "panel", "sealed panel", "sealed beside", "one"],
)
def test_a_bundle_of_every_method_passes_all_checks(tmp_path: Path, methodology: str, more: dict) -> None:
    case = make_case(tmp_path, methodology=methodology, **more)
    checks = verify(case.publish(tmp_path / "b"))
    assert has_passed(checks), failed(checks)


def test_scores_per_revenue_are_recomputed_from_revenue(tmp_path: Path) -> None:
    methodology = METHODOLOGY.replace("[window]", '[score]\nper = "revenue"\n[window]')
    folder = write_tables(tmp_path / "x", methodology=methodology)
    assert folder.exists()
    case = make_case(tmp_path / "case", methodology=methodology)
    files = case.publish(tmp_path / "b")
    assert has_passed(verify(files))
    table = files["draws/revenue.csv"].decode().splitlines()
    first = table[1].split(",")
    forged = {
        **files,
        "draws/revenue.csv": "\n".join([table[0], ",".join([*first[:2], "9.5", *first[3:]]), *table[2:], ""]).encode(),
    }
    assert "draws/scores.csv" in failed(verify(case.sign(forged)))


# The announcement.


CALIBRATION = {
    "tables": {
        "verdicts": [
            {"world": world, "method": method, "confidence": 0.9, "right": 60, "wrong": wrong, "assessments": 100}
            for world, method, wrong in (("plain", "model", 3), ("framed", "model", 4), ("plain", "counting", 30))
        ]
    }
}


def rows_of(files: dict[str, bytes], name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(files[name].decode())))


def numbers_behind(claim: dict, files: dict[str, bytes]) -> list:
    """What a sentence may state, read from tables and files by its kind and subject; text where it is exact.

    A probability stands as (value, Monte-Carlo error), since it may be shown as a bound two errors away.
    """
    decision = json.loads(files["decision.json"])
    statement = json.loads(files["commitment.json"])["chain"][0]
    window = json.loads(files["methodology.json"])["window"]
    ranking = {row["organization_id"]: row for row in rows_of(files, "ranking.csv")}
    pairs = {(row["organization_id"], row["other_id"]): row for row in rows_of(files, "pairwise.csv")}
    scenarios = json.loads(files["scenarios.json"])["scenarios"]
    done = [s for s in scenarios if s["status"] == "done"]
    panel = rows_of(files, "panel.csv")
    row = ranking[claim["subject"][0]] if claim["subject"] else {}
    required = decision["confidence_required"]

    def probability(p: str, mcse: str) -> list:
        return [(float(p), float(mcse)), float(mcse)]

    match claim["kind"]:
        case "selected" | "extend" | "no_selection" | "near":
            return [*probability(**decision["p_stand_out"]), required]
        case "first":
            return probability(row["p_first"], row["p_first_mcse"])
        case "rank":
            return [0.9, float(row["rank_low"]), float(row["rank_high"])]
        case "one_rank":
            assert row["rank_low"] == row["rank_high"]
            return [0.9, float(row["rank_low"])]
        case "score":
            return [0.9, *(float(row[f"score_{end}"]) for end in ("median", "low", "high"))]
        case "pair":
            found = pairs[tuple(claim["subject"])]
            return probability(found["p_greater"], found["mcse"])
        case "smallest_set":
            return [required, len(decision["smallest_set"]), len(ranking)]
        case "baseline":
            return probability(**decision["p_not_above_baseline"])
        case "panel":
            return [len(panel), sum(p["leader"] == decision["leader"] for p in panel)]
        case "scenarios":
            return [len(scenarios), len(done), sum(s["leader"] == decision["leader"] for s in done)]
        case "rule":
            return [required, 2]
        case "window":
            return [n for key in ("start", "end", "announced") for n in NUMBER.findall(window[key])]
        case "chosen":
            return NUMBER.findall(json.loads(files["methodology.json"])["version"])
        case "committed":
            return NUMBER.findall(statement["statement"]["committed_at"] + " " + statement["sha256"])
        case "draws":
            n, diagnostics = len(rows_of(files, "draws/scores.csv")), json.loads(files["diagnostics.json"])
            return [n, 2, diagnostics["max_rhat"], diagnostics["min_ess"]]
        case "calibration":
            return [200, 2, 0.9, 127, 7]
    return []


def agrees(said: str, sign: str, value) -> bool:
    """Whether a number as it is written is a value as it may be rounded; bounds lie on the safe side of it."""
    if isinstance(value, str):
        return said == value
    unit = 10.0 ** -len(said.partition(".")[2])
    if not sign:
        return abs(float(said) - (value[0] if isinstance(value, tuple) else value)) <= unit / 2 + 1e-9
    if not isinstance(value, tuple):
        return False
    p, mcse = value
    bound = p - 2 * mcse if sign == ">" else p + 2 * mcse
    return abs(float(said) - bound) <= unit + 1e-9 and (float(said) <= p if sign == ">" else float(said) >= p)


@pytest.mark.parametrize("means", [(30, 12, 8), (20, 20, 19), (24, 18, 12)])
def test_every_number_of_the_announcement_is_that_of_the_tables_in_both_languages(tmp_path: Path, means) -> None:
    files = make_case(tmp_path, means=means).publish(tmp_path / "b", calibration=CALIBRATION)
    claims = json.loads(files["claims.json"])["claims"]
    for language in LANGUAGES:
        headings = {heading[language] for heading in HEADINGS.values()}
        lines = files[f"announcement.{language}.txt"].decode().splitlines()[1:]
        said = [line for line in lines if line and line not in headings]
        assert len(said) == len(claims)
        for line, claim in zip(said, claims, strict=True):
            for name in ("Amber", "Barrio 18", "Cobalt"):
                line = line.replace(name, "")
            left = numbers_behind(claim, files)
            for sign, number in re.findall(r"([<>]?)(\d+(?:\.\d+)?)", line):
                fitting = [value for value in left if agrees(number, sign, value)]
                assert fitting, (line, number, left)
                left.remove(fitting[0])
            assert left == [], line


def test_both_languages_say_the_same_numbers(files: dict[str, bytes]) -> None:
    for claim in json.loads(files["claims.json"])["claims"]:
        english, spanish = (NUMBER.findall(claim["sentences"][language]) for language in ("en", "es"))
        assert sorted(english) == sorted(spanish), claim["sentences"]


def test_a_page_says_what_the_text_says(files: dict[str, bytes]) -> None:
    for language in LANGUAGES:
        page = files[f"announcement.{language}.html"].decode()
        paragraphs = [re.sub("<[^>]+>", "", p) for p in re.findall(r"<p>(.*?)</p>", page)]
        claims = json.loads(files["claims.json"])["claims"]
        assert [p.replace("&lt;", "<").replace("&gt;", ">") for p in paragraphs] == [
            c["sentences"][language] for c in claims
        ]


def test_every_phrase_has_the_same_slots_in_both_languages() -> None:
    for key, texts in {**SENTENCES, **WORDS}.items():
        assert texts.keys() == set(LANGUAGES)
        slots = [sorted(set(re.findall(r"\{(\w+)\}", texts[language]))) for language in LANGUAGES]
        assert slots[0] == slots[1], key


def test_the_sentence_of_a_claim_has_its_exact_values_beside_it(files: dict[str, bytes]) -> None:
    claims = json.loads(files["claims.json"])["claims"]
    first = next(claim for claim in claims if claim["kind"] == "selected")
    decision = json.loads(files["decision.json"])
    assert first["values"]["p"] == decision["p_stand_out"]["p"]
    assert first["level"] == first["values"]["required"] == 0.9
    assert first["condition"] == "draws"
    assert first["subject"] == [decision["selected"]]


def test_a_rehearsal_an_early_bundle_and_an_amendment_say_what_they_are(tmp_path: Path, case: Case) -> None:
    rehearsed = make_case(tmp_path / "r", rehearsal=True).publish(tmp_path / "b1")
    assert b"REHEARSAL" in rehearsed["announcement.en.txt"]
    assert b"ENSAYO" in rehearsed["announcement.es.html"]
    early = case.publish(tmp_path / "b2", now=BEFORE.replace(month=8))
    assert b"before the window closed on 2026-08-25" in early["announcement.en.txt"]
    text = METHODOLOGY.replace("1.0.0", "1.1.0")
    amended = make_case(tmp_path / "a", methodology=text)
    before = commit(read_choices(write_tables(tmp_path / "first")), amended.key, panel=None, now=BEFORE)
    panel = amended.chain[0].statement["panel"]
    chain = commit(
        read_choices(amended.assessment), amended.key, previous=before, reason="A <b>slip</b>.", panel=panel, now=BEFORE
    )
    files = Case(amended.assessment, amended.run, chain, amended.key, None).publish(tmp_path / "b3")
    assert "A <b>slip</b>." in files["announcement.es.txt"].decode()
    assert "A &lt;b&gt;slip&lt;/b&gt;." in files["announcement.es.html"].decode()
    assert has_passed(verify(files))
    assert all(holds for _, holds in small_verifier.verify(tmp_path / "b3", chain[-1].sha256))
    dropped = Case(amended.assessment, amended.run, chain[1:], amended.key, None).sign(
        {**files, "commitment.json": chain_bytes(chain[1:])}
    )
    assert "one was dropped" in failed(verify(dropped))


# What is refused.


def refuse(case: Case, tmp_path: Path, **more) -> str:
    with pytest.raises(RefusedError) as raised:
        case.publish(tmp_path / "refused", **more)
    assert not (tmp_path / "refused").exists()
    return str(raised.value)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda t: t.replace("weight = 3.0", "weight = 2.0"), "methodology.category"),
        (lambda t: t + "\n[decision]\nconfidence = 0.8\n", "methodology.decision.confidence"),
        (lambda t: t.replace("seed = 5", "seed = 6"), "methodology.sampling.seed"),
    ],
)
def test_a_run_with_other_rules_is_refused(case: Case, tmp_path: Path, change, named: str) -> None:
    other = make_case(tmp_path / "o", methodology=change(METHODOLOGY))
    message = refuse(Case(other.assessment, other.run, case.chain, case.key, None), tmp_path)
    assert named in message


def test_a_run_with_other_organizations_weights_seed_or_versions_is_refused_with_every_reason(
    case: Case, tmp_path: Path
) -> None:
    other = make_case(tmp_path / "o", names=("Amber", "Barrio 19", "Cobalt"), panel=PANEL.replace(",3", ",4"))
    record = json.loads((other.run.folder / "run.json").read_text())
    record["seed"] = 6
    record["packages"]["numpy"] = "0.0"
    (other.run.folder / "run.json").write_text(json.dumps(record))
    found = "\n".join(run_differences(load_run(other.run.folder), case.chain[-1].statement))
    for part in (
        "organizations that are ranked",
        "organizations.csv",
        "panel_weights.csv",
        "panel's weights",
        "numpy",
        "seed is 6",
    ):
        assert part in found


def test_a_run_with_fewer_draws_than_committed_is_refused(case: Case, tmp_path: Path) -> None:
    shorter = make_case(tmp_path / "o", methodology=METHODOLOGY.replace("draws = 60", "draws = 50"))
    found = "\n".join(run_differences(shorter.run, case.chain[-1].statement))
    assert "methodology.sampling.draws" in found


def test_another_key_and_a_late_commitment_are_refused(case: Case, tmp_path: Path) -> None:
    other = make_case(tmp_path / "o")
    assert "key is not the one" in refuse(Case(case.assessment, case.run, case.chain, other.key, None), tmp_path)


def test_sealed_weights_need_their_secrets_and_never_leave_in_person(tmp_path: Path) -> None:
    case = make_case(tmp_path, sealed=True, methodology=USE_PANEL)
    assert "sealed" in refuse(case, tmp_path, opened=None)
    files = case.publish(tmp_path / "b", "full")
    salts = [entry["salt"] for entry in case.secrets["panelists"]]
    for path, content in files.items():
        assert not any(salt.encode() in content for salt in salts), path
        assert b"P1" not in content, path
    assert "panel.csv" not in files
    assert "inputs/panel_weights.csv" not in files


def test_inputs_of_another_assessment_are_refused(case: Case, tmp_path: Path) -> None:
    other = make_case(tmp_path / "o")
    (other.assessment / "harms.csv").write_text((other.assessment / "harms.csv").read_text().replace(",1\n", ",2\n"))
    with pytest.raises(InputError, match=r"harms\.csv"):
        Case(other.assessment, case.run, case.chain, case.key, None).publish(tmp_path / "b", "full")
    with pytest.raises(InputError, match="--assessment"):
        publish(case.run, case.chain, case.key, tmp_path / "b", Disclosed("full"), now=AFTERWARDS)


# Disclosure.


@pytest.mark.parametrize("level", ["full", "coarsened", "aggregate"])
def test_what_is_told_at_each_level_is_what_the_level_allows(case: Case, tmp_path: Path, level: str) -> None:
    files = case.publish(tmp_path / "b", level, with_inputs=True)
    assert has_passed(verify(files)), failed(verify(files))
    assert level_faults(files, level) == ()
    everything = b"\n".join(files.values())
    assert (b"CASE-001" in everything) == (level == "full")
    assert (b"Diario Secreto" in everything) == (level == "full")
    assert ("attribution.csv" in files) == (level == "full")


def test_coarsened_incidents_have_weeks_and_regions_and_the_same_harm(case: Case, tmp_path: Path) -> None:
    read = read_assessment(case.assessment)
    tables = disclosed_tables(case.assessment, read, "coarsened")
    folder = tmp_path / "coarse"
    folder.mkdir()
    for path, content in input_files(tables).items():
        (folder / Path(path).name).write_bytes(content)
    again = read_assessment(folder, read.methodology)
    spans = (again.incidents["date_end"] - again.incidents["date_start"]).dt.days
    assert set(spans) <= {6, (read.methodology.window.end - read.methodology.window.start).days % 7}
    for name in ("period", "region"):
        assert sorted(again.incidents[name]) == sorted(read.incidents[name])
    assert sorted(again.harms["best"]) == sorted(read.harms["best"])
    assert len(again.evidence) == len(read.evidence)


@pytest.mark.parametrize(
    ("path", "content", "level", "fault"),
    [
        ("inputs/incidents.csv", b"incident_id,date,region\ni1,2026-07-03,R1\n", "coarsened", "columns"),
        ("inputs/incidents.csv", b"incident_id,date_start,date_end,region\ni1,2026-07-03,2026-07-03,R1\ni2,2026-07-04,2026-07-04,R1\ni3,2026-07-05,2026-07-05,R1\n", "coarsened", "finer"),
        ("inputs/harms.csv", b"incident_id,element,best\nCASE-001,killing,2\n", "coarsened", "not new ids"),
        ("inputs/evidence.csv", b"incident_id,source_id\ni1,Diario\n", "coarsened", "not new ids"),
        ("inputs/incidents.csv", b"incident_id,date_start\n", "aggregate", "does not allow"),
        ("inputs/totals.csv", b"period,category,incidents,best,region\n", "aggregate", "columns"),
        ("inputs/notes.csv", b"a\n1\n", "full", "does not allow"),
        ("attribution.csv", b"incident_id\n", "coarsened", "single incidents"),
        ("inputs/x/incidents.csv", b"a\n", "full", "does not allow"),
        ("x", b"", "everything", "unknown"),
    ],
)  # fmt: skip
def test_the_linter_names_what_a_level_does_not_allow(path: str, content: bytes, level: str, fault: str) -> None:
    assert fault in "\n".join(level_faults({path: content}, level))


def test_ids_of_incidents_are_found_wherever_they_stand() -> None:
    files = {
        "a.json": b'{"x": ["see CASE-001 for more"]}',
        "b.csv": b"name,n\nCASE-001,1\n",
        "c.txt": b"no case\nCASE-001",
        "d.json": b'{"17": "seventeen 17"}',
        "e.csv": b"n\n17\n",
        "draws/f.csv": b"CASE-001\n",
    }
    found = leaked_ids(files, ["CASE-001", "17"])
    assert [line.split()[0] for line in found] == ["a.json", "b.csv", "c.txt", "d.json"]
    assert leaked_ids({"a.json": b'["Diario"]', "b.json": b'["Diario 2"]'}, [], ["Diario"]) == (
        "a.json names a source of the evidence.",
    )


def test_scenarios_without_a_source_do_not_name_it(tmp_path: Path) -> None:
    case = make_case(
        tmp_path,
        methodology=METHODOLOGY.replace(
            "scenario = [", 'scenario = [{name = "without source", without_source = "*"}, '
        ),
    )
    scenario = case.run.methodology.scenario[0]
    named = scenario.model_copy(update={"name": "without source Diario Secreto", "without_source": "Diario Secreto"})
    result = missing_result(named, "refused", "It is the only one.", refit=True, listed_as=scenario.name)
    add_scenarios(case.run, [result])
    again = Case(case.assessment, load_run(case.run.folder), case.chain, case.key, None)
    for level in ("coarsened", "aggregate", "full"):
        files = again.publish(tmp_path / level, level, with_inputs=True)
        assert has_passed(verify(files)), failed(verify(files))
        assert (b"Diario Secreto" in files["scenarios.json"]) == (level == "full")


def test_a_calibration_that_is_none_is_refused(case: Case, tmp_path: Path) -> None:
    for wrong in ({}, {"tables": []}, {"tables": {"verdicts": [{"world": "plain", "right": "many"}]}}):
        with pytest.raises(InputError, match="no table of verdicts"):
            case.publish(tmp_path / "b", calibration=wrong)


def test_a_bundle_that_tells_too_much_fails_though_it_is_signed(case: Case, tmp_path: Path) -> None:
    files = case.publish(tmp_path / "b", "full")
    forged = change_json(files, "publication.json", lambda v: v.update(level="aggregate"))
    assert "beyond the level" in failed(verify(case.sign(forged)))


# Hostile names.


def test_formulas_scripts_paths_and_marks_stay_text(tmp_path: Path) -> None:
    names = ('=HYPERLINK("http://x","y")', "</script><script>alert(1)</script>", "../../etc/passwd\u200f{0}")
    case = make_case(tmp_path, names=names, panel="")
    files = case.publish(tmp_path / "b", "full")
    assert has_passed(verify(files)), failed(verify(files))
    for path, content in files.items():
        if path.endswith(".csv"):
            cells = [cell for row in csv.reader(StringIO(content.decode())) for cell in row]
            assert not [cell for cell in cells if re.match(r"[=+@\t\r]|-[^0-9]", cell)], path
        if path.endswith(".html"):
            assert b"<script>alert" not in content
            assert path == "page.html" or b"<script" not in content  # the page has scripts of its own, and no others
            assert "\u200f".encode() not in content
    assert "\\u200f" in files["announcement.en.txt"].decode()
    assert json.loads(files["decision.json"])["names"]["g0"] == names[0]


@pytest.mark.parametrize("text", ["=1", "+1", "-x", "@a", "\tx", "'=1", "'", "plain", "a=b", ""])
def test_what_is_guarded_reads_back_as_it_was(text: str) -> None:
    import pandas as pd

    table = pd.DataFrame({"=head": [text, "z"], "n": [-1.5, 2]})
    content = csv_bytes(table)
    assert read_text_table(content, "x")["=head"].tolist() == [text, "z"]
    assert not re.match(rb"[=+\-@]", content)
    assert b"-1.5" in content


# The commands.


def test_commit_publish_and_verify_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = make_case(tmp_path, rehearsal=True)
    key, out = tmp_path / "panel.key", tmp_path / "b"
    (tmp_path / "c.json").write_bytes(chain_bytes(case.chain))

    def run(*arguments: object) -> int:
        return cli.run([str(argument) for argument in arguments])

    given = ("publish", case.run.folder, "--commitment", tmp_path / "c.json", "--key", key, "--out", out)
    assert run(*given, "--level", "coarsened", "--assessment", case.assessment) == 0
    assert "Amber is named" in capsys.readouterr().out
    assert run("verify", out, "--commitment", tmp_path / "c.json", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["passed"] is True
    assert {check["status"] for check in answer["checks"]} == {"pass", "unchecked"}
    assert run("verify", out, "--commitment", "0" * 64) == 3
    assert "FAILED     The commitment is the one that was published" in capsys.readouterr().out
    assert run(*given) == 2
    assert run("verify", tmp_path / "nothing") == 2
    assert run("verify", out, "--commitment", "no digest") == 2
    assert run(*given[:-1], tmp_path / "b2", "--level", "some") == 2


def test_a_fitted_run_is_published_and_passes(run_folder: Path, assessment_folder: Path, tmp_path: Path) -> None:
    choices, key = read_choices(assessment_folder), make_key(tmp_path / "k")
    chain = commit(choices, key, panel=open_panel(choices), rehearsal=True)
    files = publish(load_run(run_folder), chain, key, tmp_path / "b", Disclosed("coarsened", assessment_folder))
    checks = verify(files, published=chain[-1].sha256)
    assert has_passed(checks), failed(checks)
    assert b"the data are the same to the model" in files["announcement.en.txt"]


def test_sealed_weights_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_tables(tmp_path / "assessment", methodology=USE_PANEL)
    key, secrets, chain, out = (tmp_path / name for name in ("k", "secrets", "c.json", "b"))

    def run(*arguments: object) -> int:
        return cli.run([str(argument) for argument in arguments])

    assert run("keygen", "--out", key) == 0
    assert run("commit", folder, "--out", chain, "--key", key, "--rehearsal", "--seal-weights", secrets) == 0
    made = write_hand_run(tmp_path / "run", folder)
    given = ("publish", made.folder, "--commitment", chain, "--key", key, "--out", out)
    assert run(*given) == 3
    assert "sealed" in capsys.readouterr().err
    secrets.chmod(0o644)
    assert run(*given, "--secrets", secrets) == 2
    secrets.chmod(0o600)
    assert run(*given, "--secrets", secrets) == 0
    assert run("verify", out) == 0
    assert "pooled weights are those that were committed" in capsys.readouterr().out
