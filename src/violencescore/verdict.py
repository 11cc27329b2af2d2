"""A posterior of ours to its verdict: scores, diagnostics, required margins and the baseline together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import xarray as xr

from violencescore.decision import Decision, decide, judge
from violencescore.methodology import Methodology
from violencescore.names import UNREPORTED
from violencescore.robustness.margins import Margin, Required, check_required
from violencescore.robustness_choices import Robustness
from violencescore.scores import baseline_ratio, score_draws


def decide_posterior(
    posterior: xr.DataTree,
    methodology: Methodology,
    diagnostics: Mapping[str, object],
    confidence: float | None = None,
    margins: Sequence[Margin] = (),
) -> Decision:
    """Decide from a posterior of ours: scores, diagnostics and the comparison with the baseline together.

    Parameters
    ----------
    margins
        What `robustness` found. Those that the methodology requires must hold for anybody to be selected.
    """
    decision = decide(
        score_draws(posterior, methodology),
        methodology,
        diagnostics=diagnostics,
        baseline_ratio=baseline_ratio(posterior, methodology),
        confidence=confidence,
        counts_unreported=UNREPORTED in posterior["harms"].data_vars,
    )
    return require_margins(decision, methodology.robustness, margins)


def require_margins(decision: Decision, rule: Robustness, margins: Sequence[Margin]) -> Decision:
    """Return the decision with the margins that the methodology requires, not selected where one does not hold.

    The outcome is then what the methodology says under ``[robustness] otherwise``, and the reasons begin with those
    margins. Any other outcome stays as it is: margins are asked for by a selection only.
    """
    required = check_required(rule, margins)
    decision = replace(decision, required_margins=required)
    if decision.outcome != "selected" or not required:
        return decision
    first, *rest = decision.reasons
    if all(part.holds for part in required):
        return replace(decision, reasons=(first, *(part.sentence for part in required), *rest))
    why = "the verdict is not robust enough"
    if _are_unexamined(required):
        why = "not all margins that the methodology requires were examined"
    said = f"{decision.names[str(decision.selected)]} clears the required probability, but is not named: {why}."
    missing = [part.sentence for part in required if not part.holds]
    if any(part.margin is None for part in required):
        missing.append("Margins are examined by `violencescore robustness RUN --assessment DIR`.")
    return replace(
        decision, outcome=rule.otherwise, selected=None, selected_score=None, reasons=(said, *missing, *rest)
    )


def is_held_back(decision: Decision) -> bool:
    """Whether the leader clears the line and is not selected: a margin that the methodology requires is missing."""
    rule = (decision.confidence_required, decision.extend_within)
    cleared = judge(decision.p_stand_out, *rule, has_obstacle=False) == "selected"
    return cleared and decision.outcome in ("extend", "no_selection")


def is_unexamined(decision: Decision) -> bool:
    """Whether the leader clears the line and all that keeps it from being selected is that nobody examined margins."""
    return is_held_back(decision) and _are_unexamined(decision.required_margins)


def _are_unexamined(required: Sequence[Required]) -> bool:
    return all(part.holds or part.margin is None for part in required)
