"""The log posterior and its gradient: one compiled function of one vector.

    sum over groups g of n_g log(sum_k W[q_g, k] L[p_g, k]) - sum over q, k of W[q, k] + log prior

with the perpetrator and the false flag summed out. Where candidates are named, W is each one's share
of what happened between them, and how much that was is given, not modelled (see ``cells``). ``specification``
states the same density in PyMC; a test holds the two together, value and gradient.
"""

from __future__ import annotations

from ctypes import POINTER, c_double, c_int64
from dataclasses import dataclass
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import carray, cfunc, njit, types

from violencescore.design import Design
from violencescore.model import layout as lay
from violencescore.model.cells import arrange_groups, cell_weight, contest_gradient
from violencescore.model.coordinates import NO_COORDINATES, to_vector, to_vector_gradient
from violencescore.model.effects import log_prior, natural, natural_gradient
from violencescore.model.episodes import bond_gradient, climb, climb_gradient, repeat_probability
from violencescore.model.evidence import (
    channels,
    engagement,
    engagement_gradient,
    evidence_gradient,
    factor_table,
)
from violencescore.model.given import factor_arrays, given_arrays, share_priors
from violencescore.model.lanes import LANES, add_narrowed, mix_rows, widen
from violencescore.model.layout import Layout, build_layout, prior_constants
from violencescore.model.logarithm import sum_log, weighted_log
from violencescore.model.packing import pack, unpack
from violencescore.model.patterns import (
    arrange_patterns,
    products,
    products_gradient,
    sight_gradient,
    sight_probability,
)
from violencescore.model.staging import staging, staging_gradient
from violencescore.model.types import Array, FactorArrays, GivenArrays, GroupArrays, Index, PartArrays, SightArrays
from violencescore.model.violence import violence, violence_gradient
from violencescore.model.zerosum import INNER, OPTIONS
from violencescore.model_options import Priors


@njit(**OPTIONS)
def forward(
    unit: Array,
    offset: Index,
    sizes: Index,
    prior: Array,
    given: GivenArrays,
    chance: float,
    factors: FactorArrays,
    parts: PartArrays,
    sights: SightArrays,
) -> tuple[Any, Any, Array, Array, Array, Array, Array, Array, Array]:
    """All that depends on the parameters, in their own unit, and not on the counts.

    Returns rates and evidence (see ``violence`` and ``channels``), weights of candidates, staged shares and targets,
    parts with the logarithms of what was divided out of them, and sights with their staged share: parts and sights in
    rows of lanes, of which the actors are the first.
    """
    rates = violence(unit, offset, sizes, prior, given.exposure, factors.heir, factors.elder)
    said = channels(unit, offset, sizes, prior, chance, factors.heir, factors.elder)
    weight = engagement(unit, offset, sizes, prior, factors.set_member)
    share, target = staging(unit, offset, sizes, prior, given.rivalry)
    table = np.empty((factors.kind.size, sizes[0]))
    factor_table(unit, offset, factors, given, said[0], said[1], said[3], table)
    part, log_scale = products(parts, table)
    sight, false = sight_probability(part, share, target, sights)
    return rates, said, weight, share, target, part, log_scale, sight, false


@njit(**OPTIONS)
def cell_weights(rates: Any, accuracy: Array, weight: Array, factors: FactorArrays, groups: GroupArrays) -> Array:
    """Weight of each actor in each cell, the evidence apart (cell, actor)."""
    rate, presence = rates[0], rates[1]
    cells = np.empty((groups.kind.size, presence.shape[1]))
    for q in range(groups.kind.size):
        c, r, t, s = groups.kind[q], groups.region[q], groups.period[q], groups.contest[q]
        if s < 0:
            for k in range(cells.shape[1]):
                cells[q, k] = rate[c, t, k] * presence[r, k]
        else:
            among = slice(factors.set_start[s], factors.set_start[s + 1])
            accurate = accuracy[factors.set_channel[s]]
            cell_weight(rate[c, t], presence[r], accurate, factors.set_member[among], weight[among], cells[q])
    return cells


