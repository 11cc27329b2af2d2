"""All parts, in the order of the passport."""

from __future__ import annotations

from collections.abc import Sequence

from violencescore.errors import Fault, InputError
from violencescore.robustness import (
    deterrence,
    handful,
    information,
    ledger,
    monotonicity,
    revenue,
    staging,
    suppression,
    units,
    weights,
    window,
)
from violencescore.robustness.findings import Part

PARTS: tuple[Part, ...] = (
    deterrence.PART,
    monotonicity.PART,
    staging.PART,
    handful.PART,
    suppression.PART,
    window.PART,
    units.PART,
    weights.PART,
    revenue.PART,
    ledger.PART,
    information.PART,
)


def chosen_parts(names: Sequence[str]) -> tuple[Part, ...]:
    """Return the parts of these names, in the order of the passport; all where none is named.

    Raises
    ------
    InputError
        With every name that is no part.
    """
    known = [part.name for part in PARTS]
    rule = f"is no part of the passport; there are {', '.join(known)}"
    if faults := [Fault("--part", rule, value=name) for name in names if name not in known]:
        raise InputError(faults)
    return tuple(part for part in PARTS if not names or part.name in names)
