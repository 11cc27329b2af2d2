"""Fit the disclosed inputs again and compare with what was published, within Monte-Carlo error.

Never bit for bit: draws are random numbers pushed through floating-point arithmetic, which differs between processors
and versions of libraries, so that equal seeds promise equal draws on one machine only. And the same seed would only
repeat the publisher's luck. So the model is sampled with another seed, and what both find must agree as two
independent estimates of the same thing do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from violencescore.assessment import Assessment
from violencescore.methodology import Methodology
from violencescore.montecarlo import Probability, estimate_probability, read_scores
from violencescore.names import ORGANIZATION
from violencescore.publication.contents import Stated, read_stated
from violencescore.publication.inputs import INCIDENTS, read_inputs
from violencescore.publication.verify import Check
from violencescore.ranks import first_probability
from violencescore.scores import published_weights, score_draws

if TYPE_CHECKING:
    from violencescore.diagnostics import Diagnostics

N_ERRORS = 4.0
"""Two estimates of one thing differ by more errors than this once in 16,000 times."""

type Report = Callable[[str, int, int], None]


def fit_again(
    assessment: Assessment, methodology: Methodology, weights: xr.DataArray, progress: Report, seed: int
) -> tuple[xr.DataArray, Diagnostics]:
    """Sample the model and return the scores (chain, draw, organization) by given weights, and how it converged."""
    from violencescore.fitting import fit_assessment

    fitted = fit_assessment(assessment, seed, densities=False, progress=progress)
    return score_draws(fitted.posterior, methodology, weights=weights), fitted.diagnostics


def check_refit(files: Mapping[str, bytes], progress: Report) -> Iterator[Check]:
    """Fit the inputs of a bundle again, with another seed, and compare with its draws.

    Parameters
    ----------
    files
        A bundle that has passed `violencescore.publication.verify.verify`.
    """
    name = "Fitted again from the inputs, the figures agree within Monte-Carlo error"
    stated = read_stated(files)
    if INCIDENTS not in files:
        yield Check(name, "unchecked", ("The inputs are not enclosed at this level of disclosure.",))
        return
    methodology = stated.methodology
    assessment = read_inputs(files, methodology)
    weights = published_weights(stated.posterior, methodology)
    seed = methodology.sampling.seed + 1
    scores, diagnostics = fit_again(assessment, methodology, weights, progress, seed)
    if diagnostics.converged != stated.diagnostics["converged"]:
        said, found = ("has" if c else "has not" for c in (stated.diagnostics["converged"], diagnostics.converged))
        yield Check(name, "fail", (f"It is stated that the sampler {said} converged; fitted again it {found}.",))
        return
    if not diagnostics.converged:
        yield Check(name, "unchecked", ("The sampler has not converged, then or now: nothing can be compared.",))
        return
    yield from compare_scores(score_draws(stated.posterior, methodology), scores, stated)


def compare_scores(published: xr.DataArray, again: xr.DataArray, stated: Stated) -> Iterator[Check]:
    """Compare two sets of draws (chain, draw, organization): P(first), and on which side of the median they lie."""
    if sorted(published.indexes[ORGANIZATION]) != sorted(again.indexes[ORGANIZATION]):
        yield Check("Fitted again, the organizations are the same", "fail")
        return
    before, after = first_probability(published), first_probability(again)
    for key in before:
        name = stated.names[key]
        allowed = N_ERRORS * math.hypot(before[key].mcse, after[key].mcse)
        yield _compare(f"P(first) of {name}", before[key].p, after[key].p, allowed)
        old, new = (read_scores(s.sel({ORGANIZATION: [key]})).values for s in (published, again))
        (above, error), (again_above, again_error) = (_above(draws, float(np.median(old))) for draws in (old, new))
        allowed = N_ERRORS * math.hypot(error, again_error)
        yield _compare(f"the share of draws above the published median of {name}", above, again_above, allowed)


def _above(values: np.ndarray, line: float) -> tuple[float, float]:
    gap = values - line
    share, error = estimate_probability((np.sign(gap) + 1) / 2, gap)
    return float(share[0]), float(error[0])


def _compare(what: str, before: float, after: float, allowed: float) -> Check:
    found = f"published {before:.4f}, fitted again {after:.4f}; they may differ by {allowed:.4f}"
    return Check(f"Fitted again: {what}", "pass" if abs(before - after) <= allowed else "fail", (found,))


def coarsening_effect(
    assessment: Assessment, methodology: Methodology, weights: xr.DataArray, progress: Report
) -> Mapping[str, Any]:
    """Fit a coarsened assessment and return P(first) of each organization with its Monte-Carlo error."""
    scores, _ = fit_again(assessment, methodology, weights, progress, methodology.sampling.seed)
    found: dict[str, Probability] = first_probability(scores)
    return {key: {"p": p.p, "mcse": p.mcse} for key, p in found.items()}
