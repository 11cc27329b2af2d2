from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from violencescore import beside
from violencescore.model.signatures import BACKWARD, FORWARD


@pytest.fixture
def unstarted() -> Iterator[None]:
    beside.start.cache_clear()
    yield
    beside.start.cache_clear()


@pytest.mark.usefixtures("unstarted")
def test_nothing_is_compiled_beside_on_a_single_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    assert beside.start() is None
    beside.wait_for(beside.GRADIENT)


@pytest.mark.usefixtures("unstarted")
def test_a_process_that_fails_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    interpreter = tmp_path / "python"
    interpreter.write_text("#!/bin/sh\necho gradient\nexit 3\n")
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    process = beside.start()
    assert process is not None
    beside.wait_for(beside.GRADIENT)
    beside.wait_for(beside.ATTRIBUTION)
    assert process.wait() == 3


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [[], ["--beside"]])
def test_what_is_compiled_beforehand_is_what_the_density_calls(tmp_path: Path, arguments: list[str]) -> None:
    def run(*command: str) -> None:
        environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
        subprocess.run([sys.executable, *command], check=True, env=environment, capture_output=True)

    run("-m", "violencescore.prepare", *arguments)
    run("-c", "from violencescore.model.kernel import compiled_density; compiled_density()")
    names = [path.name for path in tmp_path.rglob("*.nbc")]
    for function in (*FORWARD, *BACKWARD):
        module = function.py_func.__module__.rpartition(".")[2]
        kept = [name for name in names if name.startswith(f"{module}.{function.py_func.__name__}-")]
        assert len(kept) == 1, f"{function.py_func.__name__} was compiled for {len(kept)} signatures"
