"""What the data said about each quantity: families in one line each, and the ends of the list."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from violencescore.report.text import MISSING

_PRIOR_BELOW, _DATA_FROM, _WIDER_BELOW = 0.1, 0.5, -0.1
_ALL_UP_TO, _EACH_END = 16, 6

_FAMILIES: Mapping[str, str] = {
    "accuracy": "How often a channel is right when it names one",
    "echo": "Share of later pieces that only repeat earlier ones",
    "follow": "Chance that it takes up what others speak of",
    "old_name": "Share of a new organization's namings that give its parent's name",
    "kept": "Share of its activity that an organization keeps after a split",
    "episode": "Probability that an incident repeats the perpetrator of the one before",
    "false_flag": "Share of incidents staged as another's work",
    "reach": "How often a channel hears of an incident",
    "notoriety": "On whom wrong names fall",
    "confusion": "Whom a channel names, by who did it",
    "listed": "Share of the incidents that some source lists",
    "listed_by": "How often a source lists an incident",
    "visibility": "How much incidents differ in being seen by all",
    "dependence": "How much one source follows another",
}
"""What the names before the brackets mean; a name that is not here is shown as it is."""


def family_rows(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row for each family of quantities: how many, and how many rest on the data.

    Parameters
    ----------
    found
        ``identification`` of ``diagnostics.json``: parameter, contraction and more.
    """
    families: dict[str, list[float]] = {}
    for line in found:
        name = str(line["parameter"]).partition("[")[0]
        families.setdefault(name, []).append(_number(line.get("contraction")))
    return [_family_row(name, contractions) for name, contractions in families.items()]


def _family_row(name: str, contractions: Sequence[float]) -> dict[str, Any]:
    known = [value for value in contractions if not math.isnan(value)]
    median = statistics.median(known) if known else math.nan
    return {
        "name": name,
        "meaning": _FAMILIES.get(name, name.replace("_", " ")),
        "n": len(contractions),
        "on_data": sum(value >= _DATA_FROM for value in known),
        "median": MISSING if math.isnan(median) else f"{median:.2f}",
        "share": _share(median),
    }


def parameter_rows(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the quantities that the data said least and most about, least first; all where they are few."""
    ordered = sorted(found, key=lambda line: _sort_key(_number(line.get("contraction"))))
    shown = ordered if len(ordered) <= _ALL_UP_TO else ordered[:_EACH_END] + ordered[-_EACH_END:]
    return [_parameter_row(line) for line in shown]


def _sort_key(contraction: float) -> tuple[bool, float]:
    return (math.isnan(contraction), 0.0 if math.isnan(contraction) else contraction)


def _parameter_row(line: Mapping[str, Any]) -> dict[str, Any]:
    contraction = _number(line.get("contraction"))
    return {
        "parameter": str(line["parameter"]),
        "before": _spread(line.get("prior_mean"), line.get("prior_sd")),
        "after": _spread(line.get("posterior_mean"), line.get("posterior_sd")),
        "contraction": MISSING if math.isnan(contraction) else f"{contraction:.2f}",
        "share": _share(contraction),
        "rests_on": rests_on(contraction),
    }


def rests_on(contraction: float) -> str:
    """Return in words what a quantity rests on, by how far the data narrowed it."""
    if math.isnan(contraction):
        return ""
    if contraction < _WIDER_BELOW:
        return "the prior (wider than before: the data point elsewhere, and weakly)"
    if contraction < _PRIOR_BELOW:
        return "the prior"
    return "mostly the prior" if contraction < _DATA_FROM else "mostly the data"


def _share(contraction: float) -> float:
    return 0.0 if math.isnan(contraction) else min(max(contraction, 0.0), 1.0)


def _number(value: float | None) -> float:
    return math.nan if value is None or not math.isfinite(value) else float(value)


def _spread(mean: float | None, sd: float | None) -> str:
    around, spread = _number(mean), _number(sd)
    shown = MISSING if math.isnan(spread) else f"±\N{NO-BREAK SPACE}{spread:.3g}"
    return shown if math.isnan(around) else f"{around:.3g} {shown}"
