"""Futures, drawn: what would be seen in another week, or by another source, by the draw that is true.

Each says what every draw makes of it: whose the incidents are then, and how probable the draw had made what is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr
from numba import njit

from violencescore.bench.likelihood import naming_probabilities
from violencescore.design import Design
from violencescore.errors import RefusedError
from violencescore.model.zerosum import OPTIONS
from violencescore.names import WINDOW
from violencescore.robustness.allotment import Chances, Incidents, Placed, SingleArray, pick
from violencescore.robustness.series import bond_left
from violencescore.robustness.ties import Ends, draw_again, flat_bond, incident_of_nodes, tied_draws

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

DAYS_OF_A_WEEK = 7

type Future = Callable[[int], tuple[FloatArray, FloatArray, FloatArray]]
"""Given the draw that is true: its undivided scores then (actor), and, of all draws as far as they know by what is
seen, their scores (draw, actor) and its log probability (draw)."""


@dataclass(frozen=True, eq=False)
class Stage:
    """What another week begins with.

    Attributes
    ----------
    ends
        Where the series of incidents that hang together stand.
    stratum
        Of staging, that of an incident of each kind after the window (kind).
    days
        How much longer the window lasts.
    """

    ends: Ends
    stratum: IntArray
    days: int = DAYS_OF_A_WEEK


def another_week(
    design: Design, incidents: Incidents, placed: Placed, draws: xr.Dataset, stage: Stage, rng: np.random.Generator
) -> Future:
    """Return futures in which the window lasts longer.

    The draw that is true makes the incidents of so many days, at its rates of the window, and what each channel says
    of them, once. Each has the harms of an incident of the window of the same kind, and, where there is one, of the
    same perpetrator. All draws are weighed by the density of what came (see ``docs/model.md``).

    Parameters
    ----------
    draws
        Named quantities of the draws, one chain.

    Raises
    ------
    RefusedError
        If incidents lie between candidates: how many there will be between whom is not modelled.
    """
    if design.engages:
        raise RefusedError("Incidents lie between candidates, and how many will come between whom is not modelled.")
    model = _week_arrays(design, draws, stage)
    share = stage.days / float(design.days[design.periods.index(WINDOW)])
    kind_of = design.groups.kind[incidents.group]
    total = model.rate.sum(axis=(1, 2)) * share

    def like(true: int, kind: int, actor: int) -> int:
        same = incidents.in_window & (kind_of == kind)
        own = same & (placed.who[true] == actor)
        for choice in (own, same, incidents.in_window):
            if choice.any():
                return int(rng.choice(np.flatnonzero(choice)))
        return 0

    def future(true: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        seen, who = _come(model, stage, placed.who, true, int(rng.poisson(total[true])), rng)
        amounts = placed.amount[:, [like(true, c, k) for c, k in zip(seen.kind, who, strict=True)]]
        scores, log_weight = placed.scores.copy(), -total
        _meet(model, seen, placed.who, amounts, int(rng.integers(2**31)), scores, log_weight)
        truth = placed.scores[true].copy()
        np.add.at(truth, who, amounts[true])
        return truth, scores, log_weight

    return future


class _Week(NamedTuple):
    """What a draw knows of incidents to come; channels that speak, of which the forgeable ones stand apart."""

    rate: FloatArray
    presence: FloatArray
    says: FloatArray
    echo: FloatArray
    follow: FloatArray
    forgeable: npt.NDArray[np.bool_]
    share: FloatArray
    target: FloatArray
    bond: FloatArray


def _week_arrays(design: Design, draws: xr.Dataset, stage: Stage) -> _Week:
    flat = {str(name): values.values[0].astype(np.float64) for name, values in draws.data_vars.items()}
    window = design.periods.index(WINDOW)
    n, n_actors = len(flat["rate"]), len(design.actors)
    says = np.stack([said_by(flat, h, design) for h in range(len(design.channels))], axis=1)
    echo, follow = (np.zeros((n, len(design.channels))) for _ in range(2))
    for i, channel in enumerate(design.echoing):
        h = design.channels.index(channel)
        echo[:, h], follow[:, h] = flat["echo"][:, i], flat["follow"][:, i]
    stages = "false_flag" in flat
    return _Week(
        rate=np.ascontiguousarray(flat["rate"][:, :, window]),
        presence=np.ascontiguousarray(flat["presence"]),
        says=np.ascontiguousarray(says),
        echo=echo,
        follow=follow,
        forgeable=np.asarray(design.forgeable, dtype=bool),
        share=flat["false_flag"][:, stage.stratum] if stages else np.zeros((n, len(design.kinds), n_actors)),
        target=np.ascontiguousarray(flat["target"]) if stages else np.zeros((n, n_actors, n_actors)),
        bond=flat_bond(draws, stage.ends),
    )


def said_by(flat: Mapping[str, FloatArray], channel: int, design: Design) -> FloatArray:
    """Return whom a channel names, by who did it, silence in the last place (draw, actor, named or silent)."""
    reach = flat["reach"][:, channel, :, None]
    return np.concatenate([reach * naming_probabilities(flat, channel, design.kin), 1.0 - reach], axis=2)


class _Seen(NamedTuple):
    """Incidents that came, in the order of time.

    Kind and region of each; what each channel said (incident, channel); whether earlier channels had spoken, and the
    share of what they said that is the same (incident, channel); the one before it in its region, among those that came
    (``parent``) and else among those of the tables (``before``), -1 for none; and what distance leaves of their bond.
    """

    kind: IntArray
    region: IntArray
    said: IntArray
    after: npt.NDArray[np.bool_]
    repeated: FloatArray
    parent: IntArray
    before: IntArray
    left: FloatArray


def _come(
    model: _Week, stage: Stage, placed: npt.NDArray[np.int16], true: int, n: int, rng: np.random.Generator
) -> tuple[_Seen, IntArray]:
    """Draw what comes, by the draw that is true; and who did it."""
    rate = model.rate[true]
    at = rng.choice(rate.size, size=n, p=(rate / rate.sum()).ravel())
    kind, who = (index.astype(np.int64) for index in np.unravel_index(at, rate.shape))
    region = _draw_rows(model.presence[true].T[who], rng)
    parent, before, left = _line_up(region, np.sort(rng.integers(stage.days, size=n)), stage.ends)
    again = rng.random(n) < model.bond[true] * left
    for i in np.flatnonzero(again):  # each may repeat one that repeats another
        who[i] = who[parent[i]] if parent[i] >= 0 else placed[true, before[i]]
    seen = who.copy()
    staged = rng.random(n) < model.share[true][kind, who]
    seen[staged] = _draw_rows(model.target[true][who[staged]], rng)
    said, after, repeated = _speak(model, true, who, seen, rng)
    return _Seen(kind, region, said, after, repeated, parent, before, left), who


def _line_up(region: IntArray, day: IntArray, ends: Ends) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the one before each in its region: among those that come, among those of the tables; what is left."""
    n = len(region)
    parent, before = np.full(n, -1, dtype=np.int64), np.full(n, -1, dtype=np.int64)
    left = np.zeros(n)
    latest: dict[int, int] = {}
    for i, r in enumerate(region.tolist()):
        parent[i] = latest.get(r, -1)
        before[i] = -1 if r in latest else ends.last[r]
        apart = day[i] - day[parent[i]] if r in latest else day[i] + ends.ago[r]
        left[i] = bond_left(float(apart), ends.days) if max(parent[i], before[i]) >= 0 else 0.0
        latest[r] = i
    return parent, before, left


