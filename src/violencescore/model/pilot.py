"""A first look at a posterior: its mode, how much is known of whom there, and what follows for sampling it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from threadpoolctl import ThreadpoolController

from violencescore.design import UNKNOWN, Design
from violencescore.episodes import NEAR
from violencescore.model import layout as lay
from violencescore.model.coordinates import centring, to_point, turn
from violencescore.model.kernel import Kernel, build_kernel, cell_weights, forward
from violencescore.model.packing import pack
from violencescore.model.quantities import initial_vector
from violencescore.model.types import CoordinateArrays
from violencescore.model_options import Priors

MAX_ITERATIONS = 300
"""Of the search for the mode: the coordinates need its neighbourhood, not the mode itself."""


MAX_TURNED = 3000
"""Parameters that are turned at most: their axes are a matrix. More are centred only."""

BENDING = (lay.ECHO, lay.FOLLOW)
"""Shares on which others depend as on the share itself, and not on its logit, which has no end near zero."""

GIVEN = 1e5
"""Cases that a prior is worth which leaves nothing to be learned."""

RAREST = 1e-3
"""The least repetition that is given: far below, a Beta prior would leave it open."""

STEP = 1e-5
"""Of the differences that give the curvature."""


def in_coordinates(kernel: Kernel, design: Design, start: npt.NDArray[np.float64]) -> Kernel:
    """Return the kernel in coordinates that suit its posterior (see ``coordinates``), found from ``start``."""
    middle = find_mode(kernel, start)
    centred = centring(design, kernel.layout, kernel.arguments[2], who_did_it(kernel, design, middle))
    unturned = _with(kernel, turn(centred, None))
    if kernel.layout.size > MAX_TURNED:
        return unturned
    point, offset = sampled_point(unturned, middle), kernel.layout.offset
    share = np.concatenate([np.arange(offset[block], offset[block + 1]) for block in BENDING])
    with one_thread():
        return _with(kernel, turn(centred, curvature(unturned, point), share, point))


def one_thread() -> AbstractContextManager[Any]:
    """Let products of matrices have one thread: they are small here, and on busy cores threads wait for each other."""
    limits: AbstractContextManager[Any] = _libraries().limit(limits=1, user_api="blas")
    return limits


@cache
def _libraries() -> Any:
    """Look once for the libraries that multiply matrices; all are loaded by now."""
    return ThreadpoolController()


def sampled_point(kernel: Kernel, vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return where a vector lies in the coordinates of a kernel."""
    offset, _, prior, _, _, _, coordinates, *_ = kernel.arguments
    return to_point(vector, offset, prior, coordinates)


def _with(kernel: Kernel, coordinates: CoordinateArrays) -> Kernel:
    before, after = kernel.arguments[:6], kernel.arguments[7:]
    arguments = (*before, coordinates, *after)
    return replace(kernel, arguments=arguments, packed=pack(arguments))


def curvature(kernel: Kernel, point: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Less the second derivatives of the log density at a point, from differences of its gradient."""
    _, here = kernel.log_density(point)
    rows = np.array([here - kernel.log_density(point + STEP * e)[1] for e in np.eye(point.size)]) / STEP
    return np.asarray((rows + rows.T) / 2)


def learn_repeats(design: Design, priors: Priors) -> Design:
    """Return the design with the probability of repetition in a region set to what pairs of neighbours say.

    A chain in which each incident hangs on the one before alone forgets too fast for episodes that interleave: to
    explain that A, B, A, B come in turn, its likelihood asks for a repetition that is far too probable, and takes B for
    an error of the evidence. What two neighbours share is not distorted by that. So the probability is where a model
    of separate pairs has its mode, and is then given (a composite likelihood: Varin, Reid and Firth 2011, An overview
    of composite likelihood methods). Links that a table states are learned with all else.
    """
    if NEAR not in design.bond_names:
        return design
    paired = replace(design, nodes=replace(design.nodes, parent=in_pairs(design.nodes.parent)))
    kernel = build_kernel(paired, priors)
    mode = find_mode(kernel, initial_vector(kernel, paired))
    at = design.bond_names.index(NEAR)
    share = np.clip(expit(kernel.layout.block(mode, lay.EPISODE)[at]), RAREST, 1.0 - RAREST)
    bonds = design.bonds.copy()
    bonds[at] = GIVEN * share, GIVEN * (1.0 - share)
    return replace(design, bonds=bonds)


def in_pairs(parent: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Cut the chains of a forest so that no node hangs on one that hangs itself.

    Examples
    --------
    >>> in_pairs(np.array([-1, 0, 1, 2])).tolist()
    [-1, 0, -1, 2]
    """
    cut = parent.copy()
    for i, above in enumerate(parent.tolist()):
        if above != UNKNOWN and cut[above] != UNKNOWN:
            cut[i] = UNKNOWN
    return cut


def find_mode(
    kernel: Kernel, start: npt.NDArray[np.float64], max_iterations: int = MAX_ITERATIONS
) -> npt.NDArray[np.float64]:
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

    with one_thread():
        found = minimize(
            downhill, start, jac=True, method="L-BFGS-B", options={"maxiter": max_iterations, "maxcor": 20}
        )
    return np.asarray(found.x)


def who_did_it(kernel: Kernel, design: Design, vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How probable it is at a vector that the incidents of each group are each actor's (group, actor).

    Zeros for what happens between named candidates: how much that is, is given.
    """
    rates, said, weight, _, _, part, _, sight, _ = forward(kernel.natural(vector[None])[0], *kernel.forward_arguments())
    *_, factors, _, _, groups, nodes = kernel.arguments
    # Whether incidents hang together is left out: this is a first look.
    firm, seen, cell, place = (
        np.concatenate(columns)
        for columns in (
            (groups.firm, nodes.firm),
            (groups.sight, nodes.sight),
            (groups.cell, nodes.cell),
            (groups.place, nodes.place),
        )
    )
    part, sight = part[:, : len(design.actors)], sight[:, : len(design.actors)]
    share = cell_weights(rates, said[1], weight, factors, groups)[cell] * part[firm] * sight[seen]
    dated = np.flatnonzero(nodes.date != UNKNOWN)
    share[groups.n.size + dated] *= part[nodes.date[dated]]
    share /= share.sum(axis=1, keepdims=True)
    probability: npt.NDArray[np.float64] = np.empty_like(share)
    probability[place] = share
    probability[design.patterns.contest[design.groups.pattern] != UNKNOWN] = 0.0
    return probability
