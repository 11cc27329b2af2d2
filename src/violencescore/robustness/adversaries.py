"""What the most violent organization can do against a rule that it has read: stage, suppress, split, delay."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from violencescore.report.text import percent

type Victim = Literal["second", "third", "everyone"]
type Means = Literal["imitation", "claims"]
type Place = Literal["own", "one region", "three regions"]
type Loss = Literal["record", "evidence", "press"]


@dataclass(frozen=True)
class Stager:
    """Makes its own incidents look like a rival's work.

    Attributes
    ----------
    share
        Share of its incidents of the window that it stages.
    victim
        Under whose name: ``second`` (the one that was second by true score), ``third``, or ``everyone`` in turn.
    which
        Its ``heaviest`` incidents, or ``any``.
    means
        ``imitation``: forgeable channels that name it name the victim instead. ``claims``: besides, each staged
        incident bears a forged message in the victim's name.
    """

    share: float
    victim: Victim
    which: Literal["heaviest", "any"]
    means: Means


@dataclass(frozen=True)
class Suppressor:
    """Keeps incidents, or what is said of them, out of the record, as many as ``share`` of its own.

    Attributes
    ----------
    where
        Its ``own`` incidents only, the heaviest first, by threatening whoever knows; or whoever's, in the ``one
        region`` or the ``three regions`` where it does most.
    what
        ``record``: nobody lists the incident. ``evidence``: all that was said of it is lost. ``press``: only what the
        press said.
    """

    share: float
    where: Place
    what: Loss


@dataclass(frozen=True)
class Splitter:
    """Lets a faction of its own name do a part of its work, from a day on.

    Attributes
    ----------
    share
        Share of its incidents of the window that are the faction's, if as many are left after the day.
    day
        Days from the start of the window.
    which
        ``any`` of its incidents, or ``regions``: all it does in the regions that it hands over, the smallest first.
    """

    share: float
    day: int
    which: Literal["any", "regions"]


@dataclass(frozen=True)
class Delayer:
    """Moves incidents out of the window.

    Attributes
    ----------
    share
        Share of its incidents of the window that are moved.
    which
        The ``last`` or the ``heaviest`` ones.
    where
        ``after`` the end of the window, where nobody counts any more, or ``before`` its start, into the baseline.
    """

    share: float
    which: Literal["last", "heaviest"]
    where: Literal["after", "before"]


type Attack = Stager | Suppressor | Splitter | Delayer

ADVERSARIES: Mapping[str, type[Attack]] = {
    "stager": Stager,
    "suppressor": Suppressor,
    "splitter": Splitter,
    "delayer": Delayer,
}
"""The adversaries by name."""


def adversary_of(attack: Attack) -> str:
    """Return the name of whoever attacks so."""
    return type(attack).__name__.lower()


def attack_key(attack: Attack) -> str:
    """Return a name of an attack, the same for equal ones."""
    values = [str(value).replace(" ", "-") for value in dataclasses.astuple(attack)]
    return "_".join([adversary_of(attack), *values])


def attack_words(attack: Attack) -> str:
    """Return an attack in words."""
    share = f"{percent(round(attack.share, 4))} of its incidents"
    match attack:
        case Stager(_, victim, which, means):
            whom = "everyone else in turn" if victim == "everyone" else f"the {victim}"
            chosen = "the heaviest" if which == "heaviest" else "any"
            return (
                f"stages {share} ({chosen}) as the work of {whom}{', with forged claims' if means == 'claims' else ''}"
            )
        case Suppressor(_, where, what):
            these = f"{share} (the heaviest)" if where == "own" else f"as many as {share}, whoever's, in {where},"
            words = {"record": f"keeps {these} out of the record", "evidence": f"has all evidence on {these} lost"}
            return words.get(what, f"silences the press on {these}").rstrip(",")
        case Splitter(_, day, which):
            by = "by region" if which == "regions" else "at random"
            return f"splits on day {day}: {share} become the faction's, {by}"
        case Delayer(_, which, where):
            return f"moves {share} (the {which}) to {where} the window"


_VICTIMS: tuple[Victim, ...] = ("second", "everyone")
_MEANS: tuple[Means, ...] = ("claims", "imitation")
_LOSSES: tuple[tuple[Place, Loss], ...] = (
    ("own", "record"), ("own", "evidence"), ("own", "press"), ("three regions", "record"),
    ("three regions", "evidence"), ("one region", "record"), ("one region", "evidence"),
)  # fmt: skip
_STAGED: tuple[Literal["heaviest", "any"], ...] = ("heaviest", "any")
_HANDED_OVER: tuple[Literal["any", "regions"], ...] = ("any", "regions")
_DELAYED: tuple[Literal["last", "heaviest"], ...] = ("last", "heaviest")
_MOVED_TO: tuple[Literal["after", "before"], ...] = ("after", "before")
_SPLIT_DAYS = (0, 28)


def candidate_attacks(adversary: str, budget: float) -> list[Attack]:
    """Return the attacks among which an adversary searches first, all at its full budget."""
    match adversary:
        case "stager":
            return [Stager(budget, v, which, means) for v in _VICTIMS for which in _STAGED for means in _MEANS]
        case "suppressor":
            return [Suppressor(budget, where, what) for where, what in _LOSSES]
        case "splitter":
            return [Splitter(budget, day, which) for day in _SPLIT_DAYS for which in _HANDED_OVER]
        case _:
            return [Delayer(budget, which, where) for which in _DELAYED for where in _MOVED_TO]


def smaller(attack: Attack) -> Attack:
    """Return the attack at half its size: what does less may be noticed less."""
    return dataclasses.replace(attack, share=attack.share / 2)


def described(attack: Attack | None) -> dict[str, Any]:
    """Return an attack as plain values; empty for none."""
    return {} if attack is None else {"adversary": adversary_of(attack), **dataclasses.asdict(attack)}