@njit(**INNER)
def mix(
    groups: GroupArrays,
    cells: Array,
    part: Array,
    sight: Array,
    width: int,
    mixed: Array,
    grad_cell: Array,
    grad_part: Array,
    grad_sight: Array,
) -> None:
    """Sum the perpetrators out of each group's probability, and add the gradients of its logarithm.

    The only loop over groups. All but ``mixed`` are rows of lanes, ``width`` wide.
    """
    n, cell, firm, seen = groups.n, groups.cell, groups.firm, groups.sight
    tables = cells, part, sight, grad_cell, grad_part, grad_sight
    if width == LANES:
        for g in range(n.size):
            mixed[g] = mix_rows(n[g], cell[g] * width, firm[g] * width, seen[g] * width, tables, width, 1)
    elif width == 2 * LANES:
        for g in range(n.size):
            mixed[g] = mix_rows(n[g], cell[g] * width, firm[g] * width, seen[g] * width, tables, width, 2)
    elif width == 3 * LANES:
        for g in range(n.size):
            mixed[g] = mix_rows(n[g], cell[g] * width, firm[g] * width, seen[g] * width, tables, width, 3)
    else:
        for g in range(n.size):
            mixed[g] = mix_rows(n[g], cell[g] * width, firm[g] * width, seen[g] * width, tables, width, 0)


def density(n: int, at: Any, gradient: Any, value: Any, words: Any) -> int:
    """Log posterior density up to a constant, and its gradient, as a C function (see ``compiled_density``).

    Parameters
    ----------
    n
        Number of parameters.
    at, gradient, value
        Pointers to the point, and to where the gradient and the density go.
    words
        Pointer to the packed arguments.

    Returns
    -------
    int
        0, or 1 where the density is zero or not finite.
    """
    grad = carray(gradient, (n,))
    offset, sizes, prior, beta, given, chance, coordinates, factors, parts, sights, groups, nodes = unpack(
        carray(words, (carray(words, (1,))[0],))
    )
    grad[:] = 0.0
    vector = to_vector(carray(at, (n,)), offset, prior, coordinates)
    unit, slope = natural(vector, offset, prior)
    rates, said, weight, share, target, part, log_scale, sight, false = forward(
        unit, offset, sizes, prior, given, chance, factors, parts, sights
    )
    n_actors, width = sizes[0], part.shape[1]
    total: float = 0.0
    grad_rate = np.empty(rates[0].shape)
    for c in range(grad_rate.shape[0]):
        for t in range(grad_rate.shape[1]):
            for k in range(n_actors):
                total -= rates[0][c, t, k]
                grad_rate[c, t, k] = -rates[0][c, t, k]

    cells = cell_weights(rates, said[1], weight, factors, groups)
    weights, firm, seen = widen(cells), part.reshape(part.size), sight.reshape(sight.size)
    of_weights, of_firm, of_seen = np.zeros(weights.size), np.zeros(firm.size), np.zeros(seen.size)
    mixed = np.empty(groups.n.size)
    mix(groups, weights, firm, seen, width, mixed, of_weights, of_firm, of_seen)
    total += weighted_log(groups.n, mixed)
    if nodes.cell.size > 0:
        repeat = repeat_probability(unit, offset, nodes, given.decay)
        message, summed, fresh = np.ones(repeat.size * width), np.empty(repeat.size), np.empty(repeat.size)
        grad_log_bond = np.zeros(offset[lay.EPISODE + 1] - offset[lay.EPISODE])
        climb(nodes, repeat, weights, firm, seen, message, summed, fresh, width)
        climb_gradient(
            *(nodes, repeat, weights, firm, seen, message, summed, fresh, width),
            *(of_weights, of_firm, of_seen, grad_log_bond),
        )
        bond_gradient(unit, offset, grad_log_bond, grad)
        total += sum_log(summed)
    grad_cell = np.zeros(cells.shape)
    add_narrowed(of_weights, grad_cell)
    for e in range(log_scale.size):
        total += parts.n[e] * log_scale[e]

    grad_presence = np.zeros(rates[1].shape)
    grad_weight = np.zeros(weight.size)
    grad_accuracy = np.zeros(said[1].size)
    for q in range(groups.kind.size):
        c, r, t, s = groups.kind[q], groups.region[q], groups.period[q], groups.contest[q]
        for k in range(n_actors):
            grad_cell[q, k] *= cells[q, k]
        if s >= 0:
            among, h = slice(factors.set_start[s], factors.set_start[s + 1]), factors.set_channel[s]
            grad_accuracy[h] += contest_gradient(
                said[1][h], factors.set_member[among], cells[q], grad_cell[q], grad_weight[among]
            )
        for k in range(n_actors):
            grad_rate[c, t, k] += grad_cell[q, k]
            grad_presence[r, k] += grad_cell[q, k]

    grad_share = np.zeros(share.shape)
    grad_target = np.zeros(target.shape)
    sight_gradient(part, share, target, sights, sight, false, of_seen, of_firm, grad_share, grad_target)
    grad_factor = np.zeros((factors.kind.size, n_actors))
    products_gradient(parts, of_firm, grad_factor)
    kin = factors.heir, factors.elder
    violence_gradient(offset, sizes, prior, rates[1], *kin, grad_rate, grad_presence, grad)
    evidence_gradient(unit, offset, prior, chance, factors, given, said, grad_factor, grad_accuracy, grad)
    engagement_gradient(offset, sizes, prior, factors.set_member, grad_weight, grad)
    if offset[lay.STAGING + 1] > offset[lay.STAGING]:
        staging_gradient(offset, sizes, prior, share, target, grad_share, grad_target, grad)
    natural_gradient(unit, slope, offset, prior, grad)
    total += log_prior(vector, offset, beta, chance, grad)
    total += to_vector_gradient(vector, offset, prior, coordinates, grad)
    carray(value, (1,))[0] = total
    spread = 0.0  # stays zero unless a number is not finite
    for i in range(n):
        spread += 0.0 * grad[i]
    return 0 if isfinite(total + spread) else 1


