"""Variants of an assessment: cut off at an earlier day, or stripped of false flags."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date, timedelta

import pandas as pd

from violencescore.assessment import Assessment

_BY_INCIDENT = ("harms", "evidence", "adjudications", "reports")


def without_false_flags(assessment: Assessment) -> Assessment:
    """Return the assessment under a model that knows no staging: no channel can be forged, no case settles one.

    With nothing forgeable a staged incident gives the evidence that an honest one gives, so that the shares and targets
    of false flags drop out of the likelihood; without settled ones they are not parameters at all.
    """
    methodology = assessment.methodology
    channels = {name: channel.model_copy(update={"forgeable": False}) for name, channel in methodology.channels.items()}
    settled = assessment.adjudications
    plain = settled.assign(false_flag=pd.array([pd.NA] * len(settled), dtype="boolean"), framed_id="")
    return dataclasses.replace(
        assessment, methodology=methodology.model_copy(update={"channels": channels}), adjudications=plain
    )


def weekly_looks(assessment: Assessment) -> Mapping[int, Assessment]:
    """Return the assessment as it stands at the end of each week of the window, by week; the last one is whole.

    The window ends with that week, and nothing later is known. A last week that is cut short belongs to the one before.
    """
    window = assessment.methodology.window
    if window is None:
        return {}
    weeks = max(((window.end - window.start).days + 1) // 7, 1)
    ends = [window.start + timedelta(days=7 * week - 1) for week in range(1, weeks)]
    looks = {week: cut_off(assessment, end) for week, end in enumerate(ends, start=1)}
    return looks | {weeks: assessment}


def cut_off(assessment: Assessment, end: date) -> Assessment:
    """Return the assessment with a window that ends on a day, and without what began later."""
    methodology = assessment.methodology
    if methodology.window is None:
        raise ValueError("an assessment without a window cannot be cut off")
    window = methodology.window.model_copy(update={"end": end})
    reports = assessment.reports
    come = reports[~(reports["reported_on"] > pd.Timestamp(end))]
    to_come = set(reports["incident_id"]) - set(come["incident_id"])
    incidents = assessment.incidents[assessment.incidents["date_start"] <= pd.Timestamp(end)]
    incidents = incidents[~incidents["incident_id"].isin(to_come)].reset_index(drop=True)
    known = incidents["incident_id"]
    tables = {name: getattr(assessment, name) for name in _BY_INCIDENT} | {"reports": come}
    kept = {name: table[table["incident_id"].isin(known)].reset_index(drop=True) for name, table in tables.items()}
    return dataclasses.replace(
        assessment, methodology=methodology.model_copy(update={"window": window}), incidents=incidents, **kept
    )
