"""The window: would the verdict be the same had it opened a little earlier or later, or faded in and out?

Tapered, an incident near either end counts less: only the scores change, so the draws hold the answer. Shifted,
incidents move between baseline and window: the draws are reweighted by the likelihood under the new dates where that
can be trusted, and the model is fitted again where it cannot. A shift beyond the tables only shortens the window; it
says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from violencescore.assessment import Assessment, read_assessment
from violencescore.design import Design, build_design
from violencescore.errors import InputError, RefusedError
from violencescore.montecarlo import FloatArray
from violencescore.robustness.basis import NEEDS_TABLES, Basis, first_probabilities
from violencescore.robustness.changed import refit
from violencescore.robustness.findings import Finding, Part, described
from violencescore.robustness.margins import Margin
from violencescore.robustness.worlds import SOUND, Worlds, build_worlds, how, importance
from violencescore.sampling import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WEEKS = (-3, -2, -1, 1, 2, 3)
TAPER_WEEKS = 2
"""Over so many weeks an incident's weight rises at the start of the window and falls at its end."""


def tapered(basis: Basis, weeks: int = TAPER_WEEKS) -> FloatArray:
    """Return the scores with incidents near the ends counting less, in proportion to their distance (a trapezium)."""
    window = basis.window
    ids = basis.worlds.design.incident_id[basis.worlds.incident]
    days = basis.tables.incidents.set_index("incident_id")["date_start"].reindex(ids)
    from_start = (days - pd.Timestamp(window.start)).dt.days.to_numpy() + 0.5
    to_end = (pd.Timestamp(window.end) - days).dt.days.to_numpy() + 0.5
    weight = np.clip(np.minimum(from_start, to_end) / (7.0 * weeks), 0.0, 1.0)
    return basis.worlds.totals(basis.worlds.value * weight)


def shifted_assessment(basis: Basis, weeks: int) -> Assessment:
    """Read the assessment with the window moved by some weeks; a baseline still ends the day before it.

    Raises
    ------
    InputError
        If nothing lies in the window then, or it would begin before the baseline.
    """
    window = basis.window
    if basis.folder is None:
        raise RefusedError(NEEDS_TABLES)
    by = timedelta(weeks=weeks)
    moved = {"start": window.start + by, "end": window.end + by, "announced": min(window.announced, window.end + by)}
    changed = basis.methodology.model_copy(update={"window": window.model_copy(update=moved), "scenario": ()})
    return read_assessment(basis.folder, changed)


def reweighted(basis: Basis, shifted: Assessment) -> tuple[Worlds, FloatArray, float] | None:
    """Return worlds of a shifted window, the importance of each draw, and Pareto's k; None where draws cannot say.

    They cannot where kinds, regions or channels are not those of the fit.
    """
    old, new = basis.worlds.design, build_design(shifted)
    same = ("actors", "kinds", "regions", "periods", "channels", "strata", "bond_names")
    if any(getattr(old, name) != getattr(new, name) for name in same):
        return None
    if old.engages or new.engages or len(old.dated) or len(new.dated):
        return None
    posterior = _rescaled(basis, new)
    worlds = build_worlds(shifted, posterior, basis.weights, basis.seed, n_draws=basis.worlds.log_likelihood().size)
    weight, k = importance(worlds.log_likelihood() - basis.worlds.log_likelihood())
    return worlds, weight, k


def _rescaled(basis: Basis, new: Design) -> xr.DataTree:
    """The posterior with rates for periods of the new lengths."""
    old = basis.worlds.design
    scale = np.divide(new.exposure, old.exposure, out=np.ones(old.exposure.shape), where=old.exposure > 0)
    tree = basis.posterior.copy()
    named = tree["posterior"].to_dataset()
    rate = named["rate"] * xr.DataArray(scale, dims=("period", "actor"))
    rate = rate.transpose(*named["rate"].dims)
    tree["posterior"] = tree["posterior"].copy()
    tree["posterior"].dataset = named.assign(rate=rate)
    return tree


def window_table(basis: Basis, progress: Progress) -> pd.DataFrame:
    """Return P(first) under each shift, and tapered.

    Returns
    -------
    pandas.DataFrame
        change, weeks, start, end, days_covered (of the window, by the tables), organization_id (the likeliest first),
        p_first, mcse, p_leader (of the organization that leads now), p_leader_mcse, outcome, method, sound.
    """
    margin, window = basis.methodology.decision.margin, basis.window
    values = tapered(basis)
    rows = [_row(basis, "tapered", 0, (window.start, window.end), None, values, margin)]
    last = basis.tables.incidents["date_start"].max().date()
    left = basis.n_refits
    for i, weeks in enumerate(WEEKS):
        progress("window", i, len(WEEKS))
        row, refitted = _shifted_row(basis, weeks, last, left > 0, margin, progress)
        left -= refitted
        rows.append(row)
    progress("window", len(WEEKS), len(WEEKS))
    return described(
        pd.DataFrame(rows), "P(first) had the window been another", "draws, reweighted, or refit: see method"
    )


