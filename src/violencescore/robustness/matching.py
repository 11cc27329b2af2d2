"""Parts of a posterior that depend on one another, resampled given each other from its own draws.

To know what false flags alone leave open, their parameters must be kept while all others are drawn anew *given them*.
Independent draws of a posterior hold what is needed. Two draws may exchange their false-flag parameters; of the product
of their densities only the likelihoods change, since the priors of the two parts are independent. So a Metropolis step
that proposes such exchanges leaves the joint distribution of all draws as it is, and after many of them each draw has
false-flag parameters that are another's, and fit its own other parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from violencescore.design import Design
from violencescore.names import DRAW
from violencescore.robustness.ties import tied_weights

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

FALSE_FLAG = ("false_flag", "target")
"""The quantities of staging."""
SWEEPS = 30
"""Times that every draw is offered an exchange."""
_TINY = 1e-300


@dataclass(frozen=True)
class Matching:
    """For each draw another whose false-flag parameters fit its other parameters.

    Attributes
    ----------
    partner
        Which draw's (draw); a permutation.
    accepted
        Share of the exchanges that were accepted: 1 where the parts do not depend on one another.
    own
        Share of the draws that kept their own.
    """

    partner: IntArray
    accepted: float
    own: float


def with_false_flags(draws: xr.Dataset, partner: IntArray) -> xr.Dataset:
    """Return the draws (one chain) with the false-flag parameters of others."""
    exchanged = {name: (draws[name].dims, draws[name].isel({DRAW: partner}).values) for name in FALSE_FLAG}
    return draws.assign(exchanged)


def match_false_flags(design: Design, draws: xr.Dataset, rng: np.random.Generator, sweeps: int = SWEEPS) -> Matching:
    """Exchange false-flag parameters between draws until they are another's.

    Parameters
    ----------
    draws
        Named quantities, one chain (``allotment.flat_draws``).
    """
    n = draws.sizes[DRAW]
    partner = np.arange(n)
    current = log_evidence(design, draws)
    accepted = offered = 0
    for _ in range(sweeps):
        order = rng.permutation(n)
        left, right = order[: n // 2], order[n // 2 : 2 * (n // 2)]
        proposed = partner.copy()
        proposed[left], proposed[right] = partner[right], partner[left]
        then = log_evidence(design, with_false_flags(draws, proposed))
        gain = then[left] + then[right] - current[left] - current[right]
        taken = np.log(rng.random(len(left))) < gain
        for side in (left[taken], right[taken]):
            partner[side], current[side] = proposed[side], then[side]
        accepted, offered = accepted + int(taken.sum()), offered + len(left)
    return Matching(partner, accepted / max(offered, 1), float((partner == np.arange(n)).mean()))


def log_evidence(design: Design, draws: xr.Dataset) -> FloatArray:
    """Return the log probability of all incidents with their evidence, up to what depends on rates alone (draw)."""
    n = design.groups.n.astype(np.float64)
    n[design.nodes.group] = 0.0
    parts = []
    for weights, tied in tied_weights(design, draws):
        each = np.log(np.maximum(weights.either.sum(axis=2), _TINY)) + weights.log_scale
        parts.append(each @ n + (0.0 if tied is None else tied.log_density()))
    return np.concatenate(parts)
