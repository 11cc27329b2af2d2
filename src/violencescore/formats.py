"""Formats of tables: the bytes of a CSV or Parquet file -> columns of text, or the faults of the file.

Everything is untrusted. Cells stay the text they are (``007``, ``NA``). Files are parsed by Arrow, and a second time by
the standard library's strict CSV reader where quotes or faults ask for it: Arrow takes an unclosed quote in its stride,
and names no lines.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
from pyarrow import parquet

from violencescore.errors import Fault

MAX_FIELD = 100_000
"""Characters that one cell may hold."""

MAX_FAULTS = 1_000
"""Rows that are listed for one broken rule; the last one says how many more there are."""

MAX_BYTES = 4_000_000_000
"""Bytes that one file may hold."""

MAX_VALUE = 200
"""Characters of a cell that a fault quotes."""

_MAX_COLUMNS = 10_000
_BLOCK = 1 << 24  # bytes; no row may be longer, and MAX_FIELD keeps honest rows far below
_HEADER = 1 << 20  # bytes within which the header must end
_QUOTE = ord('"')


@dataclass(frozen=True, eq=False)
class Text:
    """The cells of a file, column by column; and its bytes, where its lines must be found in them."""

    columns: tuple[str, ...]
    cells: list[pa.ChunkedArray]
    content: bytes | None = None


def read_csv(file: str, content: bytes) -> Text | list[Fault]:
    """Return the text of a CSV file (UTF-8, RFC 4180), or its faults."""
    if (fault := _encoding_fault(file, content)) is not None:
        return [fault]
    columns, faults = _read_header(file, content)
    if faults:
        return faults
    cells = _parse_csv(content, len(columns))
    if cells is None or not _is_strict(content, cells):
        rule = "cannot be read as CSV (RFC 4180); write it anew as UTF-8 with commas and double quotes"
        return _syntax_faults(file, _decoded(content), len(columns)) or [Fault(file, rule)]
    one_a_line = _count_lines(content) == cells.num_rows
    return Text(tuple(columns), cells.slice(1).columns, None if one_a_line else content)


def record_lines(content: bytes) -> npt.NDArray[np.int64]:
    """Return the line at which each record of a CSV file begins, from the first below the header on."""
    records = islice(_records(_decoded(content)), 1, None)
    return np.fromiter((line for line, record in records if isinstance(record, list)), dtype=np.int64)


def _encoding_fault(file: str, content: bytes) -> Fault | None:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Fault(file, "is UTF-16; save the file as UTF-8", row=1, value=repr(content[:2]))
    if (at := content.find(b"\0")) >= 0:
        line = content.count(b"\n", 0, at) + 1
        rule = f"byte {at} of the file is NUL, which no text holds; save it as UTF-8"
        return Fault(file, rule, row=line, value="\\x00")
    try:
        _require_utf8(content)
        is_blank = not _head(content).strip() and not _decoded(content).strip()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        rule = f"byte {error.start} of the file is not UTF-8; save the file as UTF-8"
        return Fault(file, rule, row=line, value=repr(content[error.start : error.start + 1]))
    return Fault(file, "is empty; it needs a header and rows") if is_blank else None


def _require_utf8(content: bytes) -> None:
    """Raise a UnicodeDecodeError where the bytes are not UTF-8, without a copy of them where they are."""
    ends = pa.py_buffer(np.array([0, len(content)], dtype=np.int64))
    whole = pa.Array.from_buffers(pa.large_binary(), 1, [None, ends, pa.py_buffer(content)])
    try:
        whole.cast(pa.large_string())
    except pa.ArrowInvalid:
        content.decode("utf-8-sig")


def _decoded(content: bytes) -> str:
    return content.decode("utf-8-sig")


def _head(content: bytes) -> str:
    return content[:_HEADER].decode("utf-8-sig", errors="ignore")


def _read_header(file: str, content: bytes) -> tuple[list[str], list[Fault]]:
    line, first = next(_records(_head(content)))
    if isinstance(first, csv.Error):
        rule = f"the header cannot be read ({first}); the first line must hold column names"
        return [], [Fault(file, rule, row=line)]
    return first, _header_faults(file, first, line)


def _header_faults(file: str, columns: list[str], line: int | None) -> list[Fault]:
    if len(columns) > _MAX_COLUMNS:
        return [Fault(file, f"has more than {_MAX_COLUMNS:,} columns; check the separators", row=line)]
    faults = [
        Fault(file, "two columns have this name; rename or remove one", row=line, column=column, value=column)
        for column in sorted({c for c in columns if columns.count(c) > 1})
    ]
    if len(columns) == 1 and any(mark in columns[0] for mark in ";\t|"):
        rule = "the columns are not separated by commas; save the file as comma-separated CSV (RFC 4180)"
        faults.append(Fault(file, rule, row=line, value=columns[0][:MAX_VALUE]))
    return faults


def _parse_csv(content: bytes, n_columns: int) -> pa.Table | None:
    names = [f"f{i}" for i in range(n_columns)]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(content),
            arrow_csv.ReadOptions(column_names=names, block_size=_BLOCK),
            arrow_csv.ParseOptions(newlines_in_values=True),
            arrow_csv.ConvertOptions(
                column_types={name: pa.large_string() for name in names},
                strings_can_be_null=False,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowException:
        return None
    return table


def _is_strict(content: bytes, cells: pa.Table) -> bool:
    # Arrow swallows an unclosed quote, and the rest of the file with it.
    if b'"' not in content or (_has_plain_quotes(content) and _longest(cells) <= csv.field_size_limit()):
        return True
    try:
        deque(csv.reader(io.StringIO(_decoded(content), newline=""), strict=True), maxlen=0)
    except csv.Error:
        return False
    return True


def _has_plain_quotes(content: bytes) -> bool:
    """Return whether quotes open at the beginning of a cell, close at its end, and are doubled in between.

    Counted from the beginning, each second quote must then close: that all of them do is enough for the file to be
    strict, and is seen without reading its records.
    """
    data = np.frombuffer(content.removeprefix(b"\xef\xbb\xbf"), dtype=np.uint8)
    edge = np.zeros(256, dtype=bool)
    edge[list(b',\r\n"')] = True
    n_quotes = 0
    for start in range(0, len(data), _BLOCK):
        quotes = start + np.flatnonzero(data[start : start + _BLOCK] == _QUOTE)
        opening, closing = quotes[n_quotes % 2 :: 2], quotes[1 - n_quotes % 2 :: 2]
        begins = edge[data[opening - 1]] | (opening == 0)
        ends = edge[data[np.minimum(closing + 1, len(data) - 1)]]
        if not (begins.all() and ends.all()):
            return False
        n_quotes += len(quotes)
    return n_quotes % 2 == 0


def _longest(cells: pa.Table) -> int:
    lengths = (pc.max(pc.binary_length(column)).as_py() for column in cells.columns)
    return max((length or 0 for length in lengths), default=0)


def _count_lines(content: bytes) -> int:
    ends = content.count(b"\n") + (content.count(b"\r") - content.count(b"\r\n") if b"\r" in content else 0)
    return ends + (not content.endswith((b"\n", b"\r")))


def _records(text: str) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """Yield (line, cells) of every record but empty lines; an unreadable one ends it with the error."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    while True:
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, error
            return
        if record:
            yield line, record
        line = reader.line_num + 1


