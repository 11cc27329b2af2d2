"""A process beside this one that compiles part of the model, so that a first fit waits half as long.

Most of the time of a first run goes into compilation, on one core. The other process leaves what it compiles in numba's
disk cache. Where it cannot be started, or fails, this process compiles everything itself.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
from functools import cache

GRADIENT, ATTRIBUTION = "gradient", "attribution"
"""What the other process says on a line of its own, once it has compiled it."""

_said: list[str] = []
_reading = threading.Lock()


@cache
def start() -> subprocess.Popen[str] | None:
    """Start the process, once; None where there is one core only."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores < 2:
        return None
    command = [sys.executable, "-m", "violencescore.prepare", "--beside"]
    quiet = subprocess.DEVNULL
    try:
        process = subprocess.Popen(command, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet, text=True)  # noqa: S603 our own
    except OSError:
        return None
    atexit.register(_stop, process)
    return process


def wait_for(what: str) -> None:
    """Wait until the other process has compiled ``what``, or has ended; not at all if none was started."""
    if not start.cache_info().currsize or (process := start()) is None or process.stdout is None:
        return
    with _reading:
        while what not in _said and (line := process.stdout.readline()):
            _said.append(line.strip())


def _stop(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
