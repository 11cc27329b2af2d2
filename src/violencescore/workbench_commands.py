"""The commands for those who doubt a verdict: other assumptions, and the model of attribution itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from violencescore.commands import AsJson, Chains, Draws, Folder, RunFolder, Seed, Tune, app
from violencescore.errors import Fault, InputError
from violencescore.progress import Report, checked, interruptible, show_progress
from violencescore.report import terminal

if TYPE_CHECKING:
    import xarray as xr

    from violencescore.assessment import Assessment
    from violencescore.bench.examination import Examination

_DOUBT = "To whoever doubts a verdict"


@app.command(rich_help_panel=_DOUBT)
def scenarios(
    folder: Folder,
    run: Annotated[Path, typer.Option(metavar="RUN", help="Run folder of this assessment, to which they are added.")],
    seed: Seed = None,
    draws: Draws = None,
    tune: Tune = None,
    chains: Chains = None,
    as_json: AsJson = False,
) -> None:
    """Fit again under the other assumptions that the methodology lists, and add them to the run.

    False flags rarer or commoner, without each channel, without each source, with corruption: whatever stands
    under [[scenario]]. `decide` and `report` then show each beside the verdict. Seed and draws are the run's
    methodology's unless given; each scenario takes about as long as the first fit.

    Example: `violencescore scenarios my-assessment --run my-run`
    """
    from violencescore.runs import add_scenarios, load_run, require_same_inputs

    loaded = load_run(run)
    with interruptible() as check, show_progress(terminal.errors()) as show:
        progress = checked(check, show)
        progress("reading", 0, 1)
        from violencescore.assessment import read_assessment

        require_same_inputs(loaded, read_assessment(folder))
        progress("reading", 1, 1)
        from violencescore.refits import run_scenarios

        results = run_scenarios(
            folder, loaded.methodology, seed=seed, draws=draws, tune=tune, chains=chains, progress=progress
        )
        check()
        add_scenarios(loaded, results)
    from violencescore.report.scenarios import scenarios_json

    again = load_run(run)
    decision = again.decide()
    if as_json:
        terminal.print_json({"run": str(run), **scenarios_json(decision, again.scenarios)})
        return
    terminal.print_scenarios(decision, again.scenarios)
    terminal.print_line(f"Added to {run}. Next: violencescore report {run} --out {run}.html")


@app.command(rich_help_panel=_DOUBT)
def sensitivity(
    run: RunFolder,
    assessment: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="The assessment that the run was fitted to: what cannot be reweighted is fitted again."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask what the lead rests on: the data, or what was assumed.

    Each prior, and the data, are given a little more weight (power scaling); and the share of false flags that is
    expected is varied from a quarter to four times the methodology's. Draws are reweighted; where that cannot be
    trusted it says so, or, given the assessment, fits again.

    Example: `violencescore sensitivity my-run --assessment my-assessment`
    """
    from violencescore.runs import load_run, require_same_inputs
    from violencescore.sensitivity import examine_sensitivity

    loaded = load_run(run)
    found = examine_sensitivity(loaded.posterior, loaded.methodology)
    if assessment is not None:
        with interruptible() as check, show_progress(terminal.errors()) as show:
            progress = checked(check, show)
            progress("reading", 0, 1)
            from violencescore.assessment import read_assessment
            from violencescore.refits import refit_band

            require_same_inputs(loaded, read_assessment(assessment))
            found = refit_band(found, assessment, loaded.methodology, progress=progress)
            check()
    from violencescore.report.sensitivity import sensitivity_json, sensitivity_view

    if as_json:
        terminal.print_json({"run": str(run), **sensitivity_json(found)})
        return
    terminal.screen().print(sensitivity_view(found, loaded.decide().names))


