"""What channels say of simulated incidents: names, mistakes, sets of candidates, copies declared and undeclared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from violencescore.simulation.chance import Array, Ints, choose_rows, logistic, logit, softmax
from violencescore.simulation.incidents import Flags, Incidents
from violencescore.simulation.worlds import PRESS, ChannelWorld, World

AGAIN = 0.15
"""Share of the incidents a channel speaks of on which it has a second, independent piece."""
COPIES = 0.2
"""Share of the rows of evidence that are repeated as declared copies: same channel, same origin."""
ECHOING = "intelligence"
"""The channel that repeats the press as its own finding, in worlds with echoes."""


@dataclass(frozen=True)
class Evidence:
    """Rows of evidence, as indices; two rows that share incident, channel and piece are of one origin.

    ``channel`` counts in the order of the world's channels, ``named`` in that of its ids; ``is_copy`` marks rows that
    repeat another one, and say so by their origin.
    """

    incident: Ints
    channel: Ints
    named: Ints
    piece: Ints
    is_copy: Flags


def simulate_evidence(
    world: World, incidents: Incidents, heard: Flags, rng: np.random.Generator, extra: np.random.Generator
) -> Evidence:
    """Draw what each channel says; the press speaks only of incidents that were ``heard`` of (incident)."""
    n_actors = len(world.ids)
    fame = np.zeros(n_actors - 1)
    if world.famous > 0:
        fame[incidents.order[min(2, n_actors - 2)]] = world.famous
    parts: list[Evidence] = []
    for number, (name, channel) in enumerate(world.channels.items()):
        pieces, named = _speak(world, incidents, channel, fame, heard | (name != PRESS), rng)
        if world.split > 0:
            old = (named == world.n_organizations) & (extra.random(named.shape) < world.stale)
            named = np.where(old, incidents.order[0], named)
        copied = rng.random(len(pieces)) < COPIES
        own = np.arange(len(pieces))
        columns = [(column, flag) for flag in (False, True) for column in named.T]
        for column, flag in columns:
            kept = copied if flag else slice(None)
            n = len(own[kept])
            parts.append(Evidence(pieces[kept], np.full(n, number), column[kept], own[kept], np.full(n, flag)))
    evidence = _joined(parts)
    return _with_echoes(world, evidence, extra) if world.echoed > 0 else evidence


def _joined(parts: list[Evidence]) -> Evidence:
    fields = ("incident", "channel", "named", "piece", "is_copy")
    return Evidence(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))


def _speak(
    world: World, incidents: Incidents, channel: ChannelWorld, fame: Array, heard: Flags, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Incidents of the pieces of one channel, and whom they name (piece, candidate)."""
    n, n_actors = len(incidents.perpetrator), len(world.ids)
    reach = logit(channel.reach) + rng.normal(0, world.reach_scale, n_actors)
    reach[incidents.order[0]] -= world.hidden
    if world.split > 0:
        reach[world.n_organizations] = reach[incidents.order[0]]
    notoriety = softmax(fame + rng.normal(0, 0.5 if world.famous else channel.fame, n_actors - 1))
    seen = incidents.perpetrator
    if channel.forgeable:
        seen = np.where(incidents.staged, incidents.framed, seen)
    speaks = np.flatnonzero((rng.random(n) < logistic(reach)[seen]) & heard)
    pieces = np.concatenate([speaks, rng.choice(speaks, int(AGAIN * len(speaks)), replace=False)])
    if channel.candidates:
        return speaks, candidate_pairs(world, incidents, channel, speaks, rng)
    return pieces, single_names(seen[pieces], channel.accuracy, notoriety, rng)[:, None]


