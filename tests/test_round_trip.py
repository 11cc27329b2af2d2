"""The whole process: commit, simulate a window, fit, publish, verify, fit again, ledger, next round."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import RELAXED

from violencescore import cli
from violencescore.simulation import simulate_world, write_simulation

SCRIPT = Path(__file__).parents[1] / "scripts" / "round-trip"
EASY = "\n[decision]\nconfidence = 0.6\n"


def run(*arguments: object) -> int:
    return cli.run([str(argument) for argument in arguments])


def test_the_whole_process_on_a_small_assessment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With real fits of some hundred incidents, and a low line, so that somebody is named."""
    world, rules, ledger = tmp_path / "world", tmp_path / "rules", tmp_path / "ledger"
    write_simulation(simulate_world("plain", 6, 100), world)
    with (world / "methodology.toml").open("a", encoding="utf-8") as stream:
        stream.write(RELAXED + EASY)
    rules.mkdir()
    for name in ("methodology.toml", "organizations.csv"):
        shutil.copy(world / name, rules)
    key = ["--key", tmp_path / "panel.key"]
    commitment, bundle = tmp_path / "commitment.json", tmp_path / "bundle"
    assert run("keygen", "--out", tmp_path / "panel.key") == 0
    assert run("commit", rules, "--out", commitment, "--rehearsal", *key) == 0
    assert run("rounds", "announce", ledger, "--commitment", commitment, *key) == 0
    assert run("rounds", "open", ledger, *key) == 0
    assert run("fit", world, "--out", tmp_path / "run") == 0
    published = ["--commitment", commitment, "--level", "coarsened", "--assessment", world, "--out", bundle]
    assert run("publish", tmp_path / "run", *published, *key) == 0
    assert run("rounds", "verdict", ledger, "--bundle", bundle, *key) == 0
    capsys.readouterr()
    assert run("verify", bundle, "--commitment", commitment, "--refit", "--json") == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert sum(check["name"].startswith("Fitted again: P(first)") for check in checks) == 6
    assert run("rounds", "name", ledger, *key) == 0
    assert run("rounds", "progress", ledger, "--run", tmp_path / "run", *key) == 0
    assert run("rounds", "victory", ledger, "--reason", "Invented.", *key) == 0
    days = ["--start", "2027-01-04", "--end", "2027-02-28"]
    assert run("rounds", "next", ledger, rules, "--out", tmp_path / "rules-2", *days) == 0
    second = tmp_path / "commitment-2.json"
    assert run("commit", tmp_path / "rules-2", "--out", second, "--rehearsal", *key) == 0
    assert run("rounds", "announce", ledger, "--commitment", second, *key) == 0
    assert run("rounds", "verify", ledger, "--bundle", bundle) == 0
    capsys.readouterr()
    assert run("rounds", "show", ledger, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    target = shown["rounds"][0]["target"]
    terms = shown["entries"][-1]["facts"]
    assert terms["retired"] == [target]
    assert target not in terms["organizations"]
    assert len(terms["organizations"]) == 5


@pytest.mark.slow
def test_the_documented_script_runs(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [SCRIPT, tmp_path / "trip"],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "FAILED" not in done.stdout
    for said in ("Fitted again: P(first)", "Would we still?", "Rows", "Error budget", "retired: "):
        assert said in done.stdout, said
    assert len(list((tmp_path / "trip" / "ledger").iterdir())) == 8
    assert (tmp_path / "trip" / "rounds.svg").stat().st_size > 10_000
    refused = subprocess.run([SCRIPT, tmp_path / "trip"], capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 2
