"""A large assessment from files to verdict: whole processes of `violencescore fit`, with their peak memory.

    python benchmarks/large.py --incidents 1000000 --reach 1 1.9 --repeats 1

Simulates a `plain` world of so many incidents as CSV in a temporary folder, and fits it in a process of its own with
the model compiled beforehand, as `scripts/setup` leaves it. In the world as it is an incident has 1.6 rows of evidence;
with channels that speak 1.9 times as often it has three, and many more patterns. Writes results/large.csv and the table
of benchmarks.md in docs/.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from published import DOCS, PAGE, between_marks, markdown, show, spread

from violencescore.output import write_file
from violencescore.prepare import prepare
from violencescore.simulation import WORLDS, World, simulate_world, write_simulation

DEFAULT, CAUTIOUS = "kleiman-2011", "kleiman-2011-cautious"
PHASES = ("read", "compile", "sample", "scores")


def parse(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--incidents", type=int, nargs="+", default=[1_000_000])
    parser.add_argument(
        "--reach", type=float, nargs="+", default=[1.0, 1.9], help="how much more often channels speak (default 1 1.9)"
    )
    parser.add_argument(
        "--rules",
        nargs="+",
        default=[DEFAULT],
        help=f"shipped methodologies, {CAUTIOUS} with its doubts (default {DEFAULT})",
    )
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1, help="of the simulated world")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder in which results/ is written")
    return parser.parse_args(given)


def run_fit(folder: Path, run: Path) -> dict[str, float]:
    """Fit in a process of its own; its seconds, by phase and in all, peak memory and outcome.

    Raises
    ------
    RuntimeError
        If the command fails.
    """
    command = [sys.executable, "-m", "violencescore", "fit", str(folder), "--out", str(run)]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    total = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 3):  # 3: refused, as not converged or not estimable; the outcome says so
        raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}")
    found = json.loads((run / "diagnostics.json").read_text())
    seconds = {name: found["seconds"][name] for name in PHASES}
    decision = json.loads((run / "decision.json").read_text())
    return {
        "total": total,
        **seconds,
        "rest": total - sum(seconds.values()),
        "peak_mb": used.ru_maxrss / 1024,  # of kilobytes, on Linux
        "cpu": used.ru_utime + used.ru_stime,
        "outcome": decision["outcome"],
    }


def build_world(incidents: int, reach: float) -> World:
    plain = WORLDS["plain"]
    channels = {
        name: dataclasses.replace(channel, reach=min(reach * channel.reach, 0.95))
        for name, channel in plain.channels.items()
    }
    return dataclasses.replace(plain, n_incidents=incidents, channels=channels)


def measure(arguments: argparse.Namespace) -> pd.DataFrame:
    """One row a process; of each world, the methodologies by turns."""
    rows = []
    today = datetime.now(UTC).date().isoformat()
    with tempfile.TemporaryDirectory(prefix="large-", ignore_cleanup_errors=True) as name:
        for size, reach in itertools.product(arguments.incidents, arguments.reach):
            folder = Path(name) / f"world-{size}-{reach}"
            simulation = simulate_world(build_world(size, reach), arguments.seed)
            facts = {"date": today, "reach": reach, "incidents": len(simulation.tables["incidents"])}
            facts["evidence_rows"] = len(simulation.tables["evidence"])
            write_simulation(simulation, folder)
            stated = simulation.methodology
            del simulation
            for number, rules in itertools.product(range(arguments.repeats), arguments.rules):
                under = stated.replace(f'extends = "{DEFAULT}"', f'extends = "{rules}"')
                (folder / "methodology.toml").write_text(under, encoding="utf-8")
                found = run_fit(folder, Path(name) / f"run-{size}-{reach}-{rules}-{number}")
                print(f"{size:,}, {rules}: {found['total']:.0f} s, {found['peak_mb']:,.0f} MB", file=sys.stderr)
                rows.append(facts | {"rules": rules, "round": number + 1} | found)
    return pd.DataFrame(rows)


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """The table that is printed and shown on the page."""
    shown = []
    for (incidents, _, rules), own in rows.groupby(["incidents", "reach", "rules"]):
        shown.append(
            {
                "incidents": f"{incidents:,}",
                "rows of evidence": f"{own['evidence_rows'].iloc[0]:,}",
                "methodology": rules,
                "whole, s": spread(own["total"], ".0f"),
                **{f"{name}, s": f"{own[name].median():.1f}" for name in (*PHASES, "rest")},
                "processor, s": spread(own["cpu"], ".0f"),
                "peak memory, GB": spread(own["peak_mb"] / 1024, ".2f"),
                "outcome": ", ".join(sorted(set(own["outcome"]))),
            }
        )
    return pd.DataFrame(shown)


def main(given: list[str] | None = None) -> None:
    arguments = parse(given)
    prepare()
    rows = measure(arguments)
    table = summarize(rows)
    show(table, "`violencescore fit`, whole processes", ("incidents",))
    write_file(arguments.out / "results" / "large.csv", rows.to_csv(index=False, float_format="%.6g").encode())
    page = arguments.out / PAGE
    if page.is_file():
        write_file(page, between_marks(page.read_text(encoding="utf-8"), "large", markdown(table)).encode())


if __name__ == "__main__":
    main()
