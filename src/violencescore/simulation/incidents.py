"""What happens in a simulated world: who did what, where, when, staged as whose, and what is recorded of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from violencescore.simulation.chance import Array, Ints, choose_rows, logistic, logit, softmax
from violencescore.simulation.worlds import BASELINE_DAYS, World

Flags = npt.NDArray[np.bool_]

EPISODE_DAYS = 4
"""The incidents of an episode lie within this many days."""


@dataclass(frozen=True)
class Incidents:
    """Who did what; arrays by incident.

    Attributes
    ----------
    perpetrator, framed
        Indices into ``World.ids``; ``framed`` is -1 where nothing is staged.
    kind, region, period
        Index of the category that names the kind; region; 0 in the baseline and 1 in the window.
    staged
        Whether the incident was made to look like the work of ``framed``.
    order
        Organizations from the most violent one, by expected incidents (without a faction).
    rate
        Expected incidents (actor, kind, period, region); those of a faction in its parent's row.
    episode
        Number of the episode; -1 where there are none.
    day
        Days since the start of the baseline; None while still to be drawn.
    """

    perpetrator: Ints
    kind: Ints
    region: Ints
    period: Ints
    staged: Flags
    framed: Ints
    order: Ints
    rate: Array
    episode: Ints
    day: Ints | None = None


def simulate_incidents(world: World, n_kinds: int, rng: np.random.Generator, extra: np.random.Generator) -> Incidents:
    """Draw who did what; ``extra`` serves what was added to the simulator, so that old seeds give their old worlds."""
    n_actors = world.n_organizations + 1
    level = rng.normal(0, 0.8, n_kinds)
    actor = rng.normal(0, world.rate_scale, n_actors)
    kind = rng.normal(0, world.kind_scale, (n_actors, n_kinds))
    shift = rng.normal(0, 0.3, n_actors)
    period = np.array([BASELINE_DAYS, world.window_days], dtype=float)
    log_rate = level[None, :, None] + actor[:, None, None] + kind[:, :, None]
    rate = np.exp(log_rate + shift[:, None, None] * np.array([0.0, 1.0])) * period
    rate *= world.n_incidents / rate.sum()
    common = rng.normal(0, 0.8, world.n_regions)
    presence = softmax(common + rng.normal(0, world.presence_scale, (n_actors, world.n_regions)))
    expected = rate[..., None] * presence[:, None, None, :]
    order = np.argsort(-rate[:-1].sum(axis=(1, 2)))
    if world.episode > 1:
        cells, episode, day = _episodes(world, expected, rng, extra)
    else:
        cells = _repeated(rng.poisson(expected), rng)
        episode, day = np.full(len(cells[0]), -1), None
    perpetrator, kinds, periods, regions = cells
    staged, framed = _false_flags(world, perpetrator, periods, order, rng)
    happened = Incidents(perpetrator, kinds, regions, periods, staged, framed, order, expected, episode, day)
    return _split(world, happened, extra) if world.split > 0 else happened


def _repeated(n: Ints, rng: np.random.Generator) -> tuple[Ints, ...]:
    """Indices of each cell, as often as it has incidents, in random order."""
    cells = [np.repeat(index.ravel(), n.ravel()) for index in np.indices(n.shape)]
    order = rng.permutation(len(cells[0]))
    return tuple(index[order] for index in cells)


def _episodes(
    world: World, expected: Array, rng: np.random.Generator, extra: np.random.Generator
) -> tuple[tuple[Ints, ...], Ints, Ints]:
    """Incidents that come in episodes; the expected number of each cell is unchanged."""
    perpetrator, _, period, region = _repeated(rng.poisson(expected / world.episode), rng)
    size = extra.geometric(1.0 / world.episode, len(perpetrator))
    episode = np.repeat(np.arange(len(size)), size)
    first, last = _days_of(world, period)
    begins = (extra.integers(first, last + 1))[episode]
    perpetrator, period, region = perpetrator[episode], period[episode], region[episode]
    day = np.minimum(begins + extra.integers(0, EPISODE_DAYS, len(episode)), _days_of(world, period)[1])
    by_kind = expected.sum(axis=3).transpose(0, 2, 1)  # actor, period, kind
    kind = choose_rows(by_kind.reshape(-1, by_kind.shape[2]), perpetrator * 2 + period, extra)
    order = extra.permutation(len(episode))
    cells = (perpetrator[order], kind[order], period[order], region[order])
    return cells, episode[order], day[order]


def _days_of(world: World, period: Ints) -> tuple[Ints, Ints]:
    """First and last day of each incident's period."""
    return np.where(period == 0, 0, BASELINE_DAYS), np.where(
        period == 0, BASELINE_DAYS, BASELINE_DAYS + world.window_days
    ) - 1


