"""A bundle: files, a Frictionless Data Package that lists them with their digests, and a signature over the list."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pandas as pd

from violencescore.errors import Fault, InputError
from violencescore.publication.canonical import canonical, read_object
from violencescore.publication.keys import is_signed, public_hex, sign

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MANIFEST, SIGNATURE = "datapackage.json", "signature.json"
PURPOSE = "bundle"
MAX_FILES, MAX_BYTES = 200, 1_000_000_000
_SIGNATURE_FORMAT = "violencescore signature 1"
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*(/[A-Za-z0-9_][A-Za-z0-9_.\-]*){0,2}")
_MEDIA = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".html": "text/html",
    ".txt": "text/plain",
    ".py": "text/x-python",
}
_FIELDS = {"i": "integer", "f": "number", "b": "boolean"}

type Files = Mapping[str, bytes]


def sign_files(files: Files, key: Ed25519PrivateKey, about: Mapping[str, str]) -> dict[str, bytes]:
    """Return the files with their manifest and its signature.

    Parameters
    ----------
    about
        ``name``, ``title``, ``created`` and ``version`` of the data package.
    """
    resources = [_resource(path, files[path]) for path in sorted(files)]
    manifest = canonical({"profile": "data-package", **about, "resources": resources}) + b"\n"
    signature = {
        "format": _SIGNATURE_FORMAT,
        "public_key": public_hex(key),
        "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
        "signature": sign(key, PURPOSE, manifest),
    }
    return {**files, MANIFEST: manifest, SIGNATURE: canonical(signature) + b"\n"}


def _resource(path: str, content: bytes) -> dict[str, Any]:
    suffix = PurePosixPath(path).suffix
    found = {
        "name": re.sub(r"[^a-z0-9.\-]", "-", path.lower()),
        "path": path,
        "format": suffix.lstrip("."),
        "mediatype": _MEDIA[suffix],
        "encoding": "utf-8",
        "bytes": len(content),
        "hash": "sha256:" + hashlib.sha256(content).hexdigest(),
    }
    if suffix == ".csv":
        head = pd.read_csv(BytesIO(content), keep_default_na=False, nrows=100)
        fields = [{"name": str(name), "type": _FIELDS.get(d.kind, "string")} for name, d in head.dtypes.items()]
        found |= {"profile": "tabular-data-resource", "schema": {"fields": fields}}
    return found


def integrity_faults(files: Files) -> tuple[str, ...]:
    """Return in words what was changed, added or taken away since a bundle was signed; nothing where it is whole."""
    if missing := [name for name in (MANIFEST, SIGNATURE) if name not in files]:
        return tuple(f"{name} is missing." for name in missing)
    try:
        signature = read_object(files[SIGNATURE], SIGNATURE)
        manifest = read_object(files[MANIFEST], MANIFEST)
        listed = {str(entry["path"]): str(entry["hash"]) for entry in manifest["resources"]}
    except InputError as error:
        return tuple(str(fault) for fault in error.faults)
    except (KeyError, TypeError):
        return (f"{MANIFEST} does not list files with their digests.",)
    found = []
    keys = {"format", "public_key", "manifest_sha256", "signature"}
    if signature.keys() != keys or canonical(signature) + b"\n" != files[SIGNATURE]:
        found.append(f"{SIGNATURE} is not as it was written.")
    if signature.get("manifest_sha256") != hashlib.sha256(files[MANIFEST]).hexdigest():
        found.append(f"{MANIFEST} is not the list that was signed: its digest is another.")
    if not is_signed(signature.get("public_key"), signature.get("signature"), PURPOSE, files[MANIFEST]):
        found.append(f"{MANIFEST} is not signed by the key that {SIGNATURE} names.")
    if signature.get("format") != _SIGNATURE_FORMAT or len(listed) != len(manifest["resources"]):
        found.append(f"{MANIFEST} or {SIGNATURE} is not of the form that this program writes.")
    return (*found, *_digest_faults(files, listed))


def _digest_faults(files: Files, listed: Mapping[str, str]) -> Iterator[str]:
    present = files.keys() - {MANIFEST, SIGNATURE}
    for path in sorted(present | listed.keys()):
        if path not in present:
            yield f"{path} is listed and missing."
        elif path not in listed:
            yield f"{path} stands in the bundle and is not listed."
        elif listed[path] != "sha256:" + hashlib.sha256(files[path]).hexdigest():
            yield f"{path} was changed after it was signed: its digest is another."


def signer(files: Files) -> str:
    """Return the public half of the key that signed; call it on a bundle without `integrity_faults` only."""
    return str(read_object(files[SIGNATURE], SIGNATURE)["public_key"])


def read_bundle(path: Path) -> dict[str, bytes]:
    """Read the files of a bundle, a folder or a zip archive, into memory; nothing is unpacked.

    Raises
    ------
    InputError
        If it is neither, or holds links, names that lead elsewhere, two files of one name, or more than is allowed.
    """
    try:
        if path.is_dir():
            files = dict(_folder_files(path))
        elif path.is_file() and zipfile.is_zipfile(path):
            files = _zip_files(path)
        else:
            raise InputError([Fault(str(path), "is no bundle: neither a folder nor a zip archive")])
    except (OSError, zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, ValueError) as error:
        raise InputError([Fault(str(path), f"cannot be read ({error})")]) from None
    return files


def _folder_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    left, n = MAX_BYTES, 0
    for parent, directories, names in os.walk(folder):
        for name in sorted((*directories, *names)):
            path = Path(parent) / name
            relative = path.relative_to(folder).as_posix()
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode):
                continue
            n, left = n + 1, left - status.st_size
            _require_safe(relative, regular=stat.S_ISREG(status.st_mode), room=n <= MAX_FILES and left >= 0)
            yield relative, path.read_bytes()


def _zip_files(path: Path) -> dict[str, bytes]:
    """Read an archive, whose files may all stand in one folder."""
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        names = [entry.filename for entry in entries]
        tops = {name.split("/", 1)[0] for name in names}
        top = f"{next(iter(tops))}/" if len(tops) == 1 and MANIFEST not in names else ""
        files: dict[str, bytes] = {}
        left = MAX_BYTES
        for entry in entries:
            name = entry.filename.removeprefix(top)
            link = stat.S_ISLNK(entry.external_attr >> 16)
            if name in files:
                raise InputError([Fault(str(path), "holds two files of one name", value=name)])
            _require_safe(name, regular=not link, room=len(files) < MAX_FILES and entry.file_size <= left)
            files[name] = archive.read(entry)  # never more than is declared, by the library
            left -= entry.file_size
    return files


def _require_safe(name: str, *, regular: bool, room: bool) -> None:
    if not _PATH.fullmatch(name):
        raise InputError([Fault("bundle", "holds a name that no bundle has: it may lead elsewhere", value=name)])
    if not regular:
        raise InputError([Fault("bundle", "holds a link or device; only regular files belong there", value=name)])
    if not room:
        raise InputError([Fault("bundle", f"holds more than {MAX_FILES} files or {MAX_BYTES:,} bytes")])
