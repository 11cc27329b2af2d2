"""`violencescore report`: the page of a run, with single incidents and the method's errors where they are asked for."""

import json

import pytest
from typer.testing import CliRunner

from violencescore.cli import app
from violencescore.errors import InputError
from violencescore.report.page import page_parts
from violencescore.runs import load_run

CALIBRATION = {
    "tables": {
        "verdicts": [
            {"world": "plain", "method": "model", "confidence": 0.9, "assessments": 100, "right": 60, "wrong": 1},
            {"world": "plain", "method": "model", "confidence": 0.8, "assessments": 100, "right": 70, "wrong": 9},
            {"world": "plain", "method": "counting names", "confidence": 0.9, "assessments": 100, "right": 9, "wrong": 9},
        ]
    }
}  # fmt: skip


def report(*arguments):
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


def data_of(path):
    return page_parts(path.read_text(encoding="utf-8"))[1]


def test_a_run_has_a_page_without_single_incidents(run_folder, tmp_path):
    done = report(run_folder, "--out", tmp_path / "page.html")
    assert done.exit_code == 0, done.output
    data = data_of(tmp_path / "page.html")
    assert data["incidents"] is None and data["calibration"] is None
    assert [row["panelist_id"] for row in data["panel"]] == ["P1", "P2", "P3"]
    assert data["evidence"]["named"] and data["evidence"]["staged"]


def test_the_evidence_adds_up(run_folder):
    evidence = load_run(run_folder).evidence
    for row in evidence["named"]:
        own = row["named"] + row["other"] + row["silent"]
        assert own == pytest.approx(evidence["incidents"][row["organization_id"]])
        assert row["blamed"] >= 0
    for row in evidence["staged"]:
        assert 0 <= row["low"] <= row["mean"] <= 1


def test_with_the_assessment_incidents_are_listed_and_explained(run_folder, assessment_folder, tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(CALIBRATION))
    out = tmp_path / "page.html"
    done = report(
        run_folder, "--out", out, "--assessment", assessment_folder, "--calibration", tmp_path / "results.json"
    )
    assert done.exit_code == 0, done.output
    data = data_of(out)
    assert data["calibration"] == [{"world": "plain", "right": 60, "wrong": 1, "assessments": 100}]
    attribution = load_run(run_folder).attribution().set_index("incident_id")
    ids = [row["id"] for row in data["organizations"]]
    for row in data["incidents"]["rows"][:5]:
        assert row["p"] == attribution.loc[row["incident_id"], [f"p_{key}" for key in ids]].tolist()
        assert sum(row["p"]) + row["p_other"] == pytest.approx(1)
        steps = row["waterfall"]["steps"]
        followed = dict(zip([*ids, "other"], [*row["p"], row["p_other"]], strict=True))[row["waterfall"]["focus"]]
        if row["evidence"]:
            assert len(steps) > 1
        assert 0 <= steps[-1]["p"] <= 1 and 0 <= followed <= 1


def test_what_is_not_of_the_run_is_a_fault_and_writes_nothing(run_folder, tmp_path):
    from violencescore.example import example_folder

    out = tmp_path / "page.html"
    (tmp_path / "bad.json").write_text("{}")
    for more in (
        ["--assessment", example_folder()],
        ["--calibration", tmp_path / "none.json"],
        ["--calibration", tmp_path / "bad.json"],
    ):
        assert isinstance(report(run_folder, "--out", out, *more).exception, InputError)
        assert not out.exists()
