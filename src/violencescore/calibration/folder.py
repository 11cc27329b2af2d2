"""A calibration folder: a file for each refit, written as soon as it is done: nothing is lost or done twice."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from violencescore.calibration.plan import Keyed, Settings, manifest
from violencescore.errors import Fault, InputError
from violencescore.jsontext import finite, json_text
from violencescore.output import write_file

MANIFEST, REFITS = "manifest.json", "refits"

type Record = Mapping[str, Any]


def open_folder(folder: Path, settings: Settings, more: Mapping[str, Any] = MappingProxyType({})) -> None:
    """Make the folder, or check that what stands there was made with the same settings, versions and code.

    ``more`` holds what else its refits must have in common.

    Raises
    ------
    InputError
        If the folder holds something else, or refits that may not be counted together with new ones: each difference
        is a fault.
    """
    path = folder / MANIFEST
    wanted = manifest(settings, more)
    if not path.exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            rule = "exists and is no folder of such refits; choose another name, or remove it first"
            raise InputError([Fault("--out", rule, value=str(folder))])
        write_file(path, json_text(wanted).encode())
        return
    faults = [
        Fault(
            str(path),
            "was different when the refits of this folder were made, and they may not be mixed with others; "
            "use the same again, or another folder",
            column=key,
            value=f"{_shown(old)}, now {_shown(new)}",
        )
        for key, old, new in _differences(_read(path), wanted)
    ]
    if faults:
        raise InputError(faults)


def _shown(value: object) -> str:
    return "nothing" if value is None else str(value)[:24]


def _differences(old: Any, new: Any, key: str = "") -> list[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, Mapping):
        keys = sorted({*old, *new})
        return [d for k in keys for d in _differences(old.get(k), new.get(k), f"{key}.{k}" if key else k)]
    return [] if old == json.loads(json_text(new)) else [(key, old, new)]


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        rule = f"cannot be read ({type(error).__name__}); remove the file, and its refit is done again"
        raise InputError([Fault(str(path), rule)]) from None


def missing_tasks[T: Keyed](folder: Path, tasks: Sequence[T]) -> list[T]:
    """Return the tasks that have no record yet, in their order, each once."""
    done = {path.stem for path in (folder / REFITS).glob("*.json")}
    return [task for task in dict.fromkeys(tasks) if task.key not in done]


def write_record(folder: Path, task: Keyed, record: Record) -> None:
    """Write the record of a task, whole or not at all.

    Raises
    ------
    InputError
        If it was made by other code than this, as a worker on another machine may hold.
    """
    if record["code_sha256"] != (known := _read(folder / MANIFEST)["code_sha256"]):
        rule = f"was refitted by other code than this ({known[:12]}); install the same version for every worker"
        raise InputError([Fault(task.key, rule, column="code_sha256", value=record["code_sha256"][:12])])
    write_file(folder / REFITS / f"{task.key}.json", json.dumps(finite(record), allow_nan=False).encode())


def read_record(folder: Path, task: Keyed) -> Record:
    """Return the record of one task."""
    found: Record = _read(folder / REFITS / f"{task.key}.json")
    return found


def read_records(folder: Path, kind: str) -> list[Record]:
    """Return all records of a kind (such as ``world`` or ``prior``), sorted by name."""
    return list(_records(sorted((folder / REFITS).glob(f"{kind}-*.json"))))


def _records(paths: Iterable[Path]) -> Iterable[Record]:
    for path in paths:
        yield _read(path)
