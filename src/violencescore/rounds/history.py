"""What may follow on what: the rounds that a ledger tells of, and whether they keep the rules of the process.

A round is announced (and its commitment perhaps amended), its window opens, a verdict is given, a target is named,
progress is reported, victory is declared. A round in which nobody is named ends with its verdict; one that is given up
is ended with a reason. A verdict may be scored again on restated data, at any time: that changes nothing in the round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from violencescore.errors import RefusedError
from violencescore.rounds.facts import fact_faults
from violencescore.rounds.ledger import Entry, ledger_faults, sign_entry

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True)
class Round:
    """One round, as far as it has come.

    Attributes
    ----------
    number
        From 1.
    terms
        The entry that announced it, and those that amended it; the last is in force.
    opened, verdict, named, victory, ended
        The entries, None where it has not come to that.
    progress, restated
        Reports, and verdicts on restated data, in order.
    """

    number: int
    terms: tuple[Entry, ...]
    opened: Entry | None = None
    verdict: Entry | None = None
    named: Entry | None = None
    victory: Entry | None = None
    ended: Entry | None = None
    progress: tuple[Entry, ...] = ()
    restated: tuple[Entry, ...] = ()

    @property
    def in_force(self) -> Mapping[str, Any]:
        """The terms that hold: commitment, window, rule, stop tests, organizations."""
        return self.terms[-1].facts

    @property
    def target(self) -> str | None:
        """Id of the organization that was named."""
        return None if self.named is None else str(self.named.facts["organization"])

    @property
    def names(self) -> Mapping[str, str]:
        """Id -> name of the organizations that are ranked in it."""
        found: Mapping[str, str] = self.in_force["organizations"]
        return found

    @property
    def phase(self) -> str:
        """How far it has come: ``announced``, ``opened``, ``selected``, ``named`` or ``over``."""
        if self.victory or self.ended:
            return "over"
        if self.named:
            return "named"
        if self.verdict:
            return "selected" if self.verdict.facts["outcome"] == "selected" else "over"
        return "opened" if self.opened else "announced"


_ALLOWED = {
    "amended": ("announced",),
    "opened": ("announced",),
    "verdict": ("opened",),
    "named": ("selected",),
    "progress": ("named",),
    "victory": ("named",),
    "ended": ("announced", "opened", "selected", "named"),
}
_WORDS = {
    "announced": "is announced, and its window has not opened",
    "opened": "has an open window, and no verdict yet",
    "selected": "has a verdict, and its target is not named yet",
    "named": "has a target that is named",
    "over": "is over",
}


def build_rounds(entries: Sequence[Entry]) -> tuple[Round, ...]:
    """Return the rounds of a ledger whose entries keep the rules: see `history_faults`."""
    rounds: tuple[Round, ...] = ()
    for entry in entries:
        rounds = _with(rounds, entry)
    return rounds


def history_faults(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Return in words where a ledger breaks the rules of the process; nothing where it keeps them."""
    rounds: tuple[Round, ...] = ()
    for place, entry in enumerate(entries, start=1):
        try:
            found = tuple(_entry_faults(rounds, entry))
            if not found:
                rounds = _with(rounds, entry)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            found = (f"It states what no entry of its kind does ({error!r}).",)
        if found:
            return tuple(f"Entry {place} ({entry.kind}, round {entry.round}): {fault}" for fault in found)
    return ()


def append(
    entries: Sequence[Entry],
    key: Ed25519PrivateKey,
    kind: str,
    facts: Mapping[str, Any],
    *,
    number: int | None = None,
    now: datetime | None = None,
) -> Entry:
    """Return the entry that is to be added; for the present round unless another is meant.

    Raises
    ------
    RefusedError
        If the ledger does not hold, or the entry would break the rules of the process.
    """
    number = (entries[-1].round if entries else 1) if number is None else number
    made = sign_entry(entries, key, kind, number, facts, now)
    found = (*ledger_faults((*entries, made)), *history_faults((*entries, made)))
    if found:
        raise RefusedError("Nothing is added to the ledger:\n" + "\n".join(f"- {fault}" for fault in found))
    return made


def current_round(entries: Sequence[Entry]) -> Round:
    """Return the round that was announced last."""
    return build_rounds(entries)[-1]


def retired(rounds: Sequence[Round]) -> tuple[str, ...]:
    """Return the targets over which victory was declared: they are ranked no more."""
    return tuple(str(r.target) for r in rounds if r.victory is not None)


def _with(rounds: tuple[Round, ...], entry: Entry) -> tuple[Round, ...]:
    if entry.kind == "announced":
        return (*rounds, Round(entry.round, (entry,)))
    old = rounds[entry.round - 1]
    if entry.kind == "amended":
        new = replace(old, terms=(*old.terms, entry))
    elif entry.kind == "progress":
        new = replace(old, progress=(*old.progress, entry))
    elif entry.kind == "restated":
        new = replace(old, restated=(*old.restated, entry))
    else:
        one: dict[str, Any] = {entry.kind: entry}
        new = replace(old, **one)
    return (*rounds[: entry.round - 1], new, *rounds[entry.round :])


def _entry_faults(rounds: tuple[Round, ...], entry: Entry) -> Iterator[str]:
    if found := fact_faults(entry.kind, entry.facts):
        yield from found
        return
    if entry.kind == "announced":
        yield from _announcement_faults(rounds, entry)
        return
    if not rounds:
        yield "no round was announced."
        return
    if entry.kind == "restated":
        if not 1 <= entry.round <= len(rounds) or rounds[entry.round - 1].verdict is None:
            yield "that round has no verdict that could be scored again."
        yield from _outcome_faults(entry.facts)
        return
    last = rounds[-1]
    if entry.round != last.number:
        yield f"the present round is {last.number}; what is over is not added to."
    elif last.phase not in _ALLOWED[entry.kind]:
        yield f"round {last.number} {_WORDS[last.phase]}."
    else:
        if "reason" in entry.facts and not str(entry.facts["reason"]).strip():
            yield "it gives no reason."
        if entry.kind == "amended":
            yield from _terms_faults(entry, rounds)
        if entry.kind in _CHECKS:
            yield from _CHECKS[entry.kind](last, entry)


