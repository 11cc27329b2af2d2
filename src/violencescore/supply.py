"""Rules for what is said of distribution networks and of units, and the networks as they count."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from violencescore.coding import Coded
from violencescore.errors import Fault
from violencescore.methodology import Methodology
from violencescore.tables import Table
from violencescore.unit_options import Units

BOTH = (
    "both estimate flows, and which of them counts is not said: state use under [flow] in the methodology, as "
    '"networks", "estimates" or "combined"'
)


def flow_faults(
    table: Table, networks: Coded, revenue: Coded | None, methodology: Methodology | None
) -> Iterator[Fault]:
    """One unit for all flows, and a declared choice where there are networks and estimates of flow as well."""
    units = networks.text("unit")
    if not units.empty:
        first = units.iloc[0]
        rule = f"differs from the unit {first!r} of earlier rows; use one unit"
        yield from table.faults(units.ne(first), "unit", rule)
    if revenue is None:
        return
    estimated = revenue.text("unit")[revenue.text("kind") == "flow"]
    if estimated.empty:
        return
    if methodology is not None and methodology.flow.use is None:
        yield table.fault(f"this table and the rows of kind flow in revenue {BOTH}")
    elif methodology is not None and methodology.flow.use == "combined" and not units.empty:
        other = str(estimated.iloc[0])
        if other != units.iloc[0]:
            yield table.fault(
                f"the unit differs from {other!r}, that of flow in revenue; use one unit to combine", "unit"
            )


def tree_faults(units: Units, known: pd.Series) -> Iterator[Fault]:
    """Yield a fault for each organization that a tree names and the table does not hold."""
    ids = set(known)
    for number, tree in enumerate(units.tree, start=1):
        for head, group in tree.groups.items():
            for name in (head, *group.members):
                if name not in ids:
                    rule = "is not an organization_id of the table organizations; add it there, or correct it"
                    yield Fault("methodology.toml", rule, column=f"units.tree.{number}.groups.{head}", value=name)


def clean_networks(networks: pd.DataFrame, methodology: Methodology, messages: list[str]) -> pd.DataFrame:
    """Return the networks that count: those without a date, and those dated within the window."""
    window = methodology.window
    date = networks["date"]
    inside = date.isna()
    if window is not None:
        inside |= date.between(pd.Timestamp(window.start), pd.Timestamp(window.end))
    if n_outside := int((~inside).sum()):
        verb = "network lies" if n_outside == 1 else "networks lie"
        messages.append(f"{n_outside} {verb} outside the window and were left out.")
    kept = networks[inside].reset_index(drop=True)
    best = kept["best"].astype(np.float64)
    low, high = (kept[name].astype(np.float64).fillna(best) for name in ("low", "high"))
    columns = ["network_id", "region", "best", "low", "high", "unit", "settled_id"]
    return kept.assign(best=best, low=low, high=high)[columns]
