"""Staging: how many incidents must a rival stage under another's name to change the verdict?

A staged incident is added to the window; each draw says whose it would be, and its harm goes there; what the model
learns from it moves the scores besides (to first order). *Best placed*, forgeable channels name the framed one,
nothing else speaks, and channels, place and kind are those that move the lead most. *As they usually come*, place and
kind are those of the framer's own work, forgeable channels respond as if the framed one had done it, and the others
respond to the framer; what comes is chance, and the budget is the median over several ways in which it may come.
Refits with the staged incidents in the tables say at which number the verdict changes indeed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from violencescore.robustness.basis import Basis, Verdict
from violencescore.robustness.changed import Refit, refit, with_incidents
from violencescore.robustness.findings import Finding, Part, described
from violencescore.robustness.margins import Margin
from violencescore.robustness.searching import Search, least_number, reweighted_number
from violencescore.robustness.staged_returns import return_table, weight_table
from violencescore.robustness.staged_worlds import Staged, best_placed, staging_options, usual, usual_harm
from violencescore.robustness.tipping import tipping_table
from violencescore.robustness.worlds import how, importance
from violencescore.sampling import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 60
"""The largest number of staged incidents that is looked at."""

WAYS, CHEAPEST_WAYS = 3, 15
"""In how many ways staged incidents come as they usually do: for each pair the same ones in another order, for the
cheapest pair others each time. Odd numbers, for the median."""


@dataclass(frozen=True)
class Budget:
    """What a framer must stage under another's name; None where as many as were looked at do not do.

    Attributes
    ----------
    least
        The least number that changes the verdict.
    named
        The least number after which the framed one is named.
    pareto_k
        Of the reweighting that found ``least``; nan where it was found to first order.
    """

    least: int | None
    named: int | None
    pareto_k: float


def budget(basis: Basis, staged: Staged, framed: str) -> Budget:
    """Return the budget of a sequence of staged incidents, added one after the other.

    To change the verdict: by reweighting where that can be trusted, else to first order, as the other number is.
    """
    most = len(staged.insertions)
    least = _first(lambda n: basis.verdict_of(staged.totals(n)) != basis.verdict, most)
    named = _first(lambda n: basis.verdict_of(staged.totals(n)) == ("selected", framed), most)

    def judge(n: int) -> tuple[Verdict, float]:
        weight, k = importance(staged.log_density[..., :n].sum(axis=-1))
        return basis.verdict_of(staged.credited(n), weight), k

    least, k = reweighted_number(judge, basis.verdict, least, most)
    return Budget(least, named, k)


def _first(holds: Callable[[int], bool], most: int) -> int | None:
    """Return the least number from 1 to ``most`` for which it holds, supposing that it then goes on holding."""
    low, high = 0, 1
    while high < most and not holds(high):
        low, high = high, min(2 * high, most)
    if not holds(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def budget_table(basis: Basis, seed: int, progress: Progress) -> pd.DataFrame:
    """Return the staging budget of every framer under every other's name.

    Returns
    -------
    pandas.DataFrame
        framer_id, framed_id, placed (``best`` or ``usual``), budget (to change the verdict; infinite above `MOST`; of
        the usual ones the median of `WAYS` draws), to_name (until the framed one is named), pareto_k (missing where the
        budget is to first order), kind and region (of the best placed).
    """
    rows = []
    framed_ones = [k for k in basis.ids if k != basis.decision.selected]
    design = basis.worlds.design
    for i, framed in enumerate(framed_ones):
        progress("staging", i, len(framed_ones))
        options = staging_options(basis, framed)
        for framer in (j for j in basis.ids if j != framed):
            placed = best_placed(basis, framer, framed, MOST, options)
            found, where = budget(basis, placed, framed), placed.insertions[0]
            place = (design.kinds[where.kind], design.regions[where.region])
            rows.append((framer, framed, "best", _number(found.least), _number(found.named), found.pareto_k, *place))
            drawn = usual(basis, framer, framed, MOST, seed)
            orders = [np.random.default_rng([seed, way]).permutation(MOST) for way in range(1, WAYS)]
            ways = with_budgets(basis, framed, [drawn, *(drawn.reordered(order) for order in orders)])
            _, middle = ways[WAYS // 2]
            named = float(np.median([_number(found.named) for _, found in ways]))
            rows.append((framer, framed, "usual", _number(middle.least), named, middle.pareto_k, "", ""))
    progress("staging", len(framed_ones), len(framed_ones))
    columns = ["framer_id", "framed_id", "placed", "budget", "to_name", "pareto_k", "kind", "region"]
    table = pd.DataFrame(rows, columns=columns)
    method = f"reweighted, or {basis.worlds.first_order.removeprefix('draws, ')}"
    return described(table, "fewest staged incidents after which the verdict is another", method)


def _number(of: int | None) -> float:
    return np.inf if of is None else float(of)


def with_budgets(basis: Basis, framed: str, ways: Sequence[Staged]) -> list[tuple[Staged, Budget]]:
    """Return staged incidents as they may come with the budget of each way; the cheapest first."""
    return sorted(((way, budget(basis, way, framed)) for way in ways), key=lambda found: _number(found[1].least))


@dataclass(frozen=True, eq=False)
class Cheapest:
    """The pair that needs the fewest staged incidents: who, what is staged, and its budget.

    ``spread`` holds eight of ten ways in which it may come; None where it is best placed.
    """

    framer: str
    framed: str
    staged: Staged
    budget: Budget
    spread: tuple[float, float] | None = None


def cheapest(basis: Basis, table: pd.DataFrame, placed: str) -> Cheapest | None:
    """Return the pair with the smallest budget; staged as usual, it is drawn anew, so that luck does not count."""
    own = table[table["placed"] == placed].sort_values("budget", kind="stable")
    if own.empty:
        return None
    framer, framed = str(own["framer_id"].iloc[0]), str(own["framed_id"].iloc[0])
    if placed == "best":
        staged = best_placed(basis, framer, framed, MOST)
        return Cheapest(framer, framed, staged, budget(basis, staged, framed))
    first = basis.seed + 1
    drawn = [usual(basis, framer, framed, MOST, seed) for seed in range(first, first + CHEAPEST_WAYS)]
    ways = with_budgets(basis, framed, drawn)
    tail = CHEAPEST_WAYS // 10
    spread = _number(ways[tail][1].least), _number(ways[-1 - tail][1].least)
    return Cheapest(framer, framed, *ways[CHEAPEST_WAYS // 2], spread)


def examine(basis: Basis, progress: Progress) -> Finding:
    """Find the budgets, have the smallest confirmed by refits, and the returns."""
    table = budget_table(basis, basis.seed, progress)
    tables = {"budget": table, "tipping": tipping_table(basis)}
    margins, notes = [], []
    for placed, name in (("best", "staging_budget"), ("usual", "staging_budget_average")):
        margin, search, note = _confirmed(basis, cheapest(basis, table, placed), placed, name, progress)
        margins.append(margin)
        notes.append(note)
        tables[f"refits_{placed}"] = search.table(basis, "staged")
    tipping = tables["tipping"]
    if len(tipping):
        margins.append(_tipping_margin(basis, tipping))
    tables["returns"] = return_table(basis, basis.seed, progress)
    tables["weights"] = weight_table(basis, basis.seed)
    return Finding("staging", tables, tuple(margins), tuple(notes))


def _confirmed(
    basis: Basis, pair: Cheapest | None, placed: str, name: str, progress: Progress
) -> tuple[Margin, Search, str]:
    """Return the least budget over all pairs, found by refits where they are allowed."""
    if pair is None:
        nothing = Search((), None, 0)
        margin = Margin(name, None, np.inf, np.inf, np.inf, 0.0, "incidents", "There is no rival to frame.", "draws")
        return margin, nothing, margin.sentence
    harms = [usual_harm(basis, insertion.kind) for insertion in pair.staged.insertions]
    expected = pair.budget.least

    def fit(n: int) -> Refit:
        added = list(zip(pair.staged.insertions, harms, strict=True))[:n]
        return refit(basis, with_incidents(basis.tables, basis, added), f"{n} staged", progress)

    search = least_number(fit, basis.verdict, expected or MOST, MOST, basis.n_refits if expected else 0)
    value = search.value(expected)
    k = pair.budget.pareto_k
    method = search.method(basis.worlds.first_order if np.isnan(k) else how(k))
    who = f"{basis.names[pair.framer]}, staging as {basis.names[pair.framed]}"
    way = "best placed" if placed == "best" else "as they usually come"
    if np.isinf(value):
        said = f"No rival changes the verdict with {MOST} staged incidents, {way}."
    elif np.isnan(value):
        said = f"Refits do not bear out that {expected} staged incidents, {way}, change the verdict; more would tell."
    else:
        said = f"{value:.0f} staged incidents, {way}, change the verdict (cheapest: {who})."
        if pair.spread is not None:
            few, many = pair.spread
            most = f"{many:.0f}" if np.isfinite(many) else f"more than {MOST}"
            said += f" That is the median; in eight of ten ways in which they may come it is {few:.0f} to {most}."
    note = said if not search.tried else f"{said} {search.sentence(basis, 'with')}"
    low, high = search.low(value), value
    if pair.spread is not None:
        low, high = min(low, pair.spread[0]), max(high, pair.spread[1])
    return Margin(name, pair.framed, value, low, high, 0.0, "incidents", said, method), search, note


def _tipping_margin(basis: Basis, table: pd.DataFrame) -> Margin:
    row = table.sort_values("share", kind="stable").iloc[0]
    share, low, high = float(row["share"]), float(row["low"]), float(row["high"])
    name, rival = basis.names[basis.leader], basis.names.get(str(row["framer_id"]), "somebody else")
    said = f"If {100 * share:.0f} % of what counts as {name}'s was staged by {rival}, the verdict would not hold."
    return Margin("tipping_share", basis.leader, share, low, high, (high - low) / 4, "share", said, "draws")


def draw(finding: Finding, names: Mapping[str, str]) -> dict[str, Figure]:
    """Draw the budgets of all pairs, and what a staged incident of each kind moves."""
    from violencescore.report.robustness_figures import bars

    table = finding.tables["budget"]
    found = {}
    for placed in ("best", "usual"):
        own = table[(table["placed"] == placed) & np.isfinite(table["budget"])].sort_values("budget").head(15)
        labels = [
            f"{names.get(str(r.framer_id), r.framer_id)} as {names.get(str(r.framed_id), r.framed_id)}"
            for r in own.itertuples()
        ]
        if labels:
            label = f"staged incidents to change the verdict ({placed} placed, to first order)"
            found[f"staging-{placed}"] = bars(labels, own["budget"].tolist(), x_label=label)
    weights = finding.tables["weights"]
    now = weights[np.isclose(weights["times"], 1.0)]
    if len(now):
        label = "change of P(the runner-up first) by one staged incident"
        found["staging-returns"] = bars(now["category"].tolist(), now["change"].tolist(), x_label=label)
    return found


PART = Part("staging", "How many staged incidents change the verdict?", True, examine, draw)
