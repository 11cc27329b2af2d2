"""Tables of an assessment as text: CSV or Parquet bytes -> one frame of strings, or the faults of the file.

Everything is untrusted. Cells stay the text they are (``007``, ``NA``); what they mean is decided
in `violencescore.schemas`. Files are parsed by Arrow, and a second time by the standard library's strict
CSV reader where quotes or faults ask for it: Arrow takes an unclosed quote in its stride, and names no lines.
"""

from __future__ import annotations

import csv
import hashlib
import io
import stat
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray
from pyarrow import parquet

from violencescore.errors import Fault

MAX_FIELD = 100_000
"""Characters that one cell may hold."""

MAX_FAULTS = 1_000
"""Rows that are listed for one broken rule; the last one says how many more there are."""

_MAX_BYTES = 4_000_000_000
_MAX_VALUE = 200
_MAX_COLUMNS = 10_000
_BLOCK = 1 << 24  # bytes; no row may be longer, and MAX_FIELD keeps honest rows far below
_HEADER = 1 << 20  # characters within which the header must end


@dataclass(frozen=True, eq=False)
class Table:
    """One table as text.

    Parameters
    ----------
    name, file
        ``incidents`` and ``incidents.csv``; faults name the file.
    frame
        Cells as strings, white space alone read as empty. The index is the position of the record in the file
        (0 is the first below the header) and stays with a row through all that follows.
    text
        Content of a CSV file, from which line numbers are found when a fault needs one.
    reported
        (position, column) of cells whose faults are known already and which are empty in the frame.
    """

    name: str
    file: str
    frame: pd.DataFrame
    text: str | None = field(default=None, repr=False)
    reported: frozenset[tuple[int, str]] = frozenset()

    def line(self, position: int) -> int:
        """Return the line of a record: where it begins in a CSV file, position + 2 in a Parquet file."""
        lines = self._lines
        return int(lines[position]) if position < len(lines) else position + 2

    @cached_property
    def _lines(self) -> NDArray[np.int64]:
        records = list(_records(self.text)) if self.text is not None else []
        found = [line for line, record in records[1:] if isinstance(record, list)]
        # Where the two readers disagree about the number of records, counting from 2 is the best guess.
        return np.array(found if len(found) >= len(self.frame) else [], dtype=np.int64)

    def fault(self, rule: str, column: str | None = None) -> Fault:
        """Return a fault of the whole table, or of a whole column."""
        return Fault(self.file, rule, column=column)

    def faults(
        self,
        mask: pd.Series | NDArray[np.bool_],
        column: str,
        rule: str | Callable[[int], str],
        values: pd.Series | None = None,
    ) -> Iterator[Fault]:
        """Yield a fault for each row of the frame where ``mask`` (aligned with the frame's rows) holds.

        ``rule`` may be a function of the record's position (the label in the index); ``values`` replaces the
        cell shown. At most `MAX_FAULTS` are listed, the last of which says how many more there are.
        """
        positions = self.frame.index[np.asarray(mask, dtype=bool)]
        shown = self.frame[column] if values is None and column in self.frame else values
        more = len(positions) - MAX_FAULTS
        for number, position in enumerate(positions[:MAX_FAULTS], start=1):
            text = rule if isinstance(rule, str) else rule(int(position))
            if number == MAX_FAULTS and more > 0:
                text += f" (and {more:,} more rows break this rule)"
            value = None if shown is None else str(shown.at[position])[:_MAX_VALUE]
            yield Fault(self.file, text, row=self.line(int(position)), column=column, value=value)


