"""The verdict: one frozen object, made by one total rule, behind every table, figure, sentence and file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from violencescore.montecarlo import (
    Names,
    Probability,
    ScoreDraws,
    Scores,
    estimate_probability,
    rank_rhat,
    read_scores,
)
from violencescore.names import CHAIN, DRAW
from violencescore.ranks import (
    N_ERRORS,
    first_probability,
    pairwise_table,
    rank_probabilities,
    rank_table,
    smallest_first_set,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from violencescore.methodology import Methodology
    from violencescore.robustness.margins import Required

type Outcome = Literal["selected", "no_selection", "extend", "not_estimable"]

MAX_FOREIGN_RHAT = 1.05
"""Draws that come without diagnostics are refused above this R-hat: wider than the limit for our own."""
MIN_FOREIGN_DRAWS = 100
"""Draws per chain from which chains without diagnostics are compared."""
LEADING_SHARE = 0.05
"""Chains are compared on the organizations that are first in at least this share of the draws."""
_ROUNDING = 1e-9

RECORDED_ONLY = "This counts recorded violence only: unreported violence is not estimated."
WITH_UNREPORTED = (
    "Violence that no source lists is counted as well, estimated from which sources list which incidents; how the "
    "sources depend on one another is assumed."
)
NOBODY_NAMED = (
    "Nothing in the data tells one organization from another: no evidence and no settled case names any of them. "
    "A ranking would only repeat what was assumed beforehand."
)
WINNERS_CURSE = (
    "The score of an organization picked for being highest tends to be too high. Here it is read from a "
    "posterior in which the organizations are shrunk towards one another, which allows for that (Dawid 1994, "
    "Senn 2008), so nothing more is taken off; with draws from elsewhere this is as good as their model."
)
_ESTIMANDS = {
    "realized": "Scores are realized totals: what each organization did in the window.",
    "rate": "Scores are expected totals: what each organization tends to do, not what it did.",
}

RATES_IN_SERIES = (
    "Incidents come in series here: as much as their numbers vary more by region and week than those of independent "
    "incidents would, so much less are rates taken to be known."
)


@dataclass(frozen=True)
class ScoreSummary:
    """Median and interval of the selected organization's score, and what selection does to it."""

    organization_id: str
    median: float
    low: float
    high: float
    note: str


@dataclass(frozen=True, eq=False)
class Decision:
    """What was found, how sure it is, and why: nothing that is shown is computed elsewhere.

    Parameters
    ----------
    outcome, selected
        One of the four outcomes; the id of the selected organization, None unless ``selected``.
    confidence_required, margin, extend_within
        The line that was applied, the share by which the first must exceed the second, and how far below
        the line an extension is still advised.
    estimand, per
        ``realized`` or ``rate``; ``none``, ``revenue`` or ``flow``.
    organizations, names
        Ids in the order of the draws; id -> name to show.
    p_first
        id -> probability of the highest score (ties shared), with its Monte-Carlo error.
    p_stand_out
        Probability that the leader's score is at least (1 + margin) times the second: the figure the rule
        looks at. Equal to the leader's ``p_first`` when the margin is 0. None without organizations.
    smallest_set
        The smallest set of ids that holds the first with the required confidence, likeliest first.
    ranking, rank_probabilities, pairwise
        As by `rank_table`, `rank_probabilities` and `pairwise_table`.
    selected_score
        None unless ``selected``.
    p_not_above_baseline
        Probability that total violence in the window is not above the baseline's; None if not asked.
    reasons
        Sentences for the panel; their figures are those of the fields above.
    methodology
        ``id``, ``version`` and ``sha256``.
    counts_unreported
        Whether violence that no source lists is estimated and part of the scores.
    required_margins
        What the methodology requires of a selection's robustness, and whether it holds; often nothing.
    """

    outcome: Outcome
    selected: str | None
    confidence_required: float
    margin: float
    extend_within: float
    estimand: str
    per: str
    organizations: tuple[str, ...]
    names: Mapping[str, str]
    p_first: Mapping[str, Probability]
    p_stand_out: Probability | None
    smallest_set: tuple[str, ...]
    ranking: pd.DataFrame
    rank_probabilities: xr.DataArray
    pairwise: pd.DataFrame
    selected_score: ScoreSummary | None
    p_not_above_baseline: Probability | None
    reasons: tuple[str, ...]
    methodology: Mapping[str, str]
    counts_unreported: bool = False
    required_margins: tuple[Required, ...] = ()

    @property
    def coverage(self) -> str:
        """Sentence on what is counted: recorded violence only, or unreported violence as well."""
        return WITH_UNREPORTED if self.counts_unreported else RECORDED_ONLY

    @property
    def leader(self) -> str | None:
        """Id of the first row of the ranking."""
        return None if self.ranking.empty else str(self.ranking["organization_id"].iloc[0])

    def to_json_dict(self) -> dict[str, Any]:
        """Return the content of ``decision.json``: plain JSON values only."""
        score = self.selected_score
        return {
            "outcome": self.outcome,
            "selected": self.selected,
            "confidence_required": self.confidence_required,
            "margin": self.margin,
            "extend_within": self.extend_within,
            "estimand": self.estimand,
            "per": self.per,
            "leader": self.leader,
            "names": dict(self.names),
            "p_first": {key: _as_json(value) for key, value in self.p_first.items()},
            "p_stand_out": _as_json(self.p_stand_out),
            "smallest_set": list(self.smallest_set),
            "selected_score": None if score is None else dict(vars(score)),
            "p_not_above_baseline": _as_json(self.p_not_above_baseline),
            "needs_more_draws": needs_more_draws(self),
            "counts_unreported": self.counts_unreported,
            "required_margins": [required.to_json_dict() for required in self.required_margins],
            "reasons": list(self.reasons),
            "methodology": dict(self.methodology),
        }


