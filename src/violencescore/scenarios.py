"""The scenarios of a methodology: what is changed, what was found, and what that means for the verdict.

Some scenarios follow from the same draws (other weights, per revenue, the other estimand); the others need a refit,
which ``refits`` does, and whose results a run folder keeps. A scenario is never left out: one that was refused, did not
converge or was not run says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from violencescore.decision import Decision, Outcome, decide, judge
from violencescore.errors import RefusedError
from violencescore.methodology import Category, Methodology
from violencescore.montecarlo import Probability
from violencescore.names import CATEGORY, CHAIN, DRAW
from violencescore.scenario_choices import EACH, Scenario, split_label
from violencescore.scores import published_weights, score_draws

type Status = Literal["done", "not_converged", "refused", "not_run"]

STATUS_TEXTS: Mapping[Status, str] = {
    "done": "",
    "not_converged": "did not converge",
    "refused": "cannot be computed",
    "not_run": "not run",
}


@dataclass(frozen=True)
class ScenarioResult:
    """What a scenario found.

    Attributes
    ----------
    name, listed_as, changes
        Its name; the name under which the methodology lists it (another where it stands for one of each); and in words
        what is changed.
    refit
        Whether the model was, or must be, sampled again.
    status
        ``done``; ``not_converged`` (figures for inspection only); ``refused`` (no figures: see ``note``); ``not_run``.
    leader
        Id of the likeliest first; None without figures.
    p_first
        id -> probability of the highest score, with its Monte-Carlo error.
    p_stand_out
        The figure the rule looks at: of the leader, by the methodology's margin.
    note
        Why there are no figures, or why they cannot be relied on.
    """

    name: str
    listed_as: str
    changes: str
    refit: bool
    status: Status
    leader: str | None = None
    p_first: Mapping[str, Probability] | None = None
    p_stand_out: Probability | None = None
    note: str = ""

    def outcome(self, confidence: float, extend_within: float) -> Outcome:
        """Return what the rule would say of the scenario at a stated confidence."""
        return judge(self.p_stand_out, confidence, extend_within, self.status != "done")

    def to_json_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `result_from_json` reads them back."""
        p_first = {} if self.p_first is None else {key: vars(p) for key, p in self.p_first.items()}
        stand_out = None if self.p_stand_out is None else vars(self.p_stand_out)
        return {**vars(self), "p_first": p_first, "p_stand_out": stand_out}


def result_from_json(value: Mapping[str, Any]) -> ScenarioResult:
    """Read a result back.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the value is not what ``to_json_dict`` writes.
    """
    if value["status"] not in STATUS_TEXTS:
        raise ValueError(f"unknown status {value['status']!r}")
    p_first = {str(key): _probability(p) for key, p in value["p_first"].items()}
    leader = value["leader"]
    if leader is not None and leader not in p_first:
        raise ValueError(f"no probability of the leader {leader!r}")
    return ScenarioResult(
        name=str(value["name"]),
        listed_as=str(value["listed_as"]),
        changes=str(value["changes"]),
        refit=bool(value["refit"]),
        status=value["status"],
        leader=leader,
        p_first=p_first or None,
        p_stand_out=None if value["p_stand_out"] is None else _probability(value["p_stand_out"]),
        note=str(value["note"]),
    )


def _probability(value: Mapping[str, Any]) -> Probability:
    return Probability(float(value["p"]), float(value["mcse"]))


def needs_refit(scenario: Scenario, methodology: Methodology) -> bool:
    """Whether the draws of the verdict do not hold the answer, so that the model must be sampled again."""
    added = isinstance(scenario.weights, dict) and not set(scenario.weights) <= set(methodology.category_labels)
    parts = (scenario.false_flag, scenario.without_channel, scenario.without_source, scenario.list_odds_ratio)
    return added or any(part is not None for part in parts)


def expand_scenarios(
    scenarios: Iterable[Scenario], channels: Sequence[str], sources: Sequence[str]
) -> tuple[tuple[str, Scenario], ...]:
    """Put a scenario for each channel or source in place of one that says ``*``; return (listed as, scenario)."""
    found: list[tuple[str, Scenario]] = []
    for scenario in scenarios:
        parts = [scenario]
        for key, labels in (("without_channel", channels), ("without_source", sources)):
            if getattr(scenario, key) == EACH:
                parts = [
                    part.model_copy(update={key: label, "name": f"{part.name} {label}"})
                    for part in parts
                    for label in labels
                ]
        found += [(scenario.name, part) for part in parts]
    return tuple(found)


