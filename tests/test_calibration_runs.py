"""Many refits: on processes and on a Dask cluster, through killed workers and interruptions, and never mixed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from calibration_cases import failing_refit, fatal_refit, foreign_refit, made_up, quick_refit

from violencescore import cli
from violencescore.assessment import Assessment
from violencescore.calibration import workers
from violencescore.calibration.assessments import cut_off, weekly_looks, without_false_flags
from violencescore.calibration.counting import naming_draws
from violencescore.calibration.folder import missing_tasks, open_folder, read_records, write_record
from violencescore.calibration.methods import METHODS, MODEL, NAMES
from violencescore.calibration.plan import Settings, Task, manifest, plan_prior, plan_worlds
from violencescore.calibration.refits import read_simulation, refit_world, true_scores
from violencescore.calibration.results import write_results
from violencescore.design import build_design
from violencescore.errors import InputError, RefusedError
from violencescore.example import count_names
from violencescore.simulation import simulate_world

TASKS = plan_worlds(["plain", "framed"], range(1, 9))
QUICK = Settings(draws=20, tune=60, chains=1)


class Kept:
    """Keeps records in a folder, and on the way kills one worker, or is interrupted."""

    def __init__(self, folder: Path, *, kill_after: int = 0, interrupt_after: int = 0) -> None:
        self.folder, self.kill_after, self.interrupt_after = folder, kill_after, interrupt_after
        self.keys: list[str] = []
        self.pids: list[int] = []

    def __call__(self, task: Task, record: Mapping[str, Any]) -> None:
        write_record(self.folder, task, record)
        self.keys.append(task.key)
        self.pids.append(record.get("pid", 0))
        if len(self.keys) == self.kill_after:
            os.kill(self.pids[-1], signal.SIGKILL)
        if len(self.keys) == self.interrupt_after:
            raise KeyboardInterrupt


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    open_folder(tmp_path / "calibration", QUICK)
    return tmp_path / "calibration"


def require_all(folder: Path, kept: Kept) -> None:
    """Every task once, none twice, none lost."""
    assert sorted(kept.keys) == sorted(task.key for task in TASKS)
    assert missing_tasks(folder, TASKS) == []
    assert len(read_records(folder, "world")) == len(TASKS)


def test_processes_do_every_task_once(folder: Path) -> None:
    kept = Kept(folder)
    workers.run_here(TASKS, QUICK, kept, 2, quick_refit)
    require_all(folder, kept)
    assert len(set(kept.pids)) == 2
    assert os.getpid() not in kept.pids


def test_a_worker_that_is_killed_loses_nothing(folder: Path) -> None:
    kept = Kept(folder, kill_after=3)
    workers.run_here(TASKS, QUICK, kept, 2, quick_refit)
    require_all(folder, kept)
    assert len(set(kept.pids)) > 2


def test_workers_that_die_again_and_again_are_refused_and_what_is_done_is_kept(folder: Path) -> None:
    kept = Kept(folder)
    workers.run_here(TASKS[:2], QUICK, kept, 1, quick_refit)
    with pytest.raises(RefusedError, match=r"died 3 times .* 3 are missing"):
        workers.run_here(TASKS[2:5], QUICK, kept, 1, fatal_refit)
    assert len(read_records(folder, "world")) == 2


def test_an_interrupted_run_goes_on_where_it_was(folder: Path) -> None:
    first = Kept(folder, interrupt_after=5)
    with pytest.raises(KeyboardInterrupt):
        workers.run_here(TASKS, QUICK, first, 2, quick_refit)
    left = missing_tasks(folder, TASKS)
    assert len(left) == len(TASKS) - 5
    second = Kept(folder)
    workers.run_here(left, QUICK, second, 2, quick_refit)
    assert not set(first.keys) & set(second.keys)
    second.keys += first.keys
    require_all(folder, second)


RUN_AND_SAY = """
if __name__ == "__main__":
    from calibration_cases import quick_refit
    from violencescore.calibration.plan import Settings, plan_worlds
    from violencescore.calibration.workers import run_here
    run_here(plan_worlds(["plain"], range(10_000)), Settings(), lambda t, r: print(r["pid"], flush=True), 1, quick_refit)
