"""Units: would another line round an organization change the verdict?

Whether two groups are one, or one is two, is a judgement. The scores of organizations that are counted as one are the
sum of their harm in each draw. Published units are those of the methodology under ``[[robustness.unit]]``, and the
organizations that share a ``parent_id``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from violencescore.errors import Fault, InputError
from violencescore.montecarlo import FloatArray
from violencescore.robustness.basis import NEEDS_TABLES, Basis, first_probabilities
from violencescore.robustness.findings import Finding, Part, described
from violencescore.robustness.margins import Margin
from violencescore.robustness_choices import Unit
from violencescore.sampling import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NONE = "No split, merger or alliance is published: name them under [[robustness.unit]] in the methodology."


def published_units(basis: Basis) -> tuple[Unit, ...]:
    """Return the units of the methodology, and one for the organizations of each parent.

    Raises
    ------
    InputError
        With every name of a unit that is no rankable organization.
    """
    stated = basis.methodology.robustness.unit
    faults = [
        Fault("methodology.toml", f"is no rankable organization; there are {', '.join(basis.ids)}", value=name)
        for unit in stated
        for name in (*unit.join, *([] if unit.divide is None else [unit.divide]))
        if name not in basis.ids
    ]
    if faults:
        raise InputError(faults)
    return (*stated, *_families(basis))


def _families(basis: Basis) -> list[Unit]:
    if basis.assessment is None:
        return []
    table = basis.assessment.organizations
    parents = {str(o): str(p) for o, p in zip(table["organization_id"], table["parent_id"], strict=True) if p}
    found: list[Unit] = []
    for parent in dict.fromkeys(parents.values()):
        members = [i for i in basis.ids if parents.get(i) == parent or i == parent]
        if len(members) > 1:
            name = f"all of {len(found) + 1}"
            found.append(Unit(name=name, kind="merger", join=tuple(members)))
    return found


def unit_scores(basis: Basis, unit: Unit) -> tuple[tuple[str, ...], FloatArray]:
    """Return the ids and draws of the scores (chain, draw, organization) with one unit drawn otherwise.

    A merged organization has the ids of its members, joined by ``+``. Where scores are per revenue, the sum of harm is
    divided by the sum of revenue; the parts of a split share its revenue as they share its violence, so that they
    have its intensity, and a split cannot be used to hide.
    """
    if unit.kind == "split":
        return _split(basis, unit)
    members = [basis.ids.index(i) for i in unit.join]
    rest = [k for k in range(len(basis.ids)) if k not in members]
    size = np.ones_like(basis.values)
    if (per := basis.methodology.score.per) != "none":
        size = basis.posterior["revenue"][per].transpose("chain", "draw", "organization").values
    joint = (basis.values * size)[..., members].sum(axis=-1)
    if per != "none":
        joint = joint / size[..., members].sum(axis=-1)
    values = np.concatenate([basis.values[..., rest], joint[..., None]], axis=-1)
    return (*(basis.ids[k] for k in rest), "+".join(unit.join)), values


def _split(basis: Basis, unit: Unit) -> tuple[tuple[str, ...], FloatArray]:
    worlds = basis.worlds
    design = worlds.design
    k = basis.ids.index(str(unit.divide))
    group = design.incident_group[worlds.incident]
    away = np.zeros(len(worlds.incident), dtype=bool)
    if unit.regions:
        away |= np.isin(np.array(design.regions)[design.groups.region[group]], unit.regions)
    if unit.since is not None:
        dates = basis.tables.incidents.set_index("incident_id")["date_start"]
        later = dates.reindex(design.incident_id[worlds.incident]).to_numpy() >= np.datetime64(unit.since)
        away = (away & later) if unit.regions else later
    whole = worlds.totals()
    part = worlds.totals(np.where(away, worlds.value, 0.0))[..., k]
    if basis.methodology.score.per != "none":
        return basis.ids, whole
    values = np.concatenate([whole, part[..., None]], axis=-1)
    values[..., k] -= part
    return (*basis.ids, f"{unit.divide}:{unit.name}"), values


def units_table(basis: Basis) -> pd.DataFrame:
    """Return P(first) under each unit.

    Returns
    -------
    pandas.DataFrame
        unit, kind, organization_id (the likeliest first), p_first, mcse, p_leader (of the organization that leads now,
        or of what holds it), p_leader_mcse, same (whether that is the likeliest).
    """
    rows = []
    for unit in published_units(basis):
        if unit.kind == "split" and basis.assessment is None:
            rows.append((unit.name, unit.kind, "", *([np.nan] * 4), False))
            continue
        ids, values = unit_scores(basis, unit)
        found = first_probabilities(values, basis.methodology.decision.margin)
        best = max(range(len(ids)), key=lambda k: found[k].p)
        heir = max((k for k, i in enumerate(ids) if _holds(i, basis.leader)), key=lambda k: found[k].p)
        rows.append(
            (
                *(unit.name, unit.kind, ids[best], found[best].p, found[best].mcse),
                *(found[heir].p, found[heir].mcse, heir == best),
            )
        )
    columns = [
        *("unit", "kind", "organization_id", "p_first", "mcse"),
        *("p_leader", "p_leader_mcse", "same"),
    ]
    return described(pd.DataFrame(rows, columns=columns), "P(first) with the unit drawn otherwise", "draws")


def _holds(identity: str, organization: str) -> bool:
    return organization in identity.split("+") or identity.startswith(f"{organization}:")


def examine(basis: Basis, progress: Progress) -> Finding:
    """Compute the verdict under each unit."""
    progress("units", 0, 1)
    table = units_table(basis)
    progress("units", 1, 1)
    if table.empty:
        return Finding("units", {"units": table}, (), (NONE,))
    known = table.dropna(subset=["p_leader"])
    notes = (NEEDS_TABLES,) if len(known) < len(table) else ()
    if known.empty:
        return Finding("units", {"units": table}, (), notes)
    worst = known.sort_values("p_leader", kind="stable").iloc[0]
    value, error = float(worst["p_leader"]), float(worst["p_leader_mcse"])
    said = f"Counted as in {worst['unit']!r} ({worst['kind']}), what is now {basis.names[basis.leader]} is first with "
    said += f"probability {value:.2f}: the least of {len(known)} units."
    ends = max(value - 2 * error, 0.0), min(value + 2 * error, 1.0)
    margin = Margin("units", basis.leader, value, *ends, error, "probability", said, "draws")
    return Finding("units", {"units": table}, (margin,), notes)


def draw(finding: Finding, _names: Mapping[str, str]) -> dict[str, Figure]:
    """Draw P(first) of today's leader under each unit."""
    from violencescore.report.robustness_figures import bars

    table = finding.tables["units"].dropna(subset=["p_leader"])
    if table.empty:
        return {}
    labels = [f"{row.unit} ({row.kind})" for row in table.itertuples()]
    label = "P(first) of what holds today's leader"
    return {"units": bars(labels, table["p_leader"].tolist(), x_label=label)}


PART = Part("units", "Would another line round an organization change the verdict?", False, examine, draw)
