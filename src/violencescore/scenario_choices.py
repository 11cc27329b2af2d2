"""Scenarios as a methodology lists them: what is changed, to be shown beside the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from violencescore.names import category_label
from violencescore.value_types import Id, NonNegative, Part, Positive

EACH = "*"
"""In place of a channel or source: one scenario for each that occurs."""

Name = Annotated[str, Field(pattern=r"^\w[\w .\-]*$", max_length=100)]


class FalseFlagChange(Part):
    """Beta priors of the share of staged incidents that take the place of the methodology's."""

    baseline: tuple[Positive, Positive] | None = None
    window: tuple[Positive, Positive] | None = None


class Scenario(Part):
    """One change, or several together, under which the verdict is computed again.

    ``without_channel`` and ``without_source`` name one, or ``"*"`` for a scenario each; its name is then appended to
    ``name``. ``weights`` are ``"equal"`` (every category that counts weighs the same), ``"any"`` (weights drawn
    evenly from all that are possible) or a table category -> weight; a category that the methodology does not
    have is added, without a victim role unless written ``element:victim_role``. ``list_odds_ratio`` is assumed between
    every two sources that list incidents.
    """

    name: Name
    false_flag: FalseFlagChange | None = None
    without_channel: Id | None = None
    without_source: Id | None = None
    weights: Literal["equal", "any"] | dict[Id, NonNegative] | None = None
    per: Literal["none", "revenue", "flow"] | None = None
    estimand: Literal["realized", "rate"] | None = None
    list_odds_ratio: Positive | None = None

    @field_validator("weights", mode="before")
    @classmethod
    def _known_weights(cls, value: Any) -> Any:
        if value is None or value in ("equal", "any") or (isinstance(value, dict) and value):
            return value
        raise ValueError('must be "equal", "any" or a table of categories and their weights')

    @model_validator(mode="after")
    def _changes_something(self) -> Scenario:
        changed = self.model_dump(exclude_none=True, exclude={"name"})
        if not any(changed.values()):
            raise ValueError(
                "changes nothing; state false_flag, without_channel, without_source, weights, per, estimand or "
                "list_odds_ratio"
            )
        return self


def split_label(label: str) -> tuple[str, str]:
    """Return element and victim role of a category's label.

    Examples
    --------
    >>> split_label("killing:police"), split_label("corruption")
    (('killing', 'police'), ('corruption', ''))
    """
    element, _, role = label.partition(":")
    return element, role


def scenario_faults(
    scenarios: Iterable[Scenario], elements: Iterable[str], roles: Iterable[str], channels: Iterable[str]
) -> Iterator[tuple[str, Any, str]]:
    """Yield (key, value, rule) for what scenarios name that the methodology does not know."""
    known = {"element": tuple(elements), "victim role": tuple(roles), "channel": tuple(channels)}
    seen: dict[str, int] = {}
    for i, scenario in enumerate(scenarios, start=1):
        if (first := seen.setdefault(scenario.name, i)) != i:
            yield f"{i}.name", scenario.name, f"repeats the name of scenario {first}; give each its own"
        channel = scenario.without_channel
        if channel not in (None, EACH, *known["channel"]):
            rule = f"is no channel of the methodology; name one of {', '.join(known['channel'])}, or {EACH} for each"
            yield f"{i}.without_channel", channel, rule
        for label in scenario.weights if isinstance(scenario.weights, dict) else ():
            element, role = split_label(label)
            for what, word in (("element", element), ("victim role", role)):
                if word and word not in known[what]:
                    rule = f"names no {what} of the methodology ({', '.join(known[what])})"
                    yield f"{i}.weights.{label}", word, rule
            if label != category_label(element, role):
                yield f"{i}.weights", label, "must be written element, or element:victim_role"
