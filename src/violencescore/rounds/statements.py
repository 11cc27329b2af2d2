"""The facts that entries state, read from commitments, bundles and runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from violencescore.changes.comparison import Comparison
from violencescore.errors import Fault, InputError, RefusedError
from violencescore.fingerprint import file_sha256
from violencescore.jsontext import finite
from violencescore.methodology import Methodology
from violencescore.montecarlo import Probability
from violencescore.names import CATEGORY
from violencescore.publication.bundle import MANIFEST, Files
from violencescore.publication.commitment import Commitment
from violencescore.publication.contents import ranked_names, read_stated
from violencescore.publication.required import is_asked
from violencescore.rounds.conduct import market_share, read_actions, violence
from violencescore.rounds.history import Round, retired
from violencescore.rounds.standing import STOP_MARGIN, stands_out
from violencescore.runs import RUN, Run
from violencescore.scores import published_weights, score_draws


def terms(
    chain: Sequence[Commitment],
    rounds: Sequence[Round] = (),
    *,
    stop_margin: float | None = None,
    stop_confidence: float | None = None,
) -> dict[str, Any]:
    """Return what a round is held to: the commitment, and when the process may stop.

    Parameters
    ----------
    rounds
        Those before; their stop tests hold on unless others are given.
    stop_margin, stop_confidence
        Of the two stop tests; by default those of the round before, else a margin of 0.25 and the confidence that a
        selection needs.
    """
    last = chain[-1]
    statement, methodology = last.statement, last.methodology
    rule = {key: methodology["decision"][key] for key in ("confidence", "margin")}
    known = rounds[-1].in_force["stop"] if rounds else {"margin": STOP_MARGIN, "confidence": rule["confidence"]}
    given = {"margin": stop_margin, "confidence": stop_confidence}
    return {
        "commitment": last.sha256,
        "commitments": [link.sha256 for link in chain],
        "committed_at": statement["committed_at"],
        "reason": statement["reason"],
        "rehearsal": statement["rehearsal"],
        "methodology": {key: methodology[key] for key in ("id", "version")}
        | {"sha256": statement["methodology_sha256"]},
        "window": dict(methodology["window"]),
        "rule": rule,
        "stop": {key: known[key] if value is None else value for key, value in given.items()},
        "organizations": ranked_names(statement),
        "retired": list(retired(rounds)),
    }


def verdict(files: Files, stop: Mapping[str, float]) -> dict[str, Any]:
    """Return what a bundle finds, recomputed from its draws, with the stop tests.

    Parameters
    ----------
    files
        A bundle that has passed `violencescore.publication.verify.verify`.
    stop
        ``margin`` and ``confidence`` of the stop tests, as announced.
    """
    stated = read_stated(files)
    methodology, posterior = stated.methodology, stated.posterior
    decision = stated.decide()
    scores = score_draws(posterior, methodology)
    weights = _weights(posterior, methodology)
    found = {
        "bundle": hashlib.sha256(files[MANIFEST]).hexdigest(),
        "commitment": stated.chain[-1].sha256,
        "published_at": stated.publication["published_at"],
        "outcome": decision.outcome,
        "selected": decision.selected,
        "leader": decision.leader,
        "p_first": {key: as_json(p) for key, p in decision.p_first.items()},
        "p_stand_out": as_json(decision.p_stand_out),
        "required": decision.confidence_required,
        "margin": decision.margin,
        "estimand": decision.estimand,
        "per": decision.per,
        "weights": weights,
        "stop": {
            **stop,
            "stands_out": as_json(stands_out(scores, float(stop["margin"]))),
            "not_above_baseline": as_json(decision.p_not_above_baseline),
        },
        "violence": violence(posterior, weights, decision.leader),
    }
    if is_asked(decision) and decision.required_margins:
        found["required_margins"] = [part.to_json_dict() for part in decision.required_margins]
    cleaned: dict[str, Any] = finite(found)
    return cleaned


def progress(run: Run, round_: Round, actions: Path | None = None) -> dict[str, Any]:
    """Return what became of the violence since the target was named, from a run on a later period.

    Raises
    ------
    InputError
        If the run does not rank the target, or has other categories than the verdict was reached by.
    RefusedError
        If the run's sampler has not converged.
    """
    target, settled = round_.target, round_.verdict
    window = run.methodology.window
    if target is None or settled is None or window is None:
        raise RefusedError(f"Nobody is named in round {round_.number}: there is no target to report on.")
    if not run.diagnostics["converged"]:
        raise RefusedError("The sampler of this run has not converged: its figures are no progress report.")
    weights = settled.facts["weights"]
    harms = run.posterior["harms"].to_dataset()
    ids = [str(key) for key in harms["organization"].values]
    faults = []
    if target not in ids:
        faults.append(Fault(str(run.folder), "does not rank the target, so that nothing is known of it", value=target))
    if sorted(weights) != sorted(str(label) for label in harms[CATEGORY].values):
        faults.append(Fault(str(run.folder), "scores other categories than the verdict: figures cannot be compared"))
    if faults:
        raise InputError(faults)
    days = float((window.end - window.start).days + 1)
    counted = None
    if actions is not None:
        names = dict(zip(ids, ids, strict=True))
        counted = read_actions(actions, target, names, window.start, window.end).to_json_dict(days)
    return {
        "run": run_digest(run),
        "from": str(window.start),
        "to": str(window.end),
        "violence": violence(run.posterior, weights, target),
        "market": market_share(run.posterior, target),
        "actions": counted,
    }


def restated(run: Run, found: Comparison) -> dict[str, Any]:
    """Return the verdict on restated data, and what changed it.

    Parameters
    ----------
    run
        The run on restated data.
    found
        The run that the verdict was reached by, compared with it.
    """
    decision = run.decide()
    told: dict[str, Any] = finite(
        {
            "run": run_digest(run),
            "outcome": decision.outcome,
            "selected": decision.selected,
            "leader": decision.leader,
            "p_first": {key: as_json(p) for key, p in decision.p_first.items()},
            "p_stand_out": as_json(decision.p_stand_out),
            "change": found.to_json_dict(),
        }
    )
    return told


def require_verdict_of(run: Run, round_: Round) -> None:
    """Raise ``InputError`` unless a run is the one that the verdict of a round was reached by."""
    if round_.verdict is None:
        raise InputError([Fault("--round", "has no verdict yet", value=str(round_.number))])
    known = round_.verdict.facts["p_first"]
    found = {key: as_json(p) for key, p in run.decide().p_first.items()}
    same = known.keys() == found.keys() and all(
        abs(known[key]["p"] - (p or {"p": 2.0})["p"]) < 1e-9 for key, p in found.items()
    )
    if not same:
        rule = f"is not the run that the verdict of round {round_.number} was reached by: its P(first) differ"
        raise InputError([Fault(str(run.folder), rule)])


def run_digest(run: Run) -> str:
    """Return the digest of a run: of its list of the digests of all its files and inputs."""
    return file_sha256(run.folder / RUN)


def as_json(value: Probability | None) -> dict[str, float] | None:
    """Return a probability as it stands in an entry."""
    return None if value is None else {"p": value.p, "mcse": value.mcse}


def _weights(posterior: xr.DataTree, methodology: Methodology) -> dict[str, float]:
    weights = published_weights(posterior, methodology)
    return {str(label): float(w) for label, w in zip(weights[CATEGORY].values, weights.values, strict=True)}