@app.command(rich_help_panel=_DOUBT)
def attribution(
    where: Annotated[
        Path,
        typer.Argument(
            metavar="RUN-OR-DIR", show_default=False, help="A run folder, or an assessment, which is then fitted."
        ),
    ],
    assessment: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Of a run: the assessment it was fitted to, for all that needs tables."),
    ] = None,
    incident: Annotated[
        str | None, typer.Option(metavar="ID", help="Take the evidence on this incident apart, item by item.")
    ] = None,
    organization: Annotated[
        str | None, typer.Option(metavar="ID", help="Whose odds to follow there; by default the likeliest's.")
    ] = None,
    folds: Annotated[
        int, typer.Option(metavar="K", help="Predict settled incidents from K refits that do not know them; 0: do not.")
    ] = 0,
    compare: Annotated[
        list[str] | None, typer.Option(metavar="VARIANT", help="Fit a simpler model too, and compare; may be repeated.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write figures (SVG) into this new folder.")
    ] = None,
    seed: Seed = None,
    draws: Draws = None,
    tune: Tune = None,
    chains: Chains = None,
    as_json: AsJson = False,
) -> None:
    """Examine the model of attribution: is it right about who did what?

    Accuracy, reach and notoriety of each channel; what settled incidents say of them; whether the model would have
    produced this evidence; how well it foresees an incident. On request, predictions of settled incidents, the
    evidence on one incident in bits, and other models: `no-false-flags`, `equal-reach`, `equal-notoriety`,
    `equal-presence`, `free-confusion`.

    Example: `violencescore attribution my-run --assessment my-assessment --folds 5`
    """
    if figures is not None:
        from violencescore.output import require_free

        require_free(figures)
    given = {"seed": seed, "draws": draws, "tune": tune, "chains": chains}
    with interruptible() as check, show_progress(terminal.errors()) as show:
        progress = checked(check, show)
        posterior, tables = _posterior_of(where, assessment, given, progress)
        if tables is None and (incident or folds or compare):
            rule = "is needed with --incident, --folds and --compare: a run holds no tables"
            raise InputError([Fault("--assessment", rule)])
        from violencescore.bench.examination import draw_figures, examine

        found = examine(
            posterior, tables, incident=incident, organization=organization, n_folds=folds, variants=compare or (),
            given=given, progress=progress,
        )  # fmt: skip
        drawn = {} if figures is None else draw_figures(found, seed or 0)
        check()
    if figures is not None:
        _write_figures(drawn, figures)
    _print_examination(found, figures, as_json=as_json)


def _posterior_of(
    where: Path, folder: Path | None, given: Mapping[str, Any], progress: Report
) -> tuple[xr.Dataset, Assessment | None]:
    """Return draws of the named quantities, and the tables where they are at hand; an assessment is fitted."""
    from violencescore.runs import RUN, load_run, read_tables_of

    progress("reading", 0, 1)
    if (where / RUN).is_file():
        run = load_run(where)
        tables = None if folder is None else read_tables_of(run, folder)
        progress("reading", 1, 1)
        return run.posterior["posterior"].to_dataset(), tables
    from violencescore.assessment import read_assessment

    tables = read_assessment(where)
    progress("reading", 1, 1)
    from violencescore.fitting import fit_assessment

    fitted = fit_assessment(tables, progress=progress, densities=False, **given)
    return fitted.posterior["posterior"].to_dataset(), tables


def _write_figures(drawn: Mapping[str, object], folder: Path) -> None:
    from violencescore.output import write_folder

    with write_folder(folder) as staging:
        for name, figure in drawn.items():
            figure.savefig(staging / f"{name}.svg", bbox_inches="tight")  # type: ignore[attr-defined]


def _print_examination(found: Examination, figures: Path | None, *, as_json: bool) -> None:
    from violencescore.bench.examination import to_json_dict

    if as_json:
        terminal.print_json(to_json_dict(found) | ({} if figures is None else {"figures": str(figures)}))
        return
    from violencescore.report import bench

    shown = [bench.channels_table(found.channels, found.settled)]
    shown += [bench.quantity_table(found.channels, quantity) for quantity in ("reach", "notoriety")]
    shown += [] if found.checks is None or found.checks.empty else [bench.checks_table(found.checks)]
    shown += [] if found.scores is None else [bench.scores_table(found.scores)]
    shown += [] if found.compared is None else [bench.comparison_table(found.compared)]
    shown += [] if found.waterfall is None else [bench.waterfall_table(found.waterfall)]
    console = terminal.screen()
    for table in shown:
        console.print(table)
        console.print()
    if found.loo is not None:
        terminal.print_line(bench.loo_sentence(next(iter(found.loo.values()))))
    if found.unconverged:
        names = ", ".join(found.unconverged)
        terminal.print_line(
            f"Not converged, so that their figures cannot be relied on: {names}. Draw more.", "bold red"
        )
    if found.settled is None:
        terminal.print_line("For settled incidents, checks and predictions name the tables with --assessment DIR.")
    if figures is not None:
        terminal.print_line(f"Figures: {figures}")
