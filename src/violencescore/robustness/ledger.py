"""The ledger of uncertainty: of what the doubt about "k is first" is made, and how much each part of it weighs.

A world is put together from parts: rates and channels (the parameters), false flags (their parameters, and which
incidents were staged), who did each incident given all that, true counts, and, where they count, what was not reported,
whose weights, and revenue. The worth v(A) of a set of parts is the variance of "k is first" that knowing them would
explain, Var E[1{k first} | A]: nothing for none of them, p (1 - p) for all. It is measured by building a second world
that shares the parts of A and nothing else: v(A) is the covariance of the two (Sobol 2001). The share of each part is
its Shapley value in that game (Owen 2014; Song, Nelson and Staum 2016), which is never negative in truth, adds up to
the whole, and splits what parts explain only together. The square of the Monte-Carlo error of P(k first) is a line of
its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from violencescore.bench.likelihood import thin_draws
from violencescore.design import Design, build_design
from violencescore.montecarlo import effective_size
from violencescore.names import CATEGORY, CHAIN, DRAW, ORGANIZATION, PANELIST, UNREPORTED
from violencescore.report.text import joined
from violencescore.robustness.allotment import (
    Chances,
    Incidents,
    Noise,
    Rows,
    affordable_draws,
    allotted_scores,
    flat_draws,
    group_chances,
    join_chances,
    list_incidents,
    sample_noise,
)
from violencescore.robustness.basis import Basis, lead_shares
from violencescore.robustness.findings import Finding, Part, described
from violencescore.robustness.matching import Matching, match_false_flags, with_false_flags
from violencescore.robustness.tendency import Tendency, build_tendency, tended_scores
from violencescore.sampling import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

PARAMETERS, FALSE_FLAGS, ALLOTMENT = "rates and channels", "false flags", "who did each incident"
REPORTING, COUNTS, WEIGHTS, REVENUE = "reporting", "counts", "weights", "revenue"
SEVERITY = "how bad incidents are"
MONTE_CARLO = "Monte-Carlo error"

N_DRAWS = 2_000
"""Draws of the posterior that worlds are made of."""
REPLICATES = 4
"""Second worlds for each world and set of parts."""
KEPT_OWN = 0.1
"""Share of draws that kept their own false-flag parameters from which it is said."""

type Parts = frozenset[str]
type Simulate = Callable[[Parts, IntArray], FloatArray]
"""Given the parts that are shared and whose the others are (draw), what each draw gives to "k is first" (draw, k)."""


def shapley_shares(parts: Sequence[str], worth: Callable[[Parts], FloatArray]) -> dict[str, FloatArray]:
    """Return the Shapley value of each part in a game.

    Parameters
    ----------
    worth
        Worth of a set of parts; of any shape, and that of the empty set is taken to be 0.
    """
    n = len(parts)
    known = {s: worth(s) for size in range(1, n + 1) for s in map(frozenset, combinations(parts, size))}
    found = {}
    for part in parts:
        others = [p for p in parts if p != part]
        total = np.zeros_like(known[frozenset(parts)])
        for size in range(n):
            weight = factorial(size) * factorial(n - size - 1) / factorial(n)
            for there in map(frozenset, combinations(others, size)):
                before = known[there] if there else 0.0
                total = total + weight * (known[there | {part}] - before)
        found[part] = total
    return found


def explained(first: FloatArray, simulate: Simulate, others: Sequence[IntArray]) -> Callable[[Parts], FloatArray]:
    """Return the worth of sets of parts, as what each draw adds to its estimate (draw, organization).

    Parameters
    ----------
    first
        What each draw gives to "k is first" (draw, organization).
    simulate
        Builds the second worlds.
    others
        For each replicate, whose parts the second world takes where it shares none (draw).
    """
    centred = first - first.mean(axis=0)

    def worth(shared: Parts) -> FloatArray:
        second = np.mean([simulate(shared, other) for other in others], axis=0)
        return np.asarray(centred * (second - first.mean(axis=0)))

    return worth


@dataclass(frozen=True)
class Ledger:
    """What was found.

    Attributes
    ----------
    table
        organization_id, part, variance (its Shapley share of the variance of "k is first") with mcse, share (of the
        whole) and total (the whole: p (1 - p) and the squared Monte-Carlo error together).
    p_first
        Of the worlds that were built (organization).
    matching
        How false flags were told from other parameters; None where the model has none.
    n_draws
        Draws that were used.
    """

    table: pd.DataFrame
    p_first: FloatArray
    matching: Matching | None
    n_draws: int


@dataclass(frozen=True)
class Scoring:
    """How harm becomes a score.

    Attributes
    ----------
    weights
        The weights that count; or, where a panel's do, those of each panelist, of whom one is drawn (set, category).
    ranked
        Positions of the rankable organizations among the actors.
    ids
        Their ids.
    revenue
        What scores are divided by (sample, organization); None for totals.
    unreported
        Harm that no source lists (sample, organization, category); None where it is not estimated. It is taken to be
        independent of the rest of a world.
    """

    weights: FloatArray
    ranked: IntArray
    ids: tuple[str, ...]
    revenue: FloatArray | None = None
    unreported: FloatArray | None = None


def build_ledger(
    design: Design,
    incidents: Incidents,
    draws: xr.Dataset,
    scoring: Scoring,
    rng: np.random.Generator,
    *,
    p_error: FloatArray | None = None,
    n_draws: int = N_DRAWS,
    replicates: int = REPLICATES,
    of_rate: bool = False,
) -> Ledger:
    """Divide the variance of "k is first" among the parts of a world, for each organization.

    Parameters
    ----------
    draws
        Named quantities of the posterior (chain, draw, ...).
    p_error
        Monte-Carlo error of P(first) of each organization in the verdict (organization); zero if not given.
    of_rate
        Whether scores are of the rate; then ``incidents`` must hold their harms everywhere.

    Raises
    ------
    RefusedError
        If they are, and have parts that draws do not hold.
    """
    kept = flat_draws(thin_draws(draws, affordable_draws(design, n_draws, tables=2)))
    n = kept.sizes[DRAW]
    tendency = None
    if of_rate:
        listed = scoring.unreported is not None
        tendency = build_tendency(design, incidents, kept, counts_unlisted=listed, rng=rng)
    chances = group_chances(design, kept)
    matching = hybrid = None
    if design.stages and "false_flag" in kept:
        matching = match_false_flags(design, kept, rng)
        hybrid = group_chances(design, with_false_flags(kept, matching.partner))
    ingredients = Ingredients(
        incidents,
        scoring,
        chances if hybrid is None else join_chances((chances, hybrid)),
        None if matching is None else matching.partner,
        sample_noise(n, incidents, rng),
        rng.integers(len(scoring.weights), size=n),
        _any_order(scoring.revenue, n, rng),
        _any_order(scoring.unreported, n, rng),
        tendency,
    )
    table, p_first = divide_doubt(ingredients, rng, p_error, replicates)
    return Ledger(table, p_first, matching, n)


def _any_order(draws: FloatArray | None, n: int, rng: np.random.Generator) -> FloatArray | None:
    return None if draws is None else rng.permutation(draws)[np.arange(n) % len(draws)]


def divide_doubt(
    ingredients: Ingredients, rng: np.random.Generator, p_error: FloatArray | None = None, replicates: int = REPLICATES
) -> tuple[pd.DataFrame, FloatArray]:
    """Divide the variance of "k is first" in the worlds of some ingredients.

    Returns
    -------
    tuple
        ``Ledger.table`` and ``Ledger.p_first``.
    """
    n, ids = len(ingredients.panelist), ingredients.scoring.ids
    first = ingredients.simulate(frozenset(ingredients.parts), np.arange(n))
    others = [_shifted(n, rng) for _ in range(replicates)]
    each = shapley_shares(ingredients.parts, explained(first, ingredients.simulate, others))
    error = np.zeros(len(ids)) if p_error is None else p_error
    return _table(each, ids, error), first.mean(axis=0)


def _shifted(n: int, rng: np.random.Generator) -> IntArray:
    """Return a permutation that leaves nothing in its place."""
    order = rng.permutation(n)
    found = np.empty(n, dtype=np.int64)
    found[order] = np.roll(order, 1)
    return found


@dataclass(frozen=True, eq=False)
class Ingredients:
    """What worlds are put together from; hybrids stand behind the draws in ``chances``."""

    incidents: Incidents
    scoring: Scoring
    chances: Chances
    partner: IntArray | None
    noise: Noise
    panelist: IntArray
    revenue: FloatArray | None
    unreported: FloatArray | None = None
    tendency: Tendency | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that this assessment has."""
        present = {
            PARAMETERS: True,
            FALSE_FLAGS: self.partner is not None,
            ALLOTMENT: True,
            REPORTING: self.unreported is not None,
            SEVERITY: self.tendency is not None,
            COUNTS: bool((self.incidents.low < self.incidents.high).any()),
            WEIGHTS: len(self.scoring.weights) > 1,
            REVENUE: self.revenue is not None,
        }
        return tuple(part for part, there in present.items() if there)

    def simulate(self, shared: Parts, other: IntArray) -> FloatArray:
        """Build worlds that share some parts with the draws; return what each gives to "k is first"."""
        itself = np.arange(len(other))

        def whose(part: str) -> IntArray:
            return itself if part in shared else other

        rows = Rows(
            self._chance_rows(shared, other),
            whose(ALLOTMENT if self.partner is None else FALSE_FLAGS),
            whose(ALLOTMENT),
            whose(COUNTS),
            self.panelist[whose(WEIGHTS)],
            whose(SEVERITY),
        )
        ground = (self.incidents, self.chances, self.noise, self.scoring.weights, rows)
        scores = allotted_scores(*ground) if self.tendency is None else tended_scores(self.tendency, *ground)
        scores = scores[:, self.scoring.ranked]
        if self.unreported is not None:
            weights = self.scoring.weights[rows.weights]
            scores = scores + np.einsum("dkc,dc->dk", self.unreported[whose(REPORTING)], weights)
        if self.revenue is not None:
            scores = scores / self.revenue[whose(REVENUE)]
        return lead_shares(scores)

    def _chance_rows(self, shared: Parts, other: IntArray) -> IntArray:
        """Whose chances: a draw's, another's, or those of a hybrid with one part of the parameters from the draw."""
        itself = np.arange(len(other))
        if self.partner is None:
            return itself if PARAMETERS in shared else other
        if PARAMETERS in shared:
            return itself if FALSE_FLAGS in shared else len(other) + itself
        # The hybrid whose false flags are those of the draw is that of the draw which they were given to.
        return len(other) + np.argsort(self.partner) if FALSE_FLAGS in shared else other


