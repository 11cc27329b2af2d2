"""Each threat of docs/threats.md: what an adversary does to a bundle, and that it is found or does no harm."""

import ast
import json
import random
import re
import shutil
import stat
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest
from publication_cases import METHODOLOGY, Case, change_json, make_case

import violencescore
from violencescore import cli
from violencescore.errors import InputError, RefusedError
from violencescore.publication import bundle
from violencescore.publication import small_verifier as small
from violencescore.publication.bundle import integrity_faults, read_bundle
from violencescore.publication.canonical import canonical, digest
from violencescore.publication.commitment import Commitment, chain_bytes
from violencescore.publication.keys import sign
from violencescore.publication.verify import has_passed, verify
from violencescore.report.text import shown_text

DOCS = Path(__file__).parents[1] / "docs"
N_FLIPS = 4000
N_SPOILED = 50


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return make_case(tmp_path_factory.mktemp("case"))


@pytest.fixture(scope="module")
def folder(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundle") / "b"
    case.publish(out, "full")
    return out


@pytest.fixture(scope="module")
def files(folder: Path) -> dict[str, bytes]:
    return read_bundle(folder)


def failed(files: dict[str, bytes], **given: str) -> str:
    return "\n".join(f"{c.name}: {' '.join(c.details)}" for c in verify(files, **given) if c.status == "fail")


def flip(content: bytes, place: int, mask: int) -> bytes:
    return content[:place] + bytes([content[place] ^ mask]) + content[place + 1 :]


# Changed bytes.


def test_every_flipped_byte_is_found(files: dict[str, bytes]) -> None:
    rng = random.Random(1)
    each = N_FLIPS // len(files)
    tried = 0
    for path, content in files.items():
        everywhere = range(len(content))
        ends = {0, len(content) - 1}
        places = everywhere if len(content) <= each else ends | set(rng.sample(everywhere, each))
        for place in places:
            flipped = {**files, path: flip(content, place, 1 << rng.randrange(8))}
            assert integrity_faults(flipped), (path, place)
            tried += 1
    assert tried > 0.9 * N_FLIPS
    assert not integrity_faults(files)


def test_every_byte_of_the_signature_is_found(files: dict[str, bytes]) -> None:
    content = files["signature.json"]
    for place in range(len(content)):
        for mask in (1, 32, 128):  # 32 changes the case of a letter
            assert integrity_faults({**files, "signature.json": flip(content, place, mask)}), place


def test_a_signature_written_in_another_form_is_found(files: dict[str, bytes]) -> None:
    value = json.loads(files["signature.json"])
    for other in (json.dumps(value), json.dumps({**value, "more": 1}, separators=(",", ":"), sort_keys=True) + "\n"):
        assert integrity_faults({**files, "signature.json": other.encode()})
        assert not all(holds for _, holds in try_checks({**files, "signature.json": other.encode()}))


def test_the_small_verifier_finds_flipped_bytes_in_every_file(files: dict[str, bytes], tmp_path: Path) -> None:
    rng = random.Random(2)
    for path, content in files.items():
        for place in rng.sample(range(len(content)), 4):
            checks = list(try_checks({**files, path: flip(content, place, 1 << rng.randrange(7))}))
            assert not all(holds for _, holds in checks), (path, place)


def try_checks(files: dict[str, bytes]):
    try:
        yield from small.check_files(files)
    except (ValueError, KeyError, TypeError) as error:
        yield str(error), False


@pytest.mark.parametrize("change", ["add", "drop", "rename", "empty", "append"])
def test_added_dropped_renamed_and_cut_files_are_found(files: dict[str, bytes], change: str) -> None:
    changed = dict(files)
    if change == "add":
        changed["notes.txt"] = b"x"
    if change in ("drop", "rename"):
        content = changed.pop("ranking.csv")
        changed |= {"ranking2.csv": content} if change == "rename" else {}
    if change == "empty":
        changed["ranking.csv"] = b""
    if change == "append":
        changed["datapackage.json"] += b" "
    assert integrity_faults(changed)
    for needed in ("datapackage.json", "signature.json"):
        assert integrity_faults({k: v for k, v in files.items() if k != needed})


def test_an_extra_file_is_found_though_it_is_signed(case: Case, files: dict[str, bytes]) -> None:
    assert "notes.txt is a file that no bundle holds" in failed(case.sign({**files, "notes.txt": b"x"}))


def test_nothing_more_is_read_of_a_changed_bundle(files: dict[str, bytes]) -> None:
    checks = verify({**files, "commitment.json": b"[" * 10**6})
    assert [check.status for check in checks] == ["fail", "unchecked"]


# The commitment.


def resign(case: Case, link: Commitment, **changes: object) -> Commitment:
    statement = {**link.statement, **changes}
    return Commitment(statement, digest(statement), sign(case.key, "commitment", canonical(statement)))


def test_a_date_set_back_without_the_key_is_found(case: Case, files: dict[str, bytes]) -> None:
    back = files["commitment.json"].replace(b"2026-06-20T", b"2026-05-20T")
    assert back != files["commitment.json"]
    assert "not what its digest was taken of" in failed(case.sign({**files, "commitment.json": back}))


def test_a_commitment_made_after_the_window_opened_is_found(case: Case, tmp_path: Path) -> None:
    late = resign(case, case.chain[0], committed_at="2026-07-01T00:00:00Z")
    with pytest.raises(RefusedError, match="after the window opened"):
        Case(case.assessment, case.run, (late,), case.key, None).publish(tmp_path / "b")
    files = case.publish(tmp_path / "b")
    found = failed(case.sign({**files, "commitment.json": chain_bytes([late])}))
    assert "after the window opened" in found


def test_a_commitment_dated_back_with_the_key_is_found_by_the_digest_that_was_published(
    case: Case, files: dict[str, bytes], tmp_path: Path
) -> None:
    published = case.chain[0].sha256
    forged = resign(case, case.chain[0], committed_at="2026-06-19T12:00:00Z")
    other = Case(case.assessment, case.run, (forged,), case.key, None).publish(tmp_path / "b")
    assert not failed(other)  # nothing in the bundle can tell
    statuses = {check.name: check.status for check in verify(other)}
    assert statuses["The commitment is the one that was published before the window"] == "unchecked"
    assert "published before the window" in failed(other, published=published)
    assert not failed(files, published=published)


def test_a_run_and_bundle_of_other_weights_are_refused_and_found(case: Case, tmp_path: Path) -> None:
    other = make_case(tmp_path / "o", methodology=METHODOLOGY.replace("weight = 3.0", "weight = 9.0"))
    with pytest.raises(RefusedError, match=r"methodology\.category"):
        Case(other.assessment, other.run, case.chain, case.key, None).publish(tmp_path / "b")
    files = Case(
        other.assessment,
        other.run,
        (resign(case, other.chain[0], public_key=case.chain[0].statement["public_key"]),),
        case.key,
        None,
    ).publish(tmp_path / "b")
    mixed = case.sign({**files, "commitment.json": chain_bytes(case.chain)})
    assert "weights.csv" in failed(mixed)
    assert "draws/scores.csv" in failed(mixed)


def test_a_bundle_signed_by_another_key_is_found(case: Case, files: dict[str, bytes], tmp_path: Path) -> None:
    other = make_case(tmp_path / "o")
    stolen = Case(case.assessment, case.run, case.chain, other.key, None).sign(files)
    assert "signed by another key" in failed(stolen)
    assert "The key is the panel's" in failed(files, key="0" * 64)
    assert not failed(files, key=case.chain[0].statement["public_key"])


def test_another_seed_fewer_draws_and_other_versions_are_found(case: Case, files: dict[str, bytes]) -> None:
    seed = change_json(files, "publication.json", lambda v: v.update(seed=6))
    assert "The seed is 6, and 5 was committed" in failed(case.sign(seed))
    versions = change_json(files, "environment.json", lambda v: v["software"].update(numpy="0"))
    assert "software.numpy" in failed(case.sign(versions))
    tables = change_json(files, "environment.json", lambda v: v["inputs"].update({"organizations.csv": "0"}))
    assert "organizations.csv is not the table" in failed(case.sign(tables))


def test_pooled_weights_other_than_sealed_are_found(tmp_path: Path) -> None:
    methodology = METHODOLOGY + '\n[weights]\nuse = "panel"\n'
    case = make_case(tmp_path, sealed=True, methodology=methodology)
    files = case.publish(tmp_path / "b")
    forged = change_json(files, "pooled_weights.json", lambda v: v["weights"].update(killing=0.5))
    assert "not those that were sealed" in failed(case.sign(forged))
    gone = {path: content for path, content in files.items() if path != "pooled_weights.json"}
    assert not has_passed(verify(case.sign(gone)))


# Draws.


@pytest.mark.parametrize(
    ("path", "change", "fault"),
    [
        ("draws/harm_realized.csv", lambda t: t.replace("0,0,g0,", "0,0,g9,", 1), "every chain and draw once"),
        ("draws/harm_realized.csv", lambda t: t.replace("0,0,g0,", "0,1,g0,", 1), "every chain and draw once"),
        ("draws/harm_realized.csv", lambda t: t.replace("0,0,g0,", "0,0,g0,-", 1), "below zero"),
        ("draws/harm_realized.csv", lambda t: t.replace("0,0,g0,", "0,0,g0,nan#", 1), "finite numbers"),
        ("draws/harm_realized.csv", lambda t: t.replace("chain,", "train,", 1), "column for each category"),
        ("draws/harm_realized.csv", lambda t: t.replace("g1", "g7"), "does not rank"),
        ("draws/harm_baseline.csv", lambda t: t.replace("g1", "g7"), "same chains, draws and organizations"),
    ],
)
def test_draws_that_are_no_draws_are_refused(
    case: Case, files: dict[str, bytes], path: str, change, fault: str
) -> None:
    text = files[path].decode()
    assert change(text) != text
    assert fault in failed(case.sign({**files, path: change(text).encode()}))


# Names.


def test_control_characters_of_a_foreign_bundle_do_not_reach_the_terminal(
    case: Case, files: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def rename(value: dict) -> None:
        for claim in value["claims"]:
            claim["sentences"]["en"] = "\x1b[31m\u202eevil\r\n" + claim["sentences"]["en"]

    out = tmp_path / "b"
    for path, content in case.sign(change_json(files, "claims.json", rename)).items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_bytes(content)
    assert cli.run(["verify", str(out)]) == 3
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\u202e" not in printed
    assert shown_text("\x1b[31m\u202eevil") in printed


# Archives and paths.


def zipped(path: Path, entries: dict[str, bytes], *, link: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name)
            if name == link:
                entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return path


def test_a_zipped_bundle_is_checked_like_its_folder(files: dict[str, bytes], tmp_path: Path) -> None:
    assert read_bundle(zipped(tmp_path / "a.zip", files)) == files
    inside = {f"bundle/{path}": content for path, content in files.items()}
    assert read_bundle(zipped(tmp_path / "b.zip", inside)) == files
    assert cli.run(["verify", str(tmp_path / "b.zip")]) == 0


@pytest.mark.parametrize(
    "name", ["../x.csv", "/etc/x", "a/../../x", "C:\\x", "a\\..\\x", "a//b", ".x", "a/b/c/d", "x\n", "…"]
)
def test_names_that_lead_elsewhere_are_refused(files: dict[str, bytes], tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="lead elsewhere"):
        read_bundle(zipped(tmp_path / "a.zip", {**files, name: b"x"}))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_links_and_doubles_are_refused(files: dict[str, bytes], folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="link"):
        read_bundle(zipped(tmp_path / "a.zip", {**files, "x.csv": b"/etc/passwd"}, link="x.csv"))
    copy = Path(shutil.copytree(folder, tmp_path / "b"))
    (copy / "ranking.csv").unlink()
    (copy / "ranking.csv").symlink_to(folder / "ranking.csv")
    with pytest.raises(InputError, match="link"):
        read_bundle(copy)
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("datapackage.json", b"a")
        archive.writestr("datapackage.json", b"b")
    with pytest.raises(InputError, match="two files of one name"):
        read_bundle(tmp_path / "c.zip")


def test_archives_that_swell_and_folders_that_overflow_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "MAX_BYTES", 100_000)
    with pytest.raises(InputError, match="more than"):
        read_bundle(zipped(tmp_path / "a.zip", {"datapackage.json": b"0" * 10**7}))
    lying = bytearray((tmp_path / "a.zip").read_bytes())
    for size in re.finditer(re.escape((10**7).to_bytes(4, "little")), bytes(lying)):
        lying[size.start() : size.end()] = (10).to_bytes(4, "little")  # as if it were small
    (tmp_path / "a.zip").write_bytes(lying)
    with pytest.raises(InputError, match="cannot be read"):
        read_bundle(tmp_path / "a.zip")
    many = tmp_path / "many"
    many.mkdir()
    for n in range(bundle.MAX_FILES + 1):
        (many / f"{n}.txt").touch()
    with pytest.raises(InputError, match="more than"):
        read_bundle(many)
    (tmp_path / "broken.zip").write_bytes(
        zipped(tmp_path / "d.zip", {"datapackage.json": b"x" * 99}).read_bytes()[:-30]
    )
    with pytest.raises(InputError):
        read_bundle(tmp_path / "broken.zip")


@pytest.mark.parametrize("name", ["publication.json", "diagnostics.json", "environment.json", "commitment.json"])
@pytest.mark.parametrize("content", [b'{"a":' * 40_000 + b"1" + b"}" * 40_000, b"[]", b"null", b'{"a": NaN}', b""])
def test_deep_and_senseless_json_fails_and_does_not_crash(
    case: Case, files: dict[str, bytes], name: str, content: bytes
) -> None:
    assert not has_passed(verify(case.sign({**files, name: content})))


ODD = [None, True, -1, 1e308, 2**53 - 1, "", "x", "=1", "\u202e", [], {}, [[]], {"p": None}, "2026-13-99", 0, 0.5]


def spoil(value: object, rng: random.Random) -> object:
    """Return a JSON value with one part of it exchanged for an odd one, or dropped."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(sorted(value))
        if rng.random() < 0.1:
            return {other: inner for other, inner in value.items() if other != key}
        return {**value, key: spoil(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        place = rng.randrange(len(value))
        return [*value[:place], spoil(value[place], rng), *value[place + 1 :]]
    return rng.choice(ODD)


@pytest.mark.parametrize("seed", range(N_SPOILED))
def test_spoiled_contents_are_answered_and_do_not_crash(case: Case, files: dict[str, bytes], seed: int) -> None:
    rng = random.Random(seed)
    name = rng.choice(
        [name for name in files if name.endswith(".json") and name not in ("datapackage.json", "signature.json")]
    )
    value = spoil(json.loads(files[name]), rng)
    if name == "commitment.json" and rng.random() < 0.8:
        try:
            (link,) = value["chain"]
            value["chain"] = [dict(vars(resign(case, Commitment(**link))))]
        except (KeyError, TypeError, ValueError):
            pass
    checks = verify(case.sign({**files, name: canonical(value) + b"\n"}))
    assert checks[0].status == "pass"
    assert has_passed(checks) in (True, False)
    assert has_passed(checks) == (canonical(value) == canonical(json.loads(files[name]))) or name in STATED


STATED = ("publication.json", "diagnostics.json", "environment.json", "commitment.json")


# Keys, pickles, interruptions.


def test_no_key_enters_a_bundle(case: Case, files: dict[str, bytes], tmp_path: Path) -> None:
    pem = (case.assessment.parent / "panel.key").read_bytes()
    raw = case.key.private_bytes_raw()
    for path, content in files.items():
        assert not any(part in content for part in (pem.splitlines()[1], raw, raw.hex().encode())), path
    with pytest.raises(RefusedError, match=r"calibration\.json holds a signing key"):
        case.publish(tmp_path / "b", calibration={"note": pem.decode(), "tables": {"verdicts": []}})
    assert not (tmp_path / "b").exists()


def test_no_module_unpickles() -> None:
    names = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
    calls = {"eval", "exec", "read_pickle"}
    for path in Path(violencescore.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                found = {getattr(node, "module", None) or "", *(alias.name for alias in node.names)}
                assert not {name.split(".")[0] for name in found} & names, path
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", getattr(node.func, "attr", ""))
                assert called not in calls, path
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert getattr(node.value, "value", None) is False, path


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_publication_leaves_nothing(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    written = []

    def write_some(path: Path, content: bytes) -> None:
        written.append(path)
        if len(written) == 5:
            raise error
        with path.open("wb") as stream:
            stream.write(content)

    monkeypatch.setattr(Path, "write_bytes", write_some)
    with pytest.raises(error):
        case.publish(tmp_path / "b")
    assert len(written) == 5
    assert list(tmp_path.iterdir()) == []


def test_of_two_writers_of_one_bundle_one_succeeds(case: Case, tmp_path: Path) -> None:
    found: list[str] = []
    start = threading.Barrier(3)

    def write() -> None:
        start.wait()
        try:
            case.publish(tmp_path / "b")
            found.append("written")
        except InputError:
            found.append("refused")

    writers = [threading.Thread(target=write) for _ in range(3)]
    [writer.start() for writer in writers]
    [writer.join() for writer in writers]
    assert sorted(found) == ["refused", "refused", "written"]
    assert has_passed(verify(read_bundle(tmp_path / "b")))
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


# Without a sampler.


def test_a_bundle_is_verified_where_no_sampler_is_installed(folder: Path) -> None:
    code = (
        "import sys\n"
        "for name in ('pymc', 'pytensor', 'nutpie', 'numba', 'arviz', 'matplotlib'): sys.modules[name] = None\n"
        "from violencescore.cli import run\n"
        f"sys.exit(run(['verify', {str(folder)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# The list of threats.


def test_every_test_that_the_threats_name_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (DOCS / "threats.md").read_text(encoding="utf-8")))
    source = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert len(named) > 20
    assert {name for name in named if f"def {name}(" not in source} == set()
