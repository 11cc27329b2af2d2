"""From a run and a commitment to a signed bundle; refused where the run did not use what was committed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from violencescore import __version__
from violencescore.assessment import Assessment, read_assessment
from violencescore.errors import Fault, InputError, RefusedError
from violencescore.methodology import Methodology, Sampling
from violencescore.names import CHAIN, DRAW
from violencescore.output import write_folder
from violencescore.publication import contents
from violencescore.publication.bundle import sign_files
from violencescore.publication.canonical import canonical
from violencescore.publication.commitment import Commitment, chain_bytes, date_faults, differences
from violencescore.publication.disclosure import (
    ATTRIBUTION,
    EVIDENCE,
    OF_SOURCES,
    WATERFALLS,
    Level,
    disclosed_tables,
    input_files,
    leaked_ids,
    level_faults,
    source_names,
)
from violencescore.publication.draws import draw_files
from violencescore.publication.inputs import is_same_to_model, read_inputs
from violencescore.publication.keys import public_hex
from violencescore.publication.margins import MARGINS_FILE, drawn_faults, margins_content
from violencescore.publication.panelists import panel_differences
from violencescore.publication.tabular import csv_bytes
from violencescore.report.page_incidents import MOST_EXPLAINED
from violencescore.report.text import shown_text
from violencescore.runs import Run, require_same_inputs
from violencescore.scenarios import UNIT_SCENARIO, ScenarioResult
from violencescore.scores import published_weights, score_draws
from violencescore.verdict import is_unexamined

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

type Refit = Callable[[Assessment, Methodology, xr.DataArray], Mapping[str, Any]]
type Explain = Callable[[Assessment, Sequence[str]], Mapping[str, Any]]
_SECRET = b"PRIVATE KEY-----"


@dataclass(frozen=True, eq=False)
class Disclosed:
    """What is disclosed of the inputs.

    Attributes
    ----------
    level
        ``full``, ``coarsened`` or ``aggregate``.
    folder
        The assessment folder; None where only draws are published.
    refit
        Fits a coarsened assessment and returns P(first) by organization; called where coarsening changes what the model
        sees, as `violencescore.publication.refit.coarsening_effect`.
    explain
        Takes the evidence on some incidents apart, item by item, as `violencescore.bench.waterfall.waterfalls_json`;
        called at the level ``full`` with the gravest, for the page.
    """

    level: Level = "aggregate"
    folder: Path | None = None
    refit: Refit | None = None
    explain: Explain | None = None


def publish(
    run: Run,
    chain: Sequence[Commitment],
    key: Ed25519PrivateKey,
    out: Path,
    disclosed: Disclosed = Disclosed(),
    *,
    calibration: Mapping[str, Any] | None = None,
    opened: Mapping[str, Any] | None = None,
    unexamined: bool = False,
    now: datetime | None = None,
) -> dict[str, bytes]:
    """Write a bundle, whole or not at all, and return its files.

    Parameters
    ----------
    run
        The run to publish.
    chain
        The commitment that it was to follow.
    key
        The key that signed the commitment.
    disclosed
        How much of the inputs is published.
    calibration
        Content of the ``results.json`` of a calibration of the method.
    opened
        Secrets of a sealed panel; only the pooled weights are published.
    unexamined
        Whether to publish, as a verdict that names nobody, that required margins were not examined.
    now
        The present time; the clock's unless given.

    Raises
    ------
    RefusedError
        If the run did not use what was committed, or the commitment was made too late: every difference is listed.
    InputError
        If inputs are to be disclosed and the assessment is not given, or is not that of the run.
    """
    now = (datetime.now(UTC) if now is None else now).astimezone(UTC)
    assessment = _read_inputs(run, disclosed)
    statement = chain[-1].statement
    found = [*date_faults(chain), *run_differences(run, statement, opened)]
    if public_hex(key) != statement["public_key"]:
        found.append("The key is not the one that signed the commitment.")
    if found:
        raise RefusedError("The run cannot be published under this commitment:\n" + "\n".join(f"- {f}" for f in found))
    inputs: dict[str, bytes] = {}
    if assessment is not None and disclosed.folder is not None:
        with_panel = "sealed" not in (statement["panel"] or {})
        inputs = input_files(disclosed_tables(disclosed.folder, assessment, disclosed.level, with_panel=with_panel))
    effect = None
    if assessment is not None and disclosed.level == "coarsened":
        effect = _coarsening(run, assessment, inputs, disclosed.refit)
    publication = {
        "published_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "level": disclosed.level,
        "coarsening": effect,
        "seed": run.run["seed"],
    }
    files = {**_stated_files(run, chain, publication, calibration, opened), **inputs}
    if disclosed.level == "full" and assessment is not None:
        files[ATTRIBUTION] = csv_bytes(run.attribution())
        if disclosed.explain is not None:
            listed = (contents.read_stated(files).incidents or {"rows": []})["rows"]
            explained = [row["incident_id"] for row in listed[:MOST_EXPLAINED]]
            files[WATERFALLS] = contents.as_json(disclosed.explain(assessment, explained))
    stated = contents.read_stated(files)
    files |= contents.derived_files(stated)
    _require_published_verdict(files, run)
    _require_examined(stated, run, unexamined=unexamined)
    _require_discreet(files, disclosed.level, assessment)
    title = shown_text(run.methodology.title or run.methodology.id)
    created = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    name = re.sub(r"[^a-z0-9._-]", "-", run.methodology.id.lower())
    about = {"name": name, "title": title, "created": created, "version": __version__}
    signed = sign_files(files, key, about)
    with write_folder(out) as staging:
        for path, content in signed.items():
            (staging / path).parent.mkdir(exist_ok=True)
            (staging / path).write_bytes(content)
    return signed


def _require_discreet(files: Mapping[str, bytes], level: Level, assessment: Assessment | None) -> None:
    """Refuse files that hold more than their level allows, or a key."""
    faults = list(level_faults(files, level))
    faults += [f"{path} holds a signing key." for path, content in files.items() if _SECRET in content]
    if assessment is not None and level != "full":
        faults += leaked_ids(files, assessment.incidents["incident_id"], source_names(assessment))
    if faults:
        raise RefusedError("Nothing was published, since it would tell too much:\n" + "\n".join(faults))


def _read_inputs(run: Run, disclosed: Disclosed) -> Assessment | None:
    if disclosed.folder is None:
        if disclosed.level != "aggregate":
            rule = f"is needed to publish inputs at the level {disclosed.level}; name the assessment folder"
            raise InputError([Fault("--assessment", rule)])
        return None
    assessment = read_assessment(disclosed.folder)
    require_same_inputs(run, assessment)
    return assessment


def run_differences(run: Run, statement: Mapping[str, Any], opened: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Return in words where a run did not use what was committed; nothing where it did."""
    return (
        *_methodology_differences(run, statement),
        *_organization_differences(run, statement),
        *sampling_differences(run.run.get("seed"), run.posterior, run.methodology.sampling),
        *panel_differences(statement["panel"], _panel(run), run.methodology, opened),
    )


