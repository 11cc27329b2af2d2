"""A run folder: what a fit found, written whole or not at all, and read back without a sampler."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import xarray as xr

from violencescore import __version__
from violencescore.decision import Decision
from violencescore.errors import Fault, InputError
from violencescore.evidence_summary import summarize_evidence
from violencescore.fingerprint import file_sha256
from violencescore.jsontext import json_text
from violencescore.methodology import Methodology, methodology_from_dict
from violencescore.names import CATEGORY, CHAIN, DRAW, ORGANIZATION, OTHER
from violencescore.output import require_free, write_file, write_folder
from violencescore.panel import panel_table
from violencescore.robustness.margins import Margin, margin_from_json
from violencescore.scenarios import ScenarioResult, draw_scenarios, result_from_json
from violencescore.scores import score_draws
from violencescore.verdict import decide_posterior

if TYPE_CHECKING:
    from violencescore.assessment import Assessment
    from violencescore.fitting import Fit

RANKING, PAIRWISE, DECISION = "ranking.csv", "pairwise.csv", "decision.json"
ATTRIBUTION, DIAGNOSTICS, POSTERIOR = "attribution.csv", "diagnostics.json", "posterior.nc"
METHODOLOGY, RUN, PANEL, SCENARIOS = "methodology.json", "run.json", "panel.csv", "scenarios.json"
ROBUSTNESS = "robustness.json"
EVIDENCE = "evidence.json"

_PACKAGES = (
    "numpy", "scipy", "pandas", "xarray", "numba", "nutpie", "pymc", "pytensor", "arviz", "arviz-stats",
    "h5netcdf", "h5py", "pandera", "pydantic",
)  # fmt: skip
_NEEDED = frozenset({RANKING, PAIRWISE, DECISION, ATTRIBUTION, DIAGNOSTICS, POSTERIOR, METHODOLOGY})
_HARM_DIMS = (CHAIN, DRAW, ORGANIZATION, CATEGORY)
_UNREADABLE = (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, IndexError)
"""What the libraries raise on a damaged netCDF file."""


@dataclass(frozen=True, eq=False)
class Run:
    """A run read back.

    Attributes
    ----------
    folder
        Where it stands.
    methodology
        The resolved methodology that was used.
    diagnostics, run
        Contents of ``diagnostics.json`` and ``run.json``.
    """

    folder: Path
    methodology: Methodology
    diagnostics: Mapping[str, Any]
    run: Mapping[str, Any]

    @cached_property
    def posterior(self) -> xr.DataTree:
        """The draws, read on first use.

        Raises
        ------
        InputError
            If the file is not netCDF, or holds no draws of harm.
        """
        path = self.folder / POSTERIOR
        try:
            with xr.open_datatree(path, engine="h5netcdf") as tree:
                posterior = tree.load()
        except _UNREADABLE as error:
            raise InputError([Fault(str(path), f"the draws cannot be read as netCDF ({error})")]) from error
        faults = [Fault(str(path), rule) for rule in _missing_in(posterior)]
        if faults:
            raise InputError(faults)
        return posterior

    @cached_property
    def panel(self) -> pd.DataFrame | None:
        """Who is first by each panelist's own weights; None without a panel."""
        return panel_table(self.posterior, self.methodology)

    @cached_property
    def scenarios(self) -> tuple[ScenarioResult, ...]:
        """What every scenario of the methodology found; one that needs a refit and had none is ``not_run``.

        Raises
        ------
        InputError
            If the file of the refits cannot be read.
        """
        path = self.folder / SCENARIOS
        kept: tuple[ScenarioResult, ...] = ()
        if SCENARIOS in self.run["outputs"]:
            try:
                kept = tuple(result_from_json(value) for value in _read_object(path)["scenarios"])
            except (KeyError, TypeError, ValueError) as error:
                raise InputError([Fault(str(path), f"does not hold results of scenarios ({error!r})")]) from error
        return draw_scenarios(self.posterior, self.methodology, self.diagnostics, kept)

    @cached_property
    def robustness(self) -> Mapping[str, Any] | None:
        """The record of the robustness passport, ``robustness.json``; None where it was not examined."""
        return _read_object(self.folder / ROBUSTNESS) if ROBUSTNESS in self.run["outputs"] else None

    @cached_property
    def margins(self) -> tuple[Margin, ...]:
        """The margins of the passport.

        Raises
        ------
        InputError
            If its file does not hold any.
        """
        if self.robustness is None:
            return ()
        try:
            return tuple(margin_from_json(value) for value in self.robustness["margins"])
        except (KeyError, TypeError, ValueError) as error:
            path = str(self.folder / ROBUSTNESS)
            raise InputError([Fault(path, f"does not hold margins ({error!r})")]) from error

    @cached_property
    def evidence(self) -> Mapping[str, Any] | None:
        """What `summarize_evidence` found; None in a run that was written before it was kept."""
        return _read_object(self.folder / EVIDENCE) if EVIDENCE in self.run["outputs"] else None

    def attribution(self) -> pd.DataFrame:
        """Who probably did each incident: the content of ``attribution.csv``."""
        types = {"incident_id": str} | dict.fromkeys(pd.read_csv(self.folder / ATTRIBUTION, nrows=0).columns[1:], float)
        return pd.read_csv(self.folder / ATTRIBUTION, dtype=types, keep_default_na=False)

    def scores(self) -> xr.DataArray:
        """Draws of the scores (chain, draw, organization) under the methodology of the run."""
        return score_draws(self.posterior, self.methodology)

    def decide(self, confidence: float | None = None) -> Decision:
        """Decide again from the draws, at another stated confidence where one is given."""
        return decide_posterior(self.posterior, self.methodology, self.diagnostics, confidence, self.margins)


