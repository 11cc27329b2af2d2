"""This package against the textbook: the same model and data in PyMC, nutpie, NumPyro and Stan.

    python benchmarks/peers.py --incidents 300 5000 50000 --repeats 3

Every sampler gets the same simulated assessment, priors, draws, chains and cores; peers get --tune tuning draws, this
package its own number of them. Each run is a process of its own, with empty caches in the first repeat. Repeats are
interleaved: one run of each sampler, in turn. Writes results/peers.csv, results/peers-agreement.csv, images/peers.png
and the table of benchmarks.md in docs/; figures of other numbers of incidents that are there from an earlier run stay.
Exit status 1 if posteriors disagree, which makes the comparison void, or if a run fails.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from published import DOCS, publish, show, spread
from rich.console import Console
from textbook.agreement import MAX_RHAT, compare_means, largest_allowed, max_rhat, min_score_ess, pool_repeats
from textbook.figure import draw_peers
from textbook.runs import Run, Task, run_task
from textbook.samplers import SAMPLERS

from violencescore.methodology import Sampling
from violencescore.output import write_file
from violencescore.simulation import simulate_world, write_simulation

OURS = "violencescore"
OWN_TUNE = Sampling().tune
TITLE = "This package against the textbook: median (lowest to highest) of the rounds"
PEERS = tuple(name for name in SAMPLERS if name != OURS)


def parse(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--incidents", type=int, nargs="+", default=[300, 5000, 50000], help="sizes of the assessments")
    parser.add_argument("--samplers", nargs="+", choices=PEERS, default=list(PEERS), help="peers to compare with")
    parser.add_argument("--repeats", type=int, default=3, help="interleaved rounds (default 3)")
    parser.add_argument("--draws", type=int, default=1000, help="kept draws of each chain (default 1000)")
    parser.add_argument("--tune", type=int, default=500, help="tuning draws of each chain of a peer (default 500)")
    parser.add_argument(
        "--own-tune", type=int, default=OWN_TUNE, help=f"of this package (default {OWN_TUNE}, as methodologies say)"
    )
    parser.add_argument("--chains", type=int, default=2, help="chains, in parallel (default 2)")
    parser.add_argument("--seed", type=int, default=7, help="seed of the simulated world; samplers count on from it")
    parser.add_argument("--limit", type=float, default=1500.0, help="seconds before a run is stopped (default 1500)")
    parser.add_argument(
        "--again", type=int, nargs=2, metavar=("DRAWS", "TUNE"), default=[200, 200],
        help="a peer that does not finish is run once more with so many (default 200 200; 0 0: not)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=DOCS, help="folder in which results/ and images/ are written")
    return parser.parse_args(given)


def run_all(arguments: argparse.Namespace, scratch: Path, console: Console) -> Iterator[Run]:
    """Run every sampler on every size, in interleaved rounds, smallest size first.

    A peer that finishes neither as asked nor with fewer draws is not tried again, at this size or a larger one.
    """
    given_up: set[str] = set()
    fewer: dict[str, tuple[int, int]] = {}
    for incidents in sorted(arguments.incidents):
        world = scratch / f"world-{incidents}"
        write_simulation(simulate_world("plain", arguments.seed, incidents), world)
        for repeat in range(arguments.repeats):
            names = [OURS, *arguments.samplers]
            turn = repeat % len(names)
            for sampler in names[turn:] + names[:turn]:
                if sampler in given_up:
                    continue
                tune = arguments.own_tune if sampler == OURS else arguments.tune
                asked = fewer.get(sampler, (arguments.draws, tune))
                seed = arguments.seed + 1000 * (repeat + 1)
                task = Task(sampler, incidents, repeat, repeat == 0, *asked, arguments.chains, seed)
                run = _run(task, world, scratch, arguments.limit, console)
                yield run
                if not run.status.startswith("unfinished"):
                    continue
                if sampler not in fewer and min(arguments.again) > 0:
                    fewer[sampler] = tuple(arguments.again)
                    task = Task(sampler, incidents, repeat, False, *arguments.again, arguments.chains, seed)
                    run = _run(task, world, scratch, arguments.limit, console)
                    yield run
                if run.status.startswith("unfinished"):
                    given_up.add(sampler)


def _run(task: Task, world: Path, scratch: Path, limit: float, console: Console) -> Run:
    console.print(
        f"{task.sampler}: {task.incidents:,} incidents, round {task.repeat + 1}, "
        f"{task.chains} x ({task.tune} + {task.draws}) draws ...",
        end=" ",
    )
    run = run_task(task, world, scratch, limit)
    console.print(f"{run.status}, {run.seconds:.1f} s" if run.status == "finished" else run.status)
    return run


def tabulate(runs: Sequence[Run], arguments: argparse.Namespace) -> pd.DataFrame:
    """One row a run; the ratio is to this package's run of the same round."""
    rows = []
    today = datetime.now(UTC).date().isoformat()
    for run in runs:
        task = run.task
        row = {
            "date": today,
            "world": "plain",
            "world_seed": arguments.seed,
            "incidents": task.incidents,
            "sampler": task.sampler,
            "round": task.repeat + 1,
            "seed": task.seed,
            "chains": task.chains,
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "tune": task.tune,
            "draws": task.draws,
            "caches": "cold" if task.cold else "warm",
            "status": run.status,
            "seconds_compile": run.facts.get("seconds_compile", np.nan),
            "seconds_sample": run.facts.get("seconds_sample", np.nan),
            "seconds_total": run.seconds,
            "min_ess": min_score_ess(run.draws) if run.draws else np.nan,
            "max_rhat": max_rhat(run.draws) if run.draws else np.nan,
            "divergences": run.facts.get("divergences", np.nan),
            "gradients": run.facts.get("gradients", np.nan),
            "versions": run.facts.get("versions", ""),
        }
        row["ess_per_second"] = row["min_ess"] / row["seconds_sample"]
        rows.append(row)
    table = pd.DataFrame(rows)
    ours = table[table["sampler"] == OURS].set_index(["incidents", "round"])
    rounds = pd.MultiIndex.from_frame(table[["incidents", "round"]])
    table["ratio"] = ours["ess_per_second"].reindex(rounds).to_numpy() / table["ess_per_second"]
    # At best each draw of a run that was stopped, tuning draws among them, was worth one effective draw.
    most = np.array([run.most_per_second for run in runs])
    table["at_least"] = ours["ess_per_second"].reindex(rounds).to_numpy() / most
    return table


