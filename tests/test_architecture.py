"""The house of the package: who may import whom, what stays light, and how large a module may grow."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import violencescore

PACKAGE = Path(violencescore.__file__).parent

ORDER = """
errors names fingerprint jsontext output progress
wording value_types unit_options scenario_choices robustness_choices model_options methodology
coding formats tables reading schemas identities events supply relations grouping cleaning assessment trees networks units
importers.ged_file importers.ged_tables importers.ged_package importers.ged importers
pieces activity episodes strata evidence_patterns design listings
model model.types model.zerosum model.lanes model.layout model.given model.effects model.violence model.evidence model.coordinates model.staging model.episodes model.cells model.patterns model.packing model.logarithm model.kernel model.listing model.capture
model.signatures model.specification model.quantities model.pilot
beside sampling
counts attribution delays reporting unreported parting diagnostics revenue flows levels
montecarlo ranks robustness robustness.margins robustness.escape decision scores verdict panel scenarios acceptability confidence_sets sensitivity cohesion weight_plane
fitting evidence_summary runs refits example prepare
report report.text report.identification report.sentences report.figures report.figure_files report.tables report.scenarios report.units report.sensitivity report.robustness report.robustness_figures report.weighing_figures
report.what_if_figures report.captions report.plots
publication publication.phrases publication.required report.page_draws report.page_incidents report.page_data report.page
report.terminal
simulation.worlds simulation.chance simulation.incidents simulation.harms simulation.evidence simulation.supply simulation.revenue simulation.assessments
simulation
calibration calibration.methods calibration.plan calibration.assessments calibration.counting calibration.refits calibration.prior_worlds calibration.sbc
calibration.folder calibration.workers calibration.frames calibration.tables calibration.figures calibration.results
report.calibration report.reporting
robustness.frozen_rule robustness.feasibility robustness.adversaries robustness.attacks robustness.redteam robustness.trial_figures report.trials
bench bench.likelihood bench.waterfall bench.channels bench.scoring bench.folds bench.comparison bench.checks
bench.figures bench.examination report.bench
publication.canonical publication.keys publication.commitment publication.panelists publication.notice
publication.tabular publication.draws publication.margins publication.claims publication.announcement publication.disclosure publication.bundle
publication.small_verifier publication.contents publication.inputs publication.publish publication.verify publication.refit
changes changes.rows changes.choices changes.causes changes.comparison report.changes
rounds rounds.ledger rounds.facts rounds.history rounds.conduct rounds.standing rounds.statements rounds.successor rounds.verification
report.rounds report.round_figures
elicitation elicitation.forms elicitation.agreement report.elicitation
robustness.series robustness.worlds robustness.insertions robustness.basis robustness.findings robustness.changed robustness.searching
robustness.deterrence robustness.handful robustness.monotonicity robustness.staged_worlds robustness.tipping robustness.staged_returns
robustness.staging robustness.suppression robustness.window robustness.units
robustness.paths robustness.nearest robustness.panelists robustness.weights robustness.revenue
robustness.ties robustness.allotment robustness.tendency robustness.matching robustness.ledger robustness.adjudicating robustness.futures robustness.waiting robustness.information
robustness.parts robustness.passport robustness.record
page_writing commands calibrating workbench_commands listing_commands publishing weighting unit_commands comparing round_commands plotting redteaming doubting cli __main__
""".split()
"""Every module, in an order in which each imports only from those before it."""

SAMPLERS = {"pymc", "pytensor", "nutpie"}
HEAVY = {*SAMPLERS, "numba", "arviz", "arviz_stats", "matplotlib"}
MAX_LINES = 450


def module_files() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name:
            found[name] = path
    return found


MODULES = module_files()


def imported(path: Path) -> Iterator[str]:
    """Full names of all that a module imports, inside functions too; of ``from x import y`` both x and x.y."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: a relative import hides where it leads"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_modules(name: str) -> set[str]:
    return {module.removeprefix("violencescore.") for module in imported(MODULES[name])} & MODULES.keys()


