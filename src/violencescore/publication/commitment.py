"""What a panel binds itself to before the window: one statement, its digest, its signature, and its amendments.

A commitment file is a chain of signed statements: the first, and each amendment after it, which names the digest of
the one before. The last is the one in force. Its digest is what to publish where nobody can change it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from violencescore.errors import Fault, InputError, RefusedError
from violencescore.publication.canonical import canonical, digest, read_object
from violencescore.publication.keys import is_signed, public_hex, sign

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from violencescore.assessment import Choices

FORMAT = "violencescore commitment 1"
PURPOSE = "commitment"
_KEYS = {
    "number", "committed_at", "previous", "reason", "rehearsal", "methodology", "methodology_sha256", "organizations",
    "panel", "software", "files", "public_key",
}  # fmt: skip
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Commitment:
    """One signed statement of a chain.

    Attributes
    ----------
    statement
        What is bound, as plain JSON values.
    sha256
        Digest of its canonical form: what to publish before the window.
    signature
        By the key whose public half stands in the statement.
    """

    statement: Mapping[str, Any]
    sha256: str
    signature: str

    @property
    def committed_at(self) -> datetime:
        """When it was made, by the clock of whoever made it."""
        return datetime.strptime(self.statement["committed_at"], _TIME).replace(tzinfo=UTC)

    @property
    def is_rehearsal(self) -> bool:
        """Whether it only tries out the procedure, with a window of any date."""
        return bool(self.statement["rehearsal"])

    @property
    def window_start(self) -> datetime:
        """First moment of the window, in UTC."""
        start = date.fromisoformat(self.statement["methodology"]["window"]["start"])
        return datetime(start.year, start.month, start.day, tzinfo=UTC)

    @property
    def methodology(self) -> Mapping[str, Any]:
        """The methodology in full."""
        found: Mapping[str, Any] = self.statement["methodology"]
        return found


def commit(
    choices: Choices,
    key: Ed25519PrivateKey,
    *,
    previous: Sequence[Commitment] = (),
    reason: str = "",
    panel: Mapping[str, Any] | None = None,
    rehearsal: bool = False,
    now: datetime | None = None,
) -> tuple[Commitment, ...]:
    """Bind what was chosen; return the chain with the new statement at its end.

    Parameters
    ----------
    choices
        Methodology, organizations and panel weights, as by `violencescore.assessment.read_choices`.
    previous
        The chain that is amended; empty for the first commitment.
    reason
        Why it is amended; needed for an amendment.
    panel
        The part of the panel, as by `violencescore.publication.panelists`; None without a panel.
    rehearsal
        Allow a window that has opened already: everything made of it then says that it is a rehearsal.
    now
        The present time; the clock's unless given.

    Raises
    ------
    RefusedError
        If the window has opened; if nothing has changed since the statement that is amended.
    InputError
        If an amendment has no reason, another key, or a value that has no canonical form.
    """
    from violencescore.runs import package_versions

    now = (datetime.now(UTC) if now is None else now).astimezone(UTC).replace(microsecond=0)
    methodology = choices.methodology.model_dump(mode="json")
    statement = {
        "number": len(previous) + 1,
        "committed_at": now.strftime(_TIME),
        "previous": previous[-1].sha256 if previous else None,
        "reason": reason,
        "rehearsal": rehearsal,
        "methodology": methodology,
        "methodology_sha256": choices.methodology.sha256,
        "organizations": _organizations(choices),
        "panel": None if panel is None else dict(panel),
        "software": package_versions(),
        "files": {name: sha for name, sha in choices.inputs.items() if not name.startswith(("methodology.", "data"))},
        "public_key": public_hex(key),
    }
    try:
        content = canonical(statement)
    except ValueError as error:
        rule = f"holds what has no canonical form ({error}); write it in another way"
        raise InputError([Fault("methodology.toml", rule)]) from None
    _require_amendable(statement, previous)
    made = Commitment(statement, hashlib.sha256(content).hexdigest(), sign(key, PURPOSE, content))
    chain = (*previous, made)
    if date_faults(chain):
        raise RefusedError(
            f"The window opened on {_opened(chain):%Y-%m-%d}, and it is {now:%Y-%m-%d %H:%M} UTC: rules that are "
            "fixed after the window has opened bind nobody. To try out the procedure, say --rehearsal."
        )
    return chain


def _require_amendable(statement: Mapping[str, Any], previous: Sequence[Commitment]) -> None:
    if not previous:
        return
    last = previous[-1].statement
    faults = []
    if statement["public_key"] != last["public_key"]:
        faults.append(Fault("--key", "is not the key of the commitment that is amended; use the same"))
    if not statement["reason"].strip():
        faults.append(Fault("--reason", "is missing; say why the commitment is amended"))
    if statement["rehearsal"] != last["rehearsal"]:
        faults.append(Fault("--rehearsal", "cannot change within a chain; start a new commitment"))
    if statement["committed_at"] < last["committed_at"]:
        rule = "lies before the commitment that is amended; check the clock of this machine"
        faults.append(Fault("clock", rule, value=statement["committed_at"]))
    if faults:
        raise InputError(faults)
    if not changed_parts(last, statement):
        raise RefusedError("Nothing has changed since the commitment that is to be amended.")


def _organizations(choices: Choices) -> list[dict[str, Any]]:
    rows = []
    for row in choices.organizations.to_dict("records"):
        days = {key: None if row[key] != row[key] else str(row[key])[:10] for key in ("active_from", "active_to")}
        texts = {key: str(row[key]) for key in ("organization_id", "name", "parent_id")}
        rows.append({**texts, "aliases": list(row["aliases"]), **days, "rankable": bool(row["rankable"])})
    return rows


def changed_parts(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the dotted keys of what differs between two statements, apart from what differs by itself."""
    parts = ("methodology", "organizations", "panel", "software", "files")
    return tuple(key for part in parts for key in differences(before[part], after[part], part))