def _announcement_faults(rounds: tuple[Round, ...], entry: Entry) -> Iterator[str]:
    if rounds and rounds[-1].phase != "over":
        yield f"round {rounds[-1].number} {_WORDS[rounds[-1].phase]}: finish it first, or end it with a reason."
    if entry.round != len(rounds) + 1:
        yield f"the next round is {len(rounds) + 1}."
    yield from _terms_faults(entry, rounds)


def _terms_faults(entry: Entry, rounds: tuple[Round, ...]) -> Iterator[str]:
    """Dates in order, and nobody ranked who was retired."""
    facts = entry.facts
    start = _day(facts["window"]["start"])
    if entry.statement["at"] < facts["committed_at"]:
        yield "it is dated before the commitment that it announces."
    if rounds and facts["rehearsal"] != rounds[0].in_force["rehearsal"]:
        yield "a rehearsal cannot become a process that binds, nor the other way round: begin another ledger."
    if not facts["rehearsal"] and entry.at >= start:
        yield f"the window opened on {facts['window']['start']}: rules announced or amended after that bind nobody."
    gone = retired(rounds)
    if ranked := [key for key in gone if key in facts["organizations"]]:
        yield f"it ranks {', '.join(ranked)}, over whom victory was declared: say rankable = false."
    if list(facts["retired"]) != list(gone):
        yield "it does not name the targets that are retired."
    if not facts["stop"]["margin"] > 0 or not 0.5 < facts["stop"]["confidence"] < 1:
        yield "the stop tests need a margin above 0 and a confidence between 0.5 and 1."


def _day(text: str) -> datetime:
    day = date.fromisoformat(text)
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _amendment_faults(last: Round, entry: Entry) -> Iterator[str]:
    known = list(last.in_force["commitments"])
    if list(entry.facts["commitments"])[: len(known)] != known or len(entry.facts["commitments"]) <= len(known):
        yield "its commitment does not amend the one that was announced."
    if not last.in_force["rehearsal"] and entry.at >= _day(last.terms[0].facts["window"]["start"]):
        yield "the window that was announced first has opened: it cannot be put off any more."


def _opening_faults(last: Round, entry: Entry) -> Iterator[str]:
    window = last.in_force["window"]
    if (entry.facts["start"], entry.facts["end"]) != (window["start"], window["end"]):
        yield "it states another window than the one that was announced."
    if not last.in_force["rehearsal"] and entry.at < _day(window["start"]):
        yield f"the window opens on {window['start']}, and it is {entry.at:%Y-%m-%d %H:%M} UTC."


def _verdict_faults(last: Round, entry: Entry) -> Iterator[str]:
    facts, terms = entry.facts, last.in_force
    if facts["commitment"] != terms["commitment"]:
        yield "the bundle follows another commitment than the one that was announced."
    if (facts["required"], facts["margin"]) != (terms["rule"]["confidence"], terms["rule"]["margin"]):
        yield "it was decided by another line than the one that was announced."
    if any(facts["stop"][key] != terms["stop"][key] for key in ("margin", "confidence")):
        yield "its stop tests are not those that were announced."
    if sorted(facts["p_first"]) != sorted(terms["organizations"]):
        yield "it ranks other organizations than those that were announced."
    yield from _outcome_faults(facts)
    if not terms["rehearsal"] and str(facts["published_at"])[:10] <= terms["window"]["end"]:
        yield f"the window is open to the end of {terms['window']['end']}: a verdict before that is none."


def _outcome_faults(facts: Mapping[str, Any]) -> Iterator[str]:
    if facts["leader"] is not None and facts["leader"] not in facts["p_first"]:
        yield "its leader has no probability."
    if facts["selected"] != (facts["leader"] if facts["outcome"] == "selected" else None):
        yield "it selects somebody else than its outcome says."
    if facts["outcome"] == "selected" and not all(part["holds"] for part in facts.get("required_margins", ())):
        yield "it selects somebody without the margins that are required."


def _naming_faults(last: Round, entry: Entry) -> Iterator[str]:
    selected = last.verdict.facts["selected"] if last.verdict else None
    if entry.facts["organization"] != selected:
        yield f"the verdict selected {selected}: nobody else can be named."


def _victory_faults(last: Round, entry: Entry) -> Iterator[str]:
    if entry.facts["organization"] != last.target:
        yield f"the target is {last.target}."
    if not last.progress:
        yield "no progress was reported: say first what became of the violence."


def _progress_faults(last: Round, entry: Entry) -> Iterator[str]:
    first, end = entry.facts["from"], entry.facts["to"]
    if date.fromisoformat(first) > date.fromisoformat(end):
        yield "its period ends before it begins."
    if not last.in_force["rehearsal"]:
        if first <= last.in_force["window"]["end"]:
            yield f"its period begins inside the window, which ended on {last.in_force['window']['end']}."
        if end > entry.statement["at"][:10]:
            yield "its period has not ended yet."


_CHECKS: Mapping[str, Callable[[Round, Entry], Iterator[str]]] = {
    "amended": _amendment_faults,
    "opened": _opening_faults,
    "verdict": _verdict_faults,
    "named": _naming_faults,
    "progress": _progress_faults,
    "victory": _victory_faults,
}
