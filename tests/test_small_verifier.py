"""The short program that ships in every bundle: it agrees with the large one, on good bundles and on forged ones."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from publication_cases import MEANS, METHODOLOGY, Case, change_json, make_case

from violencescore.montecarlo import effective_size
from violencescore.publication import small_verifier as small
from violencescore.publication.canonical import canonical
from violencescore.publication.keys import make_key, public_hex, sign
from violencescore.publication.verify import has_passed, verify

USE_PANEL = METHODOLOGY + '\n[weights]\nuse = "panel"\n'


def write(files: dict[str, bytes], folder: Path) -> Path:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def small_faults(files: dict[str, bytes], folder: Path, published: str | None = None) -> list[str]:
    return [what for what, holds in small.verify(write(files, folder), published) if not holds]


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return make_case(tmp_path_factory.mktemp("case"))


@pytest.fixture(scope="module")
def files(case: Case, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return case.publish(tmp_path_factory.mktemp("bundle") / "b")


def test_it_is_short_and_needs_the_standard_library_and_numpy_only() -> None:
    source = Path(small.__file__).read_text(encoding="utf-8")
    assert len(source.splitlines()) < 375
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {getattr(node, "module", None) or node.names[0].name for node in imports}
    assert names - set(sys.stdlib_module_names) == {"numpy"}


@given(st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(codec="utf-8"))
    | st.integers(-(2**53) + 1, 2**53 - 1),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4),
    max_leaves=12,
))  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_its_canonical_form_is_that_of_the_library(value: object) -> None:
    assert small.canonical(value).encode() == canonical(value)


def test_its_signatures_are_those_of_the_library(tmp_path: Path) -> None:
    key = make_key(tmp_path / "k")
    public, content = public_hex(key), b"content"
    signature = sign(key, "bundle", content)
    assert small.is_signed(public, signature, b"bundle", content)
    assert not small.is_signed(public, signature, b"commitment", content)
    assert not small.is_signed(public, signature, b"bundle", b"other")
    assert not small.is_signed(public, signature.upper(), b"bundle", content)
    assert not small.is_signed(public, signature + "00", b"bundle", content)
    for place in range(64):
        flipped = bytearray.fromhex(signature)
        flipped[place] ^= 1
        assert not small.is_signed(public, flipped.hex(), b"bundle", content)
    # A second form of the same signature, s + q: it must not pass, or bytes could change unseen.
    s = int.from_bytes(bytes.fromhex(signature)[32:], "little") + small.Q
    assert not small.is_signed(public, signature[:64] + s.to_bytes(32, "little").hex(), b"bundle", content)


@pytest.mark.parametrize("shape", [(4, 200), (2, 61), (1, 9), (3, 10)])
def test_its_effective_size_is_that_of_the_package(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    series = np.cumsum(rng.normal(size=shape), axis=1) * 0.1 + rng.normal(size=shape)
    for draws in (series, (series > 0).astype(float), np.ones(shape), series - series[:, ::-1]):
        assert small.effective_size(draws) == pytest.approx(effective_size(draws[None])[0])


@pytest.mark.parametrize(
    "more",
    [
        *({"means": means} for means in MEANS.values()),
        {"converged": False},
        {"methodology": METHODOLOGY.replace("[window]", "[decision]\nmargin = 0.05\n[window]")},
        {"methodology": METHODOLOGY.replace("[window]", '[score]\nestimand = "rate"\nper = "flow"\n[window]')},
        {"methodology": USE_PANEL},
        {"methodology": USE_PANEL, "sealed": True},
        {"panel": "", "names": ("=cmd()", "<b>x</b>", "Barrio 18")},
        {"rehearsal": True},
        {"ids": ["=1+1", "@g", "'-x"], "panel": ""},
    ],
)
def test_both_verifiers_pass_an_honest_bundle(tmp_path: Path, more: dict) -> None:
    case = make_case(tmp_path / "case", **more)
    files = case.publish(tmp_path / "b", "coarsened")
    assert small_faults(files, tmp_path / "b", case.chain[-1].sha256) == []
    assert has_passed(verify(files, published=case.chain[-1].sha256))
    assert small_faults(files, tmp_path / "b", "0" * 64) != []


def swap(path: str, old: str, new: str):
    def change(files: dict[str, bytes]) -> dict[str, bytes]:
        text = files[path].decode()
        assert old in text
        return {**files, path: text.replace(old, new, 1).encode()}

    return change


def in_json(path: str, change):
    return lambda files: change_json(files, path, change)


def claim(kind: str, change):
    def apply(value: dict) -> None:
        change(next(c for c in value["claims"] if c["kind"] == kind))

    return in_json("claims.json", apply)


def raise_first_score(files: dict[str, bytes]) -> dict[str, bytes]:
    head, first, *rest = files["draws/scores.csv"].decode().splitlines()
    cells = first.split(",")
    cells[2] = str(float(cells[2]) + 1)
    return {**files, "draws/scores.csv": "\n".join([head, ",".join(cells), *rest, ""]).encode()}


def drop_last_draw(files: dict[str, bytes]) -> dict[str, bytes]:
    found = {}
    for path, each in (("draws/scores.csv", 1), ("draws/harm_realized.csv", 4)):
        lines = files[path].decode().splitlines()
        found[path] = "\n".join([*lines[:-each], ""]).encode()
    return {**files, **found}


FORGERIES = {
    "another selected": in_json("decision.json", lambda v: v.update(selected="g1")),
    "another outcome": in_json("decision.json", lambda v: v.update(outcome="no_selection", selected=None)),
    "another probability": in_json("decision.json", lambda v: v["p_first"]["g0"].update(p=0.97)),
    "another confidence": in_json("decision.json", lambda v: v.update(confidence_required=0.8)),
    "another ranking": swap("ranking.csv", "g0,Amber,", "g0,Amber,0.5,0.01,"),
    "an order": lambda f: {**f, "ranking.csv": b"\n".join([*f["ranking.csv"].split(b"\n")[:1], *sorted(f["ranking.csv"].split(b"\n")[1:-1], reverse=True), b""])},
    "another weight": swap("weights.csv", "3.0", "2.0"),
    "other rules": in_json("methodology.json", lambda v: v["decision"].update(confidence=0.8)),
    "a score": raise_first_score,
    "a draw less": drop_last_draw,
    "a sentence": swap("announcement.en.txt", "was the most violent", "was the least violent"),
    "a sentence in Spanish": swap("announcement.es.txt", "violenta", "pacífica"),
    "a line more": swap("announcement.en.txt", "The figures\n", "The figures\nIt confessed.\n"),
    "a page": swap("announcement.es.html", "Se designa", "No se designa"),
    "a claim's value": claim("selected", lambda c: c["values"].update(p=0.999)),
    "a claim's number": claim("score", lambda c: c["shown"].update(median="999")),
    "a claim's sentence": claim("first", lambda c: c["sentences"].update(en="Amber did it with probability 0.5.")),
    "a claim's subject": claim("selected", lambda c: c.update(subject=["g1"])),
    "a claim less": in_json("claims.json", lambda v: v["claims"].pop()),
    "a verdict beyond convergence": in_json("diagnostics.json", lambda v: v.update(converged=False)),
    "a pair": swap("pairwise.csv", "g0,g1,0", "g0,g1,1"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_both_verifiers_find_what_was_forged_though_it_is_signed_anew(
    case: Case, files: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    forged = case.sign(FORGERIES[name](files))
    assert verify(files)[0].status == verify(forged)[0].status == "pass"  # the signature alone does not tell
    assert not has_passed(verify(forged))
    assert small_faults(forged, tmp_path / "b") != []


def test_it_runs_as_it_ships(files: dict[str, bytes], tmp_path: Path) -> None:
    write(files, tmp_path)
    command = [sys.executable, "-I", str(tmp_path / "verify" / "small_verifier.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout
    (tmp_path / "ranking.csv").write_bytes(files["ranking.csv"] + b"\n")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert "FAILED every file is the one that is listed" in done.stdout


def test_nonsense_fails_and_does_not_crash(files: dict[str, bytes], case: Case, tmp_path: Path) -> None:
    for n, (path, content) in enumerate([
        ("claims.json", b"[" * 5000), ("ranking.csv", b"\xff"), ("draws/scores.csv", b"chain,draw\n"),
        ("decision.json", b"null"), ("commitment.json", b'{"chain": [{}]}'),
    ]):  # fmt: skip
        forged = case.sign({**files, path: content} if path != "ranking.csv" else {**files, path: b"a,b\n1\n"})
        assert small_faults(forged, tmp_path / str(n)) != [], path
        assert not has_passed(verify(forged)), path
    assert json.loads(files["decision.json"])["outcome"] == "selected"
