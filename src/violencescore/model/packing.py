"""All arrays of a kernel in two: to pass three arguments to compiled code takes a tenth of the time of forty."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from violencescore.model.types import Array, FactorArrays, GroupArrays, Index, PartArrays, SightArrays
from violencescore.model.zerosum import OPTIONS


def pack(arguments: tuple[Any, ...]) -> tuple[Index, Array]:
    """Lay the arguments of ``density`` after the vector end to end: whole numbers, and others.

    The whole numbers begin with where each array begins in its buffer, first of all arrays of whole numbers, then of
    the others; and where the last one ends.
    """
    offset, sizes, prior, beta, days, chance, centred, *tables = arguments
    ints = [offset, sizes, *(column for table in tables for column in table)]
    floats = [prior, beta.ravel(), days, np.array([chance]), centred]
    n_starts = len(ints) + 1 + len(floats) + 1
    starts = [
        n_starts + np.cumsum([0, *(len(column) for column in ints)]),
        np.cumsum([0, *(len(column) for column in floats)]),
    ]
    return np.concatenate([*starts, *ints]).astype(np.int64), np.concatenate(floats)


N_INTS = 2 + sum(len(table._fields) for table in (FactorArrays, PartArrays, SightArrays, GroupArrays))


@njit(**OPTIONS)
def unpack(ints: Index, floats: Array) -> Any:
    """Return the arguments of ``density`` after the vector, as views."""

    def whole(i: int) -> Index:
        return ints[ints[i] : ints[i + 1]]

    def real(i: int) -> Array:
        return floats[ints[N_INTS + 1 + i] : ints[N_INTS + 2 + i]]

    factors = FactorArrays(whole(2), whole(3), whole(4), whole(5), whole(6), whole(7))
    parts = PartArrays(whole(8), whole(9), whole(10), whole(11))
    sights = SightArrays(whole(12), whole(13), whole(14), whole(15), whole(16))
    groups = GroupArrays(
        whole(17), whole(18), whole(19), whole(20), whole(21), whole(22), whole(23), whole(24), whole(25), whole(26)
    )
    beta = real(1).reshape((-1, 2))
    return whole(0), whole(1), real(0), beta, real(2), real(3)[0], real(4), factors, parts, sights, groups
