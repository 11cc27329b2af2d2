"""Types of the kernels: arrays, and the parts of a design as named tuples, which numba compiles."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
Index = npt.NDArray[np.integer[Any]]


class FactorArrays(NamedTuple):
    """The factors of ``design.Factors``, and the organizations that may be called by the name of another.

    ``echo`` is the number of the channel's share of echoes, ``UNKNOWN`` where nothing came before to be repeated;
    ``heir`` and ``elder`` are the pairs of ``design.Design.kin``.
    """

    kind: Index
    channel: Index
    argument: Index
    echo: Index
    set_channel: Index
    set_start: Index
    set_member: Index
    heir: Index
    elder: Index


class PartArrays(NamedTuple):
    """The distinct bodies of evidence that cannot be forged, then those that can: products that share their beginnings.

    Step ``i`` is the product of step ``parent[i]`` (less than ``i``; ``UNKNOWN``: of nothing) and factor ``factor[i]``
    (``UNKNOWN``: of none). ``settled`` is the only actor that counts there, ``UNKNOWN`` if all do; ``rescaled`` says
    where the product is brought back to about one. Part ``e`` is step ``last[e]``, and that of ``n`` incidents.
    """

    parent: Index
    factor: Index
    settled: Index
    rescaled: Index
    last: Index
    n: Index


class SightArrays(NamedTuple):
    """The distinct ways in which a forgeable part can have come about: its stratum of staging, and what was settled."""

    part: Index
    stratum: Index
    perpetrator: Index
    staged: Index
    framed: Index


class GroupArrays(NamedTuple):
    """Incidents with the same cell and evidence.

    Cell ``q`` has a ``kind``, ``region``, ``period`` and ``contest``; group ``g`` a ``firm`` part, a ``sight`` and a
    ``cell``, its number ``n`` of incidents and its ``place`` among those of the design.
    """

    kind: Index
    region: Index
    period: Index
    contest: Index
    firm: Index
    sight: Index
    cell: Index
    n: Index
    place: Index


class NodeArrays(NamedTuple):
    """Incidents that may share their perpetrator with an earlier one, or a later one with them (see ``episodes``).

    Node ``i`` is an incident of group ``place[i]`` with its ``cell``, ``firm`` part and ``sight``; what its date says
    (see ``activity``) is no part of the former but part ``date``, ``UNKNOWN`` if that is nothing. It repeats the
    perpetrator of node ``parent[i]`` (less than ``i``; ``UNKNOWN`` for none) with the probability of its ``bond`` times
    its own ``decay`` (see ``GivenArrays``).
    """

    cell: Index
    firm: Index
    date: Index
    sight: Index
    parent: Index
    bond: Index
    place: Index


class GivenArrays(NamedTuple):
    """Numbers that are given and not learned.

    ``exposure`` (period, actor) are days on which the actor could act; ``repeated`` (factor) is the share of the pieces
    before a piece that name the same one; ``dated`` (era, actor) the density of a date, given who did it, beside an
    even one; ``side`` (era, heir) and ``cut`` (heir, 2) see ``activity.Activity``; ``rivalry`` (actor, framed) what is
    added to the log odds of targets; ``decay`` (node) see ``NodeArrays``. All are flat.
    """

    exposure: Array
    repeated: Array
    dated: Array
    side: Array
    cut: Array
    rivalry: Array
    decay: Array


class CoordinateArrays(NamedTuple):
    """How sampled points lie in the vector (see ``coordinates``); all empty where they are the same.

    Entry ``i`` is the sum of ``value[e]`` times coordinate ``column[e]`` over ``e`` in ``start[i]:start[i + 1]``. To it
    comes, for each share ``b``, whose logit is entry ``share[b]``, what that exceeds ``middle[b]`` by, times
    ``pull[b * size + i]``. Then it is divided by its learned scale to the power ``centred[i]``.
    """

    start: Index
    column: Index
    share: Index
    value: Array
    centred: Array
    middle: Array
    pull: Array
