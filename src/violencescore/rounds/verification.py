"""Is a ledger whole, does it keep the rules of the process, and do its verdicts follow from their bundles?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from violencescore.errors import Fault, InputError, ViolenceScoreError
from violencescore.publication.bundle import MANIFEST, Files
from violencescore.publication.commitment import chain_faults
from violencescore.publication.contents import read_stated
from violencescore.publication.verify import Check, as_check, check_outside, has_passed, is_equal
from violencescore.publication.verify import verify as verify_bundle
from violencescore.rounds.history import Round, build_rounds, history_faults
from violencescore.rounds.ledger import Entry, ledger_faults, read_ledger
from violencescore.rounds.statements import verdict


def verify_ledger(
    folder: Path, *, head: str | None = None, key: str | None = None, bundles: Mapping[str, Files] | None = None
) -> tuple[Check, ...]:
    """Check a ledger.

    Parameters
    ----------
    head
        Digest of its last entry, or of an earlier one, as it was published: what shows that nothing was cut off.
    key
        Public half of the panel's key, as it was published.
    bundles
        Name -> files of published bundles: each is verified, and compared with the entry of its verdict.
    """
    whole = "Every entry is in its place, signed, and follows on the one before it"
    try:
        entries = read_ledger(folder)
    except InputError as error:
        return (Check(whole, "fail", tuple(str(fault) for fault in error.faults)),)
    checks = [as_check(whole, ledger_faults(entries))]
    if has_passed(checks):
        checks.append(as_check("The rules of the process were kept", history_faults(entries)))
    checks += _check_outside(entries, head, key)
    if has_passed(checks):
        rounds = build_rounds(entries)
        for name, files in (bundles or {}).items():
            checks += _check_bundle(name, files, rounds)
        checks += _unchecked(rounds, bundles or {})
    return tuple(checks)


def require_sound(folder: Path) -> tuple[Entry, ...]:
    """Return the entries of a ledger that holds and keeps the rules.

    Raises
    ------
    InputError
        With everything that is wrong with it.
    """
    entries = read_ledger(folder)
    if found := ledger_faults(entries) or history_faults(entries):
        raise InputError([Fault(str(folder), fault.rstrip(".")) for fault in found])
    return entries


def _check_outside(entries: Sequence[Entry], head: str | None, key: str | None) -> Iterator[Check]:
    last = entries[-1]
    name = "Nothing was cut off at the end of the ledger"
    if head is None:
        advice = f"Compare {last.sha256} (entry {last.number}) with the digest that was published last: --head."
        yield Check(name, "unchecked", (advice,))
    else:
        places = [entry.number for entry in entries if entry.sha256 == head.lower()]
        missing = [] if places else [f"No entry has the digest {head}: entries were cut off, or exchanged."]
        later = len(entries) - places[0] if places else 0
        more = (f"{later} entries have been added since.",) if later else ()
        yield as_check(name, missing) if missing else Check(name, "pass", more)
    advice = f"Compare {last.statement['public_key']} with the key that the panel published: --key."
    yield check_outside("The key is the panel's", key, [str(last.statement["public_key"])], advice)


def _check_bundle(name: str, files: Files, rounds: Sequence[Round]) -> Iterator[Check]:
    failed = [check for check in verify_bundle(files) if check.status == "fail"]
    yield as_check(f"{name}: the bundle passes all its own checks", [check.name for check in failed])
    if failed:
        return
    digest = hashlib.sha256(files[MANIFEST]).hexdigest()
    found = [r for r in rounds if r.verdict is not None and r.verdict.facts["bundle"] == digest]
    if not found:
        yield Check(f"{name}: a verdict of the ledger rests on it", "fail", ("No entry names this bundle.",))
        return
    (round_,) = found[:1]
    where = f"{name}: the verdict of round {round_.number} is what follows from it"
    try:
        yield as_check(where, _verdict_faults(round_, files))
    except (ViolenceScoreError, LookupError, TypeError, ValueError) as error:
        yield Check(where, "fail", (f"It cannot be recomputed ({error!r}).",))


def _verdict_faults(round_: Round, files: Files) -> list[str]:
    stated: Mapping[str, Any] = round_.verdict.facts if round_.verdict else {}
    chain = read_stated(files).chain
    found = [*chain_faults(chain)]
    if [link.sha256 for link in chain] != list(round_.in_force["commitments"]):
        found.append("Its commitment is not the one that the ledger announced.")
    right = verdict(files, {key: round_.in_force["stop"][key] for key in ("margin", "confidence")})
    keys = sorted(stated.keys() | right.keys())
    found += [f"{key} is not what follows from the bundle." for key in keys if not _is_same(stated, right, key)]
    return found


def _is_same(stated: Mapping[str, Any], right: Mapping[str, Any], key: str) -> bool:
    return key in stated and key in right and is_equal(stated[key], right[key])


def _unchecked(rounds: Sequence[Round], bundles: Mapping[str, Files]) -> Iterator[Check]:
    what = []
    given = {hashlib.sha256(files[MANIFEST]).hexdigest() for files in bundles.values() if MANIFEST in files}
    for round_ in rounds:
        if round_.verdict is not None and round_.verdict.facts["bundle"] not in given:
            bundle = round_.verdict.facts["bundle"]
            what.append(f"The verdict of round {round_.number}: give its bundle (--bundle; manifest {bundle}).")
        if round_.progress or round_.restated:
            what.append(f"Progress reports and restated verdicts of round {round_.number}: they rest on runs.")
    if what:
        yield Check("Taken as stated", "unchecked", tuple(what))
