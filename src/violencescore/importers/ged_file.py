"""A UCDP GED file, read as UCDP publishes it and checked -> one table of events.

Only the columns that are used are required, so that versions which add or drop others can be read.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from violencescore.errors import Fault, InputError

SIDES = ("side_a", "side_b")
DEATHS = ("deaths_a", "deaths_b", "deaths_civilians", "deaths_unknown")
ESTIMATES = ("best", "low", "high")
UNSTATED = "not stated"
_COUNTS = (*DEATHS, *ESTIMATES)
_DATES = ("date_start", "date_end")
_REQUIRED = ("id", "type_of_violence", *SIDES, "adm_1", "date_prec", *_DATES, *_COUNTS)
_OLD_NAMES = {"best": "best_est", "low": "low_est", "high": "high_est"}
_CODES = {"type_of_violence": ("1", "2", "3"), "date_prec": ("1", "2", "3", "4", "5")}

_COUNT = re.compile(r"[0-9]{1,9}(\.0+)?")
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})([ T][0-9:.]+Z?)?")
_VERSION = re.compile(r"ged(?:event)?[_-]?v?([0-9]{2})[._]?([0-9])(?:[._]([0-9]{1,2}))?(?![0-9])", re.IGNORECASE)
_MAX_COUNT = 2_500_000
_MAX_NAME = 1_000
_NO_EVENTS = "holds no events"
_YEARS = range(1900, 2200)
_INVISIBLE = ("Cc", "Cf", "Co", "Cs")


@dataclass(frozen=True)
class GedFile:
    """A GED file that keeps the rules.

    Parameters
    ----------
    events
        One row per event of the country asked for (or of all): id, type_of_violence (1, 2, 3), side_a,
        side_b, country (empty where the file has none), adm_1, date_prec (1 to 5), date_start, date_end
        (datetime64), and the counts deaths_a, deaths_b, deaths_civilians, deaths_unknown, best, low, high
        (int64, persons). The counts stand as published: low may exceed best.
    n_rows
        Events in the whole file.
    n_cleaned
        Values in which line breaks or runs of blanks were turned into one blank.
    """

    events: pd.DataFrame
    n_rows: int
    n_cleaned: int


def version_of(path: Path) -> str:
    """Return the GED version that the file's name states, or ``not stated``.

    Examples
    --------
    >>> version_of(Path("GEDEvent_v24_1.csv")), version_of(Path("ged191.csv")), version_of(Path("mexico.csv"))
    ('24.1', '19.1', 'not stated')
    """
    found = _VERSION.search(path.stem)
    return ".".join(part for part in found.groups() if part) if found else UNSTATED


def read_ged_file(path: Path, country: str | None = None) -> GedFile:
    """Read and check a UCDP GED CSV file.

    Parameters
    ----------
    path
        CSV, UTF-8 with or without a byte order mark.
    country
        Keep (and check) only the rows of this country: its exact name, in any case.

    Raises
    ------
    InputError
        With every missing column, or every fault of every row that was looked at.
    """
    raw = _read_columns(path, country is not None)
    n_rows = len(raw)
    names = [*SIDES, "country", "adm_1"]
    clean = raw.assign(**{name: _map_values(raw[name], _clean) for name in names})
    if country is not None:
        clean = _only_country(clean, country, path.name)
    n_cleaned = sum(int((raw.loc[clean.index, name].str.strip() != clean[name]).sum()) for name in names)
    parsed = clean.assign(**{name: pd.to_datetime(_map_values(clean[name], _parse_date)) for name in _DATES})
    marks = [*_text_faults(clean), *_number_faults(clean), *_date_faults(parsed)]
    if marks:
        raise InputError(_located(marks, clean, path))
    integers = [*_CODES, *_COUNTS]
    events = parsed.assign(**{name: clean[name].astype(float).astype(np.int64) for name in integers})
    return GedFile(events.reset_index(drop=True), n_rows, n_cleaned)


# Reading -----------------------------------------------------------------------------------------------------


def _read_columns(path: Path, with_country: bool) -> pd.DataFrame:
    """Return the used columns as text, indexed by the record's place in the file (the first event is 0)."""
    header = [name.strip().lower() for name in _read_header(path)]
    wanted = (*_REQUIRED, "country") if with_country else _REQUIRED
    places = {name: _place(header, name) for name in (*_REQUIRED, "country")}
    missing = [name for name in wanted if places[name] is None]
    if missing:
        hint = "a required column is missing; the first line of a GED file holds the column names"
        raise InputError(Fault(path.name, hint, 1, name) for name in missing)
    doubled = [name for name in places if header.count(name) > 1]
    if doubled:
        raise InputError(Fault(path.name, "the column stands twice", 1, name) for name in doubled)
    used = {place: name for name, place in places.items() if place is not None}
    table = _read_csv(path, skiprows=1, names=range(len(header)), usecols=list(used)).rename(columns=used)
    if "country" not in table:
        table["country"] = ""
    # A blank line is a record without any text; it stays in the count of lines, not among the events.
    events = table[(table != "").any(axis=1)]
    if events.empty:
        raise InputError([Fault(path.name, _NO_EVENTS)])
    return events


def _place(header: list[str], name: str) -> int | None:
    for spelling in (name, _OLD_NAMES.get(name)):
        if spelling in header:
            return header.index(spelling)
    return None


def _read_header(path: Path) -> list[str]:
    return [str(name) for name in _read_csv(path, nrows=1).iloc[0]]


