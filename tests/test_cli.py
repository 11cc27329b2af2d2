"""The command line as people and programs use it: what is printed where, and with which exit status."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from violencescore import cli, progress
from violencescore.commands import app, import_app
from violencescore.example import write_example
from violencescore.methodology import shipped_methodology
from violencescore.report.page import page_parts
from violencescore.round_commands import rounds_app
from violencescore.simulation import WORLDS
from violencescore.weighting import weights_app

COMMANDS = (
    "demo", "validate", "fit", "rank", "decide", "report", "simulate", "calibrate", "scenarios", "attribution",
    "sensitivity", "plot", "feasibility", "redteam", "reporting", "robustness", "keygen", "commit", "publish", "verify", "units", "flows", "compare"
)  # fmt: skip
ROUNDS = (
    "announce", "open", "verdict", "name", "progress", "victory", "end", "restate", "next", "verify", "show", "figure",
)  # fmt: skip
RUN_FILES = {
    "ranking.csv", "pairwise.csv", "decision.json", "attribution.csv", "diagnostics.json", "posterior.nc", "run.json",
}  # fmt: skip


def violencescore(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a process of its own, as a shell would, in 80 columns."""
    return subprocess.run(
        [sys.executable, "-m", "violencescore", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "80", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def run(*arguments: object) -> int:
    return cli.run([str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(scope="module")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """`violencescore demo`, run once in an empty folder, and the run folder that it made."""
    folder = tmp_path_factory.mktemp("demo")
    return violencescore("demo", cwd=folder), folder / "demo-run"


@pytest.fixture
def demo(demo_run: tuple[subprocess.CompletedProcess[str], Path]) -> subprocess.CompletedProcess[str]:
    return demo_run[0]


@pytest.fixture
def demo_folder(demo_run: tuple[subprocess.CompletedProcess[str], Path]) -> Path:
    return demo_run[1]


@pytest.fixture
def bad_folder(assessment_folder: Path, tmp_path: Path) -> Path:
    """A copy of the small assessment with two faults in one row."""
    folder = Path(shutil.copytree(assessment_folder, tmp_path / "bad"))
    with (folder / "harms.csv").open("a", encoding="utf-8") as stream:
        stream.write("nobody,killing,police,-2,,\n")
    return folder


# The demo, which is the first thing that a stranger runs.


def test_the_demo_prints_table_comparison_and_verdict_and_leaves_a_run(
    demo: subprocess.CompletedProcess[str], demo_folder: Path
) -> None:
    assert demo.returncode == 0, demo.stderr
    assert "A fictional example" in demo.stdout
    assert "Probability of each rank" in demo.stdout
    assert "Counting names against the model" in demo.stdout
    assert "Where the time went: read" in demo.stdout
    assert {path.name for path in demo_folder.iterdir()} >= {*RUN_FILES, "report.html"}
    assert max(map(len, demo.stdout.splitlines())) <= 80


def test_the_demo_writes_its_example_to_go_on_with_and_over_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_example(tmp_path / "assessment")
    assert run("validate", tmp_path / "assessment") == 0
    assert run("demo", "--out", tmp_path / "run", "--assessment", tmp_path / "assessment") == 2
    assert "not an empty folder" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_in_the_demo_counting_is_wrong_and_the_model_is_right(
    demo: subprocess.CompletedProcess[str], demo_folder: Path
) -> None:
    (picks,) = re.findall(r"Counting names picks (\w+); the model (\w+); the\s+truth is (\w+)", demo.stdout)
    assert picks[0] != picks[2]
    assert picks[1] == picks[2]
    decision = json.loads((demo_folder / "decision.json").read_text())
    assert decision["outcome"] == "selected"
    assert decision["names"][decision["selected"]] == picks[2]


def test_counts_of_names_are_whole_numbers(demo: subprocess.CompletedProcess[str]) -> None:
    table = demo.stdout.split("Counting names against the model")[1].split("Counting names picks")[0]
    counted = [line.split()[1] for line in table.splitlines()[3:] if line.strip()]
    assert len(counted) == 6
    assert all(re.fullmatch(r"\d+", count) for count in counted), counted


def test_the_demo_tells_its_progress_on_standard_error_only(demo: subprocess.CompletedProcess[str]) -> None:
    assert [line.split()[0].rstrip(":,") for line in demo.stderr.splitlines()][:3] == [
        "reading",
        "compiling",
        "sampling",
    ]
    assert "..." not in demo.stdout


def test_the_demo_s_page_says_that_all_is_invented(demo_folder: Path) -> None:
    page = (demo_folder / "report.html").read_text(encoding="utf-8")
    assert "all organizations and events on this page are invented" in page
    assert "quantities learned least" in page


def test_what_the_demo_decided_can_be_decided_again(demo_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("decide", demo_folder, "--json") == 0
    decided = json.loads(capsys.readouterr().out)
    assert decided.pop("scenarios")["results"]
    assert decided == json.loads((demo_folder / "decision.json").read_text())


# Help and documentation.


@pytest.mark.parametrize(
    "command",
    [[], *([c] for c in COMMANDS), ["import"], ["import", "ged"], ["weights", "form"], ["weights", "combine"]],
)
def test_every_command_has_help_that_fits(command: list[str], tmp_path: Path) -> None:
    result = violencescore(*command, "--help", cwd=tmp_path)
    assert result.returncode == 0
    assert f"Usage: violencescore {' '.join(command)}".strip() in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, violencescore.cli; print({'numpy', 'pandas', 'pymc', 'numba'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


def test_the_help_shows_an_example_of_each_command_that_needs_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    for command in [
        ["validate"],
        ["fit"],
        ["rank"],
        ["decide"],
        ["report"],
        ["simulate"],
        ["calibrate"],
        ["scenarios"],
        ["plot"],
        ["feasibility"],
        ["redteam"],
        ["import", "ged"],
        ["compare"],
        *(["rounds", name] for name in ROUNDS),
    ]:
        assert run(*command, "--help") == 0
        assert f"Example: violencescore {' '.join(command)}" in capsys.readouterr().out


def registered_commands() -> set[str]:
    names = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    below = (("import", import_app), ("weights", weights_app), ("rounds", rounds_app))
    return names | {f"{group} {command.name}" for group, part in below for command in part.registered_commands}


def test_the_commands_are_those_that_are_tested_here() -> None:
    rounds = {f"rounds {name}" for name in ROUNDS}
    assert registered_commands() == {*COMMANDS, "import ged", "weights form", "weights combine", *rounds}


def test_the_readme_names_every_command() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    missing = [name for name in sorted(registered_commands()) if not re.search(rf"\b{name}\b", readme)]
    assert missing == []


def test_the_help_of_simulate_names_every_world(capsys: pytest.CaptureFixture[str]) -> None:
    run("simulate", "--help")
    shown = capsys.readouterr().out
    assert [world for world in WORLDS if world not in shown] == []


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert re.fullmatch(r"violencescore \d+\.\d+\.\d+\n", capsys.readouterr().out)


# Bad input and bad usage.


def test_a_valid_assessment_is_counted(assessment_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("validate", assessment_folder) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("Valid: 6 organizations, ")
    assert "4 panel weights" in shown.out
    assert shown.err == ""


def test_a_bad_assessment_lists_every_fault_one_a_line(bad_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("validate", bad_folder) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = shown.err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("harms.csv row ") for line in lines)


@pytest.mark.parametrize("command", ["validate", "fit"])
def test_faults_in_json_stand_alone_on_standard_output(bad_folder: Path, tmp_path: Path, command: str) -> None:
    before = sorted(tmp_path.rglob("*"))
    arguments = [command, bad_folder, "--json", *(["--out", tmp_path / "run"] if command == "fit" else [])]
    result = violencescore(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    faults = json.loads(result.stdout)["faults"]
    assert {(fault["table"], fault["column"]) for fault in faults} == {
        ("harms.csv", "incident_id"),
        ("harms.csv", "best"),
    }
    assert faults[0].keys() == {"table", "rule", "row", "column", "value"}
    assert sorted(tmp_path.rglob("*")) == before


USAGE = {
    "no such command": ["bogus"],
    "no such option": ["rank", "RUN", "--bogus"],
    "no run folder": ["rank", "nowhere"],
    "no folder": ["validate", "nowhere"],
    "a folder that is no run": ["decide", "ASSESSMENT"],
    "a missing option": ["fit", "ASSESSMENT"],
    "a missing argument": ["validate"],
    "a confidence of a half": ["decide", "RUN", "--confidence", "0.5"],
    "a confidence of one": ["decide", "RUN", "--confidence", "1"],
    "a confidence that is no number": ["decide", "RUN", "--confidence", "nan"],
    "a confidence in words": ["decide", "RUN", "--confidence", "high"],
    "too few draws": ["fit", "ASSESSMENT", "--out", "run", "--draws", "3"],
    "no chains": ["fit", "ASSESSMENT", "--out", "run", "--chains", "0"],
    "a negative seed": ["fit", "ASSESSMENT", "--out", "run", "--seed", "-1"],
    "draws that are no number": ["fit", "ASSESSMENT", "--out", "run", "--draws", "many"],
    "an output that is taken": ["fit", "ASSESSMENT", "--out", "RUN"],
    "an output under a file": ["fit", "ASSESSMENT", "--out", "RUN/run.json/x"],
    "a page that is a folder": ["report", "RUN", "--out", "ASSESSMENT"],
    "a page under a file": ["report", "RUN", "--out", "RUN/run.json/x.html"],
    "no such world": ["simulate", "--out", "world", "--world", "bogus"],
    "no incidents": ["simulate", "--out", "world", "--incidents", "0"],
    "a simulation over a folder": ["simulate", "--out", "ASSESSMENT"],
    "no GED file": ["import", "ged", "nowhere.csv", "--out", "ged"],
    "a GED file that is none": ["import", "ged", "ASSESSMENT/harms.csv", "--out", "ged"],
    "a date that is none": ["import", "ged", "ASSESSMENT/harms.csv", "--out", "ged", "--from", "2011-13-01"],
}


@pytest.mark.parametrize("case", USAGE)
def test_bad_usage_ends_with_2_a_message_and_nothing_written(
    case: str,
    run_folder: Path,
    assessment_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"RUN": str(run_folder), "ASSESSMENT": str(assessment_folder)}
    arguments = [re.sub("^(RUN|ASSESSMENT)", lambda found: places[found[1]], a) for a in USAGE[case]]
    assert run(*arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err) > 30
    assert "sampling" not in shown.err
    assert run(*arguments, "--json") == 2
    assert all(fault["rule"] for fault in json.loads(capsys.readouterr().out)["faults"])
    assert list(tmp_path.iterdir()) == []


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    shown = capsys.readouterr()
    assert "Begin with violencescore demo" in shown.out + shown.err


# Fitting.


def test_fit_writes_a_run_and_says_where_the_time_went(
    assessment_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "run"
    out.mkdir(parents=True)  # an empty folder is as good as none
    assert run("fit", assessment_folder, "--out", out, "--draws", 60, "--tune", 150, "--seed", 5, "--json") == 0
    shown = capsys.readouterr()
    printed = json.loads(shown.out)
    assert printed["seconds"].keys() == {"read", "compile", "sample", "scores", "total"}
    assert [line.split()[0] for line in shown.err.splitlines()][:2] == ["reading", "compiling"]
    assert {path.name for path in out.iterdir()} >= RUN_FILES
    written = json.loads((out / "decision.json").read_text())
    assert {key: printed[key] for key in written} == written
    assert [line["panelist_id"] for line in printed["panel"]["panelists"]] == ["P1", "P2", "P3"]
    assert json.loads((out / "run.json").read_text())["seed"] == 5
    assert list(out.parent.iterdir()) == [out]


def test_a_fit_that_has_not_converged_is_written_and_refused(
    assessment_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(assessment_folder, tmp_path / "strict"))
    text = (folder / "methodology.toml").read_text().replace("min_ess = 5", "min_ess = 100000")
    (folder / "methodology.toml").write_text(text)
    out = tmp_path / "run"
    assert run("fit", folder, "--out", out, "--draws", 40, "--tune", 100) == 3
    shown = capsys.readouterr().out
    assert "No verdict can be given" in shown
    assert "for inspection only" in shown
    assert "By each panelist's own weights" not in shown
    assert json.loads((out / "decision.json").read_text())["outcome"] == "not_estimable"
    assert json.loads((out / "diagnostics.json").read_text())["converged"] is False
    assert run("decide", out, "--json") == 3
    assert json.loads(capsys.readouterr().out)["selected"] is None
    assert run("report", out, "--out", tmp_path / "page.html") == 0


def test_a_score_per_revenue_without_estimates_is_no_verdict_and_no_traceback(
    assessment_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(assessment_folder, tmp_path / "per"))
    with (folder / "methodology.toml").open("a", encoding="utf-8") as stream:
        stream.write('[score]\nper = "revenue"\n')
    assert run("fit", folder, "--out", tmp_path / "run", "--draws", 10, "--tune", 20, "--json") in {2, 3}
    answer = json.loads(capsys.readouterr().out)
    assert "faults" in answer or "revenue" in answer["refused"]
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to the whole console, the tests included")
@pytest.mark.parametrize("stage", ["reading", "sampling"])
def test_ctrl_c_ends_a_fit_at_once_and_leaves_nothing(assessment_folder: Path, tmp_path: Path, stage: str) -> None:
    arguments = ["fit", assessment_folder, "--out", tmp_path / "run", "--draws", "20000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "violencescore", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        while stage not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=15)
    finally:
        process.kill()
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    assert err.endswith("Interrupted: nothing was written.\n")
    assert list(tmp_path.iterdir()) == []


# Reading a run.


def test_rank_prints_the_table_of_the_run(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("rank", run_folder) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "Probability of each rank" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80
    assert run("rank", run_folder, "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["organization_id"] for row in rows] == pd.read_csv(run_folder / "ranking.csv")[
        "organization_id"
    ].tolist()


def test_decide_shows_the_panel_one_by_one(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("decide", run_folder) == 0
    shown = capsys.readouterr().out
    assert "By each panelist's own weights" in shown
    panel = pd.read_csv(run_folder / "panel.csv")
    names = json.loads((run_folder / "decision.json").read_text())["names"]
    for row in panel.itertuples():
        assert re.search(rf"{row.panelist_id}\s+{names[row.leader]}\s", shown)


def test_decide_takes_another_confidence_and_says_so(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("decide", run_folder, "--confidence", "0.99", "--json") == 0
    decision = json.loads(capsys.readouterr().out)
    assert decision["confidence_required"] == 0.99
    assert any("0.99 was asked for" in reason for reason in decision["reasons"])


def test_the_page_of_a_run_with_a_panel_shows_each_panelist(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "pages" / "page.html"
    assert run("report", run_folder, "--out", page, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"page": str(page)}
    text = page.read_text(encoding="utf-8")
    assert "The panel, one by one" in text
    assert [row["panelist_id"] for row in page_parts(text)[1]["panel"]] == ["P1", "P2", "P3"]


def test_a_tampered_run_is_refused_by_name(own_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own_run / "decision.json").write_text("{}")
    for arguments in (["rank", own_run], ["decide", own_run], ["report", own_run, "--out", own_run / "page.html"]):
        assert run(*arguments) == 2
        assert "decision.json: was changed after the run was written" in capsys.readouterr().err
    assert not (own_run / "page.html").exists()


def test_a_run_can_be_read_where_the_terminal_knows_only_ascii(run_folder: Path, tmp_path: Path) -> None:
    result = violencescore("decide", run_folder, cwd=tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    as_json = violencescore("decide", run_folder, "--json", cwd=tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert json.loads(as_json.stdout)["outcome"] in {"selected", "no_selection", "extend"}


# Where tables come from.


@pytest.mark.parametrize("world", WORLDS)
def test_every_world_is_drawn_and_valid(world: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "world"
    assert run("simulate", "--out", out, "--world", world, "--incidents", 120, "--seed", 2, "--json") == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert rows["incidents"] > 60
    truth = pd.read_csv(out / "truth.csv")
    assert list(truth.columns) == ["organization_id", "element", "victim_role", "harm", "score", "rank"]
    organizations = pd.read_csv(out / "organizations.csv")
    assert len(truth) == len(organizations) * len(shipped_methodology("kleiman-2011").category)
    incidents = pd.read_csv(out / "truth_incidents.csv")
    assert list(incidents.columns)[:4] == ["incident_id", "organization_id", "false_flag", "framed_id"]
    assert run("validate", out) == 0


def test_the_same_seed_gives_the_same_world(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert run("simulate", "--out", tmp_path / name, "--seed", 9, "--incidents", 80) == 0
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert [(tmp_path / "one" / f).read_bytes() for f in files] == [(tmp_path / "two" / f).read_bytes() for f in files]


GED_ROW = {
    "id": "1", "relid": "X-1", "year": "2011", "type_of_violence": "2", "dyad_name": "A - B", "side_a": "Cartel A",
    "side_b": "Cartel B", "country": "Mexico", "adm_1": "Sinaloa state", "date_prec": "1",
    "date_start": "2011-03-01 00:00:00.000", "date_end": "2011-03-01 00:00:00.000", "deaths_a": "1", "deaths_b": "0",
    "deaths_civilians": "0", "deaths_unknown": "2", "best": "3", "high": "4", "low": "2", "conflict_new_id": "1",
    "dyad_new_id": "1", "side_a_new_id": "1", "side_b_new_id": "2", "source_article": "", "where_prec": "1",
}  # fmt: skip


def test_a_ged_file_becomes_a_valid_assessment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "ged251.csv"
    rng = np.random.default_rng(1)
    with source.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, GED_ROW)
        writer.writeheader()
        for i in range(30):
            day = f"2011-{rng.integers(1, 13):02d}-{rng.integers(1, 28):02d}"
            writer.writerow({**GED_ROW, "id": str(i + 1), "date_start": day, "date_end": day})
    out = tmp_path / "mexico"
    window = ["--from", "2011-01-01", "--to", "2011-12-31"]
    assert run("import", "ged", source, "--out", out, *window, "--country", "Mexico", "--json") == 0
    assert json.loads(capsys.readouterr().out)
    assert run("validate", out) == 0
    assert capsys.readouterr().out.startswith("Valid: 2 organizations, ")


# Progress.


def test_progress_in_lines_tells_the_time_left_now_and_then() -> None:
    now = [0.0]
    lines: list[str] = []
    report = progress.ProgressLines(lines.append, clock=lambda: now[0])
    for done in range(101):
        now[0] = 0.2 * done
        report("sampling", done, 100)
    report("sampling", 0, 100)
    assert lines == [
        "sampling ...",
        "sampling: 25 % done, about 15 s left",
        "sampling: 50 % done, about 10 s left",
        "sampling: 75 % done, about 5 s left",
        "sampling, once more ...",
    ]


def test_a_stage_that_starts_over_gets_a_bar_of_its_own() -> None:
    from rich.progress import Progress

    bars = Progress()
    report = progress.ProgressBars(bars)
    for done in (0, 5, 10, 0, 4):
        report("sampling", done, 10)
    assert [(task.description, task.completed) for task in bars.tasks] == [("sampling", 10), ("more sampling", 4)]


def test_ctrl_c_that_was_swallowed_is_raised_at_the_next_step() -> None:
    with progress.interruptible() as check:
        check()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
