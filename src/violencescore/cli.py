"""The command line: parses and prints only."""

from __future__ import annotations

import json
import sys
import time
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from violencescore import __version__
from violencescore.errors import Fault, InputError, RefusedError
from violencescore.progress import show_progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from violencescore.assessment import Assessment
    from violencescore.decision import Decision
    from violencescore.fitting import Fit
    from violencescore.runs import Run

app = typer.Typer(
    name="violencescore",
    help="Which organization caused the most violence in a window, and how sure are we?\n\n"
    "Start with `violencescore demo`. Then: `validate` an assessment folder, `fit` it, and read the verdict with "
    "`rank`, `decide` and `report`.",
    epilog="Exit status: 0 done (an abstaining verdict is done), 2 bad input or usage, 3 refused (not estimable, not "
    "converged), 1 a fault of our own.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
import_app = typer.Typer(help="Turn a foreign data file into an assessment folder.", no_args_is_help=True)
app.add_typer(import_app, name="import")

BAD_INPUT, REFUSED, INTERRUPTED = 2, 3, 130

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Assessment folder: methodology.toml and tables.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, as `fit` or `demo` wrote it.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed, in place of the methodology's.")]
Draws = Annotated[int | None, typer.Option(min=4, help="Draws per chain, in place of the methodology's.")]
Tune = Annotated[int | None, typer.Option(min=0, help="Tuning draws per chain, in place of the methodology's.")]
Chains = Annotated[int | None, typer.Option(min=1, help="Chains, in place of the methodology's.")]
Confidence = Annotated[
    float | None,
    typer.Option(min=0.5, max=1.0, help="Required confidence, in place of the methodology's; between 0.5 and 1."),
]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]


def main() -> None:
    """Run the command line; every expected failure ends with its exit status and no traceback."""
    try:
        app()
    except InputError as error:
        _print_faults(error.faults)
        sys.exit(BAD_INPUT)
    except RefusedError as error:
        _errors().print(Text(f"Refused: {error}"))
        sys.exit(REFUSED)
    except KeyboardInterrupt:
        _errors().print("Interrupted: nothing was written.")
        sys.exit(INTERRUPTED)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"violencescore {__version__}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Take the options that stand before a command."""