def _table(each: dict[str, FloatArray], ids: Sequence[str], error: FloatArray) -> pd.DataFrame:
    rows = []
    whole = sum(values.mean(axis=0) for values in each.values()) + error**2
    for k, organization in enumerate(ids):
        for part, values in each.items():
            own = values[:, k]
            mcse = float(own.std() / np.sqrt(effective_size(own[np.newaxis, np.newaxis])[0]))
            rows.append((organization, part, float(own.mean()), mcse))
        rows.append((organization, MONTE_CARLO, float(error[k] ** 2), 0.0))
    table = pd.DataFrame(rows, columns=["organization_id", "part", "variance", "mcse"])
    total = table["organization_id"].map(dict(zip(ids, whole, strict=True))).astype(float)
    return table.assign(share=(table["variance"] / total).where(total > 0), total=total)


def scoring_of(basis: Basis, design: Design) -> Scoring:
    """Return how the methodology turns harm into scores; of a panel whose weights count, those of each panelist."""
    labels = list(design.categories)
    weights = basis.weights.reindex({CATEGORY: labels}, fill_value=0.0).values[None]
    if basis.methodology.weights.use == "panel":
        panel = basis.posterior["weights"].to_dataset()["panel_weight"]
        shares = (panel / panel.sum(CATEGORY)).reindex({CATEGORY: labels}, fill_value=0.0)
        weights = shares.transpose(PANELIST, CATEGORY).values
    per, revenue = basis.methodology.score.per, None
    if per != "none":
        drawn = basis.posterior["revenue"][per].sel({ORGANIZATION: list(basis.ids)})
        revenue = drawn.transpose(CHAIN, DRAW, ORGANIZATION).values.reshape(-1, len(basis.ids))
    ranked = np.array([design.actors.index(i) for i in basis.ids], dtype=np.int64)
    unreported = unreported_draws(basis.posterior["harms"].to_dataset(), basis.ids, labels)
    return Scoring(np.ascontiguousarray(weights, dtype=np.float64), ranked, basis.ids, revenue, unreported)


