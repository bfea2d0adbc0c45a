"""The course of a run: start everything, poll until it is over, stop everything, sum up."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from tagtray.app import bootstrap, models, refresher, startup
from tagtray.app.crew import GRACE, Crew
from tagtray.app.session import Session, check_folders
from tagtray.cli import monitoring, progress, summary
from tagtray.cli.progress import Display, Meter, Snapshot
from tagtray.cli.signals import AtOnce, StopRequest
from tagtray.config.errors import InfrastructureError, Locked, TagtrayError
from tagtray.config.settings import Settings
from tagtray.web.beside import WebProcess
from tagtray.worker.supervision.supervisor import Supervisor

#: Seconds between polls of the ledger, at least.
POLL = 0.25
#: The same until the first image is found and while so few are left: workers start and end without delay.
SHORT_POLL, FEW = 0.02, 32
#: Part of the time that polls of the ledger may take: a large one is polled less often.
POLL_SHARE = 0.05


def run(
    settings: Settings,
    folders: Sequence[str],
    crew: Crew,
    request: StopRequest,
    watch: bool,
    pages: WebProcess | None = None,
) -> None:
    """Classify what is in ``folders``, until that is done or ``request`` asks to stop.

    ``pages`` are served from the moment that the ledger is ready.

    Raises UsageError where a folder cannot be listed or is paused, InfrastructureError where no worker can
    start.
    """
    startup.name_process("run")
    check_folders(settings, folders)
    waits = startup.patience(request.wait)
    with bootstrap.writing(settings, waits) as database:
        models.current(database, settings)[1].verify()
        session = waits.retry(lambda: Session(settings, database, folders), Locked)
        if not watch:
            session.refuse_paused()
        supervisor = crew.supervisor(session.ledger)
        with monitoring.serving(settings, database, session, supervisor):
            _Run(session, supervisor, request, watch, pages).go()


class _Run:
    def __init__(
        self,
        session: Session,
        workers: Supervisor,
        request: StopRequest,
        watch: bool,
        pages: WebProcess | None,
    ) -> None:
        self._session = session
        self._workers = workers
        self._request = request
        self._watch = watch
        self._pages = pages
        self._working = False

    def go(self) -> None:
        """Run; raises InfrastructureError where workers cannot work or a store refuses for good."""
        began = time.monotonic()
        try:
            with progress.display() as display, refresher.beside(self._session.ledger.engine):
                self._session.start(self._watch)
                if self._pages:
                    self._pages.start()
                self._poll_until_over(display)
                self._stop()
            if not (self._request.requested or self._failure):
                refresher.refresh(self._session.ledger.engine)
        except AtOnce:
            self._workers.kill()
            os._exit(self._request.exit_code)
        except TagtrayError:
            self._workers.kill()
            raise
        if failure := self._failure:
            raise InfrastructureError(failure)
        summary.write(self._session, time.monotonic() - began, self._request.requested)

    @property
    def _failure(self) -> str | None:
        """Why it is of no use to go on."""
        refusal = self._session.refusal
        return self._workers.failure or (str(refusal) if refusal else None)

    def _poll_until_over(self, display: Display) -> None:
        meter = Meter(self._session.active() or 0)
        while not self._failure:
            began = time.monotonic()
            snapshot = self._poll(meter)
            over = snapshot is not None and snapshot.over and not self._watch
            if snapshot is not None:
                self._start_workers(snapshot)
                display.show(snapshot)
            pause = max(self._pause(snapshot), (time.monotonic() - began) / POLL_SHARE)
            if over or self._request.wait(pause):
                break
        display.end()

    def _pause(self, snapshot: Snapshot | None) -> float:
        near_an_end = not self._working or (snapshot is not None and 0 < snapshot.left <= FEW)
        return SHORT_POLL if near_an_end else POLL

    def _poll(self, meter: Meter) -> Snapshot | None:
        """The state of the run; None while the database is away, which the feeder logs."""
        self._session.follow()
        if self._pages:
            self._pages.check()
        producer = self._session.producer
        idle = producer.idle  # before the count: what it has taken up is counted
        left = self._session.active()
        if left is None:
            return None
        totals = self._session.progress
        return meter.read(totals.new + totals.changed, left, producer.waiting, idle, self._phase())

    def _start_workers(self, snapshot: Snapshot) -> None:
        """Start them once there is work, or will be soon: a run with nothing new loads no network."""
        if not self._working and (self._watch or snapshot.left or snapshot.waiting.files):
            self._working = True
            self._workers.start()

    def _phase(self) -> str:
        if not self._working:
            return "Looking for images"
        return "Classifying" if self._workers.ready else "Loading the network"

    def _stop(self) -> None:
        self._session.producer.stop()
        if self._working:
            self._workers.stop(GRACE)
        self._session.stop()