def changed_methodology(scenario: Scenario, methodology: Methodology) -> Methodology:
    """Return the methodology as the scenario changes it; what is left out of the data is not its matter."""
    update: dict[str, Any] = {"scenario": ()}
    if scenario.false_flag is not None:
        update["false_flag"] = methodology.false_flag.model_copy(
            update=scenario.false_flag.model_dump(exclude_none=True)
        )
    if scenario.list_odds_ratio is not None:
        ratio = methodology.reporting.odds_ratio * scenario.list_odds_ratio
        update["reporting"] = methodology.reporting.model_copy(update={"odds_ratio": ratio})
    score = {key: getattr(scenario, key) for key in ("per", "estimand") if getattr(scenario, key) is not None}
    if score:
        update["score"] = methodology.score.model_copy(update=score)
    if isinstance(scenario.weights, dict):
        update["category"] = _weighed(methodology.category, scenario.weights)
        update["weights"] = methodology.weights.model_copy(update={"use": "published"})
    return methodology.model_copy(update=update)


def _weighed(categories: tuple[Category, ...], weights: Mapping[str, float]) -> tuple[Category, ...]:
    known = {category.label for category in categories}
    kept = [c.model_copy(update={"weight": float(weights.get(c.label, c.weight))}) for c in categories]
    more = {label: weight for label, weight in weights.items() if label not in known}
    pairs = [(*split_label(label), weight) for label, weight in more.items()]
    return (*kept, *(Category(element=e, victim_role=role or None, weight=float(w)) for e, role, w in pairs))


def describe_scenario(scenario: Scenario) -> str:
    """Return in words what a scenario changes."""
    parts = []
    if scenario.false_flag is not None:
        priors = scenario.false_flag.model_dump(exclude_none=True).items()
        parts.append("share of staged incidents " + ", ".join(f"Beta({a:g}, {b:g}) in {t}" for t, (a, b) in priors))
    if scenario.without_channel is not None:
        which = "each channel in turn" if scenario.without_channel == EACH else f"channel {scenario.without_channel}"
        parts.append(f"evidence without {which}")
    if scenario.without_source is not None:
        which = "each source in turn" if scenario.without_source == EACH else f"source {scenario.without_source}"
        parts.append(f"tables without {which}")
    if scenario.weights == "equal":
        parts.append("every category that counts weighs the same")
    elif scenario.weights == "any":
        parts.append("weights drawn evenly from all that are possible")
    elif scenario.weights is not None:
        parts.append("weight of " + ", ".join(f"{label} {weight:g}" for label, weight in scenario.weights.items()))
    if scenario.per is not None:
        parts.append("the total, not divided by anything" if scenario.per == "none" else f"per unit of {scenario.per}")
    if scenario.estimand is not None:
        parts.append({"realized": "what was done", "rate": "what they tend to do"}[scenario.estimand])
    if scenario.list_odds_ratio is not None:
        parts.append(f"odds ratio {scenario.list_odds_ratio:g} between every two sources that list incidents")
    return "; ".join(parts)


def scenario_scores(scenario: Scenario, posterior: xr.DataTree, methodology: Methodology) -> xr.DataArray:
    """Return draws of the scores under a scenario, from draws that hold its answer (chain, draw, organization).

    Raises
    ------
    RefusedError
        If scores are to be divided by what no table estimates.
    """
    changed = changed_methodology(scenario, methodology)
    weights = None
    if scenario.weights in ("equal", "any"):
        counted = published_weights(posterior, methodology) > 0
        weights = counted.astype(float)
        if scenario.weights == "any":
            weights = weights * _any_weights(posterior, counted, methodology.sampling.seed)
    return score_draws(posterior, changed, weights=weights)


def _any_weights(posterior: xr.DataTree, counted: xr.DataArray, seed: int) -> xr.DataArray:
    """Weights of each draw, evenly from the simplex of the categories that count (chain, draw, category)."""
    harms = posterior["harms"]
    shape = (harms.sizes[CHAIN], harms.sizes[DRAW], counted.sizes[CATEGORY])
    drawn = np.random.default_rng(seed).standard_exponential(shape) * counted.values
    coords = {name: harms[name] for name in (CHAIN, DRAW) if name in harms.coords}
    shares = drawn / drawn.sum(axis=-1, keepdims=True)
    return xr.DataArray(shares, dims=(CHAIN, DRAW, CATEGORY), coords={**coords, CATEGORY: counted[CATEGORY]})


