"""The commands ``weights form`` and ``weights combine``: a panel's weights, from empty forms to the table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from violencescore.commands import AsJson, app
from violencescore.errors import Fault, InputError
from violencescore.report import terminal

if TYPE_CHECKING:
    from violencescore.methodology import Methodology

weights_app = typer.Typer(help="A panel's weights: forms to fill in, and the table made of them.", no_args_is_help=True)
app.add_typer(weights_app, name="weights", rich_help_panel="Where tables come from")


@weights_app.command("form")
def form_command(
    where: Annotated[
        str,
        typer.Argument(
            metavar="DIR-OR-METHODOLOGY",
            show_default=False,
            help="Assessment folder, methodology file, or shipped name.",
        ),
    ],
    kind: Annotated[
        Literal["swing", "points", "pairwise"], typer.Option(help="How weights are asked for; see docs/weights.md.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE.csv", help="Form to make; one for each panelist.")],
    panelist: Annotated[str, typer.Option(metavar="ID", help="Whom it is for; else to be filled in.")] = "",
    units: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CATEGORY=N", help="Ask about N harms of a category, such as extortion=20; may be repeated."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write an empty form on which one panelist weighs the categories.

    swing: 100 for the worst, the others against it. points: 100 points divided. pairwise: which of two is worse,
    and how many times.

    Example: `violencescore weights form my-assessment --kind swing --panelist P1 --out P1.csv`
    """
    from violencescore.elicitation.forms import build_form
    from violencescore.output import write_file

    methodology = _methodology(where)
    content = build_form(methodology, kind, panelist, _units(units or []))
    write_file(out, content, new=True)
    if as_json:
        terminal.print_json({"form": str(out), "kind": kind, "categories": list(methodology.category_labels)})
        return
    terminal.print_line(
        f"Form: {out}. Next, filled in: violencescore weights combine {out} ... --out panel_weights.csv"
    )


def _units(given: list[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for text in given:
        label, _, number = text.partition("=")
        try:
            found[label] = float(number)
        except ValueError:
            raise InputError([Fault("--units", "must read CATEGORY=N, such as extortion=20", value=text)]) from None
    return found


def _methodology(where: str) -> Methodology:
    from violencescore.methodology import load_methodology, shipped_methodology, shipped_names

    path = Path(where)
    if not path.exists() and where in shipped_names():
        return shipped_methodology(where)
    return load_methodology(path / "methodology.toml" if path.is_dir() else path)


@weights_app.command("combine")
def combine_command(
    forms: Annotated[
        list[Path], typer.Argument(metavar="FORMS...", show_default=False, help="Forms that were filled in.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE.csv", help="Table to make, of the assessment folder.")],
    methodology: Annotated[
        str | None, typer.Option(metavar="DIR-OR-METHODOLOGY", help="Check that its categories are those weighed.")
    ] = None,
    pool: Annotated[
        Literal["linear", "logarithmic", "median"] | None,
        typer.Option(help="Rule that pools. [default: the methodology's, else linear]", show_default=False),
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(metavar="FILE.svg|png|pdf", help="Draw the panel's weights as well.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Turn the forms of a panel into the table panel_weights, and show where it disagrees.

    Forms may be of different kinds. All faults of all forms are listed at once, and then nothing is written.

    Example: `violencescore weights combine P1.csv P2.csv P3.csv --out my-assessment/panel_weights.csv`
    """
    from violencescore.elicitation.agreement import combine_answers, panel_frame
    from violencescore.elicitation.forms import category_faults, read_forms
    from violencescore.methodology import Weights
    from violencescore.output import write_file
    from violencescore.publication.tabular import csv_bytes
    from violencescore.report.elicitation import (
        panel_json,
        panel_weight_sentences,
        panel_weights_figure,
        panel_weights_table,
    )
    from violencescore.report.figure_files import require_format, write_figure

    if figure is not None:
        require_format(figure, "--figure")
    choices = None if methodology is None else _methodology(methodology)
    answers = read_forms(forms)
    if choices is not None and (faults := category_faults(answers[0], choices)):
        raise InputError(faults)
    rule = Weights(pool=pool or ("linear" if choices is None else choices.weights.pool))
    panel = combine_answers(answers, rule)
    write_file(out, csv_bytes(panel_frame(panel)), new=True)
    if figure is not None:
        write_figure(panel_weights_figure(panel), figure, "--figure")
    if as_json:
        drawn = {} if figure is None else {"figure": str(figure)}
        terminal.print_json({"table": str(out), **drawn, **panel_json(panel)})
        return
    terminal.screen().print(panel_weights_table(panel))
    for sentence in panel_weight_sentences(panel):
        terminal.print_line(sentence)
    terminal.print_line(f'Table: {out}. It counts where the methodology says use = "panel" under [weights].')
