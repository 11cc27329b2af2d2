"""One small assessment and one short run of it, made once: reading and printing are tested on them."""

import shutil
from pathlib import Path

import pytest
from hypothesis import settings

from violencescore.assessment import read_assessment
from violencescore.fitting import Fit, fit_assessment
from violencescore.runs import write_run
from violencescore.simulation import simulate_world, write_simulation

# How long an example takes is the machine's business, and no property.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# So short a run would be refused by the limits of the shipped methodology.
RELAXED = """
[sampling]
draws = 150
tune = 200
chains = 2
seed = 7
max_rhat = 2.0
min_ess = 5
max_divergences = 300
max_extensions = 0
"""
PANEL = """panelist_id,element,victim_role,weight
P1,killing,citizen,2
P1,killing,police,3
P2,extortion,,1
P3,terror,,5
"""


@pytest.fixture(scope="session")
def assessment_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated assessment of some 150 incidents, with a panel whose weights stand beside the published ones."""
    folder = tmp_path_factory.mktemp("assessments") / "small"
    write_simulation(simulate_world("plain", 3, 150), folder)
    with (folder / "methodology.toml").open("a", encoding="utf-8") as stream:
        stream.write(RELAXED)
    (folder / "panel_weights.csv").write_text(PANEL, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def small_fit(assessment_folder: Path) -> Fit:
    """The small assessment, fitted with 2 chains of 150 draws."""
    return fit_assessment(read_assessment(assessment_folder))


@pytest.fixture(scope="session")
def run_folder(small_fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of the small fit; not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "small-run"
    write_run(small_fit, folder, {"read": 0.1, **small_fit.seconds, "total": 9.9})
    return folder


@pytest.fixture
def own_run(run_folder: Path, tmp_path: Path) -> Path:
    """A copy of the run folder that a test may damage."""
    return Path(shutil.copytree(run_folder, tmp_path / "run"))
