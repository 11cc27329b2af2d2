"""Types of the kernels: arrays, and the parts of a design as named tuples, which numba compiles."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
Index = npt.NDArray[np.integer[Any]]


class FactorArrays(NamedTuple):
    """The factors of ``design.Factors``."""

    kind: Index
    channel: Index
    argument: Index
    set_channel: Index
    set_start: Index
    set_member: Index


class PartArrays(NamedTuple):
    """The distinct bodies of evidence that cannot be forged, then those that can.

    The factors of part ``e`` are ``member[start[e]:start[e + 1]]``. ``settled`` is the only actor that counts,
    ``UNKNOWN`` if all do; ``n`` is how many incidents have the part.
    """

    start: Index
    member: Index
    settled: Index
    n: Index


class SightArrays(NamedTuple):
    """The distinct ways in which a forgeable part can have come about: in which period, and what was settled of it."""

    part: Index
    period: Index
    perpetrator: Index
    staged: Index
    framed: Index


class GroupArrays(NamedTuple):
    """Incidents with the same cell and evidence.

    Cell ``q`` has a ``kind``, ``region``, ``period`` and ``contest``; pattern ``p`` a ``firm`` part, a ``sight`` and
    the groups ``start[p]:start[p + 1]``; group ``g`` a ``cell``, its number ``n`` of incidents and its ``place`` among
    those of the design.
    """

    kind: Index
    region: Index
    period: Index
    contest: Index
    firm: Index
    sight: Index
    start: Index
    cell: Index
    n: Index
    place: Index


class CoordinateArrays(NamedTuple):
    """How sampled points lie in the vector (see ``coordinates``); all empty where they are the same.

    Entry ``i`` is the sum of ``value[e]`` times coordinate ``column[e]`` over ``e`` in ``start[i]:start[i + 1]``, then
    divided by its learned scale to the power ``centred[i]``.
    """

    start: Index
    column: Index
    value: Array
    centred: Array
