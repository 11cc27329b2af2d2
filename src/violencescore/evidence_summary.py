"""What the evidence on each organization is made of: which channels name it, rightly or not, and what it stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from violencescore.names import OTHER, WINDOW

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
    window = set(assessment.incidents.loc[assessment.incidents["period"] == WINDOW, "incident_id"])
    inside = np.asarray(design.incident_id.isin(window))
    actors = [*design.organizations, OTHER]
    ids = design.incident_id[inside]
    shares = pd.DataFrame(fit.attribution.responsibility[design.incident_group[inside]], index=ids, columns=actors)
    evidence = assessment.evidence[assessment.evidence["incident_id"].isin(window)]
    rows = []
    for channel in design.channels:
        said = evidence[evidence["channel"] == channel].drop_duplicates(["incident_id", "organization_id"])
        spoken = shares.index.isin(said["incident_id"])
        for actor in design.organizations:
            own = shares[actor]
            named = shares.index.isin(said.loc[said["organization_id"] == actor, "incident_id"])
            found = {
                "named": own[named].sum(),
                "other": own[spoken & ~named].sum(),
                "silent": own[~spoken].sum(),
                "blamed": (1.0 - own[named]).sum(),
            }
            rows.append({"organization_id": actor, "channel": channel} | {k: float(v) for k, v in found.items()})
    return {
        "incidents": {actor: float(shares[actor].sum()) for actor in design.organizations},
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
