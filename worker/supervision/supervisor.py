"""Keeps the worker processes alive: starts, watches, blames, respawns and ends them."""

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
from tagtray.worker.__main__ import TEMPFAIL
from tagtray.worker.supervision.forkserver import ForkServer, Worker
from tagtray.worker.supervision.progress import Note
from tagtray.worker.supervision.resources import Plan

#: Seconds between two looks at the workers.
POLL = 0.2
#: Seconds before a dead worker is replaced: the first time, and at most.
RESPAWN_FIRST, RESPAWN_MOST = 0.2, 30.0
#: Seconds of life after which a worker's earlier deaths are forgotten.
FORGIVE = 60.0
#: Deaths in a row before a worker was ever ready, after which there is no hope.
HOPELESS = 3

log = logging.getLogger(__name__)


@dataclass
class _Seat:
    """A place for one worker: its process, and what happened to the ones before."""

    number: int
    note_path: Path
    name: str = ""
    process: Worker | None = None
    note: Note | None = None
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
        self._seats = [_Seat(n, folder / f"{self._id}-{n}.note") for n in range(1, plan.workers + 1)]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        #: Workers that died unasked.
        self.deaths = 0
        #: Why there will be no workers; None while there is hope.
        self.failure: str | None = None

    def start(self) -> None:
        """Start all workers and the thread that watches them."""
        self._thread.start()

    @property
    def ready(self) -> int:
        """How many workers have their network loaded."""
        return sum(seat.ready for seat in self._seats)

    @property
    def pids(self) -> list[int]:
        """Process ids of the living workers."""
        living = [seat.process for seat in self._seats if seat.process and seat.process.poll() is None]
        return [worker.pid for worker in living if worker.pid]

    def stop(self, grace: float) -> None:
        """Let every worker finish its batch; after ``grace`` seconds, or at a ``kill``, end those left."""
        self._ending.set()
        self._thread.join()
        for seat in self._seats:
            _signal(seat, signal.SIGTERM)
        deadline = time.monotonic() + grace
        while self.pids and time.monotonic() < deadline:
            time.sleep(POLL / 10)
        self.kill()

    def kill(self) -> None:
        """End every worker at once; what it held goes back to the ledger, or its lease lapses there."""
        self._server.close()
        for seat in self._seats:
            if seat.process:
                with contextlib.suppress(InfrastructureError):
                    self._settle(seat)
                _clear(seat)
            seat.note_path.unlink(missing_ok=True)

    def _watch(self) -> None:
        while not self._ending.is_set():
            for seat in self._seats:
                try:
                    self._look(seat)
                except InfrastructureError as error:
                    log.info("supervisor_waits: %s", error)
                except Exception:
                    log.exception("supervisor_failed: an unexpected error; the supervisor goes on.")
            self._ending.wait(POLL)

    def _look(self, seat: _Seat) -> None:
        if seat.process is None:
            if time.monotonic() >= seat.due and self.failure is None:
                self._spawn(seat)
        elif seat.process.poll() is not None:
            self._mourn(seat)
        elif seat.note:
            reading = seat.note.read()
            seat.ready = reading.ready
            if reading.seconds > self._settings.image_timeout:
                seat.timed_out = reading.image_id
                _signal(seat, signal.SIGKILL)

    def _spawn(self, seat: _Seat) -> None:
        seat.name = f"{self._id}-{uuid4().hex[:8]}-{seat.number}"
        seat.note = Note.create(seat.note_path)
        seat.started = time.monotonic()
        seat.timed_out = 0
        seat.process = self._server.spawn(seat.name, self._plan.threads, seat.note_path)

    def _mourn(self, seat: _Seat) -> None:
        assert seat.process is not None
        status = seat.process.returncode
        was_ready = seat.note is not None and seat.note.read().ready
        self._settle(seat)
        _clear(seat)
        self.deaths += 1
        seat.deaths = 1 if time.monotonic() - seat.started > FORGIVE else seat.deaths + 1
        log.warning("worker_died: worker %d ended with status %d; another one follows.", seat.number, status)
        if not was_ready and status != TEMPFAIL and seat.deaths >= HOPELESS:
            self.failure = f"Workers cannot start (exit status {status}); `tagtray work` shows why."
        seat.due = time.monotonic() + min(RESPAWN_FIRST * 2 ** (seat.deaths - 1), RESPAWN_MOST)

    def _settle(self, seat: _Seat) -> None:
        """Give back what the dead worker held; blame the image that it died of, if it died of one."""
        orphaned = seat.process is not None and seat.process.orphaned
        if seat.note and not self._ending.is_set() and not orphaned:
            self._blame(seat, seat.note)
        self._ledger.release(seat.name)

    def _blame(self, seat: _Seat, note: Note) -> None:
        image_id = note.read().image_id
        # Killed over another image than the one it had just begun, this one is innocent.
        if image_id and seat.timed_out in (0, image_id):
            code, message = self._verdict(seat, image_id)
            self._ledger.blame(image_id, code, message, self._settings.attempts)
        # Once is enough, should the next statement fail and all of this be tried again.
        note.clear()

    def _verdict(self, seat: _Seat, image_id: int) -> tuple[str, str]:
        if seat.timed_out == image_id:
            limit = self._settings.image_timeout
            return ImageCode.TIMEOUT, f"Decoding takes longer than {limit:g} s (TAGTRAY_IMAGE_TIMEOUT)."
        return ImageCode.CRASHED_WORKER, "The decoder crashes on this file and takes its worker with it."


def _signal(seat: _Seat, number: signal.Signals) -> None:
    if seat.process and seat.process.poll() is None:
        seat.process.send_signal(number)


def _clear(seat: _Seat) -> None:
    if seat.note:
        seat.note.close()
    seat.process = seat.note = None
    seat.ready = False
