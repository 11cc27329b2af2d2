"""What the kernel is given beside incidents (exposures, dates, rivalries ...), and the priors of shares."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from violencescore.design import Design
from violencescore.model import layout as lay
from violencescore.model.types import FactorArrays, GivenArrays


def factor_arrays(design: Design) -> FactorArrays:
    """Return the factors of a design, and its pairs of heir and elder, as the kernel takes them."""
    factors = design.factors
    heir, elder = (np.ascontiguousarray(column) for column in design.kin.T)
    return FactorArrays(
        factors.kind,
        factors.channel,
        factors.argument,
        factors.echo,
        factors.set_channel,
        factors.set_start,
        factors.set_member,
        heir,
        elder,
    )


def given_arrays(design: Design) -> GivenArrays:
    """Return the numbers that a design gives, as the kernel takes them."""
    return GivenArrays(
        exposure=design.exposure.ravel(),
        repeated=design.factors.repeated,
        dated=design.dated.ravel(),
        side=design.side.ravel(),
        cut=design.cut.ravel(),
        rivalry=design.rivalry.ravel(),
        decay=design.nodes.decay,
    )


def share_priors(design: Design) -> tuple[tuple[int, npt.NDArray[np.float64], float], ...]:
    """Return block, Beta parameters (share, 2) and least value of each block of ``layout.SHARES``."""
    chance = 1.0 / max(len(design.organizations), 2)
    nothing = np.empty((0, 2))
    return (
        (lay.ACCURACY, design.accuracy, chance),
        (lay.ECHO, design.echoes, 0.0),
        (lay.FOLLOW, design.echoes, 0.0),
        (lay.KIN, np.tile(design.old_name, (len(design.kin), 1)), 0.0),
        (lay.KEPT, np.tile(design.kept, (len(design.kin), 1)), 0.0),
        (lay.STAGING, design.staging if design.stages else nothing, 0.0),
        (lay.EPISODE, design.bonds, 0.0),
    )
