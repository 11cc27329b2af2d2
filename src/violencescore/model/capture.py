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
    N_WHOLE,
    SPREAD,
    Listing,
    block_sums,
    dependence,
    log_odds,
    scales,
    state_sizes,
    to_vector,
    unpack,
    visibility,
)
from violencescore.model.packing import lay_out
from violencescore.model.types import Array, Index
from violencescore.model.zerosum import OPTIONS

FloatArray = npt.NDArray[np.float64]

MAX_TURNED = 400
"""Parameters that are turned to axes of equal width at most: the axes are a matrix that each gradient uses."""

STEP = 1e-5
"""Of the differences that give the curvature."""


@njit(**OPTIONS)
def cell_gradient(
    of: Listing,
    theta: Array,
    power: Array,
    size: Index,
    q: int,
    odds: Array,
    work: tuple[Array, Array, Array, Array],
    grad_odds: Array,
    grad_theta: Array,
    grad_visible: Array,
) -> float:
    """Log likelihood of a cell's counts but for what is linear in the log odds, and its gradients, which are added.

    ``work`` is room for states and sums of blocks, and for two numbers a node.
    """
    states, z, inverse, grad_z = work
    n_blocks, n_nodes, n_sources = of.block_start.size - 1, of.node.size, of.sizes[0]
    block_sums(of, theta, power, size, odds, states, z)
    missed = 0.0
    for j in range(n_nodes):
        whole = 1.0
        for b in range(n_blocks):
            whole *= z[b, j]
        inverse[j] = of.share[j] / whole
        missed += inverse[j]
    number = of.times[q].sum()
    value: float = -number * log(1.0 - missed)
    for j in range(n_nodes):
        grad_z[j] = -number * inverse[j] / (1.0 - missed)
    for m in range(1, n_sources + 1):
        n_times = of.times[q, m]
        if n_times == 0.0:
            continue
        mixed = 0.0
        for j in range(n_nodes):
            mixed += power[m, j] * inverse[j]
        value += n_times * log(mixed)
        for j in range(n_nodes):
            part = n_times / mixed * power[m, j] * inverse[j]
            grad_z[j] -= part
            grad_visible[j] += m * part
    for b in range(n_blocks):
        first = of.block_start[b]
        n_members = of.block_start[b + 1] - first
        for j in range(n_nodes):
            z[b, j] = grad_z[j] / z[b, j]
        for y in range(1, 1 << n_members):
            total = 0.0
            for j in range(n_nodes):
                part = states[b, y] * power[size[y], j] * z[b, j]
                grad_visible[j] += size[y] * part
                total += part
            for i in range(n_members):
                if y >> i & 1:
                    grad_odds[of.member[first + i]] += total
            for e in range(of.pair_start[b], of.pair_start[b + 1]):
                if y >> of.first[e] & 1 and y >> of.second[e] & 1:
                    grad_theta[e] += total
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
    odds, slope, grad_odds = np.empty(n_sources), np.empty(n_sources), np.empty(n_sources)
    grad_theta, grad_visible = np.zeros(theta.size), np.zeros(of.node.size)
    at_family = n_sources * (1 + n_columns)
    size, n_blocks, n_nodes = state_sizes(of), of.block_start.size - 1, of.node.size
    work = (np.empty((n_blocks, size.size)), np.empty((n_blocks, n_nodes)), np.empty(n_nodes), np.empty(n_nodes))
    for q in range(of.age.size):
        log_odds(vector, of, scale, of.seen, q, odds, slope)
        grad_odds[:] = 0.0
        total += cell_gradient(of, theta, power, size, q, odds, work, grad_odds, grad_theta, grad_visible)
        for s in range(n_sources):
            total += of.listed[q, s] * odds[s]
            of_level = (grad_odds[s] + of.listed[q, s]) * slope[s]
            grad[s] += of.prior[1] * of_level
            for e in range(of.start[q], of.start[q + 1]):
                c = of.column[e]
                i, f = n_sources + s * n_columns + c, of.family[c]
                effect = of.weight[e] * scale[f] * of_level
                grad[i] += effect
                grad[at_family + f] += SPREAD * effect * vector[i]
    for e in range(theta.size):
        total += of.both[e] * theta[e]
        if of.theta[e] >= 0:
            grad[at_family + n_families + of.theta[e]] += of.prior[3] * (grad_theta[e] + of.both[e])
    if of.sizes[4]:
        sigma = exp(vector[n - 1])
        for j in range(of.node.size):
            grad[n - 1] += grad_visible[j] * sigma * of.node[j]
    carray(value, (1,))[0] = total
    finite = isfinite(total)
    for i in range(n):
        finite = finite and isfinite(grad[i])
        grad_point[i] = grad[i]
    if of.axes.size:
        for j in range(n):
            along = 0.0
            for i in range(n):
                along += of.axes[i * n + j] * grad[i]
            grad_point[j] = along
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
    return Capture(listing, lay_out(list(listing[:N_WHOLE]), [np.ravel(a) for a in listing[N_WHOLE:]]))


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
