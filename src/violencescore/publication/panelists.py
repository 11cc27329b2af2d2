"""The panel in a commitment: its weights in the open, or sealed by salted digests and later opened pooled."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from violencescore.assessment import Choices
from violencescore.errors import Fault, InputError
from violencescore.methodology import Methodology
from violencescore.names import CATEGORY, PANELIST
from violencescore.publication.canonical import digest
from violencescore.scores import panel_weight_array, pool_weights

SECRETS = "violencescore panel secrets 1"
TOLERANCE = 1e-12

type Weights = dict[str, float]


def open_panel(choices: Choices) -> dict[str, Any] | None:
    """Return the panel for a statement, each panelist's weights in the open; None without a panel."""
    weights = panel_weight_array(choices.panel_weights, choices.methodology)
    if weights is None:
        return None
    return {"panelists": _by_panelist(weights), "pooled": pooled_weights(weights, choices.methodology)}


def seal_panel(choices: Choices) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the panel for a statement, sealed, and the secrets that open it.

    A seal is the SHA-256 of the canonical form of what is sealed and 32 random bytes. Seals are sorted, so that their
    order tells nothing. A panelist who is given the own entry of the secrets can check that the own weights are sealed.

    Raises
    ------
    InputError
        If there is no panel to seal.
    """
    weights = panel_weight_array(choices.panel_weights, choices.methodology)
    if weights is None:
        raise InputError([Fault("panel_weights.csv", "is missing or empty, so there are no weights to seal")])
    entries = [{**row, "salt": secrets.token_hex(32)} for row in _by_panelist(weights)]
    pooled = pooled_weights(weights, choices.methodology)
    opening = None if pooled is None else {"weights": pooled, "salt": secrets.token_hex(32)}
    sealed = {
        "sealed": sorted(digest(entry) for entry in entries),
        "pooled_seal": None if opening is None else digest(opening),
    }
    return sealed, {"format": SECRETS, "panelists": entries, "pooled": opening}


def pooled_weights(weights: xr.DataArray, methodology: Methodology) -> Weights | None:
    """Return the pooled weights by category; None where the methodology's own weights count."""
    if methodology.weights.use != "panel":
        return None
    pooled = pool_weights(weights, methodology.weights)
    return {str(label): float(w) for label, w in zip(pooled[CATEGORY].values, pooled.values, strict=True)}


def panel_differences(
    panel: Mapping[str, Any] | None,
    weights: xr.DataArray | None,
    methodology: Methodology,
    opened: Mapping[str, Any] | None,
) -> tuple[str, ...]:
    """Return in words how the weights that a run used differ from those that were committed.

    Parameters
    ----------
    panel
        The panel of the statement.
    weights
        Those of the run (panelist, category); None without any.
    opened
        The secrets, where the panel is sealed.
    """
    if panel is None or weights is None:
        return () if panel is None and weights is None else ("Only one of commitment and run has a panel.",)
    used = _by_panelist(weights)
    if "panelists" in panel:
        return () if _same(used, panel["panelists"]) else ("The panel's weights are not those that were committed.",)
    if opened is None:
        return ("The panel's weights are sealed: give the file of secrets that was written with the commitment.",)
    return tuple(_seal_faults(panel, opened, used, pooled_weights(weights, methodology)))


def _seal_faults(
    panel: Mapping[str, Any], opened: Mapping[str, Any], used: list[dict[str, Any]], pooled: Weights | None
) -> list[str]:
    if opened.get("format") != SECRETS or not isinstance(opened.get("panelists"), list):
        return ["The file of secrets is none that was written with a commitment."]
    found = []
    if sorted(map(digest, opened["panelists"])) != panel["sealed"]:
        found.append("The secrets do not open the seals of the commitment.")
    entries = [{key: entry.get(key) for key in ("panelist_id", "weights")} for entry in opened["panelists"]]
    if not _same(used, entries):
        found.append("The panel's weights are not those that were sealed.")
    if pooled is not None:
        found += opening_faults(panel, opened.get("pooled"), pooled)
    return found


def opening_faults(panel: Mapping[str, Any], opening: Any, pooled: Mapping[str, float]) -> list[str]:
    """Return in words what is wrong with the opening of the pooled weights."""
    if not isinstance(opening, Mapping) or digest(opening) != panel["pooled_seal"]:
        return ["The pooled weights are not those that were sealed."]
    return [] if _close(opening["weights"], pooled) else ["The pooled weights are not the pool of the panel's."]


def _by_panelist(weights: xr.DataArray) -> list[dict[str, Any]]:
    labels = [str(label) for label in weights[CATEGORY].values]
    rows = weights.transpose(PANELIST, CATEGORY).values.tolist()
    ids = (str(panelist) for panelist in weights[PANELIST].values)
    found = [
        {"panelist_id": i, "weights": dict(zip(labels, row, strict=True))} for i, row in zip(ids, rows, strict=True)
    ]
    return sorted(found, key=lambda entry: entry["panelist_id"])


def _same(used: list[dict[str, Any]], committed: list[Any]) -> bool:
    return digest(used) == digest(sorted(committed, key=lambda entry: str(entry["panelist_id"])))


def _close(left: Mapping[str, float], right: Mapping[str, float]) -> bool:
    return left.keys() == right.keys() and bool(
        np.allclose([left[key] for key in right], list(right.values()), rtol=TOLERANCE, atol=TOLERANCE)
    )
