"""A run folder: what stands in it, and what reading it back refuses."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import violencescore
from violencescore.errors import InputError
from violencescore.fitting import Fit
from violencescore.runs import load_run, require_writable, write_run

TABLES = ("ranking.csv", "pairwise.csv", "attribution.csv", "panel.csv")
FILES = {*TABLES, "decision.json", "diagnostics.json", "evidence.json", "methodology.json", "posterior.nc", "run.json"}
SHA256 = re.compile("[0-9a-f]{64}")


def read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def replace_and_sign(folder: Path, name: str, content: bytes) -> None:
    """Put other content in place of a file and write its digest into run.json, as a forger would."""
    (folder / name).write_bytes(content)
    run = read_json(folder / "run.json")
    run["outputs"][name] = sha256(folder / name)
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")


def faults_of(folder: Path) -> list[str]:
    with pytest.raises(InputError) as raised:
        load_run(folder).decide()
    return [str(fault) for fault in raised.value.faults]


def test_a_run_folder_holds_every_file_and_nothing_else(run_folder: Path) -> None:
    assert {path.name for path in run_folder.iterdir()} == FILES


def test_the_ranking_has_the_published_columns_in_order_and_is_sorted(run_folder: Path) -> None:
    table = pd.read_csv(run_folder / "ranking.csv")
    ranks = [f"p_rank_{rank}" for rank in range(1, 7)]
    ends = ["expected_rank", "rank_low", "rank_high", "score_mean", "score_median", "score_low", "score_high"]
    assert list(table.columns) == ["organization_id", "name", "p_first", "p_first_mcse", *ranks, *ends]
    assert table["p_first"].is_monotonic_decreasing
    np.testing.assert_allclose(table[ranks].sum(axis=1), 1.0)
    np.testing.assert_allclose(table[ranks].sum(axis=0), 1.0)


def test_the_pairs_are_all_ordered_pairs(run_folder: Path) -> None:
    table = pd.read_csv(run_folder / "pairwise.csv")
    assert list(table.columns[:3]) == ["organization_id", "other_id", "p_greater"]
    assert len(table.drop_duplicates(["organization_id", "other_id"])) == 6 * 5


def test_attribution_has_a_row_for_each_incident_that_adds_up_to_one(run_folder: Path, small_fit: Fit) -> None:
    table = pd.read_csv(run_folder / "attribution.csv")
    ids = small_fit.assessment.organizations["organization_id"]
    actors = [*(f"p_{organization}" for organization in ids), "p_other"]
    assert list(table.columns) == ["incident_id", *actors, "p_false_flag"]
    assert table["incident_id"].tolist() == small_fit.assessment.incidents["incident_id"].tolist()
    np.testing.assert_allclose(table[actors].sum(axis=1), 1.0, atol=1e-9)


def test_an_adjudicated_incident_is_attributed_as_it_was_settled(run_folder: Path, small_fit: Fit) -> None:
    table = pd.read_csv(run_folder / "attribution.csv").set_index("incident_id")
    settled = small_fit.assessment.adjudications
    assert len(settled) > 0
    for row in settled.itertuples():
        assert table.loc[row.incident_id, f"p_{row.organization_id}"] == pytest.approx(1.0)


def test_the_decision_has_the_published_keys(run_folder: Path) -> None:
    decision = read_json(run_folder / "decision.json")
    assert decision["outcome"] in {"selected", "no_selection", "extend", "not_estimable"}
    assert {
        "selected",
        "confidence_required",
        "estimand",
        "per",
        "p_first",
        "reasons",
        "methodology",
    } <= decision.keys()
    assert decision["methodology"].keys() == {"id", "version", "sha256"}
    assert sum(first["p"] for first in decision["p_first"].values()) == pytest.approx(1.0)
    assert all(first["mcse"] > 0 for first in decision["p_first"].values())


def test_the_diagnostics_have_the_published_keys(run_folder: Path) -> None:
    diagnostics = read_json(run_folder / "diagnostics.json")
    assert {"converged", "max_rhat", "min_ess", "divergences", "seconds", "identification"} <= diagnostics.keys()
    assert {"read", "compile", "sample", "scores", "total"} <= diagnostics["seconds"].keys()
    contraction = {"parameter", "prior_mean", "prior_sd", "posterior_mean", "posterior_sd", "contraction"}
    assert all(line.keys() >= contraction for line in diagnostics["identification"])
    assert {line["parameter"].partition("[")[0] for line in diagnostics["identification"]} >= {"accuracy", "reach"}


def test_the_run_records_versions_seed_and_the_digest_of_every_file(run_folder: Path, assessment_folder: Path) -> None:
    run = read_json(run_folder / "run.json")
    assert run["packages"]["violencescore"] == violencescore.__version__
    assert run["packages"]["numpy"] == np.__version__
    assert run["seed"] == 7
    assert run["outputs"] == {name: sha256(run_folder / name) for name in FILES - {"run.json"}}
    tables = {path.name for path in assessment_folder.iterdir()} - {"truth.csv", "truth_incidents.csv"}
    assert run["inputs"] == {name: sha256(assessment_folder / name) for name in tables}
    assert SHA256.fullmatch(run["methodology"]["sha256"])
    assert run["methodology"] == read_json(run_folder / "decision.json")["methodology"]


def test_deciding_from_the_folder_gives_exactly_what_was_written(run_folder: Path, small_fit: Fit) -> None:
    again = load_run(run_folder).decide()
    assert again.to_json_dict() == small_fit.decision.to_json_dict() == read_json(run_folder / "decision.json")
    pd.testing.assert_frame_equal(again.ranking, small_fit.decision.ranking, check_exact=True)
    pd.testing.assert_frame_equal(again.pairwise, small_fit.decision.pairwise, check_exact=True)


def test_the_draws_come_back_with_their_dimensions_and_names(run_folder: Path) -> None:
    harms = load_run(run_folder).posterior["harms"]
    assert harms["harm_realized"].dims == ("chain", "draw", "organization", "category")
    assert dict(harms["harm_realized"].sizes) == {"chain": 2, "draw": 150, "organization": 6, "category": 11}
    assert harms["name"].values.tolist()[0] == "Amber"


def test_reading_a_run_needs_no_sampler(run_folder: Path) -> None:
    code = (
        "import sys; from violencescore.runs import load_run; run = load_run(sys.argv[1]); run.decide(); run.panel; "
        "print(sorted({'pymc', 'nutpie', 'numba', 'pytensor', 'arviz', 'pandera', 'matplotlib'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code, str(run_folder)], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("name", sorted(FILES - {"run.json"}))
def test_a_changed_file_is_named(own_run: Path, name: str) -> None:
    with (own_run / name).open("ab") as stream:
        stream.write(b" ")
    assert [name in fault and "was changed" in fault for fault in faults_of(own_run)] == [True]


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_named(own_run: Path, name: str) -> None:
    (own_run / name).unlink()
    assert [name in fault for fault in faults_of(own_run)] == [True]


def test_all_changed_files_are_named_at_once(own_run: Path) -> None:
    (own_run / "ranking.csv").write_text("")
    (own_run / "pairwise.csv").unlink()
    assert len(faults_of(own_run)) == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"outputs": 3}', b"[" * 100_000])
def test_a_run_json_that_is_none_is_a_fault(own_run: Path, content: bytes) -> None:
    (own_run / "run.json").write_bytes(content)
    assert ["run.json" in fault for fault in faults_of(own_run)] == [True]


@pytest.mark.parametrize("name", ["diagnostics.json", "methodology.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"x"', b"{}", b"\xff"])
def test_signed_json_that_makes_no_sense_is_a_fault(own_run: Path, name: str, content: bytes) -> None:
    replace_and_sign(own_run, name, content)
    assert faults_of(own_run)


@pytest.mark.parametrize("keep", [0, 7, 900, 20_000])
def test_draws_cut_short_are_a_fault(own_run: Path, keep: int) -> None:
    content = (own_run / "posterior.nc").read_bytes()
    assert len(content) > keep
    replace_and_sign(own_run, "posterior.nc", content[:keep])
    assert ["posterior.nc" in fault for fault in faults_of(own_run)] == [True]


def test_draws_with_bytes_overwritten_are_read_or_refused(own_run: Path) -> None:
    original, rng = (own_run / "posterior.nc").read_bytes(), np.random.default_rng(11)
    refused = 0
    for _ in range(25):
        content = bytearray(original)
        start = int(rng.integers(0, len(content) - 600))
        content[start : start + 600] = rng.bytes(600)
        replace_and_sign(own_run, "posterior.nc", bytes(content))
        try:
            load_run(own_run).decide()
        except InputError as error:
            refused += "posterior.nc" in str(error)
    assert refused > 0


def test_netcdf_without_our_groups_is_a_fault(own_run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.nc"
    xr.Dataset({"x": ("draw", np.arange(3))}).to_netcdf(other, engine="h5netcdf")
    replace_and_sign(own_run, "posterior.nc", other.read_bytes())
    assert ["no group `harms`" in fault for fault in faults_of(own_run)] == [True]


def test_draws_that_are_not_finite_are_a_fault(own_run: Path, tmp_path: Path) -> None:
    tree = load_run(own_run).posterior.copy(deep=True)
    tree["harms"]["harm_rate"].values[0, 0, 0, 0] = np.nan
    tree.to_netcdf(tmp_path / "nan.nc", engine="h5netcdf")
    replace_and_sign(own_run, "posterior.nc", (tmp_path / "nan.nc").read_bytes())
    assert ["harm_rate" in fault for fault in faults_of(own_run)] == [True]


def test_a_run_is_never_written_over_another(run_folder: Path, small_fit: Fit) -> None:
    before = {path.name: sha256(path) for path in run_folder.iterdir()}
    with pytest.raises(InputError, match="not an empty folder"):
        write_run(small_fit, run_folder, {})
    assert {path.name: sha256(path) for path in run_folder.iterdir()} == before


def test_a_run_that_cannot_be_finished_leaves_nothing(
    small_fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xr.DataTree, "to_netcdf", full_disk)
    with pytest.raises(InputError, match="No space left"):
        write_run(small_fit, tmp_path / "run", {})
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_no_folder_can_be_made_is_known_before_sampling(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    require_writable(tmp_path / "new" / "deeper" / "run")
    assert not (tmp_path / "new").exists()
    for place in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(InputError):
            require_writable(place)


def test_figures_that_json_cannot_hold_are_written_as_null(small_fit: Fit, tmp_path: Path) -> None:
    write_run(small_fit, tmp_path / "run", {"read": float("nan")})
    assert read_json(tmp_path / "run" / "diagnostics.json")["seconds"] == {"read": None}
    shutil.rmtree(tmp_path / "run")
