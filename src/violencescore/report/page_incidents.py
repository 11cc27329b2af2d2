"""Single incidents for the page, where everything is disclosed: what happened, and who probably did it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from violencescore.methodology import Methodology
from violencescore.names import OTHER, category_label

MOST, MOST_EXPLAINED = 400, 40
"""Incidents that are listed, the gravest, and of these those whose attribution is explained: the page stays small."""


def incident_rows(
    attribution: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    methodology: Methodology,
    organizations: Sequence[str],
    waterfalls: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the gravest incidents of the window by published weight, with the probability of each perpetrator.

    Parameters
    ----------
    attribution
        ``attribution.csv``.
    tables
        ``incidents``, ``harms`` and, if any, ``evidence``, as text.
    organizations
        Ids of the organizations that are ranked, in the order of the draws.
    waterfalls
        incident_id -> steps {item, bits, p} and focus: how its attribution came about.

    Returns
    -------
    dict
        ``total`` (incidents of the window) and ``rows``.
    """
    weights = {category.label: category.weight for category in methodology.category}
    events = {str(row["incident_id"]): row for row in _records(tables["incidents"])}
    harms, said = _by_incident(tables["harms"]), _by_incident(tables.get("evidence", pd.DataFrame()))
    found = []
    for line in attribution.to_dict("records"):
        key = str(line["incident_id"])
        event = events.get(key, {})
        day = event.get("date") or event.get("date_start") or ""
        if methodology.window is None or not str(methodology.window.start) <= day <= str(methodology.window.end):
            continue
        own = harms.get(key, [])
        weight = sum(weights.get(_category(row, weights), 0.0) * float(row["best"]) for row in own)
        found.append((weight, key, day, line, own, event.get("region", "")))
    found.sort(key=lambda entry: (-entry[0], entry[1]))
    rows = [
        {
            "incident_id": key,
            "date": day,
            "region": region,
            "weight": weight,
            "harms": [[row["element"], row.get("victim_role", ""), float(row["best"])] for row in own],
            "evidence": [[row["channel"], row["organization_id"]] for row in said.get(key, [])],
            "p": [float(line.get(f"p_{k}", 0.0)) for k in organizations],
            "p_other": float(line.get(f"p_{OTHER}", 0.0)),
            "p_false_flag": float(line["p_false_flag"]),
            "waterfall": (waterfalls or {}).get(key),
        }
        for weight, key, day, line, own, region in found[:MOST]
    ]
    return {"total": len(found), "rows": rows}


def _records(table: pd.DataFrame) -> list[dict[str, str]]:
    return [{str(name): str(cell) for name, cell in row.items()} for row in table.to_dict("records")]


def _by_incident(table: pd.DataFrame) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for row in _records(table):
        found.setdefault(row["incident_id"], []).append(row)
    return found


def _category(row: Mapping[str, str], weights: Mapping[str, float]) -> str:
    """Return the category that takes a harm: that of its victim role, or else the one without a role."""
    own = category_label(row["element"], row.get("victim_role") or None)
    return own if own in weights else row["element"]
