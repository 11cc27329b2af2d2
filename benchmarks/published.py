"""What benchmarks leave in docs/: a table of all figures, a figure, and the table of the page between two marks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from rich.console import Console
from rich.table import Table

from violencescore.output import write_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOCS = Path(__file__).parent.parent / "docs"
PAGE = "benchmarks.md"
BLUE, ORANGE, GREEN, PINK, YELLOW, SKY, GREY = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999",
)  # fmt: skip
"""Okabe and Ito's colours, told apart by the colour-blind."""


def spread(values: Iterable[float], form: str = ".3g") -> str:
    """Median, and in brackets the lowest and highest."""
    series = pd.Series(list(values), dtype=float)
    low, middle, high = (f"{value:{form}}" for value in (series.min(), series.median(), series.max()))
    return middle if len(series) == 1 else f"{middle} ({low} to {high})"


def publish(out: Path, name: str, figures: pd.DataFrame, picture: bytes, table: pd.DataFrame, caption: str) -> None:
    """Write results/NAME.csv and images/NAME.png; and the table and the picture into the page, if it stands there.

    Raises
    ------
    ValueError
        If the page lacks the marks of this benchmark. The two files are written all the same.
    """
    write_file(out / "results" / f"{name}.csv", figures.to_csv(index=False, float_format="%.6g").encode())
    write_file(out / "images" / f"{name}.png", picture)
    page = out / PAGE
    if page.is_file():
        text = f"{markdown(table)}\n\n![{caption}](images/{name}.png)"
        write_file(page, between_marks(page.read_text(encoding="utf-8"), name, text).encode())


def between_marks(page: str, name: str, text: str) -> str:
    """Put ``text`` in place of what stands between the two marks of a benchmark."""
    program, _, options = name.partition(" ")
    source = " ".join(word for word in (f"benchmarks/{program}.py", options) if word)
    first, last = f"<!-- written by {source} -->", f"<!-- end of {source} -->"
    before, found, rest = page.partition(first)
    _, ended, after = rest.partition(last)
    if not (found and ended):
        raise ValueError(f"the page must hold the lines {first!r} and {last!r}, in this order; the table goes between")
    return f"{before}{first}\n\n{text}\n\n{last}{after}"


def markdown(table: pd.DataFrame) -> str:
    """Write a table of texts as Markdown."""
    lines = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(map(str, cells)) + " |" for cells in lines)


def show(table: pd.DataFrame, title: str, left: Sequence[str]) -> None:
    """Print a table of texts; the columns named are set to the left."""
    shown = Table(title=title)
    for column in table.columns:
        shown.add_column(column, justify="left" if column in left else "right")
    for row in table.to_numpy().tolist():
        shown.add_row(*map(str, row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(shown)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=160, layout="constrained", facecolor="white")


def as_png(figure: Figure) -> bytes:
    """Return the picture of a figure."""
    stream = BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()
