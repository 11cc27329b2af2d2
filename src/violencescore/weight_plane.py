"""Who is first when two weights move and the others stay: the plane that those two weights span."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from violencescore.errors import Fault, InputError
from violencescore.methodology import Methodology
from violencescore.names import CATEGORY, ORGANIZATION
from violencescore.scores import published_weights, score_draws

Array = npt.NDArray[np.float64]

N_STEPS = 61
"""Values of each weight; a multiple of ``REACH`` plus one, so that the published weight is one of them."""
REACH = 3
"""Each weight goes from 0 to this many times the published one."""


@dataclass(frozen=True, eq=False)
class WeightPlane:
    """P(first) over two weights, computed from the same draws of harm everywhere.

    Attributes
    ----------
    categories
        Labels of the two categories, that of the x axis first.
    x, y
        Values of their weights.
    published
        The two weights that count for the verdict.
    organizations
        Ids, in the order of the last axis of ``p_first``.
    p_first
        Probability of the highest score, ties shared (y, x, organization).
    n_draws
        Posterior draws that each probability rests on.
    """

    categories: tuple[str, str]
    x: Array
    y: Array
    published: tuple[float, float]
    organizations: tuple[str, ...]
    p_first: Array
    n_draws: int

    @property
    def leader(self) -> npt.NDArray[np.int64]:
        """Index of the likeliest first (y, x)."""
        return self.p_first.argmax(axis=2)


def build_weight_plane(
    posterior: xr.DataTree, methodology: Methodology, categories: tuple[str, str] | None = None
) -> WeightPlane:
    """Compute P(first) over two weights; the others, the estimand and the denominator are the methodology's.

    Parameters
    ----------
    categories
        The two whose weights move; by default the pair on which the lead hangs most: the one that speaks most for the
        likeliest first against the second, and the one that speaks most against it.

    Raises
    ------
    InputError
        If a category is none of the methodology's, or both are the same.
    """
    weights = published_weights(posterior, methodology)
    x_name, y_name = categories or hinging_pair(posterior, methodology)
    _require_two(weights, x_name, y_name)
    published = tuple(float(weights.sel({CATEGORY: name})) for name in (x_name, y_name))
    largest = float(weights.max())
    x, y = (np.linspace(0.0, REACH * (weight or largest), N_STEPS) for weight in published)
    rest, by_x, by_y = (
        _flat_scores(posterior, methodology, part)
        for part in (
            weights.where(~weights[CATEGORY].isin([x_name, y_name]), 0.0),
            _only(weights, x_name),
            _only(weights, y_name),
        )
    )
    p_first = np.stack([_first_shares(rest + value * by_y, by_x, x) for value in y])
    ids = tuple(str(key) for key in posterior["harms"].coords[ORGANIZATION].values)
    return WeightPlane((x_name, y_name), x, y, (published[0], published[1]), ids, p_first, len(rest))


def hinging_pair(posterior: xr.DataTree, methodology: Methodology) -> tuple[str, str]:
    """Return the category that speaks most for the likeliest first against the second, and the one most against.

    Measured by the mean difference of weighted harm between the two. Where none speaks against, the second is the one
    that speaks next most for it.
    """
    weights = published_weights(posterior, methodology)
    if weights.sizes[CATEGORY] < 2:
        raise InputError([Fault("methodology", "has a single category: there are no two weights to move")])
    scores = score_draws(posterior, methodology)
    first = (scores == scores.max(ORGANIZATION)).mean(("chain", "draw"))
    order = np.argsort(-first.values, kind="stable")
    harm = posterior["harms"][f"harm_{methodology.score.estimand}"].mean(("chain", "draw"))
    weighted = (harm * weights.reindex({CATEGORY: harm[CATEGORY]}, fill_value=0.0)).transpose(ORGANIZATION, CATEGORY)
    other = weighted.values[order[1]] if len(order) > 1 else 0.0
    gap = weighted.values[order[0]] - other
    names = [str(name) for name in harm.coords[CATEGORY].values]
    ranked = sorted(range(len(names)), key=lambda i: -gap[i])
    against = ranked[-1] if gap[ranked[-1]] < 0 else ranked[1]
    return names[ranked[0]], names[against]


def _require_two(weights: xr.DataArray, x_name: str, y_name: str) -> None:
    known = [str(name) for name in weights[CATEGORY].values]
    rule = f"is no category of the methodology; choose two of {', '.join(known)}"
    faults = [Fault("--weights", rule, value=name) for name in (x_name, y_name) if name not in known]
    if not faults and x_name == y_name:
        faults = [Fault("--weights", "names one category twice; name two", value=x_name)]
    if faults:
        raise InputError(faults)


def _only(weights: xr.DataArray, name: str) -> xr.DataArray:
    """Return a weight of one for a category, and none for all others."""
    return (weights[CATEGORY] == name).astype(np.float64)


def _flat_scores(posterior: xr.DataTree, methodology: Methodology, weights: xr.DataArray) -> Array:
    """Return scores under some weights (sample, organization)."""
    scores = score_draws(posterior, methodology, weights=weights).transpose("chain", "draw", ORGANIZATION)
    return np.asarray(scores.values, dtype=np.float64).reshape(-1, scores.sizes[ORGANIZATION])


def _first_shares(base: Array, slope: Array, values: Array) -> Array:
    """Return P(first) along a line of weights (value, organization)."""
    found = np.empty((len(values), base.shape[1]))
    for i, value in enumerate(values):
        scores = base + value * slope
        # Sums of the same terms in another order may differ by rounding: ties within it are ties.
        top = scores.max(axis=1, keepdims=True)
        first = scores >= top - 1e-9 * np.abs(top)
        found[i] = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
    return found