def _syntax_faults(file: str, text: str, n_columns: int) -> list[Fault]:
    faults: list[Fault] = []
    for line, record in _records(text):
        if isinstance(record, csv.Error):
            faults.append(Fault(file, _csv_rule(record), row=line))
        elif len(record) != n_columns:
            rule = f"the row has {len(record)} cells and the header {n_columns}; quote cells that hold commas"
            faults.append(Fault(file, rule, row=line, value=",".join(record)[:MAX_VALUE]))
        if len(faults) >= MAX_FAULTS:
            break
    return faults


def _csv_rule(error: csv.Error) -> str:
    if "field larger" in str(error):
        return f"a cell holds more than {MAX_FIELD:,} characters; shorten it, or close the quote before it"
    if "unexpected end" in str(error):
        return "a double quote is opened here and never closed; close it, or double it inside a quoted cell"
    return f"the row is not CSV by RFC 4180 ({error}); double the quotes inside a quoted cell"


def read_parquet(file: str, content: bytes) -> Text | list[Fault]:
    """Return the text of a Parquet file, each cell as it would stand in a CSV file, or its faults."""
    if not content:
        return [Fault(file, "is empty; it needs columns and rows")]
    broken = "cannot be read as Parquet; write it anew with plain columns (text, numbers, dates, true/false)"
    try:
        source = parquet.ParquetFile(pa.BufferReader(content))
        schema = source.schema_arrow
        if faults := _header_faults(file, list(schema.names), None) + _type_faults(file, schema):
            return faults
        size = sum(source.metadata.row_group(i).total_byte_size for i in range(source.num_row_groups))
        if size > MAX_BYTES:
            return [Fault(file, f"holds more than {MAX_BYTES:,} bytes; split the assessment")]
        arrow = source.read()
        arrow.validate(full=True)  # a file may call bytes text that are none
        cells = [_as_text(column) for column in arrow.columns]
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError):
        return [Fault(file, broken)]
    return Text(tuple(str(name) for name in schema.names), cells)


def _type_faults(file: str, schema: pa.Schema) -> list[Fault]:
    rule = "is not a plain column; store text, numbers, dates or true/false"
    return [
        Fault(file, rule, column=column.name, value=str(column.type)[:MAX_VALUE])
        for column in schema
        if not _is_plain(column.type)
    ]


def _is_plain(kind: pa.DataType) -> bool:
    is_ = pa.types
    if is_.is_dictionary(kind):
        return _is_plain(kind.value_type)
    return any(
        test(kind)
        for test in (
            is_.is_string, is_.is_large_string, is_.is_integer, is_.is_floating, is_.is_decimal,
            is_.is_boolean, is_.is_date, is_.is_timestamp, is_.is_null,
        )
    )  # fmt: skip


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write each cell as it would stand in a CSV file; missing values are empty cells."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_timestamp(kind) and kind.tz is None:
        days = column.cast(pa.date32(), safe=False)
        if pc.all(pc.equal(days.cast(kind), column)).as_py() is not False:
            column = days  # pandas stores days as midnights
    return pc.fill_null(column.cast(pa.string()), "")
