"""Refits on all cores of this machine, or on a Dask cluster: each result is handed over as soon as it is there.

A refit is done by one process, which reads the compiled density from the disk cache once and keeps it. Neither a
killed worker nor an interruption loses more than the refits that were under way.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from typing import Any

from violencescore.calibration.plan import Settings, Task
from violencescore.errors import Fault, InputError, RefusedError

type Record = Mapping[str, Any]
type Refit[T, S] = Callable[[T, S], Record]
type Keep[T] = Callable[[T, Record], None]

MAX_BREAKS = 3
"""How often workers may die before it is taken to be the fault of a refit, not of chance."""

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def refit(task: Task, settings: Settings) -> Record:
    """Do one task; what a worker runs."""
    if task.kind == "world":
        from violencescore.calibration.refits import refit_world

        return refit_world(task, settings)
    from violencescore.calibration.sbc import refit_prior

    return refit_prior(task, settings)


def warm() -> None:
    """Compile all that a refit needs, or find it on disk: once for a machine, before its workers start together."""
    from violencescore.calibration.sbc import refit_prior

    refit_prior(Task("prior", "candidates", 1), Settings(draws=4, tune=20, chains=1))


def run_here[T, S](
    tasks: Sequence[T],
    settings: S,
    keep: Keep[T],
    workers: int,
    work: Refit[T, S],
    begin: Callable[[], None] | None = None,
) -> None:
    """Do tasks in processes of this machine.

    Parameters
    ----------
    keep
        Called in this process with each task and its record, in the order in which they are done.
    workers
        Number of processes; one a core is best, since the chains of a refit then have one core between them.
    work
        Does one task; with the settings that all share.
    begin
        Done by one process before all others start: `warm`, where tasks fit the model.

    Raises
    ------
    RefusedError
        If workers die again and again. What is done is kept.
    """
    left = dict.fromkeys(tasks)
    breaks = 0
    while left:
        try:
            for task, record in _in_processes(list(left), settings, workers, work, begin):
                keep(task, record)
                del left[task]
        except BrokenProcessPool:
            breaks += 1
            if breaks >= MAX_BREAKS:
                raise RefusedError(
                    f"Worker processes died {breaks} times (was there too little memory?). The refits that were "
                    f"finished are kept; {len(left)} are missing. Run the same command again, with fewer --workers."
                ) from None


def _in_processes[T, S](
    tasks: Sequence[T], settings: S, workers: int, work: Refit[T, S], begin: Callable[[], None] | None
) -> Iterator[tuple[T, Record]]:
    before = set(multiprocessing.active_children())
    with _one_thread_each():
        pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_follow)
        try:
            if begin is not None:
                pool.submit(begin).result()
            waiting: dict[Future[Record], T] = {pool.submit(work, task, settings): task for task in tasks}
            while waiting:
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    yield waiting.pop(future), future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            # What is under way takes minutes; nobody who pressed Ctrl-C waits for that.
            for process in set(multiprocessing.active_children()) - before:
                process.terminate()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _follow() -> None:
    """Leave Ctrl-C to the process that began all this, and end when it ends, however that may be."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Have processes that are started inside use one thread each in their libraries."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def run_on_cluster[T, S](tasks: Sequence[T], settings: S, keep: Keep[T], address: str, work: Refit[T, S]) -> None:
    """Do tasks on the workers of a Dask scheduler; the same as `run_here` otherwise.

    The scheduler gives what a lost worker had under way to another one. Workers need this package, the same version.

    Raises
    ------
    InputError
        If ``distributed`` is not installed, or no scheduler answers there.
    RefusedError
        If a refit takes down worker after worker. What is done is kept.
    """
    try:
        from distributed import Client, KilledWorker, as_completed
    except ImportError:
        rule = "needs the package distributed; install violencescore[cluster]"
        raise InputError([Fault("--scheduler", rule, value=address)]) from None
    try:
        client = Client(address, timeout=20)
    except (OSError, ValueError) as error:
        rule = f"no Dask scheduler answers there ({type(error).__name__}); name one such as tcp://10.0.0.1:8786"
        raise InputError([Fault("--scheduler", rule, value=address)]) from None
    with client:
        futures = {client.submit(work, task, settings, pure=False, retries=MAX_BREAKS): task for task in tasks}
        try:
            for future in as_completed(list(futures)):
                keep(futures.pop(future), future.result())
                future.release()
        except KilledWorker:
            raise RefusedError(
                f"A refit took down several workers (was there too little memory?). The refits that were finished are "
                f"kept; {len(futures)} are missing. Run the same command again."
            ) from None
        finally:
            with suppress(Exception):
                client.cancel(list(futures))
