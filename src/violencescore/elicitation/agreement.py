"""Answers to weights, and how far panelists are from one another.

Every answer is about so many harms of a category; a weight is per harm. Weights are shares of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from violencescore.elicitation.forms import Answers
from violencescore.methodology import Weights
from violencescore.names import CATEGORY, PANELIST
from violencescore.scores import pool_weights

CONSISTENT = 0.1
"""Saaty's bound of the consistency ratio."""
APART = 2.0
"""A panelist stands apart whose distance to the pool of the others is more than this many times the median distance."""

_RANDOM_INDEX = (
    0.4914, 0.8286, 1.0591, 1.1797, 1.2519, 1.3171, 1.3733, 1.4055, 1.4213, 1.4497, 1.4643, 1.4822, 1.4969,
)  # fmt: skip
"""Mean consistency index of random comparisons of 3 to 15 things (Donegan and Dodd 1991)."""


@dataclass(frozen=True)
class Consistency:
    """How far the pairwise comparisons of one panelist contradict one another.

    Attributes
    ----------
    ratio
        Saaty's consistency ratio; None where pairs were left out, or there are fewer than 3 or more than 15 things.
    factor
        By which factor a comparison typically departs from what the weights say; 1 where none does, None where the
        answers are too few to contradict one another.
    worst
        Positions of the pair that departs most, what was said of it, and what the weights say; None where none does.
    """

    ratio: float | None
    factor: float | None
    worst: tuple[tuple[int, int], float, float] | None


@dataclass(frozen=True, eq=False)
class Panel:
    """The weights of a panel and its disagreement.

    Attributes
    ----------
    answers
        Of each panelist.
    weights
        Shares of one (panelist, category).
    pool, pooled
        The rule, and what it makes of the weights (category,).
    consistency
        Panelist -> of the comparisons, where there were some.
    distances
        Of 100 points of weight, how many would have to move to turn one panelist's into another's (panelist, panelist).
    distance_to_others
        The same to the pool of all others (panelist,); missing for a single panelist.
    kendall_w
        Agreement on the order of the categories: 0 none, 1 full (Kendall and Babington Smith 1939), ties allowed for;
        None where it is not defined.
    apart
        Panelists who stand apart.
    """

    answers: tuple[Answers, ...]
    weights: xr.DataArray
    pool: str
    pooled: xr.DataArray
    consistency: Mapping[str, Consistency]
    distances: pd.DataFrame
    distance_to_others: pd.Series
    kendall_w: float | None
    apart: tuple[str, ...]


def combine_answers(answers: Sequence[Answers], rule: Weights) -> Panel:
    """Turn the answers of a panel into weights, pool them, and say who disagrees.

    Parameters
    ----------
    answers
        As `read_forms` returns them: all weigh the same categories.
    rule
        How weights are pooled (`violencescore.scores.pool_weights`).

    Raises
    ------
    RefusedError
        If the weights cannot be pooled by the rule.
    """
    labels = list(answers[0].labels)
    rows, consistency = [], {}
    for form in answers:
        values = form.points
        if form.kind == "pairwise":
            values = compared_weights(len(form.labels), form.ratios)
            consistency[form.panelist] = examine_comparisons(values, form.ratios)
        per_harm = dict(zip(form.labels, values / form.units, strict=True))
        rows.append([per_harm[label] for label in labels])
    shares = np.array(rows) / np.sum(rows, axis=1, keepdims=True)
    ids = [form.panelist for form in answers]
    weights = xr.DataArray(shares, dims=(PANELIST, CATEGORY), coords={PANELIST: ids, CATEGORY: labels})
    between = 50.0 * np.abs(shares[:, None, :] - shares[None, :, :]).sum(axis=2)
    to_others = _distance_to_others(weights, rule)
    return Panel(
        answers=tuple(answers),
        weights=weights,
        pool=rule.pool,
        pooled=pool_weights(weights, rule),
        consistency=consistency,
        distances=pd.DataFrame(between, index=ids, columns=ids),
        distance_to_others=to_others,
        kendall_w=kendall_w(shares),
        apart=_apart(to_others),
    )


def panel_frame(panel: Panel) -> pd.DataFrame:
    """Return the table ``panel_weights``: panelist_id, element, victim_role, weight."""
    return pd.DataFrame(
        [
            {"panelist_id": form.panelist, "element": element, "victim_role": role, "weight": float(weight)}
            for form, row in zip(panel.answers, panel.weights.values, strict=True)
            for (element, role), weight in zip(panel.answers[0].categories, row, strict=True)
        ]
    )


