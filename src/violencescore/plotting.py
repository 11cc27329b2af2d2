"""The command ``plot``: one figure of a run, for a paper or a slide."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from violencescore.commands import _VERDICT, AsJson, app
from violencescore.errors import Fault, InputError
from violencescore.report import terminal

if TYPE_CHECKING:
    from violencescore.report.plots import Plot

type Kind = Literal["rank-heat-map", "rankogram", "score-intervals", "confidence", "weight-plane", "reliability"]


@app.command(rich_help_panel=_VERDICT)
def plot(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run folder; for `reliability` the folder of a calibration.")
    ],
    kind: Annotated[Kind, typer.Argument(metavar="KIND", help="What to draw: see above.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Ending .png, .svg or .pdf; replaced if it is there. [default: KIND.png]"),
    ] = None,
    weights: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="X Y",
            help="Of `weight-plane`: two categories, such as killing:police extortion.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw one figure, and print what to conclude from it; the caption also goes into the file's metadata.

    Kinds: `rank-heat-map` and `rankogram` (probability of each rank), `score-intervals`, `confidence` (P(first), and
    the verdict at every confidence that might have been stated), `weight-plane` (who is first over two weights), and
    of a folder made by `calibrate` `reliability` (how often a stated probability came true). With `--json` the
    numbers that are drawn are printed.

    Example: `violencescore plot my-run rankogram --out rankogram.svg`
    """
    from violencescore.report.figure_files import require_format, write_figure

    path = out or Path(f"{kind}.png")
    require_format(path)
    if weights is not None and kind != "weight-plane":
        rule = f"belongs to weight-plane; {kind} takes none"
        raise InputError([Fault("--weights", rule, value=" ".join(weights))])
    drawn = _draw(run, kind, weights)
    write_figure(drawn.figure, path, title=drawn.title, caption=drawn.caption)
    if as_json:
        rows = drawn.table.astype(object).where(drawn.table.notna(), None).to_dict("records")
        terminal.print_json(
            {"figure": str(path), "kind": kind, "title": drawn.title, "caption": drawn.caption, "rows": rows}
        )
        return
    terminal.screen().print(drawn.caption, markup=False, highlight=False)
    terminal.print_line(f"Figure: {path}")


def _draw(folder: Path, kind: str, weights: tuple[str, str] | None) -> Plot:
    if kind == "reliability":
        from violencescore.report.calibration import plot_reliability

        return plot_reliability(folder)
    from violencescore.report.plots import RUN_PLOTS, plot_weight_plane
    from violencescore.runs import load_run

    loaded = load_run(folder)
    if loaded.decide().ranking.empty:
        raise InputError([Fault(str(folder), "ranks no organization: there is nothing to draw")])
    return plot_weight_plane(loaded, weights) if weights is not None else RUN_PLOTS[kind](loaded)