def _speak(
    model: _Week, true: int, who: IntArray, seen: IntArray, rng: np.random.Generator
) -> tuple[IntArray, npt.NDArray[np.bool_], FloatArray]:
    """Draw what each channel says of each incident; whether it comes after others; the share of these that it repeats.

    A channel that comes after others may speak because they did, and may repeat one of them.
    """
    n, n_channels = len(who), len(model.forgeable)
    silent = model.says.shape[3] - 1
    said = np.full((n, n_channels), silent, dtype=np.int64)
    after, repeated = np.zeros((n, n_channels), dtype=bool), np.zeros((n, n_channels))
    for h, forgeable in enumerate(model.forgeable):
        after[:, h] = (said[:, :h] < silent).any(axis=1)
        chances = model.says[true, h, seen if forgeable else who]
        said[:, h] = _draw_rows(chances, rng)
        follows = after[:, h] & (said[:, h] == silent) & (rng.random(n) < model.follow[true, h])
        said[follows, h] = _draw_rows(chances[follows, :silent], rng)
        echoes = rng.random(n) < model.echo[true, h]
        for i in np.flatnonzero(after[:, h] & (said[:, h] < silent)):
            earlier = said[i, :h][said[i, :h] < silent]
            if echoes[i]:
                said[i, h] = rng.choice(earlier)
            repeated[i, h] = float((earlier == said[i, h]).mean())
    return said, after, repeated


def _draw_rows(p: FloatArray, rng: np.random.Generator) -> IntArray:
    """Draw from each row of unnormalized probabilities."""
    below = p.cumsum(axis=1)
    drawn = (rng.random((len(p), 1)) * below[:, -1:] >= below).sum(axis=1)
    return np.asarray(np.minimum(drawn, p.shape[1] - 1), dtype=np.int64)


