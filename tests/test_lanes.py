from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from violencescore.model.lanes import LANES, add_narrowed, add_product, add_scaled, dot, wide, widen
from violencescore.model.types import Array


@njit
def _use(table: Array, other: Array, i: int, j: int) -> tuple[float, Array, Array]:
    width = wide(table.shape[1])
    rows, others, row = widen(table), widen(other), np.zeros(width)
    add_product(row, 0, rows, i * width, others, j * width, width)
    total = dot(rows, i * width, row, width)
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