def typing_only(name: str) -> set[str]:
    """Modules that are imported for annotations only."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            found |= {str(n.module) for n in ast.walk(node) if isinstance(n, ast.ImportFrom)}
    return {module.removeprefix("violencescore.") for module in found}


def test_every_module_has_its_place_in_the_order() -> None:
    assert sorted(MODULES) == sorted(ORDER)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_imports_only_from_those_before_it(name: str) -> None:
    place = {module: i for i, module in enumerate(ORDER)}
    # A package's __init__ gathers what its own modules hold.
    later = {m for m in imported_modules(name) if place[m] >= place[name] and not m.startswith(f"{name}.")}
    assert later == set()


def test_no_modules_import_one_another_in_a_circle() -> None:
    graph = {name: imported_modules(name) - {name} for name in MODULES}
    done: set[str] = set()
    while ready := {name for name, needs in graph.items() if name not in done and needs <= done}:
        done |= ready
    assert set(graph) - done == set()


@pytest.mark.parametrize("name", sorted(MODULES))
def test_samplers_appear_only_in_the_model_and_in_sampling(name: str) -> None:
    used = {module.split(".")[0] for module in imported(MODULES[name])} & SAMPLERS
    if name != "sampling" and not name.startswith("model."):
        assert used == set()


def test_what_checks_a_verdict_needs_no_compiler() -> None:
    needed, waiting = (
        set(),
        {
            "ranks",
            "decision",
            "scores",
            "verdict",
            "runs",
            "assessment",
            "report.page",
            "panel",
            "publication.verify",
            "publication.publish",
            "rounds.verification",
            "report.rounds",
        },
    )
    while waiting:
        name = waiting.pop()
        needed.add(name)
        waiting |= (imported_modules(name) - typing_only(name)) - needed
    used = {module.split(".")[0] for name in needed for module in imported(MODULES[name])}
    assert used & {*SAMPLERS, "numba", "arviz"} == set()


@pytest.mark.parametrize("name", sorted(MODULES))
def test_no_module_grows_beyond_what_one_can_read(name: str) -> None:
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_module_says_what_it_is_for(name: str) -> None:
    assert ast.get_docstring(ast.parse(MODULES[name].read_text(encoding="utf-8")))


def modules_after(*lines: str) -> set[str]:
    """Names of the top-level packages that a fresh interpreter holds after running some lines."""
    code = "\n".join([*lines, "import sys", "print('\\n' + ' '.join({m.split('.')[0] for m in sys.modules}))"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


HELP = (
    "import contextlib, io, sys",
    "sys.argv = ['violencescore', '--help']",
    "from violencescore.cli import main",
    "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()): main()",
)


def test_help_loads_nothing_heavy() -> None:
    assert modules_after(*HELP) & {*HEAVY, "pandas", "xarray", "scipy"} == set()


def test_the_package_itself_loads_nothing_heavy() -> None:
    loaded = modules_after("import violencescore as vs", "dir(vs)", "vs.InputError")
    assert loaded & {*HEAVY, "pandas", "xarray", "numpy"} == set()


def test_reading_ranking_deciding_and_reporting_load_no_sampler(tmp_path: Path) -> None:
    from strategies import write_assessment

    folder = write_assessment(tmp_path / "assessment")
    loaded = modules_after(
        "import numpy as np, violencescore as vs",
        f"assessment = vs.read_assessment({str(folder)!r})",
        "draws = np.random.default_rng(0).normal(size=(200, 3))",
        "decision = vs.decide(draws, assessment.methodology, names=['a', 'b', 'c'])",
        "vs.rank_table(draws, names=['a', 'b', 'c'])",
        "import violencescore.runs, violencescore.report.page, violencescore.report.tables, violencescore.verdict",
    )
    assert loaded & {*SAMPLERS, "numba"} == set()
    assert {"pandas", "xarray"} <= loaded


def test_the_exported_names_are_these() -> None:
    assert set(violencescore.__all__) == {
        "Assessment", "Decision", "Fault", "InputError", "Methodology", "RefusedError", "Reporting", "Run", "ViolenceScoreError",
        "build_design", "build_model", "build_weight_plane", "decide", "first_by_confidence", "estimate_unreported", "fit", "import_ged",
        "load_methodology", "load_run", "pairwise_probabilities", "rank_heat_map", "rank_probabilities", "rank_table",
        "rankogram", "read_assessment", "reliability_figure", "score_draws", "score_intervals", "shipped_methodology",
        "simulate_world", "weight_plane_figure",
    }  # fmt: skip


@pytest.mark.parametrize("name", [name for name in violencescore.__all__ if name != "build_model"])
def test_an_exported_name_is_the_one_of_its_module(name: str) -> None:
    home = importlib.import_module(f"violencescore.{violencescore._HOMES[name]}")
    assert getattr(violencescore, name) is getattr(home, name)
    assert name in dir(violencescore)
    assert getattr(violencescore, name).__doc__


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'rank_tabel'"):
        violencescore.rank_tabel  # noqa: B018
