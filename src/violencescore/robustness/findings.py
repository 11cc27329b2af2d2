"""What a part found, and what a part is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from violencescore.robustness.basis import Basis
from violencescore.robustness.margins import Margin
from violencescore.sampling import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Finding:
    """What a part found.

    Attributes
    ----------
    part
        Its name.
    tables
        Name -> table; ``attrs`` of each hold ``estimand`` and ``method``.
    margins
        Its numbers for the passport.
    notes
        Sentences: what was left out and why, what was confirmed by a refit.
    """

    part: str
    tables: Mapping[str, pd.DataFrame]
    margins: tuple[Margin, ...] = ()
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Part:
    """One question.

    Attributes
    ----------
    name
        As ``--part`` takes it.
    question
        What it asks, in a line.
    needs_tables
        Whether the run alone does not hold the answer: the assessment must be named.
    examine
        Answers it.
    draw
        Draws it: figures by name.
    """

    name: str
    question: str
    needs_tables: bool
    examine: Callable[[Basis, Progress], Finding]
    draw: Callable[[Finding, Mapping[str, str]], Mapping[str, Figure]]


def described(table: pd.DataFrame, estimand: str, method: str) -> pd.DataFrame:
    """Return the table with the name of its estimand and how it was found."""
    table.attrs |= {"estimand": estimand, "method": method}
    return table
