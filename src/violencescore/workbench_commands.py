"""The commands for those who doubt a verdict: other assumptions, and the model of attribution itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from violencescore.commands import AsJson, Chains, Draws, Folder, Seed, Tune, app
from violencescore.progress import interruptible, show_progress
from violencescore.report import terminal

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

        def progress(stage: str, done: int, total: int) -> None:
            check()
            show(stage, done, total)

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
