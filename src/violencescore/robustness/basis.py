"""What every part looks at: the draws, the rule, and the tables where they are at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from violencescore.decision import Decision, Outcome, decide, judge
from violencescore.errors import RefusedError
from violencescore.montecarlo import Probability, effective_size, read_scores
from violencescore.names import CATEGORY, CHAIN, DRAW
from violencescore.ranks import best_other
from violencescore.robustness.worlds import Worlds, build_worlds
from violencescore.scores import published_weights, score_draws

if TYPE_CHECKING:
    from violencescore.assessment import Assessment
    from violencescore.methodology import Methodology, Window

FloatArray = npt.NDArray[np.float64]
type Verdict = tuple[Outcome, str | None]
"""The outcome, and whom it names."""

NEEDS_TABLES = "It needs the tables of the assessment: name them with --assessment DIR."


@dataclass(frozen=True, eq=False)
class Basis:
    """A fitted assessment under doubt.

    Attributes
    ----------
    posterior, methodology, diagnostics
        As in a `runs.Run`.
    assessment
        The tables that it was fitted to; None where only the run is at hand.
    folder
        Where those tables stand, for what reads them under other dates.
    n_refits
        How many times each part may sample the model again (staging: for each of its two budgets).
    seed
        Of everything random.
    """

    posterior: xr.DataTree
    methodology: Methodology
    diagnostics: Mapping[str, Any]
    assessment: Assessment | None = None
    folder: Path | None = None
    n_refits: int = 0
    seed: int = 0

    @cached_property
    def decision(self) -> Decision:
        """The verdict, whatever margins the methodology may require of it."""
        return decide(self.scores, self.methodology, diagnostics=self.diagnostics)

    @cached_property
    def scores(self) -> xr.DataArray:
        """Draws of the scores (chain, draw, organization)."""
        return score_draws(self.posterior, self.methodology)

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the rankable organizations, in the order of the draws."""
        return self.decision.organizations

    @property
    def names(self) -> Mapping[str, str]:
        """Id -> name to show."""
        return self.decision.names

    @cached_property
    def values(self) -> FloatArray:
        """Draws of the scores as an array (chain, draw, organization)."""
        return read_scores(self.scores).values

    @property
    def leader(self) -> str:
        """Id of the likeliest first.

        Raises
        ------
        RefusedError
            If the run has no verdict that could change.
        """
        if self.decision.outcome == "not_estimable" or self.decision.leader is None:
            raise RefusedError(f"There is no verdict that could change: {self.decision.reasons[0]}")
        return self.decision.leader

    @property
    def verdict(self) -> Verdict:
        """The outcome, and whom it names."""
        return self.decision.outcome, self.decision.selected

    @property
    def confidence(self) -> float:
        """What a selection requires."""
        return self.decision.confidence_required

    @cached_property
    def weights(self) -> xr.DataArray:
        """Weight of each category that counts (category)."""
        return published_weights(self.posterior, self.methodology)

    @cached_property
    def parts_of_scores(self) -> xr.DataArray:
        """What each category adds to each score (chain, draw, organization, category); they sum to the scores."""
        harm = self.posterior["harms"][f"harm_{self.methodology.score.estimand}"]
        weighed = harm * self.weights.reindex({CATEGORY: harm[CATEGORY]}, fill_value=0.0)
        if (per := self.methodology.score.per) != "none":
            weighed = weighed / self.posterior["revenue"][per]
        return weighed.transpose(CHAIN, DRAW, "organization", CATEGORY)

    @property
    def window(self) -> Window:
        """First and last day that count.

        Raises
        ------
        RefusedError
            If the methodology states none.
        """
        if self.methodology.window is None:
            raise RefusedError("The methodology states no window.")
        return self.methodology.window

    @cached_property
    def worlds(self) -> Worlds:
        """Who did each incident of the window, draw by draw.

        Raises
        ------
        RefusedError
            If the tables are not at hand; or if scores are of the rate, and what was done gives another verdict.
        """
        worlds = build_worlds(self.tables, self.posterior, self.weights, self.seed)
        if self.methodology.score.estimand == "rate" and (done := self.verdict_of(worlds.totals())) != self.verdict:
            raise RefusedError(
                f"The verdict is about rates ({_said(self.verdict)}). Single incidents are what was done, of which the "
                f"verdict would be another ({_said(done)}): what changes that one says nothing of this."
            )
        return worlds

    @property
    def tables(self) -> Assessment:
        """The assessment.

        Raises
        ------
        RefusedError
            If it is not at hand.
        """
        if self.assessment is None:
            raise RefusedError(NEEDS_TABLES)
        return self.assessment

    def verdict_of(self, values: FloatArray, weight: FloatArray | None = None) -> Verdict:
        """Return what the rule would say of other scores (chain, draw, organization), each draw with its weight."""
        rule = self.methodology.decision
        shares = lead_shares(values, rule.margin)
        means = shares.mean(axis=(0, 1)) if weight is None else np.tensordot(weight, shares, axes=2)
        lead = int(means.argmax())
        # The error is that of as many draws: how few of them carry the weight says nothing of what a refit would find.
        found = Probability(float(np.clip(means[lead], 0, 1)), weighted_probability(shares[..., lead]).mcse)
        outcome = judge(found, rule.confidence, rule.extend_within, has_obstacle=False)
        return outcome, self.ids[lead] if outcome == "selected" else None


