"""Assessments for tests of the model: small folders from CSV text, and simulated worlds, read as any other."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from violencescore.assessment import Assessment, read_assessment
from violencescore.design import Design, build_design
from violencescore.model.kernel import Kernel, build_kernel
from violencescore.simulation import Simulation, World, simulate_world, write_simulation

METHODOLOGY = """\
extends = "kleiman-2011"
id = "case"
version = "1.0.0"

[window]
start = 2026-07-01
end = 2026-08-26
baseline_start = 2026-01-01

[channels.dyad]
forgeable = false
candidates = true
accuracy = [40, 1]

[channels.panel]
forgeable = false
candidates = true
accuracy = [8, 2]
"""

HEADERS = {
    "organizations": "organization_id,name,rankable",
    "incidents": "incident_id,date,region",
    "harms": "incident_id,element,victim_role,best,low,high",
    "evidence": "incident_id,channel,organization_id,origin,source_id",
    "adjudications": "incident_id,organization_id,false_flag,framed_id",
    "links": "incident_id,linked_id",
    "rivalries": "organization_id,other_id,strength",
    "revenue": "organization_id,source_id,best,low,high,kind",
    "panel_weights": "panelist_id,element,victim_role,weight",
}


def read_case(methodology: str = METHODOLOGY, **tables: str | list[str]) -> Assessment:
    """Read an assessment from rows (text, one a line or in a list), without headers but where others are wanted."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "methodology.toml").write_text(methodology, encoding="utf-8")
        for table, given in tables.items():
            rows = list(given.split() if isinstance(given, str) else given)
            if not rows or rows[0].split(",")[0] != HEADERS[table].split(",")[0]:
                rows.insert(0, HEADERS[table])
            (folder / f"{table}.csv").write_text("\n".join([*rows, ""]), encoding="utf-8")
        return read_assessment(folder)


def read_simulation(simulation: Simulation) -> Assessment:
    """Read a simulated assessment through the files that it writes."""
    with TemporaryDirectory() as name:
        write_simulation(simulation, Path(name) / "world")
        return read_assessment(Path(name) / "world")


@cache
def simulated(world: str | World, seed: int, n_incidents: int) -> Assessment:
    """Read a simulated world, once."""
    return read_simulation(simulate_world(world, seed, n_incidents))


def build_case(assessment: Assessment) -> tuple[Design, Kernel]:
    """Return the design and the kernel of an assessment."""
    design = build_design(assessment)
    return design, build_kernel(design, assessment.methodology.priors)


def replace_tables(assessment: Assessment, **tables: pd.DataFrame) -> Assessment:
    """Return the assessment with other (cleaned) tables."""
    return dataclasses.replace(assessment, **tables)
