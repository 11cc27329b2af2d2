"""How one incident got its attribution: from what the cell says beforehand, item by item, in bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from violencescore.bench.likelihood import one_incident, responsibilities
from violencescore.design import NAMES, SILENT, SPEAKS, UNKNOWN, Design, Patterns
from violencescore.errors import Fault, InputError

_SHARE = 1e-9
"""Probabilities are kept this far from 0 and 1 before they are turned into bits."""


@dataclass(frozen=True)
class Waterfall:
    """The attribution of one incident, item by item.

    Attributes
    ----------
    focus
        Id of the actor whose odds are followed.
    steps
        item, bits (change of the log odds of ``focus`` against all others, to base 2; of the first row the log odds
        before any evidence), p (its probability after the item), and p_<actor> of every actor.
    settled
        Who did it, if a court has settled it; the steps do not use it. Empty where it has not.
    p_staged
        Probability that it was staged, after all items.
    """

    incident_id: str
    focus: str
    steps: pd.DataFrame
    settled: str
    p_staged: float


def evidence_waterfall(
    design: Design, posterior: xr.Dataset, incident_id: str, organization_id: str | None = None
) -> Waterfall:
    """Take the evidence on an incident one item at a time.

    The probabilities are posterior means at each step: the parameters are those learned from all incidents, this one
    included. Items are taken in the order of the channels, first what speaks, at the end the silence of the others;
    bits add up to the whole, but how they fall to single items depends on that order, as weights of evidence do
    wherever items share an explanation (here: that the incident was staged). The log odds are the weight of evidence of
    Good (1950).

    Parameters
    ----------
    organization_id
        Whose odds to follow; by default the likeliest after all items.

    Raises
    ------
    InputError
        If the incident, or the organization, is not in the assessment.
    """
    at = np.flatnonzero(design.incident_id == incident_id)
    if not len(at):
        rule = "no incident of the assessment has this id; ids are compared exactly"
        raise InputError([Fault("--incident", rule, value=incident_id)])
    if organization_id is not None and organization_id not in design.actors:
        rule = f"is no organization of the assessment; choose among {', '.join(design.actors)}"
        raise InputError([Fault("--organization", rule, value=organization_id)])
    incident = int(at[0])
    pattern = int(design.groups.pattern[design.incident_group[incident]])
    labels, patterns = _steps(design, pattern)
    order = np.arange(len(labels), dtype=np.int64)
    after, _, staged = responsibilities(one_incident(design, incident, (patterns, order)), posterior)
    focus = int(after[-1].argmax()) if organization_id is None else design.actors.index(organization_id)
    p = np.clip(after[:, focus], _SHARE, 1 - _SHARE)
    odds = np.log2(p) - np.log2(1 - p)
    columns = {"item": labels, "bits": np.diff(odds, prepend=0.0), "p": after[:, focus]}
    steps = pd.DataFrame(columns | {f"p_{actor}": after[:, k] for k, actor in enumerate(design.actors)})
    settled = int(design.patterns.perpetrator[pattern])
    name = "" if settled == UNKNOWN else design.actors[settled]
    return Waterfall(incident_id, design.actors[focus], steps, name, float(staged[-1]))


def _steps(design: Design, pattern: int) -> tuple[list[str], Patterns]:
    """Return the items of a pattern, and a pattern for each number of items taken; none is settled by a court."""
    patterns = design.patterns
    contest = int(patterns.contest[pattern])
    items: list[tuple[str, list[int], list[int], int]] = [("before the evidence", [], [], UNKNOWN)]
    if contest != UNKNOWN:
        items.append((_describe_set(design, contest, "lies between"), [], [], contest))
    spoken, silent = _by_channel(design, pattern)
    items += [(label, *_sides(design, factors), contest) for label, factors in spoken]
    if silent:
        names = ", ".join(design.channels[design.factors.channel[f]] for f in silent)
        items.append((f"silent: {names}", *_sides(design, silent), contest))
    firm: list[list[int]] = []
    forged: list[list[int]] = []
    for _, own_firm, own_forged, _ in items:
        firm.append([*(firm[-1] if firm else []), *own_firm])
        forged.append([*(forged[-1] if forged else []), *own_forged])
    n = len(items)
    unknown = np.full(n, UNKNOWN, dtype=np.int64)
    return [label for label, *_ in items], Patterns(
        firm_start=np.cumsum([0, *map(len, firm)]),
        firm=np.array([f for part in firm for f in part], dtype=np.int64),
        forged_start=np.cumsum([0, *map(len, forged)]),
        forged=np.array([f for part in forged for f in part], dtype=np.int64),
        stratum=np.full(n, patterns.stratum[pattern], dtype=np.int64),
        perpetrator=unknown,
        staged=unknown,
        framed=unknown,
        contest=np.array([place for *_, place in items], dtype=np.int64),
    )


def _by_channel(design: Design, pattern: int) -> tuple[list[tuple[str, list[int]]], list[int]]:
    """Return what each channel says with its factors, one item a piece; and the factors of those that are silent."""
    patterns, factors = design.patterns, design.factors
    sides = ((patterns.firm_start, patterns.firm), (patterns.forged_start, patterns.forged))
    held = np.concatenate([member[start[pattern] : start[pattern + 1]] for start, member in sides])
    spoken: list[tuple[str, list[int]]] = []
    for h, channel in enumerate(design.channels):
        own = [int(f) for f in held if factors.channel[f] == h]
        speaks = [f for f in own if factors.kind[f] == SPEAKS]
        for i, f in enumerate(f for f in own if factors.kind[f] not in (SILENT, SPEAKS)):
            actor = factors.argument[f]
            said = f"names {design.actors[actor]}" if factors.kind[f] == NAMES else _describe_set(design, actor, "says")
            # That the channel spoke at all counts with its first piece.
            spoken.append((f"{channel} {said}", [*(speaks if i == 0 else []), f]))
    return spoken, [int(f) for f in held if factors.kind[f] == SILENT]


def _describe_set(design: Design, s: int, verb: str) -> str:
    factors = design.factors
    members = factors.set_member[factors.set_start[s] : factors.set_start[s + 1]]
    names = " or ".join(design.actors[m] for m in members)
    return f"{verb} {names}" if verb == "says" else f"{design.channels[factors.set_channel[s]]} {verb} {names}"


def _sides(design: Design, held: list[int]) -> tuple[list[int], list[int]]:
    """Divide factors into those that cannot be forged and those that can."""
    can = design.forgeable[design.factors.channel[held]] if held else np.empty(0, dtype=bool)
    return [f for f, c in zip(held, can, strict=True) if not c], [f for f, c in zip(held, can, strict=True) if c]
