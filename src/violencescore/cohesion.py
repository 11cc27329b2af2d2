"""How much of the violence is common to an organization's sub-units: how centrally is it ordered?

Each draw of the posterior holds a log rate of every sub-unit. They vary between organizations and, within one, between
its sub-units; the share that is common to the sub-units of an organization is the intraclass correlation of a one-way
random-effects model. In each draw the share and the spread are drawn anew from their posterior on a grid, so that what
few sub-units cannot tell stays open. The prior of the share is uniform: a contraction near zero says that it is what
one gets. The rates come from a model that shrinks every organization towards a common mean and knows no parents; with
few incidents a sub-unit this blurs the share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from violencescore.methodology import Methodology
from violencescore.names import BASELINE, CATEGORY, CHAIN, DRAW, PERIOD, WINDOW
from violencescore.scores import published_weights
from violencescore.unit_options import PARENT
from violencescore.units import MEMBER, UNITS, memberships, tree_names

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

type Measure = Literal["level", "change"]

MEASURES: dict[Measure, str] = {
    "level": "how violent they are in the window",
    "change": "how they changed from the baseline to the window",
}

N_SHARES, N_SPREADS = 60, 40
PRIOR_VARIANCE = 1 / 12
"""Of a share that is uniform on [0, 1]."""


@dataclass(frozen=True, eq=False)
class Cohesion:
    """The share of the variance that is common to the sub-units of an organization.

    Attributes
    ----------
    measure
        What varies: a key of ``MEASURES``.
    share
        Draws of the share (draw); empty where it cannot be estimated.
    n_parents, n_units
        Organizations of two or more sub-units, and their sub-units (the parent's own row among them).
    note
        Why it cannot be estimated, or what to bear in mind; may be empty.
    """

    measure: Measure
    share: FloatArray
    n_parents: int
    n_units: int
    note: str = ""

    @property
    def contraction(self) -> float:
        """One minus the posterior's variance over the prior's: near zero, the data said nothing; NaN without draws."""
        return 1.0 - float(self.share.var()) / PRIOR_VARIANCE if len(self.share) else float("nan")

    def to_json_dict(self) -> dict[str, Any]:
        """Return median, 90 % interval, contraction and what they rest on."""
        low, median, high = np.quantile(self.share, (0.05, 0.5, 0.95)) if len(self.share) else (None, None, None)
        return {
            "measure": self.measure,
            "median": median,
            "low": low,
            "high": high,
            "contraction": self.contraction if len(self.share) else None,
            "n_parents": self.n_parents,
            "n_units": self.n_units,
            "note": self.note,
        }


def measure_cohesion(posterior: xr.DataTree, methodology: Methodology, measure: Measure, seed: int) -> Cohesion:
    """Estimate the share that is common to the sub-units of each organization.

    Parameters
    ----------
    posterior
        With the group ``units`` and, for ``change``, ``posterior``.
    methodology
        Whose weights the levels are made of.
    measure
        ``level``: log of the expected weighted harm in the window. ``change``: log ratio of the incidents expected in
        the window to those in the baseline, which a common order would move together.
    seed
        Seed of the draws.
    """
    if PARENT not in tree_names(posterior):
        return Cohesion(measure, np.empty(0), 0, 0, "No organization has sub-units.")
    heads = [last for _, last in memberships(posterior, PARENT).values()]
    parents = sorted(set(heads))
    group = np.array([parents.index(head) for head in heads])
    sizes = np.bincount(group)
    n_parents, n_units = int((sizes > 1).sum()), int(sizes[sizes > 1].sum())
    if n_parents == 0 or len(parents) < 2:
        note = "It takes an organization of two sub-units, and another to compare it with."
        return Cohesion(measure, np.empty(0), n_parents, n_units, note)
    values = _levels(posterior, methodology) if measure == "level" else _changes(posterior)
    if values is None:
        return Cohesion(measure, np.empty(0), n_parents, n_units, "There is no baseline to compare the window with.")
    share = sample_shares(values, group, np.random.default_rng(seed))
    note = "Few sub-units: what is said here is hardly more than the prior." if n_units < _FEW else ""
    return Cohesion(measure, share, n_parents, n_units, note)


_FEW = 6


def _levels(posterior: xr.DataTree, methodology: Methodology) -> FloatArray:
    """Log of the expected weighted harm of each member (draw, member)."""
    units = posterior[UNITS].to_dataset()
    weights = published_weights(posterior, methodology).reindex({CATEGORY: units[CATEGORY]}, fill_value=0.0)
    score = xr.dot(units["harm_rate"], weights, dim=CATEGORY).transpose(CHAIN, DRAW, MEMBER).values
    flat = score.reshape(-1, score.shape[-1])
    logs: FloatArray = np.log(np.maximum(flat, np.finfo(float).tiny))
    return logs


def _changes(posterior: xr.DataTree) -> FloatArray | None:
    """Log ratio of the window's rate to the baseline's, of each member (draw, member)."""
    rate = posterior["posterior"].to_dataset()["rate"].sum("kind")
    if BASELINE not in rate[PERIOD].values:
        return None
    both = rate.sel({PERIOD: [BASELINE, WINDOW]}).transpose(CHAIN, DRAW, PERIOD, "actor")
    members = np.log(both.values)[..., :-1]
    change: FloatArray = (members[:, :, 1] - members[:, :, 0]).reshape(-1, members.shape[-1])
    return change


def sample_shares(values: FloatArray, group: IntArray, rng: np.random.Generator) -> FloatArray:
    """Draw the common share of the variance once for each draw of the values.

    Parameters
    ----------
    values
        Log rates (draw, member).
    group
        Number of each member's organization, from 0.

    Notes
    -----
    Within organization j, x ~ N(m + u_j, s^2 (1 - r)) with u_j ~ N(0, s^2 r): r is the share. Flat priors of m and r;
    s has a half-Cauchy prior with scale 1 (Gelman 2006). Given r and s the likelihood depends on the means of the
    organizations and the sum of squares within them, m being integrated out.
    """
    sizes = np.bincount(group).astype(float)
    member = np.eye(len(sizes))[group]
    means = values @ member / sizes
    within = ((values - means[:, group]) ** 2).sum(axis=1)
    share = (np.arange(N_SHARES) + 0.5) / N_SHARES
    spread = np.tan(np.pi / 2 * (np.arange(N_SPREADS) + 0.5) / N_SPREADS)
    r, s = (grid.ravel() for grid in np.meshgrid(share, spread))
    freedom = len(group) - len(sizes)
    drawn = np.empty(len(values))
    for begin in range(0, len(values), _BLOCK):
        rows = slice(begin, begin + _BLOCK)
        log_density = np.column_stack(
            [_log_density(means[rows], within[rows], sizes, freedom, *at) for at in zip(r, s, strict=True)]
        )
        weight = np.exp(log_density - log_density.max(axis=1, keepdims=True)).cumsum(axis=1)
        chosen = (weight < rng.random((len(weight), 1)) * weight[:, -1:]).sum(axis=1)
        drawn[rows] = r[np.minimum(chosen, len(r) - 1)]
    return drawn + (rng.random(len(values)) - 0.5) / N_SHARES


_BLOCK = 2000
"""Draws that are looked at together: the grid takes 20 kB for each."""


def _log_density(
    means: FloatArray, within: FloatArray, sizes: FloatArray, freedom: int, share: float, spread: float
) -> FloatArray:
    """Log density of the values of each draw given share and spread, the common mean being integrated out."""
    precision = 1.0 / (spread**2 * (share + (1 - share) / sizes))
    total = precision.sum()
    centre = means @ precision / total
    between = ((means - centre[:, None]) ** 2) @ precision
    alone = spread**2 * (1 - share)
    constant = np.log(precision).sum() - np.log(total) - freedom * np.log(alone)
    density: FloatArray = 0.5 * (constant - between - within / alone)
    return density