def read_table(folder: Path, name: str, *, required: bool) -> tuple[Table | None, list[Fault], dict[str, str]]:
    """Read ``name.csv`` or ``name.parquet`` as text.

    Returns
    -------
    table, faults, inputs
        The table, or None where the file is absent or not readable; the faults that made it so; and the
        SHA-256 of the bytes that were read, by file name.
    """
    paths = [path for suffix in ("csv", "parquet") if is_present(path := folder / f"{name}.{suffix}")]
    if len(paths) == 2:
        rule = f"stands beside {paths[1].name}, and only one of them can be meant; remove one"
        return None, [Fault(paths[0].name, rule)], {}
    if not paths:
        rule = f"is missing; every assessment needs {name}.csv or {name}.parquet"
        return None, [Fault(f"{name}.csv", rule)] if required else [], {}
    path = paths[0]
    content = read_content(path)
    if isinstance(content, Fault):
        return None, [content], {}
    read = _read_csv if path.suffix == ".csv" else _read_parquet
    outcome = read(name, path.name, content)
    inputs = {path.name: hashlib.sha256(content).hexdigest()}
    if isinstance(outcome, list):
        return None, outcome, inputs
    table, faults = _without_second_headers(outcome)
    table, long = _without_long_cells(table)
    faults += long
    if required and table.frame.empty and not faults:
        faults.append(table.fault("has a header and no rows; add at least one row"))
    return table, faults, inputs


def is_among(cells: pd.Series, known: pd.Series) -> NDArray[np.bool_]:
    """Return which cells stand in ``known``: as `Series.isin` for text, in a fraction of its time."""
    values = pa.array(known)
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    found: NDArray[np.bool_] = pc.is_in(pa.array(cells), value_set=values).to_numpy(zero_copy_only=False)
    return found


def is_present(path: Path) -> bool:
    """Return whether something stands at the path, be it a broken link."""
    return path.exists() or path.is_symlink()


