"""The place of one worker: its process, its progress marker, and how often it died."""

from __future__ import annotations

import logging
import signal
import time
from pathlib import Path

from tagtray.config import logs
from tagtray.worker.supervision.forkserver import ForkServer, Worker
from tagtray.worker.supervision.limits import Limits
from tagtray.worker.supervision.progress import Phase, Progress, Snapshot

#: Seconds that a killed worker is given to end; in a system call that never returns it cannot.
KILL_GRACE = 10.0
#: Seconds before a dead worker is replaced: the first time, and at most.
FIRST_BACKOFF, MAX_BACKOFF = 0.2, 30.0
#: Seconds that a worker has to live for the next death to count as the first.
CRASH_WINDOW = 60.0

log = logging.getLogger(__name__)


class WorkerSlot:
    """Holds one worker at a time; free from ``vacate`` to ``spawn``."""

    def __init__(self, number: int, progress_path: Path) -> None:
        self.number = number
        self.name = ""
        self.process: Worker | None = None
        #: Deaths in a row.
        self.deaths = 0
        #: What the worker was killed over; None: it was not.
        self.hung: Snapshot | None = None
        #: Whether the death of the worker has been judged.
        self.judged = False
        self._progress_path = progress_path
        self._progress: Progress | None = None
        self._started = self._killed = self._due = 0.0

    @property
    def is_due(self) -> bool:
        """Whether a free slot is to be filled now."""
        return time.monotonic() >= self._due

    @property
    def is_alive(self) -> bool:
        """Whether its worker has not ended yet."""
        return self.process is not None and self.process.poll() is None

    @property
    def ready(self) -> bool:
        """Whether its worker has loaded the network."""
        return self._progress is not None and self.progress.phase is not Phase.STARTING

    @property
    def progress(self) -> Snapshot:
        """What its worker does, or did when it died."""
        assert self._progress is not None
        return self._progress.read()

    def spawn(self, server: ForkServer, name: str, threads: int) -> None:
        """Fill the slot with a worker of this name."""
        self.name = name
        self.hung = None
        self.judged = False
        self._started = time.monotonic()
        self._progress = Progress.create(self._progress_path)
        self.process = server.spawn(name, threads, self._progress_path)

    def send_signal(self, number: signal.Signals) -> None:
        """Signal its worker, if there is one."""
        if self.process and self.is_alive:
            self.process.send_signal(number)

    def kill_if_hung(self, limits: Limits, since: float) -> None:
        """Kill a worker that is in a phase for too long, not counting what was before ``since``."""
        if self.hung:
            if self.process and time.monotonic() > self._killed + KILL_GRACE:
                self.process.abandon()
            return
        now, at = time.monotonic(), self.progress
        limit = limits[at.phase]
        if now - max(at.since, since) <= limit:
            return
        logs.event(
            log, logging.WARNING, "worker_hung",
            "worker {worker} is killed: its phase {phase} (image {image}) takes longer than {limit:g} s.",
            worker=self.number, phase=at.phase.name.lower(), image=at.image_id, limit=limit,
        )  # fmt: skip
        self.hung, self._killed = at, now
        self.send_signal(signal.SIGKILL)

    def vacate(self) -> None:
        """Free the slot, to be filled at once."""
        if self._progress:
            self._progress.close()
        self.process = self._progress = None
        self._due = 0.0

    def back_off(self) -> None:
        """Count a death: the next worker waits the longer, the more have died in a row."""
        self.deaths = 1 if time.monotonic() - self._started > CRASH_WINDOW else self.deaths + 1
        self._due = time.monotonic() + min(FIRST_BACKOFF * 2 ** (self.deaths - 1), MAX_BACKOFF)

    def remove(self) -> None:
        """Remove its file."""
        self._progress_path.unlink(missing_ok=True)
