"""Would the model have produced this evidence? Posterior predictive checks of what matters for a verdict."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from violencescore.bench.likelihood import GroupWeights, group_weights, naming_probabilities, thin_draws
from violencescore.design import UNKNOWN, Design
from violencescore.names import CHAIN, DRAW, OTHER, WINDOW

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

N_DRAWS = 400
SILENT = -1


def predictive_checks(
    design: Design,
    posterior: xr.Dataset,
    pieces: pd.DataFrame,
    seed: int,
    n_draws: int = N_DRAWS,
) -> pd.DataFrame:
    """Compare the evidence with evidence that the model makes up for the same incidents.

    In each draw every incident keeps its kind, place, time and candidates; who did it is drawn (from the rates there,
    or is whom a court settled), whether it was staged and as whose work, and then what each channel says. A channel
    that speaks gives as many pieces as one of those incidents, at random, on which it spoke: the model says nothing of
    that number. Channels of candidate sets are given, and not made up. Gelman, Meng and Stern (1996).

    Parameters
    ----------
    pieces
        incident_id, channel, organization_id of every piece of evidence (``Assessment.evidence``).

    Returns
    -------
    pandas.DataFrame
        check (``named``: pieces in the window that name the organization; ``disagree``: incidents on which two channels
        name different organizations; ``unattributed``: incidents in the region of which no channel speaks), name,
        observed, mean, low, high (90 % of what the model makes up) and p, the share of it at or above the observed
        (half of what equals it).
    """
    draws = thin_draws(posterior, n_draws)
    index = pd.Index(design.incident_id)
    single = np.flatnonzero(~design.candidates)
    first, extra = _observed(design, pieces, index, single)
    seen = _statistics(design, first, extra, single)
    flat = {str(name): values.transpose(CHAIN, DRAW, ...).values for name, values in draws.data_vars.items()}
    flat = {name: values.reshape(-1, *values.shape[2:]) for name, values in flat.items()}
    rng = np.random.default_rng(seed)
    made: dict[str, list[FloatArray]] = {name: [] for name in seen}
    d = 0
    for weights in group_weights(design, draws):
        for i in range(len(weights.cell)):
            one = {name: values[d].astype(np.float64) for name, values in flat.items()}
            who, shown = _perpetrators(design, weights, i, one, rng)
            said, more = _speak(design, one, who, shown, single, extra, rng)
            for name, values in _statistics(design, said, more, single).items():
                made[name].append(values)
            d += 1
    names = _labels(design, single)
    rows = [_rows(check, names[check], seen[check], np.array(made[check])) for check in seen]
    table = pd.concat([part for part in rows if len(part)], ignore_index=True)
    never = (table["check"] == "named") & (table["name"] == OTHER) & (not design.other_is_named)
    return table[~never].reset_index(drop=True)


def _observed(design: Design, pieces: pd.DataFrame, index: pd.Index, single: IntArray) -> tuple[IntArray, IntArray]:
    """Return who each channel names first, ``SILENT`` where nobody (incident, channel), and all pieces in long form.

    The second has a row for each piece: incident, place of the channel among the single ones, actor.
    """
    place = {design.channels[h]: i for i, h in enumerate(single)}
    own = pieces[pieces["channel"].isin(place)]
    rows = np.column_stack(
        [
            index.get_indexer(pd.Index(own["incident_id"])),
            own["channel"].map(place).to_numpy(dtype=np.int64),
            pd.Index(design.actors).get_indexer(pd.Index(own["organization_id"])),
        ]
    ).astype(np.int64)
    first = np.full((len(index), len(single)), SILENT, dtype=np.int64)
    first[rows[::-1, 0], rows[::-1, 1]] = rows[::-1, 2]
    return first, rows


def _perpetrators(
    design: Design, weights: GroupWeights, i: int, one: Mapping[str, FloatArray], rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Draw who did each incident, and whose work it was made to look like."""
    group = design.incident_group
    pattern = design.groups.pattern[group]
    settled = design.patterns.perpetrator[pattern]
    who = np.where(settled != UNKNOWN, settled, _draw(weights.cell[i][group], rng))
    shown = who.copy()
    if "false_flag" not in one:
        return who, shown
    share = one["false_flag"][design.groups.period[group], who]
    known = design.patterns.staged[pattern]
    staged = np.where(known == UNKNOWN, rng.random(len(who)) < share, known == 1)
    framed = design.patterns.framed[pattern]
    target = np.where(framed != UNKNOWN, framed, _draw(one["target"][who], rng))
    return who, np.where(staged, target, who)


