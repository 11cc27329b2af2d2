"""What counting names would make of an assessment: the method without a model, taken at its word."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from violencescore.assessment import Assessment
from violencescore.example import count_names
from violencescore.names import CHAIN, DRAW, ORGANIZATION, WINDOW

N_DRAWS = 4000


def naming_draws(assessment: Assessment, seed: int) -> xr.DataArray:
    """Return draws of the scores (chain, draw, organization) that somebody who counts names would state.

    All recorded harm of the window is divided between the organizations as their namings are, and the error is that of
    a count alone: shares are Dirichlet with one added to each count (a uniform prior). Mistakes, fame, staging and
    silence are not allowed for.
    """
    counts = count_names(assessment)
    methodology = assessment.methodology
    weight = dict(zip(methodology.category_labels, methodology.weight_vector, strict=True))
    incidents = assessment.incidents
    inside = assessment.harms["incident_id"].isin(incidents.loc[incidents["period"] == WINDOW, "incident_id"])
    harms: pd.DataFrame = assessment.harms[inside]
    total = float((harms["best"] * harms["category"].map(weight)).sum())
    shares = np.random.default_rng(seed).dirichlet(counts.to_numpy() + 1.0, size=(1, N_DRAWS))
    return xr.DataArray(shares * total, dims=(CHAIN, DRAW, ORGANIZATION), coords={ORGANIZATION: counts.index.tolist()})
