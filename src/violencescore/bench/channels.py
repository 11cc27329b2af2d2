"""What each channel of evidence was found to be worth, and what settled incidents say of it without the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from violencescore.assessment import Assessment
from violencescore.names import CHANNEL

FloatArray = npt.NDArray[np.float64]

INTERVAL = 0.9


@dataclass(frozen=True)
class Share:
    """A share with the interval that holds it with 90 % probability."""

    value: float
    low: float
    high: float


def channel_table(posterior: xr.Dataset) -> pd.DataFrame:
    """Return the quantities of each channel: channel, quantity, organization_id, median, low, high.

    ``accuracy``: how often it names the right one when it names one. ``reach``: how often it speaks when the actor did
    it. ``notoriety``: how likely it is to name the actor when it is wrong. Intervals are central, of 90 %.

    Parameters
    ----------
    posterior
        Named quantities (chain, draw, ...).
    """
    rows = []
    tails = ((1 - INTERVAL) / 2, 0.5, (1 + INTERVAL) / 2)
    for quantity in ("accuracy", "reach", "notoriety"):
        found = posterior[quantity].quantile(tails, dim=("chain", "draw"))
        for h, channel in enumerate(posterior[CHANNEL].values):
            of_channel = found.isel({CHANNEL: h})
            actors = [""] if quantity == "accuracy" else [str(a) for a in posterior["actor"].values]
            for low, median, high, actor in zip(*np.atleast_2d(of_channel.values.reshape(3, -1)), actors, strict=True):
                rows.append((str(channel), quantity, actor, float(median), float(low), float(high)))
    return pd.DataFrame(rows, columns=["channel", "quantity", "organization_id", "median", "low", "high"])


def settled_accuracy(assessment: Assessment) -> pd.DataFrame:
    """Return how often each channel was right where a court settled who it was, the model apart.

    A channel that can be forged is right when it names whom a staged incident framed, since that is what it was shown;
    where nobody knows who was framed, the piece does not count. Nor does one on an incident of ``other`` where no
    evidence ever names ``other``: it could not have been right. Sets of candidates do not count either.

    Courts do not settle incidents at random: the easy ones come first, and an accuracy counted on them flatters. Where
    the table gives the probability with which each was chosen, pieces are weighed by its inverse (Hájek 1971), and the
    interval is that of a share (Jeffreys) at Kish's effective number (1965), (sum w)^2 / sum w^2.

    Returns
    -------
    pandas.DataFrame
        channel, n (pieces), share, low, high; n_effective, share_weighted, low_weighted, high_weighted (missing unless
        every piece has an inclusion probability).
    """
    pieces = _settled_pieces(assessment)
    rows = []
    for channel in assessment.methodology.channels:
        own = pieces[pieces["channel"] == channel]
        if own.empty:
            continue
        right, weight = own["right"].to_numpy(dtype=float), own["weight"].to_numpy(dtype=float)
        plain = weighted_share(right, np.ones(len(own)))
        known = not np.isnan(weight).any()
        corrected = weighted_share(right, weight) if known else Share(np.nan, np.nan, np.nan)
        effective = effective_number(weight) if known else np.nan
        rows.append((channel, len(own), *vars(plain).values(), effective, *vars(corrected).values()))
    columns = ["channel", "n", "share", "low", "high", "n_effective"]
    return pd.DataFrame(rows, columns=[*columns, *(f"{c}_weighted" for c in ("share", "low", "high"))])


def _settled_pieces(assessment: Assessment) -> pd.DataFrame:
    """Return channel, right and weight of each piece on a settled incident."""
    channels = assessment.methodology.channels
    single = [name for name, channel in channels.items() if not channel.candidates]
    evidence = assessment.evidence[assessment.evidence["channel"].isin(single)]
    settled = assessment.adjudications.rename(columns={"organization_id": "who"})
    pieces = evidence.merge(settled, on="incident_id")
    forgeable = pieces["channel"].map({name: channel.forgeable for name, channel in channels.items()}).astype(bool)
    shown = forgeable & pieces["false_flag"].fillna(value=False).astype(bool)
    framed = pieces["framed_id"].fillna("")
    seen = pieces["who"].where(~shown, framed)
    pieces = pieces.assign(right=pieces["organization_id"] == seen, weight=1 / pieces["inclusion_probability"])
    nameable = {*assessment.organizations["organization_id"], *assessment.evidence["organization_id"]}
    return pieces[seen.isin(list(nameable))]


def effective_number(weight: FloatArray) -> float:
    """Return Kish's effective number of equally weighted cases."""
    return float(weight.sum() ** 2 / (weight**2).sum()) if len(weight) else 0.0


def weighted_share(hit: FloatArray, weight: FloatArray) -> Share:
    """Return a share of weighted cases with Jeffreys' interval at their effective number."""
    from scipy.stats import beta

    share = float((hit * weight).sum() / weight.sum())
    n = effective_number(weight)
    tails = np.array([(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
    ends = np.asarray(beta.ppf(tails, share * n + 0.5, (1 - share) * n + 0.5))
    return Share(share, float(ends[0]), float(ends[1]))
