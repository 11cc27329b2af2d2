"""Budgets and removal sets of the embedded example against refits: the verdict changes there, and not one before."""

import shutil

import numpy as np
import pytest

from violencescore.assessment import read_assessment
from violencescore.example import example_folder
from violencescore.fitting import fit_assessment
from violencescore.robustness import handful, staging
from violencescore.robustness.basis import Basis

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["kleiman-2011", "kleiman-2011-cautious"])
def basis(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Basis:
    """The example as it is, and with incidents in series, echoes and campaigns."""
    folder = tmp_path_factory.mktemp("example") / "tables"
    shutil.copytree(example_folder(), folder)
    rules = folder / "methodology.toml"
    text = rules.read_text(encoding="utf-8").replace('extends = "kleiman-2011"', f'extends = "{request.param}"')
    rules.write_text(text, encoding="utf-8")
    fitted = fit_assessment(read_assessment(folder))
    methodology = fitted.assessment.methodology
    diagnostics = fitted.diagnostics.to_json_dict({})
    return Basis(fitted.posterior, methodology, diagnostics, fitted.assessment, folder, 12, 20111222)


def quiet(*_: object) -> None:
    """No progress."""


def test_the_removal_set_changes_the_verdict_on_a_refit_and_one_fewer_does_not(basis: Basis) -> None:
    finding = handful.examine(basis, quiet)
    margin, table = finding.margins[0], finding.tables["refits"].set_index("removed")
    assert margin.method == "refit"
    assert table.loc[int(margin.value), "outcome"] != "selected"
    if margin.value > 1:
        assert table.loc[int(margin.value) - 1, "outcome"] == "selected"


def test_the_staging_budget_changes_the_verdict_on_a_refit_and_one_fewer_does_not(basis: Basis) -> None:
    finding = staging.examine(basis, quiet)
    for margin, name in zip(finding.margins, ("refits_best", "refits_usual"), strict=False):
        table = finding.tables[name].set_index("staged")
        if np.isfinite(margin.value) and margin.method == "refit":
            assert table.loc[int(margin.value), "outcome"] != "selected"
            if margin.value > 1:
                assert table.loc[int(margin.value) - 1, "outcome"] == "selected"
    assert finding.margins[0].method == "refit"