@app.command()
def demo(
    out: Annotated[Path | None, typer.Option(help="Run folder to make; by default the next free `demo-run`.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the main job on the embedded, fictional example: fit, probability of each rank, verdict, report.

    In the example, counting the names in the evidence points at the wrong organization. The table shows whom
    counting picks, what the model says, and the truth.
    """
    from violencescore.example import example_folder, naive_rows

    start = time.perf_counter()
    folder = out if out is not None else _free_folder("demo-run")
    fit, seconds = _fit(example_folder(), folder, start, {})
    from violencescore.report.tables import naive_comparison_table
    from violencescore.runs import load_run

    page = folder / "report.html"
    _write_page(load_run(folder), fit.decision, page)
    if as_json:
        _print_json({"run": str(folder), "page": str(page), "seconds": seconds, **fit.decision.to_json_dict()})
    else:
        screen = _screen()
        screen.print(Text("A fictional example: all organizations and events are invented.", style="bold"))
        _print_messages(fit.assessment)
        _print_ranking(fit.decision)
        screen.print(naive_comparison_table(naive_rows(fit.assessment, fit.decision)))
        _print_verdict(fit.decision)
        _print_seconds(seconds)
        screen.print(Text(f"Run folder: {folder}\nPage to open in a browser: {page}"), soft_wrap=True)
    _exit_with(fit.decision)


@app.command()
def validate(folder: Folder, as_json: AsJson = False) -> None:
    """Check an assessment and list every fault: table, row, column, value and rule."""
    from violencescore.assessment import read_assessment

    try:
        assessment = read_assessment(folder)
    except InputError as error:
        if as_json:
            _print_json({"valid": False, "faults": [vars(fault) for fault in error.faults]})
            raise typer.Exit(BAD_INPUT) from None
        raise
    tables = {
        name: len(getattr(assessment, name))
        for name in ("organizations", "incidents", "harms", "evidence", "adjudications", "reports", "revenue")
    }
    if as_json:
        _print_json({"valid": True, "faults": [], "messages": list(assessment.messages), "rows": tables})
        return
    counts = ", ".join(f"{n:,} {name}" for name, n in tables.items() if n)
    _screen().print(Text(f"Valid: {counts}."))
    _print_messages(assessment)


@app.command()
def fit(
    folder: Folder,
    out: Annotated[Path, typer.Option(metavar="RUN", help="Run folder to make; must not exist, or be empty.")],
    seed: Seed = None,
    draws: Draws = None,
    tune: Tune = None,
    chains: Chains = None,
    as_json: AsJson = False,
) -> None:
    """Fit an assessment: sample the model and write a run folder, whole or not at all."""
    start = time.perf_counter()
    given = {"seed": seed, "draws": draws, "tune": tune, "chains": chains}
    fitted, seconds = _fit(folder, out, start, given)
    if as_json:
        _print_json({"run": str(out), "seconds": seconds, **fitted.decision.to_json_dict()})
    else:
        _print_messages(fitted.assessment)
        _print_ranking(fitted.decision)
        _print_verdict(fitted.decision)
        _print_seconds(seconds)
        _screen().print(Text(f"Run folder: {out}"), soft_wrap=True)
    _exit_with(fitted.decision)


@app.command()
def rank(run: RunFolder, as_json: AsJson = False) -> None:
    """Print the probability of each rank, from the draws of a run."""
    from violencescore.runs import load_run

    decision = load_run(run).decide()
    if as_json:
        _print_json(decision.ranking.to_dict(orient="records"))
    else:
        _print_ranking(decision)


@app.command()
def decide(run: RunFolder, confidence: Confidence = None, as_json: AsJson = False) -> None:
    """Print the verdict of a run, at the methodology's confidence or another."""
    from violencescore.runs import load_run

    if confidence is not None and not 0.5 < confidence < 1:
        rule = "the confidence must lie between 0.5 and 1: 0.5 or less could name two, 1 nobody"
        raise InputError([Fault("--confidence", rule, value=str(confidence))])
    decision = load_run(run).decide(confidence)
    if as_json:
        _print_json(decision.to_json_dict())
    else:
        _print_verdict(decision)
    _exit_with(decision)


@app.command()
def report(
    run: RunFolder,
    out: Annotated[Path, typer.Option(metavar="FILE.html", help="Page to write.")],
    as_json: AsJson = False,
) -> None:
    """Write the page of a run: table, intervals, heat map, verdict in words, what was assumed."""
    from violencescore.runs import load_run

    loaded = load_run(run)
    _write_page(loaded, loaded.decide(), out)
    if as_json:
        _print_json({"page": str(out)})
    else:
        _screen().print(Text(f"Page: {out}"), soft_wrap=True)


@import_app.command("ged")
def import_ged_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="UCDP GED as UCDP publishes it (CSV, from 19.1).")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Assessment folder to make.")],
    start: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day of the window.")] = None,
    end: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day of the window.")] = None,
    baseline: Annotated[
        datetime | None,
        typer.Option("--baseline-from", formats=["%Y-%m-%d"], help="Events from here on inform the model only."),
    ] = None,
    country: Annotated[str | None, typer.Option(help="Only this country, by its exact name.")] = None,
    coarse: Annotated[
        bool, typer.Option("--include-coarse-dates", help="Take events dated to a month or a year only (date_prec >= 4).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Turn a UCDP GED file into an assessment.

    Sides are split into organizations; the dead of one side are the other side's doing; civilians and unknown dead
    have both sides as candidates.
    """
    from violencescore.importers.ged import import_ged

    summary = import_ged(
        file,
        out,
        start=_day(start),
        end=_day(end),
        country=country,
        include_coarse_dates=coarse,
        baseline_start=_day(baseline),
    )
    if as_json:
        values = {k: str(v) if isinstance(v, Path | date) else v for k, v in vars(summary).items()}
        _print_json(values)
        return
    for message in summary.messages:
        _screen().print(Text(message))
    _screen().print(Text(f"Assessment: {out}. Next: violencescore fit {out} --out RUN"), soft_wrap=True)


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Assessment folder to make, with truth.csv beside the tables.")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same world.")] = 1,
    world: Annotated[str, typer.Option(metavar="NAME", help="plain, famous, staged, framed, hidden or dyads.")] = "plain",
    incidents: Annotated[int | None, typer.Option(min=1, help="Expected number of incidents.")] = None,
    as_json: AsJson = False,
) -> None:
    """Draw a synthetic assessment with known truth: fictional organizations in a world of a given kind."""
    from violencescore.simulation import WORLDS, simulate_world, write_simulation

    if world not in WORLDS:
        rule = f"no world has this name; choose among {', '.join(WORLDS)}"
        raise InputError([Fault("--world", rule, value=world)])
    simulation = simulate_world(world, seed, incidents)
    write_simulation(simulation, out)
    rows = {name: len(table) for name, table in simulation.tables.items()}
    if as_json:
        _print_json({"assessment": str(out), "world": world, "seed": seed, "rows": rows})
    else:
        _screen().print(Text(f"Assessment: {out} ({rows['incidents']:,} incidents, world {world})"), soft_wrap=True)


def _fit(folder: Path, out: Path, start: float, given: Mapping[str, int | None]) -> tuple[Fit, dict[str, float]]:
    """Read, fit and write; return the fit and where the time went."""
    from violencescore.output import require_free

    require_free(out)
    with show_progress(_errors()) as progress:
        progress("reading", 0, 1)
        from violencescore.assessment import read_assessment

        assessment = read_assessment(folder)
        progress("reading", 1, 1)
        read = time.perf_counter() - start
        progress("compiling", 0, 1)
        from violencescore.fitting import fit_assessment
        from violencescore.runs import write_run

        loaded = time.perf_counter() - start - read
        fitted = fit_assessment(assessment, progress=progress, **given)
    seconds = {"read": read, **fitted.seconds}
    seconds["compile"] += loaded
    seconds["total"] = time.perf_counter() - start
    write_run(fitted, out, seconds)
    return fitted, seconds


def _write_page(run: Run, decision: Decision, out: Path) -> None:
    from violencescore.output import write_file
    from violencescore.report.page import PageContext, render_page

    methodology = run.methodology
    window = methodology.window
    context = PageContext(
        title=methodology.title or methodology.id,
        window_text=f"{window.start} to {window.end}" if window else "",
        messages=tuple(run.run.get("messages", ())),
        diagnostics=run.diagnostics,
        run=run.run,
        methodology=methodology.model_dump(mode="json"),
        fictional=methodology.fictional,
    )
    write_file(out, render_page(decision, context).encode("utf-8"))


def _free_folder(name: str) -> Path:
    """Return the first of name, name-2, name-3 ... that does not exist."""
    folder, n = Path(name), 1
    while folder.exists():
        n += 1
        folder = Path(f"{name}-{n}")
    return folder


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _screen() -> Console:
    return Console()


def _errors() -> Console:
    return Console(stderr=True)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str))


def _print_messages(assessment: Assessment) -> None:
    for message in assessment.messages:
        _screen().print(Text(message, style="dim"))


def _print_ranking(decision: Decision) -> None:
    from violencescore.report.tables import ranking_table

    screen = _screen()
    screen.print(ranking_table(decision, screen.width))


def _print_verdict(decision: Decision) -> None:
    from violencescore.report.tables import verdict_panel

    _screen().print(verdict_panel(decision))


def _print_seconds(seconds: Mapping[str, float]) -> None:
    parts = ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
    _screen().print(Text(f"Where the time went: {parts}", style="dim"))


def _print_faults(faults: Sequence[Fault]) -> None:
    from violencescore.report.tables import faults_table

    console = _errors()
    if console.is_terminal:
        console.print(faults_table(faults))
    else:  # one fault a line, for whoever reads it by program
        from violencescore.report.text import shown_text

        for fault in faults:
            console.print(Text(shown_text(str(fault))), soft_wrap=True)


def _exit_with(decision: Decision) -> None:
    if decision.outcome == "not_estimable":
        raise typer.Exit(REFUSED)
