"""Draws of harm by unit: members summed inside each draw, under each published tree.

What a unit did is a linear map of what its members did: a credit for each class of incidents (segment of the window,
alliances), member and unit. Harms are summed, draw by draw, and ranks are taken afterwards; no probability is added.
What the draws hold of no class (violence that nobody recorded) is spread evenly over the days of the window, and shared
by nobody. The estimand ``rate`` looks ahead, so that units are as on the window's last day, and nothing is shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from violencescore.names import CATEGORY, CHAIN, DRAW, ORGANIZATION
from violencescore.trees import Classes, Trees
from violencescore.unit_options import Shared

FloatArray = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

UNITS = "units"
"""Group of the posterior from which scores under any published tree follow."""
TREE, MEMBER, UNIT, CLASS, KIND = "tree", "member", "unit", "class", "kind"


@dataclass(frozen=True, eq=False)
class MemberHarm:
    """Draws of harm by organization, ranked or not, ``other`` last.

    Attributes
    ----------
    realized, baseline
        In the window and, where there is one, in the baseline (chain, draw, actor, category).
    expected
        In a window such as this one (chain, draw, actor, category).
    by_class
        The recorded part of ``realized`` (chain, draw, class, actor, category); None where there is a single class.
    """

    realized: FloatArray
    expected: FloatArray
    baseline: FloatArray | None
    by_class: FloatArray | None


def credit_matrix(trees: Trees, classes: Classes | None, rule: Shared) -> FloatArray:
    """Return the credit of each unit for what each member did (tree, class, member, unit).

    The last class is what no class holds: a member's units on the days of the window, by their number. The rules for an
    incident that a pair of allies shares, whichever of the two did it: ``perpetrator`` (who did it), ``equal`` (a part
    each, of which all add up to one), ``each`` (the whole to each; to a unit that holds several of them, once).
    """
    n_trees, n_segments, n = trees.head.shape
    segment = np.zeros(0, dtype=np.int64) if classes is None else classes.segment
    credit = np.zeros((n_trees, len(segment) + 1, n, n))
    share = trees.days / trees.days.sum()
    everyone = np.arange(n)
    for t in range(n_trees):
        for s in range(n_segments):
            np.add.at(credit[t, -1], (everyone, trees.head[t, s]), share[s])
        for c, s in enumerate(segment):
            shared = np.zeros(len(trees.pairs), dtype=bool) if classes is None else classes.shared[c]
            for k in range(n):
                allies = _allies(k, trees.pairs, shared) if rule != "perpetrator" else (k,)
                for ally in allies:
                    unit = trees.head[t, s, ally]
                    if rule == "equal":
                        credit[t, c, k, unit] += 1.0 / len(allies)
                    else:
                        credit[t, c, k, unit] = 1.0
    return credit


def _allies(k: int, pairs: tuple[tuple[int, int], ...], shared: Flags) -> tuple[int, ...]:
    """Return k and those who share what it did."""
    others = [b if a == k else a for (a, b), holds in zip(pairs, shared, strict=True) if holds and k in (a, b)]
    return (k, *others)


def _revenue_credit(trees: Trees, known: Flags) -> FloatArray:
    """Return what each unit gets of each member's revenue (tree, member, unit).

    A unit's revenue is the sum over its members, by their days in it, of whom there is an estimate (``known``); where
    there is none of any, that of the one it is named after, which is a guess.
    """
    n_trees, n_segments, n = trees.head.shape
    credit = np.zeros((n_trees, n, n))
    share = trees.days / trees.days.sum()
    for t in range(n_trees):
        for s in range(n_segments):
            np.add.at(credit[t], (np.flatnonzero(known), trees.head[t, s][known]), share[s])
        nobody = np.flatnonzero(~(credit[t] > 0).any(axis=0))
        credit[t, nobody, nobody] = 1.0
    return credit


def counted_members(trees: Trees) -> Flags:
    """Return which organizations are part of a unit that is ranked, in any tree (member)."""
    tree = np.arange(len(trees.names))[:, None, None]
    counts: Flags = trees.ranked[tree, trees.head].any(axis=(0, 1))
    return counts


def unit_draws(
    trees: Trees,
    classes: Classes | None,
    rule: Shared,
    harm: MemberHarm,
    revenue: Mapping[str, tuple[FloatArray, Flags]],
    names: Mapping[str, str],
    categories: tuple[str, ...],
) -> xr.Dataset:
    """Put together what scores under any tree follow from: the group ``units`` of a posterior.

    Parameters
    ----------
    revenue
        Draws by kind (chain, draw, member), and of which members there is an estimate.
    names
        Id -> name.
    """
    sample = (CHAIN, DRAW)
    whole = harm.realized[:, :, :-1]
    parts = [] if harm.by_class is None else list(np.moveaxis(harm.by_class[:, :, :, :-1], 2, 0))
    rest = whole - sum(parts) if parts else whole
    credit = credit_matrix(trees, classes if parts else None, rule)
    if parts and not rest.any():  # all is recorded, and so in some class
        credit = credit[:, :-1]
    else:
        parts.append(rest)
    data: dict[str, Any] = {
        "harm_realized": ((*sample, CLASS, MEMBER, CATEGORY), np.stack(parts, axis=2)),
        "harm_rate": ((*sample, MEMBER, CATEGORY), harm.expected[:, :, :-1]),
        "credit": ((TREE, CLASS, MEMBER, UNIT), credit),
        "head": ((TREE, MEMBER, "when"), trees.head[:, [0, -1]].transpose(0, 2, 1)),
        "ranked": ((TREE, UNIT), trees.ranked),
    }
    if harm.baseline is not None:
        data["harm_baseline"] = ((*sample, MEMBER, CATEGORY), harm.baseline[:, :, :-1])
    if revenue:
        data["revenue"] = ((KIND, *sample, MEMBER), np.stack([draws for draws, _ in revenue.values()]))
        credits = np.stack([_revenue_credit(trees, known) for _, known in revenue.values()])
        data["revenue_credit"] = ((KIND, TREE, MEMBER, UNIT), credits)
    coords: dict[str, Any] = {TREE: list(trees.names), MEMBER: list(trees.members), UNIT: list(trees.members)}
    coords |= {CATEGORY: list(categories), "when": ["first day", "last day"]}
    coords["name"] = (MEMBER, [names[id_] for id_ in trees.members])
    if revenue:
        coords[KIND] = list(revenue)
    return xr.Dataset(data, coords=coords)


_AHEAD_AND_BEFORE: tuple[tuple[str, Literal["first day", "last day"]], ...] = (
    ("harm_rate", "last day"),
    ("harm_baseline", "first day"),
)


def harms_at(units: xr.Dataset, tree: str) -> xr.Dataset:
    """Return draws of harm by ranked unit (chain, draw, organization, category), as the group ``harms`` holds them."""
    found = {}
    chosen = units.sel({TREE: tree})
    ids = [str(id_) for id_ in units[UNIT].values[chosen["ranked"].values.astype(bool)]]
    credit = _exact(chosen["credit"].sel({UNIT: ids}))
    realized = units["harm_realized"]
    whole = bool((realized == np.round(realized)).all()) and credit.dtype == np.int64
    found["harm_realized"] = xr.dot(realized.astype(np.int64) if whole else realized, credit, dim=(CLASS, MEMBER))
    for name, day in _AHEAD_AND_BEFORE:
        if name in units:
            found[name] = xr.dot(units[name], _belonging(chosen, day, ids), dim=MEMBER)
    names = dict(zip(units[MEMBER].values.tolist(), units["name"].values.tolist(), strict=True))
    renamed = xr.Dataset(found).rename({UNIT: ORGANIZATION}).transpose(CHAIN, DRAW, ORGANIZATION, CATEGORY)
    kept = renamed.drop_vars([name for name in renamed.coords if name not in (ORGANIZATION, CATEGORY)])
    return kept.assign_coords({"name": (ORGANIZATION, [str(names[id_]) for id_ in ids])})


def _exact(credit: xr.DataArray) -> xr.DataArray:
    """Return the credit as integers where it is nothing but wholes, so that counts stay counts."""
    return credit.astype(np.int64) if bool((credit == np.round(credit)).all()) else credit


def _belonging(chosen: xr.Dataset, day: Literal["first day", "last day"], ids: list[str]) -> xr.DataArray:
    """Whether each member is part of each unit on a day (member, unit)."""
    head = chosen["head"].sel(when=day).values.astype(np.int64)
    units = [str(id_) for id_ in chosen[UNIT].values]
    flags = head[:, None] == np.arange(len(units))
    return xr.DataArray(flags.astype(float), dims=(MEMBER, UNIT), coords={UNIT: units}).sel({UNIT: ids})


def revenue_at(units: xr.Dataset, tree: str) -> xr.Dataset | None:
    """Return draws of revenue by ranked unit and kind; None without estimates."""
    if "revenue" not in units:
        return None
    chosen = units.sel({TREE: tree})
    ids = [str(id_) for id_ in units[UNIT].values[chosen["ranked"].values.astype(bool)]]
    draws = xr.dot(units["revenue"], chosen["revenue_credit"].sel({UNIT: ids}), dim=MEMBER)
    draws = draws.rename({UNIT: ORGANIZATION}).transpose(KIND, CHAIN, DRAW, ORGANIZATION)
    kinds = {str(kind): draws.sel({KIND: kind}, drop=True) for kind in units[KIND].values}
    kept = xr.Dataset(kinds)
    return kept.drop_vars([name for name in kept.coords if name != ORGANIZATION])


def posterior_at(posterior: xr.DataTree, tree: str) -> xr.DataTree:
    """Return what scores are made of (harms, revenue, weights) with the units of another published tree.

    Without a group ``units`` every row counts by itself, under any tree.

    Raises
    ------
    KeyError
        If the tree was not published when the model was fitted.
    """
    if UNITS not in posterior.children:
        return posterior
    units = posterior[UNITS].to_dataset()
    groups = {"harms": harms_at(units, tree)}
    if (revenue := revenue_at(units, tree)) is not None:
        groups["revenue"] = revenue
    if "weights" in posterior.children:
        groups["weights"] = posterior["weights"].to_dataset()
    found = xr.DataTree.from_dict(groups)
    found.attrs |= posterior.attrs
    return found


def tree_names(posterior: xr.DataTree) -> tuple[str, ...]:
    """Return the published trees, that of the verdict first; none where every row counts by itself."""
    if UNITS not in posterior.children:
        return ()
    return tuple(str(name) for name in posterior[UNITS].to_dataset()[TREE].values)


def member_names(posterior: xr.DataTree) -> dict[str, str]:
    """Return the name of each organization, ranked or not."""
    units = posterior[UNITS].to_dataset()
    return {str(id_): str(name) for id_, name in zip(units[MEMBER].values, units["name"].values, strict=True)}


def memberships(posterior: xr.DataTree, tree: str) -> dict[str, tuple[str, str]]:
    """Return the unit of each organization on the first and the last day of the window."""
    units = posterior[UNITS].to_dataset().sel({TREE: tree})
    ids = [str(id_) for id_ in units[MEMBER].values]
    heads = units["head"].values.astype(np.int64)
    return {id_: (ids[first], ids[last]) for id_, (first, last) in zip(ids, heads, strict=True)}