def _read_csv(
    path: Path,
    nrows: int | None = None,
    skiprows: int | None = None,
    names: range | None = None,
    usecols: list[int] | range | None = None,
) -> pd.DataFrame:
    try:
        return pd.read_csv(
            path,
            header=None,
            dtype=str,
            na_filter=False,
            nrows=nrows,
            skiprows=skiprows,
            names=names,
            usecols=usecols,
            encoding="utf-8-sig",
            compression=None,
            skip_blank_lines=False,
            low_memory=False,
        )
    except OSError as error:
        rule = f"cannot be read ({error.strerror})"
    except UnicodeDecodeError:
        rule = "is not UTF-8 text; unpack the archive that UCDP publishes, or save the table as CSV in UTF-8"
    except pd.errors.EmptyDataError:
        rule = _NO_EVENTS if skiprows else "is empty"
    except ValueError as error:  # pandas' ParserError among them
        rule = f"is not a CSV table ({str(error).strip().rstrip('.')})"
    raise InputError([Fault(path.name, rule)])


def _only_country(table: pd.DataFrame, country: str, name: str) -> pd.DataFrame:
    wanted = _clean(country).casefold()
    found = table[_map_values(table["country"], str.casefold) == wanted]
    if not found.empty:
        return found
    known = {text.casefold(): text for text in table["country"].unique()}
    near = difflib.get_close_matches(wanted, list(known), n=5, cutoff=0.5)
    near += [key for key in sorted(known) if wanted in key and key not in near]
    hint = f"; near ones: {', '.join(known[key] for key in near)}" if near else ""
    raise InputError([Fault(name, f"no event has this country{hint}", column="country", value=country)])


# Single values -----------------------------------------------------------------------------------------------


def _map_values[T](values: pd.Series, function: Callable[[str], T]) -> pd.Series:
    """Apply a function to each distinct value once: columns of 300,000 rows hold few of them."""
    return values.map({value: function(value) for value in values.unique()})


def _clean(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _parse_date(text: str) -> date | None:
    found = _DATE.fullmatch(text)
    try:
        day = date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None
    return day if day and day.year in _YEARS else None


def _is_visible(text: str) -> bool:
    return not any(unicodedata.category(character) in _INVISIBLE for character in text)


def _is_count(text: str) -> bool:
    return _COUNT.fullmatch(text) is not None and float(text) <= _MAX_COUNT


def _is_side(text: str) -> bool:
    return all(name.strip() for name in f"{text} ".split(", "))


# Faults ------------------------------------------------------------------------------------------------------

type _Mark = tuple[str, str, pd.Series]
"""Column, rule, and which rows break it (bool)."""


def _text_faults(table: pd.DataFrame) -> list[_Mark]:
    ids, texts = table["id"], ("id", *SIDES, "country", "adm_1")
    marks = [
        ("id", "an event needs an id", ids == ""),
        ("id", "the id stands twice", ids.duplicated(keep=False) & (ids != "")),
        ("id", "an id has no blanks", ~_map_values(ids, lambda text: not re.search(r"\s", text))),
    ]
    marks += [(name, "holds control or invisible characters", ~_map_values(table[name], _is_visible)) for name in texts]
    marks += [(name, f"is longer than {_MAX_NAME:,} characters", table[name].str.len() > _MAX_NAME) for name in texts]
    rule = "names an actor, or several with ', ' between them and none empty"
    marks += [(side, rule, ~_map_values(table[side], _is_side)) for side in SIDES]
    return marks if any(bad.any() for _, _, bad in marks) else []


def _number_faults(table: pd.DataFrame) -> list[_Mark]:
    marks = [
        (name, f"is one of {', '.join(codes)}", ~table[name].isin([*codes, *(f"{c}.0" for c in codes)]))
        for name, codes in _CODES.items()
    ]
    rule = f"is a whole number of persons from 0 to {_MAX_COUNT:,}"
    marks += [(name, rule, ~_map_values(table[name], _is_count)) for name in _COUNTS]
    return marks if any(bad.any() for _, _, bad in marks) else []


def _date_faults(parsed: pd.DataFrame) -> list[_Mark]:
    rule = "is not a date of our time (ISO 8601: YYYY-MM-DD, a time of day may follow)"
    marks = [(name, rule, parsed[name].isna()) for name in _DATES]
    marks.append(("date_end", "lies before date_start", parsed["date_end"] < parsed["date_start"]))
    return marks if any(bad.any() for _, _, bad in marks) else []


def _located(marks: list[_Mark], table: pd.DataFrame, path: Path) -> list[Fault]:
    lines = _line_of_record(path)
    faults = [
        Fault(path.name, rule, lines[record], column, str(table.at[record, column]))
        for column, rule, bad in marks
        for record in table.index[bad.to_numpy(dtype=bool)]
    ]
    return sorted(faults, key=lambda fault: (fault.row or 0, fault.column or ""))


def _line_of_record(path: Path) -> Mapping[int, int]:
    """Return the line at which each record starts: fields of GED hold line breaks, so they are counted."""
    every = range(len(_read_header(path)))
    everything = _read_csv(path, names=every, usecols=every)
    breaks = sum(everything[column].str.count("\n").to_numpy() for column in everything)
    starts = 1 + np.arange(len(everything)) + np.concatenate([[0], np.cumsum(breaks)[:-1]])
    return dict(enumerate(starts[1:].tolist()))
