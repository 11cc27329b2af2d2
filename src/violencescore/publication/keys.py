"""Signing keys: Ed25519, in files that only their owner may read."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from violencescore.errors import Fault, InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

OWNER_ONLY = 0o600
_MAX_BYTES = 10_000_000


def default_key_path() -> Path:
    """Return where a key is kept unless another file is named: among the user's own settings."""
    import typer

    return Path(typer.get_app_dir("violencescore")) / "signing.key"


def make_key(path: Path) -> Ed25519PrivateKey:
    """Make a key and write it to a new file that only its owner may read.

    Raises
    ------
    InputError
        If something stands there already, or nothing can be written there.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    write_secret(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key


def write_secret(path: Path, content: bytes) -> None:
    """Write a new file with mode 600; never over one that is there.

    Raises
    ------
    InputError
        If something stands there already, or nothing can be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except FileExistsError:
        rule = "exists already, and a secret is never overwritten; choose another name"
        raise InputError([Fault(str(path), rule)]) from None
    except OSError as error:
        raise InputError([Fault(str(path), f"cannot be written ({error.strerror})")]) from error
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def read_secret(path: Path) -> bytes:
    """Read a file that only its owner may read.

    Raises
    ------
    InputError
        If it is not there, is no regular file, is too large, or others may read it.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
            raise InputError([Fault(str(path), "is not a file of secrets; name the one that was written")])
        if status.st_mode & 0o077 and os.name == "posix":
            rule = "may be read by others; a secret must not be: chmod 600, and think of making a new one"
            raise InputError([Fault(str(path), rule, value=stat.filemode(status.st_mode))])
        return path.read_bytes()
    except OSError as error:
        raise InputError([Fault(str(path), f"cannot be read ({error.strerror})")]) from error


def load_key(path: Path) -> Ed25519PrivateKey:
    """Read a key that `make_key` wrote.

    Raises
    ------
    InputError
        If the file is missing, holds no Ed25519 key, or may be read by others than its owner.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = read_secret(path)
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError([Fault(str(path), "holds no Ed25519 key without a password; make one with `keygen`")])
    return key


def public_hex(key: Ed25519PrivateKey) -> str:
    """Return the public half of a key: 64 hexadecimal digits."""
    return key.public_key().public_bytes_raw().hex()


def sign(key: Ed25519PrivateKey, purpose: str, content: bytes) -> str:
    """Sign content for one purpose, so that a signature cannot be passed off as one for another; in hexadecimal."""
    return key.sign(_message(purpose, content)).hex()


def is_signed(public: object, signature: object, purpose: str, content: bytes) -> bool:
    """Whether a signature, by the key whose public half is given, fits the content; nonsense never does."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if not (isinstance(public, str) and isinstance(signature, str)):
        return False
    try:
        if bytes.fromhex(public).hex() != public or bytes.fromhex(signature).hex() != signature:
            return False  # one form of each, so that no byte of a file can change unseen
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(
            bytes.fromhex(signature), _message(purpose, content)
        )
    except (ValueError, InvalidSignature):
        return False
    return True


def _message(purpose: str, content: bytes) -> bytes:
    return b"violencescore " + purpose.encode("ascii") + b"\0" + content
