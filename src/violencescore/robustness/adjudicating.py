"""What adjudicating an incident is worth: of each one, how much better the first could be named once it is settled.

A settled incident tells who did it and whether it was staged. In each draw all other incidents are left as they are
and this one is given to each actor in turn, with the probability that the draw gives to that. So both are counted: what
its own harm adds, and what the answer says of everything else, by weighing the draws. Nothing is fitted again; but for
the number of draws the result is that of asking, fitting and naming anew for every answer (preposterior analysis,
Raiffa and Schlaifer 1961).

Whoever picks the best of several noisy figures finds them too good. So the draws are divided into blocks; for each, all
others say whom to name after each answer, and the block says what that is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from numba import njit

from violencescore.model.zerosum import OPTIONS
from violencescore.robustness.allotment import Chances, Incidents, Placed, SingleArray

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

NOBODY = -1
"""Stands for naming nobody."""
N_BLOCKS = 10
"""Blocks of draws; each is judged by what the others say."""
_JITTER = 1e-7
_NEVER = 1e-9


@dataclass(frozen=True)
class Stakes:
    """What a verdict is about.

    Attributes
    ----------
    ids
        Ids of the rankable organizations.
    ranked
        Their positions among the actors.
    divisor
        What scores are divided by, ones for totals (draw, organization).
    confidence
        What naming somebody requires.
    """

    ids: tuple[str, ...]
    ranked: IntArray
    divisor: FloatArray
    confidence: float


@njit(**OPTIONS)
def _first_two(
    scores: FloatArray, amount: float, who: int, ranked: IntArray, divisor: FloatArray, value: FloatArray
) -> int:
    """Fill ``value`` with the scores without an incident; return who is then first."""
    best = 0
    for r in range(ranked.size):
        value[r] = (scores[ranked[r]] - (amount if ranked[r] == who else 0.0)) / divisor[r]
        if value[r] > value[best]:
            best = r
    return best


@njit(**OPTIONS)
def _first_with(value: FloatArray, best: int, r: int, more: float) -> int:
    """Return who is first once ``r``, where ``best`` was, has so much more; or less, in scores of the rate."""
    if r != best:
        return r if value[r] + more > value[best] else best
    if more >= 0.0:
        return best
    first, top = r, value[r] + more
    for k in range(value.size):
        if k != r and value[k] > top:
            first, top = k, value[k]
    return first


@njit(**OPTIONS)
def _ask(
    staged: SingleArray, honest_below: SingleArray, staged_below: SingleArray, group: IntArray,
    who: npt.NDArray[np.int16], worth: SingleArray, scores: FloatArray, ranked: IntArray, place: IntArray,
    divisor: FloatArray, block: IntArray, choice: npt.NDArray[np.int8], joint: FloatArray, moved: FloatArray,
) -> None:  # fmt: skip
    """Give each incident to each actor in each draw.

    Without a choice (second axis of size 0), ``joint`` (block, incident, answer, organization) is filled with the
    probability of each answer and first. With one, ``choice`` (block, incident, answer + 1, rule) says whom to name
    after each answer, and in the last place without asking; ``moved`` (incident, rule, 3) gets the sum of what asking
    adds, of its square, and of how often somebody is named.
    """
    n_actors = honest_below.shape[2]
    value = np.empty(ranked.size)
    judged = choice.shape[1] > 0
    for d in range(who.shape[0]):
        for i in range(group.size):
            g = group[i]
            own = float(worth[d, i, who[d, i]])
            best = _first_two(scores[d], own, who[d, i], ranked, divisor[d], value)
            gain0, gain1 = 0.0, 0.0
            for j in range(n_actors):
                first = best
                r = place[j]
                if r >= 0:
                    first = _first_with(value, best, r, float(worth[d, i, j]) / divisor[d, r])
                for flag in range(2):
                    below = staged_below[d, g] if flag == 1 else honest_below[d, g]
                    share = float(below[j] - (below[j - 1] if j > 0 else 0.0))
                    share *= staged[d, g] if flag == 1 else 1.0 - staged[d, g]
                    if share <= 0.0:
                        continue
                    answer = 2 * j + flag
                    if not judged:
                        joint[block[d], i, answer, first] += share
                        continue
                    for rule in range(2):
                        named, before = choice[block[d], i, answer, rule], choice[block[d], i, 2 * n_actors, rule]
                        better = share * ((1.0 if named == first else 0.0) - (1.0 if before == first else 0.0))
                        if rule == 0:
                            gain0 += better
                        else:
                            gain1 += better
                        if named >= 0:
                            moved[i, rule, 2] += share
            if judged:
                moved[i, 0, 0] += gain0
                moved[i, 0, 1] += gain0 * gain0
                moved[i, 1, 0] += gain1
                moved[i, 1, 1] += gain1 * gain1


def adjudication_table(
    incidents: Incidents,
    chances: Chances,
    placed: Placed,
    stakes: Stakes,
    actors: Sequence[str],
    *,
    worth: SingleArray | None = None,
    independent: float = 1.0,
) -> pd.DataFrame:
    """Return what settling each incident would be worth.

    Parameters
    ----------
    placed
        As `allotment.place_incidents` builds them of the chances and the weights that count.
    actors
        Ids of all actors.
    worth
        What each incident adds to the score of each actor if it is that one's (draw, incident, actor); its amount,
        whosever it is, unless given.
    independent
        Effective draws over draws, for the errors.

    Returns
    -------
    pandas.DataFrame
        incident_id; likeliest, who probably did it, and p, how probably; gain, what asking adds to the probability of
        being right where somebody must be named, with gain_mcse; rule_gain, the same where only those are named who
        clear the required confidence (below nought where asking would more often make one abstain); p_named, the
        probability that somebody clears it then; doubt, the share of the doubt about who is first (the Gini impurity of
        P(first)) that the answer is expected to remove, with doubt_mcse. Best first: by gain, then by the doubt
        removed, each where it exceeds two errors.
    """
    n = placed.who.shape[0]
    block = np.arange(n) * N_BLOCKS // n
    place = np.full(len(actors), -1, dtype=np.int64)
    place[stakes.ranked] = np.arange(len(stakes.ranked))
    rng = np.random.default_rng(0)
    # Ties are broken at random, which shares them.
    scores = placed.scores + _JITTER * max(float(np.abs(placed.scores).max()), 1e-300) * rng.random(placed.scores.shape)
    shape = (N_BLOCKS, len(incidents.group), 2 * len(actors), len(stakes.ids))
    joint = np.zeros(shape)
    if worth is None:
        worth = np.broadcast_to(placed.amount[:, :, None], (*placed.amount.shape, len(actors)))
    fixed = (
        chances.staged, chances.honest_below, chances.staged_below, incidents.group, placed.who, worth,
        scores, stakes.ranked, place, stakes.divisor, block,
    )  # fmt: skip
    nothing = np.empty((N_BLOCKS, 0, 0, 2), dtype=np.int8)
    _ask(*fixed, nothing, joint, np.zeros((0, 2, 3)))
    moved = np.zeros((len(incidents.group), 2, 3))
    _ask(*fixed, _choices(joint, stakes.confidence), np.zeros((N_BLOCKS, 0, 0, 0)), moved)
    mean = moved / n
    error = np.sqrt(np.maximum(mean[:, :, 1] - mean[:, :, 0] ** 2, 0.0) / (n * independent))
    by_actor = joint.sum(axis=(0, 3)).reshape(len(incidents.group), -1, 2).sum(axis=2) / n
    doubt, doubt_error = _doubt_removed(joint)
    table = pd.DataFrame(
        {
            "incident_id": incidents.incident_id,
            "likeliest": np.array(actors, dtype=object)[by_actor.argmax(axis=1)],
            "p": by_actor.max(axis=1),
            "gain": mean[:, 0, 0],
            "gain_mcse": error[:, 0],
            "rule_gain": mean[:, 1, 0],
            "p_named": np.minimum(mean[:, 1, 2], 1.0),
            "doubt": doubt,
            "doubt_mcse": doubt_error,
        }
    )
    clear = {
        column: table[column].where(table[column] > 2 * table[mcse], 0.0)
        for column, mcse in (("gain", "gain_mcse"), ("doubt", "doubt_mcse"))
    }
    order = pd.DataFrame(clear).sort_values(list(clear), ascending=False, kind="stable").index
    return table.loc[order].reset_index(drop=True)


def _others(joint: FloatArray) -> FloatArray:
    """What all other blocks say, for each block."""
    found: FloatArray = joint.sum(axis=0, keepdims=True) - joint
    return np.maximum(found, 0.0)


def _choices(joint: FloatArray, confidence: float) -> npt.NDArray[np.int8]:
    """Whom to name in each block after each answer, and, last, without asking: always, and by the rule."""
    others = _others(joint)
    told = np.concatenate([others, others.sum(axis=2, keepdims=True)], axis=2)
    p = told.sum(axis=3)
    # An answer that the others never got tells them nothing.
    told = np.where(p[..., None] > _NEVER, told, told[:, :, -1:, :])
    named = told.argmax(axis=3)
    sure = told.max(axis=3) >= confidence * told.sum(axis=3)
    return np.stack([named, np.where(sure, named, NOBODY)], axis=3).astype(np.int8)


def _doubt_removed(joint: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Expected fall of the Gini impurity of P(first) over what it is, and its error over blocks.

    The impurity is the probability that a name drawn from P(first) is wrong. What the others say is held against what
    the block says, which keeps noise from looking like knowledge.
    """
    others = _others(joint)
    answer = others.sum(axis=3, keepdims=True)
    before = others.sum(axis=2, keepdims=True)
    before /= before.sum(axis=3, keepdims=True)
    given = np.where(answer > _NEVER, np.divide(others, answer, out=np.zeros_like(others), where=answer > 0), before)
    right = joint / joint.sum(axis=(2, 3), keepdims=True)
    doubt = 1.0 - (before * right).sum(axis=(2, 3))
    fall = ((given - before) * right).sum(axis=(2, 3))
    whole = doubt.mean(axis=0)
    share = np.divide(fall, whole, out=np.zeros_like(fall), where=whole > 0)
    return share.mean(axis=0), share.std(axis=0, ddof=1) / np.sqrt(len(joint))