def _said(verdict: Verdict) -> str:
    outcome, named = verdict
    return outcome if named is None else f"{outcome} {named}"


def lead_shares(values: FloatArray, margin: float = 0.0) -> FloatArray:
    """Return what each draw gives to "k is first" by the methodology's margin, ties shared (..., organization)."""
    if margin > 0:
        runner_up = best_other(values)
        return np.asarray((values >= (1 + margin) * runner_up) & (values > runner_up), dtype=np.float64)
    leads = values == values.max(axis=-1, keepdims=True)
    return np.asarray(leads / leads.sum(axis=-1, keepdims=True))


def first_probabilities(
    values: FloatArray, margin: float = 0.0, weight: FloatArray | None = None
) -> tuple[Probability, ...]:
    """Return the probability that each organization is first, from draws (chain, draw, organization).

    Parameters
    ----------
    weight
        Importance of each draw (chain, draw), summing to one; equal unless given.
    """
    shares = lead_shares(values, margin)
    return tuple(weighted_probability(shares[..., k], weight) for k in range(values.shape[2]))


def weighted_probability(share: FloatArray, weight: FloatArray | None = None) -> Probability:
    """Return the weighted mean of shares (chain, draw), with an error that allows for weights and autocorrelation.

    Where all weighted draws agree the error is not nought: the next draw may differ, as in
    `montecarlo.estimate_probability`.
    """
    n = share.size
    scaled = np.full(share.shape, 1.0) if weight is None else weight * n
    p = float(np.clip((scaled * share).mean(), 0.0, 1.0))
    influence = scaled * (share - p)
    independent = float(effective_size(influence[np.newaxis])[0])
    spread = float(influence.std() / np.sqrt(independent))
    kish = n / float((scaled**2).mean())
    return Probability(p, max(spread, 1.0 / (min(kish, independent) + 1.0)))


def change(before: FloatArray, after: FloatArray, weight: FloatArray | None = None) -> tuple[float, float]:
    """Return the change of a probability and its Monte-Carlo error, the draws being common to both.

    Parameters
    ----------
    before, after
        What each draw gives to the event (chain, draw).
    weight
        Importance of each draw after the change, summing to one; equal unless given.
    """
    scaled = np.full(after.shape, 1.0) if weight is None else weight * after.size
    old, new = float(before.mean()), float((scaled * after).mean())
    influence = scaled * (after - new) - (before - old)
    independent = float(effective_size(influence[np.newaxis])[0])
    return new - old, float(influence.std() / np.sqrt(independent))
