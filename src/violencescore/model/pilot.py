"""A first look at a posterior: its mode, how much is known of whom there, and the coordinates that follow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from violencescore.design import UNKNOWN, Design
from violencescore.model import layout as lay
from violencescore.model.coordinates import find_coordinates
from violencescore.model.kernel import Kernel, cell_weights, forward
from violencescore.model.packing import pack

MAX_ITERATIONS = 300
"""Of the search for the mode: the coordinates need its neighbourhood, not the mode itself."""


def in_coordinates(kernel: Kernel, design: Design, start: npt.NDArray[np.float64]) -> Kernel:
    """Return the kernel in coordinates that suit its posterior (see ``coordinates``), found from ``start``."""
    middle = find_mode(kernel, start)
    offset, sizes, prior, beta, days, chance, _, *tables = kernel.arguments
    coordinates = find_coordinates(design, kernel.layout, prior, who_did_it(kernel, design, middle))
    arguments = (offset, sizes, prior, beta, days, chance, coordinates, *tables)
    return replace(kernel, arguments=arguments, packed=pack(arguments))


def find_mode(kernel: Kernel, start: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Climb from ``start`` towards the mode of the vector, the learned scales left as they are.

    With them free the mode would be far from the bulk of the posterior, as that of a hierarchical model is.
    """
    from scipy.optimize import minimize

    free = np.ones(kernel.layout.size)
    for scales, _, _ in lay.EFFECTS:
        kernel.layout.block(free, scales)[:] = 0.0

    def downhill(vector: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        value, gradient = kernel.log_density(vector)
        return -value, np.asarray(-gradient * free)

    found = minimize(downhill, start, jac=True, method="L-BFGS-B", options={"maxiter": MAX_ITERATIONS, "maxcor": 20})
    return np.asarray(found.x)


def who_did_it(kernel: Kernel, design: Design, vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How probable it is at a vector that the incidents of each group are each actor's (group, actor).

    Zeros for what happens between named candidates: how much that is, is given.
    """
    rates, said, weight, _, _, part, _, honest, false = forward(
        kernel.natural(vector[None])[0], *kernel.forward_arguments()
    )
    *_, factors, _, _, groups = kernel.arguments
    pattern = np.repeat(np.arange(groups.firm.size), np.diff(groups.start))
    seen = part[groups.firm] * (honest + false)[groups.sight]
    share = cell_weights(rates, said[1], weight, factors, groups)[groups.cell] * seen[pattern]
    share /= share.sum(axis=1, keepdims=True)
    probability: npt.NDArray[np.float64] = np.empty_like(share)
    probability[groups.place] = share
    probability[design.patterns.contest[design.groups.pattern] != UNKNOWN] = 0.0
    return probability
