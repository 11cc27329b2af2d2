"""Wait or announce: what another week, another source or a revenue audit would be worth.

Futures are drawn from the posterior: a draw says what is true, and what would then be seen. All other draws are weighed
by how probable they made what is seen (Pareto-smoothed importance sampling, Vehtari, Simpson, Gelman, Yao and Gabry
2024), and say whom one would name then, and how surely. The mean of that over futures is what waiting is worth
(expected value of sample information, Raiffa and Schlaifer 1961). As in ``adjudicating``, those draws that choose whom
to name are not those that say what the choice is worth.

Where the draws cannot be weighed, since the future tells too much of the parameters, all count alike: what is seen then
tells of the incidents only. Whom they would name is held against the draw that is true. That is what a rule which
learns less than it could is worth, and so at most what the information is worth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr
from numba import njit

from violencescore.bench.likelihood import naming_probabilities
from violencescore.design import Design
from violencescore.errors import RefusedError
from violencescore.model.zerosum import OPTIONS
from violencescore.names import WINDOW
from violencescore.robustness.adjudicating import Stakes
from violencescore.robustness.allotment import Chances, Incidents, Placed, SingleArray, pick
from violencescore.robustness.basis import lead_shares
from violencescore.robustness.worlds import SOUND, importance

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

N_FUTURES = 200
"""Futures that are looked at."""
N_SLICES = 20
"""Slices of a revenue by which an audit is valued (Strong and Oakley 2013)."""
DAYS_OF_A_WEEK = 7.0
_FLAT = 1e-9

REWEIGHTED, BOUND = "reweighted", "lower bound"

type Future = Callable[[int], tuple[FloatArray, FloatArray, FloatArray]]
"""Given the draw that is true: its undivided scores then (actor), and, of all draws as far as they know by what is
seen, their scores (draw, actor) and its log probability (draw)."""


@dataclass(frozen=True)
class Value:
    """What a piece of information is worth.

    Attributes
    ----------
    now, after, gain
        Probability of naming rightly, where somebody must be named, without it, with it, and the difference.
    mcse
        Monte-Carlo standard error of the gain.
    p_named, p_wrong
        With it: probability that somebody clears the required confidence, and that this is a wrong one.
    pareto_k
        Median over futures; nan where nothing was weighed.
    method
        ``reweighted``, ``lower bound`` (see above), or ``draws``.
    """

    now: float
    after: float
    gain: float
    mcse: float
    p_named: float
    p_wrong: float
    pareto_k: float
    method: str


def value_of_futures(
    future: Future, now: FloatArray, stakes: Stakes, *, n_futures: int = N_FUTURES, same_truth: bool = True
) -> Value:
    """Return what it is worth to see a future.

    Parameters
    ----------
    future
        Draws a future.
    now
        What each draw gives to "k is first" as things stand (draw, organization).
    same_truth
        Whether who is first is settled already and only to be learned of, or may change meanwhile.
    """
    n = len(now)
    half = np.arange(n) % 2
    p_now = now.mean(axis=0)
    leader = int(p_now.argmax())
    weighed, bound, ks = [], [], []
    for true in np.linspace(0, n - 1, min(n_futures, n)).astype(int):
        truth, scores, log_weight = future(int(true))
        weight, k = _weigh(log_weight, int(true))
        first = lead_shares(scores[:, stakes.ranked] / stakes.divisor)
        weighed.append(_judge(first, weight, half, leader, stakes.confidence))
        happened = lead_shares(truth[stakes.ranked] / stakes.divisor[true])
        chosen = np.delete(first, true, axis=0).mean(axis=0)
        bound.append(_hold_against(chosen, happened, leader, stakes.confidence))
        ks.append(k)
    pareto_k = float(np.median(ks))
    method = REWEIGHTED if pareto_k <= SOUND else BOUND
    right, stays, named, wrong = np.array(weighed if method == REWEIGHTED else bound).T
    gains = right - stays if same_truth else right - p_now[leader]
    gain, known = float(gains.mean()), float(p_now[leader])
    error = float(gains.std() / np.sqrt(len(gains)))
    named_then, wrong_then = float(named.mean()), float(wrong.mean())
    return Value(known, known + gain, gain, error, named_then, wrong_then, pareto_k, method)


def _hold_against(
    p: FloatArray, happened: FloatArray, leader: int, confidence: float
) -> tuple[float, float, float, float]:
    """As ``_judge``, of probabilities against who is first in truth."""
    best = int(p.argmax())
    named = float(p[best] >= confidence)
    return float(happened[best]), float(happened[leader]), named, named * (1.0 - float(happened[best]))


def _weigh(log_weight: FloatArray, true: int) -> tuple[FloatArray, float]:
    """Weights of all draws but the one that is true, smoothed, and Pareto's k."""
    others = np.arange(len(log_weight)) != true
    weight, kept = np.zeros(len(log_weight)), log_weight[others]
    tail = np.sort(kept)[-int(min(0.2 * len(kept), 3 * np.sqrt(len(kept)))) :]
    if np.ptp(tail) < _FLAT:  # no tail to smooth: the largest weights are all the same
        weight[others] = np.exp(kept - kept.max()) / np.exp(kept - kept.max()).sum()
        return weight, 0.0
    weight[others], k = importance(kept)
    return weight, k


