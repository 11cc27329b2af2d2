"""A small assessment, a run of it made by hand, its commitment and its bundle: nothing is sampled."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from violencescore.assessment import read_assessment, read_choices
from violencescore.fingerprint import file_sha256
from violencescore.publication.bundle import sign_files
from violencescore.publication.commitment import Commitment, commit
from violencescore.publication.keys import make_key
from violencescore.publication.panelists import open_panel, seal_panel
from violencescore.publication.publish import Disclosed, publish
from violencescore.runs import Run, load_run, package_versions
from violencescore.scores import panel_weight_array
from violencescore.verdict import decide_posterior

BEFORE = datetime(2026, 6, 20, 12, tzinfo=UTC)
AFTERWARDS = datetime(2026, 9, 1, 12, tzinfo=UTC)
METHODOLOGY = """
extends = "kleiman-2011"
id = "hand-made"
version = "1.0.0"
title = "Made by hand"
scenario = [{name = "unweighted", weights = "equal"}, {name = "tendency", estimand = "rate"}]

[window]
start = 2026-07-01
end = 2026-08-25
baseline_start = 2026-01-01

[[category]]
element = "killing"
victim_role = "police"
weight = 3.0

[[category]]
element = "killing"
weight = 1.5

[sampling]
draws = 60
chains = 2
seed = 5
"""
PANEL = (
    "panelist_id,element,victim_role,weight\nP1,killing,police,3\nP1,killing,,1\nP2,killing,,2\nP2,killing,police,2\n"
)
NAMES = ("Amber", "Barrio 18", "Cobalt")
MEANS = {"selected": (30, 12, 8), "no_selection": (20, 20, 19), "extend": (24, 18, 12)}


@dataclass(frozen=True)
class Case:
    """An assessment folder, the run of it, the chain it follows, the key, and what opens its panel."""

    assessment: Path
    run: Run
    chain: tuple[Commitment, ...]
    key: object
    secrets: dict | None

    def publish(self, out: Path, level="aggregate", *, with_inputs=False, **more) -> dict[str, bytes]:
        folder = self.assessment if with_inputs or level != "aggregate" else None
        given = {"now": AFTERWARDS, "opened": self.secrets, **more}
        return publish(self.run, self.chain, self.key, out, Disclosed(level, folder), **given)

    def sign(self, files: dict[str, bytes]) -> dict[str, bytes]:
        """Sign files anew, as a forger would who has the panel's key."""
        about = {"name": "x", "title": "x", "created": "2026-09-01T12:00:00Z", "version": "0.1.0"}
        kept = {path: content for path, content in files.items() if path not in ("datapackage.json", "signature.json")}
        return sign_files(kept, self.key, about)


def write_tables(folder: Path, names=NAMES, methodology=METHODOLOGY, panel=PANEL, ids=None) -> Path:
    folder.mkdir(parents=True)
    (folder / "methodology.toml").write_text(methodology, encoding="utf-8")
    if panel:
        (folder / "panel_weights.csv").write_text(panel)
    ids = ids or [f"g{k}" for k in range(len(names))]
    tables = {
        "organizations": {"organization_id": ids, "name": list(names)},
        "incidents": {
            "incident_id": [f"CASE-{n:03}" for n in range(40)],
            "date": [str(d)[:10] for d in pd.date_range("2026-06-02", periods=40, freq="2D")],
            "region": [f"R{n % 3}" for n in range(40)],
        },
        "harms": {
            "incident_id": [f"CASE-{n:03}" for n in range(40)],
            "element": ["killing"] * 40,
            "victim_role": ["police", "citizen"] * 20,
            "best": [1 + n % 3 for n in range(40)],
        },
        "evidence": {
            "incident_id": [f"CASE-{n:03}" for n in range(40)],
            "channel": ["press"] * 40,
            "organization_id": [ids[n % len(ids)] for n in range(40)],
            "origin": [f"agency-{n}" for n in range(40)],
            "source_id": ["Diario Secreto"] * 40,
        },
    }
    for name, columns in tables.items():
        pd.DataFrame(columns).to_csv(folder / f"{name}.csv", index=False)
    return folder


