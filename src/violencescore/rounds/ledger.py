"""The ledger: a folder of signed entries, one file each, each naming the digest of the one before.

Nothing is ever written over. An entry appears under its number at once and whole, and only where no entry of that
number stands, so that of two writers one succeeds, and an interruption leaves the ledger as it was. What the folder
alone cannot show is that entries were cut off at its end: for that the digest of the last one is to be published.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from violencescore.errors import Fault, InputError, RefusedError
from violencescore.output import write_file
from violencescore.publication.canonical import canonical, digest, read_object
from violencescore.publication.keys import is_signed, public_hex, sign

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FORMAT = "violencescore ledger 1"
PURPOSE = "ledger"
MAX_ENTRIES = 9999
_KEYS = {"number", "round", "kind", "at", "previous", "public_key", "facts"}
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_NAME = re.compile(r"[0-9]{4}\.json")
_MAX_BYTES = 5_000_000


@dataclass(frozen=True)
class Entry:
    """One signed entry.

    Attributes
    ----------
    statement
        ``number``, ``round``, ``kind``, ``at`` (UTC), ``previous`` (digest), ``public_key`` and ``facts``.
    sha256
        Digest of its canonical form; that of the last entry is the head of the ledger.
    signature
        By the key whose public half stands in the statement.
    """

    statement: Mapping[str, Any]
    sha256: str
    signature: str

    @property
    def number(self) -> int:
        """Its place in the ledger, from 1."""
        return int(self.statement["number"])

    @property
    def round(self) -> int:
        """The round that it is about, from 1."""
        return int(self.statement["round"])

    @property
    def kind(self) -> str:
        """What happened: a key of `violencescore.rounds.facts.FACTS`."""
        return str(self.statement["kind"])

    @property
    def at(self) -> datetime:
        """When it was entered, by the clock of whoever did."""
        return read_time(self.statement["at"])

    @property
    def facts(self) -> Mapping[str, Any]:
        """What is stated."""
        found: Mapping[str, Any] = self.statement["facts"]
        return found


def read_time(text: str) -> datetime:
    """Read a time as it stands in an entry."""
    return datetime.strptime(text, _TIME).replace(tzinfo=UTC)


def sign_entry(
    entries: Sequence[Entry],
    key: Ed25519PrivateKey,
    kind: str,
    number: int,
    facts: Mapping[str, Any],
    now: datetime | None = None,
) -> Entry:
    """Return the entry that follows on those given; whether it may is for `violencescore.rounds.history` to say.

    Parameters
    ----------
    number
        The round that it is about.
    now
        The present time; the clock's unless given.
    """
    now = (datetime.now(UTC) if now is None else now).astimezone(UTC)
    statement = {
        "number": len(entries) + 1,
        "round": number,
        "kind": kind,
        "at": now.strftime(_TIME),
        "previous": entries[-1].sha256 if entries else None,
        "public_key": public_hex(key),
        "facts": dict(facts),
    }
    try:
        content = canonical(statement)
    except ValueError as error:
        rule = f"holds what has no canonical form ({error}); write it in another way"
        raise InputError([Fault(f"ledger entry {kind}", rule)]) from None
    return Entry(statement, hashlib.sha256(content).hexdigest(), sign(key, PURPOSE, content))


def entry_bytes(entry: Entry) -> bytes:
    """Return the content of an entry's file: canonical, with a line break at its end."""
    return canonical({"format": FORMAT, **vars(entry)}) + b"\n"


def entry_name(number: int) -> str:
    """Return the name of an entry's file."""
    return f"{number:04}.json"


def write_entry(folder: Path, entry: Entry) -> None:
    """Add an entry to a ledger.

    Raises
    ------
    RefusedError
        If another writer has added an entry meanwhile.
    InputError
        If nothing can be written there.
    """
    path = Path(folder) / entry_name(entry.number)
    try:
        write_file(path, entry_bytes(entry), new=True)
    except InputError:
        if not path.exists():
            raise
        raise RefusedError(
            f"Another writer has added entry {entry.number} to {folder} meanwhile: look at it "
            "(`violencescore rounds show`), and say again what is still to be added."
        ) from None


def read_ledger(folder: Path) -> tuple[Entry, ...]:
    """Read a ledger; nothing is checked but its form. Whether it holds is for `ledger_faults` to say.

    Raises
    ------
    InputError
        If it is no ledger, or holds other files, links, or what is no entry in its canonical form.
    """
    folder = Path(folder)
    if not folder.is_dir():
        rule = "is no ledger; begin one with `violencescore rounds announce`"
        raise InputError([Fault(str(folder), rule)])
    # A name that begins with a dot is what a writer that was killed has left, and never an entry.
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    strange = [name for name in names if not _NAME.fullmatch(name)]
    faults = [Fault(str(folder), "holds a file that is no entry of a ledger", value=name) for name in strange]
    if not names:
        faults.append(Fault(str(folder), "holds no entry; begin a ledger with `violencescore rounds announce`"))
    entries = []
    for name in names[: MAX_ENTRIES + 1]:
        if name not in strange:
            try:
                entries.append(read_entry(_content(folder / name), str(folder / name)))
            except InputError as error:
                faults += error.faults
    if faults:
        raise InputError(faults)
    return tuple(entries)


def _content(path: Path) -> bytes:
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
            raise InputError([Fault(str(path), f"is no regular file of at most {_MAX_BYTES:,} bytes")])
        return path.read_bytes()
    except OSError as error:
        raise InputError([Fault(str(path), f"cannot be read ({error.strerror})")]) from error


def read_entry(content: bytes, file: str) -> Entry:
    """Read the file of an entry.

    Raises
    ------
    InputError
        If it is none, or is not in its canonical form.
    """
    value = read_object(content, file)
    if value.keys() != {"format", "statement", "sha256", "signature"} or value["format"] != FORMAT:
        raise InputError([Fault(file, f"is no entry of a ledger ({FORMAT!r})")])
    if canonical(value) + b"\n" != content:
        raise InputError([Fault(file, "is not in its canonical form: it was changed after it was written")])
    statement = value["statement"]
    try:
        entry = Entry(statement, value["sha256"] + "", value["signature"] + "")
        if statement.keys() != _KEYS or not isinstance(statement["facts"], dict):
            raise KeyError("statement")
        if type(statement["number"]) is not int or type(statement["round"]) is not int:
            raise TypeError("number")
        _ = entry.at, entry.kind + statement["kind"]
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise InputError([Fault(file, f"does not hold what an entry states ({error!r})")]) from None
    return entry


def ledger_faults(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Return in words what is wrong with the chain of entries; nothing where every link holds."""
    return tuple(_faults(entries))


def _faults(entries: Sequence[Entry]) -> Iterator[str]:
    for place, entry in enumerate(entries):
        where, statement = f"Entry {place + 1}", entry.statement
        before = entries[place - 1] if place else None
        if digest(statement) != entry.sha256:
            yield f"{where} is not what its digest was taken of."
        if not is_signed(statement["public_key"], entry.signature, PURPOSE, canonical(statement)):
            yield f"{where} is not signed by the key that it names."
        if entry.number != place + 1:
            yield f"{where} says that it is number {entry.number}: one was dropped, moved or put in."
        if statement["previous"] != (before.sha256 if before else None):
            yield f"{where} does not follow on the one before it."
        if statement["public_key"] != entries[0].statement["public_key"]:
            yield f"{where} is signed by another key than the first."
        if before is not None and entry.at < before.at:
            yield f"{where} is dated before the one that it follows."
