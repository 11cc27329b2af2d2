"""Figures as files: SVG, PNG or PDF, whole or not at all, the same bytes each time."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from violencescore.errors import Fault, InputError
from violencescore.output import write_file
from violencescore.report.figures import reproducible_svg
from violencescore.report.text import shown_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("svg", "png", "pdf")
_DOTS_PER_INCH = 200
_NO_DATE = {"svg": {"Date": None}, "png": {}, "pdf": {"CreationDate": None}}
_CAPTION = {"svg": "Description", "png": "Description", "pdf": "Subject"}
"""What each format calls the text that describes a file."""


def require_format(path: Path, option: str = "--out") -> str:
    """Return the format that a file's name asks for.

    Raises
    ------
    InputError
        If its ending is none of ``FORMATS``.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        rule = f"must end in {', '.join(f'.{name}' for name in FORMATS[:-1])} or .{FORMATS[-1]}"
        raise InputError([Fault(option, rule, value=str(path))])
    return kind


def write_figure(figure: Figure, path: Path, option: str = "--out", *, title: str = "", caption: str = "") -> None:
    """Write a figure in the format of the file's ending, in place of whatever stands there.

    Title and caption go into the file's metadata, so that the figure says what it shows wherever it ends up.

    Raises
    ------
    InputError
        If the ending is unknown or the file cannot be written.
    """
    kind = require_format(path, option)
    stream = BytesIO()
    said = {"Title": title, _CAPTION[kind]: caption}
    metadata = _NO_DATE[kind] | {key: shown_text(words) for key, words in said.items() if words}
    with reproducible_svg():
        figure.savefig(stream, format=kind, dpi=_DOTS_PER_INCH, metadata=metadata, bbox_inches="tight")
    write_file(path, stream.getvalue())
