"""CSV that no spreadsheet runs: what would be read as a formula is quoted, and unquoted when read back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO

import numpy as np
import pandas as pd

from violencescore.errors import Fault, InputError

_FORMULA = re.compile(r"^[=+\-@\t\r']")
_GUARDED = re.compile(r"^'(?=[=+\-@\t\r'])")


def guard(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would read as a formula.

    Examples
    --------
    >>> guard("=1+1"), unguard(guard("=1+1")), guard("Amber")
    ("'=1+1", '=1+1', 'Amber')
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unguard(text: str) -> str:
    """Take away the apostrophe that `guard` put there."""
    return _GUARDED.sub("", text)


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """Return a table as CSV: UTF-8, numbers so that they read back exactly, text and headings guarded."""
    safe = frame.rename(columns={name: guard(str(name)) for name in frame.columns})
    for place, dtype in enumerate(safe.dtypes):
        if not (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)):
            cells = [guard(cell) if isinstance(cell, str) else cell for cell in safe.iloc[:, place]]
            safe.isetitem(place, cells)
    text: str = safe.to_csv(index=False, lineterminator="\n")
    return text.encode("utf-8")


def read_text_table(content: bytes, file: str) -> pd.DataFrame:
    """Read every cell of a table that `csv_bytes` wrote as text.

    Raises
    ------
    InputError
        If it is no CSV, or a heading stands twice.
    """
    return _read(content, file).map(unguard)


def read_number_table(content: bytes, file: str, text: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table of finite numbers, but for the columns named, which are text.

    Raises
    ------
    InputError
        If it is no CSV, a heading stands twice, a named column is missing, or a number is none.
    """
    frame = _read(content, file)
    if missing := [name for name in text if name not in frame]:
        raise InputError([Fault(file, "the column is missing", column=name) for name in missing])
    for name in frame.columns:
        if name in text:
            frame[name] = frame[name].map(unguard)
            continue
        try:
            values = frame[name].to_numpy(dtype=object).astype(np.float64)  # exact, unlike some of pandas' own readers
        except ValueError:
            values = np.array([np.nan])
        if not np.isfinite(values).all():
            raise InputError([Fault(file, "must hold finite numbers only", column=name)])
        frame[name] = values
    return frame


def _read(content: bytes, file: str) -> pd.DataFrame:
    try:
        frame = pd.read_csv(BytesIO(content), dtype=str, keep_default_na=False, encoding="utf-8")
    except (ValueError, OverflowError, RecursionError) as error:  # pandas' own errors are ValueErrors
        raise InputError([Fault(file, f"cannot be read as a table ({str(error)[:200]})")]) from None
    frame.columns = pd.Index([unguard(str(name)) for name in frame.columns])
    if not frame.columns.is_unique:
        raise InputError([Fault(file, "has two columns of one name")])
    return frame
