"""How much of the inputs is published: in full, by region and week, or as totals only; and a linter that holds it."""

from __future__ import annotations

import json
import random
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from violencescore.assessment import Assessment
from violencescore.coding import decode
from violencescore.methodology import Window
from violencescore.publication.tabular import csv_bytes, read_text_table
from violencescore.schemas import COLUMNS
from violencescore.tables import is_present, read_table

type Level = Literal["full", "coarsened", "aggregate"]
LEVELS: tuple[Level, ...] = ("full", "coarsened", "aggregate")

TOTALS = "inputs/totals.csv"
ATTRIBUTION = "attribution.csv"
_PER_INCIDENT = ("harms", "evidence", "adjudications", "reports")
_COARSE = {
    **{name: tuple(columns) for name, columns in COLUMNS.items()},
    "incidents": ("incident_id", "date_start", "date_end", "region"),
}
_TOTAL_COLUMNS = ("period", "category", "incidents", "best")
_NEW_ID = re.compile(r"[iso][0-9]+")
_SHORTEST = 5
"""Ids shorter than this are looked for as whole texts only: any sentence may hold a 7."""


def disclosed_tables(
    folder: Path, assessment: Assessment, level: Level, *, with_panel: bool = True
) -> dict[str, pd.DataFrame]:
    """Return the tables of an assessment as they may be published, by path.

    ``full`` gives every row and every column that the package reads; ``coarsened`` gives incidents by region and week
    (weeks are counted from the first day of the window), with new ids for incidents, sources and origins, and none that
    lie outside the periods; ``aggregate`` gives totals by period and category.

    Parameters
    ----------
    with_panel
        Whether the panel's weights are among them: never where they are sealed.
    """
    if level == "aggregate":
        return {TOTALS: _totals(assessment)}
    tables = raw_tables(folder)
    if not with_panel:
        tables.pop("panel_weights", None)
    if level == "coarsened":
        tables = _coarsened(tables, assessment.methodology.window)
    return {f"inputs/{name}.csv": table for name, table in tables.items()}


