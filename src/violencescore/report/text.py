"""Words and numbers as they are shown: untrusted text made harmless, worlds counted, digits chosen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

MISSING = "–"
"""Stands where there is no number."""

_WORLDS = (100, 1_000, 10_000)
_UNITS = {0: "", -3: "thousandths", -6: "millionths", -9: "billionths", 6: "millions", 9: "billions"}


def shown_text(text: str, limit: int | None = None) -> str:
    r"""Return text from the input as it may be shown anywhere.

    White space of any kind becomes a plain space; control characters, bidirectional marks and whatever
    else has no glyph are written out, so that no name can hide, reorder or imitate another. Escaping for
    a format (HTML, SVG, rich markup, mathtext) is left to the format's own library.

    Parameters
    ----------
    text
        Untrusted text, such as the name of an organization.
    limit
        Longest result, in characters; a longer one ends in an ellipsis.

    Examples
    --------
    >>> shown_text("A\u202eB\x1b[31m")
    'A\\u202eB\\u001b[31m'
    """
    safe = "".join(_shown_character(character) for character in text)
    return safe if limit is None or len(safe) <= limit else safe[: limit - 1].rstrip() + "…"


def _shown_character(character: str) -> str:
    if character.isprintable():
        return character
    if character.isspace():
        return " "
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def joined(words: Iterable[str], last: str = "and") -> str:
    """Return words as a list in a sentence: ``A, B and C``."""
    *front, end = words
    return f"{', '.join(front)} {last} {end}" if front else end


def worlds(p: float, mcse: float = 0.0, n: int = 100) -> str:
    """Return a probability as a natural frequency, with no more certainty than its Monte-Carlo error allows.

    Where 0 or 1 is within one error, a bound two errors away is given, as
    `violencescore.montecarlo.format_probability` does.

    Examples
    --------
    >>> worlds(0.97), worlds(1.0, 0.001), worlds(0.0)
    ('97 of 100', 'more than 99 of 100', 'fewer than 1 of 100')
    """
    if math.isnan(p):
        return f"an unknown number of {n:,}"
    count = round(p * n)
    if p + mcse >= 1 or count >= n:
        return f"more than {min(n - 1, math.floor((p - 2 * mcse) * n)):,} of {n:,}"
    if p - mcse <= 0 or count <= 0:
        return f"fewer than {max(1, math.ceil((p + 2 * mcse) * n)):,} of {n:,}"
    return f"{count:,} of {n:,}"


def worlds_against(p: float, mcse: float, required: float) -> tuple[str, str]:
    """Return a probability and the required one as frequencies that keep their order.

    Rounded to 100 worlds, 0.8961 against 0.9 would read as a bar that was met; then more worlds are
    counted.

    Examples
    --------
    >>> worlds_against(0.97, 0.004, 0.9), worlds_against(0.8961, 0.001, 0.9)
    (('97 of 100', '90 of 100'), ('896 of 1,000', '900 of 1,000'))
    """
    for n in _WORLDS:
        exact = math.isclose(required * n, round(required * n), abs_tol=1e-6)
        if math.isnan(p) or (exact and _order(round(p * n), round(required * n)) == _order(p, required)):
            return worlds(p, mcse, n), f"{round(required * n):,} of {n:,}"
    bar = f"{100 * required:g} of 100"
    return f"{'just over' if p > required else 'just under'} {bar}", bar


def error_text(mcse: float) -> str:
    """Return a Monte-Carlo error with one significant digit: ``0.004``."""
    digits = max(1, math.ceil(-math.log10(mcse) - 1e-9)) if mcse > 0 else 1
    return f"{mcse:.{digits}f}"


def _order(left: float, right: float) -> int:
    return 0 if math.isclose(left, right, abs_tol=1e-12) else (1 if left > right else -1)


def percent(share: float) -> str:
    """Return a share as a percentage with as many digits as it has: ``90 %``, ``97.5 %``."""
    return f"{100 * share:g} %"


_LEAST_EXPONENT = -300
"""Below this power of ten lie numbers that a double holds with less than its precision."""


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers of one column are written: the same unit and decimals for all.

    Call it with a number; a missing or infinite one reads as a dash. ``unit`` is a word for the column's
    heading, such as ``millionths``, empty where numbers are written as they are.
    """

    exponent: int = 0
    decimals: int = 0

    def __call__(self, value: float) -> str:
        """Return a number as it is written in this column."""
        return f"{value / self.power:,.{self.decimals}f}" if math.isfinite(value) else MISSING

    @property
    def power(self) -> float:
        """The power of ten by which numbers are divided."""
        return 10.0**self.exponent

    @property
    def unit(self) -> str:
        """Name of the power of ten in which the numbers are written."""
        return _UNITS.get(self.exponent, f"times 1e{self.exponent:+d}")

    def heading(self, name: str) -> str:
        """Return a column's heading with the unit."""
        return f"{name} ({self.unit})" if self.unit else name

    def with_unit(self, value: float) -> str:
        """Return a number for a sentence: ``0.70 millionths``."""
        return f"{self(value)} {self.unit}".rstrip()


def number_format(values: Iterable[float]) -> NumberFormat:
    """Return the format in which the largest finite magnitude of a column has about three digits.

    Examples
    --------
    >>> number_format([12.5, 3.14159])(3.14159), number_format([7.02e-4]).with_unit(7.02e-4)
    ('3.1', '702 millionths')
    """
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    exponent = 0
    if 0.0 < largest < 0.1 or largest >= 1e7:
        exponent = max(3 * math.floor(math.log10(largest) / 3), _LEAST_EXPONENT)
    scaled = largest / 10.0**exponent
    return NumberFormat(exponent, 0 if scaled >= 100 else 1 if scaled >= 10 else 2)


def cell_format(smallest_error: float) -> Callable[[float], str]:
    """Return the writer of probabilities in narrow cells: two decimals, never 0 or 1.

    Parameters
    ----------
    smallest_error
        The least Monte-Carlo standard error among the probabilities of the table. What lies nearer to 0 or
        1 than two of them cannot be told from 0 or 1.

    Examples
    --------
    >>> [cell_format(0.0002)(p) for p in (0.0, 0.42, 1.0)], cell_format(0.02)(1.0)
    (['<0.01', '0.42', '>0.99'], '>0.96')
    """
    step = max(0.01, math.ceil(200 * smallest_error - 1e-9) / 100) if math.isfinite(smallest_error) else 0.01

    def write(p: float) -> str:
        if math.isnan(p):
            return MISSING
        if p < step / 2:
            return f"<{step:.2f}"
        return f">{max(1 - step, 0.0):.2f}" if p >= 1 - step / 2 else f"{p:.2f}"

    return write


def rank_text(rank: float) -> str:
    """Return a rank bound: whole where it is whole, ``1.5`` where organizations are tied."""
    return f"{rank:g}" if math.isfinite(rank) else MISSING


def interval_text(low: str, high: str) -> str:
    """Return the two ends as ``low–high``, or the one value when both read the same."""
    return low if low == high else f"{low}–{high}"


def ordinal(rank: int) -> str:
    """Return ``1st``, ``2nd``, ``3rd``, ``11th`` ..."""
    suffix = "th" if rank % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"{rank}{suffix}"