def _methodology_differences(run: Run, statement: Mapping[str, Any]) -> Iterator[str]:
    used = run.methodology.model_dump(mode="json")
    for key in differences(statement["methodology"], used, "methodology"):
        yield f"{key} is not what was committed."
    for key in differences(statement["software"], dict(run.run.get("packages", {})), "version of"):
        yield f"The {key.replace('of.', 'of ')} is not the one that was committed."


def _organization_differences(run: Run, statement: Mapping[str, Any]) -> Iterator[str]:
    harms = run.posterior["harms"].to_dataset()
    used = dict(zip(harms["organization"].values.tolist(), harms["name"].values.tolist(), strict=True))
    if not contents.are_ranked(used, statement):
        yield "The organizations that are ranked, or their names, are not those that were committed."
    inputs = run.run.get("inputs", {})
    for name, sha256 in statement["files"].items():
        if inputs.get(name) != sha256:
            yield f"The table {name} is not the one that was committed."


def sampling_differences(seed: object, posterior: xr.DataTree, sampling: Sampling) -> Iterator[str]:
    """Say where seed or draws are not those of the methodology: who may choose them may choose among verdicts."""
    if seed != sampling.seed:
        yield f"The seed is {seed}, and {sampling.seed} was committed: fit again without --seed."
    n_chains, n_draws = (posterior["harms"].sizes[dim] for dim in (CHAIN, DRAW))
    if n_chains != sampling.chains:
        yield f"There are {n_chains} chains, and {sampling.chains} were committed: fit again without --chains."
    if n_draws % sampling.draws or n_draws > sampling.draws * (sampling.max_extensions + 1):
        yield (
            f"There are {n_draws} draws per chain, and {sampling.draws} at a time were committed: fit again without "
            "--draws."
        )


def _panel(run: Run) -> xr.DataArray | None:
    if "weights" not in run.posterior.children:
        return None
    weights: xr.DataArray = run.posterior["weights"].to_dataset()["panel_weight"]
    return weights


