"""Sums of many logarithms, several at a time: half of the density's time would go into the C library's otherwise."""

from __future__ import annotations

from math import inf, log, sqrt

import numpy as np
from numba import njit

from violencescore.model.types import Array, Index
from violencescore.model.zerosum import INNER, OPTIONS

MANTISSA, ONE = 0x000FFFFFFFFFFFFF, 0x3FF0000000000000
SMALLEST = 2.2250738585072014e-308
"""The smallest normal number: what is smaller counts as zero."""
TOGETHER = 8
"""Numbers whose product is taken before its logarithm."""
LOG_TWO, ROOT_TWO = log(2.0), sqrt(2.0)


@njit(**INNER)
def are_normal(x: Array) -> bool:
    """Whether all numbers are positive and normal; without a branch, so that several are looked at at a time."""
    n_normal = 0
    for i in range(x.size):
        n_normal += x[i] >= SMALLEST
    return n_normal == x.size


@njit(**OPTIONS)
def weighted_log(n: Index, x: Array) -> float:
    """Return the sum of ``n log(x)`` for positive ``x``, minus infinity where one is zero.

    With ``x = 2^e m``, m in [sqrt(1/2), sqrt(2)), and ``s = (m - 1) / (m + 1)``, the logarithm is ``e log 2`` and twice
    the series of the inverse hyperbolic tangent, ``s + s^3 / 3 + s^5 / 5 + ...``; eleven terms are exact to rounding.
    The loops have no branch and no call, so that the compiler takes several numbers at a time.
    """
    mantissa = np.empty(x.size)
    exponent = np.empty(x.size)
    bits, kept = x.view(np.int64), mantissa.view(np.int64)
    if not are_normal(x):
        return -inf
    for i in range(x.size):
        kept[i] = (bits[i] & MANTISSA) | ONE
        exponent[i] = (bits[i] >> 52) - 1023
    for i in range(x.size):
        high = 1.0 if mantissa[i] > ROOT_TWO else 0.0
        m = mantissa[i] * (1.0 - 0.5 * high)
        s = (m - 1.0) / (m + 1.0)
        q = s * s
        series = 1.0 / 21.0
        series = 1.0 / 19.0 + q * series
        series = 1.0 / 17.0 + q * series
        series = 1.0 / 15.0 + q * series
        series = 1.0 / 13.0 + q * series
        series = 1.0 / 11.0 + q * series
        series = 1.0 / 9.0 + q * series
        series = 1.0 / 7.0 + q * series
        series = 1.0 / 5.0 + q * series
        series = 1.0 / 3.0 + q * series
        series = 1.0 + q * series
        mantissa[i] = n[i] * ((exponent[i] + high) * LOG_TWO + 2.0 * s * series)
    total: float = mantissa.sum()
    return total


@njit(**OPTIONS)
def sum_log(x: Array) -> float:
    """Return the sum of ``log(x)`` for positive ``x``, minus infinity where one is zero.

    Logarithms of products of `TOGETHER` mantissas, which lie between 1 and 2, and of the powers of two beside them.
    """
    n_products = (x.size + TOGETHER - 1) // TOGETHER
    product, mantissa = np.ones(n_products), np.empty(n_products)
    bits, kept = x.view(np.int64), mantissa.view(np.int64)
    exponent = 0
    if not are_normal(x):
        return -inf
    for first in range(0, x.size, max(n_products, 1)):
        n = min(n_products, x.size - first)
        for i in range(n):
            kept[i] = (bits[first + i] & MANTISSA) | ONE
            exponent += (bits[first + i] >> 52) - 1023
        for i in range(n):
            product[i] *= mantissa[i]
    total: float = weighted_log(np.ones(n_products, dtype=np.int64), product) + exponent * LOG_TWO
    return total
