"""Is a bundle what was signed, was it bound in time, and does everything in it follow from its draws?

No sampler is needed. What can be recomputed is recomputed and compared; what cannot is named as such.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from violencescore import __version__
from violencescore.errors import InputError, ViolenceScoreError
from violencescore.names import CATEGORY
from violencescore.publication import contents
from violencescore.publication.bundle import MANIFEST, SIGNATURE, Files, integrity_faults, signer
from violencescore.publication.canonical import read_object
from violencescore.publication.commitment import chain_faults, date_faults, differences, read_chain
from violencescore.publication.contents import Stated, are_ranked, derived_files, read_stated
from violencescore.publication.disclosure import ATTRIBUTION, EVIDENCE, PAGE, WATERFALLS, level_faults
from violencescore.publication.draws import BASELINE, MISSED, RATE, REALIZED, REVENUE
from violencescore.publication.margins import MARGINS_FILE, drawn_faults
from violencescore.publication.panelists import opening_faults
from violencescore.publication.publish import sampling_differences
from violencescore.publication.required import FROM_DRAWS
from violencescore.publication.tabular import read_text_table
from violencescore.report.page import page_parts
from violencescore.scores import pool_weights, score_draws

type Status = Literal["pass", "fail", "unchecked"]

TOLERANCE = 1e-9
"""Relative difference that another machine's arithmetic may make in a figure of a table."""
_STATED = {
    contents.COMMITMENT, contents.PUBLICATION, contents.DIAGNOSTICS, contents.ENVIRONMENT, contents.POOLED,
    contents.CALIBRATION, contents.REFITS, MARGINS_FILE, REALIZED, RATE, BASELINE, MISSED,
    REVENUE.format("revenue"), REVENUE.format("flow"), ATTRIBUTION, EVIDENCE, WATERFALLS, MANIFEST, SIGNATURE,
}  # fmt: skip


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name
        What was looked at, in words.
    status
        ``pass``, ``fail``, or ``unchecked`` where it cannot be checked from the bundle alone.
    details
        What was found; every fault where it failed.
    """

    name: str
    status: Status
    details: tuple[str, ...] = ()


def has_passed(checks: Sequence[Check]) -> bool:
    """Whether nothing failed."""
    return not any(check.status == "fail" for check in checks)


def verify(files: Files, *, published: str | None = None, key: str | None = None) -> tuple[Check, ...]:
    """Check a bundle.

    Parameters
    ----------
    files
        Its files by path, as by `violencescore.publication.bundle.read_bundle`.
    published
        Digest of the commitment as it was published before the window: what keeps a commitment from being dated back.
    key
        Public half of the panel's key, as it was published.

    Returns
    -------
    tuple of Check
        In order; where the files are not those that were signed, nothing else is looked at.
    """
    checks = [as_check("Every file is the one that was signed", integrity_faults(files))]
    if not has_passed(checks):
        return (
            *checks,
            Check("Commitment, draws, tables and claims", "unchecked", ("The files are not those that were signed.",)),
        )
    try:
        checks += _check_commitment(files, published, key)
        stated = read_stated(files)
        checks += _check_rules(files, stated)
        checks += _check_margins(files, stated)
        checks += _check_derived(files, stated)
        checks.append(as_check("Nothing is told beyond the level of disclosure", _disclosure_faults(files, stated)))
    except ViolenceScoreError as error:
        checks.append(Check("The bundle can be read to its end", "fail", tuple(str(error).splitlines())))
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        checks.append(Check("The bundle can be read to its end", "fail", (f"It holds what no bundle has: {error!r}.",)))
    return (*checks, *_unchecked(files))


def as_check(name: str, faults: Sequence[str]) -> Check:
    """Return a check that fails if there is any fault."""
    return Check(name, "fail" if faults else "pass", tuple(faults))


def _check_commitment(files: Files, published: str | None, key: str | None) -> Iterator[Check]:
    if contents.COMMITMENT not in files:
        yield Check("The rules were committed", "fail", ("There is no commitment in the bundle.",))
        return
    chain = read_chain(files[contents.COMMITMENT], contents.COMMITMENT)
    last, signed_by = chain[-1], signer(files)
    yield as_check("The commitment and its amendments are whole and signed", chain_faults(chain))
    wrong = [] if last.statement["public_key"] == signed_by else ["The bundle is signed by another key."]
    yield as_check("Commitment and bundle are signed by the same key", wrong)
    late = [*date_faults(chain)]
    if last.statement["committed_at"] > str(_publication(files)["published_at"]):
        late.append("The bundle is dated before the commitment.")
    name = "The rules were bound before the window opened, by the dates that are stated"
    if last.is_rehearsal and not late:
        yield Check(name, "unchecked", ("This is a rehearsal, and says so: its rules bind nobody.",))
    else:
        yield as_check(name, late)
    yield check_outside(
        "The commitment is the one that was published before the window",
        published,
        [link.sha256 for link in chain],
        f"Compare {last.sha256} with what was published then, or give it: --commitment. Dates alone prove nothing.",
    )
    yield check_outside(
        "The key is the panel's", key, [signed_by], f"Compare {signed_by} with the key that the panel published: --key."
    )


def check_outside(name: str, given: str | None, found: Sequence[str], advice: str) -> Check:
    """Compare with what only somebody outside can know; unchecked, with advice, where it is not given."""
    if given is None:
        return Check(name, "unchecked", (advice,))
    return as_check(name, [] if given.lower() == found[-1] else [f"It is {found[-1]}, not {given}."])


def _publication(files: Files) -> Mapping[str, Any]:
    return read_object(files[contents.PUBLICATION], contents.PUBLICATION)


def _check_rules(files: Files, stated: Stated) -> Iterator[Check]:
    statement, methodology = stated.chain[-1].statement, stated.methodology
    found = [*sampling_differences(stated.publication["seed"], stated.posterior, methodology.sampling)]
    used = stated.environment["software"]
    changed = differences(statement["software"], used, "software")
    found += [f"{key} is not the version that was committed." for key in changed]
    if methodology.sha256 != statement["methodology_sha256"]:
        found.append("The digest of the methodology is not that of its content.")
    found_ids = stated.posterior["harms"].indexes["organization"]
    if not are_ranked({id_: stated.names[id_] for id_ in found_ids}, statement):
        found.append("The organizations are not those that were committed.")
    inputs = stated.environment["inputs"]
    others = [name for name, sha256 in statement["files"].items() if inputs.get(name) != sha256]
    found += [f"{name} is not the table that was committed." for name in others]
    yield as_check("Seed, draws, software and tables are those that were committed", found)
    if (panel := statement["panel"]) is not None and methodology.weights.use == "panel":
        yield as_check("The panel's pooled weights are those that were committed", _panel_faults(files, stated, panel))


def _panel_faults(files: Files, stated: Stated, panel: Mapping[str, Any]) -> list[str]:
    if "weights" not in stated.posterior.children:
        return ["The pooled weights are missing."]
    pooled = pool_weights(stated.posterior["weights"].to_dataset()["panel_weight"], stated.methodology.weights)
    found = {str(label): float(w) for label, w in zip(pooled[CATEGORY].values, pooled.values, strict=True)}
    if stated.sealed:
        return opening_faults(panel, read_object(files[contents.POOLED], contents.POOLED), found)
    return [] if is_equal(found, panel["pooled"]) else ["They are not the pool of the panelists' weights."]


def _check_margins(files: Files, stated: Stated) -> Iterator[Check]:
    """Hold the margins that are required against the draws, where they follow from these, and against the verdict."""
    if not stated.methodology.robustness.minimum:
        return
    decision = stated.decide()
    scores = score_draws(stated.posterior, stated.methodology)
    if any(margin.name in FROM_DRAWS for margin in stated.margins):
        yield as_check("The escape margin follows from the draws", drawn_faults(stated.margins, scores, decision))
    published = read_object(files[contents.DECISION], contents.DECISION) if contents.DECISION in files else {}
    for part in decision.required_margins:
        wrong = published.get("outcome") == "selected" and not part.holds
        status: Status = "fail" if wrong else "pass"
        label = part.name.replace("_", " ")
        yield Check(f"Required of a selection: {label}, {part.minimum:g} or more", status, (part.sentence,))


def _check_derived(files: Files, stated: Stated) -> Iterator[Check]:
    """Compare every table, claim and page with what follows from the draws."""
    derived = derived_files(stated)
    for path, wanted in derived.items():
        if path == contents.CLAIMS:
            continue
        how = "is this program's own" if path == contents.VERIFIER else "follows from what is stated and drawn"
        yield as_check(f"{path} {how}", _content_faults(path, files.get(path), wanted))
    yield from _check_claims(files, derived[contents.CLAIMS])
    strange = [
        f"{path} is a file that no bundle holds."
        for path in sorted(files)
        if path not in derived and path not in _STATED and not path.startswith("inputs/")
    ]
    yield as_check("There is no file that nothing accounts for", strange)


def _content_faults(path: str, content: bytes | None, wanted: bytes) -> list[str]:
    if content is None:
        return [f"{path} is missing."]
    if content == wanted:
        return []
    try:
        if path.endswith(".csv"):
            same = _same_table(content, wanted, path)
        elif path == PAGE:
            (frame, data), (right, expected) = (page_parts(page.decode("utf-8")) for page in (content, wanted))
            same = frame == right and is_equal(data, expected)
        else:
            same = path.endswith(".json") and is_equal(read_object(content, path), json.loads(wanted))
    except InputError as error:
        return [str(error)]
    return [] if same else [f"{path} is not what follows; recomputed it is another (violencescore {__version__})."]


def _check_claims(files: Files, wanted: bytes) -> Iterator[Check]:
    """One check for each claim: what the announcement says is what follows."""
    if contents.CLAIMS not in files:
        yield Check("The claims are there", "fail", (f"{contents.CLAIMS} is missing.",))
        return
    found = read_object(files[contents.CLAIMS], contents.CLAIMS).get("claims")
    expected = json.loads(wanted)["claims"]
    if not isinstance(found, list) or len(found) != len(expected):
        yield Check("Every claim that follows is made, and no other", "fail", ("Claims were added or left out.",))
        return
    for claim, right in zip(found, expected, strict=True):
        said = claim["sentences"]["en"] if isinstance(claim, Mapping) else str(claim)
        faults = [] if is_equal(claim, right) else [f"What follows is: {right['sentences']['en']}"]
        yield as_check(f"Claim: {said}", faults)


def _same_table(content: bytes, wanted: bytes, path: str) -> bool:
    left, right = (read_text_table(part, path) for part in (content, wanted))
    if list(left.columns) != list(right.columns) or left.shape != right.shape:
        return False
    return all(_same_cell(a, b) for name in left for a, b in zip(left[name], right[name], strict=True) if a != b)


def _same_cell(left: str, right: str) -> bool:
    try:
        return is_equal(float(left), float(right))
    except ValueError:
        return False


def is_equal(left: Any, right: Any) -> bool:
    """Whether two JSON values are the same up to the last digits of numbers."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(is_equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(is_equal, left, right))
    if isinstance(left, bool | str | None) or isinstance(right, bool | str | None):
        return type(left) is type(right) and left == right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return math.isclose(left, right, rel_tol=TOLERANCE, abs_tol=1e-12)
    return False


def _disclosure_faults(files: Files, stated: Stated) -> tuple[str, ...]:
    return level_faults(files, str(stated.publication["level"]))


def _unchecked(files: Files) -> Iterator[Check]:
    """Say what is taken as stated."""
    what = ["How the chains converged (diagnostics.json).", "Scenarios that needed a refit.", "Calibration, if any."]
    if MARGINS_FILE in files:
        rest = "all but the escape margin rest on single incidents, other weights or refits"
        what.append(f"Margins that are required ({MARGINS_FILE}): {rest}.")
    if EVIDENCE in files:
        what.append("Which channels name whom, and what is staged (evidence.json, waterfalls.json).")
    if contents.PUBLICATION in files:
        what.append("That the draws come from the inputs: where these are enclosed, verify --refit fits them again.")
    yield Check("Taken as stated", "unchecked", tuple(what))