def _shifted_row(
    basis: Basis, weeks: int, last: date, may_refit: bool, margin: float, progress: Progress
) -> tuple[dict[str, object], bool]:
    window = basis.window
    by = timedelta(weeks=weeks)
    ends = (window.start + by, window.end + by)
    covered = (min(ends[1], max(last, window.end)) - ends[0]).days + 1
    blank = {"change": "shifted", "weeks": weeks, "start": ends[0], "end": ends[1], "days_covered": covered}
    try:
        shifted = shifted_assessment(basis, weeks)
        found = reweighted(basis, shifted)
    except InputError as error:
        return blank | _unknown(f"not possible: {error.faults[0].rule}"), False
    if found is not None and found[2] <= SOUND:
        worlds, weight, k = found
        row = _row(basis, "shifted", weeks, ends, weight, worlds.totals(), margin)
        return row | {"days_covered": covered, "method": how(k)}, False
    if not may_refit:
        k = float("nan") if found is None else found[2]
        return blank | _unknown(f"needs a refit (k {k:.2f})"), False
    fitted = refit(basis, shifted, f"window {weeks:+d} weeks", progress)
    best = max(fitted.p_first, key=lambda i: fitted.p_first[i].p)
    p, leader = fitted.p_first[best], fitted.p_first[basis.leader]
    figures = {
        "organization_id": best, "p_first": p.p, "mcse": p.mcse, "p_leader": leader.p, "p_leader_mcse": leader.mcse,
        "outcome": fitted.verdict[0], "method": "refit", "sound": fitted.converged,
    }  # fmt: skip
    return blank | figures, True


def _unknown(method: str) -> dict[str, object]:
    nan = float("nan")
    numbers = dict.fromkeys(("p_first", "mcse", "p_leader", "p_leader_mcse"), nan)
    return {"organization_id": "", **numbers, "outcome": "", "method": method, "sound": False}


def _row(
    basis: Basis,
    change: str,
    weeks: int,
    ends: tuple[date, date],
    weight: FloatArray | None,
    values: FloatArray,
    margin: float,
) -> dict[str, object]:
    found = first_probabilities(values, margin, weight)
    best = int(np.argmax([p.p for p in found]))
    leader = found[basis.ids.index(basis.leader)]
    outcome = basis.verdict_of(values, weight)[0]
    return {
        "change": change, "weeks": weeks, "start": ends[0], "end": ends[1],
        "days_covered": (ends[1] - ends[0]).days + 1,
        "organization_id": basis.ids[best], "p_first": found[best].p, "mcse": found[best].mcse,
        "p_leader": leader.p, "p_leader_mcse": leader.mcse, "outcome": outcome, "method": "draws", "sound": True,
    }  # fmt: skip


def examine(basis: Basis, progress: Progress) -> Finding:
    """Compute the verdict under each window."""
    table = window_table(basis, progress)
    known = table[table["sound"].astype(bool)]
    worst = known.sort_values("p_leader", kind="stable").iloc[0]
    value, error, name = float(worst["p_leader"]), float(worst["p_leader_mcse"]), basis.names[basis.leader]
    way = "tapered" if worst["change"] == "tapered" else f"moved by {int(worst['weeks']):+d} weeks"
    said = f"With the window {way}, {name} is first with probability {value:.2f}: the least of {len(known)} windows."
    ends = max(value - 2 * error, 0.0), min(value + 2 * error, 1.0)
    window = basis.window
    whole = (window.end - window.start).days + 1
    short = known[known["days_covered"] < whole]
    notes = []
    if len(short):
        notes.append("The tables end with the window: shifted later it is only shortened. Record on, and ask again.")
    if missing := len(table) - len(known):
        notes.append(f"{missing} shifted windows could not be computed; see the table.")
    margin = Margin("window", basis.leader, value, *ends, error, "probability", said, str(worst["method"]))
    return Finding("window", {"windows": table}, (margin,), tuple(notes))


def draw(finding: Finding, _names: Mapping[str, str]) -> dict[str, Figure]:
    """Draw P(first) of today's leader under each window."""
    from violencescore.report.robustness_figures import bars

    table = finding.tables["windows"]
    table = table[table["sound"].astype(bool)]
    labels = [
        "tapered" if change == "tapered" else f"{weeks:+d} weeks"
        for change, weeks in zip(table["change"], table["weeks"].astype(int), strict=True)
    ]
    label = "P(first) of today's leader"
    return {"window": bars(labels, table["p_leader"].tolist(), x_label=label)}


PART = Part("window", "Would another window give another verdict?", True, examine, draw)
