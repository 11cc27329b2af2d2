"""A panel's weights: what each panelist moves, how few could change the verdict, and what another pool would say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from violencescore.decision import Outcome, judge
from violencescore.errors import RefusedError
from violencescore.methodology import DecisionRule, Weights
from violencescore.montecarlo import Probability, read_scores
from violencescore.names import CATEGORY, PANELIST
from violencescore.ranks import first_probability, first_shares
from violencescore.robustness.basis import Basis, change
from violencescore.robustness.findings import Finding, described
from violencescore.robustness.margins import Margin
from violencescore.scores import pool_weights

FloatArray = npt.NDArray[np.float64]

POOLS: tuple[Literal["linear", "logarithmic", "median"], ...] = ("linear", "logarithmic", "median")
MOST_SETS = 5_000
"""Sets of panelists of one size that are all tried; of more, only those of the panelists with most leverage."""


@dataclass(frozen=True)
class Verdict:
    """Who leads under some weights, how surely, and what the rule says of it."""

    leader: str
    p_first: Probability
    outcome: Outcome
    shares: FloatArray

    @property
    def named(self) -> tuple[Outcome, str | None]:
        """What is announced: the outcome, and who is named."""
        return self.outcome, self.leader if self.outcome == "selected" else None


def judge_weights(harm: xr.DataArray, weights: xr.DataArray, rule: DecisionRule) -> Verdict:
    """Apply the rule of decision to draws of harm under weights.

    Parameters
    ----------
    harm
        What the score weighs (chain, draw, organization, category).
    weights
        (category,).
    """
    draws = read_scores(xr.dot(harm, weights, dim=CATEGORY))
    first = first_probability(draws)
    leader = max(first, key=lambda i: first[i].p)
    stand_out = first[leader] if rule.margin == 0 else first_probability(draws, rule.margin)[leader]
    outcome = judge(stand_out, rule.confidence, rule.extend_within, has_obstacle=False)
    return Verdict(leader, first[leader], outcome, first_shares(draws))


def leverage_table(harm: xr.DataArray, panel: xr.DataArray, pool: Weights, rule: DecisionRule) -> pd.DataFrame:
    """Return what leaving out each panelist does to P(first) of the pooled weights' first.

    Parameters
    ----------
    harm
        (chain, draw, organization, category).
    panel
        (panelist, category).
    pool, rule
        How weights are pooled, and how verdicts are made.

    Returns
    -------
    pandas.DataFrame
        panelist_id; leverage (P(first) of the pool's first without the panelist, less that with all) and its mcse, by
        the same draws; leader_without, outcome_without, changes_first, changes_verdict. Most leverage first. Empty for
        a panel of one.
    """
    everyone = judge_weights(harm, pool_weights(panel, pool), rule)
    at = [str(i) for i in harm["organization"].values].index(everyone.leader)
    rows = []
    for i, panelist in enumerate(panel[PANELIST].values):
        without = _without(harm, panel, (i,), pool, rule)
        if without is None:
            continue
        moved, mcse = change(everyone.shares[..., at], without.shares[..., at])
        rows.append(
            {
                "panelist_id": str(panelist),
                "leverage": moved,
                "mcse": mcse,
                "leader_without": without.leader,
                "outcome_without": without.outcome,
                "changes_first": without.leader != everyone.leader,
                "changes_verdict": without.named != everyone.named,
            }
        )
    columns = ["panelist_id", "leverage", "mcse", "leader_without", "outcome_without"]
    table = pd.DataFrame(rows, columns=[*columns, "changes_first", "changes_verdict"])
    table = table.sort_values("leverage", key=np.abs, ascending=False, kind="stable").reset_index(drop=True)
    return described(table, "change of P(first) of the pool's first when one panelist is left out", "draws")


def _without(
    harm: xr.DataArray, panel: xr.DataArray, left_out: tuple[int, ...], pool: Weights, rule: DecisionRule
) -> Verdict | None:
    kept = [i for i in range(panel.sizes[PANELIST]) if i not in left_out]
    if not kept:
        return None
    try:
        weights = pool_weights(panel.isel({PANELIST: kept}), pool)
    except RefusedError:  # the medians of those who are left are all zero
        return None
    return judge_weights(harm, weights, rule)


@dataclass(frozen=True)
class Removal:
    """The least number of panelists without whom the verdict, or the likeliest first, is another.

    Attributes
    ----------
    n
        How many; None where no set that was tried changes it and leaves somebody.
    panelists
        One such set.
    leader, outcome
        What the others would have found.
    exact
        Whether every smaller set was tried.
    """

    n: int | None
    panelists: tuple[str, ...]
    leader: str
    outcome: Outcome
    exact: bool


def least_removal(
    harm: xr.DataArray, panel: xr.DataArray, pool: Weights, rule: DecisionRule, *, what: str = "verdict"
) -> Removal:
    """Search for the least number of panelists whose removal changes the verdict.

    Parameters
    ----------
    what
        ``verdict``: the outcome or who is named; ``first``: the likeliest first.

    Notes
    -----
    All sets of a size are tried before larger ones. Where there are more than ``MOST_SETS`` of a size only those among
    the panelists with the most leverage are, and the number is then an upper bound.
    """
    ids = [str(i) for i in panel[PANELIST].values]
    everyone = judge_weights(harm, pool_weights(panel, pool), rule)
    order = [ids.index(i) for i in leverage_table(harm, panel, pool, rule)["panelist_id"]]
    exact = True
    for size in range(1, len(ids)):
        sets, all_of_them = _sets_of(order, size)
        for left_out in sets:
            found = _without(harm, panel, left_out, pool, rule)
            if found is not None and _differs(found, everyone, what):
                return Removal(size, tuple(ids[i] for i in sorted(left_out)), found.leader, found.outcome, exact)
        exact = exact and all_of_them
    return Removal(None, (), everyone.leader, everyone.outcome, exact)


def _differs(found: Verdict, everyone: Verdict, what: str) -> bool:
    return found.leader != everyone.leader if what == "first" else found.named != everyone.named


def _sets_of(order: Sequence[int], size: int) -> tuple[Iterator[tuple[int, ...]], bool]:
    n = len(order)
    while comb(n, size) > MOST_SETS and n > size:
        n -= 1
    return combinations(order[:n], size), n == len(order)


def pool_table(harm: xr.DataArray, panel: xr.DataArray, rule: DecisionRule) -> pd.DataFrame:
    """Return who is first by each rule that pools weights, and by each panelist alone.

    Returns
    -------
    pandas.DataFrame
        weights (``linear``, ``logarithmic``, ``median``, or ``panelist <id>``), leader, p_first, mcse, outcome, and
        p_first_<organization_id>. A pool that cannot be made is left out (medians that are all zero).
    """
    rows: list[tuple[str, xr.DataArray]] = []
    for pool in POOLS:
        try:
            rows.append((pool, pool_weights(panel, Weights(use="panel", pool=pool))))
        except RefusedError:
            continue
    rows += [(f"panelist {p}", panel.sel({PANELIST: p}, drop=True)) for p in panel[PANELIST].values]
    table = pd.DataFrame([_pool_row(name, judge_weights(harm, weights, rule), harm) for name, weights in rows])
    return described(table, "P(first) of the likeliest under other pools, and by each panelist alone", "draws")


def _pool_row(name: str, verdict: Verdict, harm: xr.DataArray) -> dict[str, object]:
    p = verdict.shares.mean(axis=(0, 1))
    columns = {f"p_first_{i}": float(value) for i, value in zip(harm["organization"].values, p, strict=True)}
    row = {"weights": name, "leader": verdict.leader, "p_first": verdict.p_first.p, "mcse": verdict.p_first.mcse}
    return row | {"outcome": verdict.outcome} | columns


def examine_panel(basis: Basis, harm: xr.DataArray, panel: xr.DataArray) -> Finding:
    """Answer all questions about panelists.

    Parameters
    ----------
    harm
        What the score weighs (chain, draw, organization, category).
    panel
        (panelist, category).
    """
    pool, rule = basis.methodology.weights, basis.methodology.decision
    pools = pool_table(harm, panel, rule)
    tables = {"leverage": leverage_table(harm, panel, pool, rule), "pools": pools}
    removal = {what: least_removal(harm, panel, pool, rule, what=what) for what in ("verdict", "first")}
    margins = (_removal_margin(removal["verdict"]), _pool_margin(basis, pools))
    notes = [_first_note(basis, removal["first"])]
    if pool.use != "panel":
        notes.append("The published weights count, not the panel's: what is said of panelists is of their pool.")
    return Finding("weights", tables, margins, tuple(notes))


def _removal_margin(found: Removal) -> Margin:
    if found.n is None:
        said = "Whoever is left out of the panel, as long as somebody stays, the verdict is the same."
        value = np.inf
    else:
        who = ", ".join(found.panelists)
        said = f"Without {found.n} of the panel ({who}) the verdict would be another: {found.outcome}."
        value = float(found.n)
    said += "" if found.exact else " Not every set could be tried: fewer might do."
    return Margin("panel_removal", None, value, value, value, 0.0, "panelists", said, "draws")


def _pool_margin(basis: Basis, pools: pd.DataFrame) -> Margin:
    own = pools[f"p_first_{basis.leader}"]
    at = int(own.to_numpy().argmin())
    value = float(own.iloc[at])
    name, whose = basis.names[basis.leader], pools["weights"].iloc[at]
    said = f"Under every pool and each panelist's weights alone {name} is first with {value:.2f} at least ({whose})."
    return Margin("pools", basis.leader, value, value, value, 0.0, "probability", said, "draws")


def _first_note(basis: Basis, found: Removal) -> str:
    if found.n is None:
        return "No set of panelists that is left out makes another the likeliest first."
    other = basis.names[found.leader]
    return f"Without {found.n} of the panel ({', '.join(found.panelists)}), {other} would be the likeliest first."
