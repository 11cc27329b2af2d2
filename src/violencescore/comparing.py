"""The command ``compare``: what changed between two runs, and what that did to the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from violencescore.commands import AsJson, app
from violencescore.errors import Fault, InputError
from violencescore.progress import checked, interruptible, show_progress
from violencescore.report import terminal

if TYPE_CHECKING:
    import xarray as xr

    from violencescore.assessment import Assessment
    from violencescore.changes.comparison import Comparison
    from violencescore.methodology import Methodology
    from violencescore.runs import Run

Assessments = Annotated[
    tuple[Path, Path] | None,
    typer.Option(
        metavar="DIR_A DIR_B", help="The assessments that the runs were fitted to: to see rows, and for refits."
    ),
]


@app.command(rich_help_panel="To whoever doubts a verdict")
def compare(
    before: Annotated[Path, typer.Argument(metavar="RUN_A", show_default=False, help="Run folder of before.")],
    after: Annotated[Path, typer.Argument(metavar="RUN_B", show_default=False, help="Run folder of after.")],
    assessments: Assessments = None,
    rows: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder to make with the rows that were added, changed, withdrawn, as CSV files."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what changed between two runs, and how much of the change comes from data, methodology and chance.

    Rows added, changed and withdrawn are counted per table, given the assessments. The change of each P(first) is
    split, with Monte-Carlo errors. Where the methodologies differ in weights, estimand or denominator only, the draws
    are scored again; where the model and the data both differ, the combinations are fitted (--assessments).

    Example: `violencescore compare run-june run-july --assessments june july`
    """
    from violencescore.output import require_free
    from violencescore.runs import load_run

    if rows is not None:
        if assessments is None:
            raise InputError([Fault("--rows", "needs the assessments; name them: --assessments DIR_A DIR_B")])
        require_free(rows)
    found = compare_with_refits(load_run(before), load_run(after), assessments)
    if rows is not None:
        _write_rows(found, rows)
    if as_json:
        terminal.print_json({"before": str(before), "after": str(after), **found.to_json_dict()})
        return
    from violencescore.report.changes import change_view

    terminal.screen().print(change_view(found))
    if rows is not None:
        terminal.print_line(f"Rows: {rows}")


def compare_with_refits(before: Run, after: Run, assessments: tuple[Path, Path] | None) -> Comparison:
    """Compare two runs, and show progress where something must be fitted."""
    from violencescore.changes.comparison import compare_runs

    with interruptible() as check, show_progress(terminal.errors()) as show:

        def refit(
            name: str, assessment: Assessment, methodology: Methodology, weights: xr.DataArray
        ) -> tuple[xr.DataArray, Mapping[str, Any]]:
            from violencescore.publication.refit import fit_again

            def report(stage: str, done: int, total: int) -> None:
                checked(check, show)(f"{name.replace('_', ' ')}: {stage}", done, total)

            scores, diagnostics = fit_again(assessment, methodology, weights, report, methodology.sampling.seed)
            return scores, diagnostics.to_json_dict({})

        return compare_runs(before, after, assessments, refit)


def _write_rows(found: Comparison, folder: Path) -> None:
    from violencescore.output import write_folder
    from violencescore.publication.tabular import csv_bytes

    with write_folder(folder) as staging:
        for name, change in (found.tables or {}).items():
            for what in ("added", "changed", "withdrawn"):
                table = getattr(change, what)
                if len(table):
                    (staging / f"{name}-{what}.csv").write_bytes(csv_bytes(table))
