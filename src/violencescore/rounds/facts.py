"""What entries state, kind by kind: the form that facts must have before anything is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from violencescore.changes.causes import Cause

_MAX_SHOWN = 5


def _day(text: str) -> str:
    date.fromisoformat(text)
    return text


def _time(text: str) -> str:
    datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    return text


Day = Annotated[str, Field(min_length=10, max_length=10), AfterValidator(_day)]
Time = Annotated[str, AfterValidator(_time)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Word = Annotated[str, Field(max_length=1000)]
Text = Annotated[str, Field(max_length=100_000)]
Share = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Outcome = Literal["selected", "no_selection", "extend", "not_estimable"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Probability(_Part):
    """A probability with its Monte-Carlo error; a leader's may exceed 1 by rounding only."""

    p: Share
    mcse: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Interval(_Part):
    """A median and a central 90 % interval."""

    median: NonNegative
    low: NonNegative
    high: NonNegative


class Window(_Part):
    """As in a methodology."""

    announced: Day
    start: Day
    end: Day
    baseline_start: Day | None


class Rule(_Part):
    """The line that is held against P(first)."""

    confidence: Share
    margin: NonNegative


class Chosen(_Part):
    """Which methodology."""

    id: Word
    version: Word
    sha256: Digest


class Amended(_Part):
    """What a round is held to."""

    commitment: Digest
    commitments: list[Digest]
    committed_at: Time
    reason: Text
    rehearsal: bool
    methodology: Chosen
    window: Window
    rule: Rule
    stop: Rule
    organizations: dict[Word, Word]
    retired: list[Word]


class Announced(Amended):
    """The same, and what the process is called."""

    title: Text


class Opened(_Part):
    """First and last day of the window."""

    start: Day
    end: Day


class Stop(Rule):
    """The stop tests, and what they found."""

    stands_out: Probability | None
    not_above_baseline: Probability | None


class Violence(_Part):
    """Weighted harm per day, and how many times the baseline that is."""

    days: NonNegative
    target: Interval | None
    rest: Interval
    total: Interval
    target_ratio: Interval | None
    rest_ratio: Interval | None
    total_ratio: Interval | None


Number = NonNegative | Literal["more"] | None


class FoundMargin(_Part):
    """What was found of a margin, and how; ``more`` where nothing within reach changes the verdict."""

    organization: Word | None
    value: Number
    low: Number
    high: Number
    mcse: Number
    unit: Word
    method: Word


class RequiredMargin(_Part):
    """A margin that the methodology requires of a selection, and whether it holds."""

    name: Word
    meaning: Word
    minimum: Annotated[float, Field(allow_inf_nan=False)]
    found: FoundMargin | None
    holds: bool


class _Found(_Part):
    outcome: Outcome
    selected: Word | None
    leader: Word | None
    p_first: dict[Word, Probability]
    p_stand_out: Probability | None


class Verdict(_Found):
    """What a bundle finds."""

    bundle: Digest
    commitment: Digest
    published_at: Time
    required: Share
    margin: NonNegative
    estimand: Literal["realized", "rate"]
    per: Literal["none", "revenue", "flow"]
    weights: dict[Word, NonNegative]
    stop: Stop
    violence: Violence
    required_margins: Annotated[list[RequiredMargin], Field(max_length=100)] = []


class Named(_Part):
    """The target, and what was said."""

    organization: Word
    statement: Text


class Market(Interval):
    """The target's share of revenue or flow."""

    kind: Literal["revenue", "flow"]


class Enforcement(_Part):
    """Enforcement actions: counts, the share on the target, and rates per day."""

    on: Count
    off: Count
    outside: Count
    share_on: Interval | None
    on_per_day: Interval
    off_per_day: Interval


class TargetViolence(Violence):
    """The same, of a target that there is."""

    target: Interval


class Progress(_Part):
    """What became of the violence."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=False)

    run: Digest
    first: Day = Field(alias="from")
    last: Day = Field(alias="to")
    violence: TargetViolence
    market: Market | None
    actions: Enforcement | None


class Victory(_Part):
    """Over whom, and why."""

    organization: Word
    reason: Text


class Ended(_Part):
    """Why a round was given up."""

    reason: Text


class Change(_Part):
    """What changed between two runs, as by `violencescore.changes.comparison.Comparison.to_json_dict`."""

    files: list[Word]
    tables: dict[Word, dict[Word, Count]] | None
    choices: dict[Word, Word]
    panel: bool
    software: list[Word]
    other_draws: bool
    crossed: Word
    note: Text
    verdicts: dict[Word, dict[Word, Any]]
    cause: Cause
    p_first: list[dict[Word, str | float | None]]


class Restated(_Found):
    """The verdict on restated data, and what changed it."""

    run: Digest
    change: Change


FACTS: Mapping[str, type[BaseModel]] = {
    "announced": Announced,
    "amended": Amended,
    "opened": Opened,
    "verdict": Verdict,
    "named": Named,
    "progress": Progress,
    "victory": Victory,
    "ended": Ended,
    "restated": Restated,
}
"""Kinds of entries, and the form of what each states."""


def fact_faults(kind: str, facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Return in words where facts have not the form of their kind; nothing where they have."""
    if kind not in FACTS:
        return ("no entry is of this kind.",)
    try:
        FACTS[kind].model_validate(facts)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        listed = [f"{'.'.join(map(str, part['loc']))}: {part['msg']}." for part in found[:_MAX_SHOWN]]
        return (*listed, *([f"{len(found) - _MAX_SHOWN} more like this."] if len(found) > _MAX_SHOWN else ()))
    return ()
