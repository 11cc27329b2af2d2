"""Every guard is needed: taken out of the source, the test that docs/threats.md names for it fails."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import violencescore

SOURCE = Path(violencescore.__file__).parent
TESTS = Path(__file__).parent

GUARDS = {
    # what is taken away: file, text, what stands in its place, and the tests of which one must fail
    "digests of files": (
        "publication/bundle.py",
        'elif listed[path] != "sha256:" + hashlib.sha256(files[path]).hexdigest():',
        "elif False:",
        "test_adversaries.py::test_every_flipped_byte_is_found",
    ),
    "signature of a bundle": (
        "publication/bundle.py",
        'if not is_signed(signature.get("public_key"), signature.get("signature"), PURPOSE, files[MANIFEST]):',
        "if False:",
        "test_adversaries.py::test_every_byte_of_the_signature_is_found",
    ),
    "form of a signature": (
        "publication/bundle.py",
        'signature.keys() != keys or canonical(signature) + b"\\n" != files[SIGNATURE]',
        "False",
        "test_adversaries.py::test_a_signature_written_in_another_form_is_found",
    ),
    "files that are not listed": (
        "publication/bundle.py",
        "elif path not in listed:",
        "elif path not in listed and False:",
        "test_adversaries.py::test_added_dropped_renamed_and_cut_files_are_found",
    ),
    "files that no bundle holds": (
        "publication/verify.py",
        'if path not in derived and path not in _STATED and not path.startswith("inputs/")',
        "if False",
        "test_adversaries.py::test_an_extra_file_is_found_though_it_is_signed",
    ),
    "margins that follow from the draws": (
        "publication/margins.py",
        "if not _is_same(margin, right)",
        "if False",
        "test_required_margins.py::test_a_passport_that_does_not_follow_from_the_draws_is_not_published",
    ),
    "margins that are large enough": (
        "verdict.py",
        "if all(part.holds for part in required):",
        "if True:",
        "test_required_margins.py::test_a_verdict_that_is_not_robust_enough_is_published_as_such",
    ),
    "the form of margins": (
        "publication/margins.py",
        "for rule in _faults(row, wanted, names)",
        "for rule in ()",
        "test_required_margins.py::test_margins_that_were_altered_are_found_with_and_without_the_panels_key",
    ),
    "sentences of margins": (
        "publication/margins.py",
        "for key, value in margin.to_json_dict().items() if key in _KEYS",
        "for key, value in margin.to_json_dict().items()",
        "test_required_margins.py::test_nothing_on_single_incidents_leaves_through_margins",
    ),
    "a ledger's margins": (
        "rounds/history.py",
        'if facts["outcome"] == "selected" and not all(',
        "if False and not all(",
        "test_required_margins.py::test_a_ledger_cannot_select_without_the_margins",
    ),
    "names of files": (
        "publication/bundle.py",
        "if not _PATH.fullmatch(name):",
        "if False:",
        "test_adversaries.py::test_names_that_lead_elsewhere_are_refused",
    ),
    "links": (
        "publication/bundle.py",
        "if not regular:",
        "if False:",
        "test_adversaries.py::test_links_and_doubles_are_refused",
    ),
    "sizes": (
        "publication/bundle.py",
        "if not room:",
        "if False:",
        "test_adversaries.py::test_archives_that_swell_and_folders_that_overflow_are_refused",
    ),
    "depth of JSON": (
        "publication/canonical.py",
        "if _depth(content) > MAX_DEPTH:",
        "if False:",
        "test_commitment.py::test_json_that_readers_would_not_agree_on_is_refused",
    ),
    "double keys": (
        "publication/canonical.py",
        "if len(found) != len(pairs):",
        "if False:",
        "test_commitment.py::test_json_that_readers_would_not_agree_on_is_refused",
    ),
    "digest of a commitment": (
        "publication/commitment.py",
        "if digest(statement) != link.sha256:",
        "if False:",
        "test_adversaries.py::test_a_date_set_back_without_the_key_is_found",
    ),
    "commitments in time": (
        "publication/commitment.py",
        "if link.committed_at >= (opened := _opened(chain[:place]))",
        "if (opened := _opened(chain[:place])) is None",
        "test_adversaries.py::test_a_commitment_made_after_the_window_opened_is_found",
    ),
    "the digest that was published": (
        "publication/verify.py",
        "[] if given.lower() == found[-1] else",
        "[] if given else",
        "test_adversaries.py::test_a_commitment_dated_back_with_the_key_is_found_by_the_digest_that_was_published",
    ),
    "links of a chain of commitments": (
        "publication/commitment.py",
        'if statement["previous"] != (before.sha256 if before else None):',
        "if False:",
        "test_commitment.py::test_dropped_moved_and_exchanged_statements_are_found",
    ),
    "rules of the run": (
        "publication/publish.py",
        'for key in differences(statement["methodology"], used, "methodology"):',
        "for key in ():",
        "test_adversaries.py::test_a_run_and_bundle_of_other_weights_are_refused_and_found",
    ),
    "tables that follow from the draws": (
        "publication/verify.py",
        "    if content == wanted:\n        return []",
        "    if content:\n        return []",
        "test_adversaries.py::test_a_run_and_bundle_of_other_weights_are_refused_and_found",
    ),
    "one key for all": (
        "publication/verify.py",
        'wrong = [] if last.statement["public_key"] == signed_by else ["The bundle is signed by another key."]',
        "wrong: list[str] = []",
        "test_adversaries.py::test_a_bundle_signed_by_another_key_is_found",
    ),
    "formulas in CSV": (
        "publication/tabular.py",
        'return f"\'{text}" if _FORMULA.match(text) else text',
        "return text",
        "test_publication.py::test_formulas_scripts_paths_and_marks_stay_text",
    ),
    "control characters": (
        "report/text.py",
        "    if character.isprintable():",
        "    if character:",
        "test_adversaries.py::test_control_characters_of_a_foreign_bundle_do_not_reach_the_terminal",
    ),
    "keys in a bundle": (
        "publication/publish.py",
        "for path, content in files.items() if _SECRET in content",
        "for path, content in files.items() if False",
        "test_adversaries.py::test_no_key_enters_a_bundle",
    ),
    "mode of a key": (
        "publication/keys.py",
        'if status.st_mode & 0o077 and os.name == "posix":',
        "if False:",
        "test_commitment.py::test_a_key_is_read_by_its_owner_only",
    ),
    "detail beyond the level": (
        "publication/verify.py",
        'return level_faults(files, str(stated.publication["level"]))',
        "return ()",
        "test_publication.py::test_a_bundle_that_tells_too_much_fails_though_it_is_signed",
    ),
    "writing whole or not at all": (
        "output.py",
        "        shutil.rmtree(staging, ignore_errors=True)\n        raise",
        "        raise",
        "test_adversaries.py::test_an_interrupted_publication_leaves_nothing",
    ),
    "of two writers one": (
        "output.py",
        "                os.link(name, path)\n                os.unlink(name)",
        "                os.replace(name, path)",
        "test_ledger.py::test_of_two_writers_of_one_entry_one_succeeds",
    ),
    "half-written files": (
        "output.py",
        "            Path(name).unlink(missing_ok=True)\n            raise",
        "            raise",
        "test_ledger.py::test_an_interrupted_entry_leaves_the_ledger_as_it_was",
    ),
    "digest of an entry": (
        "rounds/ledger.py",
        "if digest(statement) != entry.sha256:",
        "if False:",
        "test_ledger.py::test_a_digest_of_something_else_is_found",
    ),
    "signature of an entry": (
        "rounds/ledger.py",
        'if not is_signed(statement["public_key"], entry.signature, PURPOSE, canonical(statement)):',
        "if False:",
        "test_ledger.py::test_an_entry_by_another_key_is_found",
    ),
    "numbers of entries": (
        "rounds/ledger.py",
        "if entry.number != place + 1:",
        "if False:",
        "test_ledger.py::test_a_dropped_entry_is_found",
    ),
    "links of entries": (
        "rounds/ledger.py",
        'if statement["previous"] != (before.sha256 if before else None):',
        "if False:",
        "test_ledger.py::test_an_entry_dropped_and_the_rest_renumbered_is_found",
    ),
    "one key of a ledger": (
        "rounds/ledger.py",
        'if statement["public_key"] != entries[0].statement["public_key"]:',
        "if False:",
        "test_ledger.py::test_an_entry_by_another_key_is_found",
    ),
    "dates of entries": (
        "rounds/ledger.py",
        "if before is not None and entry.at < before.at:",
        "if False:",
        "test_ledger.py::test_an_entry_dated_back_is_found",
    ),
    "form of an entry": (
        "rounds/ledger.py",
        'if canonical(value) + b"\\n" != content:',
        "if False:",
        "test_ledger.py::test_another_form_of_the_same_entry_is_found",
    ),
    "files and links in a ledger": (
        "rounds/ledger.py",
        "if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:",
        "if False:",
        "test_ledger.py::test_strange_files_links_and_huge_files_are_refused",
    ),
    "the head that was published": (
        "rounds/verification.py",
        "missing = [] if places else",
        "missing = [] if True else",
        "test_ledger.py::test_entries_cut_off_at_the_end_are_found_by_the_digest_that_was_published",
    ),
    "form of facts": (
        "rounds/history.py",
        "if found := fact_faults(entry.kind, entry.facts):",
        "if found := ():",
        "test_ledger.py::test_spoiled_entries_are_answered_and_do_not_crash",
    ),
    "order of steps": (
        "rounds/history.py",
        "elif last.phase not in _ALLOWED[entry.kind]:",
        "elif False:",
        "test_rounds.py::test_steps_out_of_order_are_refused",
    ),
    "announced in time": (
        "rounds/history.py",
        'if not facts["rehearsal"] and entry.at >= start:',
        "if False:",
        "test_rounds.py::test_a_round_is_announced_before_its_window_and_opens_in_it",
    ),
    "announced after its commitment": (
        "rounds/history.py",
        'if entry.statement["at"] < facts["committed_at"]:',
        "if False:",
        "test_rounds.py::test_a_commitment_dated_after_its_announcement_is_refused",
    ),
    "the commitment of a verdict": (
        "rounds/history.py",
        'if facts["commitment"] != terms["commitment"]:',
        "if False:",
        "test_rounds.py::test_a_verdict_other_than_announced_is_refused",
    ),
    "who is named": (
        "rounds/history.py",
        'if entry.facts["organization"] != selected:',
        "if False:",
        "test_rounds.py::test_only_who_was_selected_is_named",
    ),
    "who is retired": (
        "rounds/history.py",
        'if ranked := [key for key in gone if key in facts["organizations"]]:',
        "if ranked := []:",
        "test_rounds.py::test_the_next_round_does_not_rank_whom_victory_was_declared_over",
    ),
    "a verdict that follows from its bundle": (
        "rounds/verification.py",
        "for key in keys if not _is_same(stated, right, key)",
        "for key in keys if False",
        "test_rounds.py::test_a_verdict_that_does_not_follow_from_its_bundle_is_found",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("guard", GUARDS)
def test_without_the_guard_its_test_fails(guard: str, tmp_path: Path) -> None:
    file, text, instead, tests = GUARDS[guard]
    copy = Path(
        shutil.copytree(SOURCE, tmp_path / "src" / "violencescore", ignore=shutil.ignore_patterns("__pycache__"))
    )
    content = (copy / file).read_text(encoding="utf-8")
    assert content.count(text) == 1, "the guard has moved: say where it stands now"
    (copy / file).write_text(content.replace(text, instead), encoding="utf-8")
    shutil.copytree(SOURCE.parents[1] / "models", tmp_path / "models")
    chosen = [str(TESTS / test) for test in tests.split()]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *chosen],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "src")},
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1, done.stdout[-2000:]
    assert "ImportError" not in done.stdout and "SyntaxError" not in done.stdout, done.stdout[-2000:]


def test_every_guard_stands_where_it_is_said_to() -> None:
    for guard, (file, text, _, tests) in GUARDS.items():
        assert (SOURCE / file).read_text(encoding="utf-8").count(text) == 1, guard
        for test in tests.split():
            path, name = test.split("::")
            assert f"def {name}(" in (TESTS / path).read_text(encoding="utf-8"), guard
