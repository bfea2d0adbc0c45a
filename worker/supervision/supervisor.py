"""Keeps the worker processes alive: starts, watches, replaces and stops them, and blames images."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from datetime import datetime
from uuid import uuid4

from tagtray.config import logs
from tagtray.config.errors import InfrastructureError
from tagtray.config.settings import Settings
from tagtray.db import workers
from tagtray.db.ledger import Ledger
from tagtray.worker.supervision import verdict
from tagtray.worker.supervision.forkserver import ForkServer, Worker
from tagtray.worker.supervision.limits import Limits
from tagtray.worker.supervision.progress import Phase
from tagtray.worker.supervision.protocol import RELOAD, TEMPFAIL, UNUSABLE
from tagtray.worker.supervision.resources import Plan
from tagtray.worker.supervision.slot import WorkerSlot

#: Seconds between two checks of the workers.
POLL = 0.2
#: Seconds without a check after which this process itself was stopped: phases are measured anew from then on.
SUSPENDED = 5.0
#: Seconds until an image whose read hung is tried again, and until others of its root are.
DEFER_SECONDS, HOLD_SECONDS = 60.0, 30.0
#: Deaths of workers that never finished a batch, one after the other, after which the supervisor gives up.
MAX_FAILED_STARTS = 3

log = logging.getLogger(__name__)


class Supervisor:
    """Worker processes of this host, forked by ``server``; a thread watches from ``start`` to ``stop``."""

    def __init__(
        self, settings: Settings, ledger: Ledger, plan: Plan, server: ForkServer | None = None
    ) -> None:
        self._settings = settings
        self._limits = Limits(settings)
        self._ledger = ledger
        self._threads = plan.threads
        self._server = server or ForkServer(settings)
        self._id = f"{socket.gethostname()}-{os.getpid()}"
        folder = settings.home / "run"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        numbers = range(1, plan.workers + 1)
        self._slots = [WorkerSlot(number, folder / f"{self._id}-{number}.progress") for number in numbers]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        #: Workers that died unasked.
        self.deaths = 0
        self._failed_starts = 0
        #: Whether this was an hour to work at when it was looked last.
        self._wanted = True
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
        living = [slot.process for slot in self._slots if slot.process and slot.is_alive]
        return [worker.pid for worker in living if worker.pid]

    def stop(self, grace: float) -> None:
        """Let every worker finish its batch; after ``grace`` seconds, or at a ``kill``, end those left."""
        self._ending.set()
        self._thread.join()
        for slot in self._slots:
            slot.send_signal(signal.SIGTERM)
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
                slot.vacate()
            slot.remove()

    def _watch(self) -> None:
        since = checked = time.monotonic()
        while not self._ending.is_set():
            now = time.monotonic()
            since = now if now - checked > SUSPENDED else since
            checked = now
            self._note_hours()
            for slot in self._slots:
                try:
                    self._check(slot, since)
                except InfrastructureError as error:
                    logs.event(log, logging.INFO, "supervisor_waits", "{error}", error=error)
                except Exception:
                    log.exception("supervisor_failed: an unexpected error; the supervisor goes on.")
            self._ending.wait(POLL)

    def _note_hours(self) -> None:
        """Say when workers begin to rest and when they go on: ``hours`` of the settings."""
        wanted = self._settings.wants_work(datetime.now())
        if wanted != self._wanted:
            self._wanted = wanted
            event, what = ("workers_resume", "workers go on") if wanted else ("workers_rest", "workers rest")
            sentence = "{what}: the hours to work at are {hours} (TAGTRAY_HOURS)."
            logs.event(log, logging.WARNING, event, sentence, what=what, hours=self._settings.hours)

    def _check(self, slot: WorkerSlot, since: float) -> None:
        if slot.is_alive:
            if slot.progress.worked:
                self._failed_starts = 0
            slot.kill_if_hung(self._limits, since)
        elif slot.process:
            self._on_exit(slot, slot.process)
        elif slot.is_due and self.failure is None:
            slot.spawn(self._server, f"{self._id}-{uuid4().hex[:8]}-{slot.number}", self._threads)

    def _on_exit(self, slot: WorkerSlot, worker: Worker) -> None:
        status = worker.returncode or 0
        if not slot.judged:
            self._judge(slot, worker, status)
        self._give_back(slot)
        slot.vacate()
        if status == RELOAD or self.failure:
            return
        self.deaths += 1
        slot.back_off()
        sentence = "worker {worker} ended with status {status}; another one follows."
        logs.event(log, logging.WARNING, "worker_died", sentence, worker=slot.number, status=status)

    def _judge(self, slot: WorkerSlot, worker: Worker, status: int) -> None:
        """Blame the image that a worker died of, put off the one whose mount hangs, else count the death."""
        at = slot.progress
        blame = None if worker.orphaned else verdict.judge(at, slot.hung, self._limits)
        if blame:
            self._ledger.blame(blame.image_id, blame.code, blame.message, self._settings.attempts)
        elif slot.hung == at and at.phase is Phase.READ:
            self._ledger.put_off(at.image_id, DEFER_SECONDS, HOLD_SECONDS)
        # Once is enough, should the next statement fail and all of this be tried again.
        slot.judged = True
        if at.worked:
            self._failed_starts = 0
        elif not (blame or slot.hung or worker.orphaned):
            self._count_failed_start(status, slot.ready)
        if status == UNUSABLE:
            self.failure = worker.reason
        elif self._failed_starts >= MAX_FAILED_STARTS:
            reason = worker.reason or f"they end with status {status}"
            self.failure = f"Workers cannot work: {reason.rstrip('.')}."

    def _count_failed_start(self, status: int, was_ready: bool) -> None:
        """Count a death that was the worker's own fault: one that is up may well be killed by others."""
        if status not in (TEMPFAIL, RELOAD) and (status > 0 or not was_ready):
            self._failed_starts += 1

    def _give_back(self, slot: WorkerSlot) -> None:
        """Give back what a dead worker held."""
        self._ledger.release(slot.name)
        workers.remove(self._ledger.engine, slot.name)
