"""Distinct rows and multisets of integers, whatever their order: what many incidents have in common."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

IntArray = npt.NDArray[np.int64]
KeyArray = npt.NDArray[np.uint64]
AnyInts = npt.NDArray[np.integer]


def multiset_keys(owner: AnyInts, item: AnyInts, n_owners: int) -> tuple[KeyArray, ...]:
    """Return two 64-bit keys for the multiset of items of each owner, whatever their order.

    Parameters
    ----------
    owner, item
        One entry for each item held: who holds it, from 0 to ``n_owners - 1``, and which it is, from 0.

    Examples
    --------
    >>> a, _ = multiset_keys(np.array([0, 0, 1, 1, 2]), np.array([7, 3, 3, 7, 3]), 3)
    >>> bool(a[0] == a[1]), bool(a[0] == a[2])
    (True, False)
    """
    keys = []
    for salt in (1, 2):
        key = np.zeros(n_owners, dtype=np.uint64)
        np.add.at(key, owner, _mix(np.arange(item.max(initial=-1) + 1), salt)[item])
        keys.append(key)
    return tuple(keys)


def _mix(values: npt.ArrayLike, salt: int) -> KeyArray:
    """Scatter integers over 64 bits (SplitMix64), so that sums of them identify multisets."""
    x = np.asarray(values).astype(np.uint64) + np.uint64(salt * 0x9E3779B97F4A7C15 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(x ^ (x >> np.uint64(31)), dtype=np.uint64)


def number_rows(*columns: npt.ArrayLike) -> IntArray:
    """Return numbers of the distinct rows over several columns of integers, in order of appearance.

    Examples
    --------
    >>> number_rows(np.array([5, 5, 2, 5]), np.array([1, 1, 1, 2])).tolist()
    [0, 0, 1, 2]
    """
    rows = np.zeros(len(np.asarray(columns[0])), dtype=np.int64)
    span = 1
    for column in columns:
        digits, n = _digits(np.asarray(column))
        if span * n >= _MAX_SPAN:
            rows = pd.factorize(rows)[0]
            span = int(rows.max(initial=-1)) + 1
        rows, span = rows * n + digits, span * n
    return ints(pd.factorize(rows)[0])


_MAX_SPAN = 2**63


def _digits(column: AnyInts) -> tuple[IntArray, int]:
    """Return the column as integers from 0 to n - 1, and n: as it is, but for its least, unless n would be huge."""
    low, high = (int(column.min()), int(column.max())) if len(column) else (0, 0)
    if high - low < 2**31:
        return ints(column - column.dtype.type(low)), high - low + 1
    codes = ints(pd.factorize(column)[0])
    return codes, int(codes.max()) + 1


def first_rows(numbers: IntArray) -> npt.NDArray[np.intp]:
    """Return where each number first stands, given that they count up from 0 in order of appearance.

    Examples
    --------
    >>> first_rows(np.array([0, 0, 1, 0, 2])).tolist()
    [0, 2, 4]
    """
    return np.flatnonzero(np.diff(np.maximum.accumulate(numbers), prepend=-1))


def compress(codes: AnyInts, n: int) -> tuple[npt.NDArray[np.bool_], IntArray]:
    """Return which of ``n`` codes occur, and the codes counted among those, in their order.

    Examples
    --------
    >>> occurs, codes = compress(np.array([3, 1, 3]), 5)
    >>> occurs.tolist(), codes.tolist()
    ([False, True, False, True, False], [1, 0, 1])
    """
    occurs = np.bincount(codes, minlength=n) > 0
    return occurs, (np.cumsum(occurs) - 1)[codes]


def unique_rows(*columns: AnyInts) -> tuple[IntArray, IntArray]:
    """Return codes of the distinct rows over several columns, in order of appearance, and those rows.

    Examples
    --------
    >>> codes, rows = unique_rows(np.array([5, 5, 2]), np.array([1, 1, 1]))
    >>> codes.tolist(), rows.tolist()
    ([0, 0, 1], [[5, 1], [2, 1]])
    """
    codes = number_rows(*columns)
    first = first_rows(codes)
    return codes, ints(np.column_stack([np.asarray(column)[first].astype(np.int64) for column in columns]))


def ints(values: npt.ArrayLike) -> IntArray:
    """Return the values as one contiguous array of 64-bit integers."""
    return np.ascontiguousarray(values, dtype=np.int64)


def starts(codes: AnyInts, n: int) -> IntArray:
    """Return where the entries of each of ``n`` owners begin, once sorted; and where the last one's end."""
    return np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=n))]).astype(np.int64)
