"""All arrays of a kernel in one: what a C function can be given, and quick to pass to compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from violencescore.model.types import (
    Array,
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
    whole = [offset, sizes, *(column for table in tables for column in table), coordinates.start, coordinates.column]
    real = [prior, beta.ravel(), *given, np.array([chance]), coordinates.value, coordinates.centred]
    return lay_out(whole, real)


def lay_out(whole: list[Any], real: list[Any]) -> npt.NDArray[np.int64]:
    """Lay arrays end to end, as ``pack`` says."""
    arrays = [np.asarray(a, dtype=np.int64) for a in whole]
    arrays += [np.asarray(a, dtype=np.float64).view(np.int64) for a in real]
    starts = 2 + len(arrays) + np.cumsum([0, *(len(a) for a in arrays)])
    return np.concatenate([starts[-1:], starts, *arrays])


N_WHOLE = 4 + sum(len(table._fields) for table in (FactorArrays, PartArrays, SightArrays, GroupArrays, NodeArrays))


@njit(**OPTIONS)
def unpack(words: Index) -> Any:
    """Return the arguments of ``density`` after the vector, as views."""

    def whole(i: int) -> Index:
        return words[words[i + 1] : words[i + 2]]

    def real(i: int) -> Array:
        return whole(N_WHOLE + i).view(np.float64)

    factors = FactorArrays(whole(2), whole(3), whole(4), whole(5), whole(6), whole(7), whole(8), whole(9), whole(10))
    parts = PartArrays(whole(11), whole(12), whole(13), whole(14), whole(15), whole(16))
    sights = SightArrays(whole(17), whole(18), whole(19), whole(20), whole(21))
    groups = GroupArrays(
        whole(22), whole(23), whole(24), whole(25), whole(26), whole(27), whole(28), whole(29), whole(30), whole(31)
    )
    nodes = NodeArrays(whole(32), whole(33), whole(34), whole(35), whole(36), whole(37), whole(38))
    beta = real(1).reshape((-1, 2))
    given = GivenArrays(real(2), real(3), real(4), real(5), real(6), real(7), real(8))
    coordinates = CoordinateArrays(whole(39), whole(40), real(10), real(11))
    return whole(0), whole(1), real(0), beta, given, real(9)[0], coordinates, factors, parts, sights, groups, nodes
