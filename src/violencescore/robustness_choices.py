"""What a methodology may say of robustness: margins that a selection needs, and units that are counted otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from violencescore.value_types import Part

MARGINS: Mapping[str, str] = {
    "escape_margin": "least cut of the first's violence after which it would not be named (share)",
    "monotonicity": "share of checks in which one more incident of an organization harms none but itself",
    "staging_budget": "fewest incidents that a rival must stage, best placed, to change the verdict",
    "staging_budget_average": "the same for incidents staged as they usually come",
    "tipping_share": "least share of the first's label that must be staged for it not to be named",
    "handful": "fewest incidents found whose removal changes the verdict",
    "suppression": "least loss of reporting in a rival's regions that could hide another verdict (share)",
    "window": "least probability that the first is first when the window is shifted or tapered",
    "units": "least probability that the first is first under published splits, mergers and alliances",
    "acceptability": "probability that the first is first when nobody fixes the weights",
    "panel_acceptability": "the same over all mixes of the panelists' weights",
    "nearest_weights": "points of 100 that must move between weights for another to be the likeliest first",
    "panel_removal": "fewest panelists whose absence changes the verdict",
    "pools": "least probability that the first is first under another pool or one panelist's weights",
    "revenue_agreement": "probability that totals and scores per revenue put the same organization first",
    "revenue_break_even": "revenue at which the first would no longer be named, in multiples of its median",
    "flow_agreement": "probability that totals and scores per flow put the same organization first",
    "flow_break_even": "flow at which the first would no longer be named, in multiples of its median",
    "any_answer": "least probability that somebody can still be named once any one incident is settled",
}
"""Margins that a methodology may require, the larger the safer, and what each is."""

MARGIN_UNITS: Mapping[str, str] = {
    **dict.fromkeys(("escape_margin", "monotonicity", "tipping_share", "suppression"), "share"),
    **dict.fromkeys(("staging_budget", "staging_budget_average", "handful"), "incidents"),
    **dict.fromkeys(("window", "units", "acceptability", "panel_acceptability", "pools"), "probability"),
    **dict.fromkeys(("revenue_agreement", "flow_agreement", "any_answer"), "probability"),
    **dict.fromkeys(("revenue_break_even", "flow_break_even"), "times its median"),
    "nearest_weights": "points",
    "panel_removal": "panelists",
}
"""What each of them is counted in."""

Name = Annotated[str, Field(pattern=r"^\w[\w .\-]*$", max_length=100)]
Id = Annotated[str, Field(min_length=1, max_length=1000)]
Minimum = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class Unit(Part):
    """Another way to draw the line round an organization: ``join`` several, or divide one by region or day.

    Of ``divide``, what happened in ``regions``, or from the day ``since`` on, is the part's; the rest stays.
    """

    name: Name
    kind: Literal["merger", "alliance", "split"]
    join: tuple[Id, ...] = ()
    divide: Id | None = None
    regions: tuple[Id, ...] = ()
    since: date | None = None

    @model_validator(mode="after")
    def _says_what(self) -> Unit:
        if self.kind == "split":
            if self.divide is None or self.join or not (self.regions or self.since):
                raise ValueError("is a split: name whom under divide, and what is the part's: regions or since")
        elif len(set(self.join)) < 2 or self.divide is not None or self.regions or self.since:
            raise ValueError(f"is a {self.kind}: name two organizations or more under join, and nothing else")
        return self


class Robustness(Part):
    """Margins without which nobody is selected, what the verdict is then, and units to be counted otherwise."""

    minimum: dict[str, Minimum] = Field(default_factory=dict)
    otherwise: Literal["extend", "no_selection"] = "no_selection"
    unit: tuple[Unit, ...] = ()

    @field_validator("unit", mode="after")
    @classmethod
    def _named_once(cls, value: tuple[Unit, ...]) -> tuple[Unit, ...]:
        names = [unit.name for unit in value]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"uses a name more than once: {', '.join(twice)}; give each unit its own")
        return value

    @field_validator("minimum", mode="after")
    @classmethod
    def _known_margins(cls, value: dict[str, float]) -> dict[str, float]:
        if unknown := sorted(set(value) - set(MARGINS)):
            raise ValueError(f"names no margin: {', '.join(unknown)}; there are {', '.join(MARGINS)}")
        return value
