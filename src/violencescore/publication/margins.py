"""The margins that a methodology requires of a selection, as a bundle states them: numbers, nothing on incidents."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from violencescore.decision import Decision
from violencescore.errors import Fault, InputError
from violencescore.jsontext import json_text
from violencescore.methodology import Methodology
from violencescore.names import ORGANIZATION
from violencescore.publication.canonical import read_object
from violencescore.publication.required import FROM_DRAWS
from violencescore.ranks import N_ERRORS
from violencescore.robustness.escape import critical_cuts, cut_to
from violencescore.robustness.margins import Margin, margin_from_json
from violencescore.robustness_choices import MARGIN_UNITS, MARGINS

MARGINS_FILE = "margins.json"
MAX_MARGINS = 100
_NUMBERS = ("value", "low", "high", "mcse")
_KEYS = {"name", "meaning", "organization", *_NUMBERS, "unit", "method"}
_METHOD = re.compile(
    r"draws(, to first order)?|reweighted \(k (up to )?\d+\.\d+(, not to be trusted)?\)"
    r"|refit( \((not borne out|between \d+ and \d+)\))?"
)
_MOST = {"share": 1.0, "probability": 1.0, "points": 100.0}
_MOST_OTHER = 1e9
_COUNTS = ("incidents", "panelists")
_SLACK, _NEIGHBOUR = 1e-9, 0.1


def margins_content(margins: Sequence[Margin], methodology: Methodology) -> bytes:
    """Return what is published of margins: of those that the methodology requires, the numbers and how they were found.

    No sentence is: some name single incidents, or panelists whose weights are sealed.
    """
    rows = [
        {
            **{key: value for key, value in margin.to_json_dict().items() if key in _KEYS},
            "meaning": MARGINS[margin.name],
        }
        for margin in margins
        if margin.name in methodology.robustness.minimum
    ]
    return (json_text({"margins": rows}) + "\n").encode("utf-8")


def read_margins(files: Mapping[str, bytes], methodology: Methodology, names: Mapping[str, str]) -> tuple[Margin, ...]:
    """Read the margins of a bundle.

    Parameters
    ----------
    names
        Id -> name of the organizations that are ranked.

    Raises
    ------
    InputError
        If the file is missing though margins are required, or is there though none are, or holds what no margin is:
        with every fault.
    """
    wanted = methodology.robustness.minimum
    if MARGINS_FILE not in files:
        if wanted:
            raise InputError([Fault(MARGINS_FILE, f"is missing, and the methodology requires {', '.join(wanted)}")])
        return ()
    if not wanted:
        raise InputError([Fault(MARGINS_FILE, "is there, and the methodology requires no margins")])
    found = read_object(files[MARGINS_FILE], MARGINS_FILE)
    rows = found.get("margins")
    if found.keys() != {"margins"} or not isinstance(rows, list) or len(rows) > MAX_MARGINS:
        raise InputError([Fault(MARGINS_FILE, f"must hold one list, `margins`, of at most {MAX_MARGINS}")])
    faults = [
        Fault(MARGINS_FILE, f"margin {place}: {rule}")
        for place, row in enumerate(rows, start=1)
        for rule in _faults(row, wanted, names)
    ]
    if faults:
        raise InputError(faults)
    return tuple(margin_from_json({**row, "sentence": row["meaning"]}) for row in rows)


def _faults(row: Any, wanted: Mapping[str, float], names: Mapping[str, str]) -> Iterator[str]:
    """Yield in words what keeps a row from being a margin."""
    if not isinstance(row, Mapping) or row.keys() != _KEYS:
        yield f"must have the keys {', '.join(sorted(_KEYS))}, and no others"
        return
    name = row["name"]
    if not isinstance(name, str) or name not in wanted:
        yield f"is none that the methodology requires; there are {', '.join(wanted)}"
        return
    if row["meaning"] != MARGINS[name] or row["unit"] != MARGIN_UNITS[name]:
        yield f"must be counted in {MARGIN_UNITS[name]} and mean: {MARGINS[name]}"
    if row["organization"] is not None and row["organization"] not in list(names):
        yield "is about an organization that is not ranked"
    if not isinstance(row["method"], str) or not _METHOD.fullmatch(row["method"]):
        yield "does not say how it was found (draws, reweighted or refit)"
    try:
        margin = margin_from_json({**row, "sentence": ""})
    except TypeError as error:
        yield str(error)
        return
    yield from _number_faults(margin)


def _number_faults(margin: Margin) -> Iterator[str]:
    """Yield in words which numbers cannot be."""
    if math.isnan(margin.value):  # it cannot be told, and does not hold
        return
    if not 0 <= margin.low <= margin.value <= margin.high:
        yield "must lie between its low, of 0 or more, and its high"
    if not 0 <= margin.mcse <= _MOST_OTHER:
        yield "must have a Monte-Carlo error of 0 or more"
    most = _MOST.get(margin.unit, _MOST_OTHER)
    if not (0 <= margin.value <= most or math.isinf(margin.value)):
        yield f'must lie between 0 and {most:g} {margin.unit}, or be "more"'
    elif margin.unit in _COUNTS and math.isfinite(margin.value) and margin.value != round(margin.value):
        yield f"must be a whole number of {margin.unit}"


def drawn_faults(margins: Sequence[Margin], scores: Any, decision: Decision) -> list[str]:
    """Return in words which margins that follow from the draws are not what follows.

    Parameters
    ----------
    scores
        Draws of the scores (chain, draw, organization).
    decision
        The verdict that they are about.
    """
    found = [margin for margin in margins if margin.name in FROM_DRAWS]
    if not found or decision.leader is None:
        return []
    own = decision.organizations.index(decision.leader)
    values = scores.transpose(..., ORGANIZATION).values
    cuts = critical_cuts(values, values, decision.margin)[..., own]
    cut, low, high = cut_to(cuts, decision.confidence_required)
    right = Margin("", decision.leader, cut, low, high, (high - low) / (2 * N_ERRORS), "", "", "")
    return [
        f"The {margin.name} is {margin.value:g} ({margin.low:g} to {margin.high:g}) of {margin.organization}; from the "
        f"draws follows {cut:g} ({low:g} to {high:g}) of {decision.leader}."
        for margin in found
        if not _is_same(margin, right)
    ]


def _is_same(margin: Margin, right: Margin) -> bool:
    """Whether a margin is the right one, up to the last digits, which may move the ends of its interval by a draw."""
    room = {"value": _SLACK} | dict.fromkeys(("low", "high", "mcse"), _NEIGHBOUR * right.mcse + _SLACK)
    near = all(abs(getattr(margin, key) - getattr(right, key)) <= wide for key, wide in room.items())
    return near and margin.organization == right.organization
