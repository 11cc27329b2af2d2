"""How long from nothing to a verdict? Whole processes of `violencescore demo`, and where their time goes.

    python benchmarks/verdict.py --repeats 5

In each round, three processes, each timed from its start to its end:

    first   nothing is cached: neither compiled kernels nor Python's own bytecode (of any package), as right after
            installation
    cold    compiled kernels are not cached (an empty NUMBA_CACHE_DIR), bytecode is
    warm    the same command once more, with the caches that `cold` left

One more process runs before all, unmeasured: it leaves the bytecode, and the files themselves in memory, for all
alike; PYTHONDONTWRITEBYTECODE is taken out of the environment, or bytecode would never be cached. What took how long
comes from the seconds that the run records, from the time of the line `compiling ...` that it writes, and from the
times of its files. `kernels` counts the files of compiled code that a process added to its cache: none when warm, or
it was not warm. Writes results/verdict.csv, images/verdict.png and the table of benchmarks.md in docs/.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from published import (
    BLUE,
    DOCS,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    SKY,
    YELLOW,
    as_png,
    new_figure,
    publish,
    show,
    spread,
)
from textbook.figure import INK, MUTED, style

STATES = ("first", "cold", "warm")
PHASES = {
    "start": ("interpreter, command line", GREY),
    "read": ("reading, with its imports", SKY),
    "compile": ("compiling or loading, with its imports", ORANGE),
    "prepare": ("design, prior", YELLOW),
    "sample": ("sampling", BLUE),
    "scores": ("attribution, scores, decision", GREEN),
    "write": ("writing the run", PINK),
    "page": ("page, tables, end", "#52606d"),
}
"""What a process does, in order: as it is called in the figure, and its colour."""


def parse(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="rounds (default 5)")
    parser.add_argument("--states", nargs="+", choices=STATES, default=list(STATES), help="default: all")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder in which results/ and images/ are written")
    arguments = parser.parse_args(given)
    if "warm" in arguments.states and "cold" not in arguments.states:
        parser.error("--states: `warm` runs on what `cold` leaves; name both")
    return arguments


def run_demo(scratch: Path, caches: Mapping[str, Path]) -> dict[str, float]:
    """Run `demo` in a process of its own and return its seconds by phase.

    Parameters
    ----------
    caches
        Folders of caches by the variable of the environment that names them.

    Raises
    ------
    RuntimeError
        If the command fails, or does not say when it begins to compile.
    """
    run = Path(tempfile.mkdtemp(prefix="run-", dir=scratch)) / "run"
    command = [sys.executable, "-m", "violencescore", "demo", "--out", str(run)]
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = inherited | {name: str(folder) for name, folder in caches.items()}
    before = sum(count_kernels(folder) for folder in caches.values())
    compiling, last = float("nan"), ""
    begin = time.time()  # the clock of the files' times, too
    with subprocess.Popen(
        command, env=environment, cwd=scratch, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            for line in process.stderr or ():
                if line.startswith("compiling") and compiling != compiling:
                    compiling = time.time()
                last = line.strip() or last
        except BaseException:
            process.kill()
            raise
    end = time.time()
    if process.returncode != 0 or compiling != compiling:
        raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}: {last or 'no message'}")
    seconds = json.loads((run / "diagnostics.json").read_text())["seconds"]
    page = run / "report.html"
    written = max(path.stat().st_mtime for path in run.iterdir() if path != page)
    kernels = sum(count_kernels(folder) for folder in caches.values()) - before
    return {**split(begin, compiling, written, end, seconds), "total": end - begin, "kernels": kernels}


def split(begin: float, compiling: float, written: float, end: float, seconds: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds of each phase, from four times and the seconds that the run recorded.

    The run counts from when its command begins, and its `read` ends with the line `compiling ...`.
    """
    command = compiling - seconds["read"]
    known = {name: seconds[name] for name in ("read", "compile", "sample", "scores")}
    phases = known | {
        "start": command - begin,
        "prepare": seconds["total"] - sum(known.values()),
        "write": written - command - seconds["total"],
        "page": end - written,
    }
    return {name: phases[name] for name in PHASES}