def unreported_draws(harms: xr.Dataset, ids: Sequence[str], categories: Sequence[str]) -> FloatArray | None:
    """Return the harm that no source lists (sample, organization, category); None where it is not estimated."""
    if UNREPORTED not in harms:
        return None
    found = harms[UNREPORTED].sel({ORGANIZATION: list(ids), CATEGORY: list(categories)})
    values = found.transpose(CHAIN, DRAW, ORGANIZATION, CATEGORY).values
    return np.asarray(values, dtype=np.float64).reshape(-1, *values.shape[2:])


def examine(basis: Basis, progress: Progress) -> Finding:
    """Build worlds and divide the doubt among their parts.

    Raises
    ------
    RefusedError
        If scores are of the rate and have parts that the draws do not hold.
    """
    leader, assessment = basis.leader, basis.tables
    of_rate = basis.methodology.score.estimand == "rate"
    progress("ledger", 0, 2)
    design = build_design(assessment)
    incidents = list_incidents(design, assessment, everywhere=of_rate)
    progress("ledger", 1, 2)
    errors = np.array([basis.decision.p_first[i].mcse for i in basis.ids])
    found = build_ledger(
        design,
        incidents,
        basis.posterior["posterior"].to_dataset(),
        scoring_of(basis, design),
        np.random.default_rng(basis.seed),
        p_error=errors,
        of_rate=of_rate,
    )
    progress("ledger", 2, 2)
    doubted = [i for i, p in zip(basis.ids, found.p_first, strict=True) if 0 < p < 1 or i == leader]
    table = found.table[found.table["organization_id"].isin(doubted)].reset_index(drop=True)
    own = table[table["organization_id"] == leader]
    estimand = 'Shapley share of each part in the variance of "is first", in these worlds'
    return Finding("ledger", {"shares": described(table, estimand, "draws")}, (), _notes(basis, own, found))


