"""Suppression: what if less was reported where an organization is at home?

Whoever intimidates the press lowers its own score. Two curves over the probability rho with which incidents in its
regions were reported, against those elsewhere: *hidden*, what the verdict would be if that much was hidden and is
counted (each recorded incident of the organization there stands for a geometric number of them, 1 / rho on average,
the unrecorded ones as harmful as the recorded ones); and *gained*, what it would gain by hiding more from now on
(each incident stays with probability rho).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from violencescore.montecarlo import FloatArray
from violencescore.robustness.basis import Basis, first_probabilities
from violencescore.robustness.findings import Finding, Part, described
from violencescore.robustness.margins import Margin
from violencescore.sampling import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RHO = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)


def home_regions(basis: Basis, organization: str) -> npt.NDArray[np.int64]:
    """Return the regions where an organization did more than any other, or the one where it did the most."""
    worlds = basis.worlds
    design = worlds.design
    region = design.groups.region[design.incident_group[worlds.incident]]
    done = np.zeros((len(design.regions), len(design.actors)))
    n = worlds.shape[0] * worlds.shape[1]
    actor = worlds.actor.reshape(n, -1)
    for k in worlds.ranked:
        done[:, k] = np.bincount(region, weights=(actor == k).mean(axis=0), minlength=len(design.regions))
    own = done[:, design.actors.index(organization)]
    first = np.flatnonzero((own > 0) & (own >= done.max(axis=1)))
    return first if len(first) else np.array([int(own.argmax())])


def suppression_curve(basis: Basis, rhos: Sequence[float] = RHO) -> pd.DataFrame:
    """Return P(first) of each organization against the reporting of its own incidents in its regions.

    Returns
    -------
    pandas.DataFrame
        organization_id, what (``hidden`` or ``gained``), reporting, p_first (of the organization), mcse, leader_id,
        p_leader, outcome.
    """
    worlds = basis.worlds
    design = worlds.design
    region = design.groups.region[design.incident_group[worlds.incident]]
    base = worlds.totals()
    rng = np.random.default_rng(basis.seed)
    # The same uniforms at every rho: what is hidden at one is hidden at any lower one.
    hidden, stays = rng.random(worlds.value.shape), rng.random(worlds.value.shape)
    rows = []
    for k, organization in enumerate(basis.ids):
        there = np.isin(region, home_regions(basis, organization))
        own = there & (worlds.actor == worlds.ranked[k])
        for what in ("hidden", "gained"):
            for rho in rhos:
                values = base.copy()
                factor = _unseen(hidden, rho) if what == "hidden" else -(stays > rho).astype(float)
                values[..., k] += np.where(own, worlds.value * factor, 0.0).sum(axis=-1) / worlds.size[..., k]
                found = first_probabilities(values, basis.methodology.decision.margin)
                lead = int(np.argmax([p.p for p in found]))
                outcome = basis.verdict_of(values)[0]
                rows.append(
                    (organization, what, rho, found[k].p, found[k].mcse, basis.ids[lead], found[lead].p, outcome)
                )
    columns = [
        *("organization_id", "what", "reporting", "p_first", "mcse"),
        *("leader_id", "p_leader", "outcome"),
    ]
    table = pd.DataFrame(rows, columns=columns)
    return described(
        table, "P(first) if incidents of the organization in its regions were reported this often", "draws"
    )


def _unseen(u: FloatArray, rho: float) -> FloatArray:
    """Draw how many unrecorded incidents stand behind each recorded one: geometric, (1 - rho) / rho on average."""
    if rho >= 1.0:
        return np.zeros(u.shape)
    return np.asarray(np.floor(np.log1p(-u) / np.log1p(-rho)))


def examine(basis: Basis, progress: Progress) -> Finding:
    """Compute both curves, and the least hiding that would hide another verdict."""
    progress("suppression", 0, 1)
    curve = suppression_curve(basis)
    progress("suppression", 1, 1)
    others = curve[(curve["what"] == "hidden") & (curve["organization_id"] != basis.leader)]
    now = basis.decision.outcome
    changed = others[(others["outcome"] != now) | (others["leader_id"] != basis.leader)]
    name = basis.names[basis.leader]
    if changed.empty:
        least = min(RHO)
        said = f"Even if only {100 * least:.0f} % of a rival's incidents in its regions were reported, it would stand."
        margin = Margin("suppression", basis.leader, np.inf, np.inf, np.inf, 0.0, "share", said, "draws")
    else:
        row = changed.sort_values("reporting", ascending=False, kind="stable").iloc[0]
        loss, rival = 1 - float(row["reporting"]), basis.names[str(row["organization_id"])]
        # The curve has steps: the verdict still stands one step before.
        before = max((1 - r for r in RHO if r > row["reporting"]), default=0.0)
        said = f"If {100 * loss:.0f} % of {rival}'s incidents in its regions went unreported, the verdict would change."
        margin = Margin("suppression", basis.leader, loss, before, loss, 0.0, "share", said, "draws")
    own = curve[(curve["organization_id"] == basis.leader) & (curve["what"] == "gained")]
    escaped = own[own["p_first"] < basis.confidence]
    if escaped.empty:
        note = f"By hiding what it does in its regions {name} does not escape."
    else:
        note = f"By hiding {100 * (1 - float(escaped['reporting'].max())):.0f} % of what it does in its regions {name} "
        note += f"brings its probability of being first below {basis.confidence:g}."
    return Finding("suppression", {"curve": curve}, (margin,), (note,))


def draw(finding: Finding, names: Mapping[str, str]) -> dict[str, Figure]:
    """Draw both curves."""
    from violencescore.report.robustness_figures import curves

    table = finding.tables["curve"]
    labels = {
        "hidden": "share of its incidents in its regions that was reported (the rest counted)",
        "gained": "share of its incidents in its regions that still gets reported",
    }
    return {
        f"suppression-{what}": curves(
            table[table["what"] == what], "reporting", "p_first", names, x_label=label, y_label="P(first)", reverse=True
        )
        for what, label in labels.items()
    }


PART = Part("suppression", "What if less was reported where an organization is at home?", True, examine, draw)
