"""What a bundle holds: some files are stated, all others follow from them, when it is made and when it is checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files as package_files
from typing import TYPE_CHECKING, Any

import xarray as xr

from violencescore.errors import Fault, InputError
from violencescore.jsontext import json_text
from violencescore.methodology import Methodology, methodology_from_dict
from violencescore.panel import panel_table
from violencescore.publication.announcement import announcement_files
from violencescore.publication.canonical import read_object
from violencescore.publication.claims import Claim, Facts, build_claims
from violencescore.publication.commitment import Commitment, read_chain
from violencescore.publication.disclosure import ATTRIBUTION, EVIDENCE, PAGE, WATERFALLS
from violencescore.publication.draws import SCORES, organization_table, panel_array, read_draws
from violencescore.publication.margins import read_margins
from violencescore.publication.tabular import csv_bytes, read_text_table
from violencescore.report.page import render_page
from violencescore.report.page_data import PageContext
from violencescore.report.page_incidents import incident_rows
from violencescore.report.robustness import margins_section
from violencescore.report.text import shown_text
from violencescore.scenarios import ScenarioResult, draw_scenarios, result_from_json
from violencescore.scores import published_weights, score_draws
from violencescore.unit_options import ROWS
from violencescore.verdict import decide_posterior

if TYPE_CHECKING:
    import pandas as pd

    from violencescore.decision import Decision
    from violencescore.robustness.margins import Margin

COMMITMENT, PUBLICATION, DIAGNOSTICS = "commitment.json", "publication.json", "diagnostics.json"
METHODOLOGY, ENVIRONMENT, POOLED = "methodology.json", "environment.json", "pooled_weights.json"
CALIBRATION, REFITS, VERIFIER = "calibration.json", "scenario_refits.json", "verify/small_verifier.py"
RANKING, PAIRWISE, PANEL, WEIGHTS = "ranking.csv", "pairwise.csv", "panel.csv", "weights.csv"
DECISION, SCENARIOS, CLAIMS = "decision.json", "scenarios.json", "claims.json"

type Files = Mapping[str, bytes]


@dataclass(frozen=True, eq=False)
class Stated:
    """What a bundle states, read and checked: the rest follows from it.

    Attributes
    ----------
    chain
        The commitment and its amendments.
    methodology, names
        As committed; id -> name of the organizations that are ranked.
    posterior
        The draws, as far as a verdict needs them, with the weights that count.
    sealed
        Whether the panel's weights are sealed, and only their pool is known.
    evidence, incidents
        What the page shows of the evidence, as far as it is disclosed: as in `report.page_data.PageContext`.
    margins
        What is stated of the margins that the methodology requires; empty where it requires none.
    """

    chain: tuple[Commitment, ...]
    methodology: Methodology
    names: Mapping[str, str]
    posterior: xr.DataTree
    sealed: bool
    publication: Mapping[str, Any]
    diagnostics: Mapping[str, Any]
    environment: Mapping[str, Any]
    calibration: Mapping[str, Any] | None
    refits: Sequence[Mapping[str, Any]]
    evidence: Mapping[str, Any] | None
    incidents: Mapping[str, Any] | None
    margins: tuple[Margin, ...]

    def decide(self) -> Decision:
        """Give the verdict that follows from the draws and the margins."""
        return decide_posterior(self.posterior, self.methodology, self.diagnostics, margins=self.margins)


def read_stated(files: Files) -> Stated:
    """Read what a bundle states.

    Raises
    ------
    InputError
        If a file is missing, or is not what it should be.
    """
    needed = (COMMITMENT, PUBLICATION, DIAGNOSTICS, ENVIRONMENT)
    if missing := [name for name in needed if name not in files]:
        raise InputError([Fault(name, "is missing from the bundle") for name in missing])
    chain = read_chain(files[COMMITMENT], COMMITMENT)
    statement = chain[-1].statement
    methodology = methodology_from_dict(statement["methodology"], COMMITMENT)
    publication, diagnostics, environment = (read_object(files[name], name) for name in needed[1:])
    if not {"published_at", "level", "coarsening", "seed"} <= publication.keys():
        raise InputError([Fault(PUBLICATION, "must state published_at, level, coarsening and seed")])
    if not isinstance(diagnostics.get("converged"), bool):
        raise InputError([Fault(DIAGNOSTICS, "must say under `converged` whether the sampler converged")])
    names = ranked_names(statement)
    weights = _panel_weights(files, statement, methodology)
    calibration = read_calibration(files[CALIBRATION], CALIBRATION) if CALIBRATION in files else None
    refits = read_object(files[REFITS], REFITS).get("scenarios") if REFITS in files else []
    if not isinstance(refits, list):
        raise InputError([Fault(REFITS, "must hold a list under `scenarios`")])
    sealed = "sealed" in (statement["panel"] or {})
    posterior = read_draws(files, methodology, names, weights)
    evidence = _read_evidence(files[EVIDENCE]) if EVIDENCE in files else None
    incidents = _read_incidents(files, methodology, posterior)
    return Stated(
        chain, methodology, names, posterior, sealed, publication, diagnostics, environment, calibration, refits,
        evidence, incidents, read_margins(files, methodology, names),
    )  # fmt: skip


def _read_evidence(content: bytes) -> Mapping[str, Any]:
    found = read_object(content, EVIDENCE)
    for key, numbers in (("named", ("named", "other", "silent", "blamed")), ("staged", ("mean", "low", "high"))):
        rows = found.get(key)
        if not isinstance(rows, list) or not all(
            isinstance(row, Mapping) and all(isinstance(row.get(number), int | float) for number in numbers)
            for row in rows
        ):
            raise InputError([Fault(EVIDENCE, f"must hold under `{key}` rows with the numbers {', '.join(numbers)}")])
    return found


def _read_incidents(files: Files, methodology: Methodology, posterior: xr.DataTree) -> Mapping[str, Any] | None:
    """Return the incidents for the page, where single ones are disclosed."""
    paths = {name: f"inputs/{name}.csv" for name in ("incidents", "harms", "evidence")}
    if ATTRIBUTION not in files or paths["incidents"] not in files or paths["harms"] not in files:
        return None
    tables = {name: read_text_table(files[path], path) for name, path in paths.items() if path in files}
    attribution = read_text_table(files[ATTRIBUTION], ATTRIBUTION)
    waterfalls = read_object(files[WATERFALLS], WATERFALLS) if WATERFALLS in files else None
    ids = [str(key) for key in posterior["harms"].indexes["organization"]]
    return incident_rows(attribution, tables, methodology, ids, waterfalls)


def read_calibration(content: bytes, file: str) -> Mapping[str, Any]:
    """Read the ``results.json`` of a calibration.

    Raises
    ------
    InputError
        If it holds no table of verdicts.
    """
    found = read_object(content, file)
    tables = found.get("tables")
    rows = tables.get("verdicts") if isinstance(tables, Mapping) else None
    counts = ("right", "wrong", "assessments")
    if not isinstance(rows, list) or not all(
        isinstance(row, Mapping)
        and isinstance(row.get("world"), str)
        and all(isinstance(row.get(key), int) for key in counts)
        for row in rows
    ):
        rule = "is not the results.json of `violencescore calibrate`: it has no table of verdicts"
        raise InputError([Fault(file, rule)])
    return found


def ranked_names(statement: Mapping[str, Any]) -> dict[str, str]:
    """Return id -> name of the organizations that a statement ranks; of all of them where units are ranked."""
    everyone = not _ranks_rows(statement)
    rows = statement["organizations"]
    return {row["organization_id"]: row["name"] for row in rows if row["rankable"] or everyone}


def are_ranked(names: Mapping[str, str], statement: Mapping[str, Any]) -> bool:
    """Whether these (id -> name) are those that a statement ranks; units are some of the organizations it names."""
    committed = ranked_names(statement)
    return dict(names) == committed if _ranks_rows(statement) else names.items() <= committed.items()


def _ranks_rows(statement: Mapping[str, Any]) -> bool:
    level: str = statement["methodology"].get("units", {}).get("level", ROWS)
    return level == ROWS


def _panel_weights(files: Files, statement: Mapping[str, Any], methodology: Methodology) -> xr.DataArray | None:
    panel, labels = statement["panel"], methodology.category_labels
    if panel is None:
        return None
    if "panelists" in panel:
        return panel_array([(row["panelist_id"], row["weights"]) for row in panel["panelists"]], labels)
    if POOLED not in files:
        return None
    return panel_array([("pooled", read_object(files[POOLED], POOLED)["weights"])], labels)


def derived_files(stated: Stated) -> dict[str, bytes]:
    """Return every table, sentence and figure that follows from what is stated, by path.

    Raises
    ------
    RefusedError
        If the scores are to be divided by what the draws do not hold, or weighted by a panel that is not there.
    """
    posterior, methodology = stated.posterior, stated.methodology
    decision = stated.decide()
    scores = score_draws(posterior, methodology)
    weights = published_weights(posterior, methodology)
    table = weights.rename("weight").to_series().rename_axis("category").reset_index()
    panel = None if stated.sealed else panel_table(posterior, methodology)
    kept = [result_from_json(value) for value in stated.refits]
    scenarios = draw_scenarios(posterior, methodology, stated.diagnostics, kept)
    facts = Facts(
        decision=decision,
        methodology=methodology,
        chain=stated.chain,
        diagnostics=stated.diagnostics,
        n_chains=scores.sizes["chain"],
        n_draws=scores.sizes["chain"] * scores.sizes["draw"],
        panel=panel,
        scenarios=scenarios,
        calibration=stated.calibration,
        publication=stated.publication,
    )
    claims = build_claims(facts)
    ranking = decision.ranking.assign(name=decision.ranking["name"].map(shown_text))
    found = {
        RANKING: csv_bytes(ranking),
        PAIRWISE: csv_bytes(decision.pairwise),
        WEIGHTS: csv_bytes(table),
        SCORES: csv_bytes(organization_table(scores)),
        DECISION: as_json(decision.to_json_dict()),
        SCENARIOS: as_json({"scenarios": [result.to_json_dict() for result in scenarios]}),
        METHODOLOGY: as_json(methodology.model_dump(mode="json")),
        **claim_files(methodology, claims),
        PAGE: render_page(decision, _page_context(stated, decision, panel, scenarios)).encode("utf-8"),
        VERIFIER: small_verifier(),
    }
    if panel is not None:
        found[PANEL] = csv_bytes(panel)
    return found


def _page_context(
    stated: Stated, decision: Decision, panel: pd.DataFrame | None, scenarios: Sequence[ScenarioResult]
) -> PageContext:
    """Return what the page of a bundle shows: no more than the bundle holds."""
    publication, methodology, last = stated.publication, stated.methodology, stated.chain[-1]
    links = [
        {"at": link.statement["committed_at"], "sha256": link.sha256, "reason": link.statement.get("reason") or ""}
        for link in stated.chain
    ]
    end = "" if methodology.window is None else str(methodology.window.end)
    about = {key: publication[key] for key in ("published_at", "level")} | {
        "rehearsal": last.is_rehearsal,
        "preliminary": str(publication["published_at"])[:10] <= end and not last.is_rehearsal,
        "commitments": links,
        "key": last.statement["public_key"],
    }
    environment = stated.environment
    return PageContext(
        title=methodology.title or methodology.id,
        methodology=methodology,
        posterior=stated.posterior,
        diagnostics=stated.diagnostics,
        run={"seed": publication["seed"], "packages": environment["software"], "inputs": environment["inputs"]},
        panel=panel,
        scenarios=scenarios,
        robustness=margins_section(stated.margins, decision.required_margins),
        calibration=stated.calibration,
        evidence=stated.evidence,
        incidents=stated.incidents,
        publication=about,
    )


def claim_files(methodology: Methodology, claims: Sequence[Claim]) -> dict[str, bytes]:
    """Return the claims as JSON, and the announcement that they make."""
    title = methodology.title or methodology.id
    stated = {CLAIMS: as_json({"claims": [claim.to_json_dict() for claim in claims]})}
    return stated | announcement_files(title, claims)


def small_verifier() -> bytes:
    """Return the program that checks a bundle with NumPy alone."""
    return package_files(__package__).joinpath("small_verifier.py").read_bytes()


def as_json(value: Any) -> bytes:
    """Return a value as the content of a JSON file."""
    return (json_text(value) + "\n").encode("utf-8")
