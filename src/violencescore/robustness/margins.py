"""Margins: single numbers that say how much it takes to change the verdict, and what a methodology requires of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from violencescore.ranks import N_ERRORS

if TYPE_CHECKING:
    from violencescore.decision import Decision
    from violencescore.robustness_choices import Robustness

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
        Interval that its Monte-Carlo error leaves (two errors either way); equal to the value where it has none.
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
    if math.isnan(value):
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
        Whether the value, less its Monte-Carlo error, is enough.
    """

    name: str
    minimum: float
    margin: Margin | None
    holds: bool

    @property
    def sentence(self) -> str:
        """What is missing, in words."""
        if self.margin is None:
            return (
                f"The methodology requires a {self.name} of {self.minimum:g} or more, which was not examined: run "
                "`violencescore robustness RUN --assessment DIR`."
            )
        if self.holds:
            return f"The {self.name} is {self.margin.value:g}; {self.minimum:g} or more is required."
        found = "cannot be told" if math.isnan(self.margin.value) else f"is {self.margin.value:.3g}"
        return f"The {self.name} {found}, and the methodology requires {self.minimum:g} or more."


def check_required(rule: Robustness, margins: Sequence[Margin]) -> tuple[Required, ...]:
    """Hold the margins that were found against those that the methodology requires, in its order."""
    found = []
    for name, minimum in rule.minimum.items():
        own = [margin for margin in margins if margin.name == name]
        # What cannot be told counts as least.
        worst = min(own, key=lambda m: -math.inf if math.isnan(m.value) else m.value, default=None)
        found.append(Required(name, minimum, worst, worst is not None and _is_enough(worst, minimum)))
    return tuple(found)


def _is_enough(margin: Margin, minimum: float) -> bool:
    if math.isnan(margin.value):
        return False
    return margin.value - N_ERRORS * margin.mcse >= minimum - _ROUNDING


def require_margins(decision: Decision, rule: Robustness, margins: Sequence[Margin]) -> Decision:
    """Return the decision, not selected where a margin that the methodology requires does not hold.

    The outcome is then what the methodology says under ``[robustness] otherwise``, and the reasons begin with those
    margins. Any other outcome stays as it is: margins are asked for by a selection only.
    """
    if decision.outcome != "selected":
        return decision
    missing = [required.sentence for required in check_required(rule, margins) if not required.holds]
    if not missing:
        return decision
    name = decision.names[str(decision.selected)]
    said = f"{name} clears the required probability, but is not named: the verdict is not robust enough."
    return replace(
        decision,
        outcome=rule.otherwise,
        selected=None,
        selected_score=None,
        reasons=(said, *missing, *decision.reasons[1:]),
    )
