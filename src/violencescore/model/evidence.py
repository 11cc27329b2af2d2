"""What channels say, given who did it: the probability of each factor by actor; with gradients.

A factor is one thing that a channel can be seen to do (see ``design.Factors``). Its probability depends on the
actor alone, so that all exponentials of the evidence live here, on a table of factors by actors, and none on
patterns or incidents.
"""

from __future__ import annotations

from math import exp

import numpy as np
from numba import njit

from violencescore.model import layout as lay
from violencescore.model.types import Array, FactorArrays, GivenArrays, Index
from violencescore.model.zerosum import INNER, OPTIONS, zero_sum, zero_sum_gradient

SILENT, SPEAKS, NAMES, SET = 0, 1, 2, 3  # else it is a date: see ``design``


@njit(**OPTIONS)
def logistic(x: float) -> float:
    """Return the probability whose logit is ``x``."""
    return 1.0 / (1.0 + exp(-x))


@njit(**INNER)
def softmax(logits: Array) -> None:
    """Turn logits into probabilities, in place."""
    top, total = logits[0], 0.0
    for i in range(1, logits.size):
        top = max(top, logits[i])
    for i in range(logits.size):
        logits[i] = exp(logits[i] - top)
        total += logits[i]
    for i in range(logits.size):
        logits[i] /= total


@njit(**INNER)
def softmax_gradient(probability: Array, grad_log: Array, grad_logit: Array) -> None:
    """Add to ``grad_logit`` what the gradient of the log probabilities implies."""
    total = 0.0
    for i in range(grad_log.size):
        total += grad_log[i]
    for i in range(probability.size):
        grad_logit[i] += grad_log[i] - total * probability[i]


@njit(**OPTIONS)
def channels(
    unit: Array, offset: Index, sizes: Index, prior: Array, chance: float, heir: Index, elder: Index
) -> tuple[Array, Array, Array, Array]:
    """Return reach (channel, actor), accuracy (channel), notoriety (channel, actor) and naming (channel, actor, named).

    ``reach[h, k]`` is the probability that channel ``h`` speaks when ``k`` did it; when it names a wrong one it is
    ``m`` in proportion to ``notoriety[h, m]``. Notoriety of ``other`` is zero unless some evidence names it.
    ``naming[h, k]`` is all of that: whom a piece names when ``k`` did it, under an old name or with its own deviations
    where they are asked for (see ``naming_table``, ``misname`` and ``confuse``).
    """
    n_actors, n_channels = sizes[0], sizes[4]
    n_org = n_actors - 1
    reach = np.empty((n_channels, n_actors))
    deviation = np.empty(n_actors)
    accuracy = np.empty(n_channels)
    notoriety = np.zeros((n_channels, n_actors))
    named = offset[lay.NOTORIETY + 1] > offset[lay.NOTORIETY]
    other_named = offset[lay.NOTORIETY_OTHER + 1] > offset[lay.NOTORIETY_OTHER]
    for h in range(n_channels):
        start = offset[lay.REACH_DEVIATION] + h * (n_actors - 1)
        zero_sum(unit[start : start + n_actors - 1], deviation)
        location = prior[lay.P_REACH_MEAN] + prior[lay.P_REACH_LOCATION] * unit[offset[lay.REACH] + h]
        for i in range(heir.size):
            deviation[heir[i]] += deviation[elder[i]]
        for k in range(n_actors):
            reach[h, k] = logistic(location + deviation[k])
        accuracy[h] = chance + (1.0 - chance) * logistic(unit[offset[lay.ACCURACY] + h])
        if named:
            start = offset[lay.NOTORIETY] + h * (n_org - 1)
            zero_sum(unit[start : start + n_org - 1], notoriety[h, :n_org])
            for m in range(n_org):
                notoriety[h, m] *= prior[lay.P_NOTORIETY]
        if other_named:
            notoriety[h, n_org] = prior[lay.P_NOTORIETY] * unit[offset[lay.NOTORIETY_OTHER] + h]
            softmax(notoriety[h])
        else:
            softmax(notoriety[h, :n_org])
    naming = naming_table(accuracy, notoriety)
    misname(unit, offset, heir, elder, naming)
    confuse(unit, offset, prior, naming)
    return reach, accuracy, notoriety, naming


