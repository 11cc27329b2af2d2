"""Budgets and removal sets of the embedded example against refits: the verdict changes there, and not one before."""

import numpy as np
import pytest

from violencescore.assessment import read_assessment
from violencescore.example import example_folder
from violencescore.fitting import fit_assessment
from violencescore.robustness import handful, staging
from violencescore.robustness.basis import Basis

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def basis() -> Basis:
    fitted = fit_assessment(read_assessment(example_folder()))
    methodology = fitted.assessment.methodology
    diagnostics = fitted.diagnostics.to_json_dict({})
    return Basis(fitted.posterior, methodology, diagnostics, fitted.assessment, example_folder(), 12, 20111222)


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
