"""An assessment folder on disk: it appears whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from violencescore.errors import Fault, InputError


def require_free(out: Path) -> None:
    """Raise `InputError` unless ``out`` is absent or an empty folder."""
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir() or any(out.iterdir()):
        rule = "exists and is not an empty folder; choose another name, or remove it first"
        raise InputError([Fault(str(out), rule)])


def write_folder(out: Path, files: Mapping[str, str]) -> None:
    """Write text files (UTF-8) into a new folder, which appears under its name only when complete.

    Parameters
    ----------
    out
        The folder; absent or empty.
    files
        Content by file name; line ends are written as they stand.

    Raises
    ------
    InputError
        If something stands under that name already, or the place cannot be written to.
    """
    require_free(out)
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True)
        for name, text in files.items():
            (partial / name).write_text(text, encoding="utf-8", newline="")
        if out.is_dir():
            out.rmdir()
        partial.rename(out)
    except OSError as error:
        raise InputError([Fault(str(out), f"cannot be written ({error.strerror})")]) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