@njit(**INNER)
def naming_table(accuracy: Array, notoriety: Array) -> Array:
    """Whom a piece of each channel names, by who did it (channel, actor, named): right, or wrong by notoriety.

    Of ``other``, where no evidence ever names it, right and wrong have no meaning: anyone is named, by notoriety.
    """
    n_channels, n_actors = notoriety.shape
    n_org = n_actors - 1
    naming = np.zeros((n_channels, n_actors, n_actors))
    for h in range(n_channels):
        for k in range(n_actors):
            anyone = k == n_org and notoriety[h, n_org] == 0.0
            for m in range(n_actors):
                if anyone:
                    naming[h, k, m] = notoriety[h, m]
                elif m == k:
                    naming[h, k, m] = accuracy[h]
                else:
                    naming[h, k, m] = (1.0 - accuracy[h]) * notoriety[h, m] / (1.0 - notoriety[h, k])
    return naming


@njit(**INNER)
def misname(unit: Array, offset: Index, heir: Index, elder: Index, naming: Array) -> None:
    """Let whoever means an heir (a new faction) say, with a learned share, what they would say of its elder."""
    if heir.size == 0:
        return
    shape = naming.copy()
    for i in range(heir.size):
        share = logistic(unit[offset[lay.KIN] + i])
        for h in range(naming.shape[0]):
            for m in range(naming.shape[2]):
                naming[h, heir[i], m] = (1.0 - share) * shape[h, heir[i], m] + share * shape[h, elder[i], m]


@njit(**INNER)
def misname_gradient(
    unit: Array, offset: Index, heir: Index, elder: Index, shape: Array, grad_naming: Array, grad: Array
) -> None:
    """Turn the gradient by the logarithm of the naming table into that by its shape, and add that of the shares."""
    by_table = grad_naming.copy()
    for i in range(heir.size):
        share = logistic(unit[offset[lay.KIN] + i])
        for h in range(shape.shape[0]):
            for m in range(shape.shape[2]):
                own, old = (1.0 - share) * shape[h, heir[i], m], share * shape[h, elder[i], m]
                if own + old == 0.0:
                    continue
                per = by_table[h, heir[i], m] / (own + old)
                grad_naming[h, heir[i], m] -= per * old
                grad_naming[h, elder[i], m] += per * old
                grad[offset[lay.KIN] + i] += per * (old * (1.0 - share) - own * share)


@njit(**INNER)
def confuse(unit: Array, offset: Index, prior: Array, naming: Array) -> None:
    """Let each row of the naming table deviate from its shape, in log odds; without deviations it stays as it is."""
    n_channels, n_actors, _ = naming.shape
    size = offset[lay.CONFUSION + 1] - offset[lay.CONFUSION]
    if size == 0:
        return
    n_named = size // (n_channels * n_actors)
    i = offset[lay.CONFUSION]
    for h in range(n_channels):
        for k in range(n_actors):
            total = 0.0
            for m in range(n_named):
                naming[h, k, m] *= exp(prior[lay.P_CONFUSION] * unit[i])
                total += naming[h, k, m]
                i += 1
            for m in range(n_named):
                naming[h, k, m] /= total


@njit(**OPTIONS)
def engagement(unit: Array, offset: Index, sizes: Index, prior: Array, set_member: Index) -> Array:
    """Weight of each member of each set of candidates, beside its rate in the cell (set member).

    How much of an organization's violence happens where another is a candidate too, and with whom, is its own unknown:
    an effect of the organization and one of its place in the set. From candidate sets alone nothing is learned of
    either, so that the split between candidates stays as unknown as it is.
    """
    weight = np.ones(set_member.size)
    if offset[lay.ENGAGEMENT + 1] == offset[lay.ENGAGEMENT]:
        return weight
    n_org = sizes[0] - 1
    contested = np.zeros(n_org)
    if n_org > 1:
        zero_sum(unit[offset[lay.CONTESTED] : offset[lay.CONTESTED + 1]], contested)
    for i in range(set_member.size):
        own = prior[lay.P_ENGAGEMENT] * unit[offset[lay.ENGAGEMENT] + i]
        weight[i] = exp(prior[lay.P_CONTESTED] * contested[set_member[i]] + own)
    return weight


@njit(**INNER)
def engagement_gradient(
    offset: Index, sizes: Index, prior: Array, set_member: Index, grad_log_weight: Array, grad: Array
) -> None:
    """Add to ``grad`` what the gradient of the log weights implies."""
    if offset[lay.ENGAGEMENT + 1] == offset[lay.ENGAGEMENT]:
        return
    n_org = sizes[0] - 1
    grad_contested = np.zeros(n_org)
    for i in range(set_member.size):
        grad[offset[lay.ENGAGEMENT] + i] += prior[lay.P_ENGAGEMENT] * grad_log_weight[i]
        grad_contested[set_member[i]] += prior[lay.P_CONTESTED] * grad_log_weight[i]
    if n_org > 1:
        zero_sum_gradient(grad_contested, grad[offset[lay.CONTESTED] : offset[lay.CONTESTED + 1]])


