"""A passport and the run folder: what it is made of, where it is kept, and its tables and figures as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from violencescore.output import write_file, write_folder
from violencescore.publication.tabular import csv_bytes
from violencescore.report.figure_files import write_figure
from violencescore.robustness.basis import Basis
from violencescore.robustness.findings import Part
from violencescore.robustness.passport import Passport, margins_of, merge_record, with_required
from violencescore.runs import Run, add_robustness, read_tables_of
from violencescore.verdict import decide_posterior


def basis_of(run: Run, folder: Path | None = None, *, n_refits: int = 0, seed: int | None = None) -> Basis:
    """Return what the parts look at: a run, and the tables that it was fitted to where their folder is named.

    Raises
    ------
    InputError
        If the folder is not what the run was fitted to.
    """
    assessment = None if folder is None else read_tables_of(run, folder)
    chosen = run.methodology.sampling.seed if seed is None else seed
    return Basis(run.posterior, run.methodology, run.diagnostics, assessment, folder, n_refits, chosen)


def keep_passport(run: Run, passport: Passport) -> None:
    """Put the passport into the run folder; parts that were examined before and not now stay."""
    record = merge_record(run.robustness, passport)
    record = with_required(record, passport.decision, run.methodology)
    decided = decide_posterior(run.posterior, run.methodology, run.diagnostics, margins=margins_of(record))
    add_robustness(run, record, decided)


def write_results(passport: Passport, parts: Sequence[Part], names: Mapping[str, str], folder: Path) -> None:
    """Write every table as CSV and every figure as SVG into a new folder, whole or not at all."""
    by_name = {part.name: part for part in parts}
    with write_folder(folder) as staging:
        for finding in passport.findings:
            for name, table in finding.tables.items():
                write_file(staging / f"{finding.part}-{name.replace('_', '-')}.csv", csv_bytes(_stated(table)))
            for name, figure in by_name[finding.part].draw(finding, names).items():
                write_figure(figure, staging / f"{name}.svg")


def _stated(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with its estimand and method in columns of their own, so that a file says them too."""
    return table.assign(estimand=table.attrs["estimand"], method=table.attrs["method"])
