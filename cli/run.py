"""``tagtray run``: from folders to rows, all in one."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Annotated

import typer

from tagtray.app import bootstrap
from tagtray.cli import options
from tagtray.cli.signals import AtOnce, StopRequest
from tagtray.cli.work import GRACE, forking, planned, supervisor
from tagtray.config.errors import InfrastructureError, TagtrayError

if TYPE_CHECKING:
    from tagtray.app.session import Session
    from tagtray.cli.progress import Display, Meter, Snapshot
    from tagtray.worker.supervision.supervisor import Supervisor

#: Seconds between looks at the ledger, at least.
LOOK = 0.25
#: The same until the first image is found and while so few are left: workers start and end without delay.
SHORT_LOOK, FEW = 0.02, 32
#: Part of the time that looking at the ledger may take: a large one is looked at less often.
LOOK_SHARE = 0.05


def run(
    folders: options.Folders,
    watch: Annotated[bool, typer.Option("--watch", help="Go on and classify what arrives later.")] = False,
    workers: options.Workers = None,
    engine: options.Engine = None,
    precision: options.Precision = None,
    batch_size: options.BatchSize = None,
    exact: options.Exact = None,
) -> int:
    """Classify all images in folders: ends when they are finished, unless --watch."""
    settings = options.for_work(
        workers, engine=engine, precision=precision, batch_size=batch_size, exact=exact
    )
    plan = planned(settings)
    with StopRequest() as request, forking(settings) as server:
        from tagtray.app import models
        from tagtray.app.session import Session, check

        check(folders)
        with bootstrap.writing(settings) as database:
            models.current(database, settings)[1].verify()
            session = Session(settings, database, folders)
            crew = supervisor(settings, session.ledger, plan, server)
            return _Run(session, crew, request, watch).go()


class _Run:
    """One run: starts everything, looks until it is over, stops everything, says what came of it."""

    def __init__(self, session: Session, crew: Supervisor, request: StopRequest, watch: bool) -> None:
        self._session = session
        self._crew = crew
        self._request = request
        self._watch = watch
        self._working = False

    def go(self) -> int:
        """The exit code; raises InfrastructureError when there is no hope for the workers."""
        from tagtray.cli import progress, summary

        bootstrap.name_process("run")
        began = time.monotonic()
        try:
            with progress.display() as display:
                self._session.start(self._watch)
                self._look_until_over(display)
                self._stop()
        except AtOnce:
            self._crew.kill()
            os._exit(self._request.exit_code)
        except TagtrayError:
            self._crew.kill()
            raise
        summary.write(self._session, time.monotonic() - began)
        if self._crew.failure:
            raise InfrastructureError(self._crew.failure)
        return self._request.exit_code

    def _look_until_over(self, display: Display) -> None:
        from tagtray.cli.progress import Meter

        meter = Meter(self._session.active() or 0)
        while not self._crew.failure:
            began = time.monotonic()
            snapshot = self._look(meter)
            over = snapshot is not None and snapshot.over and not self._watch
            if snapshot is not None:
                self._start_workers(snapshot)
                display.show(snapshot)
            pause = max(self._pause(snapshot), (time.monotonic() - began) / LOOK_SHARE)
            if over or self._request.wait(pause):
                break
        display.end()

    def _pause(self, snapshot: Snapshot | None) -> float:
        near_an_end = not self._working or (snapshot is not None and 0 < snapshot.left <= FEW)
        return SHORT_LOOK if near_an_end else LOOK

    def _look(self, meter: Meter) -> Snapshot | None:
        """Where the run stands; None while the database is away, which the feeder says."""
        producer = self._session.producer
        idle = producer.idle  # before the count: what it has taken up is counted
        left = self._session.active()
        if left is None:
            return None
        totals = producer.progress
        return meter.read(totals.new + totals.changed, left, producer.waiting, idle, self._phase())

    def _start_workers(self, snapshot: Snapshot) -> None:
        """Only when there is something to do, or soon: a run without news loads no network."""
        if not self._working and (self._watch or snapshot.left or snapshot.waiting):
            self._working = True
            self._crew.start()

    def _phase(self) -> str:
        if not self._working:
            return "Looking for images"
        return "Classifying" if self._crew.ready else "Loading the network"

    def _stop(self) -> None:
        self._session.producer.stop()
        if self._working:
            self._crew.stop(GRACE)
        self._session.stop()
