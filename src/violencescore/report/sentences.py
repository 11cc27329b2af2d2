"""The verdict and what it assumes, in words: pure functions of the decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from violencescore.decision import needs_more_draws
from violencescore.report.text import number_format, percent, shown_text, worlds_against

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


def selected_score_sentences(decision: Decision) -> tuple[str, ...]:
    """Return the score of the selected organization and what selection does to it; nothing without one."""
    score = decision.selected_score
    if score is None:
        return ()
    shown = number_format([score.low, score.median, score.high])
    found = (
        f"The {score_name(decision)} of {shown_name(decision, score.organization_id)} is "
        f"{shown.with_unit(score.median)}; with 90 % probability it lies between {shown(score.low)} and "
        f"{shown.with_unit(score.high)}."
    )
    return found, shown_text(score.note)


def assumption_sentences(decision: Decision, run_info: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the verdict takes for granted, one sentence each.

    Parameters
    ----------
    decision
        The decision.
    run_info
        The content of ``run.json``; only ``seed`` is read, and may be absent.
    """
    methodology = decision.methodology
    chosen = (
        f"The methodology is {shown_text(methodology['id'])}, version {shown_text(methodology['version'])}: "
        "its weights and rules were chosen by people, not learned from the data."
    )
    return (
        _estimand_sentence(decision),
        *_per_sentence(decision),
        decision.coverage,
        "Ranks are taken within each world and then counted; organizations that tie share the rank.",
        _rule_sentence(decision),
        chosen,
        *([f"The draws were made with seed {run_info['seed']}."] if "seed" in run_info else []),
    )


def _rule_sentence(decision: Decision) -> str:
    condition = "first" if decision.margin == 0 else f"ahead of every other by {percent(decision.margin)} or more"
    return (
        f"An organization is named only if it is {condition} with a probability of at least "
        f"{percent(decision.confidence_required)}, by more than the Monte-Carlo error."
    )


def _estimand_sentence(decision: Decision) -> str:
    if decision.estimand == "rate":
        return (
            "Compared is what each organization tends to do (the expected total under its rate), "
            "not what it did in this window."
        )
    return "Compared is what each organization in fact did in the window, not what it tends to do."


def _per_sentence(decision: Decision) -> tuple[str, ...]:
    if decision.per == "none":
        return ()
    what = "revenue" if decision.per == "revenue" else "drug flow"
    return (f"Scores are divided by {what}, whose uncertainty is part of every probability.",)