def check_agreement(runs: Sequence[Run]) -> tuple[pd.DataFrame, set[tuple[int, str]]]:
    """Compare every peer's posterior means with ours, repeats pooled; and say which comparisons are void."""
    by_peer: dict[tuple[int, str], list[dict[str, np.ndarray]]] = {}
    for run in runs:
        if run.status == "finished":
            by_peer.setdefault((run.task.incidents, run.task.sampler), []).append(run.draws)
    pooled = {key: pool_repeats(draws) for key, draws in by_peer.items()}
    tables, unsettled = [], {key for key, draws in pooled.items() if max_rhat(draws) > MAX_RHAT}
    for (incidents, sampler), draws in pooled.items():
        if sampler != OURS and (incidents, OURS) in pooled:
            table = compare_means(pooled[incidents, OURS], draws)
            tables.append(table.assign(incidents=incidents, sampler=sampler))
    if not tables:
        return pd.DataFrame(), unsettled
    table = pd.concat(tables, ignore_index=True)
    table["allowed"] = largest_allowed(len(table))
    void = {
        (int(i), str(s)) for i, s in table[table["z"].abs() > table["allowed"]][["incidents", "sampler"]].to_numpy()
    }
    void |= {(i, s) for i, s in pooled if (i, OURS) in unsettled and s != OURS}
    return table[["incidents", "sampler", *table.columns.drop(["incidents", "sampler"])]], void | unsettled


