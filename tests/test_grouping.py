"""Numbers of distinct rows, whatever the integers are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from violencescore.grouping import compress, first_rows, multiset_keys, number_rows, unique_rows

INT64 = st.sampled_from([-(2**63), -(2**62), -1, 0, 1, 2**31, 2**62, 2**63 - 1])
UINT64 = st.sampled_from([0, 1, 2**32, 2**63, 2**64 - 1])
ROWS = st.lists(st.tuples(INT64, UINT64, st.integers(-100, 100), INT64), max_size=12)


@given(ROWS)
def test_rows_are_numbered_in_order_of_appearance(rows: list[tuple[int, int, int, int]]) -> None:
    kinds = (np.int64, np.uint64, np.int8, np.int64)
    columns = [np.array([row[i] for row in rows], dtype=kind) for i, kind in enumerate(kinds)]
    seen: dict[tuple[int, ...], int] = {}
    expected = [seen.setdefault(row, len(seen)) for row in rows]
    assert number_rows(*columns).tolist() == expected
    assert first_rows(np.array(expected, dtype=np.int64)).tolist() == [expected.index(n) for n in range(len(seen))]


def test_one_huge_key_for_all_is_one_row() -> None:
    keys = np.full(3, 2**64 - 1, dtype=np.uint64)
    codes, _ = unique_rows(keys, np.array([1, 2, 1]))
    assert codes.tolist() == [0, 1, 0]


def test_codes_that_do_not_occur_are_skipped_and_the_order_stays() -> None:
    occurs, codes = compress(np.array([4, 1, 4, 2]), 6)
    assert occurs.tolist() == [False, True, True, False, True, False]
    assert codes.tolist() == [2, 0, 2, 1]


def test_a_multiset_counts_what_it_holds_twice() -> None:
    owner, item = np.array([0, 1, 1, 2, 2]), np.array([3, 3, 3, 3, 4])
    keys = multiset_keys(owner, item, 4)
    assert len(set(zip(*(key.tolist() for key in keys), strict=True))) == 4
