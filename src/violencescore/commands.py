"""The commands: parse and print only."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from violencescore import __version__
from violencescore.errors import Fault, InputError
from violencescore.progress import checked, interruptible, show_progress
from violencescore.report import terminal

if TYPE_CHECKING:
    from violencescore.decision import Decision
    from violencescore.fitting import Fit

app = typer.Typer(
    name="violencescore",
    help="Which organization caused the most violence in a window, and how sure are we?\n\n"
    "Begin with `violencescore demo`: it needs no data. With tables of your own, `validate` the folder, `fit` it, "
    "and read the verdict with `rank`, `decide` and `report`.",
    epilog="Exit status: 0 done (an abstaining verdict is done), 2 bad input or usage, 3 refused (not estimable, not "
    "converged), 1 a fault of our own, 130 interrupted.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_FIRST, _VERDICT, _SOURCES = "To begin with", "From tables to a verdict", "Where tables come from"
import_app = typer.Typer(help="Turn a foreign data file into an assessment folder.", no_args_is_help=True)

REFUSED = 3


def _at_least(least: int) -> Callable[[int | None], int | None]:
    def check(value: int | None) -> int | None:
        if value is not None and value < least:
            raise typer.BadParameter(f"{value} is too small; it must be {least} or more")
        return value

    return check


def _between_half_and_one(value: float | None) -> float | None:
    if value is not None and not 0.5 < value < 1:
        raise typer.BadParameter(
            f"{value:g} is no confidence to decide by; it must lie above 0.5 (below, two could be named at once) "
            "and under 1 (which no evidence reaches)"
        )
    return value


AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Print the result as JSON, and nothing else.")]
Folder = Annotated[
    Path, typer.Argument(metavar="DIR", show_default=False, help="Assessment folder: methodology.toml and tables.")
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, as `fit` or `demo` wrote it.")]
Seed = Annotated[int | None, typer.Option(metavar="N", callback=_at_least(0), help="Seed of all randomness.")]
Draws = Annotated[int | None, typer.Option(metavar="N", callback=_at_least(4), help="Draws per chain.")]
Tune = Annotated[int | None, typer.Option(metavar="N", callback=_at_least(0), help="Tuning draws per chain.")]
Chains = Annotated[int | None, typer.Option(metavar="N", callback=_at_least(1), help="Chains.")]
Confidence = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        callback=_between_half_and_one,
        help="Required confidence, in place of the methodology's: 0.5 < X < 1.",
    ),
]


def read_day(text: str) -> date:
    """Read a day that an option gives."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date; write YYYY-MM-DD") from None


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"violencescore {__version__}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", metavar="", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


