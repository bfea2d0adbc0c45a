"""Keeps the worker processes alive: starts, watches, replaces and stops them, and blames images."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tagtray.config.errors import ImageCode, InfrastructureError
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.worker.supervision.forkserver import ForkServer, Worker
from tagtray.worker.supervision.progress import Progress
from tagtray.worker.supervision.protocol import TEMPFAIL
from tagtray.worker.supervision.resources import Plan

#: Seconds between two checks of the workers.
POLL = 0.2
#: Seconds before a dead worker is replaced: the first time, and at most.
FIRST_BACKOFF, MAX_BACKOFF = 0.2, 30.0
#: Seconds that a worker has to live for the next death to count as the first.
CRASH_WINDOW = 60.0
#: Consecutive failed starts after which the supervisor gives up.
MAX_FAILED_STARTS = 3

log = logging.getLogger(__name__)


@dataclass
class _WorkerSlot:
    """One of the planned workers: its process, and how often that died."""

    number: int
    progress_path: Path
    name: str = ""
    process: Worker | None = None
    progress: Progress | None = None
    started: float = 0.0
    deaths: int = 0
    due: float = 0.0
    ready: bool = False
    timed_out: int = 0


class Supervisor:
    """Worker processes of this host, forked by ``server``; a thread watches from ``start`` to ``stop``."""

    def __init__(
        self, settings: Settings, ledger: Ledger, plan: Plan, server: ForkServer | None = None
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._plan = plan
        self._server = server or ForkServer(settings)
        self._id = f"{socket.gethostname()}-{os.getpid()}"
        folder = settings.home / "run"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._slots = [
            _WorkerSlot(n, folder / f"{self._id}-{n}.progress") for n in range(1, plan.workers + 1)
        ]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        #: Workers that died unasked.
        self.deaths = 0
        #: Why the supervisor gave up; None while it goes on.
        self.failure: str | None = None

    def start(self) -> None:
        """Start all workers and the thread that watches them."""
        self._thread.start()

    @property
    def ready(self) -> int:
        """How many workers have their network loaded."""
        return sum(slot.ready for slot in self._slots)

    @property
    def pids(self) -> list[int]:
        """Process ids of the living workers."""
        living = [slot.process for slot in self._slots if slot.process and slot.process.poll() is None]
        return [worker.pid for worker in living if worker.pid]

    def stop(self, grace: float) -> None:
        """Let every worker finish its batch; after ``grace`` seconds, or at a ``kill``, end those left."""
        self._ending.set()
        self._thread.join()
        for slot in self._slots:
            _signal(slot, signal.SIGTERM)
        deadline = time.monotonic() + grace
        while self.pids and time.monotonic() < deadline:
            time.sleep(POLL / 10)
        self.kill()

    def kill(self) -> None:
        """End every worker at once; what it held goes back to the ledger, or its lease lapses there."""
        self._server.close()
        for slot in self._slots:
            if slot.process:
                with contextlib.suppress(InfrastructureError):
                    self._give_back(slot)
                _vacate(slot)
            slot.progress_path.unlink(missing_ok=True)

    def _watch(self) -> None:
        while not self._ending.is_set():
            for slot in self._slots:
                try:
                    self._check(slot)
                except InfrastructureError as error:
                    log.info("supervisor_waits: %s", error)
                except Exception:
                    log.exception("supervisor_failed: an unexpected error; the supervisor goes on.")
            self._ending.wait(POLL)

    def _check(self, slot: _WorkerSlot) -> None:
        if slot.process is None:
            if time.monotonic() >= slot.due and self.failure is None:
                self._spawn(slot)
        elif slot.process.poll() is not None:
            self._on_exit(slot)
        elif slot.progress:
            snapshot = slot.progress.read()
            slot.ready = snapshot.ready
            if snapshot.seconds > self._settings.image_timeout:
                slot.timed_out = snapshot.image_id
                _signal(slot, signal.SIGKILL)

    def _spawn(self, slot: _WorkerSlot) -> None:
        slot.name = f"{self._id}-{uuid4().hex[:8]}-{slot.number}"
        slot.progress = Progress.create(slot.progress_path)
        slot.started = time.monotonic()
        slot.timed_out = 0
        slot.process = self._server.spawn(slot.name, self._plan.threads, slot.progress_path)

    def _on_exit(self, slot: _WorkerSlot) -> None:
        assert slot.process is not None
        status = slot.process.returncode
        was_ready = slot.progress is not None and slot.progress.read().ready
        self._give_back(slot)
        _vacate(slot)
        self.deaths += 1
        slot.deaths = 1 if time.monotonic() - slot.started > CRASH_WINDOW else slot.deaths + 1
        log.warning("worker_died: worker %d ended with status %d; another one follows.", slot.number, status)
        if not was_ready and status != TEMPFAIL and slot.deaths >= MAX_FAILED_STARTS:
            self.failure = f"Workers cannot start (exit status {status}); `tagtray work` shows why."
        slot.due = time.monotonic() + min(FIRST_BACKOFF * 2 ** (slot.deaths - 1), MAX_BACKOFF)

    def _give_back(self, slot: _WorkerSlot) -> None:
        """Give back what the dead worker held; blame the image that it died of, if it died of one."""
        orphaned = slot.process is not None and slot.process.orphaned
        if slot.progress and not self._ending.is_set() and not orphaned:
            self._blame(slot, slot.progress)
        self._ledger.release(slot.name)

    def _blame(self, slot: _WorkerSlot, progress: Progress) -> None:
        image_id = progress.read().image_id
        # It was killed over another image than the one that it had just begun: that one is innocent.
        if image_id and slot.timed_out in (0, image_id):
            code, message = self._verdict(slot, image_id)
            self._ledger.blame(image_id, code, message, self._settings.attempts)
        # Once is enough, should the next statement fail and all of this be tried again.
        progress.clear()

    def _verdict(self, slot: _WorkerSlot, image_id: int) -> tuple[str, str]:
        if slot.timed_out == image_id:
            limit = self._settings.image_timeout
            return ImageCode.TIMEOUT, f"Decoding takes longer than {limit:g} s (TAGTRAY_IMAGE_TIMEOUT)."
        return ImageCode.CRASHED_WORKER, "The decoder crashes on this file and takes its worker with it."


def _signal(slot: _WorkerSlot, number: signal.Signals) -> None:
    if slot.process and slot.process.poll() is None:
        slot.process.send_signal(number)


def _vacate(slot: _WorkerSlot) -> None:
    if slot.progress:
        slot.progress.close()
    slot.process = slot.progress = None
    slot.ready = False
