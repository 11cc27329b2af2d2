"""An assessment: the methodology and the tables of one folder, read, validated and cleaned.

`read_assessment` is the only door: whatever stands in the folder, it returns an `Assessment` or raises
an `InputError` that lists every fault of every table and of the methodology at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from violencescore import relations
from violencescore.cleaning import (
    assign_categories,
    assign_periods,
    is_copy,
    leave_out_sources,
    number_pieces,
    resolve_overlaps,
)
from violencescore.coding import EMPTY, Coded, are_among, decode, encode
from violencescore.errors import Fault, InputError
from violencescore.grouping import compress
from violencescore.identities import Directory, build_directory, check_organizations
from violencescore.methodology import Methodology, methodology_from_bytes
from violencescore.names import category_label
from violencescore.schemas import COLUMNS, REQUIRED_TABLES, check_columns
from violencescore.tables import Table, empty_table, is_present, read_content, read_table

_METHODOLOGY = "methodology.toml"
_PACKAGE = "datapackage.json"
NO_WINDOW = "is missing; state the first and the last day that count as start and end"


@dataclass(frozen=True, eq=False)
class Assessment:
    """What is chosen and what is known, ready to be modelled. Tables keep the order of their files.

    Parameters
    ----------
    methodology
        The resolved choices.
    organizations
        organization_id, name, aliases (tuple), parent_id, active_from, active_to (datetime64),
        rankable (bool).
    incidents
        incident_id, date_start, date_end (datetime64), region, period (``baseline`` or ``window``).
        Incidents outside both periods, or without a harm that is scored, are left out of every table.
    harms
        incident_id, category (label), element, victim_role (may be empty), best, low, high (int64);
        overlaps between elements are resolved, harms without a category are left out.
    evidence
        incident_id, channel, organization_id, piece (int64), origin, source_id. Rows of one piece are its
        candidates; copies are left out.
    adjudications
        incident_id, organization_id, false_flag (boolean, missing where not settled; true where somebody was
        framed), framed_id (may be empty), inclusion_probability (float64, may be missing).
    links
        incident_id, linked_id: incidents that something ties to each other (the same weapon, say).
    rivalries
        organization_id, other_id, strength (float64).
    reports
        incident_id, source_id, each pair once.
    revenue
        organization_id, source_id, best, low, high (float64, low and high may be missing), year (Int64),
        kind (``revenue`` or ``flow``), unit.
    panel_weights
        panelist_id, category (label), element, victim_role, weight (float64).
    messages
        What was left out, and how much of it, as sentences.
    inputs
        SHA-256 of every file that was read, by its name.
    """

    methodology: Methodology
    organizations: pd.DataFrame
    incidents: pd.DataFrame
    harms: pd.DataFrame
    evidence: pd.DataFrame
    adjudications: pd.DataFrame
    links: pd.DataFrame
    rivalries: pd.DataFrame
    reports: pd.DataFrame
    revenue: pd.DataFrame
    panel_weights: pd.DataFrame
    messages: tuple[str, ...]
    inputs: Mapping[str, str]


def read_assessment(
    folder: str | Path, methodology: Methodology | None = None, *, without_sources: Collection[str] = ()
) -> Assessment:
    """Read and validate the folder of an assessment.

    Parameters
    ----------
    folder
        Holds ``methodology.toml`` and the tables, each as CSV (UTF-8) or Parquet.
    methodology
        Used instead of the one in the folder, which is then not read.
    without_sources
        Ids of sources to leave out as if they did not exist (see ``cleaning.leave_out_sources``).

    Raises
    ------
    InputError
        With every fault: table, row (line of the file, the header is line 1), column, value and rule.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError([Fault(str(folder), "is not a folder; name the folder that holds the tables")])
    inputs: dict[str, str] = {}
    faults: list[Fault] = []
    if methodology is None:
        methodology, found = _read_methodology(folder, inputs)
        faults += found
    if methodology is not None and methodology.window is None:
        faults.append(Fault(_METHODOLOGY, NO_WINDOW, column="window"))
    faults += _check_package(folder, inputs)
    tables, found = _read_tables(folder, inputs)
    faults += found
    checked, found = _check_tables(tables, methodology)
    faults += found
    del tables  # before cleaning needs the room
    if faults or methodology is None:
        raise InputError(_in_order(faults))
    assessment = _clean(checked, methodology, inputs, without_sources)
    pa.default_memory_pool().release_unused()
    return assessment


