"""What became of the violence, of the target and of the rest, of the target's market, of enforcement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from violencescore.errors import Fault, InputError
from violencescore.montecarlo import FloatArray
from violencescore.names import CATEGORY, ORGANIZATION, OTHER
from violencescore.publication.tabular import read_text_table

LEVEL = 0.9
"""Probability inside the intervals."""
_TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)

type Interval = dict[str, float]
"""``median``, ``low`` and ``high`` (the 5 % and 95 % quantiles)."""


def interval(draws: FloatArray) -> Interval:
    """Return the median and the central 90 % interval of draws."""
    low, median, high = np.quantile(draws, (_TAILS[0], 0.5, _TAILS[1]))
    return {"median": float(median), "low": float(low), "high": float(high)}


def violence(posterior: xr.DataTree, weights: Mapping[str, float], target: str | None) -> dict[str, Any]:
    """Return the weighted harm per day of the target, of everybody else (``other`` included) and of all.

    Parameters
    ----------
    posterior
        Draws of harm of the period, as of a run or a bundle.
    weights
        Category -> weight: those that counted when the target was selected, so that figures can be compared.
    target
        Id of the organization; None where there is none.

    Returns
    -------
    dict
        ``days``; ``target``, ``rest`` and ``total`` as intervals; ``target_ratio``, ``rest_ratio`` and ``total_ratio``,
        each over the same in the baseline, inside each draw; None without a baseline, or where that may be zero.
    """
    harms = posterior["harms"].to_dataset()
    days, before = (posterior.attrs.get(f"days_{period}") for period in ("window", "baseline"))
    now = _parts(harms, weights, target, "harm_realized", "harm_other", float(days or 1))
    past = {}
    if before and "harm_baseline" in harms:
        past = _parts(harms, weights, target, "harm_baseline", "harm_other_baseline", float(before))
    found: dict[str, Any] = {"days": float(days or 1)}
    for name, draws in now.items():
        found[name] = None if draws is None else interval(draws)
        base = past.get(name)
        usable = None if draws is None or base is None or not bool((base > 0).all()) else draws / base
        found[f"{name}_ratio"] = None if usable is None else interval(usable)
    return found


def _parts(
    harms: xr.Dataset, weights: Mapping[str, float], target: str | None, name: str, other: str, days: float
) -> dict[str, FloatArray | None]:
    labels = [str(label) for label in harms[CATEGORY].values]
    vector = xr.DataArray([float(weights[label]) for label in labels], dims=CATEGORY, coords={CATEGORY: labels})
    by_organization = xr.dot(harms[name], vector, dim=CATEGORY) / days
    total = by_organization.sum(ORGANIZATION) + xr.dot(harms[other], vector, dim=CATEGORY) / days
    own = None if target is None else by_organization.sel({ORGANIZATION: target})
    rest = total if own is None else total - own
    return {"target": None if own is None else own.values, "rest": rest.values, "total": total.values}


def market_share(posterior: xr.DataTree, target: str) -> dict[str, Any] | None:
    """Return the target's share of all revenue (or flow) that is estimated; None where there is no estimate.

    It is a share of what the ranked organizations take together, not of the whole market.
    """
    if "revenue" not in posterior.children:
        return None
    values = posterior["revenue"].to_dataset()
    kind = "revenue" if "revenue" in values else str(next(iter(values.data_vars)))
    draws = values[kind]
    share = draws.sel({ORGANIZATION: target}) / draws.sum(ORGANIZATION)
    return {"kind": kind, **interval(share.values)}


@dataclass(frozen=True)
class Actions:
    """Enforcement actions of a period: on the target, off it, and how many of the table lie outside the period."""

    on: int
    off: int
    outside: int

    def to_json_dict(self, days: float) -> dict[str, Any]:
        """Return counts, the share on the target (Jeffreys interval) and rates per day (of a Poisson count)."""
        from scipy.special import betaincinv, gammaincinv

        def quantiles(invert: Any) -> Interval:
            return {name: float(invert(q)) for name, q in (("median", 0.5), ("low", _TAILS[0]), ("high", _TAILS[1]))}

        def per_day(n: int) -> Interval:
            return quantiles(lambda q: gammaincinv(n + 0.5, q) / days)

        share = quantiles(lambda q: betaincinv(self.on + 0.5, self.off + 0.5, q)) if self.on + self.off else None
        return {**vars(self), "share_on": share, "on_per_day": per_day(self.on), "off_per_day": per_day(self.off)}


def read_actions(path: Path, target: str, known: Mapping[str, str], first: date, last: date) -> Actions:
    """Read a table of enforcement actions: ``date``, ``organization_id`` and, if it is there, ``count`` (else 1 a row).

    Parameters
    ----------
    known
        Ids of the organizations that may be named, beside ``other``.
    first, last
        The period; rows outside are counted apart.

    Raises
    ------
    InputError
        With every row that breaks a rule.
    """
    try:
        table = read_text_table(path.read_bytes(), path.name)
    except OSError as error:
        raise InputError([Fault(str(path), f"cannot be read ({error.strerror})")]) from error
    if missing := [name for name in ("date", "organization_id") if name not in table]:
        raise InputError([Fault(path.name, "the column is missing", column=name) for name in missing])
    days = pd.to_datetime(table["date"], format="%Y-%m-%d", errors="coerce")
    counts = table["count"] if "count" in table else pd.Series("1", index=table.index)
    is_count = counts.str.fullmatch("[0-9]{1,7}")
    allowed = [*known, OTHER]
    faults = [
        Fault(path.name, rule, row=int(row) + 2, column=column, value=str(table.loc[row, column]))
        for column, broken, rule in (
            ("date", days.isna(), "is not a date (ISO 8601: YYYY-MM-DD)"),
            ("organization_id", ~table["organization_id"].isin(allowed), f"is none of {', '.join(allowed)}"),
            ("count", ~is_count, "is not a whole number of 0 or more"),
        )
        for row in table.index[broken]
    ]
    if faults:
        raise InputError(sorted(faults, key=lambda fault: fault.row or 0))
    inside = (days >= pd.Timestamp(first)) & (days <= pd.Timestamp(last))
    numbers, on = counts.astype(int), table["organization_id"] == target
    sums = (numbers[inside & on].sum(), numbers[inside & ~on].sum(), numbers[~inside].sum())
    return Actions(*(int(n) for n in sums))
