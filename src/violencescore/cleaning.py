"""From checked tables to what counts: periods, categories, overlaps, pieces of evidence. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from violencescore.coding import EMPTY, Coded
from violencescore.grouping import IntArray, first_rows, number_rows
from violencescore.methodology import Methodology, Window
from violencescore.names import BASELINE, WINDOW, category_label


def assign_periods(date_start: pd.Series, window: Window) -> pd.Series:
    """Return ``window``, ``baseline`` or an empty text for each first day of an incident."""
    start, end = pd.Timestamp(window.start), pd.Timestamp(window.end)
    in_window = (date_start >= start) & (date_start <= end)
    in_baseline = pd.Series(False, index=date_start.index)
    if window.baseline_start is not None:
        in_baseline = (date_start >= pd.Timestamp(window.baseline_start)) & (date_start < start)
    names = np.select([in_window.to_numpy(), in_baseline.to_numpy()], [WINDOW, BASELINE], default="")
    return pd.Series(names, index=date_start.index, dtype="str")


def assign_categories(harms: Coded, methodology: Methodology) -> Coded:
    """Add the category that takes each harm, as a code; the empty text where none does.

    A category with the harm's own victim role takes it first, then one of its element without a role.
    """
    labels = ["", *methodology.category_labels]
    elements, roles = harms.words["element"], harms.words["victim_role"]
    options = [[(category_label(element, role), element) for role in roles] for element in elements]
    found = [[next((labels.index(o) for o in pair if o in labels), EMPTY) for pair in pairs] for pairs in options]
    codes = np.array(found, dtype=np.int32)[harms.frame["element"], harms.frame["victim_role"]]
    words = {**harms.words, "category": pd.Series(labels, dtype="str")}
    return Coded(harms.frame.assign(category=codes), words)


def resolve_overlaps(harms: pd.DataFrame, precedence: Sequence[Hashable]) -> pd.DataFrame:
    """Count victims once where elements of ``precedence`` describe the same people.

    Within an incident and victim role, an element keeps what exceeds those before it: ``best`` less the
    greatest earlier best, ``low`` less the greatest earlier high, ``high`` less the greatest earlier low,
    none below zero. (They nest, so that those counted before number as many as the greatest of them.) Rows
    reduced to nothing are dropped; rows that held nothing from the start stay.

    Parameters
    ----------
    harms
        incident_id, element, victim_role, best, low, high (int64), one row per incident, element and role.
        What stands in the first three is compared only: text or codes.

    Examples
    --------
    >>> harms = pd.DataFrame({"incident_id": "a", "element": ["kidnapping", "killing"], "victim_role": "",
    ...                       "best": [3, 2], "low": [3, 1], "high": [4, 2]})
    >>> resolve_overlaps(harms, ("killing", "kidnapping"))[["element", "best", "low", "high"]].values.tolist()
    [['kidnapping', 1, 1, 3], ['killing', 2, 1, 2]]
    """
    place = harms["element"].map({element: i for i, element in enumerate(precedence)})
    ranked = harms.assign(place=place).dropna(subset=["place"]).sort_values("place", kind="stable")
    ranked = ranked[ranked.duplicated(["incident_id", "victim_role"], keep=False)]
    if ranked.empty:
        return harms
    keys = [ranked["incident_id"], ranked["victim_role"]]
    counts = ranked[["best", "low", "high"]]
    earlier = counts.groupby(keys).cummax().groupby(keys).shift(fill_value=0)
    kept = pd.DataFrame(
        {
            "best": counts["best"] - earlier["best"],
            "low": counts["low"] - earlier["high"],
            "high": counts["high"] - earlier["low"],
        }
    ).clip(lower=0)
    result = harms.copy()
    result.loc[kept.index, ["best", "low", "high"]] = kept
    emptied = kept.index[(kept["high"] == 0) & (counts["high"] > 0)]
    return result.drop(index=emptied)


def number_pieces(evidence: pd.DataFrame, key: str = "incident_id") -> IntArray:
    """Return the piece of evidence of each row: same incident (or other ``key``), channel and origin (codes) are one.

    Without an origin each row is its own. Numbers count from 0 in the order of the rows.
    """
    origin = evidence["origin"].to_numpy()
    own = -1 - np.arange(len(origin))
    return number_rows(evidence[key], evidence["channel"], np.where(origin == EMPTY, own, origin))


def is_copy(evidence: pd.DataFrame, key: str = "incident_id") -> NDArray[np.bool_]:
    """Return which rows (codes, with their piece) say again what an earlier row said.

    The same organization twice in one piece; without an origin, the same incident, channel,
    organization and (stated) source.
    """
    copies = np.zeros(len(evidence), dtype=bool)
    piece = evidence["piece"].to_numpy()
    shared = np.flatnonzero(np.bincount(piece)[piece] > 1)
    _mark_repeats(copies, shared, evidence, "piece", "organization_id")
    sourced = np.flatnonzero((evidence["origin"] == EMPTY) & (evidence["source_id"] != EMPTY))
    _mark_repeats(copies, sourced, evidence, key, "channel", "organization_id", "source_id")
    return copies


def _mark_repeats(marks: NDArray[np.bool_], rows: NDArray[np.intp], frame: pd.DataFrame, *columns: str) -> None:
    numbers = number_rows(*(frame[column].to_numpy()[rows] for column in columns))
    repeats = np.ones(len(rows), dtype=bool)
    repeats[first_rows(numbers)] = False
    marks[rows[repeats]] = True


def leave_out_sources(tables: Mapping[str, Coded], sources: Collection[str]) -> dict[str, Coded]:
    """Return the tables as they would be if some sources did not exist.

    Their rows of evidence (of networks too), reports and revenue go. So does an incident that only they list in
    ``reports``, unless evidence of another source or an adjudication speaks of it. To be done before copies are
    dropped: what another source repeated stays known through that source.

    Parameters
    ----------
    tables
        Checked tables by name, with the columns of the assessment; their incident ids have the same codes.
    sources
        Ids of the sources to leave out.
    """
    kept = dict(tables)
    if not sources:
        return kept
    for name in ("evidence", "reports", "revenue", "network_evidence"):
        kept[name] = tables[name].rows(~tables[name].text("source_id").isin(list(sources)))
    gone = np.unique(tables["reports"].frame["incident_id"])
    for name in ("reports", "evidence", "adjudications"):
        gone = np.setdiff1d(gone, kept[name].frame["incident_id"])
    kept["incidents"] = tables["incidents"].rows(~tables["incidents"].frame["incident_id"].isin(gone))
    return kept


def clean_links(table: Coded, incidents: Coded) -> pd.DataFrame:
    """Return the links between incidents that count."""
    links = table.decoded()
    ids = incidents.text("incident_id")
    known = ids[ids.isin(pd.concat([links["incident_id"], links["linked_id"]]))]  # few, whatever the incidents
    inside = links["incident_id"].isin(known) & links["linked_id"].isin(known)
    return links[inside].drop_duplicates().reset_index(drop=True)


def clean_rivalries(table: Coded) -> pd.DataFrame:
    """Return the rivalries with their strength, 1 where none is stated."""
    rivalries = table.decoded()
    strength = rivalries["strength"].astype(np.float64).fillna(1.0)
    return rivalries.assign(strength=strength).reset_index(drop=True)


def clean_panel(panel: pd.DataFrame, methodology: Methodology, messages: list[str]) -> pd.DataFrame:
    """Return the panel's weights of what is scored."""
    pairs = zip(panel["element"], panel["victim_role"], strict=True)
    category = pd.Series([category_label(e, role) for e, role in pairs], index=panel.index, dtype="str")
    scored = category.isin(methodology.category_labels)
    if n_unscored := int((~scored).sum()):
        rows = count(n_unscored, "row")
        messages.append(f"{rows} of panel_weights weigh what is no category of the methodology and were left out.")
    columns = ["panelist_id", "category", "element", "victim_role", "weight"]
    return floats(panel.assign(category=category)[scored], "weight")[columns].reset_index(drop=True)


def floats(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return the frame with some columns as floating-point numbers."""
    return frame.assign(**{column: frame[column].astype(np.float64) for column in columns})


def count(n: int, noun: str) -> str:
    """Return a number and its noun: ``1 row``, ``2 rows``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
