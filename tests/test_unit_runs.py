"""Units and flows through a fit, a run folder, the commands and a bundle."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import publication_cases
import pytest
import xarray as xr
from unit_cases import METHODOLOGY, TABLES, read_units, with_units, write_units

from violencescore import cli
from violencescore.fitting import fit
from violencescore.levels import build_level, level_groups
from violencescore.publication import small_verifier
from violencescore.publication.verify import has_passed, verify
from violencescore.runs import load_run
from violencescore.units import MemberHarm

SHORT = """
[sampling]
draws = 100
tune = 100
chains = 2
max_rhat = 2.0
min_ess = 0
max_divergences = 1000
max_extensions = 0
"""
FLAT = "a,Alpha,,,, a1,Alpha-North,,,, a2,Alpha-South,,,, b,Beta,,,, c,Gamma,,,,"
EVENTS = "e1,2026-07-15,merger,c,b e2,2026-07-01,alliance,a1,b"
TREES = 'tree = [{ name = "pact", groups = { b = ["a"] } }]'
NETWORKS = "n1,north,10,5,20,t,, n2,south,40,40,40,t,,b n3,south,1,,,t,,"
HEARD = "n1,press,a1,, n1,intelligence,b,, n2,press,c,,"


def run(*arguments: object) -> int:
    return cli.run([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("units")
    methodology = with_units('level = "parent"', 'shared = "equal"', TREES) + SHORT
    supply = {"networks": NETWORKS.split(" "), "network_evidence": HEARD.split(" ")}
    write_units(folder / "case", methodology, events=EVENTS, **supply)
    assert run("fit", folder / "case", "--out", folder / "run") == 0
    return folder / "run"


def test_the_level_of_parents_without_parents_changes_nothing_bit_for_bit() -> None:
    posteriors = [
        fit(read_units(with_units(f'level = "{level}"') + SHORT, organizations=FLAT, revenue="a,study,10,revenue,t"))
        for level in ("organization", "parent")
    ]
    assert "units" not in posteriors[1].children
    xr.testing.assert_identical(posteriors[0], posteriors[1])


def test_trees_leave_the_parameters_and_the_rows_by_themselves_as_they_are() -> None:
    plain = fit(read_units(METHODOLOGY + SHORT, organizations=FLAT))
    parents = fit(read_units(METHODOLOGY + SHORT))
    xr.testing.assert_identical(plain["posterior"].to_dataset(), parents["posterior"].to_dataset())
    xr.testing.assert_identical(plain["harms"].to_dataset(), parents["harms"].to_dataset())
    assert plain.children.keys() ^ parents.children.keys() == {"units"}


def test_ranking_pairs_and_decision_are_those_of_the_units(run_folder: Path) -> None:
    ranking = (run_folder / "ranking.csv").read_text().splitlines()
    ids = {line.split(",")[0] for line in ranking[1:]}
    assert ids == {"a", "b", "c"}
    decision = json.loads((run_folder / "decision.json").read_text())
    assert set(decision["p_first"]) == ids
    assert {line.split(",")[0] for line in (run_folder / "pairwise.csv").read_text().splitlines()[1:]} == ids
    assert (run_folder / "attribution.csv").read_text().splitlines()[0].count("p_a") == 3  # incidents: organizations


def test_harm_is_neither_lost_nor_made_by_units(run_folder: Path) -> None:
    posterior = load_run(run_folder).posterior
    harms = posterior["harms"].to_dataset()
    total = harms["harm_realized"].sum("organization") + harms["harm_other"]
    assert np.allclose(total.sum("category"), 1 + 2 + 5)


def test_rank_and_decide_show_every_published_tree(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("rank", run_folder) == 0
    shown = capsys.readouterr().out
    assert "The verdict is made with the units of parent" in shown
    assert "pact" in shown
    assert run("rank", run_folder, "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["organization_id"]: row["units"]["pact"]["unit"] for row in rows} == {"a": "b", "b": "b", "c": "c"}
    assert run("decide", run_folder, "--json") == 0
    listed = [r["name"] for r in json.loads(capsys.readouterr().out)["scenarios"]["results"]]
    assert listed[-2:] == ["units organization", "units pact"]


def test_the_commands_units_and_flows_show_what_they_are_about(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("units", run_folder) == 0
    assert "How centrally is violence ordered?" in capsys.readouterr().out
    assert run("units", run_folder, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [tree["tree"] for tree in found["trees"]] == ["parent", "organization", "pact"]
    assert found["trees"][0]["members"] == {"a": ["a", "a1", "a2"], "b": ["b", "c"]}
    assert [share["measure"] for share in found["common"]] == ["level", "change"]
    assert run("flows", run_folder) == 0
    assert "Share of the drug flow" in capsys.readouterr().out
    assert run("flows", run_folder, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert sum(found["networks"]["n1"].values()) == pytest.approx(1)
    assert found["networks"]["n2"]["b"] == pytest.approx(1)


def test_scores_per_flow_are_divided_by_the_flow_of_the_unit(run_folder: Path) -> None:
    posterior = load_run(run_folder).posterior
    flow = posterior["revenue"]["flow"]
    total = posterior["flows"]["total"]
    assert flow["organization"].values.tolist() == ["a", "b", "c"]
    assert np.allclose(flow.sum("organization"), total.isel(actor=slice(0, 5)).sum("actor"))


def test_runs_without_units_or_networks_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_units(tmp_path / "case", METHODOLOGY + SHORT, organizations=FLAT, evidence=TABLES["evidence"])
    assert run("fit", tmp_path / "case", "--out", tmp_path / "run") == 0
    capsys.readouterr()
    assert run("units", tmp_path / "run", "--json") == 3
    assert "Every organization counts by itself" in json.loads(capsys.readouterr().out)["refused"]
    assert run("flows", tmp_path / "run", "--json") == 3
    assert "knows no networks" in json.loads(capsys.readouterr().out)["refused"]


def test_the_page_shows_the_trees_among_the_scenarios(run_folder: Path, tmp_path: Path) -> None:
    assert run("report", run_folder, "--out", tmp_path / "page.html") == 0
    page = (tmp_path / "page.html").read_text()
    assert "units as in the tree pact" in page
    assert "each organization by itself" in page


# A bundle.


@pytest.mark.parametrize("level", ["parent", "organization"])
def test_a_bundle_of_units_passes_both_verifiers(level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain_tables, plain_draws = publication_cases.write_tables, publication_cases.hand_posterior

    def with_parents(folder: Path, **tables) -> Path:
        plain_tables(folder, **tables)
        rows = pd.read_csv(folder / "organizations.csv", dtype=str).assign(parent_id=["", "", "g1"])
        rows.to_csv(folder / "organizations.csv", index=False)
        return folder

    def of_units(read, means) -> xr.DataTree:
        tree = plain_draws(read, means)
        harms = tree["harms"].to_dataset()
        found = build_level(read)
        assert found is not None
        whole, before = (
            np.concatenate([harms[a].values, harms[b].values[:, :, None]], axis=2).astype(float)
            for a, b in (("harm_realized", "harm_other"), ("harm_baseline", "harm_other_baseline"))
        )
        rate = np.concatenate([harms["harm_rate"].values, np.ones_like(whole[:, :, -1:])], axis=2)
        names = dict(zip(read.organizations["organization_id"], read.organizations["name"], strict=True))
        labels = read.methodology.category_labels
        groups = level_groups(found, MemberHarm(whole, rate, before, None), None, {}, names, labels)
        for name, group in groups.items():
            tree[name] = xr.DataTree(group)
        return tree

    monkeypatch.setattr(publication_cases, "write_tables", with_parents)
    monkeypatch.setattr(publication_cases, "hand_posterior", of_units)
    methodology = publication_cases.METHODOLOGY + f'\n[units]\nlevel = "{level}"\n'
    case = publication_cases.make_case(tmp_path, methodology=methodology, panel="")
    files = case.publish(tmp_path / "bundle")
    assert has_passed(verify(files)), [check for check in verify(files) if check.status != "pass"]
    assert all(holds for _, holds in small_verifier.verify(tmp_path / "bundle", case.chain[-1].sha256))
    ids = {line.split(",")[0] for line in files["ranking.csv"].decode().splitlines()[1:]}
    assert ids == ({"g0", "g1"} if level == "parent" else {"g0", "g1", "g2"})
    shown = {r["name"]: r for r in json.loads(files["scenarios.json"])["scenarios"]}
    other = shown["units organization" if level == "parent" else "units parent"]
    assert set(other["p_first"]) == ({"g0", "g1", "g2"} if level == "parent" else {"g0", "g1"})