def write_hand_run(folder: Path, assessment: Path, means=MEANS["selected"], converged=True) -> Run:
    """A run folder as `fit` writes it, its draws from Poisson distributions."""
    folder.mkdir()
    read = read_assessment(assessment)
    methodology = read.methodology
    posterior = hand_posterior(read, means)
    diagnostics = {
        "converged": converged, "max_rhat": 1.003, "min_ess": 431.2, "divergences": 0, "n_draws": 120,
        "reasons": [], "identification": [], "named": 40,
    }  # fmt: skip
    decision = decide_posterior(posterior, methodology, diagnostics)
    decision.ranking.to_csv(folder / "ranking.csv", index=False)
    decision.pairwise.to_csv(folder / "pairwise.csv", index=False)
    ids = read.incidents["incident_id"]
    pd.DataFrame({"incident_id": ids, "p_g0": 1.0, "p_other": 0.0, "p_false_flag": 0.0}).to_csv(
        folder / "attribution.csv", index=False
    )
    posterior.to_netcdf(folder / "posterior.nc", engine="h5netcdf")
    contents = {
        "decision": decision.to_json_dict(),
        "diagnostics": {**diagnostics, "seconds": {"total": 1.0}},
        "methodology": methodology.model_dump(mode="json"),
        "evidence": hand_evidence(posterior),
    }
    for name, value in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    record = {
        "packages": package_versions(), "python": "3.13", "seed": methodology.sampling.seed,
        "inputs": dict(read.inputs), "messages": ["CASE-001 was left out."],
        "outputs": {path.name: file_sha256(path) for path in folder.iterdir()},
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return load_run(folder)


def hand_evidence(posterior) -> dict:
    """What the evidence is made of, as `summarize_evidence` gives it."""
    ids = [str(key) for key in posterior["harms"].indexes["organization"]]
    named = [
        {"organization_id": key, "channel": channel, "named": 4.2, "other": 1.0, "silent": 3.5, "blamed": float(k)}
        for k, key in enumerate(ids)
        for channel in ("press", "ballistics")
    ]
    staged = [{"organization_id": key, "mean": 0.05 + 0.01 * k, "low": 0.01, "high": 0.2} for k, key in enumerate(ids)]
    return {"incidents": dict.fromkeys(ids, 10.0), "named": named, "staged": staged}


def hand_posterior(read, means) -> xr.DataTree:
    rng = np.random.default_rng(3)
    methodology = read.methodology
    sampling, labels = methodology.sampling, list(methodology.category_labels)
    ids, names = (read.organizations[column].tolist() for column in ("organization_id", "name"))
    shape, n = (sampling.chains, sampling.draws), len(labels)
    lead = rng.poisson(np.array(means)[:, None] / n, (*shape, len(ids), n))
    dims, rest = ("chain", "draw", "organization", "category"), ("chain", "draw", "category")
    data = {
        "harm_realized": (dims, lead),
        "harm_rate": (dims, rng.gamma(np.array(means)[:, None] * np.ones(n), 0.5, lead.shape)),
        "harm_other": (rest, rng.poisson(3, (*shape, n))),
        "harm_baseline": (dims, rng.poisson(20, lead.shape)),
        "harm_other_baseline": (rest, rng.poisson(4, (*shape, n))),
    }
    coords = {"organization": ids, "category": labels, "name": ("organization", names)}
    groups = {"harms": xr.Dataset(data, coords=coords)}
    if methodology.score.per != "none":
        values = rng.lognormal(0, 0.2, (*shape, len(ids)))
        groups["revenue"] = xr.Dataset(
            {methodology.score.per: (("chain", "draw", "organization"), values)}, coords={"organization": ids}
        )
    panel = panel_weight_array(read.panel_weights, methodology)
    if panel is not None:
        groups["weights"] = xr.Dataset({"panel_weight": panel})
    tree = xr.DataTree.from_dict(groups)
    tree.attrs.update(days_window=56.0, days_baseline=181.0)
    return tree


def make_case(
    folder: Path, *, sealed=False, means=MEANS["selected"], converged=True, rehearsal=False, **tables
) -> Case:
    """Commit, and fit by hand."""
    assessment = write_tables(folder / "assessment", **tables)
    choices = read_choices(assessment)
    panel, secrets = seal_panel(choices) if sealed else (open_panel(choices), None)
    key = make_key(folder / "panel.key")
    now = AFTERWARDS if rehearsal else BEFORE
    chain = commit(choices, key, panel=panel, rehearsal=rehearsal, now=now)
    return Case(assessment, write_hand_run(folder / "run", assessment, means, converged), chain, key, secrets)


def change_json(files: dict[str, bytes], path: str, change) -> dict[str, bytes]:
    """Return the files with one JSON file changed in place by a function."""
    value = json.loads(files[path])
    change(value)
    return {**files, path: json.dumps(value, ensure_ascii=False).encode()}
