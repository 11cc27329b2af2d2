"""Which lists an incident stands on: the log density of the parameters of listing, and its gradient, compiled.

Given that an incident is listed at all, its capture history x has probability P(x) / (1 - P(0)), with

    P(x) = sum over nodes j of w_j exp(sum_s l_s x_s + sum over pairs of theta_st x_s x_t + sigma u_j |x|) / Z_j

where ``l_s`` depends on the cell (kind, region, period, age) and ``u`` is what makes an incident visible to all sources
alike (Darroch, Fienberg, Glonek and Junker 1993), summed out by quadrature. Of the histories of a cell only three
counts matter: by source, by pair of dependent sources, and by how many sources list an incident; the cost does not
grow with the incidents.
"""

from __future__ import annotations

from ctypes import POINTER, c_double, c_int64
from dataclasses import dataclass
from functools import cache
from math import exp, isfinite, log, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import carray, cfunc, njit, types

from violencescore.model.listing import (
    AT_ONCE,
    N_WHOLE,
    SPREAD,
    Listing,
    block_states,
    dependence,
    effects,
    fill_odds,
    node_sums,
    scales,
    state_sizes,
    to_vector,
    unpack,
    visibility,
)
from violencescore.model.logarithm import weighted_log
from violencescore.model.packing import lay_out
from violencescore.model.types import Array, Index
from violencescore.model.zerosum import INNER, OPTIONS

FloatArray = npt.NDArray[np.float64]

MAX_TURNED = 400
"""Parameters that are turned to axes of equal width at most: the axes are a matrix that each gradient uses."""

STEP = 1e-5
"""Of the differences that give the curvature."""


@njit(**INNER)
def cells_gradient(
    of: Listing,
    theta: Array,
    power: Array,
    size: Index,
    first: int,
    n: int,
    odds: Array,
    work: tuple[Array, Array, Array, Array, Array],
    grad_odds: Array,
    grad_theta: Array,
    grad_visible: Array,
) -> float:
    """Log likelihood of the counts of some cells but for what is linear in the log odds, and its gradients.

    Fills ``grad_odds`` (source, cell) and adds to the others. ``work`` is room for the states of a block, for sums by
    block and node, and three times by node, of each cell.
    """
    states, z, inverse, grad_z, visible = work
    n_nodes, n_sources = of.node.size, of.sizes[0]
    missed = node_sums(of, theta, power, size, odds, n, states, z, inverse)
    number, listed, mixed = np.zeros(n, dtype=np.int64), np.empty(n), np.empty(n)
    for m in range(1, n_sources + 1):
        for i in range(n):
            number[i] += of.times[m, first + i]
    for i in range(n):
        listed[i] = 1.0 - missed[i]
    value: float = -weighted_log(number, listed)
    for j in range(n_nodes):
        for i in range(n):
            grad_z[j, i] = -number[i] / listed[i] * inverse[j, i]
            visible[j, i] = 0.0
    for m in range(1, n_sources + 1):
        times = of.times[m, first : first + n]
        if not times.any():
            continue
        mixed[:] = 0.0
        for j in range(n_nodes):
            for i in range(n):
                mixed[i] += power[m, j] * inverse[j, i]
        value += weighted_log(times, mixed)
        for i in range(n):
            mixed[i] = times[i] / mixed[i]
        for j in range(n_nodes):
            for i in range(n):
                part = mixed[i] * power[m, j] * inverse[j, i]
                grad_z[j, i] -= part
                visible[j, i] += m * part
    grad_odds[:] = 0.0
    for b in range(z.shape[0]):
        n_states = block_states(of, theta, odds, b, n, states)
        for j in range(n_nodes):
            for i in range(n):
                z[b, j, i] = grad_z[j, i] / z[b, j, i]
        for y in range(1, n_states):
            total, state = mixed, states[y]
            total[:] = 0.0
            for j in range(n_nodes):
                times_of, by_sum, by_power = power[size[y], j], z[b, j], visible[j]
                for i in range(n):
                    part = times_of * state[i] * by_sum[i]
                    by_power[i] += size[y] * part
                    total[i] += part
            for place in range(of.block_start[b + 1] - of.block_start[b]):
                if y >> place & 1:
                    to = grad_odds[of.member[of.block_start[b] + place]]
                    for i in range(n):
                        to[i] += total[i]
            for e in range(of.pair_start[b], of.pair_start[b + 1]):
                if y >> of.first[e] & 1 and y >> of.second[e] & 1:
                    grad_theta[e] += total.sum()
    for j in range(n_nodes):
        for i in range(n):
            grad_visible[j] += visible[j, i]
    return value


