"""Where each parameter lives in the one unconstrained vector that is sampled.

All scales and probabilities are functions of one real vector, so that the sampler sees a single variable and
the kernel a single array. Most entries are standard normal a priori; the exceptions (effects that are partly centred,
accuracies, staging rates) are said where they are used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from violencescore.design import Design
from violencescore.model_options import Priors

BLOCKS = (
    "level",
    "organization_scale",
    "organization",
    "other",
    "shift_scale",
    "shift",
    "kind_scale",
    "kind",
    "region",
    "presence_scale",
    "presence",
    "reach",
    "reach_scale",
    "reach_deviation",
    "accuracy",
    "notoriety",
    "notoriety_other",
    "echo",
    "follow",
    "kin",
    "kept",
    "confusion",
    "staging",
    "staging_deviation",
    "staging_shift",
    "target",
    "contested",
    "engagement",
    "episode",
)
"""Blocks of the parameter vector, in order; the kernel numbers them so."""

(
    LEVEL,
    ORGANIZATION_SCALE,
    ORGANIZATION,
    OTHER_LEVEL,
    SHIFT_SCALE,
    SHIFT,
    KIND_SCALE,
    KIND,
    REGION_SIZE,
    PRESENCE_SCALE,
    PRESENCE,
    REACH,
    REACH_SCALE,
    REACH_DEVIATION,
    ACCURACY,
    NOTORIETY,
    NOTORIETY_OTHER,
    ECHO,
    FOLLOW,
    KIN,
    KEPT,
    CONFUSION,
    STAGING,
    STAGING_DEVIATION,
    STAGING_SHIFT,
    TARGET,
    CONTESTED,
    ENGAGEMENT,
    EPISODE,
) = range(len(BLOCKS))


@dataclass(frozen=True)
class Layout:
    """Sizes of the model, and the offset of each block.

    Attributes
    ----------
    n_actors, n_kinds, n_regions, n_periods, n_channels, n_strata
        Sizes; actors are the organizations and ``other``, strata those of staging.
    offset
        Block ``b`` is ``vector[offset[b]:offset[b + 1]]``.
    """

    n_actors: int
    n_kinds: int
    n_regions: int
    n_periods: int
    n_channels: int
    n_strata: int
    offset: npt.NDArray[np.int64]

    @property
    def size(self) -> int:
        """Number of parameters."""
        return int(self.offset[-1])

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """The six sizes as an array, for the kernel."""
        return np.array([self.n_actors, self.n_kinds, self.n_regions, self.n_periods, self.n_channels, self.n_strata])

    def block(self, vector: npt.NDArray[np.float64], block: int) -> npt.NDArray[np.float64]:
        """Return the view of one block along the last axis."""
        return vector[..., self.offset[block] : self.offset[block + 1]]


def build_layout(design: Design, priors: Priors) -> Layout:
    """Lay out the parameters that this design needs, and no others."""
    j, c, r, t = len(design.actors), len(design.kinds), len(design.regions), len(design.periods)
    k, h = j - 1, len(design.channels)
    names = any(not several for several in design.candidates)
    stages, engages, moves = design.stages, design.engages, t == 2
    strata = len(design.strata)
    n = {
        "level": c * t,
        "organization_scale": 1,
        "organization": k - 1,
        "other": 1,
        "shift_scale": int(moves),
        "shift": (j - 1) * moves,
        "kind_scale": int(c > 1),
        "kind": (j - 1) * (c - 1),
        "region": r - 1,
        "presence_scale": int(r > 1),
        "presence": (j - 1) * (r - 1),
        "reach": h,
        "reach_scale": h,
        "reach_deviation": h * (j - 1),
        "accuracy": h,
        "notoriety": h * (k - 1) * names,
        "notoriety_other": h * design.other_is_named,
        "confusion": h * j * (k + design.other_is_named) * names * (priors.confusion_scale > 0),
        "echo": len(design.echoes),
        "follow": len(design.echoes),
        "kin": len(design.kin),
        "kept": len(design.kin),
        "staging": strata * stages,
        "staging_deviation": j * stages,
        "staging_shift": j * strata * stages * (strata > 1),
        "target": j * (j - 1) * stages,
        "contested": (k - 1) * engages,
        "engagement": len(design.factors.set_member) * engages,
        "episode": len(design.bonds),
    }
    sizes = [n[name] for name in BLOCKS]
    return Layout(j, c, r, t, h, strata, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))


LEVEL_SCALE = 3.0
"""Prior sd of a kind's log level around the overall one: weak."""

LOG_HALF = -0.6931471805599453
"""Of the log rate of its parent, what is expected of a new faction."""

STAGING_MEMORY = 0.8
"""Share of a perpetrator's inclination to stage that lasts over all strata (its square is a variance share)."""

SHARES = (ACCURACY, ECHO, FOLLOW, KIN, KEPT, STAGING, EPISODE)
"""Blocks of probabilities with a Beta prior, as logits; of accuracies, between chance and one."""

(
    P_LEVEL_SHIFT,
    P_LOG_RATE,
    P_OTHER,
    P_PERIOD,
    P_KIND,
    P_REGION,
    P_PRESENCE,
    P_REACH_MEAN,
    P_REACH_LOCATION,
    P_REACH,
    P_NOTORIETY,
    P_CONFUSION,
    P_FALSE_FLAG,
    P_TARGET,
    P_CONTESTED,
    P_ENGAGEMENT,
    P_SPREAD,
    P_MEAN_LEVEL,
) = range(18)


EFFECTS = (
    (ORGANIZATION_SCALE, ORGANIZATION, P_LOG_RATE),
    (SHIFT_SCALE, SHIFT, P_PERIOD),
    (KIND_SCALE, KIND, P_KIND),
    (PRESENCE_SCALE, PRESENCE, P_PRESENCE),
    (REACH_SCALE, REACH_DEVIATION, P_REACH),
)
"""Block of learned scales, block of the effects that have them (in equal parts), and the constant they are around."""


def prior_constants(design: Design, priors: Priors) -> npt.NDArray[np.float64]:
    """Return the constants of the priors as the kernel numbers them.

    The mean level is that at which all actors, kinds and days are alike: a weakly informative centre that uses
    no more of the data than the number of incidents.
    """
    cells = len(design.kinds) * len(design.actors) * float(design.days.sum())
    mean_level = np.log(max(design.n_incidents, 1) / cells)
    return np.array(
        [
            priors.level_shift_scale,
            priors.log_rate_scale,
            priors.other_scale,
            priors.period_scale,
            priors.kind_scale,
            priors.region_scale,
            priors.presence_scale,
            priors.reach_mean,
            priors.reach_location_scale,
            priors.reach_scale,
            priors.notoriety_scale,
            priors.confusion_scale,
            priors.false_flag_scale,
            priors.target_scale,
            priors.contested_scale,
            priors.engagement_scale,
            priors.scale_spread,
            mean_level,
        ]
    )
