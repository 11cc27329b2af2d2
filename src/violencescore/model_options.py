"""What a methodology says of the model: channels of evidence, false flags, and how far things may differ."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from violencescore.value_types import Beta, Day, Flag, Id, NonNegative, Number, Part, Positive


class Channel(Part):
    """A kind of evidence: can it be forged, how often is it right, does it name a set of candidates?

    ``echoes`` is the Beta prior of the share of its pieces that only repeat what was said of the incident before, and
    of the chance that it speaks because others did; without it all are independent. A channel that speaks only through
    certain ``sources`` of the table `reports` says nothing, and its silence tells nothing, of an incident that none of
    them lists.
    """

    forgeable: Flag
    accuracy: Beta = (8.0, 2.0)
    candidates: Flag = False
    echoes: Beta | None = None
    sources: tuple[Id, ...] = ()


class FalseFlag(Part):
    """Beta priors of the share of incidents that are staged as a rival's, per period; and how it may differ.

    ``parts`` cuts the window, in which a campaign may begin, ``by_element`` lets the share differ between elements;
    ``rivalry`` is by how much, in log odds, a rivalry of strength one makes it likelier to be framed, and ``hiding`` by
    how much it is likelier that staging is meant to hide who did it than to frame one particular organization.
    """

    baseline: Beta = (1.0, 40.0)
    window: Beta = (1.0, 15.0)
    parts: Annotated[int, Field(strict=True, ge=1, le=12)] = 1
    by_element: Flag = False
    rivalry: NonNegative = 1.0
    hiding: Number = 0.0


class Episodes(Part):
    """Incidents close in place and time may share their perpetrator.

    ``repeat`` is the Beta prior of the probability with which an incident repeats the perpetrator of the one before it
    in its region on the same day; it falls to 1/e over ``days``. Without it they are independent. ``linked`` is that
    prior for incidents which the table of links ties to each other.
    """

    repeat: Beta | None = None
    days: Positive = 3.0
    linked: Beta = (9.0, 1.0)


class Factions(Part):
    """New organizations with a parent, from which they split.

    ``old_name`` is the Beta prior of how often they are called by the name of the parent, and without it they are
    organizations like any other; ``kept`` is that of the share of its activity which the parent keeps.
    """

    old_name: Beta | None = None
    kept: Beta = (2.0, 2.0)


class Priors(Part):
    """Scales of the model's weakly informative priors, on the log or logit scale."""

    level_shift_scale: Positive = 0.7
    log_rate_scale: Positive = 1.0
    other_scale: Positive = 1.5
    kind_scale: Positive = 0.7
    period_scale: Positive = 0.3
    region_scale: Positive = 1.5
    presence_scale: Positive = 1.5
    reach_mean: Number = 0.0
    reach_location_scale: Positive = 1.5
    reach_scale: Positive = 1.0
    notoriety_scale: Positive = 1.0
    confusion_scale: NonNegative = 0.0
    false_flag_scale: Positive = 1.0
    target_scale: Positive = 2.0
    contested_scale: Positive = 2.5
    engagement_scale: Positive = 1.0
    scale_spread: Positive = 0.5


class Reporting(Part):
    """Whether violence that no source lists is estimated from which sources list what, and under which assumptions.

    ``model`` is ``recorded`` (it is not), ``capture`` (it is) or ``auto``: it is where the table `reports` has two
    sources or more. Scales are standard deviations of log odds of being listed: ``level_mean`` and ``level_scale`` of
    a source's own level, the others (learned around what is stated) of its differences between kinds, regions,
    periods, and regions by period. ``heterogeneity`` is the scale of what makes an incident visible to all sources
    alike; 0 leaves it out. ``dependent`` lists pairs of sources of which one follows the other, each with a log odds
    ratio of its own, normal with scale ``dependence_scale``; ``odds_ratio`` is one that is assumed between all pairs.
    ``by_dominant`` lets regions differ by who is active there. ``as_of`` is the day up to which reports were gathered.
    """

    model: Literal["auto", "capture", "recorded"] = "auto"
    level_mean: Number = -0.5
    level_scale: Positive = 1.5
    kind_scale: Positive = 0.5
    region_scale: Positive = 0.7
    period_scale: Positive = 0.3
    region_period_scale: Positive = 0.3
    heterogeneity: NonNegative = 0.5
    dependent: tuple[tuple[Id, Id], ...] = ()
    dependence_scale: Positive = 1.0
    odds_ratio: Positive = 1.0
    by_dominant: Flag = False
    dominant_scale: Positive = 0.7
    as_of: Day | None = None

    @field_validator("dependent")
    @classmethod
    def _pairs(cls, value: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        seen: set[frozenset[str]] = set()
        for pair in value:
            if pair[0] == pair[1]:
                raise ValueError(f"pairs {pair[0]} with itself; name two sources")
            if (key := frozenset(pair)) in seen:
                raise ValueError(f"names the pair {pair[0]}, {pair[1]} twice; name it once")
            seen.add(key)
        return value
