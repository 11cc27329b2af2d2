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

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from violencescore.robustness.adjudicating import Stakes
from violencescore.robustness.basis import lead_shares
from violencescore.robustness.futures import Future
from violencescore.robustness.worlds import SOUND, importance

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

N_FUTURES = 200
"""Futures that are looked at."""
N_SLICES = 20
"""Slices of a revenue by which an audit is valued (Strong and Oakley 2013)."""
_FLAT = 1e-9

REWEIGHTED, BOUND = "reweighted", "lower bound"


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
