"""What a methodology says of the model: channels of evidence, false flags, and how far things may differ."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from violencescore.value_types import Beta, Flag, NonNegative, Number, Part, Positive


class Channel(Part):
    """A kind of evidence: can it be forged, how often is it right, does it name a set of candidates?

    ``echoes`` is the Beta prior of the share of its pieces that only repeat what was said of the incident before;
    without it all pieces are independent.
    """

    forgeable: Flag
    accuracy: Beta = (8.0, 2.0)
    candidates: Flag = False
    echoes: Beta | None = None


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