def single_names(who: Ints, accuracy: float, notoriety: Array, rng: np.random.Generator) -> Ints:
    """Name the right one with the accuracy, else a wrong one by notoriety; of ``other``, anyone by notoriety."""
    n_org = len(notoriety)
    wrong = np.tile(notoriety, (n_org + 1, 1))
    wrong[np.arange(n_org), np.arange(n_org)] = 0.0
    right = (who < n_org) & (rng.random(len(who)) < accuracy)
    return np.where(right, who, choose_rows(wrong, who, rng))


def candidate_pairs(
    world: World, incidents: Incidents, channel: ChannelWorld, pieces: Ints, rng: np.random.Generator
) -> Ints:
    """Pairs of candidates: whom an organization meets depends on the pair and on the region."""
    n_org = len(world.ids) - 1
    who, region = incidents.perpetrator[pieces], incidents.region[pieces]
    rivalry = np.triu(rng.normal(0, 1.5, (n_org, n_org)), 1)
    logits = (rivalry + rivalry.T)[:, None, :] + rng.normal(0, 1.0, (world.n_regions, n_org))
    logits[np.arange(n_org), :, np.arange(n_org)] = -np.inf
    met = softmax(logits)
    right = (who < n_org) & (rng.random(len(who)) < channel.accuracy)
    first = np.where(right, who, 0)
    row = np.minimum(first, n_org - 1) * world.n_regions + region
    second = choose_rows(met.reshape(-1, n_org), row, rng)
    random = np.argsort(rng.random((len(who), n_org)) + (np.arange(n_org) == who[:, None]), axis=1)[:, :2]
    pair = np.where(right[:, None], np.column_stack([first, second]), random)
    return np.sort(pair, axis=1)


def _with_echoes(world: World, evidence: Evidence, extra: np.random.Generator) -> Evidence:
    """Repeat pieces of the press under origins of their own, once more in the press and by another channel."""
    channels = list(world.channels)
    press = np.flatnonzero((evidence.channel == channels.index(PRESS)) & ~evidence.is_copy)
    parts = [evidence]
    for name in (PRESS, ECHOING):
        number = channels.index(name)
        chosen = press[extra.random(len(press)) < world.echoed]
        begin = int(evidence.piece[evidence.channel == number].max(initial=-1)) + 1
        own = begin + np.arange(len(chosen))
        repeats = np.full(len(chosen), number), evidence.named[chosen], own, np.zeros(len(chosen), dtype=bool)
        parts.append(Evidence(evidence.incident[chosen], *repeats))
    return _joined(parts)


def evidence_table(world: World, evidence: Evidence, labels: pd.Series, rng: np.random.Generator) -> pd.DataFrame:
    """Rows as the table has them, by incident, channel and origin; ``labels`` are the ids of the incidents."""
    names = list(world.channels)
    by_name = np.argsort(np.argsort(names))
    n_pieces = int(evidence.piece.max(initial=-1)) + 1
    digits = np.arange(n_pieces).astype(np.str_)
    by_text = np.empty(n_pieces, dtype=np.int64)
    by_text[np.argsort(digits, kind="stable")] = np.arange(n_pieces)  # origins are sorted as text: press-10, press-9
    order = np.lexsort((by_text[evidence.piece], by_name[evidence.channel], evidence.incident))
    channel, piece = evidence.channel[order], evidence.piece[order]
    names_and_dashes = pd.Series([f"{name}-" for name in names], dtype="str")
    origin = texts(names_and_dashes, channel) + texts(pd.Series(digits, dtype="str"), piece)
    return pd.DataFrame(
        {
            "incident_id": texts(labels, evidence.incident[order]),
            "channel": texts(pd.Series(names, dtype="str"), channel),
            "organization_id": texts(pd.Series(world.ids, dtype="str"), evidence.named[order]),
            "origin": origin,
            "source_id": texts(pd.Series([f"S{i}" for i in range(9)], dtype="str"), rng.integers(1, 9, len(order))),
        }
    )


def texts(words: pd.Series, index: Ints) -> pd.Series:
    """Pick words by index: text is made once a word, not once a row."""
    return words.take(index).reset_index(drop=True)
