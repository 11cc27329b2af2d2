"""From checked tables to what counts: periods, categories, overlaps, pieces of evidence. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

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


def assign_categories(element: pd.Series, victim_role: pd.Series, methodology: Methodology) -> pd.Series:
    """Return the label of the category that takes each harm, or an empty text where none does.

    A category with the harm's own victim role takes it first, then one of its element without a role.
    """
    labels = frozenset(methodology.category_labels)
    pairs = pd.MultiIndex.from_arrays([element, victim_role])
    codes, kinds = pairs.factorize()
    found = [next((label for label in (category_label(e, role), e) if label in labels), "") for e, role in kinds]
    return pd.Series(np.array([*found, ""], dtype=object)[codes], index=element.index, dtype="str")


def resolve_overlaps(harms: pd.DataFrame, precedence: tuple[str, ...]) -> pd.DataFrame:
    """Count victims once where elements of ``precedence`` describe the same people.

    Within an incident and victim role, an element keeps what exceeds those before it: ``best`` less the
    greatest earlier best, ``low`` less the greatest earlier high, ``high`` less the greatest earlier low,
    none below zero. (They nest, so that those counted before number as many as the greatest of them.) Rows
    reduced to nothing are dropped; rows that held nothing from the start stay.

    Parameters
    ----------
    harms
        incident_id, element, victim_role, best, low, high (int64), one row per incident, element and role.

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


def number_pieces(evidence: pd.DataFrame) -> pd.Series:
    """Return the piece of evidence (int64) of each row: same incident, channel and origin are one.

    Without an origin each row is its own. Numbers count from 0 in the order of the rows.
    """
    rows = pd.Series(np.arange(len(evidence)), index=evidence.index)
    grouped = evidence["origin"] != ""
    first = rows.groupby([evidence["incident_id"], evidence["channel"], evidence["origin"]]).transform("min")
    return pd.Series(pd.factorize(first.where(grouped, rows))[0].astype(np.int64), index=evidence.index)


def is_copy(evidence: pd.DataFrame, piece: pd.Series) -> pd.Series:
    """Return which rows say again what an earlier row said.

    The same organization twice in one piece; without an origin, the same incident, channel,
    organization and (stated) source.
    """
    again = evidence.assign(piece=piece).duplicated(["piece", "organization_id"])
    same_source = evidence.duplicated(["incident_id", "channel", "organization_id", "source_id", "origin"])
    return again | (same_source & (evidence["origin"] == "") & (evidence["source_id"] != ""))


def leave_out_sources(tables: Mapping[str, pd.DataFrame], sources: Collection[str]) -> dict[str, pd.DataFrame]:
    """Return the tables as they would be if some sources did not exist.

    Their rows of evidence, reports and revenue go. So does an incident that only they list in ``reports``, unless
    evidence of another source or an adjudication speaks of it. To be done before copies are dropped: what another
    source repeated stays known through that source.

    Parameters
    ----------
    tables
        Checked tables by name, with the columns of the assessment.
    sources
        Ids of the sources to leave out.
    """
    if not sources:
        return dict(tables)
    kept = dict(tables)
    for name in ("evidence", "reports", "revenue"):
        kept[name] = tables[name][~tables[name]["source_id"].isin(list(sources))].reset_index(drop=True)
    listed = set(tables["reports"]["incident_id"]) - set(kept["reports"]["incident_id"])
    known = {*kept["evidence"]["incident_id"], *kept["adjudications"]["incident_id"]}
    gone = tables["incidents"]["incident_id"].isin(list(listed - known))
    kept["incidents"] = tables["incidents"][~gone].reset_index(drop=True)
    return kept