def density(n: int, at: Any, gradient: Any, value: Any, words: Any) -> int:
    """Log posterior density up to a constant, and its gradient, as a C function; arguments as of ``kernel.density``."""
    of = unpack(carray(words, (carray(words, (1,))[0],)))
    point, grad_point = carray(at, (n,)), carray(gradient, (n,))
    vector = to_vector(point, of)
    grad = np.empty(n)
    n_sources, n_columns, n_families = of.sizes[0], of.sizes[1], of.sizes[2]
    scale, theta, power = scales(vector, of), dependence(vector, of), visibility(vector, of)
    total: float = 0.0
    for i in range(n):
        total -= 0.5 * vector[i] * vector[i]
        grad[i] = -vector[i]
    if of.sizes[4]:
        # Half normal: the density of the logarithm.
        ratio = exp(vector[n - 1]) / of.prior[2]
        total += 0.5 * vector[n - 1] * vector[n - 1] - 0.5 * ratio * ratio + vector[n - 1]
        grad[n - 1] = 1.0 - ratio * ratio
    effect, size, n_nodes = effects(vector, of, scale), state_sizes(of), of.node.size
    width = min(AT_ONCE, of.age.size)
    log_odds, odds, slope, grad_odds = np.empty((4, n_sources, width))
    grad_theta, grad_visible, grad_effect = np.zeros(theta.size), np.zeros(n_nodes), np.zeros(effect.shape)
    by_block, by_node = np.empty((of.block_start.size - 1, n_nodes, width)), np.empty((3, n_nodes, width))
    work = (np.empty((size.size, width)), by_block, by_node[0], by_node[1], by_node[2])
    for first in range(0, of.age.size, AT_ONCE):
        n_cells = min(AT_ONCE, of.age.size - first)
        fill_odds(vector, of, effect, of.seen, first, n_cells, log_odds, odds, slope)
        total += cells_gradient(of, theta, power, size, first, n_cells, odds, work, grad_odds, grad_theta, grad_visible)
        for s in range(n_sources):
            for i in range(n_cells):
                q = first + i
                total += of.listed[s, q] * log_odds[s, i]
                of_level = (grad_odds[s, i] + of.listed[s, q]) * slope[s, i]
                grad[s] += of.prior[1] * of_level
                for e in range(of.start[q], of.start[q + 1]):
                    grad_effect[s, of.column[e]] += of.weight[e] * of_level
    at_family = n_sources * (1 + n_columns)
    for s in range(n_sources):
        for c in range(n_columns):
            i, f = n_sources + s * n_columns + c, of.family[c]
            grad[i] += scale[f] * grad_effect[s, c]
            grad[at_family + f] += SPREAD * effect[s, c] * grad_effect[s, c]
    for e in range(theta.size):
        total += of.both[e] * theta[e]
        if of.theta[e] >= 0:
            grad[at_family + n_families + of.theta[e]] += of.prior[3] * (grad_theta[e] + of.both[e])
    if of.sizes[4]:
        sigma = exp(vector[n - 1])
        for j in range(n_nodes):
            grad[n - 1] += grad_visible[j] * sigma * of.node[j]
    carray(value, (1,))[0] = total
    finite = isfinite(total)
    for i in range(n):
        finite = finite and isfinite(grad[i])
        grad_point[i] = 0.0 if of.axes.size else grad[i]
    if of.axes.size:
        for i in range(n):
            for j in range(n):
                grad_point[j] += of.axes[i * n + j] * grad[i]
    return 0 if finite else 1


def keep(n: int, n_out: int, at: Any, out: Any, words: Any) -> int:
    """Write the vector of a sampled point, as a C function: what is kept of each draw."""
    of = unpack(carray(words, (carray(words, (1,))[0],)))
    carray(out, (n_out,))[:] = to_vector(carray(at, (n,)), of)
    return 0


