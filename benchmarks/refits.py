"""How many refits of the embedded example a minute, with the model compiled once?

    python benchmarks/refits.py --refits 8 --rounds 3

Three ways, side by side for the whole of the benchmark, by turns within each round:

    one process     on one core
    two processes   one on each of two cores
    Dask            a `LocalCluster` of two workers, one on each of two cores, through its scheduler

Every process is held to its core, and has compiled, or found on disk, all that it needs before anything is timed. A
refit is all of `fit_assessment` (design, sampling at the methodology's settings, more draws where the verdict needs
them, attribution, scores, decision), with another seed each; all three ways do the same seeds. The chains of a refit
run in threads of its process, so that they share its core. Writes results/refits.csv, images/refits.png and the table
of benchmarks.md in docs/. Needs a system that lets processes be held to cores (Linux).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from published import BLUE, DOCS, GREEN, ORANGE, as_png, new_figure, publish, show, spread
from textbook.figure import INK, MUTED, style

ONE, TWO, DASK = "one process", "two processes", "Dask, two workers"
WAYS = (ONE, TWO, DASK)
TARGET = 20
"""Refits a minute that are wanted at least."""
TRIAL = {"draws": 20, "tune": 20, "chains": 2}
"""Settings of the refit with which each process begins, unmeasured: it compiles, or loads, all that a refit needs."""
MAX_START = 600.0
"""Seconds after which processes that are not ready are given up."""

type Refits = Callable[[Sequence[int], Mapping[str, int | None]], list[dict[str, Any]]]
"""Does one refit a seed, at the given settings of sampling, and says of each how it went."""


def parse(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--refits", type=int, default=8, help="refits of each way in each round (default 8)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--chains", type=int, nargs="+", default=[4, 2], help="chains of a refit (default 4 2)")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="default: all")
    parser.add_argument("--draws", type=int, help="in place of the methodology's; for a trial of this benchmark only")
    parser.add_argument("--tune", type=int, help="likewise")
    parser.add_argument("--seed", type=int, default=1, help="of the first refit; the others count on from it")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder in which results/ and images/ are written")
    return parser.parse_args(given)


def choose_cores(n: int) -> list[int]:
    """Return the first cores that this process may use.

    Raises
    ------
    SystemExit
        If there are too few, or the system does not hold processes to cores.
    """
    if not hasattr(os, "sched_setaffinity"):
        sys.exit("benchmarks/refits.py holds processes to cores, which this system does not offer; run it on Linux")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < n:
        sys.exit(
            f"benchmarks/refits.py: {n} cores are needed, this process may use {len(cores)}; leave out some --ways"
        )
    return cores[:n]


def hold_to(core: int) -> None:
    """Hold all threads of this process, and those that they will start, to one core."""
    for thread in os.listdir("/proc/self/task"):
        with suppress(ProcessLookupError):  # a thread that has ended meanwhile
            os.sched_setaffinity(int(thread), {core})


@cache
def _example() -> Any:
    from violencescore.assessment import read_assessment
    from violencescore.example import example_folder

    return read_assessment(example_folder())


def refit(seed: int, settings: Mapping[str, int | None]) -> dict[str, Any]:
    """Fit the embedded example in this process, and say how it went; the tables are read once a process."""
    from violencescore.fitting import fit_assessment

    assessment = _example()
    start = time.perf_counter()
    fit = fit_assessment(assessment, seed, densities=False, **settings)
    steps = fit.posterior["sample_stats"]["n_steps"]
    return {
        "seconds": time.perf_counter() - start,
        "draws": int(steps.sizes["chain"] * steps.sizes["draw"]),
        "gradients": int(steps.sum()),
        "converged": fit.diagnostics.converged,
        "outcome": fit.decision.outcome,
    }


@contextmanager
def processes(cores: Sequence[int]) -> Iterator[Refits]:
    """Processes of this machine, one a core; each takes the next refit when it is free."""
    context = multiprocessing.get_context("spawn")
    free, ready = context.Queue(), context.Barrier(len(cores))
    for core in cores:
        free.put(core)
    with ProcessPoolExecutor(len(cores), context, initializer=_begin, initargs=(free, ready)) as pool:
        # None answers before all have begun.
        for started in [pool.submit(os.getpid) for _ in cores]:
            started.result()

        def refits(seeds: Sequence[int], settings: Mapping[str, int | None]) -> list[dict[str, Any]]:
            return [done.result() for done in [pool.submit(refit, seed, settings) for seed in seeds]]

        yield refits


def _begin(free: Any, ready: Any) -> None:
    """Take a core, compile, and wait until all others have done so: a pool's process begins its work with this."""
    hold_to(free.get())
    refit(0, TRIAL)
    ready.wait(MAX_START)