def package_versions() -> dict[str, str]:
    """Return the versions of this package and of those that its numbers depend on."""
    return {"violencescore": __version__} | {name: version(name) for name in _PACKAGES}


def write_run(fit: Fit, folder: str | Path, seconds: Mapping[str, float]) -> None:
    """Write all files of a run folder; it appears under its name only when complete.

    Parameters
    ----------
    seconds
        Where the time went: read, compile, sample, scores, total.

    Raises
    ------
    InputError
        If the folder exists and is not empty, or cannot be made.
    """
    decision, methodology = fit.decision, fit.assessment.methodology
    panel = panel_table(fit.posterior, methodology)
    with _as_input_errors(folder), write_folder(Path(folder)) as staging:
        decision.ranking.to_csv(staging / RANKING, index=False)
        decision.pairwise.to_csv(staging / PAIRWISE, index=False)
        if panel is not None:
            panel.to_csv(staging / PANEL, index=False)
        _write_json(staging / DECISION, decision.to_json_dict())
        _write_attribution(attribution_table(fit), staging / ATTRIBUTION)
        _write_json(staging / DIAGNOSTICS, fit.diagnostics.to_json_dict(seconds))
        _write_json(staging / METHODOLOGY, methodology.model_dump(mode="json"))
        _write_json(staging / EVIDENCE, summarize_evidence(fit))
        _write_posterior(fit.posterior, staging / POSTERIOR)
        outputs = {path.name: file_sha256(path) for path in sorted(staging.iterdir())}
        content = {
            "packages": package_versions(),
            "python": platform.python_version(),
            "seed": fit.seed,
            "inputs": dict(fit.assessment.inputs),
            "methodology": {"id": methodology.id, "version": methodology.version, "sha256": methodology.sha256},
            "outputs": outputs,
            "messages": list(fit.assessment.messages),
        }
        _write_json(staging / RUN, content)


def add_scenarios(run: Run, results: Sequence[ScenarioResult]) -> None:
    """Put the results of scenarios that needed a refit into a run folder, in place of earlier ones."""
    _add_files(run, {SCENARIOS: {"scenarios": [result.to_json_dict() for result in results]}})


