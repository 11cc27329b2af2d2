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
    from violencescore.decision import Decision, decide
    from violencescore.design import build_design
    from violencescore.errors import Fault, InputError, RefusedError, ViolenceScoreError
    from violencescore.fitting import fit
    from violencescore.importers.ged import import_ged
    from violencescore.methodology import Methodology, load_methodology, shipped_methodology
    from violencescore.model.specification import build_model
    from violencescore.model_options import Reporting
    from violencescore.ranks import pairwise_probabilities, rank_probabilities, rank_table
    from violencescore.reporting import estimate_unreported
    from violencescore.runs import Run, load_run
    from violencescore.scores import score_draws
    from violencescore.simulation import simulate_world

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
    "decide": "decision",
    "estimate_unreported": "reporting",
    "fit": "fitting",
    "import_ged": "importers.ged",
    "load_methodology": "methodology",
    "load_run": "runs",
    "pairwise_probabilities": "ranks",
    "rank_probabilities": "ranks",
    "rank_table": "ranks",
    "read_assessment": "assessment",
    "score_draws": "scores",
    "shipped_methodology": "methodology",
    "simulate_world": "simulation",
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
    "decide",
    "estimate_unreported",
    "fit",
    "import_ged",
    "load_methodology",
    "load_run",
    "pairwise_probabilities",
    "rank_probabilities",
    "rank_table",
    "read_assessment",
    "score_draws",
    "shipped_methodology",
    "simulate_world",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'violencescore' has no attribute {name!r}")
    return getattr(import_module(f"violencescore.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
