"""How long does one gradient take, against a hand-written kernel of the mixture alone, and what does it grow with?

    python benchmarks/gradient.py --rounds 15

The density is all that the sampler calls: priors, effects that sum to zero, channels, false flags, candidates, and the
mixture over perpetrators, value and gradient. It is compared with two kernels that do the mixture alone, value and
gradient of sum_g n_g log(sum_k W[q_g, k] L[p_g, k]) with respect to W and L:

    mixture   the package's own loop (`mix`, `weighted_log`), called directly, on the same arrays; it makes L as the
              product of two tables and carries the gradient on to both
    plain     the formula written out, with L given, one row a pattern, and the logarithm of the C library

All are timed inside compiled loops, so that no call from Python is counted, by turns within each round, and so are all
sizes. Ratios are between times of one round. Sizes are varied one at a time: incidents, organizations, regions,
channels. `typical` has the sizes of a national assessment. The series `same patterns` is one world of 50,000
incidents, and the same with each group's number of incidents multiplied by 20: a million incidents of the same cells
and patterns. In the series `incidents` new patterns go on appearing. Writes results/gradient.csv,
images/gradient.png and the table of benchmarks.md in docs/.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable, Mapping
from ctypes import POINTER, c_double, c_int64
from dataclasses import dataclass
from datetime import UTC, datetime
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from numba import njit
from published import BLUE, DOCS, GREEN, GREY, ORANGE, as_png, new_figure, publish, show, spread
from textbook.figure import INK, MUTED, style

from violencescore.calibration.refits import read_simulation
from violencescore.design import build_design
from violencescore.model.kernel import Kernel, build_kernel, cell_weights, compiled_density, forward, mix
from violencescore.model.lanes import add_narrowed, wide, widen
from violencescore.model.logarithm import weighted_log
from violencescore.model.quantities import initial_vector
from violencescore.sampling import JITTER
from violencescore.simulation import WORLDS, ChannelWorld, World, simulate_world

Floats = npt.NDArray[np.float64]
KERNELS = ("density", "mixture", "plain")
SAME, TYPICAL = "same patterns", "typical"
COMPILED = {"nogil": True, "error_model": "numpy"}
"""As the package's kernels, but not cached: a cached loop would not see that the package's code has changed."""

_WITNESS, _CONFESSION, _FORENSICS = (
    ChannelWorld(0.3, 0.7, forgeable=True),
    ChannelWorld(0.1, 0.9),
    ChannelWorld(0.1, 0.9),
)
_PLAIN = WORLDS["plain"].channels
CHANNELS: Mapping[str, ChannelWorld] = {
    **{name: _PLAIN[name] for name in ("press", "intelligence", "claim", "ballistics", "modus_operandi")},
    "witness": _WITNESS,
    "confession": _CONFESSION,
    "forensics": _FORENSICS,
}
"""Channels in the order in which worlds take them: of the first two and the first four, half can be forged."""


@dataclass(frozen=True)
class Case:
    """A world by its sizes; ``copies`` is what the number of incidents of each group is multiplied by."""

    incidents: int
    organizations: int
    regions: int
    channels: int
    copies: int = 1


@dataclass(frozen=True)
class Timed:
    """What is timed for one case: a call of each kernel that does it a number of times; and the sizes."""

    calls: Mapping[str, Callable[[int], float]]
    sizes: Mapping[str, int]


def repeat_density(kernel: Kernel, vector: Floats) -> Callable[[int], float]:
    """The C function that the sampler calls, as it calls it."""
    point, words = POINTER(c_double), kernel.packed.ctypes.data_as(POINTER(c_int64))
    arrays = (vector, np.empty(vector.size), np.empty(1))
    pointers = [array.ctypes.data_as(point) for array in arrays]
    density = compiled_density().ctypes

    def call(times: int) -> float:
        for _ in range(times):
            density(vector.size, *pointers, words)
        return float(arrays[2][0])

    return call


@njit(**COMPILED)
def mixture(groups: Any, cells: Floats, part: Floats, sight: Floats) -> Any:
    grad_cell, grad_log_part, grad_sight = np.zeros(cells.shape), np.zeros(part.shape), np.zeros(sight.shape)
    weights, firm, seen, width = widen(cells), widen(part), widen(sight), wide(cells.shape[1])
    of_weights, of_firm, of_seen = np.zeros(weights.size), np.zeros(firm.size), np.zeros(seen.size)
    mixed = np.empty(groups.n.size)
    mix(groups, weights, firm, seen, width, mixed, of_weights, of_firm, of_seen)
    add_narrowed(of_weights, grad_cell)
    add_narrowed(of_firm, grad_log_part)
    add_narrowed(of_seen, grad_sight)
    return weighted_log(groups.n, mixed), grad_cell, grad_log_part, grad_sight


@njit(**COMPILED)
def repeat_mixture(times: int, groups: Any, cells: Floats, part: Floats, sight: Floats) -> float:
    total = 0.0
    for _ in range(times):
        value, grad, _, _ = mixture(groups, cells, part, sight)
        total += value + grad[0, 0]
    return total


@njit(**COMPILED)
def plain(n: Any, cell: Any, pattern: Any, weight: Floats, likelihood: Floats) -> Any:
    """Value and gradient of sum_g n_g log(sum_k W[q_g, k] L[p_g, k]), as the formula says."""
    grad_weight, grad_likelihood = np.zeros(weight.shape), np.zeros(likelihood.shape)
    total = 0.0
    for g in range(n.size):
        q, p = cell[g], pattern[g]
        mixed = 0.0
        for k in range(weight.shape[1]):
            mixed += weight[q, k] * likelihood[p, k]
        total += n[g] * log(mixed)
        per = n[g] / mixed
        for k in range(weight.shape[1]):
            grad_weight[q, k] += per * likelihood[p, k]
            grad_likelihood[p, k] += per * weight[q, k]
    return total, grad_weight, grad_likelihood


@njit(**COMPILED)
def repeat_plain(times: int, n: Any, cell: Any, pattern: Any, weight: Floats, likelihood: Floats) -> float:
    total = 0.0
    for _ in range(times):
        value, grad, _ = plain(n, cell, pattern, weight, likelihood)
        total += value + grad[0, 0]
    return total


def parse(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--incidents", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--organizations", type=int, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument("--regions", type=int, nargs="+", default=[4, 16, 64])
    parser.add_argument("--channels", type=int, nargs="+", default=[2, 4, 8], help=f"at most {len(CHANNELS)}")
    parser.add_argument(
        "--base", type=int, nargs=4, default=[10_000, 8, 16, 4], metavar=("INCIDENTS", "ORG", "REGIONS", "CHANNELS"),
        help="sizes that are held while another one varies (default 10000 8 16 4)",
    )  # fmt: skip
    parser.add_argument(
        "--typical", type=int, nargs=4, default=[5_000, 8, 32, 4], metavar=("INCIDENTS", "ORG", "REGIONS", "CHANNELS"),
        help="sizes of a national assessment (default 5000 8 32 4)",
    )  # fmt: skip
    parser.add_argument(
        "--same", type=int, nargs=2, default=[50_000, 20], metavar=("INCIDENTS", "TIMES"),
        help="the series of the same patterns: incidents, and what their numbers are multiplied by (default 50000 20)",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.1, help="at least so long for each time (default 0.1)")
    parser.add_argument("--seed", type=int, default=7, help="of the simulated worlds")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder in which results/ and images/ are written")
    arguments = parser.parse_args(given)
    if max(*arguments.channels, arguments.base[3]) > len(CHANNELS):
        parser.error(f"--channels: worlds have at most {len(CHANNELS)} channels")
    return arguments


def build_series(arguments: argparse.Namespace) -> dict[str, list[Case]]:
    """Cases by what varies in them."""
    base, (incidents, times) = Case(*arguments.base), arguments.same
    series = {
        name: [dataclasses.replace(base, **{name: size}) for size in sorted(getattr(arguments, name))]
        for name in ("incidents", "organizations", "regions", "channels")
    }
    return (
        {TYPICAL: [Case(*arguments.typical)]}
        | series
        | {SAME: [dataclasses.replace(base, incidents=incidents, copies=c) for c in (1, times)]}
    )


def build_world(case: Case) -> World:
    return dataclasses.replace(
        WORLDS["plain"],
        n_incidents=case.incidents,
        n_organizations=case.organizations,
        n_regions=case.regions,
        channels=dict(list(CHANNELS.items())[: case.channels]),
    )


def prepare(case: Case, seed: int) -> Timed:
    """Simulate a world, read it, and bind each kernel to it at a point where chains start."""
    assessment = read_simulation(simulate_world(build_world(case), seed))
    design = build_design(assessment)
    groups = dataclasses.replace(design.groups, n=design.groups.n * case.copies)
    design = dataclasses.replace(design, groups=groups)
    kernel = build_kernel(design, assessment.methodology.priors)
    jitter = np.random.default_rng(seed).uniform(-JITTER, JITTER, kernel.layout.size)
    vector = initial_vector(kernel, design) + jitter
    given, written_out = mixture_arguments(kernel, vector)
    require_same(mixture(*given), plain(*written_out))
    calls = {
        "density": repeat_density(kernel, vector),
        "mixture": lambda times: repeat_mixture(times, *given),
        "plain": lambda times: repeat_plain(times, *written_out),
    }
    bound, part, sight = given[0], given[2], given[3]
    sizes = {
        "incidents": int(groups.n.sum()),
        "organizations": len(design.organizations),
        "regions": len(design.regions),
        "channels": len(design.channels),
        "parameters": kernel.layout.size,
        "cells": len(bound.kind),
        "patterns": len(np.unique(np.stack([bound.firm, bound.sight]), axis=1).T),
        "parts": len(part),
        "sights": len(sight),
        "groups": len(bound.n),
    }
    return Timed(calls, sizes)


def mixture_arguments(kernel: Kernel, vector: Floats) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """What `mixture` and `plain` take: the arrays that the density itself makes of a vector before it mixes."""
    rates, said, weight, _, _, part, _, sight, _ = forward(kernel.natural(vector[None])[0], *kernel.forward_arguments())
    *_, factors, _, _, groups, _ = kernel.arguments
    cells = cell_weights(rates, said[1], weight, factors, groups)
    part, sight = (np.ascontiguousarray(rows[:, : cells.shape[1]]) for rows in (part, sight))
    patterns, pattern = np.unique(np.stack([groups.firm, groups.sight]), axis=1, return_inverse=True)
    likelihood = part[patterns[0]] * sight[patterns[1]]
    return (groups, cells, part, sight), (groups.n, groups.cell, pattern, cells, likelihood)


def require_same(ours: Any, other: Any) -> None:
    """Both kernels must say the same, or the comparison is void.

    Raises
    ------
    ArithmeticError
        If values or gradients by the weights differ.
    """
    if not (np.isclose(ours[0], other[0], rtol=1e-9) and np.allclose(ours[1], other[1], rtol=1e-7)):
        raise ArithmeticError(f"the kernels disagree: {ours[0]} and {other[0]}; the comparison is void")


def measure(cases: Mapping[Case, Timed], rounds: int, seconds: float) -> pd.DataFrame:
    """Time every kernel of every case in each round, by turns; one row a case and round (microseconds)."""
    turns = [(case, name, timed.calls[name]) for case, timed in cases.items() for name in KERNELS]
    times = {(case, name): _how_often(call, seconds) for case, name, call in turns}
    rows: dict[tuple[Case, int], dict[str, float]] = {}
    for number in range(rounds):
        for case, name, call in turns if number % 2 == 0 else reversed(turns):
            start = time.perf_counter()
            call(times[case, name])
            spent = (time.perf_counter() - start) / times[case, name]
            rows.setdefault((case, number), {})[name] = 1e6 * spent
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return pd.DataFrame([{"case": case, "round": number, **row} for (case, number), row in rows.items()])


def _how_often(call: Callable[[int], float], seconds: float) -> int:
    call(1)
    start = time.perf_counter()
    call(2)
    return max(int(2 * seconds / (time.perf_counter() - start)), 1)


def tabulate(series: Mapping[str, list[Case]], cases: Mapping[Case, Timed], times: pd.DataFrame) -> pd.DataFrame:
    """One row a series, case and round; growth is against the first case of the series in the same round."""
    today = datetime.now(UTC).date().isoformat()
    by_case = {case: rows.set_index("round") for case, rows in times.groupby("case", sort=False)}
    tables = []
    for name, members in series.items():
        for step, case in enumerate(members):
            rows = by_case[case]
            facts: dict[str, Any] = {"date": today, "series": name, "step": step, "copies": case.copies}
            found = pd.DataFrame(facts | cases[case].sizes, index=rows.index)
            for kernel in KERNELS:
                found[f"{kernel}_us"] = rows[kernel]
            found["to_mixture"] = rows["density"] / rows["mixture"]
            found["to_plain"] = rows["density"] / rows["plain"]
            found["growth"] = rows["density"] / by_case[members[0]]["density"]
            tables.append(found.reset_index())
    return pd.concat(tables, ignore_index=True)


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """The table that is printed and shown on the page: medians and ranges over the rounds."""
    shown = []
    for (name, step), own in rows.groupby(["series", "step"], sort=False):
        first = own.iloc[0]
        sizes = ("incidents", "organizations", "regions", "channels", "patterns", "groups", "parameters")
        shown.append(
            {"varied": name}
            | {size: f"{first[size]:,}" for size in sizes}
            | {
                "density, µs": spread(own["density_us"], ",.0f" if own["density_us"].median() >= 100 else ".1f"),
                "to the mixture": spread(own["to_mixture"], ".2f"),
                "to the plain one": spread(own["to_plain"], ".2f"),
                "growth": spread(own["growth"], ".2f") if step else "1",
            }
        )
    return pd.DataFrame(shown)


def draw(rows: pd.DataFrame) -> bytes:
    """Return the figure: time by each size, medians with the range over the rounds."""
    names = ("incidents", "organizations", "regions", "channels")
    figure = new_figure(12.0, 4.0)
    panels = figure.subplots(1, 4, sharey=True)
    styles = {"density": (BLUE, "o"), "mixture": (ORANGE, "s"), "plain": (GREEN, "^")}
    labels = {
        "density": "whole density and gradient",
        "mixture": "mixture alone (the package's loop)",
        "plain": "mixture alone, written out",
    }
    for axes, name in zip(panels, names, strict=True):
        own = rows[rows["series"] == name].groupby(name)
        for kernel, (colour, marker) in styles.items():
            found = own[f"{kernel}_us"].agg(["median", "min", "max"])
            bars = [found["median"] - found["min"], found["max"] - found["median"]]
            axes.errorbar(
                found.index, found["median"], yerr=bars, color=colour, marker=marker, capsize=3, label=labels[kernel],
            )  # fmt: skip
        axes.set_xscale("log")
        axes.set_yscale("log")
        sizes = sorted(own.groups)
        texts = [_short(size) for size in sizes]
        axes.set_xticks(sizes, texts)
        axes.xaxis.minorticks_off()
        axes.yaxis.set_major_formatter("{x:,g}")
        axes.set_xlabel(name, color=MUTED)
        style(axes)
    same = rows[rows["series"] == SAME].groupby("incidents")["density_us"].median()
    panels[0].plot(same.index, same, "--D", color=GREY, label="whole, the same patterns")
    panels[0].set_title("microseconds", fontsize=10, color=INK, loc="left")
    handles, texts = panels[0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside upper center", ncols=4, frameon=False, fontsize=10)
    return as_png(figure)


def _short(size: int) -> str:
    if size < 1000:
        return f"{size}"
    return f"{size / 1000:.0f}k" if size < 999_500 else f"{size / 1e6:.1f}M"


def main(given: list[str] | None = None) -> None:
    arguments = parse(given)
    series = build_series(arguments)
    cases: dict[Case, Timed] = {}
    for case in dict.fromkeys(case for members in series.values() for case in members):
        print(f"simulating {case} ...", file=sys.stderr, flush=True)
        cases[case] = prepare(case, arguments.seed)
    rows = tabulate(series, cases, measure(cases, arguments.rounds, arguments.seconds))
    table = summarize(rows)
    show(table, "Value and gradient: median (lowest to highest) of the rounds", ("varied",))
    publish(arguments.out, "gradient", rows, draw(rows), table, "Time of one value and gradient by size")


if __name__ == "__main__":
    main()
