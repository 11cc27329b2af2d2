"""The textbook statement in NumPyro: one mixture term an incident."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.nn import log_softmax, softmax
from jax.scipy.special import expit, logit, logsumexp

from textbook.incidents import Incidents
from violencescore.model.layout import LEVEL_SCALE, STAGING_MEMORY


def build_textbook_model(data: Incidents) -> Callable[[], None]:
    """State the model; the named quantities are deterministic sites."""
    firm_evidence, forged_evidence = (jnp.asarray(data.evidence(forgeable)) for forgeable in (False, True))
    known = np.flatnonzero(data.framed >= 0)
    framed = data.framed[known]

    def model() -> None:
        rate, presence = _violence(data)
        log_firm, log_forged = _channels(data)
        share, target = _staging(data)
        log_cell = jnp.log(rate[data.kind, data.period]) + jnp.log(presence[data.region])
        forged = jnp.exp(forged_evidence @ log_forged)
        as_framed = forged @ target.T
        as_framed = as_framed.at[known].set(target[:, framed].T * forged[known, framed][:, None])
        share = share[data.period]
        either = (1 - share) * forged * data.may_be_honest[:, None] + share * as_framed * data.may_be_staged[:, None]
        # Those who are ruled out are kept from a logarithm of zero, whose gradient would not be finite.
        seen = log_cell + firm_evidence @ log_firm + jnp.log(jnp.where(data.possible, either, 1.0))
        mixture = logsumexp(jnp.where(data.possible, seen, -jnp.inf), axis=1)
        numpyro.factor("incidents", mixture.sum() - rate.sum())

    return model


def _learned_scale(name: str, centre: float, spread: float, *shape: int) -> jax.Array:
    return numpyro.sample(name, dist.LogNormal(np.log(centre), spread).expand(shape))


def _violence(data: Incidents) -> tuple[jax.Array, jax.Array]:
    j, c, r, priors = data.n_actors, data.n_kinds, data.n_regions, data.priors
    spread = priors.scale_spread
    before = numpyro.sample("level", dist.Normal(data.mean_level, LEVEL_SCALE).expand((c,)))
    change = numpyro.sample("level_change", dist.Normal(0.0, priors.level_shift_scale).expand((c,)))
    level = jnp.stack([before, before + change], axis=1)
    organization_scale = _learned_scale("organization_scale", priors.log_rate_scale, spread)
    organization = numpyro.sample("organization", dist.ZeroSumNormal(organization_scale, (j - 1,)))
    other = numpyro.sample("other", dist.Normal(0.0, priors.other_scale).expand((1,)))
    shift_scale = _learned_scale("shift_scale", priors.period_scale, spread)
    shift = numpyro.sample("shift", dist.ZeroSumNormal(1.0, (j,)))
    kind_scale = _learned_scale("kind_scale", priors.kind_scale, spread)
    kind = numpyro.sample("kind", dist.ZeroSumNormal(1.0, (c, j)))
    log_rate = level[:, :, None] + jnp.concatenate([organization, other]) + (kind_scale * kind)[:, None, :]
    log_rate = log_rate + shift_scale * shift * np.array([0.0, 1.0])[:, None]
    rate = numpyro.deterministic("rate", data.days[:, None] * jnp.exp(log_rate))
    region = numpyro.sample("region", dist.ZeroSumNormal(priors.region_scale, (r,)))
    presence_scale = _learned_scale("presence_scale", priors.presence_scale, spread)
    own = numpyro.sample("presence_own", dist.ZeroSumNormal(1.0, (r, j)))
    return rate, numpyro.deterministic("presence", softmax(region[:, None] + presence_scale * own, axis=0))


def _channels(data: Incidents) -> tuple[jax.Array, jax.Array]:
    """Log probability by actor of each column of ``Incidents.evidence``, firm and forged (column, actor)."""
    h, j, priors = data.n_channels, data.n_actors, data.priors
    location = numpyro.sample(
        "reach_location", dist.Normal(priors.reach_mean, priors.reach_location_scale).expand((h,))
    )
    scale = _learned_scale("reach_scale", priors.reach_scale, priors.scale_spread, h)
    with numpyro.plate("channel", h):
        deviation = numpyro.sample("reach_deviation", dist.ZeroSumNormal(1.0, (j,)))
        fame = numpyro.sample("fame", dist.ZeroSumNormal(priors.notoriety_scale, (j - 1,)))
    logits = location[:, None] + scale[:, None] * deviation
    numpyro.deterministic("reach", expit(logits))
    # NumPyro has no truncated Beta: uniform above chance, times the density of the Beta.
    accuracy = numpyro.sample("accuracy", dist.Uniform(data.chance, 1.0).expand((h,)))
    numpyro.factor("accuracy_prior", dist.Beta(data.accuracy[:, 0], data.accuracy[:, 1]).log_prob(accuracy).sum())
    notoriety = numpyro.deterministic("notoriety", softmax(fame, axis=1))
    log_notoriety = log_softmax(fame, axis=1)
    # (channel, named, perpetrator): the right one, a wrong one by notoriety, or anybody when `other` did it.
    wrong = jnp.log1p(-accuracy)[:, None, None] + log_notoriety[:, :, None] - jnp.log1p(-notoriety)[:, None, :]
    listed = jnp.where(np.eye(j - 1, dtype=bool), jnp.log(accuracy)[:, None, None], wrong)
    log_name = jnp.concatenate([listed, log_notoriety[:, :, None]], axis=2)
    log_speaks, log_silent = jax.nn.log_sigmoid(logits), jax.nn.log_sigmoid(-logits)
    tables = []
    for forgeable in (False, True):
        chosen = np.flatnonzero(data.forgeable == forgeable)
        rows = [log_speaks[chosen], log_silent[chosen], log_name[chosen].reshape(-1, j)]
        tables.append(jnp.concatenate(rows, axis=0))
    return tables[0], tables[1]


def _staging(data: Incidents) -> tuple[jax.Array, jax.Array]:
    j, priors = data.n_actors, data.priors
    location = numpyro.sample("staging", dist.Beta(data.staging[:, 0], data.staging[:, 1]))
    lasting = numpyro.sample("staging_deviation", dist.Normal(0.0, 1.0).expand((j,)))
    fresh = numpyro.sample("staging_shift", dist.Normal(0.0, 1.0).expand((2, j)))
    own = STAGING_MEMORY * lasting + (1 - STAGING_MEMORY**2) ** 0.5 * fresh
    share = numpyro.deterministic("false_flag", expit(logit(location)[:, None] + priors.false_flag_scale * own))
    preference = numpyro.sample("preference", dist.Normal(0.0, priors.target_scale).expand((j, j - 1)))
    rows, columns = np.nonzero(~np.eye(j, dtype=bool))
    target = jnp.zeros((j, j)).at[rows, columns].set(softmax(preference, axis=1).ravel())
    return share, numpyro.deterministic("target", target)
