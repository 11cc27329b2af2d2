"""What can go wrong, as a tree.

::

    ViolenceScoreError
    ├── InputError      the data or the methodology break a rule     (exit status 2)
    └── RefusedError    asked for something the evidence cannot bear (exit status 3)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_MAX_SHOWN = 80


@dataclass(frozen=True, order=True)
class Fault:
    """One broken rule: where, what stands there, and what should.

    Parameters
    ----------
    table
        File or table name, such as ``incidents.csv`` or ``methodology.toml``.
    rule
        The rule that is broken and the way out, as a sentence without a full stop.
    row
        Line of the file, counting the header as line 1; None where no row is to blame.
    column
        Column or key; None where none is to blame.
    value
        The offending value as text; long values are shortened when shown.
    """

    table: str
    rule: str
    row: int | None = None
    column: str | None = None
    value: str | None = None

    def __str__(self) -> str:
        where = self.table if self.row is None else f"{self.table} row {self.row}"
        if self.column is not None:
            where += f", {self.column}"
        shown = "" if self.value is None else f"{_shorten(self.value)!r}: "
        return f"{where}: {shown}{self.rule}."


class ViolenceScoreError(Exception):
    """Base of all errors that this package raises on purpose."""


class InputError(ViolenceScoreError):
    """The input breaks rules; ``faults`` lists every breach that was found."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class RefusedError(ViolenceScoreError):
    """The request is well formed, but no honest result can be given."""


def _shorten(value: str) -> str:
    return value if len(value) <= _MAX_SHOWN else value[:_MAX_SHOWN] + "…"
