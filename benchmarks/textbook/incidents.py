"""An assessment's design as one row an incident: what the textbook statements of the model are given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from violencescore.design import NAMES, SPEAKS, UNKNOWN, Design
from violencescore.errors import Fault, InputError
from violencescore.model_options import Priors

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Incidents:
    """One row an incident.

    Attributes
    ----------
    n_actors, n_kinds, n_regions
        Sizes; the last actor is ``other``, and there are two periods.
    kind, region, period
        Cell of each incident (incident).
    speaks
        Whether a channel names anybody (incident, channel).
    votes
        How often it names each organization: pieces of different origin (incident, channel, organization).
    possible
        Who may have done it: everybody, or whom the adjudication settled (incident, actor).
    may_be_honest, may_be_staged
        Whether the incident may be what it seems, and whether it may be staged, as far as is settled (incident).
    framed
        Who was framed, where that is settled; -1 elsewhere (incident).
    forgeable
        By channel.
    accuracy, staging
        Beta parameters (channel, 2) and (period, 2).
    days
        Length of each period, days.
    chance
        Lower limit of the accuracies.
    mean_level
        Prior mean of a kind's log level per actor and day.
    """

    n_actors: int
    n_kinds: int
    n_regions: int
    kind: Ints
    region: Ints
    period: Ints
    speaks: Floats
    votes: Floats
    possible: npt.NDArray[np.bool_]
    may_be_honest: npt.NDArray[np.bool_]
    may_be_staged: npt.NDArray[np.bool_]
    framed: Ints
    forgeable: npt.NDArray[np.bool_]
    accuracy: Floats
    staging: Floats
    days: Floats
    chance: float
    mean_level: float
    priors: Priors

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return len(self.forgeable)

    def evidence(self, forgeable: bool) -> Floats:
        """What the channels that can, or cannot, be forged say of each incident (incident, column).

        The columns are: speaks, by channel; is silent, by channel; times each organization is named, by channel. A
        product with the log probabilities of these by actor gives the log probability of the evidence by actor.
        """
        chosen = self.forgeable == forgeable
        speaks = self.speaks[:, chosen]
        votes = self.votes[:, chosen].reshape(len(self.kind), -1)
        return np.concatenate([speaks, 1.0 - speaks, votes], axis=1)


def expand_design(design: Design, priors: Priors) -> Incidents:
    """Undo the grouping of a design: one row an incident, in the order of the assessment; raises as `expand_groups`."""
    return expand_groups(design, priors, design.incident_group)


def expand_groups(design: Design, priors: Priors, group: Ints) -> Incidents:
    """Return one row for each entry of ``group``, an index into the design's groups.

    Raises
    ------
    InputError
        If the design holds what the textbook statements leave out: candidate sets, evidence that names ``other``,
        a single period, kind or region, no channels that can be forged or none that cannot, fewer than three
        organizations.
    """
    refuse_unsupported(design)
    groups, patterns, factors = design.groups, design.patterns, design.factors
    n_channels, n_organizations = len(design.channels), len(design.organizations)
    n_patterns = len(patterns.stratum)
    speaks = np.zeros((n_patterns, n_channels))
    votes = np.zeros((n_patterns, n_channels, n_organizations))
    for start, member in ((patterns.firm_start, patterns.firm), (patterns.forged_start, patterns.forged)):
        pattern = np.repeat(np.arange(n_patterns), np.diff(start))
        said = factors.kind[member] == SPEAKS
        speaks[pattern[said], factors.channel[member[said]]] = 1.0
        named = factors.kind[member] == NAMES
        at = (pattern[named], factors.channel[member[named]], factors.argument[member[named]])
        np.add.at(votes, at, 1.0)
    pattern = groups.pattern[group]
    who = patterns.perpetrator[pattern]
    n_actors = len(design.actors)
    cells = len(design.kinds) * n_actors * float(design.days.sum())
    return Incidents(
        n_actors=n_actors,
        n_kinds=len(design.kinds),
        n_regions=len(design.regions),
        kind=groups.kind[group],
        region=groups.region[group],
        period=groups.period[group],
        speaks=speaks[pattern],
        votes=votes[pattern],
        possible=(who[:, None] == UNKNOWN) | (who[:, None] == np.arange(n_actors)),
        may_be_honest=patterns.staged[pattern] != 1,
        may_be_staged=patterns.staged[pattern] != 0,
        framed=patterns.framed[pattern],
        forgeable=design.forgeable,
        accuracy=design.accuracy,
        staging=design.staging,
        days=design.days,
        chance=1.0 / n_organizations,
        mean_level=float(np.log(design.n_incidents / cells)),
        priors=priors,
    )


def refuse_unsupported(design: Design) -> None:
    """Raise ``InputError`` for what the textbook statements leave out."""
    rules = {
        "must hold no candidate sets": bool(design.candidates.any()),
        "must not name `other`": design.other_is_named,
        "must be of two periods": len(design.periods) != 2,
        "must be of two kinds or more": len(design.kinds) < 2,
        "must be of two regions or more": len(design.regions) < 2,
        "must hold channels that can be forged, and channels that cannot": len(set(design.forgeable.tolist())) != 2,
        "must have no echoes, episodes, links, heirs or strata of staging": any(
            len(switched_on) for switched_on in (design.echoes, design.bonds, design.kin)
        )
        or design.strata != design.periods,
        "must be of three organizations or more": len(design.organizations) < 3,
    }
    way_out = "; compare on a simulated `plain` world"
    faults = [Fault("assessment", rule + way_out) for rule, broken in rules.items() if broken]
    if faults:
        raise InputError(faults)
