"""The commands ``feasibility`` and ``redteam``: a methodology tried in simulated worlds, before there are any data."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from violencescore.commands import AsJson, Chains, Draws, Tune, _at_least, app
from violencescore.errors import Fault, InputError
from violencescore.progress import interruptible, show_progress
from violencescore.report import terminal
from violencescore.weighting import _methodology

if TYPE_CHECKING:
    from violencescore.calibration.plan import Keyed
    from violencescore.progress import Report
    from violencescore.simulation import World

_METHODOLOGISTS = "For methodologists"


def _share(low: float, high: float) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        for x in value if isinstance(value, list) else [value]:
            if x is not None and not low < x < high:
                raise typer.BadParameter(f"{x:g} must lie between {low:g} and {high:g}")
        return value

    return check


def _each_at_least(least: int) -> Callable[[list[int] | None], list[int] | None]:
    def check(values: list[int] | None) -> list[int] | None:
        for value in values or ():
            _at_least(least)(value)
        return values

    return check


Rule = Annotated[
    str,
    typer.Argument(
        metavar="METHODOLOGY", show_default=False, help="Methodology file, shipped name, or folder with one."
    ),
]
Out = Annotated[
    Path, typer.Option(metavar="DIR", help="Folder of refits, tables and figures; run again, it goes on there.")
]
WorldName = Annotated[str, typer.Option("--world", metavar="NAME", help="World to simulate, see `simulate`.")]
Workers = Annotated[
    int | None, typer.Option(metavar="N", callback=_at_least(1), help="Processes. [default: one a core]")
]


@app.command(rich_help_panel=_METHODOLOGISTS)
def feasibility(
    methodology: Rule,
    out: Out,
    weeks: Annotated[
        list[int] | None,
        typer.Option(
            metavar="N", callback=_each_at_least(1), help="Weeks of the window; several. [default: 2, 4, 8, 16]"
        ),
    ] = None,
    attributed: Annotated[
        list[float] | None,
        typer.Option(
            metavar="X", callback=_share(0, 1), help="Share of incidents attributed. [default: 0.3, 0.5, 0.75, 0.9]"
        ),
    ] = None,
    adjudicated: Annotated[
        list[int] | None,
        typer.Option(metavar="N", callback=_each_at_least(0), help="Incidents settled. [default: 0, 30, 90, 270]"),
    ] = None,
    accuracy: Annotated[
        list[float] | None,
        typer.Option(
            metavar="X", callback=_share(0, 1), help="Accuracy of the evidence. [default: 0.5, 0.6, 0.7, 0.85]"
        ),
    ] = None,
    per_week: Annotated[
        int, typer.Option(metavar="N", callback=_at_least(1), help="Expected incidents a week in the country.")
    ] = 44,
    assessments: Annotated[int, typer.Option(metavar="N", callback=_at_least(1), help="Worlds of each setting.")] = 20,
    all_combinations: Annotated[
        bool, typer.Option("--all-combinations", metavar="", help="Combine all values, not one at a time.")
    ] = False,
    world: WorldName = "plain",
    workers: Workers = None,
    draws: Draws = None,
    tune: Tune = None,
    chains: Chains = None,
    as_json: AsJson = False,
) -> None:
    """Ask, before any data, whether a rule could decide in a country, and rightly.

    Worlds are simulated and fitted; weeks, share attributed, settled incidents and accuracy are varied one at a time
    around the middle (8 weeks, 75 %, 90, 0.7, or the middle of the values that are given). Interrupted, it goes on
    where it was.

    Example: `violencescore feasibility kleiman-2011 --out feasibility --per-week 20`
    """
    from violencescore.calibration.folder import open_folder, read_records
    from violencescore.calibration.results import made_by, save_results, table_rows
    from violencescore.robustness import feasibility as study
    from violencescore.robustness.frozen_rule import require_tryable, rule_settings
    from violencescore.robustness.trial_figures import feasibility_figure

    rule = _methodology(methodology)
    require_tryable(rule)
    given = {"weeks": weeks, "attributed": attributed, "adjudicated": adjudicated, "accuracy": accuracy}
    levels = study.Levels(**{name: tuple(values) for name, values in given.items() if values})  # type: ignore[arg-type]
    _require_world(world)
    settings = rule_settings(rule, draws, tune, chains)
    country = study.Country(rule, world, per_week, settings)
    tasks = study.plan_feasibility(levels, range(1, assessments + 1), all_combinations=all_combinations)
    shared = {"methodology": rule.sha256, "world": world, "per_week": per_week}
    open_folder(out, settings, shared)
    with interruptible(), show_progress(terminal.errors()) as show:
        _fit_missing(out, "refits", tasks, country, study.refit_feasibility, workers, show)
    wanted = {task.key for task in tasks}
    records = [r for r in read_records(out, study.KIND) if study.FeasibilityTask(**r["task"]).key in wanted]
    confidence, centre = rule.decision.confidence, study.centre_of(levels)
    table = study.feasibility_table(records, confidence)
    figure = feasibility_figure(table, centre)
    said = study.feasibility_sentences(table, centre, confidence)
    found = {"feasibility": table}
    content = {**made_by(out), "conclusions": said, "tables": table_rows(found)}
    save_results(out, found, {} if figure is None else {"feasibility": figure}, content)
    if as_json:
        terminal.print_json(
            {"folder": str(out), "refits": len(tasks), "conclusions": said, "tables": table_rows(found)}
        )
        return
    from violencescore.report.trials import feasibility_view

    terminal.screen().print(feasibility_view(table))
    _print_sentences(said)
    terminal.print_line(f"Table, figure and results.json: {out}")


@app.command(rich_help_panel=_METHODOLOGISTS)
def redteam(
    methodology: Rule,
    out: Out,
    adversary: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="stager, suppressor, splitter or delayer; several. [default: all]"),
    ] = None,
    budget: Annotated[
        float,
        typer.Option(
            metavar="X", callback=_share(0, 1), help="Share of its own incidents that the attacker may touch."
        ),
    ] = 0.3,
    worlds: Annotated[int, typer.Option(metavar="N", callback=_at_least(2), help="Fresh worlds of the test.")] = 24,
    train: Annotated[
        int, typer.Option(metavar="N", callback=_at_least(1), help="Training worlds of each round of the search.")
    ] = 3,
    world: WorldName = "plain",
    incidents: Annotated[
        int | None,
        typer.Option(metavar="N", callback=_at_least(30), help="Expected incidents, in place of the world's."),
    ] = None,
    workers: Workers = None,
    draws: Draws = None,
    tune: Tune = None,
    chains: Chains = None,
    as_json: AsJson = False,
) -> None:
    """Let adversaries who have read a rule search their best response to it, and see what they achieve.

    In each simulated world the most violent organization stages incidents as a rival's, suppresses reports, splits, or
    delays. Each adversary picks its attack in training worlds; the best one is tried once in fresh worlds, against the
    same worlds unattacked. Interrupted, it goes on where it was.

    Example: `violencescore redteam kleiman-2011 --out redteam --budget 0.2`
    """
    import dataclasses

    from violencescore.calibration.folder import open_folder
    from violencescore.calibration.results import made_by, save_results, table_rows
    from violencescore.robustness import redteam as team
    from violencescore.robustness.adversaries import ADVERSARIES
    from violencescore.robustness.frozen_rule import require_tryable, rule_settings, world_of
    from violencescore.robustness.trial_figures import redteam_figure

    names = tuple(dict.fromkeys(adversary or ADVERSARIES))
    if unknown := [name for name in names if name not in ADVERSARIES]:
        rule_text = f"is no adversary; choose among {', '.join(ADVERSARIES)}"
        raise InputError([Fault("--adversary", rule_text, value=name) for name in unknown])
    rule = _methodology(methodology)
    require_tryable(rule)
    _require_world(world)
    place: World = world_of(rule, world)
    if incidents is not None:
        place = dataclasses.replace(place, n_incidents=incidents)
    settings = rule_settings(rule, draws, tune, chains)
    field, plan = team.Field(rule, place, settings), team.Team(names, budget, train, worlds)
    open_folder(out, settings, team.field_json(field, plan))
    with interruptible(), show_progress(terminal.errors()) as show:
        found = team.play(plan, partial(_records_of, out, field, team.refit_attack, workers, show))
    tables = {"achieved": found.achieved, "tried": found.tried, "before": found.before}
    said = team.redteam_sentences(found)
    content = {**made_by(out), "conclusions": said, "tables": table_rows(tables)}
    save_results(out, tables, {"redteam": redteam_figure(found)}, content)
    if as_json:
        terminal.print_json({"folder": str(out), "conclusions": said, "tables": table_rows(tables)})
        return
    from violencescore.report.trials import redteam_view

    terminal.screen().print(redteam_view(found))
    _print_sentences(said)
    terminal.print_line(f"Tables, figure and results.json: {out}")


def _require_world(name: str) -> None:
    from violencescore.simulation import WORLDS

    if name not in WORLDS:
        raise InputError([Fault("--world", f"no world has this name; choose among {', '.join(WORLDS)}", value=name)])


def _records_of[T: Keyed, S](
    out: Path,
    shared: S,
    work: Callable[[T, S], Mapping[str, Any]],
    workers: int | None,
    show: Report,
    stage: str,
    tasks: Sequence[T],
) -> Mapping[str, Mapping[str, Any]]:
    """Do the tasks that are missing, and return the records of all."""
    from violencescore.calibration.folder import read_record

    _fit_missing(out, stage, tasks, shared, work, workers, show)
    return {task.key: read_record(out, task) for task in tasks}


def _fit_missing[T: Keyed, S](
    out: Path,
    stage: str,
    tasks: Sequence[T],
    shared: S,
    work: Callable[[T, S], Mapping[str, Any]],
    workers: int | None,
    show: Report,
) -> None:
    """Do the refits that are missing, each kept as soon as it is there."""
    from violencescore.calibration.folder import missing_tasks, write_record
    from violencescore.calibration.workers import run_here, warm

    missing = missing_tasks(out, tasks)
    if not missing:
        return
    done = 0
    show(stage, 0, len(missing))

    def keep(task: T, record: Mapping[str, Any]) -> None:
        nonlocal done
        write_record(out, task, record)
        done += 1
        show(stage, done, len(missing))

    run_here(missing, shared, keep, min(workers or os.cpu_count() or 1, len(missing)), work, warm)


def _print_sentences(said: Sequence[str]) -> None:
    for sentence in said:
        terminal.screen().print(sentence, markup=False, highlight=False)