def _false_flags(
    world: World, perpetrator: Ints, period: Ints, order: Ints, rng: np.random.Generator
) -> tuple[Flags, Ints]:
    n_actors = world.n_organizations + 1
    base = logit(np.clip(world.staged, 1e-12, 1 - 1e-12))
    share = logistic(base[:, None] + rng.normal(0, world.staged_scale, n_actors))
    logits = rng.normal(0, world.target_scale, (n_actors, n_actors))
    np.fill_diagonal(logits, -np.inf)
    target = softmax(logits)
    if world.framed > 0 and len(order) > 2:
        framer, victim = int(order[0]), int(order[2])
        share[:, framer] = world.framed
        target[framer] = np.eye(n_actors)[victim]
    staged = rng.random(len(perpetrator)) < share[period, perpetrator]
    return staged, np.where(staged, choose_rows(target, perpetrator, rng), -1)


def _split(world: World, incidents: Incidents, extra: np.random.Generator) -> Incidents:
    """Give the faction its incidents, and its index, the last before ``other``'s."""
    faction, parent = world.n_organizations, int(incidents.order[0])
    moved = np.where(incidents.perpetrator == faction, faction + 1, incidents.perpetrator)
    framed = np.where(incidents.framed == faction, faction + 1, incidents.framed)
    day = draw_days(world, incidents.period, extra) if incidents.day is None else incidents.day
    share = faction_share(world, extra)
    # An episode is one side's as a whole.
    side = extra.random(len(moved))[incidents.episode if world.episode > 1 else slice(None)]
    own = (moved == parent) & (day >= world.split_day) & (side < share[incidents.region])
    after = (world.window_days - (world.split_day - BASELINE_DAYS)) / world.window_days
    rate = np.insert(incidents.rate, faction, 0.0, axis=0)
    rate[faction, :, 1] = rate[parent, :, 1] * share * after
    rate[parent, :, 1] -= rate[faction, :, 1]
    return replace(incidents, perpetrator=np.where(own, faction, moved), framed=framed, rate=rate, day=day)


def faction_share(world: World, extra: np.random.Generator) -> Array:
    """Share of the split group's incidents that are the faction's, by region: Beta with mean ``split``."""
    return extra.beta(2 * world.split, 2 * (1 - world.split), world.n_regions)


def draw_days(world: World, period: Ints, rng: np.random.Generator) -> Ints:
    """Days since the start of the baseline, uniform within each period."""
    first = np.where(period == 0, 0, BASELINE_DAYS)
    return first + rng.integers(0, np.where(period == 0, BASELINE_DAYS, world.window_days))


def intimidated_regions(incidents: Incidents) -> Flags:
    """Regions where the most violent organization does more than any other; at least the one where it does most."""
    by_region = incidents.rate[:-1].sum(axis=(1, 2))
    worst = int(incidents.order[0])
    rules: Flags = (by_region.argmax(axis=0) == worst) | (np.arange(by_region.shape[1]) == by_region[worst].argmax())
    return rules


def simulate_reports(world: World, incidents: Incidents, n_kinds: int, extra: np.random.Generator) -> Flags:
    """Whether each source lists each incident (incident, source).

    Lists differ by kind and region (logit sd 0.5 each, of their own). The draws do not depend on ``silenced``: the same
    seed with and without intimidation gives the same incidents, and lists of which one is part of the other.
    """
    sources = list(world.sources.values())
    press = np.array([source.press for source in sources])
    level = logit(np.array([source.lists for source in sources]))
    by_kind = extra.normal(0, 0.5, (n_kinds, len(sources)))
    by_region = extra.normal(0, 0.5, (world.n_regions, len(sources)))
    silence = world.silenced * np.outer(intimidated_regions(incidents), press)
    logits = level + by_kind[incidents.kind] + (by_region - silence)[incidents.region]
    listed: Flags = extra.random(logits.shape) < logistic(logits)
    return listed