@contextmanager
def dask_cluster(cores: Sequence[int]) -> Iterator[Refits]:
    """Workers of a Dask cluster on this machine, one a core, one refit at a time."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(len(cores), threads_per_worker=1, dashboard_address=None, silence_logs=40) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(len(cores))
        workers = list(client.scheduler_info(n_workers=-1)["workers"])
        for core, worker in zip(cores, workers, strict=True):
            client.run(hold_to, core, workers=[worker])
        client.gather([client.submit(refit, 0, TRIAL, workers=[worker], pure=False) for worker in workers])

        def refits(seeds: Sequence[int], settings: Mapping[str, int | None]) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = client.gather(
                [client.submit(refit, seed, settings, pure=False) for seed in seeds]
            )
            return found

        yield refits


def measure(arguments: argparse.Namespace) -> pd.DataFrame:
    """Do all refits; one row a way, number of chains and round."""
    cores = choose_cores(1 if arguments.ways == [ONE] else 2)
    makers = {ONE: lambda: processes(cores[:1]), TWO: lambda: processes(cores), DASK: lambda: dask_cluster(cores)}
    given = {"draws": arguments.draws, "tune": arguments.tune}
    rows = []
    today = datetime.now(UTC).date().isoformat()
    with ExitStack() as stack:
        ways: dict[str, Refits] = {}
        for way in (way for way in WAYS if way in arguments.ways):
            print(f"{way}: compiling, or loading what is compiled ...", file=sys.stderr, flush=True)
            ways[way] = stack.enter_context(makers[way]())
        for number in range(arguments.rounds):
            first = arguments.seed + number * arguments.refits
            for chains in arguments.chains:
                order = list(ways) if number % 2 == 0 else list(ways)[::-1]
                for way in order:
                    start = time.perf_counter()
                    done = ways[way](range(first, first + arguments.refits), {**given, "chains": chains})
                    seconds = time.perf_counter() - start
                    per_minute = 60 * arguments.refits / seconds
                    said = f"{way}, {chains} chains: {per_minute:.1f} refits a minute"
                    print(f"round {number + 1}: {said}", file=sys.stderr, flush=True)
                    rows.append(
                        {"date": today, "way": way, "chains": chains, "round": number + 1, "refits": len(done)}
                        | {"seconds": seconds, "per_minute": per_minute}
                        | _counted(pd.DataFrame(done))
                    )
    return pd.DataFrame(rows)


def _counted(done: pd.DataFrame) -> dict[str, Any]:
    return {
        "seconds_of_one": done["seconds"].median(),
        "draws_of_one": done["draws"].mean(),
        "gradients_of_one": done["gradients"].mean(),
        "converged": int(done["converged"].sum()),
        "selected": int((done["outcome"] == "selected").sum()),
    }


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """The table that is printed and shown on the page: medians and ranges over the rounds."""
    one = rows[rows["way"] == ONE].set_index(["chains", "round"])["per_minute"]
    shown = []
    for (chains, way), own in rows.groupby(["chains", "way"], sort=False):
        ratio = own.set_index(["chains", "round"])["per_minute"] / one
        shown.append(
            {
                "chains": str(chains),
                "": way,
                "refits a minute": spread(own["per_minute"]),
                "to one process": spread(ratio.dropna(), ".2f") if len(one) else "",
                "seconds of one": spread(own["seconds_of_one"]),
                "draws of one": f"{own['draws_of_one'].mean():,.0f}",
                "gradients of one": f"{own['gradients_of_one'].mean():,.0f}",
                "converged": f"{own['converged'].sum()} of {own['refits'].sum()}",
            }
        )
    return pd.DataFrame(shown)


def draw(rows: pd.DataFrame) -> bytes:
    """Return the figure: refits a minute by way and chains, medians with the range over the rounds."""
    figure = new_figure(8.0, 3.8)
    axes = figure.subplots()
    counts = list(rows["chains"].unique())
    ways = [way for way in WAYS if way in set(rows["way"])]
    for place, way in enumerate(ways):
        found = rows[rows["way"] == way].groupby("chains")["per_minute"].agg(["median", "min", "max"]).loc[counts]
        bars = [found["median"] - found["min"], found["max"] - found["median"]]
        colour = {ONE: BLUE, TWO: ORANGE, DASK: GREEN}[way]
        at = [i + 0.26 * (place - (len(ways) - 1) / 2) for i in range(len(counts))]
        axes.bar(at, found["median"], 0.24, yerr=bars, color=colour, ecolor=INK, capsize=4, label=way)
    axes.axhline(TARGET, color=MUTED, linestyle=":", label=f"wanted: {TARGET}")
    axes.set_xticks(range(len(counts)), [f"{n} chains a refit" for n in counts])
    axes.set_title("refits of the embedded example a minute", fontsize=10, color=INK, loc="left")
    style(axes)
    axes.grid(visible=False, axis="x")
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=10)
    return as_png(figure)


def main(given: list[str] | None = None) -> None:
    arguments = parse(given)
    # Processes that are started from here on use one thread for matrix products: there is one core for each.
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    rows = measure(arguments)
    table = summarize(rows)
    show(table, "Refits a minute: median (lowest to highest) of the rounds", ("", "chains"))
    publish(arguments.out, "refits", rows, draw(rows), table, "Refits of the embedded example a minute")


if __name__ == "__main__":
    main()