def add_robustness(run: Run, record: Mapping[str, Any], decision: Decision) -> None:
    """Put the record of the robustness passport into a run folder, and the verdict where that changes it."""
    contents: dict[str, Any] = {ROBUSTNESS: record}
    if decision.to_json_dict() != run.decide().to_json_dict():
        contents[DECISION] = decision.to_json_dict()
    _add_files(run, contents)


def _add_files(run: Run, contents: Mapping[str, Any]) -> None:
    """Put files into a run folder, in place of earlier ones.

    Interrupted at any point, the folder is a whole run, at worst without those files that a run need not have; one that
    it must have is written last, and an interruption there is found by its digest.
    """
    record = dict(run.run)
    record["outputs"] = {n: digest for n, digest in run.run["outputs"].items() if n not in contents or n in _NEEDED}
    write_file(run.folder / RUN, _as_bytes(record))
    for name, content in contents.items():
        write_file(run.folder / name, _as_bytes(content))
    digests = {name: file_sha256(run.folder / name) for name in contents}
    record["outputs"] = {**record["outputs"], **digests}
    write_file(run.folder / RUN, _as_bytes(record))


def require_same_inputs(run: Run, assessment: Assessment) -> None:
    """Raise ``InputError`` unless the run was made of this assessment: same tables, same methodology."""
    found = [
        Fault(name, f"is not the file that {run.folder} was fitted to; fit again, or name the folder it was fitted to")
        for name, digest in sorted({**run.run.get("inputs", {}), **assessment.inputs}.items())
        if not run.run.get("inputs", {}).get(name) == assessment.inputs.get(name) == digest
    ]
    if found:
        raise InputError(found)


def read_tables_of(run: Run, folder: str | Path) -> Assessment:
    """Read the assessment that a run was fitted to, under the methodology of the run.

    Raises
    ------
    InputError
        If the folder is not what the run was fitted to.
    """
    from violencescore.assessment import read_assessment

    found = read_assessment(folder)
    require_same_inputs(run, found)
    if found.methodology.model_copy(update={"sampling": run.methodology.sampling}) == run.methodology:
        return replace(found, methodology=run.methodology)
    return read_assessment(folder, run.methodology)  # what it extends is another in this version of the package


def require_writable(folder: str | Path) -> None:
    """Raise ``InputError`` unless a run folder could be made there: asked before sampling, not after it."""
    folder = Path(folder)
    require_free(folder)
    above = next(parent for parent in folder.absolute().parents if parent.exists())
    if not above.is_dir():
        raise InputError([Fault("--out", f"{above} is a file, not a folder; choose another name", value=str(folder))])
    if not os.access(above, os.W_OK | os.X_OK):
        rule = f"nothing may be written in {above}; choose another place"
        raise InputError([Fault("--out", rule, value=str(folder))])


@contextmanager
def _as_input_errors(folder: str | Path) -> Iterator[None]:
    """Turn a full disk and its like into a fault that names the folder."""
    try:
        yield
    except OSError as error:
        rule = f"the run cannot be written ({error.strerror or error})"
        raise InputError([Fault("--out", rule, value=str(folder))]) from error


def attribution_table(fit: Fit) -> pd.DataFrame:
    """Return who probably did each incident: incident_id, p_<organization_id> ..., p_other, p_false_flag."""
    design, attribution = fit.design, fit.attribution
    labels = [f"p_{actor}" for actor in (*design.organizations, OTHER)]
    shares = attribution.responsibility[design.incident_group]
    table = pd.DataFrame(shares, columns=labels)
    table.insert(0, "incident_id", design.incident_id)
    return table.assign(p_false_flag=attribution.staged[design.incident_group])


def _write_attribution(table: pd.DataFrame, path: Path) -> None:
    """Write what may be millions of rows."""
    with path.open("wb") as file:
        file.write(table.head(0).to_csv(index=False, lineterminator="\n").encode())
        options = pyarrow.csv.WriteOptions(include_header=False)
        pyarrow.csv.write_csv(pa.Table.from_pandas(table, preserve_index=False), file, options)