def _stated_files(
    run: Run,
    chain: Sequence[Commitment],
    publication: Mapping[str, Any],
    calibration: Mapping[str, Any] | None,
    opened: Mapping[str, Any] | None,
) -> dict[str, bytes]:
    """Return what the rest of the bundle follows from."""
    environment = {"software": run.run["packages"], "python": run.run["python"], "inputs": run.run["inputs"]}
    diagnostics = {key: value for key, value in run.diagnostics.items() if key != "seconds"}
    if publication["level"] != "full":
        rows = diagnostics.get("identification", ())
        diagnostics["identification"] = [r for r in rows if not str(r["parameter"]).startswith(OF_SOURCES)]
    files = {
        contents.COMMITMENT: chain_bytes(chain),
        contents.PUBLICATION: contents.as_json(publication),
        contents.ENVIRONMENT: contents.as_json(environment),
        contents.DIAGNOSTICS: contents.as_json(diagnostics),
        **draw_files(run.posterior, run.methodology),
    }
    refits = [result.to_json_dict() for result in _told_refits(run, publication["level"])]
    if run.evidence is not None and publication["level"] != "aggregate":
        files[EVIDENCE] = contents.as_json(run.evidence)
    if refits:
        files[contents.REFITS] = contents.as_json({"scenarios": refits})
    if run.methodology.robustness.minimum:
        files[MARGINS_FILE] = margins_content(run.margins, run.methodology)
    if calibration is not None:
        files[contents.CALIBRATION] = contents.as_json(calibration)
    if opened is not None and opened.get("pooled") is not None:
        files[contents.POOLED] = canonical(opened["pooled"]) + b"\n"
    return files


def _told_refits(run: Run, level: str) -> Iterator[ScenarioResult]:
    """Yield the scenarios that do not follow from the draws of a bundle: those fitted again, and those of other units.

    Those without a source do not name it, unless all is disclosed.
    """
    own = (None, run.methodology.units.level)
    of_units = {scenario.name for scenario in run.methodology.scenario if scenario.units not in own}
    about_sources = [scenario.name for scenario in run.methodology.scenario if scenario.without_source is not None]
    counts = dict.fromkeys(about_sources, 0)
    for result in run.scenarios:
        is_stated = result.refit or result.listed_as in of_units or result.listed_as.startswith(UNIT_SCENARIO)
        if not is_stated or result.status == "not_run":
            continue
        if level != "full" and result.listed_as in counts:
            counts[result.listed_as] += 1
            number = counts[result.listed_as]
            yield replace(result, name=f"{result.listed_as} {number}", changes="tables without one source", note="")
        else:
            yield result


def _coarsening(
    run: Run, assessment: Assessment, inputs: Mapping[str, bytes], refit: Refit | None
) -> Mapping[str, Any]:
    """Return what coarsening does to P(first): nothing where the model sees the same."""
    coarse = read_inputs(inputs, run.methodology)
    if is_same_to_model(coarse, assessment):
        return {"same_data": True}
    if refit is None:
        raise RefusedError(
            "Coarsening changes what the model sees, and what that does to P(first) must be stated: refit."
        )
    weights = published_weights(run.posterior, run.methodology)
    return {"same_data": False, "p_first": refit(coarse, run.methodology, weights)}


def _require_examined(stated: contents.Stated, run: Run, *, unexamined: bool) -> None:
    """Refuse a run whose required margins nobody looked for, or that are not what follows from its draws."""
    decision = stated.decide()
    if is_unexamined(decision) and not unexamined:
        wanted = ", ".join(part.name.replace("_", " ") for part in decision.required_margins if part.margin is None)
        raise RefusedError(
            f"The methodology requires margins that were not examined: {wanted}. First run "
            f"`violencescore robustness {run.folder} --assessment DIR`; or say --unexamined, and publish that nobody "
            "is named because they were not."
        )
    if faults := drawn_faults(stated.margins, score_draws(stated.posterior, stated.methodology), decision):
        raise RefusedError("The passport of the run does not follow from its draws:\n" + "\n".join(faults))


def _require_published_verdict(files: Mapping[str, bytes], run: Run) -> None:
    """Refuse a run whose own decision does not follow from its draws."""
    from violencescore.runs import DECISION

    own = json.loads((run.folder / DECISION).read_text(encoding="utf-8"))
    found = json.loads(files[contents.DECISION])
    for key in ("outcome", "selected", "leader", "names", "confidence_required"):
        if own.get(key) != found[key]:
            raise RefusedError(f"{DECISION} of the run does not follow from its draws: {key} is another.")