def read_content(path: Path) -> bytes | Fault:
    """Return the bytes of a regular file, or the fault that keeps it from being read."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would block for ever
            return Fault(path.name, "is not a file; put a regular file there")
        if status.st_size > _MAX_BYTES:
            return Fault(path.name, f"is larger than {_MAX_BYTES:,} bytes; split the assessment")
        return path.read_bytes()
    except OSError as error:
        cause = error.strerror or type(error).__name__
        return Fault(path.name, f"cannot be read ({cause}); check the file and its permissions")


def _read_csv(name: str, file: str, content: bytes) -> Table | list[Fault]:
    text = _decode(file, content)
    if isinstance(text, Fault):
        return [text]
    columns, faults = _read_header(file, text)
    if faults:
        return faults
    arrow = _parse_csv(content, len(columns))
    if arrow is None or not _is_strict(text):
        rule = "cannot be read as CSV (RFC 4180); write it anew as UTF-8 with commas and double quotes"
        return _syntax_faults(file, text, len(columns)) or [Fault(file, rule)]
    frame = arrow.slice(1).rename_columns(columns).to_pandas()
    return Table(name, file, _tidy(frame), text)


def _decode(file: str, content: bytes) -> str | Fault:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Fault(file, "is UTF-16; save the file as UTF-8", row=1, value=repr(content[:2]))
    if (at := content.find(b"\0")) >= 0:
        line = content.count(b"\n", 0, at) + 1
        rule = f"byte {at} of the file is NUL, which no text holds; save it as UTF-8"
        return Fault(file, rule, row=line, value="\\x00")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        rule = f"byte {error.start} of the file is not UTF-8; save the file as UTF-8"
        return Fault(file, rule, row=line, value=repr(content[error.start : error.start + 1]))
    return text if text.strip() else Fault(file, "is empty; it needs a header and rows")


def _read_header(file: str, text: str) -> tuple[list[str], list[Fault]]:
    line, first = next(_records(text[:_HEADER]))
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
        faults.append(Fault(file, rule, row=line, value=columns[0][:_MAX_VALUE]))
    return faults


def _parse_csv(content: bytes, n_columns: int) -> pa.Table | None:
    names = [f"f{i}" for i in range(n_columns)]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(content),
            arrow_csv.ReadOptions(column_names=names, block_size=_BLOCK),
            arrow_csv.ParseOptions(newlines_in_values=True),
            arrow_csv.ConvertOptions(
                column_types={name: pa.string() for name in names},
                strings_can_be_null=False,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowException:
        return None
    return table


def _is_strict(text: str) -> bool:
    # Arrow swallows an unclosed quote, and the rest of the file with it.
    try:
        if '"' in text:
            deque(csv.reader(io.StringIO(text, newline=""), strict=True), maxlen=0)
    except csv.Error:
        return False
    return True


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
            faults.append(Fault(file, rule, row=line, value=",".join(record)[:_MAX_VALUE]))
        if len(faults) >= MAX_FAULTS:
            break
    return faults


def _csv_rule(error: csv.Error) -> str:
    if "field larger" in str(error):
        return f"a cell holds more than {MAX_FIELD:,} characters; shorten it, or close the quote before it"
    if "unexpected end" in str(error):
        return "a double quote is opened here and never closed; close it, or double it inside a quoted cell"
    return f"the row is not CSV by RFC 4180 ({error}); double the quotes inside a quoted cell"


def _read_parquet(name: str, file: str, content: bytes) -> Table | list[Fault]:
    if not content:
        return [Fault(file, "is empty; it needs columns and rows")]
    broken = "cannot be read as Parquet; write it anew with plain columns (text, numbers, dates, true/false)"
    try:
        source = parquet.ParquetFile(pa.BufferReader(content))
        schema = source.schema_arrow
        if faults := _header_faults(file, list(schema.names), None) + _type_faults(file, schema):
            return faults
        size = sum(source.metadata.row_group(i).total_byte_size for i in range(source.num_row_groups))
        if size > _MAX_BYTES:
            return [Fault(file, f"holds more than {_MAX_BYTES:,} bytes; split the assessment")]
        arrow = source.read()
        arrays = [_as_text(arrow.column(i)) for i in range(arrow.num_columns)]
        frame = pa.table(arrays, names=[str(n) for n in schema.names]).to_pandas()
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError):
        return [Fault(file, broken)]
    return Table(name, file, _tidy(frame))


def _type_faults(file: str, schema: pa.Schema) -> list[Fault]:
    rule = "is not a plain column; store text, numbers, dates or true/false"
    return [
        Fault(file, rule, column=column.name, value=str(column.type)[:_MAX_VALUE])
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


def _tidy(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with white space alone read as empty, and a plain index."""
    frame = frame.reset_index(drop=True)
    for column in frame.columns:
        blank = frame[column].str.isspace()
        if blank.any():
            frame[column] = frame[column].mask(blank, "")
    return frame


def _without_second_headers(table: Table) -> tuple[Table, list[Fault]]:
    """Take out rows that repeat the header, and report them."""
    columns = list(table.frame.columns)
    repeats = np.full(len(table.frame), fill_value=bool(columns))
    for column in columns:
        repeats &= (table.frame[column] == column).to_numpy(dtype=bool)
    if not repeats.any():
        return table, []
    rule = "the row repeats the header; keep the header once, as the first line"
    faults = list(table.faults(repeats, columns[0], rule))
    return replace(table, frame=table.frame[~repeats]), faults


def _without_long_cells(table: Table) -> tuple[Table, list[Fault]]:
    """Empty the cells that are too long, and report them."""
    faults: list[Fault] = []
    reported: set[tuple[int, str]] = set()
    frame = table.frame
    for column in frame.columns:
        long = frame[column].str.len() > MAX_FIELD
        if long.any():
            faults += table.faults(long, column, f"the cell holds more than {MAX_FIELD:,} characters; shorten it")
            reported |= {(int(position), column) for position in frame.index[long]}
            frame = frame.assign(**{column: frame[column].mask(long, "")})
    return (replace(table, frame=frame, reported=frozenset(reported)) if faults else table), faults
