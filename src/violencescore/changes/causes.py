"""How much of a change of P(first) comes from the data, and how much from what was chosen.

Let P(d, m) be the probability under data d and methodology m. Between two runs both may differ, and which is changed
first matters. Each part is the mean over both orders (Shapley's value of a game of two): for the data,

    ((P(new, old) - P(old, old)) + (P(new, new) - P(old, new))) / 2,

and likewise for the methodology; they add up to the change. The two crossed probabilities come from the draws of the
runs, scored again, where the methodologies differ in weights, estimand or denominator only; else from two more fits.

Every part carries its Monte-Carlo error. Where draws are shared, the error is that of the difference inside each draw.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from violencescore.decision import decide
from violencescore.methodology import Methodology
from violencescore.montecarlo import FloatArray, estimate_probability, read_scores
from violencescore.ranks import N_ERRORS, best_other, first_shares

type Cause = Literal["none", "data", "rules", "both", "either", "chance", "unexplained", "unknown"]
"""Why a verdict is another: see `verdict_cause`."""

BEFORE, AFTER, DATA_ONLY, RULES_ONLY = "before", "after", "data_only", "rules_only"


@dataclass(frozen=True, eq=False)
class Corner:
    """One combination of data and methodology.

    Attributes
    ----------
    draws
        Name of the set of draws that it rests on; corners of one name share their draws.
    ids
        Organizations that are ranked.
    shares, gaps
        Share of the first place, and what decides it, (chain, draw, organization).
    outcome, selected, leader
        What the rule of the methodology says, and the likeliest first.
    p_stand_out
        The figure that the rule looks at, with its error; None without organizations.
    """

    draws: str
    ids: tuple[str, ...]
    shares: FloatArray
    gaps: FloatArray
    outcome: str
    selected: str | None
    leader: str | None
    p_stand_out: tuple[float, float] | None

    @property
    def verdict(self) -> tuple[str, str | None]:
        """Outcome, and who is selected."""
        return self.outcome, self.selected

    def to_json_dict(self) -> dict[str, Any]:
        """Return plain JSON values, without the draws."""
        p = None if self.p_stand_out is None else {"p": self.p_stand_out[0], "mcse": self.p_stand_out[1]}
        return {"outcome": self.outcome, "selected": self.selected, "leader": self.leader, "p_stand_out": p}


def build_corner(draws: str, scores: xr.DataArray, methodology: Methodology, diagnostics: Mapping[str, Any]) -> Corner:
    """Return a combination from draws of its scores (chain, draw, organization)."""
    decision = decide(scores, methodology, diagnostics=diagnostics)
    read = read_scores(scores)
    stand_out = decision.p_stand_out
    return Corner(
        draws,
        read.ids,
        first_shares(read),
        read.values - best_other(read.values),
        decision.outcome,
        decision.selected,
        decision.leader,
        None if stand_out is None else (stand_out.p, stand_out.mcse),
    )


def contrast(parts: Sequence[tuple[float, Corner]], organization: str) -> tuple[float, float]:
    """Return a sum of P(first) of one organization over corners, each by its factor, with its Monte-Carlo error.

    An organization that a corner does not rank is first there with probability 0.
    """
    value, variance = 0.0, 0.0
    for name in dict.fromkeys(corner.draws for _, corner in parts):
        own = [(factor, corner) for factor, corner in parts if corner.draws == name and organization in corner.ids]
        if not own:
            continue
        places = [(factor, corner, corner.ids.index(organization)) for factor, corner in own]
        series = np.sum([factor * corner.shares[:, :, k] for factor, corner, k in places], axis=0)
        gap = np.sum([abs(factor) * corner.gaps[:, :, k] for factor, corner, k in places], axis=0)
        mean, error = estimate_probability(series[:, :, None], gap[:, :, None])
        value, variance = value + float(mean[0]), variance + float(error[0]) ** 2
    return value, math.sqrt(variance)


def split_change(corners: Mapping[str, Corner], *, data: bool, rules: bool) -> pd.DataFrame:
    """Return the change of P(first) of every organization, and its parts.

    Parameters
    ----------
    corners
        ``before`` and ``after``; where both data and methodology differ also ``data_only`` (old methodology, new data)
        and ``rules_only``, without which the change cannot be split.
    data, rules
        Whether the data, and the methodology, differ in what can move P(first).

    Returns
    -------
    pandas.DataFrame
        organization_id; ``before``, ``after`` and their errors (missing where it is not ranked); ``change``, ``data``,
        ``rules`` and ``chance`` with an error each. ``chance`` is the whole change where nothing differs but the draws;
        elsewhere Monte-Carlo error is in each part, as its error says. Parts that cannot be told apart are missing.
    """
    old, new = corners[BEFORE], corners[AFTER]
    crossed = DATA_ONLY in corners and RULES_ONLY in corners
    rows = []
    for key in dict.fromkeys((*new.ids, *old.ids)):
        row: dict[str, Any] = {"organization_id": key}
        for name, corner in ((BEFORE, old), (AFTER, new)):
            p, error = contrast([(1.0, corner)], key) if key in corner.ids else (math.nan, math.nan)
            row |= {name: p, f"{name}_error": error}
        change = contrast([(1.0, new), (-1.0, old)], key)
        parts = {"data": (0.0, 0.0), "rules": (0.0, 0.0), "chance": (0.0, 0.0)}
        if data and rules:
            parts |= _crossed(corners, key) if crossed else dict.fromkeys(("data", "rules"), (math.nan, math.nan))
        else:
            parts["data" if data else "rules" if rules else "chance"] = change
        for name, (value, error) in {"change": change, **parts}.items():
            row |= {name: value, f"{name}_error": error}
        rows.append(row)
    table = pd.DataFrame(rows)
    order = table["change"].abs().round(12).sort_values(ascending=False, kind="stable").index
    return table.loc[order].reset_index(drop=True)


def _crossed(corners: Mapping[str, Corner], key: str) -> dict[str, tuple[float, float]]:
    old, new, data_only, rules_only = (corners[name] for name in (BEFORE, AFTER, DATA_ONLY, RULES_ONLY))
    return {
        "data": contrast([(0.5, data_only), (-0.5, old), (0.5, new), (-0.5, rules_only)], key),
        "rules": contrast([(0.5, rules_only), (-0.5, old), (0.5, new), (-0.5, data_only)], key),
    }


def verdict_cause(corners: Mapping[str, Corner], *, data: bool, rules: bool, line: bool) -> Cause:
    """Return why the verdict is another; ``none`` where it is the same.

    ``data`` or ``rules``: that alone would have changed it so. ``both``: neither alone would; ``either``: each alone
    would. ``chance``: the same organization leads, the line is the same, and the figure that is held against it has
    moved by less than two Monte-Carlo errors (by four where nothing differs but the draws). ``unexplained``: nothing
    differs but the draws, and it has moved by more. ``unknown``: the crossed combinations are missing.

    Parameters
    ----------
    data, rules
        Whether the data differ, and whether the methodology does in what can change a verdict.
    line
        Whether the rule itself differs: its confidence, its margin.
    """
    old, new = corners[BEFORE], corners[AFTER]
    if old.verdict == new.verdict:
        return "none"
    if not (data or rules):
        return "chance" if _is_chance(old, new, 2 * N_ERRORS) else "unexplained"
    if not line and _is_chance(old, new, N_ERRORS):
        return "chance"
    if not (data and rules):
        return "data" if data else "rules"
    if DATA_ONLY not in corners:
        return "unknown"
    by_data, by_rules = (corners[name].verdict == new.verdict for name in (DATA_ONLY, RULES_ONLY))
    if by_data:
        return "either" if by_rules else "data"
    return "rules" if by_rules else "both"


def _is_chance(old: Corner, new: Corner, n_errors: float) -> bool:
    if old.p_stand_out is None or new.p_stand_out is None or "not_estimable" in (old.outcome, new.outcome):
        return False
    (p, error), (again, other) = old.p_stand_out, new.p_stand_out
    return old.leader == new.leader and abs(p - again) <= n_errors * math.hypot(error, other)
