"""Incidents that never happened, added: how probable each draw makes them, and whose they would be."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from violencescore.bench.likelihood import group_weights
from violencescore.design import NAMES, UNKNOWN, Design, Factors, Groups, Patterns
from violencescore.evidence_patterns import echo_numbers, speech_factors, speech_of
from violencescore.names import WINDOW
from violencescore.robustness.series import likelihood_of
from violencescore.robustness.worlds import Actors, Worlds

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
type Naming = tuple[int, int, int, int]

_BATCH = 256
_TINY = 1e-300


@dataclass(frozen=True)
class Insertion:
    """An incident of the window that never happened.

    Attributes
    ----------
    kind, region
        Indices into ``design.kinds`` and ``design.regions``.
    named
        Pairs (channel, actor), one of a channel: what evidence there is. Channels that name nobody are silent.
    settled
        Actor whom a court found to have done it, and not staged it; then channels do not count at all.
    """

    kind: int
    region: int
    named: tuple[tuple[int, int], ...] = ()
    settled: int = UNKNOWN


def inserted(worlds: Worlds, insertions: Sequence[Insertion]) -> tuple[FloatArray, FloatArray]:
    """Return what each draw says of incidents that never happened.

    Returns
    -------
    tuple
        Log density of each (chain, draw, insertion), what a draw's weight grows by where the incident is added; and
        the probability that each actor did it (chain, draw, insertion, actor).
    """
    densities, shares = [], []
    for first in range(0, len(insertions), _BATCH):
        batch = insertions[first : first + _BATCH]
        cell, seen, log_scale = insertion_weights(worlds, batch)
        either = cell * seen
        for region in {i.region for i in batch} if worlds.series is not None else ():
            gap = worlds.gap(region)
            for at in (i for i, insertion in enumerate(batch) if insertion.region == region):
                either[:, at] = gap.weigh(cell[:, at], seen[:, at])
        total = np.maximum(either.sum(axis=2), _TINY)
        densities.append(np.log(total) + log_scale)
        shares.append(either / total[:, :, None])
    density, share = np.concatenate(densities, axis=1), np.concatenate(shares, axis=1)
    return density.reshape(*worlds.shape, -1), share.reshape(*worlds.shape, len(insertions), -1)


def insertion_weights(worlds: Worlds, insertions: Sequence[Insertion]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the weight of the cell of each, and the probability of its evidence (draw, insertion, actor).

    Returns
    -------
    tuple
        Both, and the log of what was divided out of the second (draw, insertion).
    """
    design = _inserted_design(worlds.design, worlds.stratum, insertions)
    cells, seen, scales = [], [], []
    for part in group_weights(design, worlds.quantities):
        likelihood, log_scale = likelihood_of(part, slice(None))
        cells.append(part.cell)
        seen.append(likelihood)
        scales.append(log_scale)
    return np.concatenate(cells), np.concatenate(seen), np.concatenate(scales)


def inserted_together(
    worlds: Worlds, insertions: Sequence[Insertion], u: FloatArray
) -> tuple[FloatArray, Actors] | None:
    """Return what each draw says of incidents that are added one after the other to what hangs together.

    Those in one region follow one another. Each one's perpetrator is drawn given those before it, so that the product
    of the densities of the first ones is the weight of a draw with them (sequential importance sampling).

    Parameters
    ----------
    u
        Numbers from 0 to 1 (chain, draw, insertion).

    Returns
    -------
    tuple or None
        Log density of each given those before it, and who did it (chain, draw, insertion); None where each incident
        stands alone, and `inserted` says all.
    """
    if worlds.series is None:
        return None
    unique = list(dict.fromkeys(insertions))
    cell, seen, log_scale = insertion_weights(worlds, unique)
    flat = u.reshape(-1, len(insertions))
    density, actor = np.empty(flat.shape), np.empty(flat.shape, dtype=np.int16)
    last: dict[int, Actors] = {}
    for i, insertion in enumerate(insertions):
        at = unique.index(insertion)
        weight = worlds.gap(insertion.region).weigh(cell[:, at], seen[:, at], last.get(insertion.region))
        below = np.cumsum(weight, axis=1)
        density[:, i] = np.log(np.maximum(below[:, -1], _TINY)) + log_scale[:, at]
        actor[:, i] = (flat[:, i, None] * below[:, -1:] >= below[:, :-1]).sum(axis=1)
        last[insertion.region] = actor[:, i]
    return density.reshape(u.shape), actor.reshape(u.shape)


