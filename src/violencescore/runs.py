"""A run folder: what a fit found, written whole or not at all, and read back without a sampler."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from violencescore.decision import Decision
from violencescore.errors import Fault, InputError
from violencescore.fingerprint import file_sha256
from violencescore.methodology import Methodology, methodology_from_dict
from violencescore.names import OTHER
from violencescore.output import write_folder
from violencescore.scores import score_draws
from violencescore.verdict import decide_posterior

if TYPE_CHECKING:
    from violencescore.fitting import Fit

RANKING, PAIRWISE, DECISION = "ranking.csv", "pairwise.csv", "decision.json"
ATTRIBUTION, DIAGNOSTICS, POSTERIOR = "attribution.csv", "diagnostics.json", "posterior.nc"
METHODOLOGY, RUN = "methodology.json", "run.json"

_PACKAGES = ("violencescore", "numpy", "numba", "nutpie", "pandas", "xarray", "pymc", "arviz", "h5netcdf")


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
        """The draws, read on first use."""
        try:
            with xr.open_datatree(self.folder / POSTERIOR, engine="h5netcdf") as tree:
                return tree.load()
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            rule = f"the draws cannot be read as netCDF ({error})"
            raise InputError([Fault(str(self.folder / POSTERIOR), rule)]) from error

    def scores(self) -> xr.DataArray:
        """Draws of the scores (chain, draw, organization) under the methodology of the run."""
        return score_draws(self.posterior, self.methodology)

    def decide(self, confidence: float | None = None) -> Decision:
        """Decide again from the draws, at another stated confidence where one is given."""
        return decide_posterior(self.posterior, self.methodology, self.diagnostics, confidence)


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
    decision = fit.decision
    with write_folder(Path(folder)) as staging:
        decision.ranking.to_csv(staging / RANKING, index=False)
        decision.pairwise.to_csv(staging / PAIRWISE, index=False)
        _write_json(staging / DECISION, decision.to_json_dict())
        attribution_table(fit).to_csv(staging / ATTRIBUTION, index=False)
        _write_json(staging / DIAGNOSTICS, fit.diagnostics.to_json_dict(seconds))
        _write_json(staging / METHODOLOGY, fit.assessment.methodology.model_dump(mode="json"))
        _write_posterior(fit.posterior, staging / POSTERIOR)
        outputs = {path.name: file_sha256(path) for path in sorted(staging.iterdir())}
        methodology = fit.assessment.methodology
        content = {
            "packages": {name: version(name) for name in _PACKAGES},
            "python": platform.python_version(),
            "seed": fit.seed,
            "inputs": dict(fit.assessment.inputs),
            "methodology": {"id": methodology.id, "version": methodology.version, "sha256": methodology.sha256},
            "outputs": outputs,
            "messages": list(fit.assessment.messages),
        }
        _write_json(staging / RUN, content)


def attribution_table(fit: Fit) -> pd.DataFrame:
    """Return who probably did each incident: incident_id, p_<organization_id> ..., p_other, p_false_flag."""
    design, attribution = fit.design, fit.attribution
    labels = [f"p_{actor}" for actor in (*design.organizations, OTHER)]
    shares = attribution.responsibility[design.incident_group]
    table = pd.DataFrame(shares, columns=labels)
    table.insert(0, "incident_id", design.incident_id)
    return table.assign(p_false_flag=attribution.staged[design.incident_group])


def load_run(folder: str | Path) -> Run:
    """Read a run folder and check that its files are those that were written.

    Raises
    ------
    InputError
        If a file is missing, is not what it should be, or was changed since it was written.
    """
    folder = Path(folder)
    if not (folder / RUN).is_file():
        raise InputError([Fault(str(folder), f"is not a run folder: it has no {RUN}; make one with `violencescore fit`")])
    run = _read_json(folder / RUN)
    outputs = run.get("outputs") if isinstance(run, dict) else None
    needed = {RANKING, PAIRWISE, DECISION, ATTRIBUTION, DIAGNOSTICS, POSTERIOR, METHODOLOGY}
    if not isinstance(outputs, dict) or not needed <= outputs.keys():
        rule = "must list the digests of all output files under `outputs`"
        raise InputError([Fault(str(folder / RUN), rule)])
    faults = [fault for name in sorted(needed) for fault in _check_digest(folder / name, outputs[name])]
    if faults:
        raise InputError(faults)
    methodology = methodology_from_dict(_read_json(folder / METHODOLOGY))
    return Run(folder, methodology, _read_json(folder / DIAGNOSTICS), run)


def _check_digest(path: Path, expected: object) -> list[Fault]:
    if not path.is_file():
        return [Fault(str(path), "is missing from the run folder; fit again")]
    if file_sha256(path) != expected:
        return [Fault(str(path), "was changed after the run was written: its digest is not the one in run.json")]
    return []


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError([Fault(str(path), f"cannot be read as JSON ({error})")]) from error


def _write_posterior(tree: xr.DataTree, path: Path) -> None:
    """Write the draws: parameters in single precision, harms exactly."""
    encoding: dict[str, dict[str, Any]] = {}
    for group in tree.subtree:
        kinds = {name: _stored_type(group.path, name) for name in group.data_vars}
        encoding[group.path] = {name: {"zlib": True, "complevel": 1, "dtype": kind} for name, kind in kinds.items()}
    tree.to_netcdf(path, engine="h5netcdf", encoding=encoding)


def _stored_type(group: str, name: Any) -> np.dtype[Any]:
    if group == "/posterior":
        return np.dtype("float32")
    if group == "/sample_stats":
        return np.dtype("int8" if name == "diverging" else "int32")
    if group == "/harms" and name != "harm_rate":
        return np.dtype("int64")
    return np.dtype("float64")
