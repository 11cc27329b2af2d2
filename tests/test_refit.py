"""Disclosed inputs fitted again: compared within Monte-Carlo error; and the procedure from beginning to end."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from publication_cases import AFTERWARDS, Case, make_case

from violencescore.assessment import read_assessment
from violencescore.errors import RefusedError
from violencescore.publication import refit
from violencescore.publication.contents import read_stated
from violencescore.publication.disclosure import disclosed_tables, input_files
from violencescore.publication.inputs import is_same_to_model, read_inputs
from violencescore.publication.publish import Disclosed, publish
from violencescore.publication.verify import Check, has_passed
from violencescore.scores import score_draws

DOCS = Path(__file__).parents[1] / "docs"


def silent(stage: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return make_case(tmp_path_factory.mktemp("case"))


@pytest.fixture(scope="module")
def files(case: Case, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return case.publish(tmp_path_factory.mktemp("bundle") / "b", "full")


def shifted(scores: xr.DataArray, seed: int, factor: float = 1.0) -> xr.DataArray:
    """As good as an independent set of draws from the same distribution, or from a larger one."""
    rng = np.random.default_rng(seed)
    flat = scores.values.reshape(-1, scores.sizes["organization"])
    again = flat[rng.integers(0, len(flat), len(flat))].reshape(scores.shape)
    return scores.copy(data=again * factor)


def test_draws_of_the_same_posterior_agree(files: dict[str, bytes]) -> None:
    stated = read_stated(files)
    scores = score_draws(stated.posterior, stated.methodology)
    for seed in range(20):
        assert has_passed(tuple(refit.compare_scores(scores, shifted(scores, seed), stated))), seed


def test_draws_that_do_not_come_from_the_inputs_are_found(files: dict[str, bytes]) -> None:
    stated = read_stated(files)
    scores = score_draws(stated.posterior, stated.methodology)
    larger = tuple(refit.compare_scores(scores, shifted(scores, 1, factor=1.3), stated))
    assert not has_passed(larger)
    swapped = scores.copy(data=scores.values[:, :, ::-1])
    found = [check.name for check in refit.compare_scores(scores, swapped, stated) if check.status == "fail"]
    assert any("P(first)" in name for name in found)
    fewer = tuple(refit.compare_scores(scores, scores.isel(organization=slice(2)), stated))
    assert not has_passed(fewer)


class Convergence:
    def __init__(self, converged: bool) -> None:
        self.converged = converged


@pytest.mark.parametrize(("converged", "status"), [(True, "pass"), (False, "fail")])
def test_a_refit_uses_the_disclosed_inputs_another_seed_and_the_published_weights(
    files: dict[str, bytes], case: Case, monkeypatch: pytest.MonkeyPatch, converged: bool, status: str
) -> None:
    stated = read_stated(files)
    asked = []

    def fit_again(assessment, methodology, weights, progress, seed):
        asked.append((assessment, seed, weights))
        return shifted(score_draws(stated.posterior, methodology), 1), Convergence(converged)

    monkeypatch.setattr(refit, "fit_again", fit_again)
    checks = tuple(refit.check_refit(files, silent))
    assert {check.status for check in checks} == {status}
    ((assessment, seed, weights),) = asked
    assert seed == stated.methodology.sampling.seed + 1
    assert len(assessment.incidents) == len(read_assessment(case.assessment).incidents)
    assert weights.values.tolist() == [3.0, 1.5]


def test_without_inputs_nothing_is_fitted(case: Case, tmp_path: Path) -> None:
    (check,) = refit.check_refit(case.publish(tmp_path / "b"), silent)
    assert check == Check(check.name, "unchecked", ("The inputs are not enclosed at this level of disclosure.",))


# What coarsening does.


def coarse(case: Case, change=lambda files: files):
    read = read_assessment(case.assessment)
    files = input_files(disclosed_tables(case.assessment, read, "coarsened"))
    return read, read_inputs(change(files), read.methodology)


def test_coarsened_and_full_inputs_are_the_same_to_the_model(case: Case, files: dict[str, bytes]) -> None:
    read, again = coarse(case)
    assert is_same_to_model(read, again)
    assert is_same_to_model(read, read_inputs(files, read.methodology))


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("inputs/incidents.csv", ",R1\n", ",R2\n"),
        ("inputs/harms.csv", ",1\n", ",2\n"),
        ("inputs/evidence.csv", "press,g0,", "press,g1,"),
        ("inputs/organizations.csv", "g2,Cobalt", "g3,Cobalt"),
    ],
)
def test_inputs_that_differ_for_the_model_are_told_apart(case: Case, path: str, old: str, new: str) -> None:
    def change(files: dict[str, bytes]) -> dict[str, bytes]:
        changed = {
            key: value.replace(b"g2", new[:2].encode()) if path.endswith("organizations.csv") else value
            for key, value in files.items()
        }
        return changed | {path: changed[path].replace(old.encode(), new.encode(), 1)}

    read, again = coarse(case, change)
    assert not is_same_to_model(read, again)


def test_the_effect_of_coarsening_is_stated(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    same = case.publish(tmp_path / "b1", "coarsened")
    assert b"Coarsened to region and week, the data are the same to the model" in same["announcement.en.txt"]
    monkeypatch.setattr("violencescore.publication.publish.is_same_to_model", lambda left, right: False)
    with pytest.raises(RefusedError, match="must be stated"):
        case.publish(tmp_path / "b2", "coarsened")
    found = {key: {"p": p, "mcse": 0.01} for key, p in (("g0", 0.7), ("g1", 0.2), ("g2", 0.1))}
    disclosed = Disclosed("coarsened", case.assessment, lambda *given: found)
    other = publish(case.run, case.chain, case.key, tmp_path / "b3", disclosed, now=AFTERWARDS)
    assert "is 0.70 (Monte-Carlo error 0.01) instead of" in other["announcement.en.txt"].decode()
    assert "en lugar de" in other["announcement.es.txt"].decode()


# From beginning to end.


@pytest.mark.slow
def test_the_documented_procedure_runs(tmp_path: Path) -> None:
    """Commit, simulate a window, fit, publish, verify, fit again: as docs/publication.md says."""
    script = re.search(r"```sh\n(.*?)```", (DOCS / "publication.md").read_text(encoding="utf-8"), re.DOTALL)
    assert script
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-euc", script[1]], cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=900, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "FAILED" not in done.stdout
    assert "Fitted again: P(first)" in done.stdout