def result_from_scores(
    scenario: Scenario,
    scores: xr.DataArray,
    methodology: Methodology,
    diagnostics: Mapping[str, Any],
    *,
    refit: bool,
    listed_as: str | None = None,
) -> ScenarioResult:
    """Judge the scores of a scenario as the verdict's are judged."""
    decision = decide(scores, changed_methodology(scenario, methodology), diagnostics=diagnostics)
    found = decision.outcome != "not_estimable"
    return ScenarioResult(
        name=scenario.name,
        listed_as=listed_as or scenario.name,
        changes=describe_scenario(scenario),
        refit=refit,
        status="done" if found else "not_converged",
        leader=decision.leader,
        p_first=dict(decision.p_first),
        p_stand_out=decision.p_stand_out,
        note="" if found else decision.reasons[0],
    )


def missing_result(
    scenario: Scenario,
    status: Literal["refused", "not_run"],
    note: str,
    *,
    refit: bool,
    listed_as: str | None = None,
) -> ScenarioResult:
    """Return the result of a scenario that has no figures."""
    listed_as = listed_as or scenario.name
    return ScenarioResult(scenario.name, listed_as, describe_scenario(scenario), refit, status, note=note)


def draw_scenarios(
    posterior: xr.DataTree,
    methodology: Methodology,
    diagnostics: Mapping[str, Any],
    refits: Sequence[ScenarioResult] = (),
) -> tuple[ScenarioResult, ...]:
    """Return a result of every scenario of the methodology, in its order.

    Those that follow from the draws are computed now; the others are taken from ``refits``, or shown as not run.
    """
    found: list[ScenarioResult] = []
    for scenario in methodology.scenario:
        if needs_refit(scenario, methodology):
            own = [result for result in refits if result.listed_as == scenario.name]
            found += own or [missing_result(scenario, "not_run", NOT_RUN, refit=True)]
            continue
        try:
            scores = scenario_scores(scenario, posterior, methodology)
            found.append(result_from_scores(scenario, scores, methodology, diagnostics, refit=False))
        except RefusedError as refusal:
            found.append(missing_result(scenario, "refused", str(refusal), refit=False))
    return tuple(found)


NOT_RUN = "It needs a refit: run `violencescore scenarios`."
"""What stands beside a scenario without figures."""


def scenario_sentences(
    results: Sequence[ScenarioResult], decision: Decision, name: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Return in words what the scenarios mean for the verdict.

    Parameters
    ----------
    name
        id -> name to show; the decision's unless given.
    """
    names = decision.names if name is None else name
    if not results or decision.leader is None:
        return ()
    done = [r for r in results if r.status == "done" and r.leader is not None]
    others = [r for r in done if r.leader != decision.leader]
    said = []
    if done and not others:
        count = "In the one scenario" if len(done) == 1 else f"In each of the {len(done)} scenarios"
        said.append(f"{count} that could be computed {names[decision.leader]} stays the likeliest first.")
    for result in others:
        leader = str(result.leader)
        p = (result.p_first or {})[leader]
        said.append(
            f"Scenario {result.name}: {names.get(leader, leader)} would be the likeliest first ({p}), "
            f"not {names[decision.leader]}."
        )
    if decision.outcome == "selected":
        line = (decision.confidence_required, decision.extend_within)
        lost = [r.name for r in done if r.leader == decision.leader and r.outcome(*line) != "selected"]
        if lost:
            said.append(f"It would be the likeliest, but not be named, in {_count(lost)}: {', '.join(lost)}.")
    said += [f"Scenario {r.name} cannot be computed: {r.note}" for r in results if r.status == "refused"]
    if unsure := [r.name for r in results if r.status == "not_converged"]:
        said.append(f"{_count(unsure).capitalize()} did not converge: {', '.join(unsure)}.")
    if left := [r.name for r in results if r.status == "not_run"]:
        pronoun = "it" if len(left) == 1 else "them"
        said.append(
            f"{_count(left).capitalize()} not run: {', '.join(left)}. To fit {pronoun}: "
            "violencescore scenarios DIR --run RUN."
        )
    return tuple(said)


def _count(items: Sequence[str]) -> str:
    return "1 scenario" if len(items) == 1 else f"{len(items)} scenarios"
