"""The passport: all margins on one page, held against those that the methodology requires."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from violencescore.decision import Decision
from violencescore.errors import RefusedError
from violencescore.methodology import Methodology
from violencescore.robustness.basis import NEEDS_TABLES, Basis
from violencescore.robustness.findings import Finding, Part
from violencescore.robustness.margins import Margin, Required, check_required, margin_from_json
from violencescore.sampling import Progress, no_progress
from violencescore.verdict import require_margins


@dataclass(frozen=True, eq=False)
class Passport:
    """What was found of each part.

    Attributes
    ----------
    findings
        By the parts that could be answered, in their order.
    left_out
        Name of a part -> why it has no answer.
    required
        What the methodology requires, and whether it holds.
    decision
        The verdict with these margins.
    """

    findings: tuple[Finding, ...]
    left_out: Mapping[str, str]
    required: tuple[Required, ...]
    decision: Decision

    @property
    def margins(self) -> tuple[Margin, ...]:
        """All margins, in the order of the parts."""
        return tuple(margin for finding in self.findings for margin in finding.margins)

    def to_json_dict(self) -> dict[str, Any]:
        """Return the content of ``robustness.json``: margins and notes, no tables."""
        return {
            "margins": [{**m.to_json_dict(), "part": f.part} for f in self.findings for m in f.margins],
            "parts": {finding.part: list(finding.notes) for finding in self.findings},
            "left_out": dict(self.left_out),
            "required": _required_rows(self.required),
            "methodology": dict(self.decision.methodology),
        }


def examine_parts(basis: Basis, parts: Sequence[Part], progress: Progress = no_progress) -> Passport:
    """Answer the parts one by one; one that cannot be answered says why.

    Raises
    ------
    RefusedError
        If the run has no verdict that could change.
    """
    _ = basis.leader
    findings, left_out = [], {}
    for i, part in enumerate(parts):
        progress("passport", i, len(parts))
        if part.needs_tables and basis.assessment is None:
            left_out[part.name] = NEEDS_TABLES
            continue
        try:
            findings.append(part.examine(basis, progress))
        except RefusedError as refusal:
            left_out[part.name] = str(refusal)
    progress("passport", len(parts), len(parts))
    return build_passport(tuple(findings), left_out, basis.decision, basis.methodology)


def build_passport(
    findings: tuple[Finding, ...], left_out: Mapping[str, str], decision: Decision, methodology: Methodology
) -> Passport:
    """Hold what was found against what the methodology requires."""
    margins = tuple(margin for finding in findings for margin in finding.margins)
    required = check_required(methodology.robustness, margins)
    return Passport(findings, left_out, required, require_margins(decision, methodology.robustness, margins))


def merge_record(kept: Mapping[str, Any] | None, passport: Passport) -> dict[str, Any]:
    """Return the record of a passport, with the parts of an earlier one that were not examined now.

    Parameters
    ----------
    kept
        Content of ``robustness.json``; None where there is none.
    """
    found = passport.to_json_dict()
    if kept is None:
        return found
    now = {finding.part for finding in passport.findings}
    earlier = [margin for margin in kept["margins"] if margin.get("part") not in now]
    found["margins"] = [*earlier, *found["margins"]]
    found["parts"] = {**{k: v for k, v in kept["parts"].items() if k not in now}, **found["parts"]}
    found["left_out"] = {k: v for k, v in found["left_out"].items() if k not in found["parts"]}
    return found


def margins_of(record: Mapping[str, Any]) -> tuple[Margin, ...]:
    """Return the margins of a record.

    Raises
    ------
    KeyError, TypeError
        If it is not one.
    """
    return tuple(margin_from_json(value) for value in record["margins"])


def with_required(record: Mapping[str, Any], decision: Decision, methodology: Methodology) -> dict[str, Any]:
    """Return a record with what the methodology requires checked against all of its margins."""
    required = check_required(methodology.robustness, margins_of(record))
    return {**record, "required": _required_rows(required), "methodology": dict(decision.methodology)}


def _required_rows(required: Sequence[Required]) -> list[dict[str, Any]]:
    return [{"name": r.name, "minimum": r.minimum, "holds": r.holds, "sentence": r.sentence} for r in required]