def compared_weights(n: int, ratios: Mapping[tuple[int, int], float]) -> NDArray[np.float64]:
    """Return the weights nearest to pairwise comparisons on the logarithmic scale (category,), summing to one.

    Where all pairs were compared these are the geometric means of the rows (Crawford and Williams 1985); where some
    were not, the least-squares solution is still unique as long as answers connect all (Bozóki, Fülöp and Rónyai 2010).
    """
    design, said = _comparisons(n, ratios)
    found = np.linalg.lstsq(design, said)[0]
    weights = np.exp(found - found.max())
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def examine_comparisons(weights: NDArray[np.float64], ratios: Mapping[tuple[int, int], float]) -> Consistency:
    """Return how far comparisons contradict one another.

    The factor is the exponential of the residual standard deviation of the logarithms; its square is the geometric
    consistency index of Aguarón and Moreno-Jiménez (2003), which is about 0.37 where the ratio is 0.1.
    """
    n = len(weights)
    design, said = _comparisons(n, ratios)
    residual = said - design @ np.log(weights)
    freedom = len(said) - n + 1
    if freedom == 0:
        return Consistency(None, None, None)
    factor = float(np.exp(np.sqrt(residual @ residual / freedom)))
    at = int(np.abs(residual).argmax())
    worst = None
    if abs(residual[at]) > 1e-9:
        pair = list(ratios)[at]
        worst = pair, ratios[pair], float(weights[pair[0]] / weights[pair[1]])
    return Consistency(_consistency_ratio(n, ratios), factor, worst)


def _comparisons(n: int, ratios: Mapping[tuple[int, int], float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    design = np.zeros((len(ratios), n))
    for row, (left, right) in enumerate(ratios):
        design[row, left], design[row, right] = 1.0, -1.0
    return design, np.log(np.array(list(ratios.values())))


def _consistency_ratio(n: int, ratios: Mapping[tuple[int, int], float]) -> float | None:
    if len(ratios) < n * (n - 1) // 2 or not 3 <= n <= len(_RANDOM_INDEX) + 2:
        return None
    matrix = np.ones((n, n))
    for (left, right), ratio in ratios.items():
        matrix[left, right], matrix[right, left] = ratio, 1.0 / ratio
    index = (np.linalg.eigvals(matrix).real.max() - n) / (n - 1)
    return max(0.0, float(index / _RANDOM_INDEX[n - 3]))


def kendall_w(shares: NDArray[np.float64]) -> float | None:
    """Return Kendall's coefficient of concordance of weights (panelist, category), corrected for ties.

    None for fewer than two panelists or three categories, or where every panelist weighs all alike.
    """
    from scipy.stats import friedmanchisquare

    n_panelists, n_categories = shares.shape
    if n_panelists < 2 or n_categories < 3 or (np.ptp(shares, axis=1) == 0).all():
        return None
    rounded = np.round(shares, 12)  # so that what is the same but for rounding is tied
    return float(friedmanchisquare(*rounded.T).statistic / (n_panelists * (n_categories - 1)))


def _distance_to_others(weights: xr.DataArray, rule: Weights) -> pd.Series:
    ids = [str(i) for i in weights[PANELIST].values]
    if len(ids) < 2:
        return pd.Series(np.nan, index=ids)
    # Of medians, which may be nowhere but at zero, the mean is the one that always exists.
    sound = rule if rule.pool != "median" else rule.model_copy(update={"pool": "linear"})
    found = []
    for i, own in enumerate(weights.values):
        others = pool_weights(weights.isel({PANELIST: [j for j in range(len(ids)) if j != i]}), sound)
        found.append(50.0 * float(np.abs(own - others.values).sum()))
    return pd.Series(found, index=ids)


def _apart(to_others: pd.Series) -> tuple[str, ...]:
    if len(to_others) < 3:
        return ()
    return tuple(str(i) for i, d in to_others.items() if d > APART * to_others.median() and d > 1.0)


def category_ranges(panel: Panel) -> pd.DataFrame:
    """Return for each category the least, median and largest share in percent, the pooled one, and who gave the ends.

    Sorted by how far the panelists are apart, widest first.
    """
    shares = 100.0 * panel.weights.values
    ids = [form.panelist for form in panel.answers]
    frame = pd.DataFrame(
        {
            "category": panel.weights[CATEGORY].values,
            "low": shares.min(axis=0),
            "median": np.median(shares, axis=0),
            "high": shares.max(axis=0),
            "pooled": 100.0 * panel.pooled.values,
            "lowest": [ids[i] for i in shares.argmin(axis=0)],
            "highest": [ids[i] for i in shares.argmax(axis=0)],
        }
    )
    width = frame["high"] - frame["low"]
    return frame.loc[width.sort_values(ascending=False, kind="stable").index].reset_index(drop=True)


def farthest_pair(panel: Panel) -> tuple[str, str, float] | None:
    """Return the two panelists who are farthest apart, and how far; None for a single one."""
    pairs = list(combinations(panel.distances.index, 2))
    if not pairs:
        return None
    place = {panelist: i for i, panelist in enumerate(panel.distances.index)}
    between = panel.distances.to_numpy()
    left, right = max(pairs, key=lambda pair: between[place[pair[0]], place[pair[1]]])
    return left, right, float(between[place[left], place[right]])
