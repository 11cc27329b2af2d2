"""Text as numbers and back."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from violencescore.coding import EMPTY, Coded, are_among, decode, encode, places

CELLS = st.lists(st.text(max_size=3), max_size=8)


@given(CELLS, CELLS)
def test_what_is_coded_reads_the_same(one: list[str], two: list[str]) -> None:
    columns = [pd.Series(cells, dtype="str") for cells in (one, two)]
    codes, words = encode(*columns)
    assert [decode(c, words).tolist() for c in codes] == [one, two]
    assert words.is_unique
    assert words[EMPTY] == ""


def test_known_words_keep_their_codes() -> None:
    _, known = encode(pd.Series(["b", "a"]))
    [codes], words = encode(pd.Series(["c", "a"]), known=known)
    assert words.tolist() == ["", "b", "a", "c"]
    assert codes.tolist() == [3, 2]


def test_text_of_any_dtype_and_missing_cells_can_be_coded() -> None:
    for dtype in ("str", object, "string[python]", "category"):
        [codes], words = encode(pd.Series(["x", None, "x"], dtype=dtype))
        assert decode(codes, words).tolist() == ["x", "", "x"]


def test_places_among_no_labels_are_none() -> None:
    assert places(pd.Series(["a", ""]), []).tolist() == [-1, -1]
    assert places(pd.Series([], dtype="str"), ["a"]).tolist() == []


def test_codes_are_among_those_that_occur() -> None:
    assert are_among(np.array([0, 5, 2]), np.array([2, 3])).tolist() == [False, False, True]
    assert are_among(np.array([1]), np.array([], dtype=np.int32)).tolist() == [False]


def test_rows_of_a_coded_frame_are_numbered_anew() -> None:
    [codes], words = encode(pd.Series(["a", "b", "a"]))
    coded = Coded(pd.DataFrame({"x": codes, "n": [1, 2, 3]}, index=[4, 5, 7]), {"x": words})
    kept = coded.rows(coded.frame["n"] > 1).decoded()
    assert kept.index.tolist() == [0, 1]
    assert kept["x"].tolist() == ["b", "a"]
