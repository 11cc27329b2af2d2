"""Tables of an assessment as coded text: a file of the folder -> columns of codes and words, or its faults.

What the text means is decided in `violencescore.schemas`.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from violencescore.coding import EMPTY, Codes, decode, encode
from violencescore.errors import Fault
from violencescore.formats import (
    MAX_BYTES,
    MAX_FAULTS,
    MAX_FIELD,
    MAX_VALUE,
    Text,
    read_csv,
    read_parquet,
    record_lines,
)


@dataclass(frozen=True, eq=False)
class Table:
    """One table as text, coded (`violencescore.coding`).

    Parameters
    ----------
    name, file
        ``incidents`` and ``incidents.csv``; faults name the file.
    columns
        Names of all columns of the file.
    frame
        Codes of the cells, white space alone read as empty, of those columns that are wanted. The index is the
        position of the record in the file (0 is the first below the header) and stays with a row through all that
        follows.
    words
        The words of each column of the frame.
    content
        Bytes of a CSV file whose records are not one a line, from which lines are found when a fault needs one.
    reported
        (position, column) of cells whose faults are known already and which are empty in the frame.
    """

    name: str
    file: str
    columns: tuple[str, ...]
    frame: pd.DataFrame
    words: Mapping[str, pd.Series]
    content: bytes | None = field(default=None, repr=False)
    reported: frozenset[tuple[int, str]] = frozenset()

    def line(self, position: int) -> int:
        """Return the line of a record: where it begins in a CSV file, position + 2 in a Parquet file."""
        lines = self._lines
        return int(lines[position]) if position < len(lines) else position + 2

    @cached_property
    def _lines(self) -> NDArray[np.int64]:
        if self.content is None:
            return np.empty(0, dtype=np.int64)
        found = record_lines(self.content)
        # Where the two readers disagree about the number of records, counting from 2 is the best guess.
        return found if len(found) >= len(self.frame) else found[:0]

    def fault(self, rule: str, column: str | None = None) -> Fault:
        """Return a fault of the whole table, or of a whole column."""
        return Fault(self.file, rule, column=column)

    def faults(
        self, mask: pd.Series | NDArray[np.bool_], column: str, rule: str | Callable[[int], str]
    ) -> Iterator[Fault]:
        """Yield a fault for each row of the frame where ``mask`` (aligned with the frame's rows) holds.

        ``rule`` may be a function of the record's position (the label in the index). At most `MAX_FAULTS` are
        listed, the last of which says how many more there are.
        """
        rows = np.flatnonzero(np.asarray(mask, dtype=bool))
        listed, more = rows[:MAX_FAULTS], len(rows) - MAX_FAULTS
        positions = self.frame.index[listed]
        shown: pd.Series | list[None] = [None] * len(listed)
        if column in self.frame:
            shown = decode(self.frame[column].to_numpy()[listed], self.words[column])
        for number, (position, value) in enumerate(zip(positions, shown, strict=True), start=1):
            text = rule if isinstance(rule, str) else rule(int(position))
            if number == MAX_FAULTS and more > 0:
                text += f" (and {more:,} more rows break this rule)"
            value = None if value is None else str(value)[:MAX_VALUE]
            yield Fault(self.file, text, row=self.line(int(position)), column=column, value=value)


def read_table(
    folder: Path, name: str, wanted: Iterable[str], known: Mapping[str, pd.Series], *, required: bool
) -> tuple[Table | None, list[Fault], dict[str, str]]:
    """Read ``name.csv`` or ``name.parquet`` as coded text.

    Parameters
    ----------
    folder, name, required
        Where it stands, what it is, and whether it must be there.
    wanted
        Columns to keep; the others are looked at for faults only.
    known
        Words of columns whose codes are to be those of another table.

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
    inputs = {path.name: hashlib.sha256(content).hexdigest()}
    text = (read_csv if path.suffix == ".csv" else read_parquet)(path.name, content)
    del content
    if isinstance(text, list):
        return None, text, inputs
    table, faults = _without_second_headers(_code(name, path.name, text, frozenset(wanted), known))
    table, long = _without_long_cells(table)
    faults += long
    if required and table.frame.empty and not faults:
        faults.append(table.fault("has a header and no rows; add at least one row"))
    kept = [column for column in table.columns if column in wanted]
    return replace(table, frame=table.frame[kept]), faults, inputs


def empty_table(name: str, columns: Iterable[str]) -> Table:
    """Return a table without rows, in place of one that is not there."""
    frame = pd.DataFrame({column: np.empty(0, dtype=np.int32) for column in columns})
    nothing = pd.Series([""], dtype="str")
    return Table(name, f"{name}.csv", tuple(columns), frame, dict.fromkeys(columns, nothing))


def is_present(path: Path) -> bool:
    """Return whether something stands at the path, be it a broken link."""
    return path.exists() or path.is_symlink()


def read_content(path: Path) -> bytes | Fault:
    """Return the bytes of a regular file, or the fault that keeps it from being read."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would block for ever
            return Fault(path.name, "is not a file; put a regular file there")
        if status.st_size > MAX_BYTES:
            return Fault(path.name, f"is larger than {MAX_BYTES:,} bytes; split the assessment")
        return path.read_bytes()
    except OSError as error:
        cause = error.strerror or type(error).__name__
        return Fault(path.name, f"cannot be read ({cause}); check the file and its permissions")


def _code(name: str, file: str, text: Text, wanted: frozenset[str], known: Mapping[str, pd.Series]) -> Table:
    """Code the cells column by column, so that the text of one goes before the next is coded."""

    def code(column: str) -> tuple[Codes, pd.Series]:
        cells = text.cells[text.columns.index(column)]
        if column not in wanted:  # looked at once and dropped: distinct words would gain nothing
            words = pd.concat([pd.Series([""], dtype="str"), pd.Series(cells, dtype="str")], ignore_index=True)
            return _tidy(np.arange(1, len(words), dtype=np.int32), words)
        [codes], words = encode(cells, known=known.get(column))
        return _tidy(codes, words)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        coded = dict(zip(text.columns, pool.map(code, text.columns), strict=True))
    frame = pd.DataFrame({column: codes for column, (codes, _) in coded.items()}, copy=False)
    words = {column: words for column, (_, words) in coded.items()}
    return Table(name, file, text.columns, frame, words, text.content)


def _tidy(codes: Codes, words: pd.Series) -> tuple[Codes, pd.Series]:
    """Read white space alone as empty."""
    blank = words.str.isspace().to_numpy(dtype=bool)
    return (np.where(blank[codes], np.int32(EMPTY), codes) if blank.any() else codes), words


def _without_second_headers(table: Table) -> tuple[Table, list[Fault]]:
    """Take out rows that repeat the header, and report them."""
    repeats = np.full(len(table.frame), fill_value=bool(table.columns))
    for column in table.columns:
        if repeats.any():
            is_name = (table.words[column] == column).to_numpy(dtype=bool)
            repeats &= is_name[table.frame[column]]
    if not repeats.any():
        return table, []
    rule = "the row repeats the header; keep the header once, as the first line"
    faults = list(table.faults(repeats, table.columns[0], rule))
    return replace(table, frame=table.frame[~repeats]), faults


def _without_long_cells(table: Table) -> tuple[Table, list[Fault]]:
    """Empty the cells that are too long, and report them."""
    faults: list[Fault] = []
    reported: set[tuple[int, str]] = set()
    frame = table.frame
    for column, words in table.words.items():
        is_long = (words.str.len() > MAX_FIELD).to_numpy(dtype=bool)
        if is_long.any() and (long := is_long[frame[column]]).any():
            faults += table.faults(long, column, f"the cell holds more than {MAX_FIELD:,} characters; shorten it")
            reported |= {(int(position), column) for position in frame.index[long]}
            frame = frame.assign(**{column: frame[column].mask(long, EMPTY)})
    return (replace(table, frame=frame, reported=frozenset(reported)) if faults else table), faults
