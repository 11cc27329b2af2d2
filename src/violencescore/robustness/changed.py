"""Changed data: incidents added to an assessment or taken from it, and the model sampled again."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from violencescore.assessment import Assessment
from violencescore.decision import decide
from violencescore.montecarlo import Probability
from violencescore.names import WINDOW
from violencescore.robustness.basis import Basis, Verdict
from violencescore.robustness.insertions import Insertion
from violencescore.robustness.worlds import middle_of
from violencescore.sampling import Progress, no_progress
from violencescore.scenario_choices import split_label
from violencescore.scores import score_draws

MAX_EXTENSIONS = 2
"""How often a refit near the line is continued: its error is shown, and a verdict needs less than that."""

_TABLES = ("incidents", "harms", "evidence", "adjudications", "reports")


@dataclass(frozen=True)
class Refit:
    """What a refit said.

    Attributes
    ----------
    p_first
        By organization.
    verdict
        The outcome, and whom it names.
    converged
        Whether its chains agree; else its figures are for inspection only.
    """

    p_first: dict[str, Probability]
    verdict: Verdict
    converged: bool


def refit(basis: Basis, assessment: Assessment, label: str, progress: Progress = no_progress) -> Refit:
    """Sample the model of a changed assessment with the seed and settings of the first fit, but fewer extensions."""
    from violencescore.fitting import fit_assessment

    def report(stage: str, done: int, total: int) -> None:
        progress(f"{label}: {stage}", done, total)

    methodology = assessment.methodology
    few = {"max_extensions": min(methodology.sampling.max_extensions, MAX_EXTENSIONS)}
    quicker = methodology.model_copy(update={"sampling": methodology.sampling.model_copy(update=few)})
    changed = dataclasses.replace(assessment, methodology=quicker)
    fitted = fit_assessment(changed, basis.seed, progress=report, densities=False)
    diagnostics = fitted.diagnostics.to_json_dict({})
    found = decide(score_draws(fitted.posterior, methodology), methodology, diagnostics=diagnostics)
    return Refit(dict(found.p_first), (found.outcome, found.selected), fitted.diagnostics.converged)


def without_incidents(assessment: Assessment, incident_ids: Collection[str]) -> Assessment:
    """Return the assessment without some incidents, in every table."""
    removed = set(incident_ids)
    kept: dict[str, Any] = {}
    for name in _TABLES:
        table = getattr(assessment, name)
        kept[name] = table[~table["incident_id"].isin(removed)].reset_index(drop=True)
    links = assessment.links
    gone = links["incident_id"].isin(removed) | links["linked_id"].isin(removed)
    return dataclasses.replace(assessment, **kept, links=links[~gone].reset_index(drop=True))


def with_incidents(assessment: Assessment, basis: Basis, added: Sequence[tuple[Insertion, int]]) -> Assessment:
    """Return the assessment with incidents that never happened, in the middle of the window.

    Parameters
    ----------
    added
        Each with its harm: a number of its kind.
    """
    design, day = basis.worlds.design, middle_of(basis.window)
    taken = set(assessment.incidents["incident_id"])
    ids = [name for i in range(len(added) + len(taken)) if (name := f"added-{i}") not in taken][: len(added)]
    piece = int(assessment.evidence["piece"].max()) + 1 if len(assessment.evidence) else 0
    incidents, harms, evidence, settled = [], [], [], []
    for name, (insertion, harm) in zip(ids, added, strict=True):
        region = design.regions[insertion.region]
        incidents.append({"incident_id": name, "date_start": day, "date_end": day, "region": region, "period": WINDOW})
        label = design.kinds[insertion.kind]
        element, role = split_label(label)
        counts = {"best": harm, "low": harm, "high": harm}
        harms.append({"incident_id": name, "category": label, "element": element, "victim_role": role, **counts})
        for channel, actor in insertion.named:
            said = {"channel": design.channels[channel], "organization_id": design.actors[actor]}
            evidence.append({"incident_id": name, **said, "piece": piece, "origin": "", "source_id": ""})
            piece += 1
        if insertion.settled >= 0:
            who = {"organization_id": design.actors[insertion.settled], "false_flag": False, "framed_id": ""}
            settled.append({"incident_id": name, **who, "inclusion_probability": float("nan")})
    more = {"incidents": incidents, "harms": harms, "evidence": evidence, "adjudications": settled}
    tables: dict[str, Any] = {name: _appended(getattr(assessment, name), rows) for name, rows in more.items() if rows}
    return dataclasses.replace(assessment, **tables)


def _appended(table: pd.DataFrame, rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    new = pd.DataFrame(rows)[list(table.columns)]
    types = {column: dtype for column, dtype in table.dtypes.items() if len(table)}
    return pd.concat([table, new.astype(types)], ignore_index=True) if len(table) else new
