"""The monotonicity certificate: one more incident of an organization harms none but itself.

For each organization, category and region one incident is added of which there is no doubt who did it: a court
settled it, or every channel names the organization. The score that it adds to lowers nobody's; but the model also
learns from it, and what it learns might tip other incidents. So each draw is weighted by the likelihood of the
incident (importance sampling), and the change of every P(first) is held against its Monte-Carlo error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from violencescore.montecarlo import FloatArray
from violencescore.robustness.basis import Basis, lead_shares
from violencescore.robustness.findings import Finding, Part, described
from violencescore.robustness.insertions import Insertion, inserted
from violencescore.robustness.margins import Margin
from violencescore.robustness.worlds import SOUND, importance
from violencescore.sampling import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVEL = 0.05
"""Chance that any of the checks fails by Monte-Carlo error alone (Bonferroni)."""

_LEAST = 0.0005
"""Changes of a probability below this are no violation, whatever their error."""


def additions(basis: Basis) -> list[tuple[str, str, Insertion]]:
    """Return every added incident: organization, evidence (``settled`` or ``named``), and the incident itself.

    Settled ones in every region; those that all channels name where the organization is most present.
    """
    design = basis.worlds.design
    weights = basis.weights.to_series()
    kinds = [c for c, label in enumerate(design.kinds) if weights.get(label, 0.0) > 0]
    presence = basis.worlds.quantities["presence"].mean(["chain", "draw"]).values
    single = [h for h in range(len(design.channels)) if not design.candidates[h]]
    found = []
    for organization, k in zip(basis.ids, basis.worlds.ranked, strict=True):
        named = tuple((h, int(k)) for h in single)
        home = int(presence[:, k].argmax())
        for kind in kinds:
            found += [(organization, "settled", Insertion(kind, r, settled=int(k))) for r in range(len(design.regions))]
            if named:
                found.append((organization, "named", Insertion(kind, home, named)))
    return found


def monotonicity_table(basis: Basis, progress: Progress) -> pd.DataFrame:
    """Check every addition.

    Returns
    -------
    pandas.DataFrame
        organization_id, category, region, evidence, change (of its own P(first)), mcse, other_id (whose P(first) rises
        most, by errors), other_change, other_mcse, pareto_k, holds.
    """
    from scipy.stats import norm

    worlds = basis.worlds
    checks = additions(basis)
    density, share = inserted(worlds, [insertion for _, _, insertion in checks])
    before = worlds.totals()
    margin = basis.methodology.decision.margin
    first = lead_shares(before, margin)
    weights = basis.weights.to_series()
    line = float(norm.ppf(1 - LEVEL / max(len(checks) * len(basis.ids), 1)))
    rows = []
    for i, (organization, evidence, insertion) in enumerate(checks):
        progress("monotonicity", i, len(checks))
        label = worlds.design.kinds[insertion.kind]
        weight, k = importance(density[..., i])
        after = _expected_shares(before, float(weights[label]) / worlds.size, share[..., i, :], worlds.ranked, margin)
        change, error = _changes(first, after, weight)
        own = basis.ids.index(organization)
        others = np.delete(np.arange(len(basis.ids)), own)
        z = change[others] / np.maximum(error[others], _LEAST / 10)
        worst = int(others[z.argmax()]) if len(others) else own
        falls = change[own] < -max(line * error[own], _LEAST)
        rises = len(others) > 0 and change[worst] > max(line * error[worst], _LEAST)
        region = worlds.design.regions[insertion.region]
        rows.append(
            (
                *(organization, label, region, evidence, change[own], error[own]),
                *(basis.ids[worst], change[worst], error[worst], k, not (falls or rises)),
            )
        )
    progress("monotonicity", len(checks), len(checks))
    columns = [
        *("organization_id", "category", "region", "evidence", "change", "mcse"),
        *("other_id", "other_change", "other_mcse", "pareto_k", "holds"),
    ]
    table = pd.DataFrame(rows, columns=columns)
    return described(table, "change of P(first) by one more incident of the organization", "reweighted")


def _expected_shares(
    totals: FloatArray, value: FloatArray, share: FloatArray, ranked: np.ndarray, margin: float
) -> FloatArray:
    """Return what each draw gives to "k is first" with an incident added, its perpetrator averaged over."""
    found = lead_shares(totals, margin) * (1 - share[..., ranked].sum(axis=-1, keepdims=True))
    for place, actor in enumerate(ranked):
        if not (share[..., actor] > 1e-12).any():
            continue
        more = totals.copy()
        more[..., place] += value[..., place]
        found = found + share[..., actor, None] * lead_shares(more, margin)
    return np.asarray(found)


def _changes(before: FloatArray, after: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the change of each probability and its error, draws in common (organization); draws as independent."""
    scaled = (weight * weight.size)[..., None]
    old, new = before.mean(axis=(0, 1)), (scaled * after).mean(axis=(0, 1))
    influence = scaled * (after - new) - (before - old)
    return new - old, np.asarray(influence.std(axis=(0, 1)) / np.sqrt(weight.size))


def examine(basis: Basis, progress: Progress) -> Finding:
    """Check every addition, and list those that fail."""
    table = monotonicity_table(basis, progress)
    sound = table["pareto_k"] <= SOUND
    checked = table[sound]
    violations = described(
        checked[~checked["holds"]].reset_index(drop=True), table.attrs["estimand"], table.attrs["method"]
    )
    share = float(checked["holds"].mean()) if len(checked) else float("nan")
    k = float(checked["pareto_k"].max()) if len(checked) else float("nan")
    said = (
        f"In {int(checked['holds'].sum()):,} of {len(checked):,} checks one more incident harmed none but whose it was."
    )
    notes = [] if violations.empty else [f"{len(violations)} violations of monotonicity are listed."]
    if left := int((~sound).sum()):
        notes.append(f"{left} checks could not be reweighted (Pareto k above {SOUND:g}) and were left out.")
    margin = Margin("monotonicity", None, share, share, share, 0.0, "share", said, f"reweighted (k up to {k:.2f})")
    return Finding("monotonicity", {"checks": table, "violations": violations}, (margin,), tuple(notes))


def draw(finding: Finding, names: Mapping[str, str]) -> dict[str, Figure]:
    """Draw the mean change of its own P(first) by organization and category."""
    from violencescore.report.robustness_figures import matrix

    table = finding.tables["checks"]
    square = table.pivot_table(index="organization_id", columns="category", values="change", aggfunc="mean")
    order = [c for c in dict.fromkeys(table["category"]) if c in square.columns]
    label = "change of its own P(first) by one more incident"
    return {"monotonicity": matrix(square[order], names, row_label="", column_label=label)}


PART = Part(
    "monotonicity", "Can one more incident of its own help an organization, or harm another?", True, examine, draw
)
