"""``tagtray work``: workers alone."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tagtray.app import bootstrap
from tagtray.cli import options
from tagtray.cli.signals import AtOnce, StopRequest
from tagtray.config.errors import InfrastructureError

if TYPE_CHECKING:
    from tagtray.config.settings import Settings
    from tagtray.db.ledger import Ledger
    from tagtray.worker.supervision.forkserver import ForkServer
    from tagtray.worker.supervision.resources import Plan
    from tagtray.worker.supervision.supervisor import Supervisor

#: Seconds that workers are given to finish the batch in hand.
GRACE = 60.0
#: Seconds between looks at whether there is still hope.
LOOK = 0.5


def work(
    workers: options.Workers = None,
    engine: options.Engine = None,
    precision: options.Precision = None,
    batch_size: options.BatchSize = None,
    exact: options.Exact = None,
) -> int:
    """Run workers that classify what others have queued, until Ctrl-C."""
    settings = options.for_work(
        workers, engine=engine, precision=precision, batch_size=batch_size, exact=exact
    )
    plan = planned(settings)
    with StopRequest() as request, forking(settings) as server:
        from tagtray.app import models
        from tagtray.db.ledger import Ledger

        with bootstrap.writing(settings) as database:
            models.current(database, settings)[1].verify()
            ledger = Ledger(database)
            _work(settings, ledger, supervisor(settings, ledger, plan, server), request)
    return request.exit_code


def _work(settings: Settings, ledger: Ledger, crew: Supervisor, request: StopRequest) -> None:
    bootstrap.name_process("work")
    try:
        with _feeding(settings, ledger):
            crew.start()
            print("Working; Ctrl-C ends.", file=sys.stderr)
            while not crew.failure and not request.wait(LOOK):
                pass
            crew.stop(GRACE)
    except AtOnce:
        crew.kill()
        os._exit(request.exit_code)
    if crew.failure:
        raise InfrastructureError(crew.failure)


def planned(settings: Settings) -> Plan:
    """Who is to work on what this host has free now; raises UsageError where their engine cannot be had."""
    from tagtray.worker.engines import selection
    from tagtray.worker.supervision import resources

    selection.choose(settings)
    return resources.plan(settings.workers, settings.batch_size)


def forking(settings: Settings) -> ForkServer:
    """The process that forks workers; it imports while all else is made ready."""
    from tagtray.worker.supervision.forkserver import ForkServer

    return ForkServer(settings)


def supervisor(settings: Settings, ledger: Ledger, plan: Plan, server: ForkServer) -> Supervisor:
    """The workers of this host, not started yet."""
    from tagtray.worker.supervision.supervisor import Supervisor

    try:
        return Supervisor(settings, ledger, plan, server)
    except OSError as error:
        raise InfrastructureError(f"{settings.home} cannot be written to: {error.strerror}.") from None


@contextlib.contextmanager
def _feeding(settings: Settings, ledger: Ledger) -> Iterator[None]:
    """With the embedded Redis this process feeds, too: that queue is gone with whoever filled it."""
    from tagtray.jobs.connection import connect
    from tagtray.jobs.feed import Feeder, FeederLoop
    from tagtray.jobs.queue import ImageQueue

    client = connect(settings)
    if settings.redis_url is not None:
        yield
        return
    loop = FeederLoop(Feeder(settings, ledger, ImageQueue(settings.queue, client)))
    loop.start()
    yield
    loop.stop()
