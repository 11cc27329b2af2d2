"""Bytes of a file: what is strict CSV, and at which lines its records begin."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyarrow import parquet
from strategies import TABLES, write_assessment

from violencescore import formats
from violencescore.assessment import read_assessment
from violencescore.errors import InputError
from violencescore.formats import Text, read_csv, read_parquet, record_lines

PIECES = st.sampled_from(['"', '""', ",", "\n", "\r\n", "a", "é", " "])


def is_strict(text: str) -> bool:
    try:
        list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        return False
    return True


@given(st.lists(PIECES, max_size=14).map("".join), st.integers(1, 9))
@example('"a""b",c\n', 3)
@example('""a\n', 9)
@example('a,"b"c\n', 9)
@example('"a\n', 9)
def test_quotes_that_look_plain_are_strict_csv_in_blocks_of_any_size(text: str, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formats, "_BLOCK", block)
        if formats._has_plain_quotes(text.encode()):
            assert is_strict(text)


@given(st.lists(st.text(st.sampled_from('",\na é'), max_size=4), min_size=1, max_size=6))
def test_what_a_csv_writer_quotes_looks_plain(cells: list[str]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerow(cells)
    for mark in ("", "\ufeff"):
        assert formats._has_plain_quotes((mark + text.getvalue()).encode())


def test_only_a_file_whose_records_are_not_one_a_line_is_kept() -> None:
    kept = {
        "a,b\n1,2\n3,4\n": False, "a,b\r\n1,2\r\n3,4": False, '"a","b"\n"1","2"\n': False,
        "a,b\n\n1,2\n": True, 'a,b\n1,"2\n3"\n': True,
    }  # fmt: skip
    for text, is_kept in kept.items():
        found = read_csv("x.csv", text.encode())
        assert isinstance(found, Text)
        assert (found.content is not None) == is_kept, text


def test_records_begin_where_blank_lines_and_quoted_line_ends_leave_them() -> None:
    assert record_lines(b'a,b\r\n\r\n1,"2\r\n3"\r\n4,5\r\n\r\n6,7').tolist() == [3, 5, 7]


def test_a_quoted_file_names_the_line_of_a_fault(tmp_path: Path) -> None:
    reports = '"incident_id","source_id"\n"i1","paper"\n"i9","a ""wire"""\n'
    with pytest.raises(InputError) as caught:
        read_assessment(write_assessment(tmp_path, reports="\ufeff" + reports))
    [fault] = caught.value.faults
    assert (fault.row, fault.column, fault.value) == (3, "incident_id", "i9")


def test_words_that_only_other_tables_or_dropped_rows_hold_are_no_faults(tmp_path: Path) -> None:
    head = TABLES["reports"].splitlines()[0]
    with pytest.raises(InputError) as caught:
        read_assessment(write_assessment(tmp_path, reports=f"{TABLES['reports']}{head}\n  ,radio\n"))
    found = [(fault.row, fault.column, fault.rule.split(";")[0]) for fault in caught.value.faults]
    assert found == [
        (5, "incident_id", "the row repeats the header"),
        (6, "incident_id", "is empty"),
    ]


@pytest.mark.parametrize("as_dictionary", [False, True])
def test_parquet_that_calls_bytes_text_is_refused(as_dictionary: bool) -> None:
    offsets = pa.array([0, 2, 4], pa.int32()).buffers()[1]
    bad = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"ab\x80c")])
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1]), bad) if as_dictionary else bad
    stream = io.BytesIO()
    parquet.write_table(pa.table({"incident_id": column}), stream)
    found = read_parquet("reports.parquet", stream.getvalue())
    assert isinstance(found, list)
    assert "cannot be read as Parquet" in found[0].rule
