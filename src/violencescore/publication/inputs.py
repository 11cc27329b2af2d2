"""Disclosed inputs read back as an assessment, and whether two assessments are the same to the model."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from violencescore.assessment import Assessment, read_assessment
from violencescore.methodology import Methodology
from violencescore.publication.tabular import read_text_table

INCIDENTS = "inputs/incidents.csv"


def read_inputs(files: Mapping[str, bytes], methodology: Methodology) -> Assessment:
    """Read the tables under ``inputs/`` of a bundle as an assessment under a methodology.

    The panel's weights are not asked for: where they are sealed they are not there.

    Raises
    ------
    InputError
        With every fault of the tables.
    """
    weights = methodology.weights.model_copy(update={"use": "published"})
    with tempfile.TemporaryDirectory() as folder:
        for path, content in files.items():
            if path.startswith("inputs/") and path.endswith(".csv"):
                table = read_text_table(content, path)
                table.to_csv(Path(folder) / Path(path).name, index=False, lineterminator="\n")
        return read_assessment(folder, methodology.model_copy(update={"weights": weights}))


def is_same_to_model(left: Assessment, right: Assessment) -> bool:
    """Whether the model sees the same in both: ids, days, sources and the order of rows are nothing to it."""
    tables = [
        (list(a.organizations["organization_id"]), list(a.organizations["rankable"]), _incidents_seen(a), _revenue(a))
        for a in (left, right)
    ]
    return tables[0] == tables[1]


def _incidents_seen(assessment: Assessment) -> Counter[tuple[object, ...]]:
    """Count the incidents that agree in all that the model looks at."""
    harms = _by_incident(assessment.harms, ["category", "low", "best", "high"])
    evidence = assessment.evidence.sort_values(["incident_id", "piece", "organization_id"])
    pieces = evidence.groupby(["incident_id", "channel", "piece"], sort=True)["organization_id"].agg(tuple)
    said = _by_incident(pieces.reset_index(), ["channel", "organization_id"])
    settled = _by_incident(assessment.adjudications.astype(str), ["organization_id", "false_flag", "framed_id"])
    incidents = assessment.incidents.assign(day=assessment.incidents["date_start"] if _days_matter(assessment) else "")
    rows = incidents[["incident_id", "period", "region", "day"]].itertuples(index=False, name=None)
    seen = {i: (*where, harms.get(i), said.get(i), settled.get(i)) for i, *where in rows}
    links = assessment.links[["incident_id", "linked_id"]].itertuples(index=False, name=None)
    rivals = assessment.rivalries.astype(str).itertuples(index=False, name=None)
    return Counter([*seen.values(), *((seen[one], seen[two]) for one, two in links), *rivals])


def _days_matter(assessment: Assessment) -> bool:
    """Whether the model asks for more of an incident's date than its period."""
    methodology, organizations = assessment.methodology, assessment.organizations
    dated = bool(organizations[["active_from", "active_to"]].notna().any(axis=None))
    return dated or methodology.episodes.repeat is not None or methodology.false_flag.parts > 1


def _by_incident(table: pd.DataFrame, columns: list[str]) -> dict[str, tuple[tuple[object, ...], ...]]:
    found: dict[str, list[tuple[object, ...]]] = {}
    for incident, *values in table[["incident_id", *columns]].itertuples(index=False, name=None):
        found.setdefault(incident, []).append(tuple(values))
    return {incident: tuple(sorted(rows)) for incident, rows in found.items()}


def _revenue(assessment: Assessment) -> list[tuple[object, ...]]:
    """Estimates of revenue without the names of their sources."""
    columns = ["organization_id", "best", "low", "high", "kind", "unit"]
    return sorted(map(tuple, assessment.revenue[columns].astype(str).to_numpy().tolist()))