def raw_tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the tables of an assessment folder as text, with the columns that the package reads."""
    found = {}
    for name, columns in COLUMNS.items():
        if any(is_present(folder / f"{name}.{suffix}") for suffix in ("csv", "parquet")):
            table, _, _ = read_table(folder, name, columns, {}, required=False)
            if table is not None:
                cells = {
                    column: decode(table.frame[column], table.words[column])
                    for column in table.columns
                    if column in columns
                }
                found[name] = pd.DataFrame(cells)
    return found


def _totals(assessment: Assessment) -> pd.DataFrame:
    harms = assessment.harms.merge(assessment.incidents[["incident_id", "period"]], on="incident_id")
    groups = harms.groupby(["period", "category"], sort=True)
    counts = groups.agg(incidents=("incident_id", "nunique"), best=("best", "sum"))
    return counts.reset_index()[list(_TOTAL_COLUMNS)]


def _coarsened(tables: Mapping[str, pd.DataFrame], window: Window | None) -> dict[str, pd.DataFrame]:
    if window is None:
        raise ValueError("weeks count from the first day of the window, and there is none")
    incidents = tables["incidents"].copy()
    empty = pd.Series("", index=incidents.index)
    days = incidents.get("date", empty).where(lambda cells: cells != "", incidents.get("date_start", empty))
    weeks = [_week(day, window) for day in pd.to_datetime(days)]
    incidents["date_start"] = [week[0] if week else "" for week in weeks]
    incidents["date_end"] = [week[1] if week else "" for week in weeks]
    incidents = incidents[incidents["date_start"] != ""]
    # In a new order, so that the order of the file tells nothing within a region and week.
    order = list(incidents.index)
    random.Random(secrets.randbits(128)).shuffle(order)  # noqa: S311 (seeded from the system's own randomness)
    incidents = incidents.loc[order].sort_values(["date_start", "region"], kind="stable")
    new_ids = {old: f"i{n}" for n, old in enumerate(incidents["incident_id"], start=1)}
    coarse = {"incidents": incidents[list(_COARSE["incidents"])]}
    coarse |= {name: table for name, table in tables.items() if name != "incidents"}
    for name in _PER_INCIDENT:
        if name in coarse:
            coarse[name] = coarse[name][coarse[name]["incident_id"].isin(new_ids)]
    for name in ("incidents", *_PER_INCIDENT):
        if name in coarse:
            renamed = coarse[name].assign(incident_id=coarse[name]["incident_id"].map(new_ids))
            coarse[name] = renamed.sort_values("incident_id", key=lambda ids: ids.str[1:].astype(int), kind="stable")
    if "links" in coarse:
        pairs = coarse["links"].apply(lambda ids: ids.map(new_ids))
        coarse["links"] = pairs.dropna().sort_values(list(pairs.columns), kind="stable")
    for column, letter in (("source_id", "s"), ("origin", "o")):
        _rename(coarse, column, letter)
    return {name: table.reset_index(drop=True) for name, table in coarse.items()}


def _week(day: pd.Timestamp, window: Window) -> tuple[str, str] | None:
    """Return the first and last day of a day's week, cut where its period ends; None outside both periods."""
    first = window.baseline_start or window.start
    moment = day.date()
    if not first <= moment <= window.end:
        return None
    begin = window.start + timedelta(days=(moment - window.start).days // 7 * 7)
    return str(max(begin, first)), str(min(begin + timedelta(days=6), window.end))


def _rename(tables: dict[str, pd.DataFrame], column: str, letter: str) -> None:
    """Give the values of a column new ids, the same in every table; empty ones stay empty."""
    holders = [name for name, table in tables.items() if column in table]
    values = sorted({value for name in holders for value in tables[name][column] if value})
    random.Random(secrets.randbits(128)).shuffle(values)  # noqa: S311
    new = {value: f"{letter}{n}" for n, value in enumerate(values, start=1)} | {"": ""}
    for name in holders:
        tables[name] = tables[name].assign(**{column: tables[name][column].map(new)})


def level_faults(files: Mapping[str, bytes], level: str) -> tuple[str, ...]:
    """Return in words what a bundle holds beyond its level, judged by what may stand there and nothing else."""
    if level not in LEVELS:
        return (f"The level of disclosure {level!r} is unknown.",)
    found = []
    for path, content in files.items():
        if path == ATTRIBUTION and level != "full":
            found.append(f"{path} tells of single incidents, which the level {level} does not allow.")
        elif path.startswith("inputs/"):
            found += _table_faults(path, content, level)
    return tuple(found)


def _table_faults(path: str, content: bytes, level: str) -> Iterator[str]:
    name = path.removeprefix("inputs/").removesuffix(".csv")
    allowed = {"totals": _TOTAL_COLUMNS} if level == "aggregate" else dict(COLUMNS) if level == "full" else _COARSE
    if name not in allowed or path != f"inputs/{name}.csv":
        yield f"{path} is a table that the level {level} does not allow."
        return
    table = read_text_table(content, path)
    if strange := [column for column in table.columns if column not in allowed[name]]:
        yield f"{path} has columns that the level {level} does not allow: {', '.join(strange)}."
    if strange or level != "coarsened":
        return
    for column in ("incident_id", "source_id", "origin"):
        if column in table and not table[column].map(lambda cell: cell == "" or bool(_NEW_ID.fullmatch(cell))).all():
            yield f"{path} has values of {column} that are not new ids."
    if name == "incidents":
        yield from _week_faults(table.reindex(columns=["date_start", "date_end"], fill_value=""), path)


def _week_faults(table: pd.DataFrame, path: str) -> Iterator[str]:
    """Dates must be spans of a week, so that none tells the day; the first and last of a period may be cut."""
    spans = table.drop_duplicates()
    starts, ends = pd.to_datetime(spans["date_start"]), pd.to_datetime(spans["date_end"])
    full = starts[(ends - starts).dt.days == 6]
    cut = starts[(ends - starts).dt.days != 6]  # dates that are missing, too
    if len(cut) > 2 or (len(full) and (((full - full.iloc[0]).dt.days % 7) != 0).any()):
        yield f"{path} has dates that are finer than weeks."


def leaked_ids(files: Mapping[str, bytes], incident_ids: Iterable[str], sources: Iterable[str] = ()) -> tuple[str, ...]:
    """Return in words which files name an incident or a source.

    Looked at is every text of JSON, every cell of a table that is no number, every line of text: ids of incidents that
    are long enough count inside a text, all others as a whole text only.
    """
    ids, names = set(incident_ids), set(sources)
    long = [identifier for identifier in ids if len(identifier) >= _SHORTEST]
    pattern = re.compile("|".join(re.escape(i) for i in sorted(long, key=len, reverse=True))) if long else None
    found = []
    for path, content in files.items():
        if path.startswith(("draws/", "verify/")):  # numbers, and our own program
            continue
        texts = list(_texts(path, content))
        if any(text in ids or (pattern is not None and pattern.search(text)) for text in texts):
            found.append(f"{path} names single incidents by their ids.")
        if not names.isdisjoint(texts):
            found.append(f"{path} names a source of the evidence.")
    return tuple(found)


def source_names(assessment: Assessment) -> set[str]:
    """Return the ids of all sources and origins, but for those that are words of the methodology."""
    methodology = assessment.methodology
    columns = [(assessment.evidence, "source_id"), (assessment.evidence, "origin"), (assessment.reports, "source_id")]
    columns.append((assessment.revenue, "source_id"))
    known = {*methodology.channels, *methodology.elements, *methodology.victim_roles, ""}
    return {str(name) for table, column in columns for name in table[column].unique()} - known


def _texts(path: str, content: bytes) -> Iterator[str]:
    if path.endswith(".json"):
        yield from _texts_of(json.loads(content))
    elif path.endswith(".csv"):
        for _, cells in read_text_table(content, path).items():
            yield from (cell for cell in cells.unique() if cell and not re.fullmatch(r"[-+.0-9e]+", cell))
    else:
        yield from content.decode("utf-8").splitlines()


def _texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _texts_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts_of(inner)


def input_files(tables: Mapping[str, pd.DataFrame]) -> dict[str, bytes]:
    """Return tables as CSV by path."""
    return {path: csv_bytes(table) for path, table in tables.items()}