def load_run(folder: str | Path) -> Run:
    """Read a run folder and check that its files are those that were written.

    Raises
    ------
    InputError
        If a file is missing, is not what it should be, or was changed since it was written.
    """
    folder = Path(folder)
    if not (folder / RUN).is_file():
        rule = f"is not a run folder: it has no {RUN}; make one with `violencescore fit`"
        raise InputError([Fault(str(folder), rule)])
    run = _read_object(folder / RUN)
    outputs = run.get("outputs")
    if not isinstance(outputs, dict) or not outputs.keys() >= _NEEDED:
        rule = "must list the digests of all output files under `outputs`"
        raise InputError([Fault(str(folder / RUN), rule)])
    names = sorted(name for name in outputs if Path(name).name == name)
    faults = [fault for name in names for fault in _check_digest(folder / name, outputs[name])]
    if faults:
        raise InputError(faults)
    diagnostics = _read_object(folder / DIAGNOSTICS)
    if not isinstance(diagnostics.get("converged"), bool):
        rule = "must say under `converged` whether the sampler converged: true or false"
        raise InputError([Fault(str(folder / DIAGNOSTICS), rule)])
    return Run(folder, methodology_from_dict(_read_object(folder / METHODOLOGY)), diagnostics, run)


def _missing_in(posterior: xr.DataTree) -> Iterator[str]:
    """Say what a file lacks that the scores are computed from."""
    if "harms" not in posterior.children:
        yield "holds no group `harms`: these are not draws of ours"
        return
    harms = posterior["harms"]
    for name in ("harm_realized", "harm_rate"):
        if name not in harms.data_vars or set(harms[name].dims) != set(_HARM_DIMS):
            yield f"must hold {name} ({', '.join(_HARM_DIMS)}) in the group `harms`"
        elif not bool(np.isfinite(harms[name]).all()) or harms[name].size == 0:
            yield f"must hold draws of {name} that are finite numbers"
    if not {ORGANIZATION, CATEGORY} <= set(harms.coords):
        yield "must name organizations and categories in the group `harms`"


def _check_digest(path: Path, expected: object) -> list[Fault]:
    if not path.is_file():
        return [Fault(str(path), "is missing from the run folder; fit again")]
    if file_sha256(path) != expected:
        return [Fault(str(path), "was changed after the run was written: its digest is not the one in run.json")]
    return []


def _write_json(path: Path, value: object) -> None:
    path.write_bytes(_as_bytes(value))


def _as_bytes(value: object) -> bytes:
    return (json_text(value) + "\n").encode("utf-8")


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError([Fault(str(path), f"cannot be read as JSON ({error})")]) from error


def _read_object(path: Path) -> dict[str, Any]:
    value = _read_json(path)
    if not isinstance(value, dict):
        raise InputError([Fault(str(path), "must hold a JSON object: names and values in braces")])
    return value


def _write_posterior(tree: xr.DataTree, path: Path) -> None:
    """Write the draws: parameters in single precision, harms exactly."""
    encoding: dict[str, dict[str, Any]] = {}
    for group in tree.subtree:
        kinds = {str(name): _stored_type(group.path, name, values.dtype) for name, values in group.data_vars.items()}
        encoding[group.path] = {name: {"zlib": True, "complevel": 1, "dtype": kind} for name, kind in kinds.items()}
    tree.to_netcdf(path, engine="h5netcdf", encoding=encoding)


def _stored_type(group: str, name: Any, kind: np.dtype[Any]) -> np.dtype[Any]:
    if group == "/posterior":
        return np.dtype("float32")
    if group == "/sample_stats":
        return np.dtype("int8" if name == "diverging" else "int32")
    if group == "/harms" and kind.kind == "i":
        return np.dtype("int64")
    return np.dtype("float64")
