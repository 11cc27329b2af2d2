"""What a methodology says of the model: channels of evidence, false flags, and how far things may differ."""

from __future__ import annotations

from violencescore.value_types import Beta, Flag, NonNegative, Number, Part, Positive


class Channel(Part):
    """A kind of evidence: can it be forged, how often is it right, does it name a set of candidates?"""

    forgeable: Flag
    accuracy: Beta = (8.0, 2.0)
    candidates: Flag = False


class FalseFlag(Part):
    """Beta priors of the share of incidents that are staged as a rival's, per period."""

    baseline: Beta = (1.0, 40.0)
    window: Beta = (1.0, 15.0)


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
