"""The model in PyMC, as docs/model.md describes it: what the kernel is held to, and what a methodologist extends.

The priors, the names and the order of the parameters are those of the kernel's vector, and the density differs by a
constant only. Sampling uses the kernel, which is many times faster to compile and to evaluate; this is its statement
in a language that others read and can change.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pymc as pm
import pytensor.tensor as pt

from violencescore.design import DATE, NAMES, SET, SILENT, SPEAKS, Design
from violencescore.model.layout import LEVEL_SCALE, LOG_HALF, STAGING_MEMORY
from violencescore.model_options import Priors

Tensor = Any

LEAST = 1e-300
"""In place of a probability of zero, whose logarithm has no gradient."""


def build_model(design: Design, priors: Priors) -> pm.Model:
    """State the model of docs/model.md as a ``pm.Model``.

    Returns
    -------
    pymc.Model
        Free variables in the order of ``model.layout.BLOCKS``; named quantities (``rate``, ``presence``, ``reach``,
        ``accuracy``, ``notoriety``, ``confusion``, ``false_flag``, ``target``) as deterministics.
    """
    coords = {
        "actor": list(design.actors),
        "kind": list(design.kinds),
        "period": list(design.periods),
        "region": list(design.regions),
        "channel": list(design.channels),
    }
    with pm.Model(coords=coords) as model:
        rate, presence = _violence(design, priors)
        reach, accuracy, notoriety = _channels(design, priors)
        log_naming = _log_naming(design, accuracy, notoriety)
        echo, follow = _shares("echo", design.echoes), _shares("follow", design.echoes)
        log_naming = _misnamed(design, log_naming)
        kept = _shares("kept", np.tile(design.kept, (len(design.kin), 1)))
        log_naming = _confused(design, priors, log_naming)
        share, target = _staging(design, priors)
        log_factor = log_factors(design, reach, accuracy, log_naming, echo, follow, kept)
        log_pattern = log_patterns(design, log_factor, share, target)
        groups = design.groups
        log_cell = pt.log(rate[groups.kind, groups.period]) + pt.log(presence[groups.region])
        log_cell = _contested(design, priors, log_cell, accuracy)
        log_weight = log_cell + log_pattern[groups.pattern]
        alone = np.setdiff1d(np.arange(len(groups.n)), design.nodes.group)
        mixed = pt.logsumexp(log_weight[alone], axis=1)
        pm.Potential("incidents", pt.sum(groups.n[alone] * mixed) - rate.sum())
        repeat = _shares("episode", design.bonds)
        if len(design.nodes.group):
            log_cell = log_cell + log_dates(design, log_factor)[groups.pattern]
            pm.Potential("episodes", _hanging(design, log_cell, log_weight, repeat))
    return model


def _normal(name: str, *shape: int) -> Tensor:
    return pm.Normal(name, 0.0, 1.0, shape=shape)


def _zero_sum(free: Tensor, axis: int) -> Tensor:
    """Extend ``free`` along an axis by one so that it sums to zero there, isometrically."""
    n = free.shape[axis] + 1
    total = pt.sum(free, axis=axis, keepdims=True)
    shift = total / (pt.sqrt(n) + n)
    return pt.concatenate([free - shift, -total / pt.sqrt(n)], axis=axis)


def _effects(name: str, centre: float, priors: Priors, *shape: int, n_scales: int = 1) -> Tensor:
    """Effects of the learned scale ``centre exp(spread v)``."""
    # The channels' reach has a scale for each channel.
    log_scale = priors.scale_spread * _normal(f"{name}_scale", *([n_scales, 1] if n_scales > 1 else []))
    return centre * pt.exp(log_scale) * _normal(name, *shape)


def _violence(design: Design, priors: Priors) -> tuple[Tensor, Tensor]:
    j, c, r, t = len(design.actors), len(design.kinds), len(design.regions), len(design.periods)

    mean_level = np.log(design.n_incidents / (c * j * design.days.sum()))
    level = _normal("level", c, t) * np.array([LEVEL_SCALE, priors.level_shift_scale])[:t]
    level = mean_level + pt.cumsum(level, axis=1)
    organization = _zero_sum(_effects("organization", priors.log_rate_scale, priors, j - 2), 0)
    base = pt.concatenate([organization, priors.other_scale * _normal("other", 1)])
    base = _inherit(design, base, LOG_HALF)
    log_rate = level[:, :, None] + base
    if t == 2:
        shift = _zero_sum(_effects("shift", priors.period_scale, priors, j - 1), 0)
        log_rate = log_rate + shift * np.array([0.0, 1.0])[None, :, None]
    if c > 1:
        kind = _effects("kind_own", priors.kind_scale, priors, j - 1, c - 1)
        log_rate = log_rate + _inherit(design, _zero_sum(_zero_sum(kind, 0), 1)).T[:, None, :]
    rate = pm.Deterministic(
        "rate", np.maximum(design.exposure, LEAST) * pt.exp(log_rate), dims=("kind", "period", "actor")
    )
    if r == 1:
        return rate, pt.ones((1, j))
    region = priors.region_scale * _zero_sum(_normal("region_size", r - 1), 0)
    own = _effects("presence_own", priors.presence_scale, priors, j - 1, r - 1)
    presence = pt.special.softmax(region[:, None] + _inherit(design, _zero_sum(_zero_sum(own, 0), 1)).T, axis=0)
    return rate, pm.Deterministic("presence", presence, dims=("region", "actor"))


def _channels(design: Design, priors: Priors) -> tuple[Tensor, Tensor, Tensor]:
    h, j = len(design.channels), len(design.actors)
    if h == 0:
        return pt.zeros((0, j)), pt.zeros(0), pt.zeros((0, j))
    chance = 1.0 / max(j - 1, 2)
    location = priors.reach_mean + priors.reach_location_scale * _normal("reach_location", h)
    deviation = _effects("reach_own", priors.reach_scale, priors, h, j - 1, n_scales=h)
    reach = pm.math.invlogit(location[:, None] + _inherit(design, _zero_sum(deviation, 1).T).T)
    reach = pm.Deterministic("reach", reach, dims=("channel", "actor"))
    beta = pm.Beta.dist(design.accuracy[:, 0], design.accuracy[:, 1])
    accuracy = pm.Truncated("accuracy", beta, lower=chance, upper=1.0, shape=(h,))
    logits = pt.zeros((h, j - 1))
    if not design.candidates.all():
        logits = priors.notoriety_scale * _zero_sum(_normal("notoriety_own", h, j - 2), 1)
    if design.other_is_named:
        other = priors.notoriety_scale * _normal("notoriety_other", h)[:, None]
        notoriety = pt.special.softmax(pt.concatenate([logits, other], axis=1), axis=1)
    else:
        notoriety = pt.concatenate([pt.special.softmax(logits, axis=1), pt.zeros((h, 1))], axis=1)
    return reach, accuracy, pm.Deterministic("notoriety", notoriety, dims=("channel", "actor"))


def _shares(name: str, beta: npt.NDArray[np.float64]) -> Tensor:
    return pm.Beta(name, beta[:, 0], beta[:, 1], shape=(len(beta),)) if len(beta) else pt.zeros(0)


def _misnamed(design: Design, log_naming: Tensor) -> Tensor:
    """Let whoever means an heir say, in some share, what they would say of its elder."""
    old = _shares("old_name", np.tile(design.old_name, (len(design.kin), 1)))
    shape = log_naming
    for i, (heir, elder) in enumerate(design.kin):
        row = pt.logaddexp(pt.log1p(-old[i]) + shape[:, heir], pt.log(old[i]) + shape[:, elder])
        log_naming = pt.set_subtensor(log_naming[:, heir], row)
    return log_naming


def _hanging(design: Design, log_cell: Tensor, log_weight: Tensor, repeat: Tensor) -> Tensor:
    """Log probability of the incidents that hang together, the last first; see ``episodes``."""
    nodes = design.nodes
    message: dict[int, Tensor] = {}
    total: list[Tensor] = []
    for i in reversed(range(len(nodes.group))):
        weighted = log_weight[nodes.group[i]] + message.get(i, 0.0)
        mixed = pt.logsumexp(weighted)
        total.append(mixed)
        if nodes.parent[i] >= 0:
            same = repeat[nodes.bond[i]] * nodes.decay[i]
            cell = log_cell[nodes.group[i]]
            said = pt.exp(weighted - cell - mixed + pt.logsumexp(cell))
            said = pt.switch(cell > np.log(LEAST) / 2, said, 0.0)  # who does not exist on that day repeats nothing
            above = int(nodes.parent[i])
            message[above] = message.get(above, 0.0) + pt.log1p(same * (said - 1.0))
    return pt.stack(total).sum()


def _staging(design: Design, priors: Priors) -> tuple[Tensor, Tensor]:
    j, t = len(design.actors), len(design.strata)
    if not design.stages:
        return pt.zeros((t, j)), pt.zeros((j, j))
    location = pm.Beta("staging", design.staging[:, 0], design.staging[:, 1], shape=(t,))
    own = _normal("staging_deviation", j)[None, :]
    if t > 1:
        fresh = (1 - STAGING_MEMORY**2) ** 0.5
        own = STAGING_MEMORY * own + fresh * _normal("staging_shift", t, j)
    share = pm.math.invlogit(pm.math.logit(location)[:, None] + priors.false_flag_scale * own)
    rows, columns = np.nonzero(~np.eye(j, dtype=bool))
    rivalry = design.rivalry[rows, columns].reshape(j, j - 1)
    free = pt.special.softmax(priors.target_scale * _normal("target_own", j, j - 1) + rivalry, axis=1)
    target = pt.zeros((j, j))[rows, columns].set(free.ravel())
    return (
        pm.Deterministic("false_flag", share),
        pm.Deterministic("target", target),
    )


def _contested(design: Design, priors: Priors, log_cell: Tensor, accuracy: Tensor) -> Tensor:
    """Where candidates are named, turn log rates (group, actor) into log probabilities of who did it."""
    k = len(design.organizations)
    if not design.engages:
        return log_cell
    contested = _zero_sum(_normal("contested", k - 1), 0)
    factors = design.factors
    member = factors.set_member
    own = priors.contested_scale * contested[member] + priors.engagement_scale * _normal("engagement", len(member))
    set_of = np.repeat(np.arange(len(factors.set_channel)), np.diff(factors.set_start))
    shape = (len(factors.set_channel), k + 1)
    inside = np.zeros(shape, dtype=bool)
    inside[set_of, member] = True
    weight = pt.zeros(shape)[set_of, member].set(own)

    contest = design.patterns.contest[design.groups.pattern]
    among = inside[contest]
    log_inside = pt.switch(among, log_cell + weight[contest], -np.inf)
    log_outside = pt.switch(among, -np.inf, log_cell)
    right = accuracy[factors.set_channel[contest]][:, None]
    shares = pt.switch(
        among,
        pt.log(right) + log_inside - pt.logsumexp(log_inside, axis=1, keepdims=True),
        pt.log1p(-right) + log_outside - pt.logsumexp(log_outside, axis=1, keepdims=True),
    )
    return pt.switch((contest >= 0)[:, None], shares, log_cell)


def _log_naming(design: Design, accuracy: Tensor, notoriety: Tensor) -> Tensor:
    """Log probability of whom a piece of each channel names, by who did it (channel, actor, named)."""
    j, n_org = len(design.actors), len(design.organizations)
    n_named = n_org + design.other_is_named
    log_notoriety = pt.log(notoriety[:, :n_named])
    right = np.eye(j, n_named, dtype=bool)
    wrong = pt.log1p(-accuracy)[:, None, None] + log_notoriety[:, None] - pt.log1p(-notoriety)[:, :, None]
    log_naming = pt.switch(right, pt.log(accuracy)[:, None, None], wrong)
    if not design.other_is_named:
        log_naming = pt.set_subtensor(log_naming[:, n_org], log_notoriety)
    return log_naming


def _confused(design: Design, priors: Priors, log_naming: Tensor) -> Tensor:
    """Let each row of the naming table deviate from its shape, where that is asked for."""
    if not priors.confusion_scale or design.candidates.all():
        return log_naming
    h, j = len(design.channels), len(design.actors)
    n_named = len(design.organizations) + design.other_is_named
    own = priors.confusion_scale * _normal("confusion_own", h, j, n_named)
    confusion = pm.Deterministic("confusion", pt.special.softmax(log_naming + own, axis=2))
    return pt.log(confusion)


def log_factors(
    design: Design,
    reach: Tensor,
    accuracy: Tensor,
    log_naming: Tensor,
    echo: Tensor,
    follow: Tensor,
    kept: Tensor,
) -> Tensor:
    """Log probability of each factor by actor (factor, actor)."""
    factors, n_org = design.factors, len(design.organizations)
    rows = []
    for f, (kind, h, a) in enumerate(zip(factors.kind, factors.channel, factors.argument, strict=True)):
        if kind == NAMES and factors.echo[f] >= 0:
            share = echo[factors.echo[f]]
            rows.append(pt.log((1 - share) * pt.exp(log_naming[h, :, a]) + share * factors.repeated[f]))
        elif kind == DATE:
            rows.append(_log_dates(design, a, kept))
        elif kind in {SILENT, SPEAKS}:
            silent = (1 - reach[h]) * (1 - follow[factors.echo[f]] if factors.echo[f] >= 0 else 1)
            rows.append(pt.log(silent) if kind == SILENT else pt.log1p(-silent))
        elif kind == NAMES:
            rows.append(log_naming[h, :, a])
        elif kind == SET:
            members = factors.set_member[factors.set_start[a] : factors.set_start[a + 1]]
            rows.append(_log_set(members, accuracy[h], n_org))
    return pt.stack(rows) if rows else pt.zeros((0, n_org + 1))


def log_dates(design: Design, log_factor: Tensor) -> Tensor:
    """Log density of the date of each pattern by actor (pattern, actor); zero where it says nothing."""
    start, member = design.patterns.firm_start, design.patterns.firm
    dates = np.flatnonzero(design.factors.kind[member] == DATE)
    found = pt.zeros((len(start) - 1, len(design.actors)))
    if not len(dates):
        return found
    owner = np.searchsorted(start, dates, side="right") - 1
    return pt.set_subtensor(found[owner], log_factor[member[dates]])


def _log_dates(design: Design, era: int, kept: Tensor) -> Tensor:
    """Log density of the dates of an era by actor; a parent does less after a split."""
    row = pt.as_tensor(np.log(np.maximum(design.dated[era], LEAST)))
    for i, (_, elder) in enumerate(design.kin):
        if side := design.side[era, i]:
            before, after = design.cut[i]
            left = np.log(before + after) - pt.log(before + after * kept[i]) + (pt.log(kept[i]) if side > 0 else 0.0)
            row = pt.inc_subtensor(row[elder], left)
    return row


def _inherit(design: Design, effects: Tensor, start: float = 0.0) -> Tensor:
    """Add to the effects of each heir (actor first) those of its elder."""
    for heir, elder in design.kin:
        effects = pt.inc_subtensor(effects[heir], effects[elder] + start)
    return effects


def _log_set(members: npt.NDArray[np.int64], accuracy: Tensor, n_org: int) -> Tensor:
    """Log probability of a further set by actor: right with the accuracy, its other members at random."""
    size = len(members)
    row = [pt.log1p(-accuracy) - _log_choose(n_org - 1, size)] * n_org + [pt.as_tensor(-_log_choose(n_org, size))]
    for k in members:
        row[k] = pt.log(accuracy) - _log_choose(n_org - 1, size - 1)
    return pt.stack(row)


def _log_choose(n: int, k: int) -> float:
    if k > n:
        return 700.0
    return float(sum(np.log((n - i) / (i + 1.0)) for i in range(k)))


def log_patterns(design: Design, log_factor: Tensor, share: Tensor, target: Tensor) -> Tensor:
    """Log probability of each pattern by actor (pattern, actor), the false flag summed out."""
    patterns, n_actors = design.patterns, len(design.actors)
    firm = _sums(patterns.firm_start, patterns.firm, log_factor)
    forged = _sums(patterns.forged_start, patterns.forged, log_factor)
    phi = share[patterns.stratum]
    honest = (1 - phi) * pt.exp(forged) * (patterns.staged != 1)[:, None]
    everyone = pt.dot(pt.exp(forged), target.T)
    m = np.maximum(patterns.framed, 0)
    known = target[:, m].T * pt.exp(forged[np.arange(len(m)), m])[:, None]
    false = phi * pt.switch((patterns.framed >= 0)[:, None], known, everyone) * (patterns.staged != 0)[:, None]
    who = patterns.perpetrator
    possible = (who[:, None] < 0) | (who[:, None] == np.arange(n_actors))
    # The logarithm is kept from the zeros of those who are ruled out, whose gradient would not be finite.
    either = pt.switch(possible, honest + false, 1.0)
    return pt.switch(possible, firm + pt.log(either), -np.inf)


def _sums(start: npt.NDArray[np.int64], member: npt.NDArray[np.int64], log_factor: Tensor) -> Tensor:
    incidence = np.zeros((len(start) - 1, int(member.max(initial=-1)) + 1))
    for p, (first, last) in enumerate(pairwise(start)):
        np.add.at(incidence[p], member[first:last], 1.0)
    return pt.dot(incidence, log_factor[: incidence.shape[1]])


def vector_of(model: pm.Model, point: dict[str, npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Flatten a point of the model's unconstrained value variables into the kernel's vector."""
    return np.concatenate([np.ravel(point[model.rvs_to_values[rv].name]) for rv in model.free_RVs])
