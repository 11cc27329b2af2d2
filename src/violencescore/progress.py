"""Progress on standard error: the stage, how much is done, the time left; and Ctrl-C, which ends it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

type Report = Callable[[str, int, int], None]
"""Called with the stage, how much of it is done, and how much there is; from any thread."""

LINE_EVERY = 5.0
"""Seconds between two lines of one stage, where progress is written as lines."""


@contextmanager
def show_progress(console: Console) -> Iterator[Report]:
    """Give a function (stage, done, total) that moves a bar; where no one watches, it writes lines of text."""
    if not console.is_terminal:
        yield ProgressLines(lambda line: console.print(line, markup=False, highlight=False))
        return
    columns = (
        TextColumn("{task.description:>16}"),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        yield ProgressBars(bars)


@dataclass
class ProgressBars:
    """A bar for each stage; a stage that starts over (more draws were needed) gets another."""

    bars: Progress
    tasks: dict[str, TaskID] = field(default_factory=dict)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Move the bar of a stage."""
        known = self.tasks.get(stage)
        if known is None or (done < total and self.bars.tasks[known].finished):
            label = stage if known is None else f"more {stage}"
            known = self.tasks[stage] = self.bars.add_task(label, total=total)
        self.bars.update(known, completed=done, total=total)


@dataclass
class ProgressLines:
    """A line when a stage starts, and now and then one that says how much is done and how long is left."""

    write: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    started: dict[str, float] = field(default_factory=dict)
    said: dict[str, float] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Write a line if it is time for one."""
        with self.lock:
            now = self.clock()
            if stage not in self.started or (stage in self.finished and done < total):
                self.write(f"{stage} ..." if stage not in self.started else f"{stage}, once more ...")
                self.started[stage] = self.said[stage] = now
                self.finished.discard(stage)
            elif 0 < done < total and now - self.said[stage] >= LINE_EVERY:
                left = (now - self.started[stage]) * (total - done) / done
                self.write(f"{stage}: {100 * done // total} % done, about {max(left, 1):.0f} s left")
                self.said[stage] = now
            if done >= total:
                self.finished.add(stage)


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Give a function that raises ``KeyboardInterrupt`` if Ctrl-C was pressed inside the block.

    The sampler takes Ctrl-C as an order to stop early, and hands back the draws it has: too few, and of no use.
    """
    pressed = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        pressed.set()
        signal.default_int_handler(number, frame)

    def check() -> None:
        if pressed.is_set() and threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield check  # somebody else looks after Ctrl-C, or it is switched off
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)


def checked(check: Callable[[], None], show: Report) -> Report:
    """Show progress, and stop there if the user asked for it."""

    def progress(stage: str, done: int, total: int) -> None:
        check()
        show(stage, done, total)

    return progress
