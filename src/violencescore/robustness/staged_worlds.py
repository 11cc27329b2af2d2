"""Staged incidents, drawn: what they look like, whose they would be, and what the scores are with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from violencescore.bench.likelihood import naming_probabilities
from violencescore.montecarlo import FloatArray
from violencescore.names import CHAIN, DRAW, WINDOW
from violencescore.robustness.basis import Basis
from violencescore.robustness.insertions import Insertion, inserted, inserted_together
from violencescore.robustness.worlds import learned

IntArray = npt.NDArray[np.int64]

_CLOSELY = 24

AT_HOME = 0.05
"""Least share of a framer's work in a region for it to stage incidents there."""


@dataclass(frozen=True, eq=False)
class Staged:
    """A sequence of staged incidents in every draw.

    Attributes
    ----------
    insertions
        What they look like.
    log_density
        Of each, given those before it (chain, draw, incident).
    taught
        How far each moves the mean of each score by what the model learns from it (incident, organization).
    place
        Whose it would be: index of a rankable organization, -1 for nobody's (chain, draw, incident).
    value
        What it would add to the score (chain, draw, incident).
    base
        The scores without them (chain, draw, organization).
    """

    insertions: tuple[Insertion, ...]
    log_density: FloatArray
    taught: FloatArray
    place: IntArray
    value: FloatArray
    base: FloatArray

    def reordered(self, order: npt.NDArray[np.integer]) -> Staged:
        """Return the same incidents in another order."""
        return dataclasses.replace(
            self,
            insertions=tuple(self.insertions[i] for i in order),
            log_density=self.log_density[..., order],
            taught=self.taught[order],
            place=self.place[..., order],
            value=self.value[..., order],
        )

    def totals(self, n: int) -> FloatArray:
        """Return the scores with the first ``n`` of them, to first order (see `worlds.learned`)."""
        return self.credited(n) + self.taught[:n].sum(axis=0)

    def credited(self, n: int) -> FloatArray:
        """Return the scores with the harm of the first ``n``, what the model learns from them apart."""
        totals = self.base.copy()
        for k in range(totals.shape[-1]):
            totals[..., k] += np.where(self.place[..., :n] == k, self.value[..., :n], 0.0).sum(axis=-1)
        return totals


def usual_harm(basis: Basis, kind: int) -> int:
    """Return the mean count of the harm that names a kind, rounded, in the incidents of that kind; at least one."""
    label = basis.worlds.design.kinds[kind]
    table = basis.tables.harms
    own = table.loc[table["category"] == label, "best"]
    return max(1, round(float(own.mean()))) if len(own) else 1


def staged_worlds(basis: Basis, insertions: Sequence[Insertion], seed: int) -> Staged:
    """Say of staged incidents how probable each is in each draw, and draw whose it is."""
    unique = list(dict.fromkeys(insertions))
    density, share = inserted(basis.worlds, unique)
    which = np.array([unique.index(insertion) for insertion in insertions])
    weights = basis.weights.to_series()
    kinds = basis.worlds.design.kinds
    worth = {c: weights.get(kinds[c], 0.0) * usual_harm(basis, c) for c in {i.kind for i in unique}}
    harm = np.array([worth[i.kind] for i in insertions])
    u = np.random.default_rng(seed).random((*basis.worlds.shape, len(insertions)))
    if (together := inserted_together(basis.worlds, insertions, u)) is not None:
        log_density, actor = together
    else:
        below = np.cumsum(share, axis=-1)[..., which, :]
        log_density, actor = density[..., which], (u[..., None] > below[..., :-1]).sum(axis=-1, dtype=np.int16)
    organization = np.full(len(basis.worlds.design.actors), -1)
    organization[basis.worlds.ranked] = np.arange(len(basis.worlds.ranked))
    place = organization[actor]
    size = np.take_along_axis(basis.worlds.size, np.maximum(place, 0), axis=-1)
    totals = basis.worlds.totals()
    taught = learned(totals, density)[which]
    return Staged(tuple(insertions), log_density, taught, place, harm / size, totals)


def best_placed(basis: Basis, framer: str, framed: str, n: int, options: Options | None = None) -> Staged:
    """Return ``n`` staged incidents where and as they move the lead of the framed one most, draw for draw alike.

    Parameters
    ----------
    options
        As by `staging_options` for the framed one; computed unless given.
    """
    options = staging_options(basis, framed) if options is None else options
    j = basis.worlds.design.actors.index(framer)
    presence = basis.worlds.quantities["presence"].mean([CHAIN, DRAW]).values[:, j]
    at_home = np.array([presence[o.region] >= min(AT_HOME, presence.max()) for o in options.insertions])
    best = int(np.where(at_home, options.gain, -np.inf).argmax())
    return staged_worlds(basis, [options.insertions[best]] * n, basis.seed)