def _as_json(value: Probability | None) -> dict[str, float] | None:
    return None if value is None else {"p": value.p, "mcse": value.mcse}


def decide(
    scores: Scores,
    methodology: Methodology,
    *,
    diagnostics: object | None = None,
    names: Names | None = None,
    confidence: float | None = None,
    baseline_ratio: xr.DataArray | NDArray[Any] | None = None,
    counts_unreported: bool = False,
) -> Decision:
    """Give the verdict on anybody's draws. The rule is total: every input has exactly one outcome.

    Let P be the probability that the leader (first row of the ranking) is first by the methodology's
    margin, and e its Monte-Carlo standard error. The first line that holds decides:

    1. ``not_estimable``: there is no organization to rank; or the diagnostics say that nothing in the data names any
       of them (a ranking would rest on the prior alone), or that the sampler has not converged; or every score is
       zero in every draw; or, without diagnostics, with two or more chains of 100 or more draws, the rank-normalized
       R-hat of the score of an organization that leads in 5 % of the draws or more is above 1.05.
    2. ``selected``: P - 2e >= confidence.
    3. ``extend``: P >= confidence - extend_within (more weeks could settle it), or |P - confidence| <= 2e
       (more draws would show on which side of the line it lies).
    4. ``no_selection``: none of these; none stands out.

    The confidence is above one half, so organizations that tie for the lead can never be selected.

    Margins that the methodology requires besides are applied by `verdict.require_margins`, as ``Run.decide`` does.

    Parameters
    ----------
    scores, names
        As in `rank_table`.
    methodology
        Its confidence, margin, extension, estimand and denominator are applied and recorded.
    diagnostics
        Mapping or object with ``converged`` and, if any, ``named``, ``reasons``, ``max_rhat``, ``min_ess``,
        ``divergences``, as in ``diagnostics.json``.
    confidence
        Overrides the methodology's; the reasons then say so.
    baseline_ratio
        Draws, (chain, draw) or (draw,), of total violence in the window over that of an equal time of the
        baseline; infinite where the baseline has none.
    counts_unreported
        Whether the draws count violence that no source lists; the reasons say which it is.

    Raises
    ------
    ValueError
        Draws that are not finite, a confidence outside (0.5, 1), a margin with negative scores,
        diagnostics that do not say whether the sampler converged.
    """
    draws = read_scores(scores, names)
    rule = methodology.decision
    required = rule.confidence if confidence is None else float(confidence)
    if not 0.5 < required < 1:
        raise ValueError(f"confidence is {required}; it must lie above 0.5 and below 1")
    ranking = rank_table(draws, with_mean=methodology.score.per == "none")
    p_first = _p_first(ranking, draws)
    leader = None if ranking.empty else str(ranking["organization_id"].iloc[0])
    stand_out = _p_stand_out(draws, p_first, leader, rule.margin)
    obstacles = _find_obstacles(draws, p_first, diagnostics, methodology.sampling.max_rhat)
    outcome = judge(stand_out, required, rule.extend_within, bool(obstacles))
    decision = Decision(
        outcome=outcome,
        selected=leader if outcome == "selected" else None,
        confidence_required=required,
        margin=float(rule.margin),
        extend_within=float(rule.extend_within),
        estimand=methodology.score.estimand,
        per=methodology.score.per,
        organizations=draws.ids,
        names=dict(zip(draws.ids, draws.names, strict=True)),
        p_first=p_first,
        p_stand_out=stand_out,
        smallest_set=smallest_first_set(draws, required),
        ranking=ranking,
        rank_probabilities=rank_probabilities(draws),
        pairwise=pairwise_table(draws),
        selected_score=_summarize_selected(ranking) if outcome == "selected" else None,
        p_not_above_baseline=None if baseline_ratio is None else _p_not_above(baseline_ratio),
        reasons=(),
        methodology={"id": methodology.id, "version": methodology.version, "sha256": methodology.sha256},
        counts_unreported=counts_unreported,
    )
    reasons, in_series = _explain(decision, obstacles, rule.confidence), methodology.episodes.repeat is not None
    warning = (RATES_IN_SERIES,) if in_series and decision.estimand == "rate" else ()
    return replace(decision, reasons=(*reasons, *warning))


