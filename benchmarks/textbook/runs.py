"""Runs of samplers in processes of their own, stopped at a limit, and the table of what came out."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
BENCHMARKS = Path(__file__).parent.parent

UNTOLD = {"violencescore": 1.0, "PyMC": 0.01, "PyMC, nutpie": 0.01, "NumPyro": 0.05, "Stan": 0.05}
"""Share of its draws that a sampler may have done since it last told how far it is."""


@dataclass(frozen=True)
class Task:
    """What one process is asked to do; ``cold`` says that its caches of compiled code are empty."""

    sampler: str
    incidents: int
    repeat: int
    cold: bool
    draws: int
    tune: int
    chains: int
    seed: int


@dataclass(frozen=True)
class Run:
    """What one process did.

    Attributes
    ----------
    status
        ``finished``, or what happened instead.
    seconds
        From the start of the process to the verdict; NaN where there is none.
    facts
        What the worker reports of itself: seconds of compilation and of sampling, gradients, divergences, versions.
    draws
        Draws of what is compared, by name (chain, draw).
    most_per_second
        Of a run that was stopped while it sampled: the most draws of all chains a second that it can have had by then,
        tuning draws among them.
    """

    task: Task
    status: str
    seconds: float
    facts: dict[str, object]
    draws: dict[str, Floats]
    most_per_second: float = float("nan")


def run_task(task: Task, assessment: Path, scratch: Path, limit: float) -> Run:
    """Run one sampler until its verdict or its limit (seconds); its own child processes end with it."""
    scratch = scratch.resolve()
    caches = scratch / f"caches-{_slug(task.sampler)}-{task.incidents}"
    caches.mkdir(exist_ok=True)
    name = f"{_slug(task.sampler)}-{task.incidents}-{task.repeat}-{task.draws}"
    out, words, noise = (scratch / f"{name}.{suffix}" for suffix in ("npz", "stdout", "stderr"))
    command = [
        sys.executable,
        "-u",
        "-m",
        "textbook.worker",
        "--assessment",
        str(assessment.resolve()),
        "--out",
        str(out),
    ]
    for key in ("sampler", "draws", "tune", "chains", "seed"):
        command += [f"--{key}", str(getattr(task, key))]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(BENCHMARKS), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "XDG_CACHE_HOME": str(caches),  # where PyStan keeps its compiled models
        "NUMBA_CACHE_DIR": str(caches / "numba"),
        "PYTENSOR_FLAGS": f"base_compiledir={caches / 'pytensor'}",
        # Chains run in parallel: no library may start threads for matrix products beside them.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
    start = time.monotonic()
    verdict = sampling = float("nan")
    with words.open("w") as stdout, noise.open("w") as stderr:
        process = subprocess.Popen(
            command, env=environment, stdout=stdout, stderr=stderr, start_new_session=True,
            cwd=scratch,  # PyStan leaves a folder `build` where it runs
        )  # fmt: skip
        try:
            while process.poll() is None:
                elapsed = time.monotonic() - start
                if np.isnan(verdict):
                    if np.isnan(sampling) and "\nstage sampling" in words.read_text():
                        sampling = elapsed
                    if "\nverdict " in words.read_text():
                        verdict = elapsed
                    elif elapsed > limit:
                        break
                time.sleep(0.05)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if np.isnan(verdict) and "\nverdict " in words.read_text():
        verdict = time.monotonic() - start
    if process.returncode == 0 and out.is_file():
        found = np.load(out)
        draws = dict(zip(found["names"].tolist(), found["draws"], strict=True))
        return Run(task, "finished", verdict, json.loads(str(found["facts"])), draws)
    if process.returncode == -signal.SIGKILL and time.monotonic() - start >= limit:
        told = words.read_text(), noise.read_text()
        status = f"unfinished after {limit:.0f} s ({_how_far(*told)})"
        return Run(task, status, float("nan"), {}, {}, most_draws(task, *told) / (limit - sampling))
    lines = [line for line in noise.read_text().splitlines() if line.strip()] or ["no message"]
    ended = f"ended by signal {-process.returncode}; " if process.returncode < 0 else ""
    status = f"failed: {ended}{lines[-1][:200]}"
    return Run(task, status, float("nan"), {}, {})


def _slug(name: str) -> str:
    return re.sub(r"\W+", "-", name.lower())


def most_draws(task: Task, words: str, noise: str) -> float:
    """Return the most draws of all chains, tuning draws among them, that a stopped run can have had.

    Those it told of last, and all that it could have done without telling again.
    """
    total = task.chains * (task.draws + task.tune)
    counted = re.findall(r"^stage sampling (\d+) of \d+ draws$", words, re.MULTILINE)
    shares = re.findall(r"(\d+)%", noise) if "\nstage sampling" in words else []
    told = max([0.0, *(float(n) for n in counted), *(int(share) / 100 * total for share in shares)])
    return min(told + max(UNTOLD[task.sampler] * total, task.chains), total)


def _how_far(words: str, noise: str) -> str:
    """The last stage that a worker told of, and the last percentage that its library printed."""
    stages = re.findall(r"^stage (.*)$", words, re.MULTILINE)
    shares = re.findall(r"(\d+)%", noise)
    last = stages[-1] if stages else "starting"
    return f"{last}, {shares[-1]} % done" if shares and last == "sampling" else last
