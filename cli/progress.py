"""The progress of a run: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from tagtray.cli import streams
from tagtray.config.text import shown
from tagtray.producer.settling import Waiting

#: Seconds over which images per second are measured.
WINDOW = 10.0
#: Seconds between two lines where there is no terminal.
LINE_INTERVAL = 10.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a run; ``waiting``: files that may still be written to; ``idle``: the producer is."""

    left: int
    total: int
    rate: float
    waiting: Waiting
    idle: bool
    phase: str

    @property
    def over(self) -> bool:
        """Whether everything that was found is done."""
        return self.idle and not self.left

    @property
    def done(self) -> int:
        """Images that are finished."""
        return self.total - self.left

    @property
    def count_text(self) -> str:
        """Finished images of all, as text."""
        return f"{self.done:,}/{self.total:,}" if self.total else ""

    @property
    def rate_text(self) -> str:
        """The rate, as text."""
        return f"{self.rate:,.1f} images/s" if self.rate else ""

    @property
    def left_text(self) -> str:
        """The time left at this rate, as text."""
        return f"{duration(self.left / self.rate)} left" if self.rate else ""

    @property
    def only_waits(self) -> bool:
        """Whether everything is done but files that may still be written to."""
        return bool(self.waiting.files) and not self.left

    @property
    def waiting_text(self) -> str:
        """The files that may still be written to, as text: how many, one of them, how long it may take."""
        files, path = self.waiting.files, shown(self.waiting.path)
        if not files:
            return ""
        what = f"{files:,} files" if files > 1 else "a file"
        example = f" ({path}{', ...' if files > 1 else ''})" if path else ""
        limit = f", {self.waiting.seconds:.0f} s at most" if self.waiting.seconds >= 1 else ""
        return f"{what} that may still be written to{example}{limit}"


class Meter:
    """Derives progress and rate from the images that are left; ``before`` were left at the start."""

    def __init__(self, before: int) -> None:
        self._before = before
        self._total = 0
        self._samples: deque[tuple[float, int]] = deque()

    def read(self, found: int, left: int, waiting: Waiting, idle: bool, phase: str) -> Snapshot:
        """A snapshot: ``found`` images were added since the start, ``left`` are unfinished."""
        self._total = max(self._total, self._before + found, left)
        return Snapshot(left, self._total, self._rate(self._total - left), waiting, idle, phase)

    def _rate(self, done: int) -> float:
        now = time.monotonic()
        samples = self._samples
        if samples and done < samples[-1][1]:
            samples.clear()
        samples.append((now, done))
        # The start-up does not count: the rate begins at the last sample with nothing done.
        while len(samples) > 1 and (samples[1][1] == 0 or now - samples[1][0] > WINDOW):
            samples.popleft()
        seconds = now - samples[0][0]
        return (done - samples[0][1]) / seconds if seconds > 0 else 0.0


class Display(Protocol):
    """Shows snapshots."""

    def show(self, snapshot: Snapshot) -> None:
        """Show the newest snapshot."""

    def end(self) -> None:
        """Show that the work in hand is being finished."""


class Lines:
    """Plain lines for log files, one every ``LINE_INTERVAL`` seconds."""

    def __init__(self) -> None:
        self._due = time.monotonic() + LINE_INTERVAL
        self._waits = False

    def show(self, snapshot: Snapshot) -> None:
        """Print a line if one is due: at once where a long wait begins."""
        begins = snapshot.only_waits and snapshot.waiting.seconds >= LINE_INTERVAL and not self._waits
        if time.monotonic() < self._due and not begins:
            return
        self._due = time.monotonic() + LINE_INTERVAL
        self._waits = snapshot.only_waits
        if snapshot.only_waits:
            streams.say(f"Waiting for {snapshot.waiting_text}.")
            return
        waiting = snapshot.waiting_text and f"waiting for {snapshot.waiting_text}"
        parts = (snapshot.count_text, snapshot.rate_text, snapshot.left_text, waiting)
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
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("Starting", total=None, figures="")

    def show(self, snapshot: Snapshot) -> None:
        """Update the bar."""
        texts = (snapshot.count_text, snapshot.rate_text, snapshot.left_text)
        self._progress.update(
            self._task,
            description=f"Waiting for {snapshot.waiting_text}" if snapshot.only_waits else snapshot.phase,
            completed=snapshot.done,
            total=snapshot.total or None,
            figures="  ".join(filter(None, texts)),
        )

    def end(self) -> None:
        """Show that the run is finishing."""
        self._progress.update(self._task, description="Finishing")


@contextlib.contextmanager
def _log_lines_above() -> Iterator[None]:
    """Print log lines above the bar: while it is drawn, standard error is rich's."""
    handlers = [h for h in logging.getLogger().handlers if isinstance(h, logging.StreamHandler)]
    former = [handler.setStream(sys.stderr) for handler in handlers]
    try:
        yield
    finally:
        for handler, stream in zip(handlers, former, strict=True):
            if stream is not None:
                handler.setStream(stream)


def duration(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
