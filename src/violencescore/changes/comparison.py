"""Two runs compared: rows, choices, the change of each P(first), and what caused it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from violencescore.assessment import Assessment, read_assessment
from violencescore.changes.causes import (
    AFTER,
    BEFORE,
    DATA_ONLY,
    RULES_ONLY,
    Cause,
    Corner,
    build_corner,
    split_change,
    verdict_cause,
)
from violencescore.changes.choices import ChosenChange, compare_choices
from violencescore.changes.rows import TableChange, compare_folders
from violencescore.errors import InputError
from violencescore.methodology import Methodology
from violencescore.publication.commitment import differences
from violencescore.runs import Run, require_same_inputs
from violencescore.scores import published_weights, score_draws

type Refit = Callable[[str, Assessment, Methodology, xr.DataArray], tuple[xr.DataArray, Mapping[str, Any]]]
"""Fits an assessment (named for progress), and returns its scores under a methodology and the diagnostics."""

_CHOSEN = ("methodology.", "panel_weights.", "datapackage.")


@dataclass(frozen=True, eq=False)
class Comparison:
    """What differs between two runs, and what that does.

    Attributes
    ----------
    names
        id -> name of every organization that either ranks.
    files
        Tables whose bytes differ, by the digests that the runs recorded; panel weights and methodology are choices.
    tables
        What happened to the rows of each table; None where the folders were not given.
    choices
        What was chosen otherwise.
    software
        Packages of another version.
    other_draws
        Whether seed or number of draws differ.
    corners
        Combinations of data and methodology: ``before``, ``after``, and the crossed ones where they were needed.
    crossed
        How those came about: ``none`` was needed, ``scored`` again from the draws, ``fitted`` again, or ``missing``.
    note
        Why they are missing.
    probabilities
        As by `violencescore.changes.causes.split_change`.
    cause
        Why the verdict is another, as by `violencescore.changes.causes.verdict_cause`.
    """

    names: Mapping[str, str]
    files: tuple[str, ...]
    tables: Mapping[str, TableChange] | None
    choices: ChosenChange
    software: tuple[str, ...]
    other_draws: bool
    corners: Mapping[str, Corner]
    crossed: str
    note: str
    probabilities: pd.DataFrame
    cause: Cause

    @property
    def data_differ(self) -> bool:
        """Whether the tables hold other rows; without the folders, other bytes."""
        if self.tables is None:
            return bool(self.files)
        return any(not change.is_same for name, change in self.tables.items() if name != "panel_weights")

    def to_json_dict(self) -> dict[str, Any]:
        """Return plain JSON values: counts of rows, not the rows."""
        tables = None if self.tables is None else {name: change.counts() for name, change in self.tables.items()}
        return {
            "files": list(self.files),
            "tables": tables,
            "choices": dict(self.choices.keys),
            "panel": self.choices.panel,
            "software": list(self.software),
            "other_draws": self.other_draws,
            "crossed": self.crossed,
            "note": self.note,
            "verdicts": {name: corner.to_json_dict() for name, corner in self.corners.items()},
            "cause": self.cause,
            "p_first": self.probabilities.astype(object).where(self.probabilities.notna(), None).to_dict("records"),
        }


def compare_runs(
    before: Run, after: Run, folders: tuple[Path, Path] | None = None, refit: Refit | None = None
) -> Comparison:
    """Compare two runs.

    Parameters
    ----------
    folders
        The assessments that they were fitted to, for what happened to the rows, and for refits.
    refit
        Fits what neither run holds; called where data and model both differ, and only if ``folders`` are given.

    Raises
    ------
    InputError
        If a folder is not the one that its run was fitted to.
    """
    tables = None
    if folders is not None:
        for run, folder in zip((before, after), folders, strict=True):
            require_same_inputs(run, read_assessment(folder))
        tables = compare_folders(*folders)
    files = _changed_files(before, after)
    differ = bool(files) if tables is None else any(not t.is_same for n, t in tables.items() if n != "panel_weights")
    choices = compare_choices(before.methodology, after.methodology, before.posterior, after.posterior)
    corners = {
        BEFORE: build_corner(BEFORE, before.scores(), before.methodology, before.diagnostics),
        AFTER: build_corner(AFTER, after.scores(), after.methodology, after.diagnostics),
    }
    crossed, note = "none", ""
    if differ and (choices.moves or choices.line):
        more, crossed, note = _cross(before, after, choices, folders, refit)
        corners |= more
    return Comparison(
        names=_names(before) | _names(after),
        files=files,
        tables=tables,
        choices=choices,
        software=tuple(
            key.split(".", 1)[1]
            for key in differences(dict(before.run["packages"]), dict(after.run["packages"]), "package")
        ),
        other_draws=_draws(before) != _draws(after),
        corners=corners,
        crossed=crossed,
        note=note,
        probabilities=split_change(corners, data=differ, rules=choices.moves),
        cause=verdict_cause(corners, data=differ, rules=choices.moves or choices.line, line=choices.line),
    )


def _changed_files(before: Run, after: Run) -> tuple[str, ...]:
    old, new = ({k: v for k, v in run.run["inputs"].items() if not k.startswith(_CHOSEN)} for run in (before, after))
    return tuple(sorted(name for name in {**old, **new} if old.get(name) != new.get(name)))


def _names(run: Run) -> dict[str, str]:
    harms = run.posterior["harms"].to_dataset()
    ids = [str(key) for key in harms["organization"].values]
    names = [str(name) for name in harms["name"].values] if "name" in harms.coords else ids
    return dict(zip(ids, names, strict=True))


def _draws(run: Run) -> tuple[Any, ...]:
    harms = run.posterior["harms"]
    return run.run["seed"], harms.sizes["chain"], harms.sizes["draw"]


def _cross(
    before: Run, after: Run, choices: ChosenChange, folders: tuple[Path, Path] | None, refit: Refit | None
) -> tuple[dict[str, Corner], str, str]:
    """Return the two combinations that neither run holds, how they came about, and else why they are missing."""
    wanted = ((DATA_ONLY, after, before), (RULES_ONLY, before, after))
    if not choices.model:
        found = {}
        for name, data, rules in wanted:
            weights = published_weights(rules.posterior, rules.methodology)
            scores = score_draws(data.posterior, rules.methodology, weights=weights)
            draws = AFTER if data is after else BEFORE
            found[name] = build_corner(draws, scores, rules.methodology, data.diagnostics)
        return found, "scored", ""
    if folders is None or refit is None:
        return {}, "missing", "Data and model both differ; give the assessments, and both combinations are fitted."
    of = {id(before): folders[0], id(after): folders[1]}
    found = {}
    try:
        for name, data, rules in wanted:
            own = rules.methodology
            assessment = read_assessment(of[id(data)], own.model_copy(update={"weights": _published(own)}))
            weights = published_weights(rules.posterior, own)
            scores, diagnostics = refit(name, assessment, own, weights)
            found[name] = build_corner(name, scores, own, diagnostics)
    except InputError as error:
        return {}, "missing", f"These data cannot be fitted by the other methodology: {error}"
    return found, "fitted", ""


def _published(methodology: Methodology) -> Any:
    """The folder's own panel is not asked for: the weights are given."""
    return methodology.weights.model_copy(update={"use": "published"})