def needs_more_draws(decision: Decision) -> bool:
    """Whether the leader's probability is within two Monte-Carlo errors of the line, and not selected.

    More draws, of the same posterior, would then show on which side of the line it lies.
    """
    if decision.outcome not in ("extend", "no_selection") or decision.p_stand_out is None:
        return False
    return _is_near_line(decision.p_stand_out, decision.confidence_required)


def _is_near_line(value: Probability, line: float) -> bool:
    return abs(value.p - line) <= N_ERRORS * value.mcse + _ROUNDING


def judge(value: Probability | None, required: float, extend_within: float, has_obstacle: bool) -> Outcome:
    """Return the outcome of a probability under the rule; see `decide` for its four lines."""
    if value is None or has_obstacle:
        return "not_estimable"
    if value.p - N_ERRORS * value.mcse >= required - _ROUNDING:
        return "selected"
    if value.p >= required - extend_within - _ROUNDING or _is_near_line(value, required):
        return "extend"
    return "no_selection"


def _p_first(ranking: pd.DataFrame, draws: ScoreDraws) -> dict[str, Probability]:
    rows = zip(ranking["organization_id"], ranking["p_first"], ranking["p_first_mcse"], strict=True)
    found = {str(key): Probability(float(p), float(mcse)) for key, p, mcse in rows}
    return {key: found[key] for key in draws.ids}


def _p_stand_out(
    draws: ScoreDraws, p_first: Mapping[str, Probability], leader: str | None, margin: float
) -> Probability | None:
    if leader is None:
        return None
    return first_probability(draws, margin)[leader] if margin > 0 else p_first[leader]


def _p_not_above(ratio: xr.DataArray | NDArray[Any]) -> Probability:
    if isinstance(ratio, xr.DataArray):
        ratio = ratio.transpose(*[dim for dim in (CHAIN, DRAW) if dim in ratio.dims], ...).values
    values = np.atleast_2d(np.asarray(ratio, dtype=np.float64))[:, :, np.newaxis]
    if values.size == 0 or np.isnan(values).any() or values.min() < 0:
        raise ValueError("baseline_ratio must hold draws of 0 or more (infinite where the baseline has none)")
    # Counted on (0, 1], so that an infinite ratio can be used like any other.
    gap = 1 / (1 + values) - 0.5
    p, mcse = estimate_probability((gap >= 0).astype(np.float64), gap)
    return Probability(float(p[0]), float(mcse[0]))


def _find_obstacles(
    draws: ScoreDraws, p_first: Mapping[str, Probability], diagnostics: object | None, max_rhat: float
) -> tuple[str, ...]:
    """Return, in words, what keeps any verdict from being given; empty where nothing does."""
    if not draws.ids:
        return ("There is no organization to rank.",)
    if diagnostics is not None:
        found = _read_obstacles(diagnostics, max_rhat)
        if found:
            return found
    if not draws.values.any():
        return ("No violence was counted for any organization: all scores are zero in every draw.",)
    return _find_disagreement(draws, p_first) if diagnostics is None else ()


def _read_obstacles(diagnostics: object, max_rhat: float) -> tuple[str, ...]:
    def look_up(key: str) -> Any:
        return diagnostics.get(key) if isinstance(diagnostics, Mapping) else getattr(diagnostics, key, None)

    converged = look_up("converged")
    if converged is None:
        raise ValueError("diagnostics do not say whether the sampler converged: the key 'converged' is missing")
    if look_up("named") == 0:
        return (NOBODY_NAMED,)
    if converged:
        return ()
    figures = {"R-hat": look_up("max_rhat"), "smallest effective sample": look_up("min_ess")}
    figures["divergences"] = look_up("divergences")
    shown = ", ".join(f"{key} {float(value):.4g}" for key, value in figures.items() if value is not None)
    told = look_up("reasons") or ()
    detail = f" ({shown}; R-hat must not exceed {max_rhat:g})" if shown else ""
    return (f"The sampler has not converged{detail}: the figures cannot be relied on.", *map(str, told))