@njit(**INNER)
def log_choose(n: int, k: int) -> float:
    """Log binomial coefficient; very large where there is no way to choose."""
    if k > n:
        return 700.0
    total = 0.0
    for i in range(k):
        total += np.log((n - i) / (i + 1.0))
    return total


@njit(**INNER)
def factor_table(
    unit: Array,
    offset: Index,
    factors: FactorArrays,
    given: GivenArrays,
    reach: Array,
    accuracy: Array,
    naming: Array,
    table: Array,
) -> None:
    """Fill ``table`` with the probability of each factor by actor (factor, actor).

    A piece that comes after others may be an echo: with a learned share it repeats one of them, whoever did it. And a
    channel that does so speaks where earlier ones have spoken with a learned chance, whether or not it would have.
    """
    kind, channel, argument = factors.kind, factors.channel, factors.argument
    n_actors = reach.shape[1]
    n_org = n_actors - 1
    for f in range(kind.size):
        h, a = channel[f], argument[f]
        if kind[f] == SILENT or kind[f] == SPEAKS:
            follow = logistic(unit[offset[lay.FOLLOW] + factors.echo[f]]) if factors.echo[f] >= 0 else 0.0
            for k in range(n_actors):
                silent = (1.0 - reach[h, k]) * (1.0 - follow)
                table[f, k] = silent if kind[f] == SILENT else 1.0 - silent
        elif kind[f] == NAMES:
            echo = logistic(unit[offset[lay.ECHO] + factors.echo[f]]) if factors.echo[f] >= 0 else 0.0
            for k in range(n_actors):
                table[f, k] = (1.0 - echo) * naming[h, k, a] + echo * given.repeated[f]
        elif kind[f] != SET:
            for k in range(n_actors):
                table[f, k] = given.dated[a * n_actors + k]
            for i in range(factors.heir.size):
                side = given.side[a * factors.heir.size + i]
                if side != 0.0:
                    kept = logistic(unit[offset[lay.KEPT] + i])
                    before, after = given.cut[2 * i], given.cut[2 * i + 1]
                    table[f, factors.elder[i]] *= (before + after) / (before + after * kept)
                    table[f, factors.elder[i]] *= kept if side > 0.0 else 1.0
        else:
            members = factors.set_member[factors.set_start[a] : factors.set_start[a + 1]]
            wrong = (1.0 - accuracy[h]) * exp(-log_choose(n_org - 1, members.size))
            for k in range(n_org):
                table[f, k] = wrong
            table[f, n_org] = exp(-log_choose(n_org, members.size))
            for k in members:
                table[f, k] = accuracy[h] * exp(-log_choose(n_org - 1, members.size - 1))


@njit(**INNER)
def confuse_gradient(offset: Index, prior: Array, naming: Array, grad_naming: Array, grad: Array) -> None:
    """Turn the gradient by the logarithm of the naming table into that by its shape, and add that of deviations."""
    n_channels, n_actors, _ = naming.shape
    size = offset[lay.CONFUSION + 1] - offset[lay.CONFUSION]
    if size == 0:
        return
    n_named = size // (n_channels * n_actors)
    i = offset[lay.CONFUSION]
    for h in range(n_channels):
        for k in range(n_actors):
            total = 0.0
            for m in range(n_actors):
                total += grad_naming[h, k, m]
            for m in range(n_named):
                grad_naming[h, k, m] -= total * naming[h, k, m]
                grad[i] += prior[lay.P_CONFUSION] * grad_naming[h, k, m]
                i += 1


@njit(**INNER)
def naming_gradient(
    accuracy: Array, notoriety: Array, grad_naming: Array, grad_accuracy: Array, grad_log_notoriety: Array
) -> None:
    """Add what the gradient by the logarithm of the shape (see ``naming_table``) implies."""
    n_channels, n_actors = notoriety.shape
    n_org = n_actors - 1
    for h in range(n_channels):
        for k in range(n_actors):
            anyone = k == n_org and notoriety[h, n_org] == 0.0
            for m in range(n_actors):
                g = grad_naming[h, k, m]
                if m == k and not anyone:
                    grad_accuracy[h] += g / accuracy[h]
                    continue
                grad_log_notoriety[h, m] += g
                if not anyone:
                    grad_accuracy[h] -= g / (1.0 - accuracy[h])
                    grad_log_notoriety[h, k] += g * notoriety[h, k] / (1.0 - notoriety[h, k])


