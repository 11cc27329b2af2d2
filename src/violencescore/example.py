"""The embedded example: a fictional assessment, and what counting names would make of it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from violencescore.assessment import Assessment
from violencescore.decision import Decision
from violencescore.montecarlo import Probability
from violencescore.names import WINDOW
from violencescore.output import write_file, write_folder

type NaiveRow = tuple[str, int, Probability, float | None]


def example_folder() -> Path:
    """Return the folder of the embedded assessment, ``truth.csv`` beside its tables."""
    return Path(__file__).parent / "example_data"


def write_example(folder: Path) -> None:
    """Write the tables and the methodology of the embedded assessment into a new folder, to go on with.

    Raises
    ------
    InputError
        If the folder exists and is not empty.
    """
    with write_folder(folder) as staging:
        for path in sorted(example_folder().iterdir()):
            if path.suffix in (".csv", ".toml"):
                write_file(staging / path.name, path.read_bytes())


def count_names(assessment: Assessment) -> pd.Series:
    """Count how often the evidence on the window's incidents names each organization (copies left out).

    This is what one does without a model: it takes every report at its word, and rewards fame and framing.

    Returns
    -------
    pandas.Series
        Namings by organization_id, rankable organizations only, in file order.
    """
    organizations = assessment.organizations
    ranked = organizations.loc[organizations["rankable"], "organization_id"]
    incidents = assessment.incidents
    in_window = incidents.loc[incidents["period"] == WINDOW, "incident_id"]
    named = assessment.evidence.loc[assessment.evidence["incident_id"].isin(in_window), "organization_id"]
    return named.value_counts().reindex(ranked, fill_value=0)


def naive_rows(assessment: Assessment, decision: Decision) -> list[NaiveRow]:
    """Rows of name, namings, probability of being first and true score, in the order of the ranking."""
    truth = pd.read_csv(example_folder() / "truth.csv", dtype={"organization_id": str}, keep_default_na=False)
    scores = truth.groupby("organization_id")["score"].first()
    counts = count_names(assessment)
    return [
        (decision.names[o], int(counts[o]), decision.p_first[o], float(scores[o]))
        for o in decision.ranking["organization_id"]
    ]