@app.command(rich_help_panel=_FIRST)
def demo(
    out: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Run folder to make; by default the next free `demo-run`.")
    ] = None,
    assessment: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the example's tables and rules there, too, to go on with.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the main job on an embedded, fictional example: fit, rank table, verdict, report.

    Counting the names in the evidence points at the wrong organization there. A table shows whom counting picks, what
    the model says, and the truth. It takes less than a minute.
    """
    from violencescore.example import example_folder, naive_rows, write_example

    start = time.perf_counter()
    folder = out if out is not None else _free_folder("demo-run")
    if assessment is not None:
        write_example(assessment)
    fitted, seconds = _fit(example_folder(), folder, start, {})
    from violencescore.page_writing import write_page
    from violencescore.report.tables import naive_comparison_table
    from violencescore.runs import load_run

    page = folder / "report.html"
    written = load_run(folder)
    write_page(written, fitted.decision, page)
    rows = naive_rows(fitted.assessment, fitted.decision)
    if as_json:
        compared = [{"name": name, "times_named": n, "p_first": p.p, "true_score": truth} for name, n, p, truth in rows]
        verdict = terminal.verdict_json(fitted.decision, written.panel)
        terminal.print_json(
            {"run": str(folder), "page": str(page), "seconds": seconds, **verdict, "counting": compared}
        )
    else:
        terminal.print_line("A fictional example: all organizations and events are invented.", style="bold")
        terminal.print_messages(fitted.assessment.messages)
        terminal.print_ranking(fitted.decision)
        console = terminal.screen()
        console.print(naive_comparison_table(rows))
        console.print()
        terminal.print_verdict(fitted.decision, written.panel)
        terminal.print_seconds(seconds)
        terminal.print_line(f"Run folder: {folder}")
        terminal.print_line(f"Page to open in a browser: {page}")
        if assessment is not None:
            terminal.print_line(
                f"Assessment: {assessment}. Next: violencescore robustness {folder} --assessment {assessment}"
            )
    _exit_with(fitted.decision)


@app.command(rich_help_panel=_VERDICT)
def validate(folder: Folder, as_json: AsJson = False) -> None:
    """Check an assessment and list every fault: table, row, column, value and rule.

    Nothing is written.

    Example: `violencescore validate my-assessment`
    """
    from violencescore.assessment import read_assessment

    assessment = read_assessment(folder)
    tables = {name: len(getattr(assessment, name)) for name in _TABLES}
    if as_json:
        terminal.print_json({"valid": True, "faults": [], "messages": list(assessment.messages), "rows": tables})
        return
    counts = ", ".join(f"{n:,} {what}" for what, n in zip(_TABLES.values(), tables.values(), strict=True) if n)
    terminal.print_line(f"Valid: {counts}.")
    terminal.print_messages(assessment.messages)
    terminal.print_line(f"Next: violencescore fit {folder} --out RUN")


_TABLES = {
    "organizations": "organizations",
    "events": "events",
    "incidents": "incidents",
    "harms": "harms",
    "evidence": "rows of evidence",
    "adjudications": "adjudications",
    "reports": "reports",
    "revenue": "revenue estimates",
    "networks": "distribution networks",
    "network_evidence": "rows of evidence on networks",
    "panel_weights": "panel weights",
}
"""The tables of an assessment, and what their rows are called."""


@app.command(rich_help_panel=_VERDICT)
def fit(
    folder: Folder,
    out: Annotated[Path, typer.Option(metavar="RUN", help="Run folder to make; must not exist, or be empty.")],
    seed: Seed = None,
    draws: Draws = None,
    tune: Tune = None,
    chains: Chains = None,
    as_json: AsJson = False,
) -> None:
    """Sample the model and write a run folder, whole or not at all.

    Seed, draws and chains are the methodology's unless given. If the chains do not converge, the folder is
    written, its verdict is "not estimable", and the exit status is 3.

    Example: `violencescore fit my-assessment --out my-run`
    """
    start = time.perf_counter()
    given = {"seed": seed, "draws": draws, "tune": tune, "chains": chains}
    fitted, seconds = _fit(folder, out, start, given)
    from violencescore.panel import panel_table
    from violencescore.verdict import is_unexamined

    panel = panel_table(fitted.posterior, fitted.assessment.methodology)
    if as_json:
        terminal.print_json({"run": str(out), "seconds": seconds, **terminal.verdict_json(fitted.decision, panel)})
    else:
        terminal.print_messages(fitted.assessment.messages)
        terminal.print_ranking(fitted.decision)
        terminal.print_verdict(fitted.decision, panel)
        terminal.print_seconds(seconds)
        following = f"report {out} --out {out}.html"
        if is_unexamined(fitted.decision):
            following = f"robustness {out} --assessment {folder}"
        terminal.print_line(f"Run folder: {out}. Next: violencescore {following}")
    _exit_with(fitted.decision)


@app.command(rich_help_panel=_VERDICT)
def rank(
    run: RunFolder,
    confidence_sets: Annotated[
        bool,
        typer.Option("--confidence-sets", metavar="", help="Show frequentist confidence sets for ranks beside ours."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the probability of each rank, from the draws of a run; and who is first under other trees of units.

    Example: `violencescore rank my-run`
    """
    from violencescore.runs import load_run

    loaded = load_run(run)
    decision = loaded.decide()
    sets = None
    if confidence_sets:
        from violencescore.confidence_sets import confidence_set_table

        sets = confidence_set_table(loaded.scores(), 0.9, seed=loaded.methodology.sampling.seed)
    from violencescore.scenarios import tree_results

    trees = tree_results(loaded.posterior, loaded.methodology, loaded.diagnostics)
    if as_json:
        terminal.print_json(terminal.ranking_json(decision, sets, loaded.posterior, trees))
    else:
        terminal.print_ranking(decision, sets)
        terminal.print_trees(loaded.posterior, decision, trees)


