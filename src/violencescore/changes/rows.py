"""What differs between the tables of two assessments: rows added, changed and withdrawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from violencescore.coding import Coded
from violencescore.errors import Fault, InputError
from violencescore.schemas import COLUMNS
from violencescore.tables import read_table

KEYS: Mapping[str, tuple[str, ...]] = {
    "organizations": ("organization_id",),
    "incidents": ("incident_id",),
    "harms": ("incident_id", "element", "victim_role"),
    "evidence": ("incident_id", "channel", "origin"),
    "adjudications": ("incident_id",),
    "links": ("incident_id", "linked_id"),
    "events": ("event_id",),
    "networks": ("network_id",),
    "network_evidence": ("network_id", "channel", "organization_id", "origin", "source_id"),
    "rivalries": ("organization_id", "other_id"),
    "reports": ("incident_id", "source_id"),
    "revenue": ("organization_id", "source_id", "kind", "year"),
    "panel_weights": ("panelist_id", "element", "victim_role"),
}
"""What makes two rows that differ the same row, changed."""


@dataclass(frozen=True, eq=False)
class TableChange:
    """What happened to one table.

    Attributes
    ----------
    table
        Its name.
    added, withdrawn
        The rows that only the new one, and only the old one, holds.
    changed
        The rows that hold something else: the key, ``column``, ``before`` and ``after``, a line for each cell.
    n_changed, n_before, n_after
        Rows that were changed, and of the old and the new table.
    """

    table: str
    added: pd.DataFrame
    withdrawn: pd.DataFrame
    changed: pd.DataFrame
    n_changed: int
    n_before: int
    n_after: int

    @property
    def is_same(self) -> bool:
        """Whether both hold the same rows, in whatever order."""
        return not (len(self.added) or len(self.withdrawn) or self.n_changed)

    def counts(self) -> dict[str, int]:
        """Return the numbers of rows: before, after, added, changed, withdrawn."""
        return {
            "before": self.n_before,
            "after": self.n_after,
            "added": len(self.added),
            "changed": self.n_changed,
            "withdrawn": len(self.withdrawn),
        }


def compare_folders(before: Path, after: Path) -> dict[str, TableChange]:
    """Compare every table of two assessment folders, as they stand in the files; an absent one has no rows.

    The order of rows is nothing, nor is a column that the package does not read.

    Raises
    ------
    InputError
        With every table that cannot be read.
    """
    faults: list[Fault] = []
    found = {}
    for name, columns in COLUMNS.items():
        sides = []
        for folder in (before, after):
            table, wrong, _ = read_table(folder, name, columns, {}, required=False)
            faults += [Fault(f"{folder}/{fault.table}", fault.rule, fault.row, fault.column) for fault in wrong]
            sides.append(None if table is None else Coded(table.frame, table.words).decoded())
        found[name] = compare_tables(name, *sides)
    if faults:
        raise InputError(faults)
    return found


def compare_tables(name: str, before: pd.DataFrame | None, after: pd.DataFrame | None) -> TableChange:
    """Compare two tables of text, row by row.

    Rows that are equal are set aside, each against one. What is left is paired by the key of the table, in order: a
    pair is a row that was changed; what finds none was withdrawn or added.
    """
    columns = list(COLUMNS[name])
    old, new = (_completed(frame, columns) for frame in (before, after))
    left, right = _without_equals(old, new, columns)
    pairs, withdrawn, added = _paired(left, right, list(KEYS[name]))
    return TableChange(name, added, withdrawn, _cells(pairs, columns, KEYS[name]), len(pairs), len(old), len(new))


def _completed(frame: pd.DataFrame | None, columns: Sequence[str]) -> pd.DataFrame:
    """Return every column that the table may have, as text, empty where it has none."""
    if frame is None:
        return pd.DataFrame({column: pd.Series(dtype="str") for column in columns})
    return frame.reindex(columns=list(columns)).astype("str").fillna("").reset_index(drop=True)


def _without_equals(old: pd.DataFrame, new: pd.DataFrame, columns: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of each that have no equal in the other, as many times as they have none."""
    numbered = [frame.assign(_copy=frame.groupby(list(columns), sort=False).cumcount()) for frame in (old, new)]
    on = [*columns, "_copy"]
    joined = numbered[0].reset_index().merge(numbered[1].reset_index(), on=on, suffixes=("_old", "_new"))
    return old.drop(index=joined["index_old"].tolist()), new.drop(index=joined["index_new"].tolist())


def _paired(left: pd.DataFrame, right: pd.DataFrame, key: list[str]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    numbered = [frame.assign(_nth=frame.groupby(key, sort=False).cumcount()) for frame in (left, right)]
    joined = (
        numbered[0]
        .reset_index()
        .merge(numbered[1].reset_index(), on=[*key, "_nth"], suffixes=("_old", "_new"), how="inner")
    )
    withdrawn, added = left.drop(index=joined["index_old"].tolist()), right.drop(index=joined["index_new"].tolist())
    return joined, withdrawn.reset_index(drop=True), added.reset_index(drop=True)


def _cells(pairs: pd.DataFrame, columns: Sequence[str], key: Sequence[str]) -> pd.DataFrame:
    """Return a line for each cell of the paired rows that differs."""
    parts = []
    for column in columns:
        if column in key:
            continue
        before, after = pairs[f"{column}_old"], pairs[f"{column}_new"]
        differs = before != after
        part = pairs.loc[differs, list(key)].assign(column=column, before=before[differs], after=after[differs])
        parts.append(part)
    if not parts:  # every column is part of the key
        return pd.DataFrame(columns=[*key, "column", "before", "after"], dtype="str")
    return pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)
