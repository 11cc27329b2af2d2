"""The command ``robustness``: what would change the verdict, part by part, and all margins on one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from violencescore.commands import AsJson, RunFolder, Seed, app
from violencescore.progress import checked, interruptible, show_progress
from violencescore.report import terminal

if TYPE_CHECKING:
    from violencescore.robustness.passport import Passport
    from violencescore.runs import Run

_REFITS = 3


def _not_negative(value: int) -> int:
    if value < 0:
        raise typer.BadParameter(f"{value} is too small; it must be 0 or more")
    return value


@app.command(rich_help_panel="To whoever doubts a verdict")
def robustness(
    run: RunFolder,
    assessment: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="The assessment that the run was fitted to, for all that concerns single incidents."
        ),
    ] = None,
    part: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this part, with its tables; may be repeated.")
    ] = None,
    refits: Annotated[
        int,
        typer.Option(
            metavar="N",
            callback=_not_negative,
            help="How often each part may sample the model again: to confirm, or where reweighting cannot be trusted.",
        ),
    ] = _REFITS,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write all tables (CSV) and figures (SVG) into a new folder.")
    ] = None,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Ask what would change the verdict, and keep the answer in the run as its passport.

    How much less violence an organization would have to do; how many incidents a rival would have to stage; which
    handful of incidents decides; what suppressed reports, another window, other units or other weights would say. Each
    margin has its Monte-Carlo error. A methodology may require minima under [robustness]: then `decide` names nobody
    unless they hold.

    Parts: `deterrence`, `monotonicity`, `staging`, `handful`, `suppression`, `window`, `units`,
    `weights`, `revenue`, `ledger`, `information`. All but `deterrence`, `units`, `weights` and `revenue` need the
    tables, named by --assessment.

    Example: `violencescore robustness my-run --assessment my-assessment --out my-robustness`
    """
    from violencescore.output import require_free
    from violencescore.runs import load_run

    if out is not None:
        require_free(out)
    loaded = load_run(run)
    with interruptible() as check, show_progress(terminal.errors()) as show:
        progress = checked(check, show)
        progress("reading", 0, 1)
        from violencescore.robustness.parts import chosen_parts
        from violencescore.robustness.passport import examine_parts
        from violencescore.robustness.record import basis_of, keep_passport, write_results

        parts = chosen_parts(part or ())
        basis = basis_of(loaded, assessment, n_refits=refits, seed=seed)
        progress("reading", 1, 1)
        passport = examine_parts(basis, parts, progress)
        if out is not None:
            write_results(passport, parts, basis.names, out)
        check()
        keep_passport(loaded, passport)
    _print(load_run(run), passport, out, with_tables=bool(part), as_json=as_json)


def _print(run: Run, passport: Passport, out: Path | None, *, with_tables: bool, as_json: bool) -> None:
    from violencescore.report.robustness import passport_section, passport_view, table_view

    decision = run.decide()
    if as_json:
        tables = {f.part: {name: _records(t) for name, t in f.tables.items()} for f in passport.findings}
        folder = {} if out is None else {"out": str(out)}
        verdict = {"outcome": decision.outcome, "selected": decision.selected, "reasons": list(decision.reasons)}
        terminal.print_json({"run": str(run.folder), **folder, **(run.robustness or {}), **verdict, "tables": tables})
        return
    console = terminal.screen()
    if with_tables:
        for finding in passport.findings:
            for name, table in finding.tables.items():
                console.print(table_view(name, table, decision.names))
    section = passport_section(run.robustness, run.margins)
    if section is not None:
        console.print(passport_view(section, "What would change the verdict"))
    if out is not None:
        terminal.print_line(f"Tables and figures: {out}")
    terminal.print_line(f"Kept in {run.folder}. Next: violencescore report {run.folder} --out {run.folder}.html")


def _records(table: Any) -> dict[str, Any]:
    rows = [{str(key): value for key, value in row.items()} for row in table.to_dict(orient="records")]
    return {"estimand": table.attrs.get("estimand"), "method": table.attrs.get("method"), "rows": rows}