@dataclass(frozen=True, eq=False)
class Choices:
    """What is chosen before there is any incident; the parts are those of an `Assessment`."""

    methodology: Methodology
    organizations: pd.DataFrame
    panel_weights: pd.DataFrame
    inputs: Mapping[str, str]


def read_choices(folder: str | Path) -> Choices:
    """Read the methodology, the organizations and the panel's weights; other tables need not be there yet.

    Raises
    ------
    InputError
        With every fault, as by `read_assessment`.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError([Fault(str(folder), "is not a folder; name the folder that holds the methodology")])
    inputs: dict[str, str] = {}
    methodology, faults = _read_methodology(folder, inputs)
    if methodology is not None and methodology.window is None:
        faults.append(Fault(_METHODOLOGY, NO_WINDOW, column="window"))
    names = ("organizations", "panel_weights")
    tables, found = _read_tables(folder, inputs, names)
    checked, more = _check_tables(tables, methodology)
    if (faults := [*faults, *found, *more]) or methodology is None:
        raise InputError(_in_order(faults))
    organizations, panel = (
        checked[name] if name in checked else check_columns(empty_table(name, COLUMNS[name]), methodology)[0]
        for name in names
    )
    weights = _clean_panel(panel.decoded(), methodology, [])
    return Choices(methodology, organizations.frame.reset_index(drop=True), weights, inputs)


def _read_tables(
    folder: Path, inputs: dict[str, str], names: Collection[str] = tuple(COLUMNS)
) -> tuple[dict[str, Table], list[Fault]]:
    """Read every table that is there; their incident ids have the same codes."""
    tables: dict[str, Table] = {}
    faults: list[Fault] = []
    known: dict[str, pd.Series] = {}
    for name in names:
        columns = COLUMNS[name]
        table, found, digests = read_table(folder, name, columns, known, required=name in REQUIRED_TABLES)
        faults += found
        inputs |= digests
        if table is not None:
            tables[name] = table
            known |= {column: words for column, words in table.words.items() if column == "incident_id"}
        pa.default_memory_pool().release_unused()  # the text, of which codes are left
    return tables, faults


def _read_methodology(folder: Path, inputs: dict[str, str]) -> tuple[Methodology | None, list[Fault]]:
    if not is_present(folder / _METHODOLOGY):
        return None, [
            Fault(
                _METHODOLOGY,
                'is missing; write one, for instance with extends = "kleiman-2011" and a [window]',
            )
        ]
    content = read_content(folder / _METHODOLOGY)
    if isinstance(content, Fault):
        return None, [content]
    inputs[_METHODOLOGY] = hashlib.sha256(content).hexdigest()
    try:
        return methodology_from_bytes(content, _METHODOLOGY), []
    except InputError as error:
        return None, list(error.faults)


def _check_package(folder: Path, inputs: dict[str, str]) -> list[Fault]:
    if not is_present(folder / _PACKAGE):
        return []
    content = read_content(folder / _PACKAGE)
    if isinstance(content, Fault):
        return [content]
    inputs[_PACKAGE] = hashlib.sha256(content).hexdigest()
    try:
        json.loads(content)
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else None
        return [Fault(_PACKAGE, "is not valid JSON; correct it, or remove the file, which is optional", row=line)]
    return []


def _check_tables(tables: Mapping[str, Table], methodology: Methodology | None) -> tuple[dict[str, Coded], list[Fault]]:
    """Check columns, then relations. A table that could not be read makes no faults in others."""
    checked: dict[str, Coded] = {}
    faults: list[Fault] = []
    for name, table in tables.items():
        checked[name], found = check_columns(table, methodology)
        faults += found
    directory: Directory | None = None
    if "organizations" in tables:
        table = tables["organizations"]
        organizations = checked["organizations"].decoded()
        directory, found = build_directory(table, organizations)
        organizations, more = check_organizations(table, organizations, directory)
        checked["organizations"] = Coded(organizations, {})
        faults += found + more
        if not {"organization_id", "name"} <= set(table.frame.columns):
            directory = None
    incidents = tables.get("incidents")
    if incidents is not None:
        faults += relations.incident_faults(incidents, checked["incidents"].frame)
    for name in ("harms", "evidence", "adjudications", "reports", "links"):
        if name in tables and incidents is not None and "incident_id" in incidents.frame:
            ids = (checked[table].frame["incident_id"] for table in (name, "incidents"))
            faults += relations.orphan_faults(tables[name], *ids)
    for name, columns in _REFERENCES.items():
        if name in tables and directory is not None:
            checked[name], found = relations.resolve_organizations(tables[name], checked[name], directory, columns)
            faults += found
    faults += _relation_faults(tables, checked, methodology, resolved=directory is not None)
    return checked, faults


_PAIRS = {"links": ("incident_id", "linked_id"), "rivalries": ("organization_id", "other_id")}
"""Tables of pairs, whose two must differ."""

# Which columns name organizations, and whether they may name `other`.
_REFERENCES = {
    "evidence": {"organization_id": True},
    "adjudications": {"organization_id": True, "framed_id": True},
    "revenue": {"organization_id": False},
    "rivalries": {"organization_id": False, "other_id": False},
}


def _relation_faults(
    tables: Mapping[str, Table],
    checked: dict[str, Coded],
    methodology: Methodology | None,
    *,
    resolved: bool,
) -> list[Fault]:
    faults: list[Fault] = []
    if (table := tables.get("harms")) is not None:
        frame = checked["harms"].frame
        faults += relations.range_faults(table, frame)
        faults += relations.repeat_faults(table, frame, ["incident_id", "element", "victim_role"], "element")
    if (table := tables.get("evidence")) is not None:
        evidence = checked["evidence"]
        evidence = Coded(evidence.frame.assign(piece=number_pieces(evidence.frame)), evidence.words)
        checked["evidence"] = evidence
        if methodology is not None and resolved:
            single = frozenset(name for name, channel in methodology.channels.items() if not channel.candidates)
            faults += relations.candidate_faults(table, evidence, single)
    if (table := tables.get("adjudications")) is not None:
        faults += relations.adjudication_faults(table, checked["adjudications"])
    if "links" in tables and "incidents" in tables:
        faults += relations.link_faults(tables["links"], checked["links"], checked["incidents"])
    for name, columns in _PAIRS.items():
        if name in tables:
            faults += relations.pair_faults(tables[name], checked[name], *columns)
    if (table := tables.get("revenue")) is not None:
        revenue = checked["revenue"].decoded().replace({"kind": {"": "revenue"}})
        checked["revenue"] = Coded(revenue, {})
        faults += relations.range_faults(table, revenue)
        faults += relations.unit_faults(table, revenue)
    if (table := tables.get("panel_weights")) is not None:
        frame = checked["panel_weights"].frame
        faults += relations.repeat_faults(table, frame, ["panelist_id", "element", "victim_role"], "element")
        faults += relations.panelist_faults(table, frame)
    elif methodology is not None and methodology.weights.use == "panel":
        rule = 'is missing, although the methodology says weights.use = "panel"; add it, or use "published"'
        faults.append(Fault("panel_weights.csv", rule))
    return faults


def _in_order(faults: list[Fault]) -> list[Fault]:
    """The methodology first, then table by table; within a file by row."""
    places = {name: i for i, name in enumerate(COLUMNS)}
    return sorted(
        dict.fromkeys(faults),
        key=lambda fault: (places.get(fault.table.rsplit(".", 1)[0], -1), fault.table, fault.row or 0),
    )


def _clean(
    checked: dict[str, Coded],
    methodology: Methodology,
    inputs: Mapping[str, str],
    without_sources: Collection[str],
) -> Assessment:
    messages: list[str] = []
    tables = {
        name: checked.pop(name) if name in checked else check_columns(empty_table(name, columns), methodology)[0]
        for name, columns in COLUMNS.items()
    }
    tables = leave_out_sources(tables, without_sources)
    incidents = _date_incidents(tables.pop("incidents"), methodology, messages)
    all_harms = tables.pop("harms")
    harms = _select_harms(all_harms, incidents, methodology, messages)
    incidents = _harmed_incidents(incidents, all_harms, harms, messages)
    del all_harms
    if not len(incidents):
        rule = "no incident with a scored harm lies in the window or the baseline; check the dates of [window]"
        raise InputError([Fault("incidents", rule)])
    adjudications = _among(tables["adjudications"], incidents).decoded()
    staged = adjudications["false_flag"].astype("boolean").mask(adjudications["framed_id"] != "", True)
    return Assessment(
        methodology=methodology,
        organizations=tables["organizations"].frame.reset_index(drop=True),
        incidents=incidents.decoded(),
        harms=harms.decoded(),
        evidence=_clean_evidence(_among(tables.pop("evidence"), incidents), messages),
        adjudications=_floats(adjudications.assign(false_flag=staged), "inclusion_probability"),
        links=_clean_links(tables["links"], incidents),
        rivalries=_clean_rivalries(tables["rivalries"]),
        reports=_drop_repeats(_among(tables["reports"], incidents), "reports", messages).decoded(),
        revenue=_clean_revenue(tables["revenue"], messages),
        panel_weights=_clean_panel(tables["panel_weights"].decoded(), methodology, messages),
        messages=tuple(messages),
        inputs=dict(inputs),
    )


def _date_incidents(table: Coded, methodology: Methodology, messages: list[str]) -> Coded:
    if methodology.window is None:  # reported as a fault before
        raise InputError([Fault(_METHODOLOGY, "is missing; state start and end", column="window")])
    incidents = table.frame
    start = incidents["date"].fillna(incidents["date_start"])
    end = incidents["date_end"].fillna(start)
    period = assign_periods(start, methodology.window)
    dated = incidents[["incident_id"]].assign(date_start=start, date_end=end, region=incidents["region"], period=period)
    inside = period != ""
    if n_outside := int((~inside).sum()):
        messages.append(f"{n_outside} of {_count(len(dated), 'incident')} lie outside both periods and were left out.")
    return Coded(dated, table.words).rows(inside)


def _select_harms(table: Coded, incidents: Coded, methodology: Methodology, messages: list[str]) -> Coded:
    """Keep harms that are scored. Only they overlap, so that no victim is lost to one that is not scored."""
    table = assign_categories(_among(table, incidents), methodology)
    harms = table.frame
    best = harms["best"].astype(np.int64)
    low, high = harms["low"].fillna(best).astype(np.int64), harms["high"].fillna(best).astype(np.int64)
    harms = harms.assign(best=best, low=low, high=high)
    is_scored = harms["category"] != EMPTY
    unscored = decode(harms.loc[~is_scored, "element"], table.words["element"]).value_counts(sort=False)
    if len(unscored):
        by_element = ", ".join(f"{element} {n}" for element, n in unscored.items())
        n_rows = _count(int(unscored.sum()), "row")
        messages.append(f"{n_rows} of harms have no category in the methodology and were left out ({by_element}).")
    scored = harms[is_scored].reset_index(drop=True)
    [precedence], _ = encode(pd.Series(methodology.harms.precedence, dtype="str"), known=table.words["element"])
    kept = resolve_overlaps(scored, precedence.tolist())
    if n_again := len(scored) - len(kept):
        rows = _count(n_again, "row")
        messages.append(f"{rows} of harms describe victims already counted under an earlier element and were left out.")
    columns = ["incident_id", "category", "element", "victim_role", "best", "low", "high"]
    return Coded(kept[columns].reset_index(drop=True), table.words)


def _harmed_incidents(incidents: Coded, all_harms: Coded, harms: Coded, messages: list[str]) -> Coded:
    ids, mentioned_ids, scored_ids = (table.frame["incident_id"] for table in (incidents, all_harms, harms))
    scored, mentioned = are_among(ids, scored_ids), are_among(ids, mentioned_ids)
    if n_bare := int((~mentioned).sum()):
        messages.append(f"{_count(n_bare, 'incident')} without any row in harms were left out.")
    if n_unscored := int((mentioned & ~scored).sum()):
        messages.append(f"{_count(n_unscored, 'incident')} without a harm that is scored were left out.")
    return incidents.rows(scored)


def _clean_evidence(evidence: Coded, messages: list[str]) -> pd.DataFrame:
    if "piece" not in evidence.frame:  # there is no such table
        evidence = Coded(evidence.frame.assign(piece=np.empty(0, dtype=np.int64)), evidence.words)
    copies = is_copy(evidence.frame)
    if n_copies := int(copies.sum()):
        messages.append(f"{_count(n_copies, 'row')} of evidence repeat others (copies) and were left out.")
    evidence = evidence.rows(~copies)
    _, piece = compress(evidence.frame["piece"].to_numpy(), 0)
    columns = ["incident_id", "channel", "organization_id", "piece", "origin", "source_id"]
    return evidence.decoded().assign(piece=piece)[columns]


def _clean_links(table: Coded, incidents: Coded) -> pd.DataFrame:
    links, known = table.decoded(), incidents.decoded()["incident_id"]
    inside = links["incident_id"].isin(known) & links["linked_id"].isin(known)
    return links[inside].drop_duplicates().reset_index(drop=True)


def _clean_rivalries(table: Coded) -> pd.DataFrame:
    rivalries = table.decoded()
    strength = rivalries["strength"].astype(np.float64).fillna(1.0)
    return rivalries.assign(strength=strength).reset_index(drop=True)


def _clean_revenue(table: Coded, messages: list[str]) -> pd.DataFrame:
    table = Coded(_floats(table.decoded(), "best", "low", "high"), {})
    return _drop_repeats(table, "revenue", messages).frame


def _clean_panel(panel: pd.DataFrame, methodology: Methodology, messages: list[str]) -> pd.DataFrame:
    pairs = zip(panel["element"], panel["victim_role"], strict=True)
    category = pd.Series([category_label(e, role) for e, role in pairs], index=panel.index, dtype="str")
    scored = category.isin(methodology.category_labels)
    if n_unscored := int((~scored).sum()):
        rows = _count(n_unscored, "row")
        messages.append(f"{rows} of panel_weights weigh what is no category of the methodology and were left out.")
    columns = ["panelist_id", "category", "element", "victim_role", "weight"]
    return _floats(panel.assign(category=category)[scored], "weight")[columns].reset_index(drop=True)


def _among(table: Coded, incidents: Coded) -> Coded:
    return table.rows(are_among(table.frame["incident_id"], incidents.frame["incident_id"]))


def _drop_repeats(table: Coded, name: str, messages: list[str]) -> Coded:
    repeats = table.frame.duplicated()
    if n_repeats := int(repeats.sum()):
        messages.append(f"{_count(n_repeats, 'row')} of {name} repeat others and were left out.")
    return table.rows(~repeats)


def _floats(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return frame.assign(**{column: frame[column].astype(np.float64) for column in columns})


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
