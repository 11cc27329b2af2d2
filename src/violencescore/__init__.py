"""Which organization was the most violent, and how sure can we be?

>>> import violencescore as vs
>>> assessment = vs.read_assessment("assessment/")                   # doctest: +SKIP
>>> posterior = vs.fit(assessment, seed=20111222)                    # doctest: +SKIP
>>> scores = vs.score_draws(posterior, assessment.methodology)       # doctest: +SKIP
>>> decision = vs.decide(scores, assessment.methodology)             # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from violencescore.assessment import Assessment, read_assessment
    from violencescore.calibration.figures import reliability_figure
    from violencescore.decision import Decision, decide
    from violencescore.design import build_design
    from violencescore.errors import Fault, InputError, RefusedError, ViolenceScoreError
    from violencescore.fitting import fit
    from violencescore.importers.ged import import_ged
    from violencescore.methodology import Methodology, load_methodology, shipped_methodology
    from violencescore.model.specification import build_model
    from violencescore.model_options import Reporting
    from violencescore.ranks import pairwise_probabilities, rank_probabilities, rank_table
    from violencescore.report.figures import rank_heat_map, rankogram, score_intervals
    from violencescore.report.what_if_figures import first_by_confidence, weight_plane_figure
    from violencescore.reporting import estimate_unreported
    from violencescore.runs import Run, load_run
    from violencescore.scores import score_draws
    from violencescore.simulation import simulate_world
    from violencescore.weight_plane import build_weight_plane

__version__ = "0.1.0"

_HOMES = {
    "Assessment": "assessment",
    "Decision": "decision",
    "Fault": "errors",
    "InputError": "errors",
    "Methodology": "methodology",
    "RefusedError": "errors",
    "Reporting": "model_options",
    "Run": "runs",
    "ViolenceScoreError": "errors",
    "build_design": "design",
    "build_model": "model.specification",
    "build_weight_plane": "weight_plane",
    "decide": "decision",
    "first_by_confidence": "report.what_if_figures",
    "estimate_unreported": "reporting",
    "fit": "fitting",
    "import_ged": "importers.ged",
    "load_methodology": "methodology",
    "load_run": "runs",
    "pairwise_probabilities": "ranks",
    "rank_heat_map": "report.figures",
    "rank_probabilities": "ranks",
    "rank_table": "ranks",
    "rankogram": "report.figures",
    "read_assessment": "assessment",
    "reliability_figure": "calibration.figures",
    "score_draws": "scores",
    "score_intervals": "report.figures",
    "shipped_methodology": "methodology",
    "simulate_world": "simulation",
    "weight_plane_figure": "report.what_if_figures",
}
# Loaded on first use (PEP 562): a sampler takes seconds to import, and most uses need none.

__all__ = [
    "Assessment",
    "Decision",
    "Fault",
    "InputError",
    "Methodology",
    "RefusedError",
    "Reporting",
    "Run",
    "ViolenceScoreError",
    "build_design",
    "build_model",
    "build_weight_plane",
    "decide",
    "estimate_unreported",
    "first_by_confidence",
    "fit",
    "import_ged",
    "load_methodology",
    "load_run",
    "pairwise_probabilities",
    "rank_heat_map",
    "rank_probabilities",
    "rank_table",
    "rankogram",
    "read_assessment",
    "reliability_figure",
    "score_draws",
    "score_intervals",
    "shipped_methodology",
    "simulate_world",
    "weight_plane_figure",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'violencescore' has no attribute {name!r}")
    return getattr(import_module(f"violencescore.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