def summarize(table: pd.DataFrame, agreement: pd.DataFrame) -> pd.DataFrame:
    """The table that is printed and shown on the page: medians and ranges over the rounds."""
    shown = []
    for (incidents, sampler, draws), rows in table.groupby(["incidents", "sampler", "draws"], sort=False):
        first, done = rows.iloc[0], rows[rows["status"] == "finished"]
        by_caches = {name: done.loc[done["caches"] == name, "seconds_total"] for name in ("cold", "warm")}
        if sampler == OURS:
            ratio = "1"
        elif done.empty:
            ratio = f"at least {rows['at_least'].median():.2g}" if rows["at_least"].notna().any() else ""
        else:
            ratio = "VOID" if rows["void"].any() else spread(done["ratio"])
        shown.append(
            {
                "incidents": f"{incidents:,}",
                "sampler": sampler,
                "draws": f"{first['chains']} x ({first['tune']} + {draws}), {_cores(first['cores'])}",
                "effective/s": spread(done["ess_per_second"]) if len(done) else first["status"],
                "ours is faster by": ratio,
                "sampling, s": spread(done["seconds_sample"]) if len(done) else "",
                "verdict cold, s": spread(by_caches["cold"]) if len(by_caches["cold"]) else "",
                "warm, s": spread(by_caches["warm"]) if len(by_caches["warm"]) else "",
                "largest |z|": _largest(agreement, incidents, sampler),
            }
        )
    return pd.DataFrame(shown)


def _cores(n: int) -> str:
    return f"{n} core" if n == 1 else f"{n} cores"


def _largest(agreement: pd.DataFrame, incidents: int, sampler: str) -> str:
    if agreement.empty:
        return ""
    own = agreement[(agreement["incidents"] == incidents) & (agreement["sampler"] == sampler)]
    return "" if own.empty else f"{own['z'].abs().max():.2f} of {own['allowed'].max():.2f}"


def with_earlier(path: Path, found: pd.DataFrame, incidents: Sequence[int]) -> pd.DataFrame:
    """Add what a file says of other numbers of incidents than these."""
    if not path.is_file() or path.stat().st_size <= 1:
        return found
    earlier = pd.read_csv(path)
    tables = [table for table in (earlier[~earlier["incidents"].isin(incidents)], found) if len(table)]
    return pd.concat(tables, ignore_index=True).sort_values("incidents", kind="stable") if tables else found


def main() -> None:
    arguments = parse()
    progress, console = Console(stderr=True, highlight=False), Console(width=None if sys.stdout.isatty() else 160)
    runs: list[Run] = []
    interrupted = False
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the samplers' processes end with this one
    with tempfile.TemporaryDirectory(prefix="peers-", ignore_cleanup_errors=True) as scratch:
        try:
            for run in run_all(arguments, Path(scratch), progress):
                runs.append(run)  # one by one, so that an interruption loses only the run under way
        except KeyboardInterrupt:
            interrupted = True
    if not runs:
        sys.exit(130)
    table = tabulate(runs, arguments)
    agreement, void = check_agreement(runs)
    table["void"] = [(i, s) in void for i, s in zip(table["incidents"], table["sampler"], strict=True)]
    if interrupted:
        show(summarize(table, agreement), TITLE, ("incidents", "sampler"))
        console.print("Interrupted: this is what had finished; no file was written.")
        sys.exit(130)
    results = arguments.out / "results"
    results.mkdir(parents=True, exist_ok=True)
    (arguments.out / "images").mkdir(exist_ok=True)
    whole = with_earlier(results / "peers.csv", table, arguments.incidents)
    compared = with_earlier(results / "peers-agreement.csv", agreement, arguments.incidents)
    write_file(results / "peers-agreement.csv", _csv(compared))
    texts = summarize(whole, compared)
    show(texts, TITLE, ("incidents", "sampler"))
    publish(
        arguments.out, "peers", whole, draw_peers(whole), texts, "Effective samples a second, and time to a verdict"
    )
    if void:
        named = ", ".join(f"{sampler} at {incidents:,}" for incidents, sampler in sorted(void))
        console.print(f"VOID: chains or posteriors disagree ({named}); see docs/results/peers-agreement.csv.")
    if void or table["status"].str.startswith("failed").any():
        sys.exit(1)


def _csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False, float_format="%.6g").encode()


if __name__ == "__main__":
    main()
