"""Scores of the rate, world by world: what each actor tends to do, given who did what.

The estimand ``rate`` is the expected number of incidents of each kind in the window times how bad an actor's incidents
of that kind are, which is learned from those that it did (see ``attribution.attribute``). So a world of single
incidents moves it through the latter only, and through what the incidents say of the rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr
from numba import njit

from violencescore.attribution import SEVERITY_PRIOR, severities
from violencescore.design import Design
from violencescore.errors import RefusedError
from violencescore.model.zerosum import OPTIONS
from violencescore.names import CHAIN, DRAW, PERIOD, WINDOW
from violencescore.robustness.allotment import Chances, Incidents, Noise, Placed, Rows, amount_of, draw_who
from violencescore.robustness.ties import Ties

FloatArray = npt.NDArray[np.float64]
SingleArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

NOT_KEPT = (
    "These scores are of the rate, and {what}: how much of that there tends to be was drawn in the fit, and the run "
    "keeps totals only (`harm_rate`), so that worlds cannot be put together again."
)


class Severity(NamedTuple):
    """What is known of how bad incidents are, by kind and category, and the kind of each incident.

    ``mean`` of an incident's harm and its ``dispersion``, variance over mean (kind, category); ``kind`` (incident).
    """

    mean: FloatArray
    dispersion: FloatArray
    kind: IntArray


@dataclass(frozen=True, eq=False)
class Tendency:
    """What scores of the rate need beside who did what.

    Attributes
    ----------
    rate
        Expected incidents in the window (draw, kind, actor).
    severity
        See `Severity`.
    noise
        Standard normal numbers behind how bad an actor's incidents are (draw, kind, actor, category).
    """

    rate: FloatArray
    severity: Severity
    noise: SingleArray


def build_tendency(
    design: Design, incidents: Incidents, draws: xr.Dataset, *, counts_unlisted: bool, rng: np.random.Generator
) -> Tendency:
    """Return what scores of the rate need.

    Parameters
    ----------
    draws
        Named quantities, one chain.
    counts_unlisted
        Whether violence that no source lists is part of the scores.

    Raises
    ------
    RefusedError
        If the rate has parts that the draws do not hold.
    """
    if design.engages:
        raise RefusedError(NOT_KEPT.format(what="some incidents lie between candidates"))
    if counts_unlisted:
        raise RefusedError(NOT_KEPT.format(what="violence that no source lists is estimated"))
    rate = draws["rate"].sel({PERIOD: WINDOW}).transpose(CHAIN, DRAW, "kind", "actor").values[0]
    shape = (*rate.shape, len(design.categories))
    mean, dispersion = severities(design)
    severity = Severity(mean, dispersion, np.asarray(design.groups.kind[incidents.group], dtype=np.int64))
    return Tendency(
        np.ascontiguousarray(rate, dtype=np.float64), severity, rng.standard_normal(shape, dtype=np.float32)
    )


@njit(**OPTIONS)
def _worth(rate: float, mean: FloatArray, dispersion: FloatArray, n: float, done: FloatArray, weight: FloatArray,
           z: SingleArray) -> float:  # fmt: skip
    """Return what an actor tends to add to its score by incidents of one kind, having done ``n`` with that harm.

    A gamma variable from a normal one (Wilson and Hilferty 1931).
    """
    total = 0.0
    for a in range(mean.size):
        if mean[a] > 0.0 and weight[a] != 0.0:
            shape = (SEVERITY_PRIOR * mean[a] + done[a]) / dispersion[a]
            root = max(1.0 - 1.0 / (9.0 * shape) + z[a] / (3.0 * np.sqrt(shape)), 0.0)
            total += weight[a] * shape * root**3 * dispersion[a] / (SEVERITY_PRIOR + n)
    return rate * total


@njit(**OPTIONS)
def _harm_of(
    start: IntArray, category: IntArray, low: IntArray, best: IntArray, high: IntArray, one: FloatArray, u: SingleArray,
    i: int, out: FloatArray,
) -> None:  # fmt: skip
    out[:] = 0.0
    for a in range(out.size):
        one[:] = 0.0
        one[a] = 1.0
        out[a] = amount_of(start, category, low, best, high, one, u, i)


@njit(**OPTIONS)
def _tend(
    staged: SingleArray, honest_below: SingleArray, staged_below: SingleArray, repeats: SingleArray,
    table_row: IntArray, u_staging: SingleArray, staging_row: IntArray, u_who: SingleArray, who_row: IntArray,
    u_count: SingleArray, count_row: IntArray, weights: FloatArray, weight_row: IntArray, group: IntArray,
    start: IntArray, category: IntArray, low: IntArray, best: IntArray, high: IntArray, ties: Ties,
    rate: FloatArray, severity: Severity, noise: SingleArray, noise_row: IntArray,
    scores: FloatArray, placed: npt.NDArray[np.int16], worth: SingleArray,
) -> None:  # fmt: skip
    """Fill the scores of worlds (world, actor).

    Where ``worth`` (world, incident, actor) is not of size 0, it is filled with what each incident would add to the
    score of each actor were it that one's, beside the score without it; and ``placed`` with whose it is.
    """
    n_kinds, n_actors, n_categories = noise.shape[1:]
    n_draws = rate.shape[0]
    who = np.empty(group.size, dtype=np.int64)
    harm, one, rest = np.empty((group.size, n_categories)), np.empty(n_categories), np.empty(n_categories)
    for d in range(table_row.size):
        t, weight, z = table_row[d], weights[weight_row[d]], noise[noise_row[d]]
        n, done = np.zeros((n_kinds, n_actors)), np.zeros((n_kinds, n_actors, n_categories))
        for i in ties.order:
            who[i] = draw_who(
                staged, honest_below, staged_below, repeats, ties, group, who, t, i,
                u_staging[staging_row[d], i], u_who[who_row[d], i],
            )  # fmt: skip
            c, k = severity.kind[i], who[i]
            _harm_of(start, category, low, best, high, one, u_count[count_row[d]], i, harm[i])
            n[c, k] += 1.0
            done[c, k] += harm[i]
        of = rate[t % n_draws]
        for c in range(n_kinds):
            for k in range(n_actors):
                scores[d, k] += _worth(
                    of[c, k], severity.mean[c], severity.dispersion[c], n[c, k], done[c, k], weight, z[c, k]
                )
        for i in range(worth.shape[1]):
            c, w = severity.kind[i], who[i]
            placed[d, i] = w
            for k in range(n_actors):
                own = 1.0 if k == w else 0.0
                rest[:] = done[c, k] - own * harm[i]
                without = _worth(
                    of[c, k], severity.mean[c], severity.dispersion[c], n[c, k] - own, rest, weight, z[c, k]
                )
                rest += harm[i]
                worth[d, i, k] = -without + _worth(
                    of[c, k], severity.mean[c], severity.dispersion[c], n[c, k] - own + 1.0, rest, weight, z[c, k]
                )


def tended_scores(
    tendency: Tendency, incidents: Incidents, chances: Chances, noise: Noise, weights: FloatArray, rows: Rows
) -> FloatArray:
    """Return the scores of worlds, undivided (world, actor); as `allotment.allotted_scores`.

    Chances may be of more draws than rates: those of hybrids stand behind, in the same order.
    """
    scores = np.zeros((len(rows.chances), chances.honest_below.shape[2]))
    nobody = np.empty((0, 0), dtype=np.int16), np.empty((0, 0, 0), dtype=np.float32)
    _run(tendency, incidents, chances, noise, weights, rows, scores, *nobody)
    return scores


def place_tendencies(
    tendency: Tendency, incidents: Incidents, chances: Chances, noise: Noise, weights: FloatArray
) -> tuple[Placed, SingleArray]:
    """Build one world of each draw; as `allotment.place_incidents`.

    Returns
    -------
    tuple
        The world, its scores those of the rate; and what each incident adds to the score of each actor, if it is that
        one's, beside the score without it (draw, incident, actor). Below nought where it is milder than its others.
    """
    n, n_incidents, n_actors = chances.n_draws, len(incidents.group), chances.honest_below.shape[2]
    who = np.empty((n, n_incidents), dtype=np.int16)
    worth = np.empty((n, n_incidents, n_actors), dtype=np.float32)
    scores, itself = np.zeros((n, n_actors)), np.arange(n)
    rows = Rows(itself, itself, itself, itself, np.zeros(n, dtype=np.int64), itself)
    _run(tendency, incidents, chances, noise, weights[None], rows, scores, who, worth)
    own = np.take_along_axis(worth, who[:, :, None].astype(np.int64), axis=2)[:, :, 0]
    return Placed(who, own, scores), worth


def _run(
    tendency: Tendency, incidents: Incidents, chances: Chances, noise: Noise, weights: FloatArray, rows: Rows,
    *filled: FloatArray | SingleArray | npt.NDArray[np.int16],
) -> None:  # fmt: skip
    _tend(
        chances.staged, chances.honest_below, chances.staged_below, chances.repeats, rows.chances,
        noise.staging, rows.staging, noise.perpetrator, rows.perpetrator, noise.count, rows.count,
        weights, rows.weights, incidents.group,
        incidents.start, incidents.category, incidents.low, incidents.best, incidents.high, incidents.ties,
        tendency.rate, tendency.severity, tendency.noise, rows.severity, *filled,
    )  # fmt: skip
