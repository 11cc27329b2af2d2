"""Writing whole or not at all: a folder appears under its name only once all its files stand in it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from violencescore.errors import Fault, InputError


def require_free(folder: Path) -> None:
    """Raise ``InputError`` unless ``folder`` does not exist or is an empty folder."""
    if (folder.exists() or folder.is_symlink()) and (not folder.is_dir() or any(folder.iterdir())):
        rule = "exists and is not an empty folder; choose another name, or remove it first"
        raise InputError([Fault("--out", rule, value=str(folder))])


@contextmanager
def write_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``folder`` and rename it there when the block ends without an error.

    Whatever interrupts the block, Ctrl-C included, leaves nothing behind.

    Raises
    ------
    InputError
        If ``folder`` exists and is not empty, or cannot be made.
    """
    folder = Path(folder)
    require_free(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        rule = f"the folder cannot be written ({error.strerror})"
        raise InputError([Fault("--out", rule, value=str(folder))]) from error
    try:
        yield staging
        _put_in_place(staging, folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _put_in_place(staging: Path, folder: Path) -> None:
    try:
        staging.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        os.replace(staging, folder)
    except OSError as error:  # something else appeared there meanwhile
        rule = f"the folder cannot be put in place ({error.strerror})"
        raise InputError([Fault("--out", rule, value=str(folder))]) from error


def write_file(path: Path, content: bytes, *, new: bool = False) -> None:
    """Write a file in place of whatever stands there, atomically; if it must be ``new``, only where nothing stands.

    Of two writers of one new file, one succeeds.

    Raises
    ------
    InputError
        If the file cannot be written there.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            os.chmod(name, 0o644)
            if new:
                os.link(name, path)
                os.unlink(name)
            else:
                os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        rule = f"the file cannot be written ({error.strerror})"
        if new and isinstance(error, FileExistsError):
            rule = "exists already, and is not overwritten; choose another name, or remove it first"
        raise InputError([Fault("--out", rule, value=str(path))]) from error
