"""Ranks inside each draw, and the probabilities that follow from them.

Rank 1 is the highest score. A group tied over the ranks a to b gives each of its members the share
1 / (b - a + 1) of each of these ranks. Every function takes anybody's draws: see `rank_table`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from violencescore.montecarlo import (
    FloatArray,
    Names,
    Probability,
    ScoreDraws,
    Scores,
    estimate_probability,
    read_scores,
)
from violencescore.names import ORGANIZATION, RANK

N_ERRORS = 2.0
"""A figure clears a line only if it does so by this many Monte-Carlo standard errors."""
_ROUNDING = 1e-9


def rank_table(
    scores: Scores,
    *,
    names: Names | None = None,
    interval: float = 0.9,
    with_mean: bool | None = None,
) -> pd.DataFrame:
    """Return the probability-of-rank table: the columns of ``ranking.csv``, in their order.

    Parameters
    ----------
    scores
        A DataArray with a dimension ``organization`` and any sample dimensions (``chain`` and ``draw``,
        ``sample``, ``draw``), or an array (draws, organizations) with `names`.
    names
        Ids of the columns of an array, or a mapping id -> name to show.
    interval
        Probability inside the central intervals ``*_low`` to ``*_high``: 0.9 gives the 5 % and 95 %
        quantiles. Those of ranks are ranks that occur, never between two.
    with_mean
        Whether ``score_mean`` is filled. The default leaves it empty for an intensity
        (``scores.attrs["per"]`` other than ``"none"``), whose mean need not exist.

    Returns
    -------
    pandas.DataFrame
        One row for each organization, highest ``p_first`` first (ties: lower expected rank, then id).

    Raises
    ------
    ValueError
        Draws that are not finite, ids that are missing or repeated, an interval outside (0, 1).
    """
    if not 0 < interval < 1:
        raise ValueError(f"interval is {interval}; a probability between 0 and 1 is needed")
    draws = read_scores(scores, names)
    if with_mean is None:
        with_mean = not isinstance(scores, xr.DataArray) or scores.attrs.get("per", "none") == "none"
    tails = ((1 - interval) / 2, (1 + interval) / 2)
    shares = _rank_shares(draws)
    first = first_probability(draws)
    columns: dict[str, object] = {
        "organization_id": pd.Series(draws.ids, dtype="str"),
        "name": pd.Series(draws.names, dtype="str"),
        "p_first": shares[:, 0] if draws.ids else np.empty(0),
        "p_first_mcse": np.array([first[i].mcse for i in draws.ids]),
    }
    columns |= {f"p_rank_{j + 1}": shares[:, j] for j in range(len(draws.ids))}
    columns["expected_rank"] = shares @ np.arange(1.0, len(draws.ids) + 1)
    columns |= {f"rank_{end}": rank_quantile(shares, q) for end, q in zip(("low", "high"), tails, strict=True)}
    columns |= _score_columns(draws, tails, with_mean)
    table = pd.DataFrame(columns)
    # Rounding keeps noise in the sixteenth digit from deciding what is a tie.
    keys = table.assign(p_first=-table["p_first"].round(12), expected_rank=table["expected_rank"].round(12))
    order = keys.sort_values(["p_first", "expected_rank", "organization_id"]).index
    return table.loc[order].reset_index(drop=True)


def _score_columns(draws: ScoreDraws, tails: tuple[float, float], with_mean: bool) -> dict[str, FloatArray]:
    n = len(draws.ids)
    low, median, high = np.quantile(draws.flat, (tails[0], 0.5, tails[1]), axis=0) if n else np.empty((3, 0))
    mean = draws.flat.mean(axis=0) if with_mean and n else np.full(n, np.nan)
    return {"score_mean": mean, "score_median": median, "score_low": low, "score_high": high}


def rank_probabilities(scores: Scores, *, names: Names | None = None) -> xr.DataArray:
    """Return P(rank = j) as (organization, rank); rows and columns sum to 1.

    Parameters and errors are those of `rank_table`.
    """
    draws = read_scores(scores, names)
    ids = list(draws.ids)
    coords = {ORGANIZATION: ids, RANK: np.arange(1, len(ids) + 1)}
    return xr.DataArray(_rank_shares(draws), coords=coords, dims=(ORGANIZATION, RANK), name="p_rank")


def pairwise_probabilities(scores: Scores, *, names: Names | None = None) -> xr.DataArray:
    """Return P(S_k > S_l) plus half of P(S_k = S_l) as (organization, other).

    Each pair sums to 1, and the diagonal is 0.5 by the same definition. Parameters and errors are those
    of `rank_table`.
    """
    draws = read_scores(scores, names)
    values, n = draws.flat, len(draws.ids)
    above = np.full((n, n), 0.5)
    for k in range(n):
        wins = (values[:, k, np.newaxis] > values).sum(axis=0)
        ties = (values[:, k, np.newaxis] == values).sum(axis=0)
        above[k] = (wins + 0.5 * ties) / draws.n_samples
    ids = list(draws.ids)
    return xr.DataArray(above, coords={ORGANIZATION: ids, "other": ids}, dims=(ORGANIZATION, "other"), name="p_greater")


def pairwise_table(scores: Scores, *, names: Names | None = None) -> pd.DataFrame:
    """Return every ordered pair: organization_id, other_id, p_greater, mcse (``pairwise.csv``).

    Parameters and errors are those of `rank_table`.
    """
    draws = read_scores(scores, names)
    matrix = pairwise_probabilities(draws).values
    mcse = np.zeros_like(matrix)
    for k in range(len(draws.ids) - 1):
        gap = draws.values[:, :, k, np.newaxis] - draws.values[:, :, k + 1 :]
        mcse[k, k + 1 :] = estimate_probability((np.sign(gap) + 1) / 2, gap)[1]
    mcse += mcse.T
    rows, columns = np.nonzero(~np.eye(len(draws.ids), dtype=bool))
    ids = np.array(draws.ids, dtype=object)
    return pd.DataFrame(
        {
            "organization_id": pd.Series(ids[rows], dtype="str"),
            "other_id": pd.Series(ids[columns], dtype="str"),
            "p_greater": matrix[rows, columns],
            "mcse": mcse[rows, columns],
        }
    )


def first_probability(scores: Scores, margin: float = 0.0, *, names: Names | None = None) -> dict[str, Probability]:
    """Return the probability that each organization is first by a margin, with its error.

    Parameters
    ----------
    scores, names
        As in `rank_table`.
    margin
        Share by which the first must exceed the second. With 0, ties for the first place are shared and
        the probabilities sum to 1. Above 0, P(S_k >= (1 + margin) max of the others and S_k > all
        others): a tie, at zero too, is nobody's, and the sum is P(somebody stands out).

    Raises
    ------
    ValueError
        A negative margin, or a margin above 0 with negative scores, of which no share can be taken.
    """
    draws = read_scores(scores, names)
    if margin < 0 or not np.isfinite(margin):
        raise ValueError(f"margin is {margin}; a share of 0 or more is needed")
    if not draws.ids:
        return {}
    if margin > 0 and draws.values.min() < 0:
        raise ValueError(f"scores are negative, so none can exceed another by a share of {margin}")
    runner_up = best_other(draws.values)
    gap = draws.values - (1 + margin) * runner_up
    clear = (gap >= 0) & (draws.values > runner_up)
    share = clear.astype(np.float64) if margin > 0 else first_shares(draws)
    estimates = zip(*estimate_probability(share, gap), strict=True)
    return {i: Probability(float(p), float(e)) for i, (p, e) in zip(draws.ids, estimates, strict=True)}


def smallest_first_set(scores: Scores, confidence: float, *, names: Names | None = None) -> tuple[str, ...]:
    """Return the smallest set that holds the first with the stated confidence, likeliest first.

    The probability of the set must clear the confidence by two Monte-Carlo errors, as a selection must;
    organizations with equal probability enter together, since nothing tells them apart.

    Raises
    ------
    ValueError
        A confidence outside (0, 1); draws as in `rank_table`.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; a probability between 0 and 1 is needed")
    draws = read_scores(scores, names)
    if not draws.ids:
        return ()
    shares = first_shares(draws)
    p_first = shares.mean(axis=(0, 1)).round(12)
    for level in np.unique(p_first)[::-1]:
        inside = p_first >= level
        held = shares[:, :, inside].sum(axis=2, keepdims=True)
        gap = _set_gap(draws.values, inside)
        p, mcse = (float(x[0]) for x in estimate_probability(held, gap))
        if p >= 1 - _ROUNDING or p - N_ERRORS * mcse >= confidence - _ROUNDING:
            break
    members = sorted(np.flatnonzero(inside), key=lambda k: (-p_first[k], draws.ids[k]))
    return tuple(draws.ids[k] for k in members)


