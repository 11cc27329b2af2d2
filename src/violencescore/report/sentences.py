"""The verdict in words: pure functions of the decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from violencescore.decision import needs_more_draws
from violencescore.report.text import percent, shown_text, worlds_against
from violencescore.verdict import is_held_back, is_unexamined

if TYPE_CHECKING:
    from violencescore.decision import Decision

OUTCOME_LABELS: Mapping[str, str] = {
    "selected": "An organization is named",
    "no_selection": "No organization is named",
    "extend": "No organization is named yet",
    "not_estimable": "No verdict can be given",
}

_PER = {"none": "", "revenue": " per unit of revenue", "flow": " per unit of drug flow"}


def verdict_sentence(decision: Decision) -> str:
    """Return the verdict in one or two sentences, with natural frequencies.

    A "world" is a posterior draw: one way in which all incidents may have been caused, drawn in proportion
    to how well it fits the evidence. No frequency reads as certain, and one that is close to the bar is
    written with enough digits to show on which side it lies.
    """
    if decision.leader is None:
        return "No verdict can be given: there is no organization to rank."
    if decision.outcome == "not_estimable":
        return "No verdict can be given: the figures are not fit to name any organization, or to clear any."
    name = shown_name(decision, decision.leader)
    probability = decision.p_stand_out or decision.p_first[decision.leader]
    reached, required = worlds_against(probability.p, probability.mcse, decision.confidence_required)
    claim = claim_words(decision)
    if decision.outcome == "selected":
        return (
            f"{name} is named: it {claim} in {reached} worlds consistent with the evidence; {required} were required."
        )
    found = f"{name}, the likeliest, {claim} in {reached} worlds consistent with the evidence"
    if is_held_back(decision):
        why = "the verdict is not robust enough for what the methodology requires"
        if is_unexamined(decision):
            why = "margins that the methodology requires have not been examined"
        return f"{OUTCOME_LABELS[decision.outcome]}: {found}, which is enough, but {why}."
    if decision.outcome == "no_selection":
        return f"No organization is named: {found}; {required} were required."
    if needs_more_draws(decision):
        return (
            f"No organization is named yet: {found}, too near the required {required} to call with this "
            "number of draws."
        )
    return f"No organization is named yet: {found}; {required} were required. More weeks could settle it."


def claim_words(decision: Decision) -> str:
    """Return what an organization is said to have been, by estimand, denominator and margin."""
    lead = "" if decision.margin == 0 else f", by {percent(decision.margin)} or more,"
    if decision.estimand == "rate":
        return f"had the highest underlying rate of violence{_PER[decision.per]}{lead}"
    return f"was the most violent{_PER[decision.per]}{lead}"


def score_name(decision: Decision) -> str:
    """Return the name of the score, for an axis or a column: ``realized violence score per revenue``."""
    per = "" if decision.per == "none" else f" per {decision.per}"
    return f"{decision.estimand} violence score{per}"


def shown_name(decision: Decision, organization_id: str, limit: int | None = None) -> str:
    """Return the name of an organization as it may be shown."""
    return shown_text(decision.names.get(organization_id, organization_id), limit)
