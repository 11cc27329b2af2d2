"""Margins: single numbers that say how much it takes to change the verdict, and what a methodology requires of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from violencescore.robustness_choices import MARGINS, Robustness

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Margin:
    """One number of the passport.

    Attributes
    ----------
    name
        Which one; a key of ``robustness_choices.MARGINS`` if a methodology may require it.
    organization
        Id of the organization that it is about; None where it is about all.
    value
        The larger the safer; infinite where nothing within reach changes the verdict, nan where it cannot be told.
    low, high
        Interval that its Monte-Carlo error leaves (two errors either way), or the refits between which a count lies;
        equal to the value where it has none.
    mcse
        Monte-Carlo standard error; 0 where the number is a count.
    unit
        ``incidents``, ``share``, ``probability``, ``panelists`` ...
    sentence
        What it means, for a member of the panel.
    method
        ``draws``, ``reweighted`` (with Pareto's k) or ``refit``.
    """

    name: str
    organization: str | None
    value: float
    low: float
    high: float
    mcse: float
    unit: str
    sentence: str
    method: str

    def to_json_dict(self) -> dict[str, Any]:
        """Return plain JSON values; ``"more"`` for an infinite number, null for one that cannot be told."""
        plain = dict(vars(self))
        return plain | {key: _as_json(plain[key]) for key in _NUMBERS}


_NUMBERS = ("value", "low", "high", "mcse")


def _as_json(value: float) -> float | str | None:
    if math.isnan(value) or value == -math.inf:
        return None
    return "more" if math.isinf(value) else float(value)


def _from_json(value: float | str | None) -> float:
    if value is None:
        return math.nan
    if value == "more":
        return math.inf
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def margin_from_json(value: Mapping[str, Any]) -> Margin:
    """Read a margin back.

    Raises
    ------
    KeyError, TypeError
        If it is not one.
    """
    found, low, high, mcse = (_from_json(value[key]) for key in _NUMBERS)
    organization = value["organization"]
    return Margin(
        name=str(value["name"]),
        organization=None if organization is None else str(organization),
        value=found,
        low=low,
        high=high,
        mcse=mcse,
        unit=str(value["unit"]),
        sentence=str(value["sentence"]),
        method=str(value["method"]),
    )


@dataclass(frozen=True)
class Required:
    """A margin that the methodology requires, and whether it holds.

    Attributes
    ----------
    name, minimum
        The margin and the least value that is enough.
    margin
        What was found, the least where there are several; None where it was not examined.
    holds
        Whether the lower end of its interval is enough.
    """

    name: str
    minimum: float
    margin: Margin | None
    holds: bool

    @property
    def sentence(self) -> str:
        """What was found and what is required, in words."""
        said = f"{self.name.replace('_', ' ').capitalize()}: {self._found()}, {self.minimum:g} or more required"
        return f"{said}{': not enough' if self.margin is not None and not self.holds else ''}."

    def _found(self) -> str:
        if self.margin is None:
            return "not examined"
        value, low, high = self.margin.value, self.margin.low, self.margin.high
        if math.isnan(value):
            return "cannot be told"
        if math.isinf(value):
            return "without limit as far as was looked"
        return f"{value:.3g}{f' ({low:.3g} to {high:.3g})' if low < high else ''} found"

    def to_json_dict(self) -> dict[str, Any]:
        """Return plain JSON values: what is required, what was found and how, and whether that is enough.

        What was found has no sentence: some name single incidents, and this is to be published.
        """
        found = None if self.margin is None else self.margin.to_json_dict()
        if found is not None:
            found = {key: value for key, value in found.items() if key not in ("name", "sentence")}
        return {
            "name": self.name,
            "meaning": MARGINS[self.name],
            "minimum": self.minimum,
            "found": found,
            "holds": self.holds,
        }


def check_required(rule: Robustness, margins: Sequence[Margin]) -> tuple[Required, ...]:
    """Hold the margins that were found against those that the methodology requires, in its order.

    A margin is enough where the lower end of its interval is: two Monte-Carlo errors below what was found, or one more
    than the largest number that refits saw not to change the verdict.
    """
    found = []
    for name, minimum in rule.minimum.items():
        worst = min((margin for margin in margins if margin.name == name), key=_least, default=None)
        found.append(Required(name, minimum, worst, worst is not None and _least(worst) >= minimum - _ROUNDING))
    return tuple(found)


def _least(margin: Margin) -> float:
    """Return the lower end of a margin; what cannot be told counts as least."""
    return -math.inf if math.isnan(margin.value) or math.isnan(margin.low) else margin.low
