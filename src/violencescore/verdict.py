"""A posterior of ours to its verdict: scores, diagnostics and the comparison with the baseline together."""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr

from violencescore.decision import Decision, decide
from violencescore.methodology import Methodology
from violencescore.names import UNREPORTED
from violencescore.scores import baseline_ratio, score_draws


def decide_posterior(
    posterior: xr.DataTree,
    methodology: Methodology,
    diagnostics: Mapping[str, object],
    confidence: float | None = None,
) -> Decision:
    """Decide from a posterior of ours: scores, diagnostics and the comparison with the baseline together."""
    return decide(
        score_draws(posterior, methodology),
        methodology,
        diagnostics=diagnostics,
        baseline_ratio=baseline_ratio(posterior, methodology),
        confidence=confidence,
        counts_unreported=UNREPORTED in posterior["harms"].data_vars,
    )
