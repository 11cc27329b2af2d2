"""The command ``calibrate``: parses, runs what is missing, and prints the tables."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from violencescore.commands import AsJson, Chains, Draws, Tune, _at_least, app
from violencescore.errors import Fault, InputError
from violencescore.progress import interruptible, show_progress
from violencescore.report import terminal

if TYPE_CHECKING:
    import pandas as pd

    from violencescore.calibration.plan import Settings, Task


def _shares(values: list[float] | None) -> list[float] | None:
    for value in values or ():
        if not 0 <= value < 1:
            raise typer.BadParameter(f"{value:g} is no share; write 0.06 for 6 %")
    return values


def _confidences(values: list[float] | None) -> list[float] | None:
    for value in values or ():
        if not 0.5 < value < 1:
            raise typer.BadParameter(f"{value:g} is no confidence to decide by; it must lie above 0.5 and under 1")
    return values


def _methods(values: list[str] | None) -> list[str] | None:
    from violencescore.calibration.methods import ALL_METHODS, MODEL

    if values and (unknown := [value for value in values if value not in ALL_METHODS]):
        raise typer.BadParameter(f"{unknown[0]!r} is none of {', '.join(ALL_METHODS)}")
    return [m for m in ALL_METHODS if m in {MODEL, *values}] if values else values


def _sizes(values: list[int] | None) -> list[int] | None:
    for value in values or ():
        _at_least(1)(value)
    return values


@app.command(rich_help_panel="For methodologists")
def calibrate(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of refits, tables and figures; run again, it goes on there.")
    ],
    world: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="World to simulate, see `simulate`; several, or `all`. [default: plain]"),
    ] = None,
    assessments: Annotated[
        int, typer.Option(metavar="N", callback=_at_least(1), help="Assessments of each world; refits of --sbc.")
    ] = 100,
    first_seed: Annotated[int, typer.Option(metavar="N", callback=_at_least(0), help="Seed of the first.")] = 1,
    incidents: Annotated[
        list[int] | None,
        typer.Option(metavar="N", callback=_sizes, help="Expected incidents, in place of the world's own; several."),
    ] = None,
    adjudicated: Annotated[
        list[float] | None,
        typer.Option(metavar="X", callback=_shares, help="Settled share, in place of the world's own; several."),
    ] = None,
    confidence: Annotated[
        list[float] | None,
        typer.Option(metavar="X", callback=_confidences, help="Stated confidence; several. [default: 0.8, 0.9, 0.95]"),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            callback=_methods,
            help="What to set beside the model: all doubts, no false flags, counting names. [default: the last two]",
        ),
    ] = None,
    weekly: Annotated[
        bool, typer.Option("--weekly", metavar="", help="Look at the end of each week of the window too.")
    ] = False,
    sbc: Annotated[
        bool, typer.Option("--sbc", metavar="", help="Draw parameters and data from the model itself, and rank them.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(metavar="N", callback=_at_least(1), help="Processes. [default: one a core]")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Dask scheduler to use, such as tcp://10.0.0.1:8786.")
    ] = None,
    draws: Draws = None,
    tune: Tune = None,
    chains: Chains = None,
    as_json: AsJson = False,
) -> None:
    """Find out what stated probabilities are worth: fit simulated worlds, and compare with the truth.

    Tables, figures and results.json say how often the rule was right, wrong or silent at each stated confidence,
    whether intervals cover, and whether P(first) comes true; for the model, without false flags, and for counting
    names. Interrupted, it goes on where it was. `--sbc` checks the computation itself.

    Example: `violencescore calibrate --out calibration --world plain --world framed --assessments 100`
    """
    from violencescore.calibration.folder import missing_tasks, open_folder
    from violencescore.calibration.methods import METHODS
    from violencescore.calibration.plan import LEVELS, Settings
    from violencescore.calibration.results import write_results

    settings = Settings(tuple(sorted(set(confidence or LEVELS))), draws, tune, chains, tuple(method or METHODS))
    seeds = range(first_seed, first_seed + assessments)
    tasks = _tasks(world, sbc, seeds, incidents or (), adjudicated or (), weekly)
    open_folder(out, settings)
    missing = missing_tasks(out, tasks)
    if missing:
        _run(out, missing, len(tasks), settings, workers or os.cpu_count() or 1, scheduler)
    found = write_results(out)
    if as_json:
        terminal.print_json({"folder": str(out), "refits": len(tasks), "tables": _rows(found)})
        return
    _print(found)
    terminal.print_line(f"Refits: {len(tasks):,}, of which {len(missing):,} were new.")
    terminal.print_line(f"Tables, figures and results.json: {out}")


def _tasks(
    worlds: Sequence[str] | None,
    sbc: bool,
    seeds: Sequence[int],
    incidents: Sequence[int],
    adjudicated: Sequence[float],
    weekly: bool,
) -> list[Task]:
    from violencescore.calibration.plan import plan_prior, plan_worlds
    from violencescore.simulation import WORLDS

    chosen = list(worlds or ([] if sbc else ["plain"]))
    if "all" in chosen:
        chosen = [name for name in WORLDS if name != "demo"]
    if unknown := [name for name in chosen if name not in WORLDS]:
        rule = f"no world has this name; choose among {', '.join(WORLDS)}, or all"
        raise InputError([Fault("--world", rule, value=name) for name in unknown])
    tasks = plan_worlds(chosen, seeds, incidents, adjudicated, weekly=weekly)
    if sbc:
        from violencescore.calibration.prior_worlds import STRUCTURES

        tasks += plan_prior(list(STRUCTURES), seeds)
    return tasks


def _run(
    out: Path, missing: Sequence[Task], total: int, settings: Settings, workers: int, scheduler: str | None
) -> None:
    """Do the refits that are missing, each kept as soon as it is there."""
    from violencescore.calibration.folder import write_record
    from violencescore.calibration.workers import refit, run_here, run_on_cluster, warm

    done = total - len(missing)
    with interruptible(), show_progress(terminal.errors()) as show:
        show("refits", 0, len(missing))

        def keep(task: Task, record: Mapping[str, Any]) -> None:
            nonlocal done
            write_record(out, task, record)
            done += 1
            show("refits", done - (total - len(missing)), len(missing))

        if scheduler is None:
            run_here(missing, settings, keep, min(workers, len(missing)), refit, warm)
        else:
            run_on_cluster(missing, settings, keep, scheduler, refit)


def _rows(found: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    return {name: table.astype(object).where(table.notna(), None).to_dict("records") for name, table in found.items()}


def _print(found: Mapping[str, pd.DataFrame]) -> None:
    from violencescore.report.calibration import calibration_tables

    console = terminal.screen()
    for table in calibration_tables(found):
        console.print(table)
        console.print()
