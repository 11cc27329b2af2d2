"""The ledger: what is entered stays, in its order; and whatever is done to it is found."""

import json
import random
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rounds_cases import Process, make_process, run_to

from violencescore import cli
from violencescore.errors import InputError, RefusedError
from violencescore.publication.canonical import canonical, digest
from violencescore.publication.keys import make_key, sign
from violencescore.publication.verify import has_passed
from violencescore.rounds.history import append
from violencescore.rounds.ledger import Entry, entry_bytes, ledger_faults, read_ledger, write_entry
from violencescore.rounds.verification import require_sound, verify_ledger


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Process:
    return run_to(make_process(tmp_path_factory.mktemp("process")), "victory")


@pytest.fixture
def ledger(process: Process, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(process.folder, tmp_path / "ledger"))


def failed(folder: Path, **given) -> str:
    return "\n".join(f"{c.name}: {' '.join(c.details)}" for c in verify_ledger(folder, **given) if c.status == "fail")


def resign(process: Process, entry: Entry, **changes: object) -> Entry:
    """An entry changed by somebody who has the key."""
    statement = {**entry.statement, **changes}
    return Entry(statement, digest(statement), sign(process.case.key, "ledger", canonical(statement)))


def write(folder: Path, entries) -> None:
    for number, entry in enumerate(entries, start=1):
        (folder / f"{number:04}.json").write_bytes(entry_bytes(entry))


def test_a_whole_process_passes_all_checks(process: Process) -> None:
    checks = verify_ledger(
        process.folder,
        head=process.entries[-1].sha256.upper(),
        key=process.case.chain[0].statement["public_key"],
        bundles={"b": process.files},
    )
    assert has_passed(checks)
    assert [check.status for check in checks] == ["pass"] * 6 + ["unchecked"]
    assert [entry.kind for entry in process.entries] == [
        "announced", "opened", "verdict", "named", "progress", "victory",
    ]  # fmt: skip


def test_an_entry_reads_back_as_it_was_written(process: Process) -> None:
    for entry in process.entries:
        content = (process.folder / f"{entry.number:04}.json").read_bytes()
        assert entry_bytes(entry) == content
        assert canonical(json.loads(content)) + b"\n" == content


def test_every_byte_of_a_ledger_counts(ledger: Path) -> None:
    rng = random.Random(3)
    tried = 0
    for path in sorted(ledger.iterdir()):
        content = path.read_bytes()
        for place in rng.sample(range(len(content)), min(len(content), 250)):
            flipped = content[:place] + bytes([content[place] ^ (1 << rng.randrange(8))]) + content[place + 1 :]
            path.write_bytes(flipped)
            assert failed(ledger), (path.name, place)
            tried += 1
        path.write_bytes(content)
    assert tried > 1200
    assert not failed(ledger)


@pytest.mark.parametrize("place", [1, 2, 3, 4, 5])
def test_a_dropped_entry_is_found(ledger: Path, place: int) -> None:
    (ledger / f"{place:04}.json").unlink()
    assert "dropped, moved or put in" in failed(ledger)


def test_an_entry_dropped_and_the_rest_renumbered_is_found(process: Process, ledger: Path) -> None:
    kept = [entry for entry in process.entries if entry.kind != "progress"]
    shutil.rmtree(ledger)
    ledger.mkdir()
    write(ledger, kept)
    assert "does not follow on the one before it" in failed(ledger)


def test_moved_and_exchanged_entries_are_found(process: Process, ledger: Path) -> None:
    write(ledger, [*process.entries[:3], process.entries[4], process.entries[3], process.entries[5]])
    assert "dropped, moved or put in" in failed(ledger)
    other = resign(process, process.entries[3], facts={**process.entries[3].facts, "statement": "Something else."})
    write(ledger, [*process.entries[:3], other, *process.entries[4:]])
    assert "Entry 5 does not follow on the one before it" in failed(ledger)


def test_entries_cut_off_at_the_end_are_found_by_the_digest_that_was_published(process: Process, ledger: Path) -> None:
    head = process.entries[-1].sha256
    (ledger / "0006.json").unlink()
    checks = {check.name: check for check in verify_ledger(ledger)}
    assert checks["Nothing was cut off at the end of the ledger"].status == "unchecked"  # nothing in it can tell
    assert "entries were cut off" in failed(ledger, head=head)
    assert not failed(process.folder, head=process.entries[2].sha256)  # an earlier one was published: more was added