"""


def test_workers_end_with_the_process_that_began_them_even_if_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(RUN_AND_SAY)
    places = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": places}
    begun = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment)
    assert begun.stdout is not None
    worker = int(begun.stdout.readline())
    os.kill(worker, 0)
    begun.kill()
    begun.communicate()
    for _ in range(200):
        if not is_alive(worker):
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker lived on")


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        return not state.exists() or state.read_text().split(")")[-1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_a_fault_of_a_refit_is_not_hidden(folder: Path) -> None:
    with pytest.raises(ZeroDivisionError, match="a fault of the refit"):
        workers.run_here(TASKS[:2], QUICK, Kept(folder), 1, failing_refit)


@pytest.fixture
def cluster() -> Iterator[str]:
    """A real cluster of two processes on this machine."""
    from distributed import LocalCluster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the cluster warns of while a killed worker is replaced is its own affair
        with LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as made:
            yield made.scheduler_address
            # A cluster that is closed while a killed worker is being replaced stumbles over the one to come.
            made.wait_for_workers(2, timeout=60)


@pytest.mark.filterwarnings("ignore")  # the same
def test_on_a_dask_cluster_a_worker_is_killed_on_the_way_and_nothing_is_lost(folder: Path, cluster: str) -> None:
    kept = Kept(folder, kill_after=3)
    workers.run_on_cluster(TASKS, QUICK, kept, cluster, quick_refit)
    require_all(folder, kept)
    assert len(set(kept.pids)) > 1
    with pytest.raises(ProcessLookupError):
        os.kill(kept.pids[2], 0)
    assert os.getpid() not in kept.pids


@pytest.mark.filterwarnings("ignore")  # the same
def test_a_refit_that_takes_down_worker_after_worker_is_refused(folder: Path, cluster: str) -> None:
    with pytest.raises(RefusedError, match="took down several workers"):
        workers.run_on_cluster(TASKS[:1], QUICK, Kept(folder), cluster, fatal_refit)


@pytest.mark.filterwarnings("ignore")  # the same
@pytest.mark.slow
def test_real_refits_on_a_dask_cluster_are_those_of_this_process(folder: Path, cluster: str) -> None:
    tasks = plan_worlds(["plain"], [1, 2], [60])
    kept = Kept(folder)
    workers.run_on_cluster(tasks, QUICK, kept, cluster, workers.refit)
    assert len(kept.keys) == 2
    here = refit_world(tasks[0], QUICK)["methods"][MODEL]["p_first"]
    assert read_records(folder, "world")[0]["methods"][MODEL]["p_first"] == here


def test_no_scheduler_is_bad_input(folder: Path) -> None:
    with pytest.raises(InputError, match="no Dask scheduler answers"):
        workers.run_on_cluster(TASKS, QUICK, Kept(folder), "nonsense://nowhere", quick_refit)


# The folder.


def test_a_folder_refuses_other_settings_and_names_what_differs(folder: Path) -> None:
    open_folder(folder, QUICK)
    with pytest.raises(InputError) as caught:
        open_folder(folder, Settings(levels=(0.9,), draws=30, tune=60, chains=1))
    assert [fault.column for fault in caught.value.faults] == ["settings.draws", "settings.levels"]
    assert "'20, now 30'" in str(caught.value)


def test_a_folder_refuses_other_versions_and_other_code(folder: Path) -> None:
    path = folder / "manifest.json"
    made = json.loads(path.read_text())
    made["versions"]["nutpie"] = "0.1"
    made["code_sha256"] = "f" * 64
    path.write_text(json.dumps(made))
    with pytest.raises(InputError) as caught:
        open_folder(folder, QUICK)
    assert [fault.column for fault in caught.value.faults] == ["code_sha256", "versions.nutpie"]


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear panel")
    with pytest.raises(InputError, match="no folder of such refits"):
        open_folder(tmp_path, QUICK)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_worker_with_other_code_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="by other code"):
        workers.run_here(TASKS[:1], QUICK, Kept(folder), 1, foreign_refit)
    assert read_records(folder, "world") == []


def test_a_damaged_record_is_named(folder: Path) -> None:
    write_record(folder, TASKS[0], made_up(TASKS[0]))
    (folder / "refits" / f"{TASKS[0].key}.json").write_text("{")
    with pytest.raises(InputError, match="remove the file, and its refit is done again"):
        read_records(folder, "world")


def test_tasks_have_names_of_their_own() -> None:
    tasks = plan_worlds(["plain", "framed"], [1, 2], [300, 600], [0.0, 0.1])
    tasks += plan_worlds(["plain"], [1], weekly=True) + plan_worlds(["plain"], [1]) + plan_prior(["names"], [1])
    assert len({task.key for task in tasks}) == len(tasks) == 19
    assert tasks[0].key == "world-plain-n300-a0-00001"


def test_the_manifest_holds_what_moves_a_result() -> None:
    assert manifest(QUICK) != manifest(Settings())
    assert {"violencescore", "nutpie", "numba", "numpy"} <= set(manifest(QUICK)["versions"])


# One refit.


@pytest.fixture(scope="module")
def assessment() -> Assessment:
    return read_simulation(simulate_world("plain", 3, 200))


def test_a_refit_says_what_each_method_says_beside_the_truth() -> None:
    record = refit_world(Task("world", "silenced", 2, 120, weekly=True), QUICK)
    json.dumps(record, allow_nan=False)
    ids = set(record["truth"])
    assert set(record["methods"]) == set(METHODS)
    for said in record["methods"].values():
        assert set(said["p_first"]) == set(said["realized"]) == ids
        assert sum(said["p_first"].values()) == pytest.approx(1.0)
        assert set(said["verdicts"]) == {"0.8", "0.9", "0.95"}
    simulation = simulate_world("silenced", 2, 120)
    full = simulation.truth.groupby("organization_id")["score"].first()
    assert record["truth"] == pytest.approx(full.to_dict())
    weeks = [look["week"] for look in record["looks"]]
    assert weeks == list(range(1, 9))
    totals = [sum(look["truth"].values()) for look in record["looks"]]
    assert totals == sorted(totals)
    assert record["looks"][-1]["truth"] == record["truth"]
    assert record["looks"][-1]["methods"][MODEL] == record["methods"][MODEL]


def test_looks_know_nothing_of_later_days(assessment: Assessment) -> None:
    looks = weekly_looks(assessment)
    assert looks[8] is assessment
    window = assessment.methodology.window
    assert window is not None
    for week in range(1, 8):
        look = looks[week]
        own = look.methodology.window
        assert own is not None
        assert (own.end - window.start).days == 7 * week - 1
        assert look.incidents["date_start"].max() <= pd.Timestamp(own.end)
        known = set(look.incidents["incident_id"])
        tables = (look.harms, look.evidence, look.adjudications)
        assert all(set(table["incident_id"]) <= known for table in tables)
        assert set(look.harms["incident_id"]) == known
    assert build_design(looks[4]).days.tolist() == [181.0, 28.0]
    assert len(looks[2].incidents) < len(looks[6].incidents) < len(assessment.incidents)


def test_true_scores_of_a_look_are_those_up_to_its_day(assessment: Assessment) -> None:
    simulation = simulate_world("plain", 3, 200)
    window = assessment.methodology.window
    assert window is not None
    half = cut_off(assessment, window.start + (window.end - window.start) / 2)
    early, late = true_scores(simulation, half), true_scores(simulation, assessment)
    assert all(early[key] <= late[key] for key in late)
    assert 0 < sum(early.values()) < sum(late.values())


def test_without_false_flags_nothing_is_staged_in_the_model(assessment: Assessment) -> None:
    assert build_design(assessment).stages
    plain = build_design(without_false_flags(assessment))
    assert not plain.stages
    assert not plain.forgeable.any()
    assert (plain.patterns.perpetrator >= 0).sum() > 0


def test_counting_names_divides_all_recorded_harm_as_the_names_are(assessment: Assessment) -> None:
    draws = naming_draws(assessment, 1)
    counts = count_names(assessment)
    shares = draws.mean(("chain", "draw")).to_series() / float(draws.sum("organization").mean())
    expected = (counts + 1) / (counts + 1).sum()
    assert shares.tolist() == pytest.approx(expected.tolist(), abs=0.01)
    assert draws.sum("organization").values.std() == pytest.approx(0.0, abs=1e-9)


# Results and the command.


def test_results_hold_tables_figures_seeds_and_date(folder: Path) -> None:
    for task in [*TASKS, *plan_worlds(["plain"], range(20, 40), weekly=True)]:
        write_record(folder, task, made_up(task, weekly=task.weekly))
    for seed in range(1, 31):
        task = Task("prior", "names", seed)
        ranks = {"accuracy of press": (seed - 0.5) / 30, "margin": 0.01}
        write_record(folder, task, {**made_up(task), "ranks": ranks})
    found = write_results(folder)
    assert {"verdicts", "verdicts by incidents", "coverage", "probabilities", "weekly looks", "ranks"} <= set(found)
    assert found["ranks"].set_index("quantity")["passes"].to_dict() == {"accuracy of press": True, "margin": False}
    results = json.loads((folder / "results.json").read_text())
    assert results["seeds"]["world plain"] == {"first": 1, "last": 39, "refits": 28}
    assert len(results["made"]) == 10
    assert set(results["tables"]) == set(found)
    drawn = {path.name for path in (folder / "figures").iterdir()}
    expected = {"reliability", "verdicts", "coverage", "ranks-names"}
    assert drawn == {f"{name}.{form}" for name in expected for form in ("png", "svg")}
    again = {path: path.read_bytes() for path in (folder / "figures").glob("*.svg")}
    write_results(folder)
    assert all(path.read_bytes() == content for path, content in again.items())
    table = pd.read_csv(folder / "tables" / "verdicts.csv")
    assert set(table.loc[table["world"] == "framed", "method"]) > {MODEL, NAMES}


def run(*arguments: object) -> int:
    return cli.run([str(argument) for argument in arguments])


def test_the_command_refits_prints_and_does_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = tmp_path / "deep" / "calibration"
    few = ["--draws", 20, "--tune", 60, "--chains", 1, "--incidents", 80, "--workers", 1]
    assert run("calibrate", "--out", out, "--assessments", 2, *few) == 0
    shown = capsys.readouterr()
    assert "What the rule did" in shown.out
    assert "Refits: 2, of which 2 were new." in shown.out
    assert shown.err.startswith("refits ...")
    assert max(map(len, shown.out.splitlines()[:-1])) <= 80
    made = {path.name: path.stat().st_mtime_ns for path in (out / "refits").iterdir()}
    assert len(made) == 2
    assert run("calibrate", "--out", out, "--assessments", 2, *few, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["refits"] == 2
    assert printed["tables"]["coverage"]
    assert {path.name: path.stat().st_mtime_ns for path in (out / "refits").iterdir()} == made
    assert run("calibrate", "--out", out, "--assessments", 2, "--draws", 30) == 2
    assert "may not be mixed" in capsys.readouterr().err


BAD = {
    "no such world": ["--world", "utopia"],
    "a confidence of a half": ["--confidence", "0.5"],
    "a share above one": ["--adjudicated", "1.5"],
    "no incidents": ["--incidents", "0"],
    "no assessments": ["--assessments", "0"],
    "no workers": ["--workers", "0"],
}


@pytest.mark.parametrize("case", BAD)
def test_bad_usage_of_calibrate_writes_nothing(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("calibrate", "--out", tmp_path / "calibration", *BAD[case]) == 2
    assert len(capsys.readouterr().err) > 30
    assert list(tmp_path.iterdir()) == []