def _inserted_design(design: Design, stratum: IntArray, insertions: Sequence[Insertion]) -> Design:
    """Return the design whose groups are the insertions, one each."""
    factors, name_at = _all_names(design, insertions)
    window = design.periods.index(WINDOW)
    firm: list[list[int]] = []
    forged: list[list[int]] = []
    for insertion in insertions:
        held = [] if insertion.settled != UNKNOWN else _factors_of(insertion, design, name_at)
        forged.append([f for f in held if design.forgeable[factors.channel[f]]])
        firm.append([f for f in held if not design.forgeable[factors.channel[f]]])
    n = len(insertions)
    settled = np.array([i.settled for i in insertions], dtype=np.int64)
    unknown = np.full(n, UNKNOWN, dtype=np.int64)
    patterns = Patterns(
        firm_start=np.cumsum([0, *map(len, firm)]),
        firm=np.array([f for part in firm for f in part], dtype=np.int64),
        forged_start=np.cumsum([0, *map(len, forged)]),
        forged=np.array([f for part in forged for f in part], dtype=np.int64),
        stratum=stratum[[i.kind for i in insertions]],
        perpetrator=settled,
        staged=np.where(settled == UNKNOWN, UNKNOWN, 0),
        framed=unknown,
        contest=unknown,
    )
    groups = Groups(
        kind=np.array([i.kind for i in insertions], dtype=np.int64),
        region=np.array([i.region for i in insertions], dtype=np.int64),
        period=np.full(n, window, dtype=np.int64),
        pattern=np.arange(n),
        n=np.ones(n, dtype=np.int64),
    )
    return dataclasses.replace(design, factors=factors, patterns=patterns, groups=groups)


def _factors_of(insertion: Insertion, design: Design, name_at: Mapping[Naming, int]) -> list[int]:
    """Indices of the factors of an insertion's evidence: each channel is silent or speaks, and what it says."""
    speaks = np.zeros(len(design.channels), dtype=bool)
    speaks[[channel for channel, _ in insertion.named]] = True
    held: list[int] = speech_of(speaks, echo_numbers(design.channels, design.echoing)).tolist()
    return held + [name_at[naming] for naming in _namings(insertion)]


def _namings(insertion: Insertion) -> list[Naming]:
    """Channel and actor of each piece, those before it that say the same, and all before it (see `count_before`)."""
    said = sorted(insertion.named)
    return [(h, a, sum(b == a for _, b in said[:i]), i) for i, (h, a) in enumerate(said)]


def _all_names(design: Design, insertions: Sequence[Insertion]) -> tuple[Factors, dict[Naming, int]]:
    """Factors of every channel's silence and speech, and of all that insertions say; and where the latter stand."""
    first = speech_factors(design.channels, design.echoing)
    n_first = len(first.kind)
    said = sorted({naming for insertion in insertions for naming in _namings(insertion)})
    column = np.array(said, dtype=np.int64).reshape(-1, 4)
    none = np.empty(0, dtype=np.int64)
    echo = np.where(column[:, 3] > 0, echo_numbers(design.channels, design.echoing)[column[:, 0]], UNKNOWN)
    factors = Factors(
        kind=np.concatenate([first.kind, np.full(len(said), NAMES)]),
        echo=np.concatenate([first.echo, echo]),
        repeated=np.concatenate([np.zeros(n_first), column[:, 2] / np.maximum(column[:, 3], 1)]),
        channel=np.concatenate([first.channel, column[:, 0]]),
        argument=np.concatenate([first.channel, column[:, 1]]),
        set_channel=none,
        set_start=np.zeros(1, dtype=np.int64),
        set_member=none,
    )
    return factors, {naming: n_first + i for i, naming in enumerate(said)}
