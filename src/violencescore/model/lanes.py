"""Rows of numbers, four at a time: what the loops over patterns and groups do with each.

A compiler takes several numbers at a time only where it may change the order of a sum, and sees that a row is long
enough; rows of actors are short. Here both are said outright: a row is as wide as the next multiple of `LANES`, filled
with zeros, and a sum is taken in `LANES` parts. Rows live end to end in one array and are named by where they begin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from violencescore.model.types import Array
from violencescore.model.zerosum import INNER

LANES = 4

_WHOLE, _SHORT = ir.IntType(64), ir.IntType(32)
_LANES = ir.VectorType(ir.DoubleType(), LANES)
_FUSED = ("contract",)
"""A product and the sum that it goes into may be rounded once."""


@njit(**INNER)
def wide(n: int) -> int:
    """Width of a row for ``n`` numbers."""
    return (n + LANES - 1) // LANES * LANES


@njit(**INNER)
def widen(table: Array) -> Array:
    """Return the rows of a table end to end, each filled up with zeros, and one more row of zeros."""
    width = wide(table.shape[1])
    rows = np.zeros((table.shape[0] + 1) * width)
    for i in range(table.shape[0]):
        for k in range(table.shape[1]):
            rows[i * width + k] = table[i, k]
    return rows


@njit(**INNER)
def add_narrowed(rows: Array, table: Array) -> None:
    """Add rows that lie end to end to those of a table."""
    width = wide(table.shape[1])
    for i in range(table.shape[0]):
        for k in range(table.shape[1]):
            table[i, k] += rows[i * width + k]


def _data(target: Any, builder: Any, kind: Any, array: Any) -> Any:
    return target.make_array(kind)(target, builder, array).data


def _at(builder: Any, data: Any, place: Any) -> Any:
    """Pointer to the lanes that begin at a place."""
    return builder.bitcast(builder.gep(data, [place]), _LANES.as_pointer())


def _read(builder: Any, data: Any, place: Any) -> Any:
    return builder.load(_at(builder, data, place), align=8)


def _write(builder: Any, value: Any, data: Any, place: Any) -> None:
    builder.store(value, _at(builder, data, place), align=8)


def _times_plus(builder: Any, a: Any, b: Any, c: Any) -> Any:
    return builder.fadd(builder.fmul(a, b, flags=_FUSED), c, flags=_FUSED)


def _select(builder: Any, lanes: Any, *which: int) -> Any:
    return builder.shuffle_vector(lanes, lanes, ir.Constant(ir.VectorType(_SHORT, len(which)), which))


def _same(builder: Any, number: Any) -> Any:
    """Lanes of the same number."""
    first = builder.insert_element(ir.Constant(_LANES, ir.Undefined), number, _SHORT(0))
    return _select(builder, first, *(0,) * LANES)


def _sum(builder: Any, lanes: Any) -> Any:
    pair = builder.fadd(_select(builder, lanes, 0, 1), _select(builder, lanes, 2, 3))
    return builder.fadd(builder.extract_element(pair, _SHORT(0)), builder.extract_element(pair, _SHORT(1)))


def _each(builder: Any, width: Any, act: Callable[[Any], None]) -> None:
    """Act on the place of each ``LANES`` numbers of a row: short rows without a loop, which would take as long."""
    act(_WHOLE(0))
    with builder.if_then(builder.icmp_signed(">", width, _WHOLE(LANES)), likely=True):
        act(_WHOLE(LANES))
        with cgutils.for_range_slice(builder, _WHOLE(2 * LANES), width, _WHOLE(LANES)) as (place, _):
            act(place)


@intrinsic
def dot(_context: Any, x: Any, i: Any, y: Any, j: Any, width: Any) -> Any:
    """Sum of the products of row ``i`` of ``x`` and row ``j`` of ``y``."""

    def generate(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds, (x, i, y, j, width) = signature.args, values
        left, right = _data(target, builder, kinds[0], x), _data(target, builder, kinds[2], y)
        total = cgutils.alloca_once_value(builder, ir.Constant(_LANES, [0.0] * LANES))

        def add(place: Any) -> None:
            own, other = _read(builder, left, builder.add(i, place)), _read(builder, right, builder.add(j, place))
            builder.store(_times_plus(builder, own, other, builder.load(total)), total)

        builder.store(ir.Constant(_LANES, [0.0] * LANES), total)
        _each(builder, width, add)
        return _sum(builder, builder.load(total))

    return types.float64(x, i, y, j, width), generate


@intrinsic
def add_scaled(_context: Any, out: Any, i: Any, scale: Any, x: Any, j: Any, width: Any) -> Any:
    """Add ``scale`` times row ``j`` of ``x`` to row ``i`` of ``out``."""

    def generate(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds, (out, i, scale, x, j, width) = signature.args, values
        to, of = _data(target, builder, kinds[0], out), _data(target, builder, kinds[3], x)
        scales = _same(builder, scale)

        def add(place: Any) -> None:
            own, at = _read(builder, of, builder.add(j, place)), builder.add(i, place)
            _write(builder, _times_plus(builder, scales, own, _read(builder, to, at)), to, at)

        _each(builder, width, add)
        return target.get_dummy_value()

    return types.void(out, i, scale, x, j, width), generate


@intrinsic
def add_product(_context: Any, out: Any, i: Any, x: Any, j: Any, y: Any, k: Any, width: Any) -> Any:
    """Add the products of row ``j`` of ``x`` and row ``k`` of ``y`` to row ``i`` of ``out``."""

    def generate(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds, (out, i, x, j, y, k, width) = signature.args, values
        to, left, right = (_data(target, builder, kinds[n], a) for n, a in ((0, out), (2, x), (4, y)))

        def add(place: Any) -> None:
            own, other = _read(builder, left, builder.add(j, place)), _read(builder, right, builder.add(k, place))
            at = builder.add(i, place)
            _write(builder, _times_plus(builder, own, other, _read(builder, to, at)), to, at)

        _each(builder, width, add)
        return target.get_dummy_value()

    return types.void(out, i, x, j, y, k, width), generate


@intrinsic
def multiply(_context: Any, out: Any, o: Any, x: Any, i: Any, y: Any, j: Any, width: Any) -> Any:
    """Set row ``o`` of ``out`` to the products of row ``i`` of ``x`` and row ``j`` of ``y``."""

    def generate(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds, (out, o, x, i, y, j, width) = signature.args, values
        to, left, right = (_data(target, builder, kinds[n], a) for n, a in ((0, out), (2, x), (4, y)))

        def act(place: Any) -> None:
            own, other = _read(builder, left, builder.add(i, place)), _read(builder, right, builder.add(j, place))
            _write(builder, builder.fmul(own, other), to, builder.add(o, place))

        _each(builder, width, act)
        return target.get_dummy_value()

    return types.void(out, o, x, i, y, j, width), generate


@intrinsic
def multiply_where(
    _context: Any, out: Any, o: Any, x: Any, i: Any, y: Any, j: Any, z: Any, k: Any, where: Any, w: Any, width: Any
) -> Any:
    """Set row ``o`` of ``out`` to the product of three others where row ``w`` of ``where`` is positive, else zero."""

    def generate(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds, (out, o, x, i, y, j, z, k, where, w, width) = signature.args, values
        to, *factors, positive = (
            _data(target, builder, kinds[n], a) for n, a in ((0, out), (2, x), (4, y), (6, z), (8, where))
        )
        zeros = ir.Constant(_LANES, [0.0] * LANES)

        def act(place: Any) -> None:
            rows = zip(factors, (i, j, k), strict=True)
            first, second, third = (_read(builder, row, builder.add(at, place)) for row, at in rows)
            product = builder.fmul(builder.fmul(first, second), third)
            counts = builder.fcmp_ordered(">", _read(builder, positive, builder.add(w, place)), zeros)
            _write(builder, builder.select(counts, product, zeros), to, builder.add(o, place))

        _each(builder, width, act)
        return target.get_dummy_value()

    return types.void(out, o, x, i, y, j, z, k, where, w, width), generate


@intrinsic
def combine(_context: Any, out: Any, o: Any, a: Any, x: Any, i: Any, b: Any, y: Any, j: Any, width: Any) -> Any:
    """Set row ``o`` of ``out`` to ``a x + b y``, with row ``i`` of ``x`` and row ``j`` of ``y``."""

    def generate(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds, (out, o, a, x, i, b, y, j, width) = signature.args, values
        to, left, right = (_data(target, builder, kinds[n], q) for n, q in ((0, out), (3, x), (6, y)))
        first, second = _same(builder, a), _same(builder, b)

        def act(place: Any) -> None:
            own, other = _read(builder, left, builder.add(i, place)), _read(builder, right, builder.add(j, place))
            _write(builder, _times_plus(builder, first, own, builder.fmul(second, other)), to, builder.add(o, place))

        _each(builder, width, act)
        return target.get_dummy_value()

    return types.void(out, o, a, x, i, b, y, j, width), generate


@intrinsic
def multiply_line(_context: Any, out: Any, o: Any, a: Any, b: Any, x: Any, i: Any, width: Any) -> Any:
    """Multiply row ``o`` of ``out`` by ``a + b x``, with row ``i`` of ``x``."""

    def generate(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds, (out, o, a, b, x, i, width) = signature.args, values
        to, of = _data(target, builder, kinds[0], out), _data(target, builder, kinds[4], x)
        start, slope = _same(builder, a), _same(builder, b)

        def act(place: Any) -> None:
            at = builder.add(o, place)
            line = _times_plus(builder, slope, _read(builder, of, builder.add(i, place)), start)
            _write(builder, builder.fmul(_read(builder, to, at), line), to, at)

        _each(builder, width, act)
        return target.get_dummy_value()

    return types.void(out, o, a, b, x, i, width), generate


@intrinsic
def divide_line(_context: Any, out: Any, o: Any, x: Any, i: Any, a: Any, b: Any, y: Any, j: Any, width: Any) -> Any:
    """Set row ``o`` of ``out`` to row ``i`` of ``x`` divided by ``a + b y``, with row ``j`` of ``y``."""

    def generate(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds, (out, o, x, i, a, b, y, j, width) = signature.args, values
        to, of, by = (_data(target, builder, kinds[n], q) for n, q in ((0, out), (2, x), (6, y)))
        start, slope = _same(builder, a), _same(builder, b)

        def act(place: Any) -> None:
            line = _times_plus(builder, slope, _read(builder, by, builder.add(j, place)), start)
            value = builder.fdiv(_read(builder, of, builder.add(i, place)), line)
            _write(builder, value, to, builder.add(o, place))

        _each(builder, width, act)
        return target.get_dummy_value()

    return types.void(out, o, x, i, a, b, y, j, width), generate


@intrinsic(prefer_literal=True)
def mix_rows(_context: Any, n: Any, q: Any, e: Any, v: Any, tables: Any, width: Any, chunks: Any) -> Any:
    """Return the sum of ``w p s``, and add ``n`` times the gradients of its logarithm.

    Row ``q`` of the first table is ``w``, row ``e`` of the second ``p``, row ``v`` of the third ``s``; the other three
    have the gradients, that by ``p`` as one by its logarithm. ``chunks`` is a literal, how often ``LANES`` go into the
    width; with 0 that is found out as it runs, which takes longer.
    """
    count = chunks.literal_value

    def generate(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        n, *rows, tables, width, _ = values
        kinds = signature.args[4]
        cells, part, sight, of_cell, of_part, of_sight = (
            _data(target, builder, kinds[i], builder.extract_value(tables, i)) for i in range(len(kinds))
        )

        def each(act: Callable[[Any], None]) -> None:
            if count == 0:
                _each(builder, width, act)
            for c in range(count):
                act(_WHOLE(LANES * c))

        def read(place: Any) -> tuple[Any, Any, Any, list[Any]]:
            at = [builder.add(row, place) for row in rows]
            w, p, s = (_read(builder, table, a) for table, a in zip((cells, part, sight), at, strict=True))
            return w, p, builder.fmul(p, s), at

        total = cgutils.alloca_once(builder, _LANES)
        builder.store(ir.Constant(_LANES, [0.0] * LANES), total)

        def sum_up(place: Any) -> None:
            w, _, either, _ = read(place)
            builder.store(_times_plus(builder, w, either, builder.load(total)), total)

        each(sum_up)
        value = _sum(builder, builder.load(total))
        per = _same(builder, builder.fdiv(builder.sitofp(n, ir.DoubleType()), value))

        def add(place: Any) -> None:
            w, p, either, at = read(place)
            own = builder.fmul(per, w)
            for table, a, x, y in zip(
                (of_cell, of_part, of_sight), at, (per, own, own), (either, either, p), strict=True
            ):
                _write(builder, _times_plus(builder, x, y, _read(builder, table, a)), table, a)

        each(add)
        return value

    return types.float64(n, q, e, v, tables, width, chunks), generate
