"""What a staged incident returns, to the framer and of the framed, by kind; and under which weights it does not pay."""

from __future__ import annotations

import numpy as np
import pandas as pd

from violencescore.montecarlo import FloatArray
from violencescore.robustness.basis import Basis, change, lead_shares
from violencescore.robustness.findings import described
from violencescore.robustness.insertions import inserted
from violencescore.robustness.staged_worlds import usual_harm, usual_insertions
from violencescore.robustness.worlds import Worlds
from violencescore.sampling import Progress

WORTH = 0.01
"""A staged incident pays where it moves a probability of being first by this much."""

TIMES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
_LOOKS = 4
"""Staged incidents over whose evidence a return is averaged."""


def _likely(density: FloatArray) -> FloatArray:
    """Importance of the draws by a log density (chain, draw, option); each option's sum to one."""
    weight = np.exp(density - density.max(axis=(0, 1)))
    return np.asarray(weight / weight.sum(axis=(0, 1)))


def return_table(basis: Basis, seed: int, progress: Progress) -> pd.DataFrame:
    """Return what one staged incident of each kind adds, on average over how it usually looks.

    Returns
    -------
    pandas.DataFrame
        framer_id, framed_id, category, to_framed and to_framer (mean change of their scores: what is credited to each
        plus what the model learns from it), harm (the weighted harm that was done), framed_change and framer_change (of
        P(first)), with framed_mcse and framer_mcse.
    """
    worlds = basis.worlds
    totals, margin = worlds.totals(), basis.methodology.decision.margin
    first = lead_shares(totals, margin)
    weights = basis.weights.to_series()
    kinds = [c for c, label in enumerate(worlds.design.kinds) if weights.get(label, 0.0) > 0]
    pairs = [(j, k) for k in basis.ids for j in basis.ids if j != k]
    rows = []
    for i, (framer, framed) in enumerate(pairs):
        progress("returns", i, len(pairs))
        looks = [o for c in kinds for o in usual_insertions(basis, framer, framed, _LOOKS, seed, c)]
        density, share = inserted(worlds, looks)
        weight = _likely(density)
        at = [basis.ids.index(framer), basis.ids.index(framed)]
        for place, c in enumerate(kinds):
            own = slice(place * _LOOKS, (place + 1) * _LOOKS)
            harm = float(weights[worlds.design.kinds[c]]) * usual_harm(basis, c)
            found = [_return(totals, first, weight[..., own], share[..., own, :], harm, worlds, k, margin) for k in at]
            (own_gain, own_change, own_error), (gain, moved, error) = found
            rows.append(
                (framer, framed, worlds.design.kinds[c], gain, own_gain, harm, moved, error, own_change, own_error)
            )
    progress("returns", len(pairs), len(pairs))
    columns = [
        *("framer_id", "framed_id", "category", "to_framed", "to_framer", "harm"),
        *("framed_change", "framed_mcse", "framer_change", "framer_mcse"),
    ]
    table = pd.DataFrame(rows, columns=columns)
    return described(table, "mean change of scores, and of P(first), by one staged incident", "reweighted")


def _return(
    totals: FloatArray,
    first: FloatArray,
    weight: FloatArray,
    share: FloatArray,
    harm: float,
    worlds: Worlds,
    k: int,
    margin: float,
) -> tuple[float, float, float]:
    """Return the change of an organization's mean score, and of its P(first) with error, over some looks."""
    ranked, size = worlds.ranked, worlds.size
    credited = weight * (totals[..., k, None] + harm / size[..., k, None] * share[..., ranked[k]])
    gain = float(credited.sum(axis=(0, 1)).mean() - totals[..., k].mean())
    after = first[..., k, None] * (1 - share[..., ranked].sum(axis=-1))
    for place, actor in enumerate(ranked):
        more = totals.copy()
        more[..., place] += harm / size[..., place]
        after = after + share[..., actor] * lead_shares(more, margin)[..., k, None]
    mixed = (weight * after).sum(axis=-1) / weight.sum(axis=-1)
    moved, error = change(first[..., k], mixed, weight.mean(axis=-1))
    return gain, moved, error


def weight_table(basis: Basis, seed: int, times: tuple[float, ...] = TIMES) -> pd.DataFrame:
    """Return under which weights it pays the leader to stage incidents as the runner-up.

    Each category's weight in turn is multiplied, the others staying as they are; all scores change with it.

    Returns
    -------
    pandas.DataFrame
        framer_id, framed_id, category, times, weight, change (of P(framed first) by one staged incident as it usually
        comes), mcse, pays (whether it moves it by `WORTH` or more).
    """
    order = sorted(basis.ids, key=lambda i: -basis.decision.p_first[i].p)
    if len(order) < 2:
        return described(pd.DataFrame(columns=["category", "times"]), "there is no runner-up", "draws")
    framer, framed = order[0], order[1]
    worlds, k = basis.worlds, basis.ids.index(framed)
    weights, margin = basis.weights.to_series(), basis.methodology.decision.margin
    totals = worlds.totals()
    rows = []
    for c, label in enumerate(worlds.design.kinds):
        if weights.get(label, 0.0) <= 0:
            continue
        density, share = inserted(worlds, usual_insertions(basis, framer, framed, _LOOKS, seed, c))
        weight = _likely(density)
        own = _of_category(basis, label)
        for factor in times:
            changed = totals + (factor - 1) * own
            first = lead_shares(changed, margin)
            harm = factor * float(weights[label]) * usual_harm(basis, c)
            _, moved, error = _return(changed, first, weight, share, harm, worlds, k, margin)
            rows.append((framer, framed, label, factor, factor * float(weights[label]), moved, error, moved >= WORTH))
    columns = ["framer_id", "framed_id", "category", "times", "weight", "change", "mcse", "pays"]
    table = pd.DataFrame(rows, columns=columns)
    return described(
        table, "change of P(runner-up first) by one incident that the leader stages in its name", "reweighted"
    )


def _of_category(basis: Basis, label: str) -> FloatArray:
    """What a category adds to each score (chain, draw, organization): its share of each incident, by best counts."""
    worlds, table = basis.worlds, basis.tables.harms
    weighed = table["best"].to_numpy(float) * table["category"].map(basis.weights.to_series()).fillna(0.0).to_numpy(
        float
    )
    ids = worlds.design.incident_id[worlds.incident]
    whole = pd.Series(weighed).groupby(table["incident_id"].to_numpy()).sum().reindex(ids).to_numpy()
    own = pd.Series(np.where(table["category"] == label, weighed, 0.0)).groupby(table["incident_id"].to_numpy()).sum()
    share = np.divide(own.reindex(ids).to_numpy(), whole, out=np.zeros(len(ids)), where=whole > 0)
    return worlds.totals(worlds.value * share)
