"""From a run to its page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from violencescore.errors import Fault, InputError
from violencescore.output import write_file
from violencescore.report.page import render_page
from violencescore.report.page_data import PageContext
from violencescore.report.page_incidents import MOST_EXPLAINED, incident_rows
from violencescore.report.robustness import passport_section

if TYPE_CHECKING:
    from violencescore.decision import Decision
    from violencescore.runs import Run


def write_page(
    run: Run, decision: Decision, out: Path, *, assessment: Path | None = None, calibration: Path | None = None
) -> None:
    """Write the page of a run, in place of what stands there.

    Parameters
    ----------
    assessment
        Folder that the run was fitted to: single incidents are then in the page.
    calibration
        The ``results.json`` of a calibration: how often the method errs.

    Raises
    ------
    InputError
        If the assessment is not that of the run, or a file cannot be read or written.
    """
    context = PageContext(
        title=run.methodology.title or run.methodology.id,
        methodology=run.methodology,
        posterior=run.posterior,
        messages=tuple(run.run.get("messages", ())),
        diagnostics=run.diagnostics,
        run=run.run,
        panel=run.panel,
        scenarios=run.scenarios,
        robustness=passport_section(run.robustness, run.margins),
        calibration=None if calibration is None else _read_calibration(calibration),
        evidence=run.evidence,
        incidents=None if assessment is None else _incidents(run, assessment),
    )
    write_file(out, render_page(decision, context).encode("utf-8"))


def _read_calibration(path: Path) -> Mapping[str, Any]:
    from violencescore.publication.contents import read_calibration

    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError([Fault("--calibration", f"cannot be read ({error.strerror})", value=str(path))]) from error
    return read_calibration(content, str(path))


def _incidents(run: Run, folder: Path) -> Mapping[str, Any]:
    """Return the gravest incidents with who probably did them, and how that came about for the first of them."""
    from violencescore.bench.waterfall import waterfalls_json
    from violencescore.design import build_design
    from violencescore.publication.disclosure import raw_tables
    from violencescore.runs import read_tables_of

    design = build_design(read_tables_of(run, folder))
    ids = [str(key) for key in run.posterior["harms"].indexes["organization"]]
    listed = incident_rows(run.attribution(), raw_tables(folder), run.methodology, ids)
    explained = [row["incident_id"] for row in listed["rows"][:MOST_EXPLAINED]]
    waterfalls = waterfalls_json(design, run.posterior["posterior"].to_dataset(), explained)
    rows = [row | {"waterfall": waterfalls.get(row["incident_id"])} for row in listed["rows"]]
    return {**listed, "rows": rows}
