"""When each organization existed, and whose old name a new one may be called by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from violencescore.grouping import AnyInts, IntArray, ints, unique_rows
from violencescore.methodology import Window
from violencescore.names import BASELINE, WINDOW

FloatArray = npt.NDArray[np.float64]
DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Activity:
    """Who could act when.

    Attributes
    ----------
    exposure
        Days of each period on which each actor existed (period, actor).
    era
        Number of the era of each incident: a period, and who existed on its date. -1 where all did, all the time.
    dated
        By era, the density of such a date if each actor did it, beside one that is even over the period (era, actor).
    side, cut
        By era and heir, 1 after the split, -1 before it in the same period, else 0 (era, heir); and how many days of
        that period are before and after (heir, 2).
    """

    exposure: FloatArray
    era: IntArray
    dated: FloatArray
    side: FloatArray
    cut: FloatArray


def period_bounds(window: Window, period: str) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First day of a period, and the day after its last."""
    if period == WINDOW:
        return pd.Timestamp(window.start), pd.Timestamp(window.end) + DAY
    if period != BASELINE or window.baseline_start is None:
        raise ValueError(f"there is no period {period}")
    return pd.Timestamp(window.baseline_start), pd.Timestamp(window.start)


def build_activity(
    organizations: pd.DataFrame,
    incidents: pd.DataFrame,
    settled: AnyInts,
    period: AnyInts,
    bounds: list[tuple[pd.Timestamp, pd.Timestamp]],
    kin: IntArray,
) -> Activity:
    """Compare the dates of incidents with those of organizations (``active_from``, ``active_to``; both count).

    Parameters
    ----------
    settled
        Perpetrator of each incident as far as it is settled, -1 elsewhere: such a one existed.
    period
        Period of each incident, and in ``bounds`` the first day of each and the day after its last.
    """
    n_actors = len(organizations) + 1
    days = np.array([(end - start) / DAY for start, end in bounds])
    exposure = np.repeat(days[:, None], n_actors, axis=1)
    first, last = organizations["active_from"], organizations["active_to"]
    life = [_life(*dates) for dates in zip(first, last, strict=True)]
    # Only of those whose dates are stated: there is no array of incidents by organizations.
    stated = np.flatnonzero((first.notna() | last.notna()).to_numpy())
    existed = np.ones((len(incidents), len(stated)), dtype=bool)
    for i, k in enumerate(stated):
        born, gone = life[k]
        lived = (incidents["date_end"] >= born) & (incidents["date_start"] < gone)
        existed[:, i] = lived.to_numpy() | (settled == k)
        for t, (start, end) in enumerate(bounds):
            # An incident of several days may reach into the time of an organization that had no day of this period.
            exposure[t, k] = max(_days(start, end, born, gone), float((existed[:, i] & (period == t)).any()))
    codes, rows = unique_rows(period, *existed.T.astype(np.int8))
    there = np.ones((len(rows), n_actors), dtype=bool)
    there[:, stated] = rows[:, 1:] == 1
    with np.errstate(divide="ignore", invalid="ignore"):
        dated = np.where(there, days[rows[:, 0], None] / exposure[rows[:, 0]], 0.0)
    plain = (dated == 1.0).all(axis=1)
    number = np.where(plain, -1, np.cumsum(~plain) - 1)
    side, cut = np.zeros((len(rows), len(kin))), np.zeros((len(kin), 2))
    for i, (heir, elder) in enumerate(kin):
        born = first.iloc[heir]
        for t, (start, end) in enumerate(bounds):
            if not start < born < end:
                continue
            cut[i] = _days(start, born, *life[elder]), _days(born, end, *life[elder])
            side[:, i] = (rows[:, 0] == t) * np.where(there[:, heir], 1.0, -1.0)
    return Activity(exposure, ints(number[codes]), dated[~plain], side[~plain], cut)


def _life(first: pd.Timestamp, last: pd.Timestamp) -> tuple[pd.Timestamp, pd.Timestamp]:
    """When an organization began, and the day after its last; for ever where a date is missing."""
    return (
        first if pd.notna(first) else pd.Timestamp.min,
        last + DAY if pd.notna(last) else pd.Timestamp.max,
    )


def _days(start: pd.Timestamp, end: pd.Timestamp, born: pd.Timestamp, gone: pd.Timestamp) -> float:
    """Days from ``start`` to before ``end`` on which an organization existed."""
    return max((min(end, gone) - max(start, born)) / DAY, 0.0)


def build_kin(organizations: pd.DataFrame, first_day: pd.Timestamp) -> IntArray:
    """Pairs of a new organization and the parent whose name it may still be given (pair, 2), the oldest first.

    New is one that began after ``first_day``, within what is looked at.
    """
    ids = {key: k for k, key in enumerate(organizations["organization_id"])}
    new = (organizations["active_from"] > first_day) & (organizations["parent_id"] != "")
    pairs = [
        (ids[row.organization_id], ids[row.parent_id])
        for row in organizations[new].sort_values("active_from", kind="stable").itertuples()
    ]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)