def _speak(
    design: Design,
    one: Mapping[str, FloatArray],
    who: IntArray,
    shown: IntArray,
    single: IntArray,
    pieces: IntArray,
    rng: np.random.Generator,
) -> tuple[IntArray, IntArray]:
    """Draw what each channel says of each incident: the first name, and all pieces in long form."""
    first = np.full((len(who), len(single)), SILENT, dtype=np.int64)
    alone = {name: values[None] for name, values in one.items()}
    long = []
    for i, h in enumerate(single):
        seen = shown if design.forgeable[h] else who
        spoken = np.flatnonzero(rng.random(len(who)) < one["reach"][h, seen])
        own = pieces[pieces[:, 1] == i, 0]
        sizes = np.unique(own, return_counts=True)[1]
        n = rng.choice(sizes, len(spoken)) if len(sizes) else np.ones(len(spoken), dtype=np.int64)
        at = np.repeat(spoken, n)
        named = _draw(naming_probabilities(alone, h, design.kin)[0][seen[at]], rng)
        first[at[::-1], i] = named[::-1]
        long.append(np.column_stack([at, np.full(len(at), i), named]))
    return first, np.concatenate(long) if long else np.empty((0, 3), dtype=np.int64)


def _draw(weights: FloatArray, rng: np.random.Generator) -> IntArray:
    """Draw a column for each row in proportion to its weights."""
    sums = np.cumsum(weights, axis=1)
    return np.asarray((rng.random(len(weights))[:, None] * sums[:, -1:] >= sums).sum(axis=1), dtype=np.int64)


def _statistics(design: Design, first: IntArray, pieces: IntArray, single: IntArray) -> dict[str, FloatArray]:
    group = design.incident_group
    in_window = design.groups.period[group] == design.periods.index(WINDOW)
    counted = pieces[in_window[pieces[:, 0]]]
    region = design.groups.region[group]
    between = design.patterns.contest[design.groups.pattern[group]] != UNKNOWN
    nothing = (first == SILENT).all(axis=1) & ~between
    return {
        "named": np.bincount(counted[:, 2], minlength=len(design.actors)).astype(float),
        "disagree": np.array([_disagreements(first[:, i], first[:, j]) for i, j in _pairs(len(single))]),
        "unattributed": np.bincount(region[nothing], minlength=len(design.regions)).astype(float),
    }


def _disagreements(left: IntArray, right: IntArray) -> float:
    return float(((left != SILENT) & (right != SILENT) & (left != right)).sum())


def _pairs(n: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(n) for j in range(i + 1, n)]


def _labels(design: Design, single: IntArray) -> dict[str, list[str]]:
    pairs = [f"{design.channels[single[i]]} and {design.channels[single[j]]}" for i, j in _pairs(len(single))]
    return {"named": list(design.actors), "disagree": pairs, "unattributed": list(design.regions)}


def _rows(check: str, names: list[str], seen: FloatArray, made: FloatArray) -> pd.DataFrame:
    if not names:
        return pd.DataFrame(columns=["check", "name", "observed", "mean", "low", "high", "p"])
    low, high = np.quantile(made, (0.05, 0.95), axis=0)
    p = (made > seen).mean(axis=0) + 0.5 * (made == seen).mean(axis=0)
    columns = {"observed": seen, "mean": made.mean(axis=0), "low": low, "high": high, "p": p}
    return pd.DataFrame({"check": check, "name": names, **columns})