def rank_quantile(probabilities: FloatArray, q: float) -> NDArray[np.int64]:
    """Return the smallest rank whose cumulative probability reaches `q`, for (organization, rank)."""
    reached = np.cumsum(probabilities, axis=1) >= q - _ROUNDING
    return reached.argmax(axis=1).astype(np.int64) + 1 if reached.size else np.empty(0, dtype=np.int64)


def _count_above_and_level(values: FloatArray) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Count, for each score of (sample, organization), the higher scores of its draw and the equal ones."""
    above = np.zeros(values.shape, dtype=np.int32)
    level = np.zeros(values.shape, dtype=np.int32)
    for k in range(values.shape[1]):
        other = values[:, k, np.newaxis]
        above += other > values
        level += other == values
    return above, level


def _rank_shares(draws: ScoreDraws) -> FloatArray:
    """Return P(rank = j) as (organization, rank), from whole counts so that what never occurs is exactly 0."""
    n = len(draws.ids)
    if n == 0:
        return np.empty((0, 0))
    above, level = _count_above_and_level(draws.flat)
    shares = np.zeros((n, n))
    for size in np.unique(level):
        starts = [np.bincount(above[level[:, k] == size, k], minlength=n) for k in range(n)]
        begun = np.cumsum(np.array(starts), axis=1)
        begun[:, size:] -= begun[:, :-size].copy()
        shares += begun / size
    return shares / draws.n_samples


def first_shares(draws: ScoreDraws) -> FloatArray:
    """Return each organization's share of the first rank, ties divided (chain, draw, organization)."""
    leads = draws.values == draws.values.max(axis=2, keepdims=True)
    return np.asarray(leads / leads.sum(axis=2, keepdims=True))


def best_other(values: FloatArray) -> FloatArray:
    """Return the highest score of the others, (chain, draw, organization); 0 where there are none."""
    if values.shape[2] == 1:
        return np.zeros_like(values)
    top = np.partition(values, -2, axis=2)[:, :, -2:]
    return np.where(values == top[:, :, 1:], top[:, :, :1], top[:, :, 1:])


def _set_gap(values: FloatArray, inside: NDArray[np.bool_]) -> FloatArray:
    best = values[:, :, inside].max(axis=2, keepdims=True)
    if inside.all():
        return np.asarray(best)
    return np.asarray(best - values[:, :, ~inside].max(axis=2, keepdims=True))
