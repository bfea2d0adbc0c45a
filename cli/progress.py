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

from tagtray.cli import streams

#: Seconds over which images per second are measured.
WINDOW = 10.0
#: Seconds between two lines where there is no terminal.
LINE_EVERY = 10.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A moment of a run; ``waiting`` are files that are still being written, ``idle`` says that none is."""

    left: int
    total: int
    rate: float
    waiting: int
    idle: bool
    phase: str

    @property
    def over(self) -> bool:
        """Whether everything that was found is done."""
        return self.idle and not self.left

    @property
    def done(self) -> int:
        """Images that are no longer on their way."""
        return self.total - self.left

    @property
    def count_text(self) -> str:
        """How many of how many."""
        return f"{self.done:,}/{self.total:,}" if self.total else ""

    @property
    def rate_text(self) -> str:
        """Images per second."""
        return f"{self.rate:,.1f} images/s" if self.rate else ""

    @property
    def left_text(self) -> str:
        """Time left at this rate."""
        return f"{duration(self.left / self.rate)} left" if self.rate else ""

    @property
    def waiting_text(self) -> str:
        """The files that are still being written."""
        if not self.waiting:
            return ""
        return f"{self.waiting:,} {'file' if self.waiting == 1 else 'files'} still being written"


class Meter:
    """Counts what is done from what is left, and how fast that goes; ``before`` were left at the start."""

    def __init__(self, before: int) -> None:
        self._before = before
        self._total = 0
        self._samples: deque[tuple[float, int]] = deque()

    def read(self, found: int, left: int, waiting: int, idle: bool, phase: str) -> Snapshot:
        """``found`` images came on their way since the start; ``left`` still are."""
        self._total = max(self._total, self._before + found, left)
        return Snapshot(left, self._total, self._rate(self._total - left), waiting, idle, phase)

    def _rate(self, done: int) -> float:
        now = time.monotonic()
        samples = self._samples
        if samples and done < samples[-1][1]:
            samples.clear()
        samples.append((now, done))
        # The start-up is no part of the speed: it counts from the last moment at which nothing was done.
        while len(samples) > 1 and (samples[1][1] == 0 or now - samples[1][0] > WINDOW):
            samples.popleft()
        seconds = now - samples[0][0]
        return (done - samples[0][1]) / seconds if seconds > 0 else 0.0


class Display(Protocol):
    """Shows snapshots."""

    def show(self, snapshot: Snapshot) -> None:
        """Show a newer one."""

    def end(self) -> None:
        """The last one was shown; what is in hand is being finished."""


class Lines:
    """For log files: one line every ``LINE_EVERY`` seconds."""

    def __init__(self) -> None:
        self._due = time.monotonic() + LINE_EVERY

    def show(self, snapshot: Snapshot) -> None:
        """Say a line if it is time for one."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + LINE_EVERY
        parts = (snapshot.count_text, snapshot.rate_text, snapshot.left_text, snapshot.waiting_text)
        streams.say(f"{snapshot.phase}: {', '.join(filter(None, parts))}")

    def end(self) -> None:
        """Nothing: the summary follows."""


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
        TextColumn("{task.fields[figures]}", markup=False),
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
        self._task = progress.add_task("Starting", total=None, figures="")

    def show(self, snapshot: Snapshot) -> None:
        """Move the bar."""
        only_waiting = bool(snapshot.waiting) and not snapshot.left
        texts = (snapshot.count_text, snapshot.rate_text, snapshot.left_text)
        self._progress.update(
            self._task,
            description=snapshot.waiting_text if only_waiting else snapshot.phase,
            completed=snapshot.done,
            total=snapshot.total or None,
            figures="  ".join(filter(None, texts)),
        )

    def end(self) -> None:
        """Say why it takes another moment."""
        self._progress.update(self._task, description="Finishing")


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


def duration(seconds: float) -> str:
    """Seconds as a clock shows them."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
