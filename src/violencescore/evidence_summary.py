"""What the evidence on each organization is made of: which channels name it, rightly or not, and what it stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from violencescore.coding import are_among, places
from violencescore.design import incident_rows
from violencescore.names import WINDOW

if TYPE_CHECKING:
    from violencescore.fitting import Fit

LEVEL = 0.9
"""Probability inside the intervals of staged shares."""


def summarize_evidence(fit: Fit) -> dict[str, Any]:
    """Return expected numbers of incidents of the window by organization and channel, and staged shares.

    Returns
    -------
    dict
        ``incidents``: organization -> how many incidents are expected to be its own. ``named``: a row for each
        organization and channel with the expected number of its incidents in which the channel names it (``named``),
        names others only (``other``), or says nothing (``silent``), and of incidents of others in which it is named
        (``blamed``). ``staged``: a row for each organization with the share of its incidents that it stages as
        another's work in the window: mean and the interval that holds 90 %; empty where staging could not show.
    """
    assessment, design = fit.assessment, fit.design
    inside = np.asarray(assessment.incidents["period"] == WINDOW)
    shares = np.where(inside[:, None], fit.attribution.responsibility[design.incident_group], 0.0)
    incident, every = incident_rows(assessment)["evidence"], np.arange(len(inside))
    spoke_by = places(assessment.evidence["channel"], design.channels)
    naming = places(assessment.evidence["organization_id"], design.organizations)
    rows = []
    for h, channel in enumerate(design.channels):
        said = spoke_by == h
        spoken = are_among(every, incident[said])
        for k, actor in enumerate(design.organizations):
            own = shares[:, k]
            named = are_among(every, incident[said & (naming == k)])
            found = {
                "named": own[named].sum(),
                "other": own[spoken & ~named].sum(),
                "silent": own[~spoken].sum(),
                "blamed": (1.0 - own[named & inside]).sum(),
            }
            rows.append({"organization_id": actor, "channel": channel} | {k: float(v) for k, v in found.items()})
    return {
        "incidents": {actor: float(shares[:, k].sum()) for k, actor in enumerate(design.organizations)},
        "named": rows,
        "staged": _staged(fit, inside),
    }


def _staged(fit: Fit, inside: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Return staged shares; where they differ by stratum, each stratum counts by the organization's incidents in it."""
    posterior, design = fit.posterior["posterior"].to_dataset(), fit.design
    if "false_flag" not in posterior.data_vars:
        return []
    group = design.incident_group[inside]
    drawn = posterior["false_flag"].values  # (chain, draw, stratum or period, actor)
    weight = np.zeros(drawn.shape[2:])
    np.add.at(weight, design.patterns.stratum[design.groups.pattern[group]], fit.attribution.responsibility[group])
    tails = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    rows = []
    for k, actor in enumerate(design.organizations):
        if not weight[:, k].any():
            continue
        values = drawn[..., k] @ (weight[:, k] / weight[:, k].sum())
        low, high = np.quantile(values, tails)
        rows.append({"organization_id": actor, "mean": float(values.mean()), "low": float(low), "high": float(high)})
    return rows
