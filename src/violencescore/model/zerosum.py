"""Effects that sum to zero, and their gradients: n - 1 free numbers to n, isometrically.

The map is that of PyMC's ``ZeroSumTransform``; a standard normal in is a zero-sum normal out.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numba import njit

from violencescore.model.types import Array

OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
"""Compilation of every kernel: cached on disk, free of the interpreter lock, no exception on division by zero.
No fastmath: the same seed must give the same draws whether the code was just compiled or cached."""

INNER = OPTIONS | {"no_cpython_wrapper": True}
"""Of kernels that only other kernels call: compiled sooner, without the way in from Python, which would crash."""


@njit(**OPTIONS)
def zero_sum(free: Array, out: Array) -> None:
    """Extend ``free`` (n - 1) to ``out`` (n), which sums to zero."""
    n = out.size
    total = 0.0
    for i in range(n - 1):
        total += free[i]
    shift = total / (sqrt(n) + n)
    for i in range(n - 1):
        out[i] = free[i] - shift
    out[n - 1] = -total / sqrt(n)


@njit(**OPTIONS)
def zero_sum_gradient(grad_out: Array, grad_free: Array) -> None:
    """Add to ``grad_free`` (n - 1) what the gradient with respect to the extended effects implies."""
    n = grad_out.size
    total = 0.0
    for i in range(n - 1):
        total += grad_out[i]
    shift = total / (sqrt(n) + n) + grad_out[n - 1] / sqrt(n)
    for i in range(n - 1):
        grad_free[i] += grad_out[i] - shift


@njit(**OPTIONS)
def zero_sum_both(free: Array, out: Array) -> None:
    """Extend ``free`` (n - 1, m - 1) to ``out`` (n, m), whose rows and columns all sum to zero."""
    n, m = out.shape
    half = np.empty((m, n))
    for i in range(m - 1):
        zero_sum(free[:, i], half[i])
    for i in range(n):
        zero_sum(half[: m - 1, i], out[i])


@njit(**OPTIONS)
def zero_sum_both_gradient(grad_out: Array, grad_free: Array) -> None:
    """Add to ``grad_free`` (n - 1, m - 1) what the gradient of the doubly extended effects implies."""
    n, m = grad_out.shape
    half = np.zeros((m - 1, n))
    for i in range(n):
        zero_sum_gradient(grad_out[i], half[:, i])
    for i in range(m - 1):
        zero_sum_gradient(half[i], grad_free[:, i])
