"""What the page shows, as plain values: the decision as it was made, and the draws from which it can be made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from violencescore import __version__
from violencescore.jsontext import finite
from violencescore.names import CATEGORY, PANELIST
from violencescore.publication.phrases import LANGUAGES, SENTENCES, WORDS
from violencescore.publication.required import required_sentences
from violencescore.ranks import N_ERRORS
from violencescore.report.identification import family_rows, parameter_rows
from violencescore.report.page_draws import embed_draws
from violencescore.report.text import shown_text
from violencescore.scenarios import ScenarioResult
from violencescore.scores import published_weights
from violencescore.verdict import is_held_back, is_unexamined

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from violencescore.decision import Decision
    from violencescore.methodology import Methodology

FORMAT = "violencescore page 1"
_PHRASES = (
    "rule", "window", "chosen", "winner", "recorded", "unreported", "draws", "calibration", "no_calibration",
    "baseline", "pair", "smallest_set", "rehearsal", "fictional", "preliminary", "score",
)  # fmt: skip
_WORDS = ("realized", "rate", "margin")


@dataclass(frozen=True, eq=False)
class PageContext:
    """What the page shows beside the decision; whatever is left out is not shown.

    Parameters
    ----------
    title
        Heading of the page.
    methodology
        What was chosen.
    posterior
        The draws; without them nothing can be computed again in the page.
    messages
        What was left out or changed while reading, as sentences.
    diagnostics, run
        Contents of ``diagnostics.json`` and ``run.json``; either may be empty.
    panel
        As by `violencescore.panel.panel_table`; None without a panel, or where its weights are sealed.
    scenarios
        What the scenarios of the methodology found.
    robustness
        As by `violencescore.report.robustness.passport_section`; None where it was not examined.
    calibration
        Content of the ``results.json`` of a calibration.
    evidence
        As by `violencescore.evidence_summary.summarize_evidence`.
    incidents
        As by `violencescore.report.page_incidents.incident_rows`; only where everything is disclosed.
    publication
        Of a bundle: ``published_at``, ``level``, ``rehearsal`` and ``commitments``, a list of {at, sha256, reason},
        and the public ``key``; empty for the page of a run.
    """

    title: str
    methodology: Methodology | None = None
    posterior: xr.DataTree | None = None
    messages: Sequence[str] = ()
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    panel: pd.DataFrame | None = None
    scenarios: Sequence[ScenarioResult] = ()
    robustness: Mapping[str, Any] | None = None
    calibration: Mapping[str, Any] | None = None
    evidence: Mapping[str, Any] | None = None
    incidents: Mapping[str, Any] | None = None
    publication: Mapping[str, Any] = field(default_factory=dict)


def build_page_data(decision: Decision, context: PageContext) -> dict[str, Any]:
    """Return everything that the page shows, as JSON values whose texts are safe to show.

    Control and direction marks are written out; whoever sets the values into HTML has to escape them.
    """
    methodology = context.methodology
    identification = context.diagnostics.get("identification") or ()
    data = {
        "format": FORMAT,
        "version": __version__,
        "title": context.title,
        "fictional": methodology is not None and methodology.fictional,
        "organizations": [{"id": key, "name": decision.names[key]} for key in decision.organizations],
        "decision": decision.to_json_dict() | {"errors": N_ERRORS, "held_back": _held_back(decision)},
        "required": {language: required_sentences(decision, language) for language in LANGUAGES},
        "ranking": decision.ranking.to_dict("records"),
        "pairwise": decision.pairwise.to_dict("records"),
        "draws": _draws(decision, context),
        "methodology": None if methodology is None else _chosen(methodology),
        "panel": _panel(context),
        "scenarios": [_scenario(decision, result) for result in context.scenarios],
        "robustness": context.robustness,
        "messages": list(context.messages),
        "diagnostics": {k: v for k, v in context.diagnostics.items() if k not in ("identification", "seconds")},
        "identification": {
            "n": len(identification),
            "families": family_rows(identification),
            "parameters": parameter_rows(identification),
        },
        "calibration": _calibration(context.calibration, decision.confidence_required),
        "evidence": context.evidence,
        "incidents": context.incidents,
        "publication": dict(context.publication),
        "origin": _origin(decision, context),
        "phrases": {key: SENTENCES[key] for key in _PHRASES},
        "words": {key: words for key, words in WORDS.items() if key.split(".")[0] in _WORDS},
    }
    return {str(key): _shown(finite(value)) for key, value in data.items()}


def _held_back(decision: Decision) -> str | None:
    """Return why a leader that clears the line is not named: ``unexamined`` or ``short``; None where it is not so."""
    if not is_held_back(decision):
        return None
    return "unexamined" if is_unexamined(decision) else "short"


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return shown_text(value)
    if isinstance(value, Mapping):
        return {shown_text(str(key)): _shown(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(inner) for inner in value]
    return value


def _draws(decision: Decision, context: PageContext) -> dict[str, Any] | None:
    """Return the draws with the weights that count; None where there is nothing to compute again."""
    posterior, methodology = context.posterior, context.methodology
    if posterior is None or methodology is None or not decision.organizations:
        return None
    weights = published_weights(posterior, methodology)
    return {
        **embed_draws(posterior, methodology),
        "weights": weights.sel({CATEGORY: list(methodology.category_labels)}).values.tolist(),
    }


def _chosen(methodology: Methodology) -> dict[str, Any]:
    found = methodology.model_dump(mode="json")
    kept = ("id", "version", "window", "score", "decision", "channels", "false_flag", "sampling", "weights")
    categories = [{"label": c.label, **c.model_dump(mode="json")} for c in methodology.category]
    return {key: found.get(key) for key in kept} | {"category": categories, "sha256": methodology.sha256}


def _panel(context: PageContext) -> list[dict[str, Any]] | None:
    """Return each panelist with the own weights, whom they put first, and who is first without the panelist."""
    if context.panel is None or context.posterior is None or context.methodology is None:
        return None
    labels = list(context.methodology.category_labels)
    weights = context.posterior["weights"].to_dataset()["panel_weight"]
    kept = ("panelist_id", "leader", "p_first", "mcse", "p_first_without", "mcse_without")
    rows = []
    for row in context.panel.to_dict("records"):
        own = weights.sel({PANELIST: row["panelist_id"]}).reindex({CATEGORY: labels}, fill_value=0.0)
        without = row["leader_without"] if isinstance(row["leader_without"], str) else None
        rows.append({key: row[key] for key in kept} | {"leader_without": without, "weights": own.values.tolist()})
    return rows


def _scenario(decision: Decision, result: ScenarioResult) -> dict[str, Any]:
    outcome = result.outcome(decision.confidence_required, decision.extend_within)
    return result.to_json_dict() | {"outcome": outcome}


def _calibration(found: Mapping[str, Any] | None, required: float) -> list[dict[str, Any]] | None:
    """Return how often the rule was right in each kind of simulated world, at the confidence that is required."""
    if found is None:
        return None
    kept = ("world", "right", "wrong", "assessments")
    rows = found["tables"]["verdicts"]
    own = [row for row in rows if row.get("method") == "model" and row.get("confidence") == required]
    return [{key: row[key] for key in kept} for row in own]


def _origin(decision: Decision, context: PageContext) -> list[dict[str, Any]]:
    """Return the record of the run as groups of (key, value); single values form the first group."""
    record = {"methodology": dict(decision.methodology), **context.run}
    groups: dict[str, list[list[str]]] = {"run": [["violencescore", __version__]]}
    for key, value in record.items():
        if isinstance(value, Mapping):
            groups[key] = [[str(inner), str(content)] for inner, content in value.items()]
        elif isinstance(value, str | int | float):
            groups["run"].append([key, str(value)])
    return [{"name": name, "rows": rows} for name, rows in groups.items() if rows]
