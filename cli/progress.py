"""How far a run is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

#: Seconds over which images per second are measured.
WINDOW = 10.0
#: Seconds between two lines where there is no terminal.
LINE_EVERY = 10.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A moment of a run; ``waiting`` are files that are still being written."""

    done: int
    total: int
    rate: float
    waiting: int
    phase: str

    @property
    def rate_text(self) -> str:
        """Images per second."""
        return f"{self.rate:,.1f} images/s" if self.rate else ""

    @property
    def left_text(self) -> str:
        """Time left at this rate."""
        return f"{_duration((self.total - self.done) / self.rate)} left" if self.rate else ""

    @property
    def waiting_text(self) -> str:
        """The files that are still being written."""
        return f"{self.waiting:,} {'file' if self.waiting == 1 else 'files'} still being written"


class Meter:
    """Counts what is done from what is left, and how fast that goes."""

    def __init__(self) -> None:
        self.total = 0
        self._samples: deque[tuple[float, int]] = deque()

    def read(self, expected: int, left: int, waiting: int, phase: str) -> Snapshot:
        """``expected`` images were on their way in all, as far as known; ``left`` still are."""
        self.total = max(self.total, expected, left)
        done = self.total - left
        return Snapshot(done, self.total, self._rate(done), waiting, phase)

    def _rate(self, done: int) -> float:
        now = time.monotonic()
        if self._samples and done < self._samples[-1][1]:
            self._samples.clear()
        if done or self._samples:
            self._samples.append((now, done))
        while len(self._samples) > 2 and now - self._samples[1][0] > WINDOW:
            self._samples.popleft()
        if len(self._samples) < 2:
            return 0.0
        seconds = now - self._samples[0][0]
        return (done - self._samples[0][1]) / seconds if seconds > 0 else 0.0


class Display(Protocol):
    """Shows snapshots."""

    def show(self, snapshot: Snapshot) -> None:
        """Show a newer one."""


class Lines:
    """For log files: one line every ``LINE_EVERY`` seconds."""

    def __init__(self) -> None:
        self._due = time.monotonic() + LINE_EVERY

    def show(self, snapshot: Snapshot) -> None:
        """Say a line if it is time for one."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + LINE_EVERY
        parts = [f"{snapshot.done:,} of {snapshot.total:,} images", snapshot.rate_text, snapshot.left_text]
        if snapshot.waiting:
            parts.append(snapshot.waiting_text)
        print(f"{snapshot.phase}: {', '.join(part for part in parts if part)}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def display() -> Iterator[Display]:
    """The display that fits standard error."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    with _bar() as bar:
        yield bar


@contextlib.contextmanager
def _bar() -> Iterator[Display]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[count]}  {task.fields[rate]}  {task.fields[left]}", markup=False),
        console=Console(stderr=True),
        expand=True,
        transient=True,
    )
    with progress, _log_lines_above():
        yield _Bar(progress)


class _Bar:
    def __init__(self, progress: object) -> None:
        from rich.progress import Progress

        assert isinstance(progress, Progress)
        self._progress = progress
        self._task = progress.add_task("Starting", total=None, count="", rate="", left="")

    def show(self, snapshot: Snapshot) -> None:
        """Move the bar."""
        only_waiting = snapshot.waiting and snapshot.done == snapshot.total
        self._progress.update(
            self._task,
            description=snapshot.waiting_text if only_waiting else snapshot.phase,
            completed=snapshot.done,
            total=snapshot.total or None,
            count=f"{snapshot.done:,}/{snapshot.total:,}" if snapshot.total else "",
            rate=snapshot.rate_text,
            left=snapshot.left_text,
        )


@contextlib.contextmanager
def _log_lines_above() -> Iterator[None]:
    """While a bar is drawn, standard error is rich's: log lines have to go there, too."""
    handlers = [h for h in logging.getLogger().handlers if isinstance(h, logging.StreamHandler)]
    former = [handler.setStream(sys.stderr) for handler in handlers]
    try:
        yield
    finally:
        for handler, stream in zip(handlers, former, strict=True):
            if stream is not None:
                handler.setStream(stream)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
