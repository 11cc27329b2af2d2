"""Draws of harm to draws of the score: weights in, revenue out.

The weights are chosen by people and never learned, so that a score can be computed again from the same draws under
any weights. Two estimands are kept apart: ``realized`` (what was done) and ``rate`` (what tends to be done).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from violencescore.errors import RefusedError
from violencescore.methodology import Methodology, Weights
from violencescore.names import CATEGORY, ORGANIZATION, PANELIST

FloatArray = npt.NDArray[np.float64]

_FLOOR = 1e-9
"""Share of the largest weight that stands in for zero where logarithms are pooled."""

_WHOLE = 1e-9
"""How far a weight times a power of ten may lie from a whole number and count as one."""

NO_PANEL = (
    "The methodology says that the panel's weights count, but the table `panel_weights` is missing or empty: "
    'add it, or set use = "published" under [weights].'
)


def no_estimates(per: str) -> str:
    """Say that scores cannot be divided by revenue or flow, and what to do."""
    return (
        f"The score is per {per}, but no row of the table `revenue` of kind `{per}` is given: add estimates, "
        'or set per = "none" under [score] in the methodology.'
    )


def score_draws(
    posterior: xr.DataTree,
    methodology: Methodology,
    *,
    weights: xr.DataArray | None = None,
    estimand: str | None = None,
    per: str | None = None,
) -> xr.DataArray:
    """Return draws of each rankable organization's score.

    Parameters
    ----------
    posterior
        What ``fit`` returns: group ``harms`` and, where there are estimates, ``revenue``.
    methodology
        Says the weights, the estimand and what the score is divided by, unless the arguments do.
    weights
        Weight of each category (category), in place of the methodology's or the panel's.

    Returns
    -------
    xarray.DataArray
        (chain, draw, organization), with the coordinate ``name``; weighted harm, divided by revenue or flow in the
        unit of its estimates where ``per`` says so.

    Raises
    ------
    RefusedError
        If the score is to be divided by what no table estimates.
    """
    harms = posterior["harms"].to_dataset()
    estimand = methodology.score.estimand if estimand is None else estimand
    per = methodology.score.per if per is None else per
    if weights is None:
        weights = published_weights(posterior, methodology)
    harm = harms[f"harm_{estimand}"]
    scores = _weighted_total(harm, weights)
    if per != "none":
        if "revenue" not in posterior.children or per not in posterior["revenue"].data_vars:
            raise RefusedError(no_estimates(per))
        scores = scores / posterior["revenue"][per]
    draws: xr.DataArray = scores.transpose("chain", "draw", ORGANIZATION).rename("score")
    return draws.assign_attrs(per=per, estimand=estimand)


def _weighted_total(harm: xr.DataArray, weights: xr.DataArray) -> xr.DataArray:
    """Add weight times harm category by category, in their order, as whole numbers where the weights allow it.

    Any other order moves the last digit, and with it who is tied with whom: this one is the same on every machine, and
    in the browser.
    """
    weights = weights.reindex({CATEGORY: harm[CATEGORY]}, fill_value=0.0)
    power = 1.0
    if weights.ndim == 1:
        whole, power = whole_weights(weights.values)
        weights = weights.copy(data=whole)
    total = xr.zeros_like(harm.isel({CATEGORY: 0}, drop=True), dtype=float)
    for c in range(weights.sizes[CATEGORY]):
        total = total + weights.isel({CATEGORY: c}, drop=True) * harm.isel({CATEGORY: c}, drop=True)
    return total / power


def whole_weights(weights: FloatArray) -> tuple[FloatArray, float]:
    """Return weights times a power of ten that makes all of them whole, and that power; as they are where none does.

    Sums of whole numbers are exact, so that harms which weigh the same tie, however all weights are scaled.

    Examples
    --------
    >>> whole_weights(np.array([3.0, 0.1 + 0.2, 1.25]))
    (array([300.,  30., 125.]), 100.0)
    >>> whole_weights(np.array([1.0, 2 / 3]))[1]
    1.0
    """
    for power in (1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6):
        scaled = weights * power
        whole = np.rint(scaled)
        if (np.abs(scaled - whole) <= _WHOLE).all():
            return whole, power
    return weights, 1.0


def published_weights(posterior: xr.DataTree, methodology: Methodology) -> xr.DataArray:
    """Return the weights that the methodology says count: its own, or the panel's, pooled (category).

    Raises
    ------
    RefusedError
        If the panel's are to be used and no panelist gave any.
    """
    if methodology.weights.use == "published":
        labels = list(methodology.category_labels)
        return xr.DataArray(methodology.weight_vector, dims=CATEGORY, coords={CATEGORY: labels})
    if "weights" not in posterior.children:
        raise RefusedError(NO_PANEL)
    panel = posterior["weights"].to_dataset()["panel_weight"]
    return pool_weights(panel, methodology.weights)


def pool_weights(panel: xr.DataArray, rule: Weights) -> xr.DataArray:
    """Pool the panelists' weights (panelist, category), each first scaled to sum to one.

    ``linear`` is the arithmetic mean, ``logarithmic`` the geometric one, ``median`` the median; scaled to sum to one.

    Raises
    ------
    RefusedError
        If a panelist gives weight to no category of the methodology, or the medians of all categories are zero.
    """
    total = panel.sum(CATEGORY)
    if silent := [str(p) for p in panel[PANELIST].values[total.values == 0]]:
        raise RefusedError(
            f"No category of the methodology has a weight from {', '.join(silent)}, in the table `panel_weights`: let "
            "each panelist weigh at least one that is scored, or leave the panelist out."
        )
    shares = panel / total
    if rule.pool == "linear":
        pooled = shares.mean(PANELIST)
    elif rule.pool == "median":
        pooled = shares.median(PANELIST)
        if not pooled.values.any():
            raise RefusedError(
                "The median of the panel's weights is zero for every category, so nothing would count: "
                'set pool = "linear" or "logarithmic" under [weights] in the methodology.'
            )
    else:
        pooled = xr.apply_ufunc(np.log, shares.clip(_FLOOR * shares.max())).mean(PANELIST)
        pooled = xr.apply_ufunc(np.exp, pooled)
    return pooled / pooled.sum(CATEGORY)


def panel_weight_array(table: pd.DataFrame, methodology: Methodology) -> xr.DataArray | None:
    """Return the panelists' weights (panelist, category), a category that one left out at zero; None without any."""
    if table.empty:
        return None
    wide = table.pivot(index="panelist_id", columns="category", values="weight")
    wide = wide.reindex(columns=list(methodology.category_labels)).astype(float).fillna(0.0)
    coords = {PANELIST: wide.index.tolist(), CATEGORY: wide.columns.tolist()}
    return xr.DataArray(wide.to_numpy(), dims=(PANELIST, CATEGORY), coords=coords)


def baseline_ratio(posterior: xr.DataTree, methodology: Methodology) -> xr.DataArray | None:
    """Return draws of total violence per day in the window over that in the baseline; None without a baseline.

    All recorded violence counts, that of ``other`` included.
    """
    harms = posterior["harms"]
    if "harm_baseline" not in harms.data_vars:
        return None
    weights = published_weights(posterior, methodology).reindex({CATEGORY: harms[CATEGORY]}, fill_value=0.0)
    days = posterior.attrs["days_window"], posterior.attrs["days_baseline"]
    totals = [
        xr.dot(harms[name].sum(ORGANIZATION) + harms[other], weights, dim=CATEGORY) / length
        for name, other, length in (
            ("harm_realized", "harm_other", days[0]),
            ("harm_baseline", "harm_other_baseline", days[1]),
        )
    ]
    if not bool((totals[1] > 0).all()):
        return None
    ratio: xr.DataArray = totals[0] / totals[1]
    return ratio