def _notes(basis: Basis, own: pd.DataFrame, found: Ledger) -> tuple[str, ...]:
    name = basis.names[basis.leader]
    if not own["share"].notna().any():
        return (f"There is no doubt to divide: {name} is first in every world that was built.",)
    most = own.sort_values("share", ascending=False)
    parts = joined([f"{row['part']} {100 * row['share']:.0f} %" for row in most.to_dict("records")])
    notes = [f"Of the doubt whether {name} is first: {parts}."]
    if found.matching is not None and found.matching.own > KEPT_OWN:
        notes.append(
            f"{100 * found.matching.own:.0f} % of the draws kept their own false-flag parameters: the shares of false "
            "flags and of other parameters are too high by some of what they share."
        )
    return tuple(notes)


def draw(finding: Finding, names: Mapping[str, str]) -> dict[str, Figure]:
    """Draw the shares for the likeliest first."""
    from violencescore.report.weighing_figures import share_bars

    table = finding.tables["shares"]
    # Of those in doubt the one with the largest whole; of two, the doubt is the same.
    most = table["organization_id"].iloc[int(table["total"].to_numpy().argmax())]
    own = table[table["organization_id"] == most]
    return {"ledger": share_bars(own, names)}


PART = Part("ledger", "What is the doubt about the first made of?", True, examine, draw)