def count_kernels(folder: Path) -> int:
    """Count the files of compiled code under a folder."""
    return sum(1 for _ in folder.rglob("*.nbc"))


def measure(states: list[str], repeats: int) -> pd.DataFrame:
    """Run all rounds; one row a process."""
    rows = []
    today = datetime.now(UTC).date().isoformat()
    with tempfile.TemporaryDirectory(prefix="verdict-", ignore_cleanup_errors=True) as name:
        scratch = Path(name)
        print("one process that is not measured ...", file=sys.stderr, flush=True)
        run_demo(scratch, {"NUMBA_CACHE_DIR": scratch / "unmeasured"})
        for number in range(1, repeats + 1):
            kernels = {"NUMBA_CACHE_DIR": scratch / f"kernels-{number}"}
            nothing = {
                "NUMBA_CACHE_DIR": scratch / f"first-{number}",
                "PYTHONPYCACHEPREFIX": scratch / f"bytecode-{number}",
                "MPLCONFIGDIR": scratch / f"fonts-{number}",
                "XDG_CACHE_HOME": scratch / f"caches-{number}",
            }
            for state in states:
                run = run_demo(scratch, nothing if state == "first" else kernels)
                print(f"round {number}: {state} {run['total']:.1f} s", file=sys.stderr, flush=True)
                rows.append({"date": today, "round": number, "state": state, **run})
    return pd.DataFrame(rows)


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """The table that is printed and shown on the page: medians (and ranges of the whole), ratio to warm by round."""
    shown = []
    warm = rows[rows["state"] == "warm"].set_index("round")["total"]
    for state, own in rows.groupby("state", sort=False):
        ratio = own.set_index("round")["total"] / warm
        shown.append(
            {"": state, "whole, s": spread(own["total"]), "to warm": spread(ratio, ".2f") if len(warm) else ""}
            | {f"{name}, s": f"{own[name].median():.2f}" for name in PHASES}
            | {"kernels": f"{own['kernels'].median():.0f}"}
        )
    return pd.DataFrame(shown)


def draw(rows: pd.DataFrame) -> bytes:
    """Return the figure: median seconds of each phase, stacked; the range of the whole as a bar."""
    figure = new_figure(9.0, 3.4)
    axes = figure.subplots()
    by_state = rows.groupby("state", sort=False)
    medians, whole = by_state[list(PHASES)].median(), by_state["total"].agg(["median", "min", "max"])
    left = pd.Series(0.0, index=medians.index)
    for name, (label, colour) in PHASES.items():
        axes.barh(medians.index, medians[name], left=left, color=colour, label=label, height=0.6, edgecolor="white")
        left += medians[name]
    bars = [whole["median"] - whole["min"], whole["max"] - whole["median"]]
    axes.errorbar(whole["median"], whole.index, xerr=bars, fmt="|", color=INK, capsize=4)
    for state, seconds in whole["max"].items():
        axes.annotate(
            f"{whole.loc[state, 'median']:.1f} s", (seconds, state), (8, 0), textcoords="offset points", va="center",
            color=INK,
        )  # fmt: skip
    axes.set_xlim(0, whole["max"].max() * 1.1)
    axes.invert_yaxis()
    axes.set_xlabel("seconds, from the start of the process to its end", color=MUTED)
    style(axes)
    axes.grid(visible=False, axis="y")
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    return as_png(figure)


def main(given: list[str] | None = None) -> None:
    arguments = parse(given)
    states = [state for state in STATES if state in arguments.states]
    rows = measure(states, arguments.repeats)
    table = summarize(rows)
    show(table, "`violencescore demo`: median (lowest to highest) of the rounds", ("",))
    publish(
        arguments.out, "verdict", rows, draw(rows), table, "Seconds of `violencescore demo` by what they are spent on"
    )


if __name__ == "__main__":
    main()
