from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from violencescore.model.lanes import (
    LANES,
    add_narrowed,
    add_product,
    add_scaled,
    combine,
    divide_line,
    dot,
    multiply,
    multiply_line,
    multiply_where,
    wide,
    widen,
)
from violencescore.model.types import Array


@njit
def _use(table: Array, other: Array, i: int, j: int) -> tuple[float, Array, Array]:
    width = wide(table.shape[1])
    rows, others, row = widen(table), widen(other), np.zeros(width)
    add_product(row, 0, rows, i * width, others, j * width, width)
    total = dot(rows, i * width, row, 0, width)
    add_scaled(others, j * width, 3.0, rows, i * width, width)
    add_product(others, j * width, row, 0, rows, i * width, width)
    out = np.zeros(other.shape)
    add_narrowed(others, out)
    return total, row, out


@pytest.mark.parametrize("n", [1, 3, 4, 5, 8, 9, 17])
def test_rows_are_handled_whole_whatever_their_length_and_nothing_else_is(n: int) -> None:
    rng = np.random.default_rng(n)
    table, other = rng.normal(size=(3, n)), rng.normal(size=(2, n))
    total, row, out = _use(table, other, 2, 1)
    product = table[2] * other[1]
    assert len(row) % LANES == 0
    assert np.array_equal(row[:n], product)
    assert not row[n:].any()
    assert total == pytest.approx(table[2] @ product)
    assert np.array_equal(out[0], other[0])
    assert np.allclose(out[1], other[1] + 3.0 * table[2] + product * table[2], rtol=1e-12)


@njit
def _change(table: Array, change: int) -> Array:
    """Rows 0, 1 and 2 of a table are changed into its last by the function of that number."""
    width = wide(table.shape[1])
    rows, last = widen(table), (table.shape[0] - 1) * wide(table.shape[1])
    if change == 0:
        multiply(rows, last, rows, 0, rows, width, width)
    elif change == 1:
        multiply_where(rows, last, rows, 0, rows, width, rows, 2 * width, rows, width, width)
    elif change == 2:
        combine(rows, last, 0.5, rows, 0, -2.0, rows, width, width)
    elif change == 3:
        multiply_line(rows, last, 0.5, -2.0, rows, 0, width)
    else:
        divide_line(rows, last, rows, 0, 0.5, -2.0, rows, width, width)
    out = np.zeros(table.shape)
    add_narrowed(rows, out)
    return out


@pytest.mark.parametrize("n", [1, 3, 4, 5, 8, 9, 17])
@pytest.mark.parametrize("change", range(5))
def test_a_row_is_made_of_others(n: int, change: int) -> None:
    table = np.random.default_rng(n).normal(size=(4, n))
    x, y, z, last = table
    expected = (x * y, np.where(y > 0, x * y * z, 0.0), 0.5 * x - 2.0 * y, last * (0.5 - 2.0 * x), x / (0.5 - 2.0 * y))
    out = _change(table, change)
    assert np.array_equal(out[:3], table[:3])
    assert np.allclose(out[3], expected[change], rtol=1e-12)
