"""The textbook statement in PyMC: one mixture term an incident."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from textbook.incidents import Incidents
from violencescore.model.layout import LEVEL_SCALE, STAGING_MEMORY

Tensor = Any


def build_textbook_model(data: Incidents) -> pm.Model:
    """State the model; the named quantities are deterministics."""
    with pm.Model() as model:
        rate, presence = _violence(data)
        log_firm, log_forged = _channels(data)
        share, target = _staging(data)
        log_cell = pt.log(rate[data.kind, data.period]) + pt.log(presence[data.region])
        firm = pt.dot(data.evidence(forgeable=False), log_firm)
        forged = pt.exp(pt.dot(data.evidence(forgeable=True), log_forged))
        seen = log_cell + firm + pt.log(_either(data, forged, share[data.period], target))
        mixture = pt.logsumexp(pt.switch(data.possible, seen, -np.inf), axis=1)
        pm.Potential("incidents", mixture.sum() - rate.sum())
    return model


def _either(data: Incidents, forged: Tensor, share: Tensor, target: Tensor) -> Tensor:
    """Probability of what can be forged by actor, honest or staged (incident, actor)."""
    honest = (1 - share) * forged * data.may_be_honest[:, None]
    known = np.flatnonzero(data.framed >= 0)
    framed = data.framed[known]
    as_framed = pt.dot(forged, target.T)
    as_framed = pt.set_subtensor(as_framed[known], target[:, framed].T * forged[known, framed][:, None])
    staged = share * as_framed * data.may_be_staged[:, None]
    # Those who are ruled out are kept from a logarithm of zero, whose gradient would not be finite.
    return pt.switch(data.possible, honest + staged, 1.0)


def _violence(data: Incidents) -> tuple[Tensor, Tensor]:
    j, c, r, priors = data.n_actors, data.n_kinds, data.n_regions, data.priors
    spread = priors.scale_spread
    before = pm.Normal("level", data.mean_level, LEVEL_SCALE, shape=c)
    change = pm.Normal("level_change", 0.0, priors.level_shift_scale, shape=c)
    level = pt.stack([before, before + change], axis=1)
    organization_scale = pm.LogNormal("organization_scale", np.log(priors.log_rate_scale), spread)
    organization = pm.ZeroSumNormal("organization", organization_scale, shape=j - 1)
    other = pm.Normal("other", 0.0, priors.other_scale, shape=1)
    shift_scale = pm.LogNormal("shift_scale", np.log(priors.period_scale), spread)
    shift = pm.ZeroSumNormal("shift", 1.0, shape=j)
    kind_scale = pm.LogNormal("kind_scale", np.log(priors.kind_scale), spread)
    kind = pm.ZeroSumNormal("kind", 1.0, n_zerosum_axes=2, shape=(c, j))
    log_rate = level[:, :, None] + pt.concatenate([organization, other]) + (kind_scale * kind)[:, None, :]
    log_rate = log_rate + shift_scale * shift * np.array([0.0, 1.0])[:, None]
    rate = pm.Deterministic("rate", data.days[:, None] * pt.exp(log_rate))
    region = pm.ZeroSumNormal("region", priors.region_scale, shape=r)
    presence_scale = pm.LogNormal("presence_scale", np.log(priors.presence_scale), spread)
    own = pm.ZeroSumNormal("presence_own", 1.0, n_zerosum_axes=2, shape=(r, j))
    presence = pt.special.softmax(region[:, None] + presence_scale * own, axis=0)
    return rate, pm.Deterministic("presence", presence)


def _channels(data: Incidents) -> tuple[Tensor, Tensor]:
    """Log probability by actor of each column of ``Incidents.evidence``, firm and forged (column, actor)."""
    h, j, priors = data.n_channels, data.n_actors, data.priors
    location = pm.Normal("reach_location", priors.reach_mean, priors.reach_location_scale, shape=h)
    scale = pm.LogNormal("reach_scale", np.log(priors.reach_scale), priors.scale_spread, shape=h)
    deviation = pm.ZeroSumNormal("reach_deviation", 1.0, shape=(h, j))
    reach = pm.Deterministic("reach", pm.math.invlogit(location[:, None] + scale[:, None] * deviation))
    beta = pm.Beta.dist(data.accuracy[:, 0], data.accuracy[:, 1])
    accuracy = pm.Truncated("accuracy", beta, lower=data.chance, upper=1.0, shape=h)
    fame = pm.ZeroSumNormal("fame", priors.notoriety_scale, shape=(h, j - 1))
    notoriety = pm.Deterministic("notoriety", pt.special.softmax(fame, axis=1))
    # (channel, named, perpetrator): the right one, a wrong one by notoriety, or anybody when `other` did it.
    wrong = pt.log1p(-accuracy)[:, None, None] + pt.log(notoriety)[:, :, None] - pt.log1p(-notoriety)[:, None, :]
    right = np.eye(j - 1, dtype=bool)
    listed = pt.switch(right, pt.log(accuracy)[:, None, None], wrong)
    log_name = pt.concatenate([listed, pt.log(notoriety)[:, :, None]], axis=2)
    tables = []
    for forgeable in (False, True):
        chosen = np.flatnonzero(data.forgeable == forgeable)
        rows = [pt.log(reach[chosen]), pt.log1p(-reach[chosen]), log_name[chosen].reshape((-1, j))]
        tables.append(pt.concatenate(rows, axis=0))
    return tables[0], tables[1]


def _staging(data: Incidents) -> tuple[Tensor, Tensor]:
    j, priors = data.n_actors, data.priors
    location = pm.Beta("staging", data.staging[:, 0], data.staging[:, 1], shape=2)
    lasting = pm.Normal("staging_deviation", 0.0, 1.0, shape=j)
    fresh = pm.Normal("staging_shift", 0.0, 1.0, shape=(2, j))
    own = STAGING_MEMORY * lasting + (1 - STAGING_MEMORY**2) ** 0.5 * fresh
    share = pm.Deterministic(
        "false_flag", pm.math.invlogit(pm.math.logit(location)[:, None] + priors.false_flag_scale * own)
    )
    preference = pm.Normal("preference", 0.0, priors.target_scale, shape=(j, j - 1))
    rows, columns = np.nonzero(~np.eye(j, dtype=bool))
    target = pt.zeros((j, j))[rows, columns].set(pt.special.softmax(preference, axis=1).ravel())
    return share, pm.Deterministic("target", target)