def test_a_history_written_anew_with_the_key_is_found_by_the_digest_that_was_published(
    process: Process, tmp_path: Path
) -> None:
    other = make_process(tmp_path)
    other.case = process.case
    run_to(other, "opened")
    assert not failed(other.folder)
    assert "cut off, or exchanged" in failed(other.folder, head=process.entries[1].sha256[::-1])


def test_an_entry_by_another_key_is_found(process: Process, ledger: Path, tmp_path: Path) -> None:
    stranger = make_key(tmp_path / "key")
    last = process.entries[-1]
    forged = append_unchecked(process.entries[:-1], stranger, last)
    write(ledger, [*process.entries[:-1], forged])
    assert "signed by another key than the first" in failed(ledger)
    unsigned = replace(last, signature=forged.signature)
    write(ledger, [*process.entries[:-1], unsigned])
    assert "not signed by the key that it names" in failed(ledger)
    assert "The key is the panel's" in failed(process.folder, key="0" * 64)


def append_unchecked(entries, key, like: Entry) -> Entry:
    from violencescore.rounds.ledger import sign_entry

    return sign_entry(entries, key, like.kind, like.round, like.facts, like.at)


def test_an_entry_dated_back_is_found(process: Process, ledger: Path) -> None:
    back = resign(process, process.entries[-1], at="2026-07-01T00:00:00Z")
    write(ledger, [*process.entries[:-1], back])
    assert "dated before the one that it follows" in failed(ledger)
    with pytest.raises(RefusedError, match="dated before"):
        append(
            process.entries[:-1], process.case.key, "victory", process.entries[-1].facts,
            now=process.entries[0].at - timedelta(days=1),
        )  # fmt: skip


def test_a_digest_of_something_else_is_found(process: Process, ledger: Path) -> None:
    last = process.entries[-1]
    write(
        ledger,
        [*process.entries[:-1], replace(last, statement={**last.statement, "round": 1, "at": "2026-12-01T00:00:00Z"})],
    )
    assert "not what its digest was taken of" in failed(ledger)


def test_a_signature_of_a_commitment_is_none_of_an_entry(process: Process) -> None:
    entry = process.entries[0]
    other = replace(entry, signature=sign(process.case.key, "commitment", canonical(entry.statement)))
    assert any("not signed" in fault for fault in ledger_faults([other]))


@pytest.mark.parametrize(
    "content",
    [
        b"", b"null", b"[]", b'{"format":"violencescore ledger 1"}\n', b"[" * 10**6, b'{"a":' * 40_000,
        b'{"format":"violencescore ledger 1","sha256":1,"signature":2,"statement":{}}\n',
        b'{"format":"violencescore ledger 1","sha256":"","signature":"","statement":[]}\n',
    ],
)  # fmt: skip
def test_nonsense_fails_and_does_not_crash(ledger: Path, content: bytes) -> None:
    (ledger / "0003.json").write_bytes(content)
    assert failed(ledger)
    assert cli.run(["rounds", "show", str(ledger)]) == 2
    assert cli.run(["rounds", "verify", str(ledger)]) == 3


def test_another_form_of_the_same_entry_is_found(ledger: Path) -> None:
    path = ledger / "0002.json"
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert "not in its canonical form" in failed(ledger)


def test_strange_files_links_and_huge_files_are_refused(process: Process, ledger: Path) -> None:
    (ledger / "notes.txt").write_text("x")
    assert "holds a file that is no entry" in failed(ledger)
    (ledger / "notes.txt").unlink()
    (ledger / "0006.json").unlink()
    (ledger / "0006.json").symlink_to(process.folder / "0006.json")
    assert "no regular file" in failed(ledger)
    (ledger / "0006.json").unlink()
    (ledger / "0006.json").write_bytes(b" " * 6_000_000)
    assert "no regular file" in failed(ledger)


def spoil(value, rng: random.Random):
    odd = [None, True, -1, 1e308, 2**53 - 1, "", "x", "2026-13-99", [], {}, [[]], {"p": None}, 0, 0.5]
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(sorted(value))
        if rng.random() < 0.1:
            return {other: inner for other, inner in value.items() if other != key}
        return {**value, key: spoil(value[key], rng)}
    return rng.choice(odd)