@njit(**INNER)
def evidence_gradient(
    unit: Array,
    offset: Index,
    prior: Array,
    chance: float,
    factors: FactorArrays,
    given: GivenArrays,
    said: tuple[Array, Array, Array, Array],
    grad_log_factor: Array,
    grad_accuracy: Array,
    grad: Array,
) -> None:
    """Add to ``grad`` what the gradients of the log factors, and of the accuracies where contests use them, imply."""
    kind, channel, argument = factors.kind, factors.channel, factors.argument
    reach, accuracy, notoriety, naming = said
    n_channels, n_actors = reach.shape
    n_org = n_actors - 1
    grad_reach = np.zeros((n_channels, n_actors))
    grad_naming = np.zeros((n_channels, n_actors, n_actors))
    for f in range(kind.size):
        h, a = channel[f], argument[f]
        if kind[f] == SILENT or kind[f] == SPEAKS:
            i = offset[lay.FOLLOW] + factors.echo[f]
            follow = logistic(unit[i]) if factors.echo[f] >= 0 else 0.0
            of_follow = 0.0
            for k in range(n_actors):
                silent = (1.0 - reach[h, k]) * (1.0 - follow)
                odds = -1.0 if kind[f] == SILENT else silent / (1.0 - silent)
                grad_reach[h, k] += grad_log_factor[f, k] * odds * reach[h, k]
                of_follow += grad_log_factor[f, k] * odds * follow
            if factors.echo[f] >= 0:
                grad[i] += of_follow
        elif kind[f] == NAMES:
            if factors.echo[f] < 0:
                for k in range(n_actors):
                    grad_naming[h, k, a] += grad_log_factor[f, k]
            else:
                i = offset[lay.ECHO] + factors.echo[f]
                echo = logistic(unit[i])
                for k in range(n_actors):
                    fresh = (1.0 - echo) * naming[h, k, a]
                    per = grad_log_factor[f, k] / (fresh + echo * given.repeated[f])
                    grad_naming[h, k, a] += per * fresh
                    grad[i] += per * echo * (1.0 - echo) * (given.repeated[f] - naming[h, k, a])
        elif kind[f] == SET:
            members = factors.set_member[factors.set_start[a] : factors.set_start[a + 1]]
            for k in range(n_org):
                grad_accuracy[h] -= grad_log_factor[f, k] / (1.0 - accuracy[h])
            for k in members:
                g = grad_log_factor[f, k]
                grad_accuracy[h] += g / (1.0 - accuracy[h]) + g / accuracy[h]
        else:
            for i in range(factors.heir.size):
                side = given.side[a * factors.heir.size + i]
                if side != 0.0:
                    kept = logistic(unit[offset[lay.KEPT] + i])
                    before, after = given.cut[2 * i], given.cut[2 * i + 1]
                    slope = (1.0 - kept if side > 0.0 else 0.0) - after * kept * (1.0 - kept) / (before + after * kept)
                    grad[offset[lay.KEPT] + i] += grad_log_factor[f, factors.elder[i]] * slope

    confuse_gradient(offset, prior, naming, grad_naming, grad)
    if factors.heir.size > 0:
        shape = naming_table(accuracy, notoriety)
        misname_gradient(unit, offset, factors.heir, factors.elder, shape, grad_naming, grad)
    grad_notoriety = np.zeros((n_channels, n_actors))
    naming_gradient(accuracy, notoriety, grad_naming, grad_accuracy, grad_notoriety)
    named = offset[lay.NOTORIETY + 1] > offset[lay.NOTORIETY]
    other_named = offset[lay.NOTORIETY_OTHER + 1] > offset[lay.NOTORIETY_OTHER]
    logit = np.empty(n_actors)
    for h in range(n_channels):
        grad[offset[lay.REACH] + h] += prior[lay.P_REACH_LOCATION] * grad_reach[h].sum()
        for i in range(factors.heir.size - 1, -1, -1):
            grad_reach[h, factors.elder[i]] += grad_reach[h, factors.heir[i]]
        start = offset[lay.REACH_DEVIATION] + h * (n_actors - 1)
        zero_sum_gradient(grad_reach[h], grad[start : start + n_actors - 1])
        inside = (accuracy[h] - chance) * (1.0 - accuracy[h]) / (1.0 - chance)
        grad[offset[lay.ACCURACY] + h] += grad_accuracy[h] * inside
        logit[:] = 0.0
        if other_named:
            softmax_gradient(notoriety[h], grad_notoriety[h], logit)
            grad[offset[lay.NOTORIETY_OTHER] + h] += prior[lay.P_NOTORIETY] * logit[n_org]
        else:
            softmax_gradient(notoriety[h, :n_org], grad_notoriety[h, :n_org], logit[:n_org])
        if named:
            start = offset[lay.NOTORIETY] + h * (n_org - 1)
            zero_sum_gradient(prior[lay.P_NOTORIETY] * logit[:n_org], grad[start : start + n_org - 1])