@njit(**OPTIONS)
def _meet(
    model: _Week, seen: _Seen, placed: npt.NDArray[np.int16], amounts: SingleArray, seed: int, scores: FloatArray,
    log_weight: FloatArray,
) -> None:  # fmt: skip
    """Allot new incidents in each draw, by its own chances, and weigh the draw by their density."""
    np.random.seed(seed)
    n_actors, silent = model.rate.shape[2], model.says.shape[3] - 1
    forged, below = np.empty(n_actors), np.empty(n_actors)
    who = np.empty(seen.kind.size, dtype=np.int64)
    for d in range(model.rate.shape[0]):
        for i in range(who.size):
            c, expected = seen.kind[i], 0.0
            for k in range(n_actors):
                forged[k] = 1.0
                below[k] = model.rate[d, c, k] * model.presence[d, seen.region[i], k]
                expected += below[k]
            again = model.bond[d] * seen.left[i]
            for k in range(n_actors):
                below[k] *= 1.0 - again
            if again > 0.0:
                parent = seen.parent[i]
                below[who[parent] if parent >= 0 else placed[d, seen.before[i]]] += again * expected
            for k in range(n_actors):
                for h in range(model.forgeable.size):
                    p = model.says[d, h, k, seen.said[i, h]]
                    if seen.after[i, h]:
                        of_itself = 1.0 - model.says[d, h, k, silent]
                        speaks = 1.0 - (1.0 - of_itself) * (1.0 - model.follow[d, h])
                        if seen.said[i, h] == silent:
                            p = 1.0 - speaks
                        else:
                            own = p / of_itself * speaks
                            p = own + model.echo[d, h] * (speaks * seen.repeated[i, h] - own)
                    if model.forgeable[h]:
                        forged[k] *= p
                    else:
                        below[k] *= p
            total = 0.0
            for k in range(n_actors):
                looks = (1.0 - model.share[d, c, k]) * forged[k]
                for m in range(n_actors):
                    looks += model.share[d, c, k] * model.target[d, k, m] * forged[m]
                total += below[k] * looks
                below[k] = total
            log_weight[d] += np.log(max(total, 1e-300))
            who[i] = pick(below, np.random.random() * total)
            scores[d, who[i]] += amounts[d, i]


def another_source(
    design: Design,
    incidents: Incidents,
    chances: Chances,
    placed: Placed,
    draws: xr.Dataset,
    channel: str,
    rng: np.random.Generator,
) -> Future:
    """Return futures in which another source of a kind that cannot be forged looks at every incident of the window.

    It is known to speak as often, and to be right as often, as the channel is expected to, and is independent of all
    that was said before.

    Parameters
    ----------
    draws
        Named quantities of the draws, one chain.
    channel
        One that cannot be forged.
    """
    flat = {str(name): values.values[0].astype(np.float64) for name, values in draws.data_vars.items()}
    says = said_by(flat, design.channels.index(channel), design).mean(axis=0)
    looked_at = np.flatnonzero(incidents.in_window)
    alone = looked_at[incidents.ties.node[looked_at] < 0]
    tied = tied_draws(design, draws)
    before = np.zeros(len(placed.scores)) if tied is None else tied.log_mixed()
    incident = incident_of_nodes(design)

    def future(true: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        said = np.full(len(incidents.group), says.shape[1], dtype=np.int64)
        said[looked_at] = _draw_rows(says[placed.who[true, looked_at]], rng)
        scores, log_weight = np.zeros_like(placed.scores), np.zeros(len(placed.scores))
        _hear(
            chances.staged, chances.honest_below, chances.staged_below, incidents.group, placed.amount, alone,
            said[alone], says, int(rng.integers(2**31)), scores, log_weight,
        )  # fmt: skip
        if tied is not None:
            # Outside the window nothing is asked.
            likelihood = np.column_stack([says, np.ones(len(says))])[:, said[incident]].T
            who, told = draw_again(tied, likelihood, rng.random(tied.repeat.shape), before)
            np.add.at(scores, (np.arange(len(scores))[:, None], who), placed.amount[:, incident])
            log_weight += told
        return placed.scores[true], scores, log_weight

    return future


@njit(**OPTIONS)
def _hear(
    staged: SingleArray, honest_below: SingleArray, staged_below: SingleArray, group: IntArray, amount: SingleArray,
    looked_at: IntArray, said: IntArray, says: FloatArray, seed: int, scores: FloatArray, log_weight: FloatArray,
) -> None:  # fmt: skip
    """Allot the incidents anew in each draw, given what was said of each; and weigh the draw by that."""
    np.random.seed(seed)
    n_actors = honest_below.shape[2]
    below = np.empty(n_actors)
    for d in range(scores.shape[0]):
        for at in range(looked_at.size):
            i = looked_at[at]
            g = group[i]
            total = 0.0
            for k in range(n_actors):
                honest = honest_below[d, g, k] - (honest_below[d, g, k - 1] if k > 0 else 0.0)
                false = staged_below[d, g, k] - (staged_below[d, g, k - 1] if k > 0 else 0.0)
                share = (1.0 - staged[d, g]) * honest + staged[d, g] * false
                total += max(share, 0.0) * says[k, said[at]]
                below[k] = total
            log_weight[d] += np.log(max(total, 1e-300))
            scores[d, pick(below, np.random.random() * total)] += amount[d, i]