@pytest.mark.parametrize("seed", range(60))
def test_spoiled_entries_are_answered_and_do_not_crash(process: Process, ledger: Path, seed: int) -> None:
    """Facts that are no facts, signed by the panel itself: a fault, or figures that a bundle shows to be others."""
    rng = random.Random(seed)
    place = rng.randrange(6)
    entry = process.entries[place]
    changed = resign(process, entry, facts=spoil(dict(entry.facts), rng))
    write(ledger, [*process.entries[:place], changed])
    for late in range(place + 2, 7):
        (ledger / f"{late:04}.json").unlink()
    statuses = {check.status for check in verify_ledger(ledger, bundles={"b": process.files} if place == 2 else {})}
    assert statuses <= {"pass", "fail", "unchecked"}
    if place == 2 and changed.sha256 != entry.sha256:
        assert "fail" in statuses
    assert cli.run(["rounds", "show", str(ledger)]) in (0, 2)


def test_a_ledger_is_verified_where_no_sampler_is_installed(process: Process) -> None:
    code = (
        "import sys\n"
        "for name in ('pymc', 'pytensor', 'nutpie', 'numba', 'arviz', 'scipy', 'matplotlib'): sys.modules[name] = None\n"
        "from violencescore.cli import run\n"
        f"sys.exit(run(['rounds', 'verify', {str(process.folder)!r}]) or run(['rounds', 'show', {str(process.folder)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# Writing.


def test_of_two_writers_of_one_entry_one_succeeds(process: Process, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(process.folder, tmp_path / "ledger"))
    (folder / "0006.json").unlink()
    known = read_ledger(folder)
    found: list[str] = []
    start = threading.Barrier(4)

    def add(n: int) -> None:
        entry = append(known, process.case.key, "ended", {"reason": f"writer {n}"}, now=process.now)
        start.wait()
        try:
            write_entry(folder, entry)
            found.append("written")
        except RefusedError as refusal:
            assert "Another writer" in str(refusal)
            found.append("refused")

    writers = [threading.Thread(target=add, args=(n,)) for n in range(4)]
    [writer.start() for writer in writers]
    [writer.join() for writer in writers]
    assert sorted(found) == ["refused", "refused", "refused", "written"]
    assert not failed(folder)
    assert sorted(path.name for path in folder.iterdir()) == [f"{n:04}.json" for n in range(1, 7)]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("step", ["link", "fdopen"])
def test_an_interrupted_entry_leaves_the_ledger_as_it_was(
    process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], step: str
) -> None:
    folder = Path(shutil.copytree(process.folder, tmp_path / "ledger"))
    (folder / "0006.json").unlink()

    def stop(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(f"violencescore.output.os.{step}", stop)
    with pytest.raises((KeyboardInterrupt, InputError)):
        write_entry(folder, process.entries[5])
    monkeypatch.undo()
    assert sorted(path.name for path in folder.iterdir()) == [f"{n:04}.json" for n in range(1, 6)]
    write_entry(folder, process.entries[5])
    assert not failed(folder)


def test_what_a_killed_writer_left_is_no_entry(ledger: Path) -> None:
    (ledger / ".0007.json-x1y2").write_bytes(b"half of an ent")
    assert not failed(ledger)


def test_an_entry_is_never_written_over(process: Process, ledger: Path) -> None:
    other = resign(process, process.entries[5], facts={**process.entries[5].facts, "reason": "Another reason."})
    with pytest.raises(RefusedError, match="look at it"):
        write_entry(ledger, other)
    assert not failed(ledger)


def test_a_ledger_that_does_not_hold_is_not_added_to(process: Process, ledger: Path) -> None:
    (ledger / "0002.json").unlink()
    with pytest.raises(InputError, match="dropped, moved or put in"):
        require_sound(ledger)
    with pytest.raises(InputError, match="begin one with"):
        require_sound(ledger / "none")
    (ledger / "empty").mkdir()
    with pytest.raises(InputError, match="holds no entry"):
        require_sound(ledger / "empty")


def test_facts_without_a_canonical_form_are_a_fault(process: Process) -> None:
    with pytest.raises(InputError, match="canonical form"):
        append(
            process.entries[:3], process.case.key, "ended", {"reason": "\ud800"}, now=datetime(2026, 12, 1, tzinfo=UTC)
        )
