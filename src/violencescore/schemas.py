"""What each column of each table may hold: coded text in, typed columns and faults out.

Pandera checks each distinct text of every column on its own (`check_columns`); what relates columns or tables is in
`violencescore.relations`. A cell that breaks a rule is reported once and read as missing afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from violencescore.coding import EMPTY, Coded
from violencescore.errors import Fault
from violencescore.methodology import Methodology
from violencescore.tables import Table

MAX_COUNT = 10_000_000
"""Victims or cases that one row may count."""

# C0 and C1 controls, line separators, and the marks that reverse the direction of text: names with
# them can be displayed as other names.
_CONTROL = "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_COUNT = r"[0-9]{1,15}(\.0*)?"
_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?"

_TEXT_KINDS = frozenset({"text", "channel", "element", "victim_role", "revenue_kind"})

Rule = tuple[str, Callable[[pd.Series], pd.Series]]


@dataclass(frozen=True)
class Column:
    """A column: how its text is read (``kind``), and whether every row needs it."""

    kind: str
    required: bool = False
    unique: bool = False

    @property
    def is_text(self) -> bool:
        """Whether it stays text."""
        return self.kind in _TEXT_KINDS


_ID = Column("text", required=True)
_TEXT = Column("text")

COLUMNS: Mapping[str, Mapping[str, Column]] = {
    "organizations": {
        "organization_id": Column("text", required=True, unique=True),
        "name": _ID,
        "aliases": _TEXT,
        "parent_id": _TEXT,
        "active_from": Column("date"),
        "active_to": Column("date"),
        "rankable": Column("flag"),
    },
    "incidents": {
        "incident_id": Column("text", required=True, unique=True),
        "date": Column("date"),
        "date_start": Column("date"),
        "date_end": Column("date"),
        "region": _ID,
    },
    "harms": {
        "incident_id": _ID,
        "element": Column("element", required=True),
        "victim_role": Column("victim_role"),
        "best": Column("count", required=True),
        "low": Column("count"),
        "high": Column("count"),
    },
    "evidence": {
        "incident_id": _ID,
        "channel": Column("channel", required=True),
        "organization_id": _ID,
        "origin": _TEXT,
        "source_id": _TEXT,
    },
    "adjudications": {
        "incident_id": Column("text", required=True, unique=True),
        "organization_id": _ID,
        "false_flag": Column("flag"),
        "framed_id": _TEXT,
        "inclusion_probability": Column("probability"),
    },
    "links": {"incident_id": _ID, "linked_id": _ID},
    "rivalries": {"organization_id": _ID, "other_id": _ID, "strength": Column("weight")},
    "reports": {"incident_id": _ID, "source_id": _ID},
    "revenue": {
        "organization_id": _ID,
        "source_id": _ID,
        "best": Column("positive", required=True),
        "low": Column("positive"),
        "high": Column("positive"),
        "year": Column("year"),
        "kind": Column("revenue_kind"),
        "unit": _TEXT,
    },
    "panel_weights": {
        "panelist_id": _ID,
        "element": Column("element", required=True),
        "victim_role": Column("victim_role"),
        "weight": Column("weight", required=True),
    },
}
"""Tables in the order in which faults are listed, and the columns of each."""

REQUIRED_TABLES = ("organizations", "incidents", "harms")


def check_columns(table: Table, methodology: Methodology | None) -> tuple[Coded, list[Fault]]:
    """Check each column on its own and give it its type.

    Parameters
    ----------
    table
        The text as read.
    methodology
        Whose channels, elements and victim roles are known; None (it has faults itself) lets all pass.

    Returns
    -------
    checked, faults
        The columns of `COLUMNS` and no others, with the index of ``table.frame``. Text stays coded and is empty,
        others are missing, where nothing (valid) stands. Counts are ``Int64``, flags ``boolean``, numbers
        ``float64``.
    """
    columns = COLUMNS[table.name]
    there = table.frame.columns
    faults = [_missing_column(table, name) for name, c in columns.items() if c.required and name not in there]
    words = {name: table.words[name] if name in there else _NO_WORDS for name in columns}
    checked = {}
    for name, column in columns.items():
        codes = table.frame[name] if name in there else pd.Series(np.int32(EMPTY), index=table.frame.index)
        failed = np.zeros(len(words[name]), dtype=bool)
        if name in there:
            faults += _column_faults(table, name, column, _rules(name, column, methodology), failed)
        if column.is_text:
            checked[name] = codes.mask(failed[codes], EMPTY) if failed.any() else codes
        else:
            typed = _typed(words[name].mask(failed, ""), column.kind)
            checked[name] = pd.Series(typed.array.take(codes.to_numpy()), index=codes.index)
    text = {name: words[name] for name, column in columns.items() if column.is_text}
    return Coded(pd.DataFrame(checked, copy=False), text), faults


_NO_WORDS = pd.Series([""], dtype="str")
_UNIQUE = "stands in more than one row; it must be unique"


def _column_faults(
    table: Table, name: str, column: Column, rules: list[Rule], failed: NDArray[np.bool_]
) -> Iterator[Fault]:
    """Yield the faults of one column, and mark in ``failed`` the words that break a rule."""
    codes = table.frame[name]
    reported = codes.index.isin([position for position, other in table.reported if other == name])
    used = table.words[name][np.bincount(codes, minlength=len(failed)) > 0]
    for rule, words in _failures(used, rules):
        fails = np.zeros(len(failed), dtype=bool)
        fails[words] = True
        failed |= fails
        yield from table.faults(fails[codes] & ~reported, name, rule)
    if column.unique:
        yield from table.faults(codes.duplicated() & (codes != EMPTY), name, _UNIQUE)


def _failures(words: pd.Series, rules: list[Rule]) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Yield each rule that is broken, and the labels of the words that break it."""
    import pandera.pandas as pandera  # here, since commands that read no tables need not wait for it

    schema = pandera.SeriesSchema(checks=[pandera.Check(test, error=rule) for rule, test in rules])
    try:
        schema.validate(words, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        for rule, group in errors.failure_cases.groupby("check", sort=False):
            yield str(rule), group["index"].to_numpy(dtype=np.intp)


def _missing_column(table: Table, name: str) -> Fault:
    there = ", ".join(table.columns[:20])[:300]
    return table.fault(f"the column is missing; the file has {there}", column=name)


def _rules(name: str, column: Column, methodology: Methodology | None) -> list[Rule]:
    rules = [(rule, _unless_empty(test)) for rule, test in _kind_rules(column.kind, methodology)]
    if column.required:
        rules.insert(0, (f"is empty; every row needs {_article(name)} {name}", lambda cells: cells != ""))
    return rules


def _kind_rules(kind: str, methodology: Methodology | None) -> list[Rule]:
    match kind:
        case "text":
            rule = "holds a control character or a mark that reverses text; remove it"
            return [(rule, lambda cells: ~cells.str.contains(_CONTROL))]
        case "date":
            return [("is not a date (ISO 8601: YYYY-MM-DD)", lambda cells: _dates(cells).notna())]
        case "flag":
            return [("is neither true nor false", lambda cells: cells.str.lower().isin(("true", "false")))]
        case "count":
            return [
                ("is negative; counts start at 0", lambda cells: ~cells.str.match("-[0-9]")),
                (
                    "is not a whole number; write digits only, such as 3",
                    lambda cells: cells.str.fullmatch(_COUNT) | cells.str.match("-[0-9]") | _is_huge(cells),
                ),
                (f"is above {MAX_COUNT:,}, more than one row can count", lambda cells: ~_is_huge(cells)),
            ]
        case "year":
            rule = "is not a year; write four digits, such as 2026"
            return [(rule, lambda cells: cells.str.fullmatch(r"[12][0-9]{3}(\.0*)?"))]
        case "probability":
            rule = "is outside (0, 1]; a probability above 0 is needed"
            return [_FINITE, (rule, _holds(lambda v: (v > 0) & (v <= 1)))]
        case "positive":
            return [
                _FINITE,
                ("is not above 0; leave the row out where nothing is known", _holds(lambda v: v > 0)),
            ]
        case "weight":
            return [_FINITE, ("is negative; weights start at 0", _holds(lambda v: v >= 0))]
        case "revenue_kind":
            return [("is neither revenue nor flow", lambda cells: cells.isin(("revenue", "flow")))]
    return _vocabulary_rules(kind, methodology)


def _vocabulary_rules(kind: str, methodology: Methodology | None) -> list[Rule]:
    if methodology is None:
        return []
    words = {
        "channel": tuple(methodology.channels),
        "element": methodology.elements,
        "victim_role": methodology.victim_roles,
    }[kind]
    known = ", ".join(words) or "none"
    plural = kind.replace("_", " ") + "s"
    return [(f"is not among the {plural} of the methodology ({known})", lambda cells: cells.isin(words))]


def _unless_empty(test: Callable[[pd.Series], pd.Series]) -> Callable[[pd.Series], pd.Series]:
    def passes(cells: pd.Series) -> pd.Series:
        empty = cells == ""
        return empty if empty.all() else empty | test(cells).astype(bool)

    return passes


def _holds(test: Callable[[pd.Series], pd.Series]) -> Callable[[pd.Series], pd.Series]:
    def passes(cells: pd.Series) -> pd.Series:
        values = _numbers(cells)
        return test(values) | values.isna()

    return passes


def _is_huge(cells: pd.Series) -> pd.Series:
    digits = cells.where(cells.str.fullmatch(r"[0-9]+(\.0*)?").astype(bool), "")
    return pd.to_numeric(digits, errors="coerce") > MAX_COUNT


def _numbers(cells: pd.Series) -> pd.Series:
    plain = cells.where(cells.str.fullmatch(_NUMBER).astype(bool), "")
    values = pd.to_numeric(plain, errors="coerce").astype(np.float64)
    return values.where(np.isfinite(values))


_FINITE: Rule = ("is not a finite number", lambda cells: _numbers(cells).notna())


def _dates(cells: pd.Series) -> pd.Series:
    plain = cells.where(cells.str.fullmatch(_DATE).astype(bool), "")
    return pd.to_datetime(plain, format="%Y-%m-%d", errors="coerce").astype("datetime64[us]")


def _typed(cells: pd.Series, kind: str) -> pd.Series:
    match kind:
        case "date":
            return _dates(cells)
        case "flag":
            return cells.str.lower().map({"true": True, "false": False}).astype("boolean")
        case "count" | "year":
            return _numbers(cells).astype("Int64")
    return _numbers(cells)


def _article(name: str) -> str:
    return "an" if name[0] in "aeiou" else "a"