@dataclass(frozen=True, eq=False)
class Options:
    """All ways to stage one incident as an organization's, and how far each moves its mean lead over the others."""

    insertions: tuple[Insertion, ...]
    gain: FloatArray


def staging_options(basis: Basis, framed: str) -> Options:
    """Return every kind and region with all forgeable channels naming the framed one; the best also with each alone."""
    design = basis.worlds.design
    k = design.actors.index(framed)
    weights = basis.weights.to_series()
    kinds = [c for c, label in enumerate(design.kinds) if weights.get(label, 0.0) > 0]
    channels = [h for h in range(len(design.channels)) if design.forgeable[h] and not design.candidates[h]]
    everywhere = [Insertion(c, r, tuple((h, k) for h in channels)) for c in kinds for r in range(len(design.regions))]
    gain = _mean_gain(basis, everywhere, framed)
    best = [everywhere[i] for i in np.argsort(-gain, kind="stable")[:_CLOSELY]]
    alone = [dataclasses.replace(option, named=((h, k),)) for option in best for h in channels if len(channels) > 1]
    more = _mean_gain(basis, alone, framed) if alone else np.empty(0)
    return Options((*everywhere, *alone), np.concatenate([gain, more]))


def _mean_gain(basis: Basis, options: Sequence[Insertion], framed: str) -> FloatArray:
    """How far one of each moves the mean lead of the framed one over the best of the others (option)."""
    density, share = inserted(basis.worlds, options)
    worlds, k = basis.worlds, basis.ids.index(framed)
    totals = worlds.totals()
    others = np.delete(np.arange(len(basis.ids)), k)
    if not len(others):
        return np.zeros(len(options))
    top = others[totals[..., others].argmax(axis=-1)]
    rival = np.take_along_axis(share, worlds.ranked[top][..., None, None], axis=-1)[..., 0]
    weights = basis.weights.to_series()
    worth = {c: weights[worlds.design.kinds[c]] * usual_harm(basis, c) for c in {o.kind for o in options}}
    value = np.array([worth[o.kind] for o in options])
    direct = (value / worlds.size[..., k, None] * (share[..., worlds.ranked[k]] - rival)).mean(axis=(0, 1))
    taught = learned(totals, density)
    above = np.bincount(top.ravel(), minlength=len(basis.ids)) / top.size
    return np.asarray(direct + taught[:, k] - taught @ above)


def usual(basis: Basis, framer: str, framed: str, n: int, seed: int, kind: int | None = None) -> Staged:
    """Return ``n`` staged incidents as they usually come, all of one kind where that is given."""
    return staged_worlds(basis, usual_insertions(basis, framer, framed, n, seed, kind), seed)


def usual_insertions(
    basis: Basis, framer: str, framed: str, n: int, seed: int, kind: int | None = None
) -> list[Insertion]:
    """Draw what ``n`` incidents look like that one stages as the work of another, at the posterior means."""
    design = basis.worlds.design
    rng = np.random.default_rng([seed, design.actors.index(framer), design.actors.index(framed)])
    mean = basis.worlds.means
    j, k = design.actors.index(framer), design.actors.index(framed)
    rate = mean["rate"][0, :, design.periods.index(WINDOW), j]
    weights = basis.weights.to_series()
    rate = rate * np.array([weights.get(label, 0.0) > 0 for label in design.kinds])
    kinds = rng.choice(len(rate), size=n, p=rate / rate.sum()) if kind is None else np.full(n, kind)
    presence = mean["presence"][0, :, j]
    regions = rng.choice(len(presence), size=n, p=presence / presence.sum())
    named: list[list[tuple[int, int]]] = [[] for _ in range(n)]
    for h in range(len(design.channels)):
        if design.candidates[h]:
            continue
        as_if = k if design.forgeable[h] else j
        chance = naming_probabilities(mean, h, design.kin)[0, as_if, :-1]
        speaks = rng.random(n) < mean["reach"][0, h, as_if]
        said = rng.choice(len(chance), size=n, p=chance / chance.sum())
        for i in np.flatnonzero(speaks):
            named[i].append((h, int(said[i])))
    return [Insertion(int(c), int(r), tuple(e)) for c, r, e in zip(kinds, regions, named, strict=True)]