@app.command(rich_help_panel=_VERDICT)
def decide(run: RunFolder, confidence: Confidence = None, as_json: AsJson = False) -> None:
    """Print the verdict of a run, at the methodology's confidence or another.

    Example: `violencescore decide my-run --confidence 0.95`
    """
    from violencescore.runs import load_run

    loaded = load_run(run)
    decision = loaded.decide(confidence)
    if as_json:
        terminal.print_json(terminal.verdict_json(decision, loaded.panel, loaded.scenarios))
    else:
        terminal.print_verdict(decision, loaded.panel, loaded.scenarios)
    _exit_with(decision)


@app.command(rich_help_panel=_VERDICT)
def report(
    run: RunFolder,
    out: Annotated[Path, typer.Option(metavar="FILE.html", help="Page to write, in place of what stands there.")],
    assessment: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Assessment of the run: show single incidents, too (they are in the file)."),
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(metavar="FILE", help="results.json of `calibrate`: how often the method errs.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the page of a run: the verdict, and what would change it, for a panel or the public.

    One HTML file that works from disk, without a network, in English and Spanish. Weights and stated confidence can be
    moved in it; every table and chart follows, computed from the draws inside the file. Single incidents are in it only
    with --assessment.

    Example: `violencescore report my-run --out my-run.html`
    """
    from violencescore.page_writing import write_page
    from violencescore.runs import load_run

    if out.is_dir():
        raise InputError([Fault("--out", "is a folder; name a file", value=str(out))])
    loaded = load_run(run)
    write_page(loaded, loaded.decide(), out, assessment=assessment, calibration=calibration)
    if as_json:
        terminal.print_json({"page": str(out)})
    else:
        terminal.print_line(f"Page: {out}")


@app.command(rich_help_panel=_SOURCES)
def simulate(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Assessment folder to make, with truth.csv beside the tables.")
    ],
    seed: Annotated[
        int, typer.Option(metavar="N", callback=_at_least(0), help="The same seed gives the same world.")
    ] = 1,
    world: Annotated[str, typer.Option(metavar="NAME", help="Kind of world: see above.")] = "plain",
    incidents: Annotated[
        int | None, typer.Option(metavar="N", callback=_at_least(30), help="Expected number of incidents; at least 30.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw a synthetic assessment with known truth: fictional organizations, a world of a given kind.

    Worlds: `plain`; `famous` (one group is blamed for much that it did not do); `staged` (many false flags in the
    window); `framed` (one group stages a third of its incidents as one rival's); `hidden` (the most violent is seldom
    named); `listed` (four sources list incidents, and each misses some); `silenced` (moreover, the most violent
    intimidates the press in its regions); `copied` (undeclared copies of the press); `dyads`
    (every incident names two candidates, and nothing says which); `episodes` (incidents come in clusters of one
    perpetrator); `easy-courts` (courts settle the easy cases); `split` (the most violent splits in mid-window);
    `supply` (with distribution networks, and truth_flows.csv); `troubled` (silenced, copied, episodes, split at once);
    `demo` (famous, hidden and staged).

    Example: `violencescore simulate --out world --world framed --seed 7`
    """
    from violencescore.simulation import WORLDS, simulate_world, write_simulation

    if world not in WORLDS:
        rule = f"no world has this name; choose among {', '.join(WORLDS)}"
        raise InputError([Fault("--world", rule, value=world)])
    simulation = simulate_world(world, seed, incidents)
    write_simulation(simulation, out)
    rows = {name: len(table) for name, table in simulation.tables.items()}
    if as_json:
        terminal.print_json({"assessment": str(out), "world": world, "seed": seed, "rows": rows})
        return
    terminal.print_line(f"Assessment: {out} ({rows['incidents']:,} incidents, world {world}, seed {seed}).")
    terminal.print_line(f"Next: violencescore fit {out} --out RUN; the truth is in {out / 'truth.csv'}")


app.add_typer(import_app, name="import", rich_help_panel=_SOURCES)


@import_app.command("ged")
def import_ged_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="UCDP GED as UCDP publishes it (CSV, from 19.1).")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Assessment folder to make.")],
    start: Annotated[
        date | None, typer.Option("--from", metavar="DATE", parser=read_day, help="First day of the window.")
    ] = None,
    end: Annotated[
        date | None, typer.Option("--to", metavar="DATE", parser=read_day, help="Last day of the window.")
    ] = None,
    baseline: Annotated[
        date | None,
        typer.Option(
            "--baseline-from", metavar="DATE", parser=read_day, help="Events from here on inform the model only."
        ),
    ] = None,
    country: Annotated[str | None, typer.Option(metavar="NAME", help="Only this country, by its exact name.")] = None,
    coarse: Annotated[
        bool,
        typer.Option(
            "--include-coarse-dates", metavar="", help="Take events dated to a month or a year only (date_prec >= 4)."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Turn a UCDP GED file into an assessment.

    Sides are split into organizations; the dead of one side are the other side's doing; civilians and unknown dead
    have both sides as candidates. Dates are written YYYY-MM-DD.

    Example: `violencescore import ged ged251.csv --country Mexico --from 2011-01-01 --to 2011-12-31 --out mexico`
    """
    from violencescore.importers.ged import import_ged

    summary = import_ged(
        file,
        out,
        start=start,
        end=end,
        country=country,
        include_coarse_dates=coarse,
        baseline_start=baseline,
    )
    if as_json:
        terminal.print_json(vars(summary))
        return
    for message in summary.messages:
        terminal.print_line(message)
    terminal.print_line(f"Assessment: {out}. Next: violencescore fit {out} --out RUN")


def _fit(folder: Path, out: Path, start: float, given: Mapping[str, Any]) -> tuple[Fit, dict[str, float]]:
    """Read, fit and write; return the fit and where the time went."""
    from violencescore.runs import require_writable, write_run

    require_writable(out)
    with interruptible() as check, show_progress(terminal.errors()) as show:
        progress = checked(check, show)
        progress("reading", 0, 1)
        from violencescore.assessment import read_assessment

        assessment = read_assessment(folder)
        progress("reading", 1, 1)
        read = time.perf_counter() - start
        progress("compiling", 0, 1)
        from violencescore.fitting import fit_assessment

        loaded = time.perf_counter() - start - read
        fitted = fit_assessment(assessment, progress=progress, **given)
        seconds = {"read": read, **fitted.seconds}
        seconds["compile"] += loaded
        seconds["total"] = time.perf_counter() - start
        check()
        write_run(fitted, out, seconds)
    return fitted, seconds


def _free_folder(name: str) -> Path:
    """Return the first of name, name-2, name-3 ... that does not exist."""
    folder, n = Path(name), 1
    while folder.exists():
        n += 1
        folder = Path(f"{name}-{n}")
    return folder


def _exit_with(decision: Decision) -> None:
    if decision.outcome == "not_estimable":
        raise typer.Exit(REFUSED)
