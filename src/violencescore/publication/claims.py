"""Typed claims: all that an announcement states, each with its quantity, its level and its condition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from violencescore.decision import Decision, needs_more_draws
from violencescore.methodology import Methodology
from violencescore.montecarlo import Probability
from violencescore.publication.commitment import Commitment
from violencescore.publication.phrases import SENTENCES, WORDS
from violencescore.publication.required import FROM_DRAWS, RequiredWords, is_asked, number, required_words, rule_words
from violencescore.ranks import N_ERRORS
from violencescore.report.text import shown_text
from violencescore.scenarios import ScenarioResult
from violencescore.verdict import is_held_back

if TYPE_CHECKING:
    from violencescore.robustness.margins import Margin

LEVEL = 0.9
"""Probability inside the intervals of ranks and scores."""


@dataclass(frozen=True)
class Claim:
    """One statement.

    Attributes
    ----------
    part
        Under which heading it stands: ``verdict``, ``figures``, ``rules`` or ``limits``.
    kind
        Which sentence it is: a key of `violencescore.publication.phrases.SENTENCES`.
    quantity
        What is stated, such as ``P(first)``; empty for a statement without a number.
    subject
        Ids of the organizations that it is about.
    level
        The probability that the statement carries; None without one.
    condition
        What it holds under: ``draws`` (recomputed from the draws), ``methodology``, ``commitment``, ``stated`` (by the
        publisher).
    values
        The exact numbers, dates and texts.
    shown
        The same as they stand in the sentence.
    words
        Slots that each language fills in its own words: keys of ``WORDS``.
    names
        Slots that hold names of organizations.
    """

    part: str
    kind: str
    quantity: str = ""
    subject: tuple[str, ...] = ()
    level: float | None = None
    condition: str = "stated"
    values: Mapping[str, Any] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    def to_json_dict(self) -> dict[str, Any]:
        """Return plain JSON values, with the sentence in each language."""
        found = {key: list(value) if isinstance(value, tuple) else value for key, value in vars(self).items()}
        return {**found, "sentences": {language: sentence(self, language) for language in ("en", "es")}}


def sentence(claim: Claim, language: str) -> str:
    """Return a claim in words."""
    words = {slot: WORDS[key][language].format_map(claim.shown) for slot, key in claim.words.items()}
    return SENTENCES[claim.kind][language].format_map({**claim.shown, **words})


@dataclass(frozen=True, eq=False)
class Facts:
    """What the claims are made of.

    Attributes
    ----------
    decision, methodology, chain, diagnostics
        The verdict, what was chosen, the commitment, and the content of ``diagnostics.json``.
    n_chains, n_draws
        Chains, and draws of all of them.
    panel
        As by `violencescore.panel.panel_table`; None without a panel, or with a sealed one.
    scenarios
        What the scenarios of the methodology found.
    calibration
        Content of the ``results.json`` of a calibration; None without one.
    publication
        Content of ``publication.json``.
    """

    decision: Decision
    methodology: Methodology
    chain: Sequence[Commitment]
    diagnostics: Mapping[str, Any]
    n_chains: int
    n_draws: int
    panel: pd.DataFrame | None
    scenarios: Sequence[ScenarioResult]
    calibration: Mapping[str, Any] | None
    publication: Mapping[str, Any]


def build_claims(facts: Facts) -> tuple[Claim, ...]:
    """Return every claim of an announcement, in order."""
    return tuple(
        claim for part in (_verdict_claims, _figure_claims, _rule_claims, _limit_claims) for claim in part(facts)
    )


def _verdict_claims(facts: Facts) -> Iterator[Claim]:
    decision, window = facts.decision, facts.methodology.window
    if facts.chain[-1].is_rehearsal:
        yield Claim("verdict", "rehearsal", condition="commitment")
    if facts.methodology.fictional:
        yield Claim("verdict", "fictional", condition="methodology")
    published = str(facts.publication["published_at"])[:10]
    if window is not None and published <= str(window.end) and not facts.chain[-1].is_rehearsal:
        days = {"published": published, "end": str(window.end)}
        yield Claim("verdict", "preliminary", values=days, shown=days)
    if decision.outcome == "not_estimable" or decision.leader is None or decision.p_stand_out is None:
        yield Claim("verdict", "not_estimable", condition="draws")
        return
    leader = str(decision.leader)
    kind: str = "near" if needs_more_draws(decision) else decision.outcome
    kind = f"held_back.{decision.outcome}" if is_held_back(decision) else kind
    values = {**_probability(decision.p_stand_out), "required": decision.confidence_required, "margin": decision.margin}
    yield Claim(
        "verdict",
        kind,
        "P(first by the margin)",
        (leader,),
        decision.confidence_required,
        "draws",
        values,
        {**_shown(decision.p_stand_out), **_named(decision, leader=leader), **_line(decision)},
        _lead(decision),
        ("leader",),
    )
    if is_asked(decision):
        for required in decision.required_margins:
            drawn = required.margin is not None and required.name in FROM_DRAWS
            yield _margin_claim("verdict", required_words(required), required.margin, "draws" if drawn else "stated")


def _margin_claim(part: str, found: RequiredWords, margin: Margin | None, condition: str) -> Claim:
    subject = () if margin is None or margin.organization is None else (margin.organization,)
    quantity = str(found.values["name"])
    return Claim(part, found.kind, quantity, subject, None, condition, found.values, found.shown, found.words)


def _figure_claims(facts: Facts) -> Iterator[Claim]:
    decision = facts.decision
    if decision.outcome == "not_estimable":
        return
    for row in decision.ranking.to_dict("records"):
        yield from _organization_claims(decision, {str(key): value for key, value in row.items()})
    if len(decision.ranking) > 1:
        yield _pair_claim(decision)
        yield _set_claim(decision)
    if (found := decision.p_not_above_baseline) is not None:
        yield _figure("baseline", "P(not above baseline)", (), _probability(found), _shown(found))
    leader = str(decision.leader)
    if facts.panel is not None:
        values = {"n": len(facts.panel), "same": int(facts.panel["same_as_verdict"].sum())}
        shown = _numbers(values) | _named(decision, leader=leader)
        yield _figure("panel", "panelists", (leader,), values, shown, names=("leader",))
    if facts.scenarios:
        done = [result for result in facts.scenarios if result.status == "done"]
        same = sum(result.leader == leader for result in done)
        values = {"n": len(facts.scenarios), "done": len(done), "same": same}
        shown = _numbers(values) | _named(decision, leader=leader)
        yield _figure("scenarios", "scenarios", (leader,), values, shown, names=("leader",))


def _figure(
    kind: str,
    quantity: str,
    subject: tuple[str, ...],
    values: Mapping[str, Any],
    shown: Mapping[str, str],
    *,
    level: float | None = None,
    words: Mapping[str, str] | None = None,
    names: tuple[str, ...] = (),
) -> Claim:
    return Claim("figures", kind, quantity, subject, level, "draws", values, shown, words or {}, names)


def _organization_claims(decision: Decision, row: Mapping[str, Any]) -> Iterator[Claim]:
    """How likely one organization is first, where it ranks, and what its score is."""
    key = str(row["organization_id"])
    p, name = decision.p_first[key], _named(decision, name=key)
    words = {"lead": _lead(decision)["lead"]}
    yield _figure("first", "P(first)", (key,), _probability(p), {**_shown(p), **name}, words=words, names=("name",))
    ranks = {end: float(row[f"rank_{end}"]) for end in ("low", "high")}
    scores = {end: float(row[f"score_{end}"]) for end in ("median", "low", "high")}
    rank = "one_rank" if ranks["low"] == ranks["high"] else "rank"
    for kind, quantity, found in ((rank, "rank", ranks), ("score", "score", scores)):
        values = {**found, "level": LEVEL}
        yield _figure(kind, quantity, (key,), values, _numbers(values) | name, level=LEVEL, names=("name",))


def _pair_claim(decision: Decision) -> Claim:
    first, second = (str(key) for key in decision.ranking["organization_id"].iloc[:2])
    table = decision.pairwise
    pair = table[(table["organization_id"] == first) & (table["other_id"] == second)].iloc[0]
    p = Probability(float(pair["p_greater"]), float(pair["mcse"]))
    shown = {**_shown(p), **_named(decision, name=first, other=second)}
    return _figure("pair", "P(greater)", (first, second), _probability(p), shown, names=("name", "other"))


def _set_claim(decision: Decision) -> Claim:
    members, required = decision.smallest_set, decision.confidence_required
    values = {"required": required, "n": len(members), "total": len(decision.organizations)}
    shown = _numbers(values) | {"names": ", ".join(shown_text(decision.names[key]) for key in members)}
    return _figure("smallest_set", "smallest set", members, values, shown, level=required, names=("names",))


def _rule_claims(facts: Facts) -> Iterator[Claim]:
    decision, methodology = facts.decision, facts.methodology
    required = decision.confidence_required
    values: dict[str, Any] = {"required": required, "margin": decision.margin, "errors": N_ERRORS}
    shown = {**_line(decision), "errors": number(N_ERRORS)}
    quantity = "required P(first by the margin)"
    yield Claim("rules", "rule", quantity, (), required, "methodology", values, shown, _lead(decision))
    for part in decision.required_margins:
        yield _margin_claim("rules", rule_words(part), None, "methodology")
    if (window := methodology.window) is not None:
        days = {key: str(getattr(window, key)) for key in ("start", "end", "announced")}
        yield Claim("rules", "window", "days", condition="methodology", values=days, shown=days)
    chosen = {"id": methodology.id, "version": methodology.version}
    yield Claim("rules", "chosen", condition="methodology", values=chosen, shown=_texts(chosen))
    for link in facts.chain:
        kind = "amended" if link.statement["previous"] else "committed"
        values = {"at": link.statement["committed_at"], "sha256": link.sha256}
        if kind == "amended":
            values["reason"] = link.statement["reason"]
        yield Claim("rules", kind, "digest", condition="commitment", values=values, shown=_texts(values))


def _limit_claims(facts: Facts) -> Iterator[Claim]:
    if facts.decision.outcome == "selected":
        yield Claim("limits", "winner", condition="methodology")
    yield Claim("limits", "unreported" if facts.decision.counts_unreported else "recorded", condition="methodology")
    diagnostics = {"rhat": facts.diagnostics.get("max_rhat"), "ess": facts.diagnostics.get("min_ess")}
    found: dict[str, Any] = {"n": facts.n_draws, "chains": facts.n_chains, **diagnostics}
    shown = _numbers(found)
    shown["rhat"] = "–" if found["rhat"] is None else f"{found['rhat']:.3f}"
    yield Claim("limits", "draws", "draws", values=found, shown=shown)
    if n := _n_stated(facts.decision):
        yield Claim("limits", "margin.stated", "margins", values={"n": n}, shown=_numbers({"n": n}))
    yield _calibration_claim(facts)
    level = facts.publication["level"]
    yield Claim("limits", "disclosure", values={"level": level}, words={"disclosed": f"level.{level}"})
    if (effect := facts.publication["coarsening"]) is not None and facts.decision.outcome != "not_estimable":
        yield _coarsening_claim(facts.decision, effect)
    yield Claim("limits", "check")


def _n_stated(decision: Decision) -> int:
    """Return how many of the margins that were found cannot be computed again from the draws."""
    if not is_asked(decision):
        return 0
    return sum(part.margin is not None and part.name not in FROM_DRAWS for part in decision.required_margins)


def _calibration_claim(facts: Facts) -> Claim:
    required = facts.decision.confidence_required
    rows = [
        row
        for row in (facts.calibration["tables"]["verdicts"] if facts.calibration else [])
        if row.get("method") == "model" and row.get("confidence") == required
    ]
    if not rows:
        return Claim("limits", "no_calibration")
    right, wrong, assessments = (sum(int(row[key]) for row in rows) for key in ("right", "wrong", "assessments"))
    values = {"assessments": assessments, "worlds": len({row["world"] for row in rows}), "required": required}
    values |= {"named": right + wrong, "wrong": wrong}
    shown = _numbers(values)
    return Claim("limits", "calibration", "errors in simulated worlds", (), required, "stated", values, shown)


def _coarsening_claim(decision: Decision, effect: Mapping[str, Any]) -> Claim:
    leader = str(decision.leader)
    p = decision.p_first[leader]
    values: dict[str, Any] = {"p": p.p, "mcse": p.mcse}
    shown = {"p": str(p), **_named(decision, leader=leader)}
    lead = {"lead": _lead(decision)["lead"]}
    kind = "coarsening_none"
    if not effect["same_data"]:
        kind, after = "coarsening", Probability(**effect["p_first"][leader])
        values |= {"after": after.p, "after_mcse": after.mcse}
        shown |= {"after": str(after), "after_error": _shown(after)["error"]}
    return Claim("limits", kind, "P(first)", (leader,), None, "stated", values, shown, lead, ("leader",))


def _lead(decision: Decision) -> dict[str, str]:
    margin = "margin.some" if decision.margin else "margin.none"
    return {"lead": f"{decision.estimand}.{decision.per}", "margin_words": margin}


def _line(decision: Decision) -> dict[str, str]:
    return {"required": number(decision.confidence_required), "margin": number(100 * decision.margin)}


def _named(decision: Decision, **ids: str) -> dict[str, str]:
    return {slot: shown_text(decision.names[key]) for slot, key in ids.items()}


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {key: shown_text(str(value)) for key, value in values.items()}


def _probability(value: Probability) -> dict[str, float]:
    return {"p": value.p, "mcse": value.mcse}


def _shown(value: Probability) -> dict[str, str]:
    return {"p": str(value), "error": np.format_float_positional(value.mcse, 1, fractional=False)}


def _numbers(values: Mapping[str, float | None]) -> dict[str, str]:
    return {key: number(value) for key, value in values.items()}
