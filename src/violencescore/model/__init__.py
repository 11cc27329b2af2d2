"""Design to density: latent violence, then evidence, then both in one kernel and in one PyMC model."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path


def drop_stale_kernels(package: Path) -> None:
    """Remove compiled kernels from the disk cache when any source of this package has changed.

    The cache of numba looks at the file of a function alone, not at the files of those that it calls: after a change
    there it would go on serving the old code.
    """
    sources = sorted(package.rglob("*.py"))
    digest = hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in sources)).hexdigest()
    stamp = package / "__pycache__" / "kernels.sha256"
    # Where the package cannot be written to, its sources do not change either.
    with suppress(OSError):
        if stamp.is_file() and stamp.read_text() == digest:
            return
        for path in package.rglob("*.nb[ic]"):
            path.unlink(missing_ok=True)
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(digest)


drop_stale_kernels(Path(__file__).parent.parent)
