"""Small assessments with sub-units, events and networks, and draws made by hand, for the tests of units and flows."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from violencescore.assessment import Assessment, read_assessment
from violencescore.errors import InputError
from violencescore.units import MemberHarm

METHODOLOGY = """\
extends = "kleiman-2011"
id = "units"
version = "1.0.0"

[window]
start = 2026-07-01
end = 2026-08-29
baseline_start = 2026-01-01

[[category]]
element = "killing"
weight = 2.0

[[category]]
element = "extortion"
weight = 0.5
"""
"""A window of sixty days."""

HEADERS = {
    "organizations": "organization_id,name,parent_id,active_from,active_to,rankable",
    "incidents": "incident_id,date,region",
    "harms": "incident_id,element,best",
    "evidence": "incident_id,channel,organization_id",
    "adjudications": "incident_id,organization_id",
    "revenue": "organization_id,source_id,best,kind,unit",
    "events": "event_id,date,kind,organization_id,other_id",
    "networks": "network_id,region,best,low,high,unit,date,settled_id",
    "network_evidence": "network_id,channel,organization_id,origin,source_id",
}

TABLES = {
    "organizations": "a,Alpha,,,, a1,Alpha-North,a,,, a2,Alpha-South,a,,, b,Beta,,,, c,Gamma,,,,",
    "incidents": "i1,2026-07-02,north i2,2026-07-20,north i3,2026-08-10,south i4,2026-03-03,south",
    "harms": "i1,killing,1 i2,killing,2 i3,extortion,5 i4,killing,1",
    "evidence": "i1,press,a1 i2,press,b i3,claim,a2",
}


def write_units(folder: Path, methodology: str = METHODOLOGY, **tables: str | list[str]) -> Path:
    """Write an assessment from rows (text, one a word, or a list), those of ``TABLES`` unless given."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "methodology.toml").write_text(methodology, encoding="utf-8")
    for table, given in (TABLES | tables).items():
        rows = given.split() if isinstance(given, str) else given
        (folder / f"{table}.csv").write_text("\n".join([HEADERS[table], *rows, ""]), encoding="utf-8")
    return folder


def read_units(methodology: str = METHODOLOGY, **tables: str | list[str]) -> Assessment:
    """Read such an assessment."""
    with TemporaryDirectory() as name:
        return read_assessment(write_units(Path(name) / "case", methodology, **tables))


def faults_of(methodology: str = METHODOLOGY, **tables: str | list[str]) -> list[str]:
    """Read such an assessment, which must fail, and return its faults as text."""
    try:
        read_units(methodology, **tables)
    except InputError as error:
        return [str(fault) for fault in error.faults]
    raise AssertionError("no fault was found")


def with_units(*lines: str) -> str:
    """The methodology with lines under ``[units]``."""
    return METHODOLOGY + "\n[units]\n" + "\n".join(lines) + "\n"


def hand_made(realized, by_class=None, baseline=None) -> MemberHarm:
    """Draws in which each actor (``other`` last) did what is given, (draw, actor) or (draw, class, actor).

    There is one category; the expected harm is that in the window.
    """
    whole = np.asarray(realized, dtype=float)[None, :, :, None]
    parts = None if by_class is None else np.asarray(by_class, dtype=float)[None, :, :, :, None]
    before = None if baseline is None else np.asarray(baseline, dtype=float)[None, :, :, None]
    return MemberHarm(whole, whole, before, parts)
