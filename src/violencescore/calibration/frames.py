"""Records of refits as flat tables: one row for each verdict, each probability of being first, each score."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from violencescore.calibration.methods import ALWAYS, MODEL, QUANTILES

type Record = Mapping[str, Any]

INCIDENT_EDGES = (0, 300, 1000, 3000)
SETTLED_EDGES = (0, 1, 30, 100)
ATTRIBUTED_EDGES = (0.0, 0.5, 0.65, 0.8)
"""Lower ends of the groups into which assessments are put; the last has no upper end."""


def group_columns(record: Record) -> dict[str, Any]:
    """Return what an assessment is grouped by: its world, and its numbers in steps."""
    return {
        "world": record["task"]["name"],
        "assessment": record_id(record),
        "incidents": _step(record["n_incidents"], INCIDENT_EDGES),
        "share attributed": _step(record["share_attributed"], ATTRIBUTED_EDGES),
        "adjudicated": _step(record["n_adjudicated"], SETTLED_EDGES),
    }


def record_id(record: Record) -> str:
    """Return a name of the assessment, the same for equal tasks."""
    task = record["task"]
    return f"{task['name']}-{task['incidents']}-{task['adjudicated']}-{task['seed']}"


def _step(value: float, edges: tuple[float, ...]) -> str:
    i = int(np.searchsorted(edges, value, side="right")) - 1
    low, high = edges[i], edges[i + 1] if i + 1 < len(edges) else None
    whole = isinstance(edges[-1], int)
    if high is None:
        return f"{low:,} or more" if whole else f"{low:.0%} or more"
    if not whole:
        return f"{low:.0%} to under {high:.0%}" if low else f"under {high:.0%}"
    return f"{low:,}" if high - low == 1 else f"{low:,} to {high - 1:,}"


def first_of(truth: Mapping[str, float]) -> list[str]:
    """Return who has the highest true score: several where they tie."""
    top = max(truth.values())
    return [key for key, value in truth.items() if value == top]


def verdict_frame(records: Sequence[Record]) -> pd.DataFrame:
    """Return one row for each assessment, method and stated confidence.

    Columns: those of `group_columns`, ``method``, ``confidence``, ``result`` (right, wrong, or the outcome of an
    abstention). A selection is right when the selected one has the highest true realized score, or shares it.
    """
    rows = []
    for record in records:
        first = first_of(record["truth"])
        for method, said in record["methods"].items():
            for confidence, verdict in said["verdicts"].items():
                rows.append(
                    {
                        **group_columns(record),
                        "method": method,
                        "confidence": float(confidence),
                        "result": _judge(verdict, first),
                    }
                )
        # Counting without any probability names whoever is named most often, whatever the confidence.
        named = record["most_named"]
        verdict = {"outcome": "selected" if len(named) == 1 else "no_selection", "selected": named[0]}
        row = {**group_columns(record), "method": ALWAYS, "confidence": np.nan, "result": _judge(verdict, first)}
        rows.append(row)
    return pd.DataFrame(rows)


def _judge(verdict: Mapping[str, Any], first: Sequence[str]) -> str:
    if verdict["outcome"] != "selected":
        return str(verdict["outcome"])
    return "right" if verdict["selected"] in first else "wrong"


def first_frame(records: Sequence[Record]) -> pd.DataFrame:
    """Return one row for each assessment, method and organization: stated P(first), and whether it is (ties shared)."""
    rows: list[dict[str, Any]] = []
    for record in records:
        first = first_of(record["truth"])
        for method, said in record["methods"].items():
            if said["p_first"] is None:
                continue
            floor = 0.5 / said["n_draws"]
            rows += [
                {
                    **group_columns(record),
                    "method": method,
                    "organization": key,
                    "p": p,
                    # No number of draws shows that a thing cannot be: its logarithm is taken of half a draw at least.
                    "log_p": float(np.log(max(p, floor))),
                    "is_first": (key in first) / len(first),
                    "converged": said["converged"],
                }
                for key, p in said["p_first"].items()
            ]
    return pd.DataFrame(rows)


def interval_frame(records: Sequence[Record]) -> pd.DataFrame:
    """Return one row for each assessment, method, estimand, organization and level: whether the interval covers.

    Central intervals, ends included, of 50, 80 and 90 %.
    """
    return pd.DataFrame(list(_intervals(records)))


def _intervals(records: Sequence[Record]) -> Iterator[dict[str, Any]]:
    for record in records:
        truth = {"realized": record["truth"], "rate": record["expected"]}
        for method, said in record["methods"].items():
            for estimand, true in truth.items():
                for key, values in said.get(estimand, {}).items():
                    for level in (0.5, 0.8, 0.9):
                        low, high = (values[QUANTILES.index(q)] for q in _tails(level))
                        yield {
                            **group_columns(record),
                            "method": method,
                            "estimand": estimand,
                            "organization": key,
                            "level": level,
                            "covers": low <= true[key] <= high,
                            "below": true[key] < low,
                            "above": true[key] > high,
                        }


def _tails(level: float) -> tuple[float, float]:
    return round((1 - level) / 2, 3), round((1 + level) / 2, 3)


def look_frame(records: Sequence[Record]) -> pd.DataFrame:
    """Return one row for each assessment, method and confidence with weekly looks.

    ``at_end`` is the verdict of the last look alone; ``sequential`` that of the first look which selects, judged by the
    scores up to that day, and ``sequential_full`` the same judged by the whole window; ``week`` is when it selected.
    """
    rows = []
    for record in records:
        if not record.get("looks"):
            continue
        looks, whole = record["looks"], first_of(record["truth"])
        for method in looks[-1]["methods"]:
            for confidence in looks[-1]["methods"][method]["verdicts"]:
                verdicts = [(look, look["methods"][method]["verdicts"][confidence]) for look in looks]
                chosen = next((pair for pair in verdicts if pair[1]["outcome"] == "selected"), verdicts[-1])
                rows.append(
                    {
                        **group_columns(record),
                        "method": method,
                        "confidence": float(confidence),
                        "at_end": _judge(verdicts[-1][1], whole),
                        "sequential": _judge(chosen[1], first_of(chosen[0]["truth"])),
                        "sequential_full": _judge(chosen[1], whole),
                        "week": chosen[0]["week"] if chosen[1]["outcome"] == "selected" else np.nan,
                    }
                )
    return pd.DataFrame(rows)


def fit_frame(records: Sequence[Record]) -> pd.DataFrame:
    """Return one row for each assessment: sizes, convergence and time of the model's fit."""
    rows = []
    for record in records:
        said = record["methods"][MODEL]
        numbers = {key: record[key] for key in ("n_incidents", "n_window", "share_attributed", "n_adjudicated")}
        fitted = {key: said.get(key) for key in ("converged", "max_rhat", "min_ess", "divergences", "seconds")}
        rows.append({**group_columns(record), **numbers, **fitted})
    return pd.DataFrame(rows)