@cache
def compiled_density() -> Any:
    """Compile the density, or load it from the disk cache: once for all lists, and only when it is used."""
    point, arguments = types.CPointer(types.double), types.CPointer(types.int64)
    signature = types.int64(types.uint64, point, point, point, arguments)
    return cfunc(signature, cache=True, error_model=OPTIONS["error_model"])(density)


@cache
def compiled_keep() -> Any:
    """Compile ``keep``, or load it from the disk cache."""
    point, arguments = types.CPointer(types.double), types.CPointer(types.int64)
    signature = types.int64(types.uint64, types.uint64, point, point, arguments)
    return cfunc(signature, cache=True, error_model=OPTIONS["error_model"])(keep)


@dataclass(frozen=True)
class Capture:
    """The density of one set of lists, ready to evaluate; ``packed`` is ``listing`` in one array."""

    listing: Listing
    packed: npt.NDArray[np.int64]

    @property
    def size(self) -> int:
        """Number of parameters."""
        n_sources, n_columns, n_families, n_pairs, is_visible = (int(n) for n in self.listing.sizes)
        return n_sources * (1 + n_columns) + n_families + n_pairs + is_visible

    def log_density(self, vector: FloatArray) -> tuple[float, FloatArray]:
        """Return log density up to a constant, and gradient."""
        at = np.ascontiguousarray(vector, dtype=np.float64)
        gradient, value = np.empty(self.size), np.empty(1)
        point, words = POINTER(c_double), POINTER(c_int64)
        compiled_density().ctypes(
            self.size,
            at.ctypes.data_as(point),
            gradient.ctypes.data_as(point),
            value.ctypes.data_as(point),
            self.packed.ctypes.data_as(words),
        )
        return float(value[0]), gradient


def build_capture(listing: Listing) -> Capture:
    """Bind the compiled density to lists."""
    return Capture(listing, lay_out([np.ravel(a) for a in listing[:N_WHOLE]], [np.ravel(a) for a in listing[N_WHOLE:]]))


def turned(capture: Capture) -> Capture:
    """Return the density in axes along which the posterior has about one width, from its curvature near the mode.

    The learned scales stay where the methodology states them while the mode is sought, as in ``pilot.find_mode``.
    """
    from scipy.optimize import minimize

    n_sources, n_columns, n_families, _, is_visible = (int(n) for n in capture.listing.sizes)
    if capture.size > MAX_TURNED:
        return capture
    free = np.ones(capture.size)
    start = np.zeros(capture.size)
    free[n_sources * (1 + n_columns) :][:n_families] = 0.0
    if is_visible:
        free[-1], start[-1] = 0.0, log(capture.listing.prior[2]) - 1.0

    def downhill(vector: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = capture.log_density(vector)
        return -value, -gradient * free

    mode = minimize(downhill, start, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    here = capture.log_density(mode)[1]
    rows = np.array([here - capture.log_density(mode + STEP * e)[1] for e in np.eye(capture.size)]) / STEP
    value, direction = np.linalg.eigh((rows + rows.T) / 2)
    axes = direction / np.sqrt(np.maximum(value, 1.0))
    return build_capture(replace_axes(capture.listing, mode, axes))


def replace_axes(listing: Listing, centre: FloatArray, axes: FloatArray) -> Listing:
    """Return the lists with other axes."""
    return listing._replace(centre=np.asarray(centre), axes=np.ascontiguousarray(axes).ravel())


def sample_prior(capture: Capture, n_draws: int, rng: np.random.Generator) -> FloatArray:
    """Draw vectors from the prior (draw, parameter)."""
    vectors: FloatArray = rng.standard_normal((n_draws, capture.size))
    if capture.listing.sizes[4]:
        vectors[:, -1] = np.log(capture.listing.prior[2] * np.abs(vectors[:, -1]))
    return vectors


def quadrature(n_nodes: int) -> tuple[FloatArray, FloatArray]:
    """Return nodes and shares of a standard normal (Gauss and Hermite)."""
    node, share = np.polynomial.hermite_e.hermegauss(n_nodes)
    return node, share / sqrt(2.0 * np.pi)
