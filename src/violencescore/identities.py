"""Who is who: ids, names and aliases of organizations, and the one each of them stands for."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from violencescore.errors import Fault
from violencescore.names import FALSE_FLAG, OTHER
from violencescore.tables import Table


@dataclass(frozen=True)
class Directory:
    """Resolves what tables call an organization.

    Parameters
    ----------
    ids
        The organization ids, compared exactly and first.
    aliases
        Normalized names and aliases (`normalize`), and the id that each stands for.
    ambiguous
        Normalized names and aliases that stand for several; already reported as faults.
    """

    ids: frozenset[str]
    aliases: Mapping[str, str]
    ambiguous: frozenset[str]

    def resolve(self, cells: pd.Series) -> tuple[pd.Series, pd.Series]:
        """Return (the id each cell stands for, whether the cell is unknown).

        `OTHER` is an id here. Cells that are empty, unknown or ambiguous give an empty id.
        """
        found = {cell: self._resolve_one(cell) for cell in cells.unique()}
        ids = cells.map(found).astype(cells.dtype)
        strange = {cell for cell, id_ in found.items() if not id_ and cell and normalize(cell) not in self.ambiguous}
        return ids, cells.isin(strange)

    def _resolve_one(self, cell: str) -> str:
        return cell if cell in self.ids else self.aliases.get(normalize(cell), "")


def normalize(name: str) -> str:
    """Return the form in which names and aliases are compared: NFC, trimmed, without regard to case."""
    folded = unicodedata.normalize("NFC", name.strip()).casefold()
    return unicodedata.normalize("NFC", folded)


def split_aliases(cell: str) -> tuple[str, ...]:
    """Return the aliases of a ``;``-separated cell, trimmed, each once, in their order."""
    return tuple(dict.fromkeys(part for alias in cell.split(";") if (part := alias.strip())))


def build_directory(table: Table, organizations: pd.DataFrame) -> tuple[Directory, list[Fault]]:
    """Build the directory from the checked columns of ``organizations``; list who cannot be told apart."""
    owners: dict[str, set[str]] = {}
    claims = list(_claims(organizations))
    ids = frozenset(id_ for id_ in organizations["organization_id"] if id_)
    for id_ in ids:
        owners.setdefault(normalize(id_), set()).add(id_)
    # Two ids that differ only in case are two ids; only what is named after the wrong one is ambiguous.
    by_name: dict[str, set[str]] = {}
    for _position, _column, text, id_ in claims:
        by_name.setdefault(normalize(text), set()).add(id_)
    everyone = {key: owners.get(key, set()) | holders for key, holders in by_name.items()}
    ambiguous = frozenset(key for key, holders in everyone.items() if len(holders) > 1)
    aliases = {key: next(iter(holders)) for key, holders in everyone.items() if key not in ambiguous}
    faults = list(_ambiguity_faults(table, claims, everyone, ambiguous)) + list(_reserved_faults(table, organizations))
    return Directory(ids | {OTHER}, aliases | {normalize(OTHER): OTHER}, ambiguous), faults


def _claims(organizations: pd.DataFrame) -> Iterator[tuple[int, str, str, str]]:
    """Yield (position, column, name or alias, id) of all that an organization is called besides its id."""
    columns = (organizations[name] for name in ("organization_id", "name", "aliases"))
    for position, id_, name, aliases in zip(organizations.index, *columns, strict=True):
        if id_ and name:
            yield position, "name", name, id_
        if id_:
            yield from ((position, "aliases", alias, id_) for alias in split_aliases(aliases))


def _ambiguity_faults(
    table: Table,
    claims: list[tuple[int, str, str, str]],
    everyone: Mapping[str, set[str]],
    ambiguous: frozenset[str],
) -> Iterator[Fault]:
    for position, column, text, id_ in claims:
        if (key := normalize(text)) in ambiguous:
            others = ", ".join(sorted(everyone[key] - {id_})[:5])
            rule = f"also stands for {others} (compared without case and outer spaces); let it stand for one"
            yield Fault(table.file, rule, row=table.line(position), column=column, value=text)


def _reserved_faults(table: Table, organizations: pd.DataFrame) -> Iterator[Fault]:
    rule = f"is reserved ({OTHER} is everyone who is not listed); choose another"
    for column in ("organization_id", "name"):
        keys = organizations[column].map(normalize)
        yield from table.faults(keys == OTHER, column, rule)
    aliases = organizations["aliases"].map(lambda cell: OTHER in map(normalize, split_aliases(cell)))
    yield from table.faults(aliases, "aliases", rule)
    rule = "is reserved (attribution.csv has a column of that name for staged incidents); choose another id"
    yield from table.faults(organizations["organization_id"] == FALSE_FLAG, "organization_id", rule)


def check_organizations(
    table: Table, organizations: pd.DataFrame, directory: Directory
) -> tuple[pd.DataFrame, list[Fault]]:
    """Return the organizations as an assessment holds them, and the faults between their rows and columns."""
    parents, strange = directory.resolve(organizations["parent_id"])
    strange = (strange | (parents == OTHER)) & ("organization_id" in table.frame)
    faults = list(table.faults(strange, "parent_id", "is not an organization of the table; add it, or leave it empty"))
    faults += _cycle_faults(table, organizations["organization_id"], parents)
    backwards = organizations["active_to"] < organizations["active_from"]
    faults += table.faults(backwards, "active_to", "lies before active_from; exchange them or correct one")
    rankable = organizations["rankable"].fillna(True).astype(bool)
    if len(organizations) and not rankable.any():
        faults.append(table.fault("no organization is rankable; let at least one be true or empty", "rankable"))
    aliases = pd.Series([split_aliases(cell) for cell in organizations["aliases"]], organizations.index, dtype=object)
    return organizations.assign(parent_id=parents, rankable=rankable, aliases=aliases), faults


def _cycle_faults(table: Table, ids: pd.Series, parents: pd.Series) -> Iterator[Fault]:
    above = {id_: parent for id_, parent in zip(ids, parents, strict=True) if id_ and parent}
    rounds: set[str] = set()
    settled: set[str] = set()
    for start in above:
        path: dict[str, None] = {}
        id_ = start
        while id_ in above and id_ not in settled and id_ not in path:
            path[id_] = None
            id_ = above[id_]
        if id_ in path:
            members = list(path)
            rounds.update(members[members.index(id_) :])
        settled.update(path)
    mask = np.asarray(ids.isin(rounds))
    yield from table.faults(mask, "parent_id", "an organization cannot stand above itself; break the circle of parents")
