"""Types with which the density calls its larger functions: what another process needs to compile them beforehand.

Numba keeps what it compiles on disk, function by function. Where several cores are there, one process compiles the
first half while another compiles the second (see ``beside``), and the density finds both. A signature that is wrong, or
missing, costs time and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from numba import config, types

from violencescore.model.cells import contest_gradient
from violencescore.model.coordinates import to_vector, to_vector_gradient
from violencescore.model.effects import log_prior, natural, natural_gradient
from violencescore.model.episodes import bond_gradient, bond_share, climb, climb_gradient, repeat_probability
from violencescore.model.evidence import engagement_gradient, evidence_gradient
from violencescore.model.kernel import cell_weights, forward, mix
from violencescore.model.logarithm import sum_log, weighted_log
from violencescore.model.packing import unpack
from violencescore.model.patterns import products_gradient, sight_gradient
from violencescore.model.staging import staging_gradient
from violencescore.model.types import (
    CoordinateArrays,
    FactorArrays,
    GivenArrays,
    GroupArrays,
    NodeArrays,
    PartArrays,
    SightArrays,
)
from violencescore.model.violence import violence_gradient

_NUMBER = types.float64
_VECTOR, _MATRIX, _CUBE = (types.Array(_NUMBER, n, "C") for n in (1, 2, 3))
_WHOLE = types.Array(types.int64, 1, "C")


def _table(columns: type[NamedTuple], *kinds: Any) -> Any:
    return types.BaseTuple.from_types(kinds or (_WHOLE,) * len(columns._fields), columns)


_FACTORS, _PARTS, _SIGHTS, _GROUPS = map(_table, (FactorArrays, PartArrays, SightArrays, GroupArrays))
_NODES, _GIVEN = _table(NodeArrays), _table(GivenArrays, *(_VECTOR,) * len(GivenArrays._fields))
_COORDINATES = _table(CoordinateArrays, _WHOLE, _WHOLE, _WHOLE, _VECTOR, _VECTOR, _VECTOR, _VECTOR)
_RATES = types.Tuple((_CUBE, _MATRIX))
_SAID = types.Tuple((_MATRIX, _VECTOR, _MATRIX, _CUBE))
_LAID_OUT = (_WHOLE, _WHOLE, _VECTOR)
"""Offset, sizes and prior constants."""

FORWARD: Mapping[Any, tuple[Any, ...]] = {
    natural: (_VECTOR, _WHOLE, _VECTOR),
    forward: (_VECTOR, *_LAID_OUT, _GIVEN, _NUMBER, _FACTORS, _PARTS, _SIGHTS),
    weighted_log: (_WHOLE, _VECTOR),
    sum_log: (_VECTOR,),
    violence_gradient: (*_LAID_OUT, _MATRIX, _WHOLE, _WHOLE, _CUBE, _MATRIX, _VECTOR),
}
"""From the vector to the probability of the evidence, and as much of the way back as takes no longer in all."""

BACKWARD: Mapping[Any, tuple[Any, ...]] = {
    unpack: (_WHOLE,),
    to_vector: (_VECTOR, _WHOLE, _VECTOR, _COORDINATES),
    to_vector_gradient: (_VECTOR, _WHOLE, _VECTOR, _COORDINATES, _VECTOR),
    cell_weights: (_RATES, _VECTOR, _VECTOR, _FACTORS, _GROUPS),
    mix: (_GROUPS, *(_VECTOR,) * 3, types.int64, *(_VECTOR,) * 4),
    contest_gradient: (_NUMBER, _WHOLE, _VECTOR, _VECTOR, _VECTOR),
    sight_gradient: (*(_MATRIX,) * 3, _SIGHTS, *(_MATRIX,) * 2, *(_VECTOR,) * 2, *(_MATRIX,) * 2),
    products_gradient: (_PARTS, _VECTOR, _MATRIX),
    bond_share: (_VECTOR, _WHOLE),
    repeat_probability: (_VECTOR, _WHOLE, _NODES, _VECTOR),
    climb: (_NODES, *(_VECTOR,) * 7, types.int64),
    climb_gradient: (_NODES, *(_VECTOR,) * 7, types.int64, *(_VECTOR,) * 4),
    bond_gradient: (_VECTOR, _WHOLE, _VECTOR, _VECTOR),
    evidence_gradient: (
        *(_VECTOR, _WHOLE, _VECTOR, _NUMBER, _FACTORS, _GIVEN, _SAID),
        *(_MATRIX, _VECTOR, _VECTOR),
    ),
    engagement_gradient: (*_LAID_OUT, _WHOLE, _VECTOR, _VECTOR),
    staging_gradient: (*_LAID_OUT, *(_MATRIX,) * 4, _VECTOR),
    natural_gradient: (_VECTOR, _VECTOR, _WHOLE, _VECTOR, _VECTOR),
    log_prior: (_VECTOR, _WHOLE, _MATRIX, _NUMBER, _VECTOR),
}
"""The rest of the way to the gradient."""


def compile_each(signatures: Mapping[Any, tuple[Any, ...]]) -> None:
    """Compile functions for their types, or load them from the disk cache.

    With fewer optimizations, which take a seventh of the time of a first run: what calls them is optimized in full,
    together with all of them.
    """
    level = config.OPT
    config.OPT = type(level)(min(level, 2))
    try:
        for function, signature in signatures.items():
            function.compile(signature)
    finally:
        config.OPT = level