def differences(before: Any, after: Any, key: str) -> Iterable[str]:
    """Yield the dotted key of each value that differs; lists are compared as a whole."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for inner in sorted({*before, *after}):
            yield from differences(before.get(inner), after.get(inner), f"{key}.{inner}")
    elif canonical(before) != canonical(after):
        yield key


def chain_bytes(chain: Sequence[Commitment]) -> bytes:
    """Return the content of a commitment file: canonical, with a line break at its end."""
    return canonical({"format": FORMAT, "chain": [dict(vars(link)) for link in chain]}) + b"\n"


def read_chain(content: bytes, file: str) -> tuple[Commitment, ...]:
    """Read a commitment file. Whether it holds is for `chain_faults` to say.

    Raises
    ------
    InputError
        If it is no commitment file, or not in its canonical form, or lacks what every statement states.
    """
    value = read_object(content, file)
    links = value.get("chain")
    if value.get("format") != FORMAT or not isinstance(links, list) or not links:
        raise InputError([Fault(file, f"is no commitment file ({FORMAT!r}); make one with `violencescore commit`")])
    if canonical(value) + b"\n" != content:
        raise InputError([Fault(file, "is not in its canonical form: it was changed after it was written")])
    try:
        chain = tuple(Commitment(**link) for link in links)
        for link in chain:
            if link.statement.keys() != _KEYS:
                raise KeyError("statement")
            _ = link.committed_at, link.window_start, link.signature + link.sha256
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise InputError([Fault(file, f"does not hold the statements of a commitment ({error!r})")]) from None
    return chain


def chain_faults(chain: Sequence[Commitment]) -> tuple[str, ...]:
    """Return in words what is wrong with a chain; nothing where every link holds."""
    found = []
    for place, link in enumerate(chain):
        where, statement = f"Statement {place + 1}", link.statement
        if digest(statement) != link.sha256:
            found.append(f"{where} is not what its digest was taken of.")
        if not is_signed(statement["public_key"], link.signature, PURPOSE, canonical(statement)):
            found.append(f"{where} is not signed by the key that it names.")
        if statement["number"] != place + 1:
            found.append(f"{where} says that it is number {statement['number']}: one was dropped or moved.")
        before = chain[place - 1] if place else None
        if statement["previous"] != (before.sha256 if before else None):
            found.append(f"{where} does not follow on the one before it.")
        if before is not None and statement["public_key"] != before.statement["public_key"]:
            found.append(f"{where} is signed by another key than the one before it.")
        if before is not None and link.committed_at < before.committed_at:
            found.append(f"{where} is dated before the one that it amends.")
        if statement["rehearsal"] != chain[0].statement["rehearsal"]:
            found.append(f"{where} differs from the first in whether this is a rehearsal.")
    return tuple(found)


def date_faults(chain: Sequence[Commitment]) -> tuple[str, ...]:
    """Return in words which statements were made too late, by their own dates; none in a rehearsal."""
    if chain[-1].is_rehearsal:
        return ()
    return tuple(
        f"Statement {place} is dated {link.statement['committed_at']}, after the window opened on "
        f"{opened:%Y-%m-%d}: rules may not be fixed or changed then."
        for place, link in enumerate(chain, start=1)
        if link.committed_at >= (opened := _opened(chain[:place]))
    )


def _opened(chain: Sequence[Commitment]) -> datetime:
    """Return when the window opened: an amendment may put it off only before it has."""
    return min(link.window_start for link in chain)