def _find_disagreement(draws: ScoreDraws, p_first: Mapping[str, Probability]) -> tuple[str, ...]:
    if draws.values.shape[0] < 2 or draws.values.shape[1] < MIN_FOREIGN_DRAWS:
        return ()
    leading = [k for k, key in enumerate(draws.ids) if p_first[key].p >= LEADING_SHARE]
    rhats = {draws.names[k]: rank_rhat(draws.values[:, :, k]) for k in leading}
    return tuple(
        f"The chains disagree on the score of {name} (R-hat {rhat:.3g}, above {MAX_FOREIGN_RHAT:g}): "
        "the figures cannot be relied on."
        for name, rhat in rhats.items()
        if rhat > MAX_FOREIGN_RHAT
    )


def _summarize_selected(ranking: pd.DataFrame) -> ScoreSummary:
    row = ranking.iloc[0]
    return ScoreSummary(
        organization_id=str(row["organization_id"]),
        median=float(row["score_median"]),
        low=float(row["score_low"]),
        high=float(row["score_high"]),
        note=WINNERS_CURSE,
    )


def _explain(decision: Decision, obstacles: tuple[str, ...], stated_confidence: float) -> tuple[str, ...]:
    value = None if decision.outcome == "not_estimable" else decision.p_stand_out
    reasons = [*obstacles] if value is None else [_explain_outcome(decision, value)]
    if len(decision.organizations) == 1:
        reasons.append("Only one organization is ranked: it is first by being alone.")
    elif value is not None:
        reasons += [_explain_runner_up(decision), _explain_set(decision)]
    if decision.confidence_required != stated_confidence:
        reasons.append(
            f"The confidence of {decision.confidence_required:g} was asked for in place of the "
            f"{stated_confidence:g} that the methodology states."
        )
    if decision.p_not_above_baseline is not None:
        shown = _show(decision.p_not_above_baseline)
        reasons.append(f"Total violence in the window is not above the baseline with probability {shown}.")
    reasons.append(_ESTIMANDS.get(decision.estimand, f"Scores are the estimand {decision.estimand!r}."))
    if decision.per != "none":
        reasons.append(f"Scores are per unit of {decision.per}: the intensity of violence, not its amount.")
    reasons.append(decision.coverage)
    return tuple(reasons)


def _explain_outcome(decision: Decision, value: Probability) -> str:
    line = f"{decision.confidence_required:g}"
    name = decision.names[str(decision.leader)]
    shown = f"the probability that {name} {_describe_lead(decision.margin)} is {_show(value)}"
    if decision.outcome == "selected":
        return f"Selected: {shown}, above the required {line} by more than the Monte-Carlo error."
    if needs_more_draws(decision):
        return (
            f"Too near the line to call: {shown}, and with this many draws the Monte-Carlo error does not "
            f"tell whether that clears the required {line}. More draws would settle it."
        )
    if decision.outcome == "extend":
        return (
            f"Close, but not enough: {shown}, below the required {line} by no more than "
            f"{decision.extend_within:g}. More weeks could settle it."
        )
    return f"No organization stands out: {shown}, and {line} is required."


def _describe_lead(margin: float) -> str:
    return "has the highest score" if margin == 0 else f"exceeds every other by {100 * margin:g} % or more"


def _explain_runner_up(decision: Decision) -> str:
    leader, second = (str(key) for key in decision.ranking["organization_id"].iloc[:2])
    pair = decision.pairwise.query("organization_id == @leader and other_id == @second").iloc[0]
    above = Probability(float(pair["p_greater"]), float(pair["mcse"]))
    name, other = decision.names[leader], decision.names[second]
    own = ""
    if decision.margin > 0:
        own = f"{name} has the highest score with probability {_show(decision.p_first[leader])}. "
    return (
        f"{own}The runner-up, {other}, has the highest score with probability "
        f"{_show(decision.p_first[second])}; {name} scores above {other} with probability {_show(above)}."
    )


def _explain_set(decision: Decision) -> str:
    members = ", ".join(decision.names[key] for key in decision.smallest_set)
    return (
        f"The smallest set that holds the first with probability {decision.confidence_required:g} "
        f"has {len(decision.smallest_set)} of {len(decision.organizations)} organizations: {members}."
    )


def _show(value: Probability) -> str:
    return f"{value} (Monte-Carlo error {np.format_float_positional(value.mcse, 1, fractional=False)})"
