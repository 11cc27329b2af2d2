"""Binding the rules before the window: what is bound, what a change does to it, and who may read what."""

import json
import shutil
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from violencescore import cli
from violencescore.assessment import read_choices
from violencescore.errors import InputError, RefusedError
from violencescore.example import example_folder
from violencescore.publication.canonical import canonical, digest, read_json
from violencescore.publication.commitment import (
    Commitment,
    chain_bytes,
    chain_faults,
    changed_parts,
    commit,
    date_faults,
    read_chain,
)
from violencescore.publication.keys import is_signed, load_key, make_key, public_hex, sign
from violencescore.publication.panelists import open_panel, opening_faults, panel_differences, seal_panel
from violencescore.publishing import signing_key
from violencescore.scores import panel_weight_array

BEFORE = datetime(2026, 6, 20, 12, tzinfo=UTC)
LATER = datetime(2026, 6, 25, 12, tzinfo=UTC)
AFTER = datetime(2026, 7, 1, tzinfo=UTC)
PANEL = "panelist_id,element,victim_role,weight\nP1,killing,police,3\nP1,terror,,1\nP2,killing,citizen,2\n"


def run(*arguments: object) -> int:
    return cli.run([str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What stands before the window: no incidents yet."""
    made = tmp_path / "assessment"
    made.mkdir()
    for name in ("methodology.toml", "organizations.csv"):
        shutil.copy(example_folder() / name, made)
    (made / "panel_weights.csv").write_text(PANEL)
    return made


@pytest.fixture
def key(tmp_path: Path):
    return make_key(tmp_path / "panel.key")


@pytest.fixture
def chain(folder: Path, key) -> tuple[Commitment, ...]:
    """A commitment and an amendment: the confidence was raised."""
    first = commit(read_choices(folder), key, now=BEFORE)
    with (folder / "methodology.toml").open("a") as stream:
        stream.write("\n[decision]\nconfidence = 0.95\n")
    return commit(read_choices(folder), key, previous=first, reason="The court asks for more.", now=LATER)


# Canonical form.


def test_the_canonical_form_is_that_of_the_standard() -> None:
    value = {
        "€": "Euro Sign",
        "\r": "Carriage Return",
        "1": "One",
        "\U0001f600": "Smiley",
        "ö": 4.50,
        "n": [1e30, 2e-3],
    }
    wanted = '{"\\r":"Carriage Return","1":"One","n":[1e+30,0.002],"ö":4.5,"€":"Euro Sign","😀":"Smiley"}'
    assert canonical(value).decode() == wanted


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": 1e999}', "beyond"),
        (b'{"a": 12345678901234567890}', "exceeds"),
        (b"[" * 100_000 + b"]" * 100_000, "deep"),
        (b'{"a": "\xff"}', "utf-8"),
        (b'{"a": "\\ud800"}', "UTF-8"),
        (b"{", "not JSON"),
    ],
)
def test_json_that_readers_would_not_agree_on_is_refused(content: bytes, rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        read_json(content, "x.json")


def test_huge_json_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("violencescore.publication.canonical.MAX_BYTES", 10)
    with pytest.raises(InputError, match="larger than 10 bytes"):
        read_json(b'{"a": 123456789}', "x.json")


# Keys.


def test_a_key_is_read_by_its_owner_only(tmp_path: Path, key) -> None:
    path = tmp_path / "panel.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert public_hex(load_key(path)) == public_hex(key)
    path.chmod(0o640)
    with pytest.raises(InputError, match="may be read by others"):
        load_key(path)


def test_a_key_is_never_overwritten(tmp_path: Path, key) -> None:
    before = (tmp_path / "panel.key").read_bytes()
    with pytest.raises(InputError, match="never overwritten"):
        make_key(tmp_path / "panel.key")
    assert (tmp_path / "panel.key").read_bytes() == before


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.key"
    path.write_text("no key")
    path.chmod(0o600)
    with pytest.raises(InputError, match="no Ed25519 key"):
        load_key(path)


def test_a_signature_holds_for_its_key_purpose_and_content_only(tmp_path: Path, key) -> None:
    public, signature = public_hex(key), sign(key, "commitment", b"x")
    other = public_hex(make_key(tmp_path / "other.key"))
    assert is_signed(public, signature, "commitment", b"x")
    assert not is_signed(public, signature, "bundle", b"x")
    assert not is_signed(public, signature, "commitment", b"y")
    assert not is_signed(other, signature, "commitment", b"x")
    assert not is_signed(public, signature.upper(), "commitment", b"x")
    assert not is_signed(public, None, "commitment", b"x")
    assert not is_signed("zz", signature, "commitment", b"x")


# The statement.


def test_rules_are_bound_before_any_incident_is_known(folder: Path, key) -> None:
    (made,) = commit(read_choices(folder), key, now=BEFORE)
    assert chain_faults([made]) == date_faults([made]) == ()
    assert made.statement["methodology"]["decision"]["confidence"] == 0.9
    assert [row["organization_id"] for row in made.statement["organizations"]][:2] == ["amber", "basalt"]
    assert made.statement["files"].keys() == {"organizations.csv", "panel_weights.csv"}
    assert made.statement["software"].keys() >= {"violencescore", "numpy", "pymc"}


def test_a_commitment_reads_back_as_it_was_written(chain: tuple[Commitment, ...]) -> None:
    assert read_chain(chain_bytes(chain), "c.json") == chain


@pytest.mark.parametrize("part", ["methodology", "organizations", "panel", "software"])
def test_a_change_of_any_part_changes_the_digest_and_breaks_the_signature(
    chain: tuple[Commitment, ...], part: str
) -> None:
    statement = {**chain[0].statement, part: {"changed": True}}
    changed = Commitment(statement, digest(statement), chain[0].signature)
    assert changed.sha256 != chain[0].sha256
    assert any("not signed" in fault for fault in chain_faults([changed]))


def test_every_byte_of_a_commitment_file_counts(chain: tuple[Commitment, ...]) -> None:
    content = chain_bytes(chain)
    for place in range(0, len(content), 5):
        flipped = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        try:
            assert chain_faults(read_chain(flipped, "c.json")), place
        except InputError:
            continue


def test_a_window_that_has_opened_is_refused_but_for_a_rehearsal_that_says_so(folder: Path, key) -> None:
    with pytest.raises(RefusedError, match="opened on 2026-07-01"):
        commit(read_choices(folder), key, now=AFTER)
    (made,) = commit(read_choices(folder), key, rehearsal=True, now=AFTER)
    assert made.is_rehearsal
    assert date_faults([made]) == ()


def test_a_statement_dated_inside_the_window_is_found(folder: Path, key) -> None:
    (made,) = commit(read_choices(folder), key, rehearsal=True, now=AFTER)
    statement = {**made.statement, "rehearsal": False}
    content = canonical(statement)
    forged = Commitment(statement, digest(statement), sign(key, "commitment", content))
    assert chain_faults([forged]) == ()
    assert "after the window opened" in date_faults([forged])[0]


# Amendments.


def test_an_amendment_names_what_it_amends_and_why(chain: tuple[Commitment, ...]) -> None:
    assert chain_faults(chain) == date_faults(chain) == ()
    assert chain[1].statement["previous"] == chain[0].sha256
    assert chain[1].statement["reason"] == "The court asks for more."
    assert changed_parts(chain[0].statement, chain[1].statement) == ("methodology.decision.confidence",)


def test_an_amendment_without_reason_by_another_key_or_of_nothing_is_refused(
    folder: Path, chain: tuple[Commitment, ...], key, tmp_path: Path
) -> None:
    choices = read_choices(folder)
    with pytest.raises(InputError, match=r"(?s)--key.*--reason"):
        commit(choices, make_key(tmp_path / "other.key"), previous=chain, now=LATER)
    with pytest.raises(InputError, match="before the commitment that is amended"):
        commit(choices, key, previous=chain, reason="Back.", now=BEFORE)
    with pytest.raises(RefusedError, match="Nothing has changed"):
        commit(choices, key, previous=chain, reason="None.", now=LATER)


def test_an_amendment_cannot_put_off_a_window_that_has_opened(folder: Path, chain: tuple[Commitment, ...], key) -> None:
    text = (folder / "methodology.toml").read_text()
    (folder / "methodology.toml").write_text(
        text.replace("2026-07-01", "2026-07-08").replace("2026-08-25", "2026-09-02")
    )
    with pytest.raises(RefusedError, match="opened on 2026-07-01"):
        commit(read_choices(folder), key, previous=chain, reason="A later window.", now=AFTER)


def test_what_has_no_canonical_form_is_a_fault(folder: Path, chain: tuple[Commitment, ...], key) -> None:
    text = (folder / "methodology.toml").read_text()
    (folder / "methodology.toml").write_text(f"{text}\n[sampling]\nseed = {2**60}\n")
    for previous in ((), chain):
        with pytest.raises(InputError, match="no canonical form"):
            commit(read_choices(folder), key, previous=previous, reason="Another seed.", now=LATER)


def test_dropped_moved_and_exchanged_statements_are_found(chain: tuple[Commitment, ...], key) -> None:
    assert "one was dropped" in " ".join(chain_faults(chain[1:]))
    assert "does not follow" in " ".join(chain_faults(chain[::-1]))
    statement = {**chain[0].statement, "reason": "another first"}
    exchanged = Commitment(statement, digest(statement), sign(key, "commitment", canonical(statement)))
    assert "does not follow" in " ".join(chain_faults((exchanged, chain[1])))


# The panel.


def test_sealed_weights_are_opened_by_their_secrets_only(folder: Path) -> None:
    choices = read_choices(folder)
    weights = panel_weight_array(choices.panel_weights, choices.methodology)
    panel, secrets = seal_panel(choices)
    assert "P1" not in json.dumps(panel)
    assert panel_differences(panel, weights, choices.methodology, secrets) == ()
    assert "sealed" in panel_differences(panel, weights, choices.methodology, None)[0]
    others = {**secrets, "panelists": secrets["panelists"][:1]}
    assert "do not open" in panel_differences(panel, weights, choices.methodology, others)[0]
    assert "not those that were sealed" in panel_differences(panel, 2 * weights, choices.methodology, secrets)[0]


def test_the_same_weights_are_sealed_differently_each_time(folder: Path) -> None:
    choices = read_choices(folder)
    assert set(seal_panel(choices)[0]["sealed"]).isdisjoint(seal_panel(choices)[0]["sealed"])


def test_the_pool_of_sealed_weights_cannot_be_exchanged(folder: Path) -> None:
    with (folder / "methodology.toml").open("a") as stream:
        stream.write('\n[weights]\nuse = "panel"\n')
    choices = read_choices(folder)
    weights = panel_weight_array(choices.panel_weights, choices.methodology)
    panel, secrets = seal_panel(choices)
    pooled = secrets["pooled"]["weights"]
    assert sum(pooled.values()) == pytest.approx(1)
    assert opening_faults(panel, secrets["pooled"], pooled) == []
    assert opening_faults(panel, {**secrets["pooled"], "weights": {"terror": 1.0}}, pooled)
    assert panel_differences(panel, weights, choices.methodology, secrets) == ()


def test_open_weights_that_were_changed_are_found(folder: Path) -> None:
    choices = read_choices(folder)
    weights = panel_weight_array(choices.panel_weights, choices.methodology)
    panel = open_panel(choices)
    assert panel_differences(panel, weights, choices.methodology, None) == ()
    assert "not those" in panel_differences(panel, weights + 1, choices.methodology, None)[0]
    assert "Only one" in panel_differences(None, weights, choices.methodology, None)[0]


# The commands.


def test_commit_writes_a_chain_and_a_notice_in_two_languages(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("keygen", "--out", tmp_path / "k", "--json") == 0
    public = json.loads(capsys.readouterr().out)["public_key"]
    made, amended = tmp_path / "c.json", tmp_path / "c2.json"
    common = ("--key", tmp_path / "k", "--rehearsal")
    assert run("commit", folder, "--out", made, *common, "--seal-weights", tmp_path / "s", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    notice = (tmp_path / "c.txt").read_text()
    assert notice.count(found["sha256"]) == notice.count(public) == 2
    assert "REHEARSAL" in notice
    assert "ENSAYO" in notice
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
    text = (folder / "methodology.toml").read_text()
    (folder / "methodology.toml").write_text(text + "\n[decision]\nconfidence = 0.95\n")
    assert run("commit", folder, "--out", amended, *common, "--amends", made, "--reason", "Stricter.") == 0
    assert len(read_chain(amended.read_bytes(), "c2.json")) == 2
    assert f"Amends {found['sha256']}: Stricter." in (tmp_path / "c2.txt").read_text()


def test_commit_refuses_an_open_window_and_writes_nothing(folder: Path, tmp_path: Path) -> None:
    text = (folder / "methodology.toml").read_text()
    (folder / "methodology.toml").write_text(text.replace("2026-", "2020-"))
    make_key(tmp_path / "k")
    assert run("commit", folder, "--out", tmp_path / "c.json", "--key", tmp_path / "k") == 3
    assert not (tmp_path / "c.json").exists()


def test_commit_lists_every_fault_of_what_is_to_be_bound(folder: Path, tmp_path: Path) -> None:
    (folder / "panel_weights.csv").write_text(PANEL.replace(",3", ",-3"))
    (folder / "organizations.csv").write_text("organization_id,name\n,Nobody\n")
    with pytest.raises(InputError) as raised:
        read_choices(folder)
    assert {fault.table for fault in raised.value.faults} == {"panel_weights.csv", "organizations.csv"}


def test_of_two_writers_of_one_commitment_one_succeeds(folder: Path, tmp_path: Path) -> None:
    make_key(tmp_path / "k")
    out, found = tmp_path / "c.json", []

    def write() -> None:
        found.append(run("commit", folder, "--out", out, "--key", tmp_path / "k", "--rehearsal"))

    writers = [threading.Thread(target=write) for _ in range(4)]
    [writer.start() for writer in writers]
    [writer.join() for writer in writers]
    assert sorted(found) == [0, 2, 2, 2]
    assert chain_faults(read_chain(out.read_bytes(), "c.json")) == ()


def test_a_dated_statement_reads_as_it_was_dated(chain: tuple[Commitment, ...]) -> None:
    assert chain[0].committed_at == BEFORE


def test_the_user_s_own_key_is_made_by_commit_once_and_never_by_publish(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "settings" / "signing.key"
    monkeypatch.setattr("violencescore.publication.keys.default_key_path", lambda: own)
    with pytest.raises(InputError, match="cannot be read"):
        signing_key(None, make=False)
    assert run("commit", folder, "--out", tmp_path / "c1.json", "--rehearsal") == 0
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert run("commit", folder, "--out", tmp_path / "c2.json", "--rehearsal") == 0
    keys = {
        read_chain((tmp_path / name).read_bytes(), name)[0].statement["public_key"] for name in ("c1.json", "c2.json")
    }
    assert keys == {public_hex(load_key(own))}


def test_a_commitment_that_cannot_be_written_leaves_no_secrets(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_key(tmp_path / "k")

    def fail(*given: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("violencescore.output.write_file", fail)
    sealed = ("--seal-weights", tmp_path / "secrets", "--rehearsal", "--key", tmp_path / "k")
    assert run("commit", folder, "--out", tmp_path / "c.json", *sealed) == cli.INTERRUPTED
    assert not (tmp_path / "secrets").exists()
    assert not (tmp_path / "c.json").exists()
