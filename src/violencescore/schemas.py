"""What each column of each table may hold: text in, typed columns and faults out.

Pandera checks the text of every column on its own (`check_columns`); what relates columns or tables is in
`violencescore.relations`. A cell that breaks a rule is reported once and read as missing afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

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

Rule = tuple[str, Callable[[pd.Series], pd.Series]]


@dataclass(frozen=True)
class Column:
    """A column: how its text is read (``kind``), and whether every row needs it."""

    kind: str
    required: bool = False
    unique: bool = False


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


def check_columns(table: Table, methodology: Methodology | None) -> tuple[pd.DataFrame, list[Fault]]:
    """Check each column on its own and give it its type.

    Parameters
    ----------
    table
        The text as read.
    methodology
        Whose channels, elements and victim roles are known; None (it has faults itself) lets all pass.

    Returns
    -------
    frame, faults
        The columns of `COLUMNS` and no others, with the index of ``table.frame``. Text columns are empty,
        others missing, where nothing (valid) stands. Counts are ``Int64``, flags ``boolean``, numbers
        ``float64``.
    """
    columns = COLUMNS[table.name]
    failures = _failures(table, columns, methodology)
    faults: list[Fault] = []
    text = table.frame.reindex(columns=list(columns), fill_value="")
    for (column, rule), group in failures.groupby(["column", "check"], sort=False, dropna=False):
        if rule == "column_in_dataframe":
            faults += [_missing_column(table, str(name)) for name in group["failure_case"]]
            continue
        positions = {int(p) for p in group["index"]} - {p for p, name in table.reported if name == column}
        mask = text.index.isin(positions)
        faults += table.faults(mask, str(column), str(rule))
        if rule != _UNIQUE:
            text[column] = text[column].mask(mask, "")
    return pd.DataFrame({name: _typed(text[name], c.kind) for name, c in columns.items()}), faults


_UNIQUE = "stands in more than one row; it must be unique"


def _failures(table: Table, columns: Mapping[str, Column], methodology: Methodology | None) -> pd.DataFrame:
    import pandera.pandas as pandera  # here, since commands that read no tables need not wait for it

    schema = pandera.DataFrameSchema(
        {
            name: pandera.Column(
                checks=[pandera.Check(test, error=rule) for rule, test in _rules(name, column, methodology)],
                required=column.required,
            )
            for name, column in columns.items()
        }
    )
    try:
        schema.validate(table.frame, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        failures: pd.DataFrame = errors.failure_cases
        return failures
    return pd.DataFrame({"column": [], "check": [], "failure_case": [], "index": []})


def _missing_column(table: Table, name: str) -> Fault:
    there = ", ".join(str(column) for column in table.frame.columns[:20])[:300]
    return table.fault(f"the column is missing; the file has {there}", column=name)


def _rules(name: str, column: Column, methodology: Methodology | None) -> list[Rule]:
    rules = [(rule, _unless_empty(test)) for rule, test in _kind_rules(column.kind, methodology)]
    if column.required:
        rules.insert(0, (f"is empty; every row needs {_article(name)} {name}", lambda cells: cells != ""))
    if column.unique:
        rules.append((_UNIQUE, _unless_empty(lambda cells: ~cells.duplicated())))
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


def _typed(cells: pd.Series, kind: str) -> Any:
    match kind:
        case "date":
            return _dates(cells)
        case "flag":
            return cells.str.lower().map({"true": True, "false": False}).astype("boolean")
        case "count" | "year":
            return _numbers(cells).astype("Int64")
        case "probability" | "positive" | "weight":
            return _numbers(cells)
    return cells


def _article(name: str) -> str:
    return "an" if name[0] in "aeiou" else "a"