@cache
def compiled_density() -> Any:
    """Compile the density, or load it from the disk cache: once for all designs.

    A C function is what the sampler's own threads can call: no interpreter, no lock. And each function that calls
    compiled ones is optimized together with all of them, so that it is the only one on top of the others.
    """
    point, arguments = types.CPointer(types.double), types.CPointer(types.int64)
    signature = types.int64(types.uint64, point, point, point, arguments)
    return cfunc(signature, cache=True, error_model=OPTIONS["error_model"])(density)


def is_compiled() -> bool:
    """Whether the disk cache holds a density."""
    return any(Path(forward.stats.cache_path).glob("kernel.density-*.nbc"))


@dataclass(frozen=True)
class Kernel:
    """The density of one design, ready to evaluate.

    Attributes
    ----------
    layout
        Where each parameter lives.
    arguments
        What the compiled functions take after the vector: offset, sizes, prior constants, Beta parameters, what is
        given, chance, coordinates, factors, parts, sights, groups, nodes.
    packed
        The same in one array (see ``packing``).
    """

    layout: Layout
    arguments: tuple[Any, ...]
    packed: npt.NDArray[np.int64]

    def log_density(self, vector: Array) -> tuple[float, Array]:
        """Return log density up to a constant and gradient at ``vector`` (``layout.size``)."""
        at = np.ascontiguousarray(vector, dtype=np.float64)
        gradient, value = np.empty(self.layout.size), np.empty(1)
        point, words = POINTER(c_double), POINTER(c_int64)
        compiled_density().ctypes(
            self.layout.size,
            at.ctypes.data_as(point),
            gradient.ctypes.data_as(point),
            value.ctypes.data_as(point),
            self.packed.ctypes.data_as(words),
        )
        return float(value[0]), gradient

    def forward_arguments(self) -> tuple[Any, ...]:
        """Return what ``forward`` takes after the vector in its own unit."""
        offset, sizes, prior, _, given, chance, _, factors, parts, sights, *_ = self.arguments
        return offset, sizes, prior, given, chance, factors, parts, sights

    def natural(self, vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return draws (..., parameter) with their effects in their own unit."""
        offset, _, prior, *_ = self.arguments
        flat = vectors.reshape(-1, self.layout.size)
        return np.array([natural(vector, offset, prior)[0] for vector in flat]).reshape(vectors.shape)


def build_kernel(design: Design, priors: Priors) -> Kernel:
    """Bind the compiled density to a design."""
    layout = build_layout(design, priors)
    parts, sights, *of_patterns = arrange_patterns(design)
    arguments = (
        layout.offset,
        layout.sizes,
        prior_constants(design, priors),
        np.concatenate([beta for _, beta, _ in share_priors(design)]),
        given_arrays(design),
        1.0 / max(len(design.organizations), 2),
        NO_COORDINATES,
        factor_arrays(design),
        parts,
        sights,
        *arrange_groups(design, *of_patterns),
    )
    return Kernel(layout, arguments, pack(arguments))