def _judge(
    first: FloatArray, weight: FloatArray, half: IntArray, leader: int, confidence: float
) -> tuple[float, float, float, float]:
    """P(right) by the best choice, and by today's; P(somebody is named) and P(named, and wrong)."""
    p = []
    for side in (0, 1):
        own = np.where(half == side, weight, 0.0)
        p.append(own @ first / own.sum() if own.sum() > 0 else first.mean(axis=0))
    found = []
    for chooser, judge in ((p[0], p[1]), (p[1], p[0])):
        best = int(chooser.argmax())
        named = float(chooser[best] >= confidence)
        found.append((judge[best], judge[leader], named, named * (1.0 - judge[best])))
    right, stays, named, wrong = np.mean(found, axis=0).tolist()
    return right, stays, named, wrong


def another_week(
    design: Design,
    incidents: Incidents,
    placed: Placed,
    draws: xr.Dataset,
    rng: np.random.Generator,
    days: float = DAYS_OF_A_WEEK,
) -> Future:
    """Return futures in which the window lasts longer.

    The draw that is true makes the incidents of so many days, at its rates of the window, and what each channel says
    of them, once. Each has the harms of an incident of the window of the same kind, and, where there is one, of the
    same perpetrator. All draws are weighed by the density of what came (see ``docs/model.md``).

    Parameters
    ----------
    draws
        Named quantities of the draws, one chain.

    Raises
    ------
    RefusedError
        If incidents lie between candidates: how many there will be between whom is not modelled.
    """
    if design.engages:
        raise RefusedError("Incidents lie between candidates, and how many will come between whom is not modelled.")
    model = _week_arrays(design, draws)
    share = days / float(design.days[design.periods.index(WINDOW)])
    kind_of = design.groups.kind[incidents.group]
    total = model.rate.sum(axis=(1, 2)) * share

    def like(true: int, kind: int, actor: int) -> int:
        same = incidents.in_window & (kind_of == kind)
        own = same & (placed.who[true] == actor)
        for choice in (own, same, incidents.in_window):
            if choice.any():
                return int(rng.choice(np.flatnonzero(choice)))
        return 0

    def future(true: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        seen = _come(model, true, int(rng.poisson(total[true])), rng)
        amounts = placed.amount[:, [like(true, c, k) for c, k in zip(seen.kind, seen.who, strict=True)]]
        scores, log_weight = placed.scores.copy(), -total
        _meet(*model, seen.kind, seen.region, seen.said, amounts, int(rng.integers(2**31)), scores, log_weight)
        truth = placed.scores[true].copy()
        np.add.at(truth, seen.who, amounts[true])
        return truth, scores, log_weight

    return future


class _Week(NamedTuple):
    """What a draw knows of incidents to come; channels that speak, of which the forgeable ones stand apart."""

    rate: FloatArray
    presence: FloatArray
    says: FloatArray
    forgeable: npt.NDArray[np.bool_]
    share: FloatArray
    target: FloatArray


def _week_arrays(design: Design, draws: xr.Dataset) -> _Week:
    flat = {str(name): values.values[0].astype(np.float64) for name, values in draws.data_vars.items()}
    window = design.periods.index(WINDOW)
    n, n_actors = len(flat["rate"]), len(design.actors)
    says = np.stack([said_by(flat, h) for h in range(len(design.channels))], axis=1)
    stages = "false_flag" in flat
    return _Week(
        rate=np.ascontiguousarray(flat["rate"][:, :, window]),
        presence=np.ascontiguousarray(flat["presence"]),
        says=np.ascontiguousarray(says),
        forgeable=np.asarray(design.forgeable, dtype=bool),
        share=np.ascontiguousarray(flat["false_flag"][:, window]) if stages else np.zeros((n, n_actors)),
        target=np.ascontiguousarray(flat["target"]) if stages else np.zeros((n, n_actors, n_actors)),
    )


def said_by(flat: Mapping[str, FloatArray], channel: int) -> FloatArray:
    """Return whom a channel names, by who did it, silence in the last place (draw, actor, named or silent)."""
    reach = flat["reach"][:, channel, :, None]
    return np.concatenate([reach * naming_probabilities(flat, channel), 1.0 - reach], axis=2)


@dataclass(frozen=True)
class _Seen:
    """Incidents that came: kind, region and perpetrator of each, and what each channel said (incident, channel)."""

    kind: IntArray
    region: IntArray
    who: IntArray
    said: IntArray


def _come(model: _Week, true: int, n: int, rng: np.random.Generator) -> _Seen:
    rate, says = model.rate[true], model.says[true]
    at = rng.choice(rate.size, size=n, p=(rate / rate.sum()).ravel())
    kind, who = np.unravel_index(at, rate.shape)
    region = _draw_rows(model.presence[true].T[who], rng)
    seen = who.copy()
    staged = rng.random(n) < model.share[true][who]
    seen[staged] = _draw_rows(model.target[true][who[staged]], rng)
    said = [
        _draw_rows(says[h, seen if forgeable else who], rng) for h, forgeable in enumerate(model.forgeable)
    ]  # fmt: skip
    return _Seen(
        kind.astype(np.int64),
        region,
        who.astype(np.int64),
        np.array(said, dtype=np.int64).reshape(len(model.forgeable), n).T.copy(),
    )


def _draw_rows(p: FloatArray, rng: np.random.Generator) -> IntArray:
    """Draw from each row of unnormalized probabilities."""
    below = p.cumsum(axis=1)
    drawn = (rng.random((len(p), 1)) * below[:, -1:] >= below).sum(axis=1)
    return np.asarray(np.minimum(drawn, p.shape[1] - 1), dtype=np.int64)


@njit(**OPTIONS)
def _meet(
    rate: FloatArray, presence: FloatArray, says: FloatArray, forgeable: npt.NDArray[np.bool_], share: FloatArray,
    target: FloatArray, kind: IntArray, region: IntArray, said: IntArray, amounts: SingleArray, seed: int,
    scores: FloatArray, log_weight: FloatArray,
) -> None:  # fmt: skip
    """Allot new incidents in each draw, by its own chances, and weigh the draw by their density."""
    np.random.seed(seed)
    n_actors = rate.shape[2]
    forged, below = np.empty(n_actors), np.empty(n_actors)
    for d in range(rate.shape[0]):
        for i in range(kind.size):
            for k in range(n_actors):
                forged[k] = 1.0
                below[k] = rate[d, kind[i], k] * presence[d, region[i], k]
                for h in range(forgeable.size):
                    if forgeable[h]:
                        forged[k] *= says[d, h, k, said[i, h]]
                    else:
                        below[k] *= says[d, h, k, said[i, h]]
            total = 0.0
            for k in range(n_actors):
                seen = (1.0 - share[d, k]) * forged[k]
                for m in range(n_actors):
                    seen += share[d, k] * target[d, k, m] * forged[m]
                total += below[k] * seen
                below[k] = total
            log_weight[d] += np.log(max(total, 1e-300))
            scores[d, pick(below, np.random.random() * total)] += amounts[d, i]


def another_source(
    design: Design,
    incidents: Incidents,
    chances: Chances,
    placed: Placed,
    draws: xr.Dataset,
    channel: str,
    rng: np.random.Generator,
) -> Future:
    """Return futures in which another source of a kind that cannot be forged looks at every incident of the window.

    It is known to speak as often, and to be right as often, as the channel is expected to, and is independent of all
    that was said before.

    Parameters
    ----------
    draws
        Named quantities of the draws, one chain.
    channel
        One that cannot be forged.
    """
    flat = {str(name): values.values[0].astype(np.float64) for name, values in draws.data_vars.items()}
    says = said_by(flat, design.channels.index(channel)).mean(axis=0)
    looked_at = np.flatnonzero(incidents.in_window)

    def future(true: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        said = _draw_rows(says[placed.who[true, looked_at]], rng)
        scores, log_weight = np.zeros_like(placed.scores), np.zeros(len(placed.scores))
        _hear(
            chances.staged, chances.honest_below, chances.staged_below, incidents.group, placed.amount, looked_at,
            said, says, int(rng.integers(2**31)), scores, log_weight,
        )  # fmt: skip
        return placed.scores[true], scores, log_weight

    return future


@njit(**OPTIONS)
def _hear(
    staged: SingleArray, honest_below: SingleArray, staged_below: SingleArray, group: IntArray, amount: SingleArray,
    looked_at: IntArray, said: IntArray, says: FloatArray, seed: int, scores: FloatArray, log_weight: FloatArray,
) -> None:  # fmt: skip
    """Allot the incidents anew in each draw, given what was said of each; and weigh the draw by that."""
    np.random.seed(seed)
    n_actors = honest_below.shape[2]
    below = np.empty(n_actors)
    for d in range(scores.shape[0]):
        for at in range(looked_at.size):
            i = looked_at[at]
            g = group[i]
            total = 0.0
            for k in range(n_actors):
                honest = honest_below[d, g, k] - (honest_below[d, g, k - 1] if k > 0 else 0.0)
                false = staged_below[d, g, k] - (staged_below[d, g, k - 1] if k > 0 else 0.0)
                share = (1.0 - staged[d, g]) * honest + staged[d, g] * false
                total += max(share, 0.0) * says[k, said[at]]
                below[k] = total
            log_weight[d] += np.log(max(total, 1e-300))
            scores[d, pick(below, np.random.random() * total)] += amount[d, i]


def audit_value(first: FloatArray, revenue: FloatArray, confidence: float) -> Value:
    """Return what it is worth to know one organization's revenue exactly.

    Draws are sliced by that revenue; in each slice one names the likeliest first (Strong and Oakley 2013). Of every
    ten draws of a slice nine choose, and the tenth judges.

    Parameters
    ----------
    first
        What each draw gives to "k is first" (draw, organization).
    revenue
        Of the organization that is audited (draw).
    """
    n = len(first)
    leader = int(first.mean(axis=0).argmax())
    place = np.empty(n, dtype=np.int64)
    place[np.argsort(revenue, kind="stable")] = np.arange(n)
    part, block = place * min(N_SLICES, max(n // 50, 1)) // n, place % 10
    right, named = np.empty(n), np.zeros(n, dtype=bool)
    for s in np.unique(part):
        for b in range(10):
            judged, chooser = (part == s) & (block == b), (part == s) & (block != b)
            p = first[chooser].mean(axis=0)
            right[judged] = first[judged, int(p.argmax())]
            named[judged] = p.max() >= confidence
    gains = right - first[:, leader]
    now = float(first[:, leader].mean())
    error = float(gains.std() / np.sqrt(n))
    wrong = float((named * (1.0 - right)).mean())
    return Value(
        now, float(right.mean()), float(gains.mean()), error, float(named.mean()), wrong, float("nan"), "draws"
    )
