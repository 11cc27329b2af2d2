"""All arrays of a kernel in one: what a C function can be given, and quick to pass to compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import carray, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from violencescore.model.types import (
    CoordinateArrays,
    FactorArrays,
    GivenArrays,
    GroupArrays,
    Index,
    NodeArrays,
    PartArrays,
    SightArrays,
)
from violencescore.model.zerosum import OPTIONS


def pack(arguments: tuple[Any, ...]) -> npt.NDArray[np.int64]:
    """Lay the arguments of ``density`` after the vector end to end, in words of 64 bits.

    First comes how many words there are, then where each array begins, of whole numbers first; and where the last one
    ends. Other numbers keep their bits.
    """
    offset, sizes, prior, beta, given, chance, coordinates, *tables = arguments
    whole = [offset, sizes, *(column for table in tables for column in table), *coordinates[:3]]
    real = [prior, beta.ravel(), *given, np.array([chance]), *coordinates[3:]]
    return lay_out(whole, real)


def lay_out(whole: list[Any], real: list[Any]) -> npt.NDArray[np.int64]:
    """Lay arrays end to end, as ``pack`` says."""
    arrays = [np.asarray(a, dtype=np.int64) for a in whole]
    arrays += [np.asarray(a, dtype=np.float64).view(np.int64) for a in real]
    starts = 2 + len(arrays) + np.cumsum([0, *(len(a) for a in arrays)])
    return np.concatenate([starts[-1:], starts, *arrays])


N_WHOLE = 5 + sum(len(table._fields) for table in (FactorArrays, PartArrays, SightArrays, GroupArrays, NodeArrays))


@intrinsic
def pointer(_context: Any, address: Any) -> Any:
    """Return the address as a pointer."""

    def generate(_target: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.inttoptr(values[0], cgutils.voidptr_t)

    return types.voidptr(address), generate


@njit(**OPTIONS)
def unpack(words: Index) -> Any:
    """Return the arguments of ``density`` after the vector, as views."""
    start = words.ctypes.data

    def whole(i: int) -> Any:
        return carray(pointer(start + 8 * words[i + 1]), (words[i + 2] - words[i + 1],), np.int64)

    def real(i: int) -> Any:
        j = N_WHOLE + i
        return carray(pointer(start + 8 * words[j + 1]), (words[j + 2] - words[j + 1],), np.float64)

    factors = FactorArrays(whole(2), whole(3), whole(4), whole(5), whole(6), whole(7), whole(8), whole(9), whole(10))
    parts = PartArrays(whole(11), whole(12), whole(13), whole(14), whole(15), whole(16))
    sights = SightArrays(whole(17), whole(18), whole(19), whole(20), whole(21))
    groups = GroupArrays(
        whole(22), whole(23), whole(24), whole(25), whole(26), whole(27), whole(28), whole(29), whole(30)
    )
    nodes = NodeArrays(whole(31), whole(32), whole(33), whole(34), whole(35), whole(36), whole(37))
    beta = carray(
        pointer(start + 8 * words[N_WHOLE + 2]), ((words[N_WHOLE + 3] - words[N_WHOLE + 2]) // 2, 2), np.float64
    )
    given = GivenArrays(real(2), real(3), real(4), real(5), real(6), real(7), real(8))
    coordinates = CoordinateArrays(whole(38), whole(39), whole(40), real(10), real(11), real(12), real(13))
    return whole(0), whole(1), real(0), beta, given, real(9)[0], coordinates, factors, parts, sights, groups, nodes
