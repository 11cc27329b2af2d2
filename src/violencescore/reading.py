"""The files of an assessment folder that are no tables: the methodology, and the description of the package."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from violencescore.errors import Fault, InputError
from violencescore.methodology import Methodology, methodology_from_bytes
from violencescore.tables import is_present, read_content

METHODOLOGY = "methodology.toml"
_PACKAGE = "datapackage.json"


def read_methodology(folder: Path, inputs: dict[str, str]) -> tuple[Methodology | None, list[Fault]]:
    """Read the methodology of a folder, or its faults; its digest is added to ``inputs``."""
    if not is_present(folder / METHODOLOGY):
        return None, [
            Fault(
                METHODOLOGY,
                'is missing; write one, for instance with extends = "kleiman-2011" and a [window]',
            )
        ]
    content = read_content(folder / METHODOLOGY)
    if isinstance(content, Fault):
        return None, [content]
    inputs[METHODOLOGY] = hashlib.sha256(content).hexdigest()
    try:
        return methodology_from_bytes(content, METHODOLOGY), []
    except InputError as error:
        return None, list(error.faults)


def check_package(folder: Path, inputs: dict[str, str]) -> list[Fault]:
    """Return the faults of the description, which need not be there; its digest is added to ``inputs``."""
    if not is_present(folder / _PACKAGE):
        return []
    content = read_content(folder / _PACKAGE)
    if isinstance(content, Fault):
        return [content]
    inputs[_PACKAGE] = hashlib.sha256(content).hexdigest()
    try:
        json.loads(content)
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else None
        return [Fault(_PACKAGE, "is not valid JSON; correct it, or remove the file, which is optional", row=line)]
    return []
