"""``tagtray run``: from folders to rows, all in one."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options, prepare
from cli.signals import AtOnce, StopRequest
from config.errors import InfrastructureError, TagtrayError
from config.settings import Settings

if TYPE_CHECKING:
    from cli.progress import Display
    from cli.session import Session
    from worker.supervisor import Supervisor

#: Seconds between looks at the ledger, at least.
LOOK = 0.25
#: Part of the time that looking at the ledger may take: a large one is looked at less often.
LOOK_SHARE = 0.05
#: Seconds that workers are given to finish the batch in hand.
GRACE = 60.0


def run(
    folders: options.Folders,
    watch: Annotated[bool, typer.Option("--watch", help="Go on and classify what arrives later.")] = False,
    workers: options.Workers = None,
    batch_size: options.BatchSize = None,
    exact: options.Exact = None,
) -> int:
    """Classify all images in folders: ends when they are finished, unless --watch."""
    settings = options.for_work(workers, batch_size, exact)
    _check(folders)
    from cli.session import Session
    from weights import manifest

    with StopRequest() as request:
        manifest.verify(prepare.model())
        session = Session(settings, prepare.for_writing(settings), folders)
        return _Run(settings, session, request, watch).go()


def _check(folders: Sequence[str]) -> None:
    from cli.session import split
    from producer import targets

    for folder in folders:
        targets.check(split(folder)[1])


class _Run:
    """One run: starts everything, looks until it is over, stops everything, says what came of it."""

    def __init__(self, settings: Settings, session: Session, request: StopRequest, watch: bool) -> None:
        self._settings = settings
        self._session = session
        self._request = request
        self._watch = watch
        self._begun = time.monotonic()
        self._before = session.active()
        self._supervisor = supervisor(settings, session)
        self._working = False

    def go(self) -> int:
        """The exit code."""
        from cli import progress, summary

        try:
            with progress.display() as display:
                self._session.start(self._watch)
                self._look_until_over(display)
                self._stop()
        except AtOnce:
            self._supervisor.kill()
            os._exit(self._request.exit_code)
        except TagtrayError:
            self._supervisor.kill()
            raise
        summary.write(self._session, time.monotonic() - self._begun)
        if self._supervisor.failure:
            raise InfrastructureError(self._supervisor.failure)
        return self._request.exit_code

    def _look_until_over(self, display: Display) -> None:
        from cli.progress import Meter

        meter = Meter()
        producer = self._session.producer
        while not self._supervisor.failure:
            began = time.monotonic()
            idle = producer.idle  # before the count: what it takes up is counted
            left, totals = self._session.active(), producer.progress
            if idle and not left and not self._watch:
                return
            if left or producer.waiting or self._watch:
                self._start_workers()
            expected = self._before + totals.new + totals.changed
            display.show(meter.read(expected, left, producer.waiting, self._phase()))
            if self._request.wait(max(LOOK, (time.monotonic() - began) / LOOK_SHARE)):
                return

    def _start_workers(self) -> None:
        if not self._working:
            self._working = True
            self._supervisor.start()

    def _phase(self) -> str:
        if not self._working:
            return "Looking for images"
        return "Classifying" if self._supervisor.ready else "Loading the network"

    def _stop(self) -> None:
        self._session.producer.stop()
        if self._working:
            self._supervisor.stop(GRACE)
        self._session.stop()


def supervisor(settings: Settings, session: Session) -> Supervisor:
    """The workers of this host, not started yet."""
    from worker import cpus
    from worker.supervisor import Supervisor

    plan = cpus.plan(settings.workers, settings.batch_size)
    try:
        return Supervisor(settings, session.ledger, plan)
    except OSError as error:
        raise InfrastructureError(
            f"TAGTRAY_HOME {settings.home} cannot be written to: {error.strerror}."
        ) from None
