"""``tagtray work``: workers alone."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cli import options, prepare
from cli.signals import AtOnce, StopRequest
from config.errors import InfrastructureError

if TYPE_CHECKING:
    from config.settings import Settings
    from db.ledger import Ledger
    from worker.cpus import Plan
    from worker.forkserver import ForkServer
    from worker.supervisor import Supervisor

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
        from db.ledger import Ledger
        from weights import manifest

        manifest.verify(prepare.model())
        with prepare.writing(settings) as database:
            ledger = Ledger(database)
            _work(settings, ledger, supervisor(settings, ledger, plan, server), request)
    return request.exit_code


def _work(settings: Settings, ledger: Ledger, crew: Supervisor, request: StopRequest) -> None:
    prepare.name_process("work")
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
    from worker import cpus, engines

    engines.choose(settings)
    return cpus.plan(settings.workers, settings.batch_size)


def forking(settings: Settings) -> ForkServer:
    """The process that forks workers; it imports while all else is made ready."""
    from worker.forkserver import ForkServer

    return ForkServer(settings)


def supervisor(settings: Settings, ledger: Ledger, plan: Plan, server: ForkServer) -> Supervisor:
    """The workers of this host, not started yet."""
    from worker.supervisor import Supervisor

    try:
        return Supervisor(settings, ledger, plan, server)
    except OSError as error:
        raise InfrastructureError(f"{settings.home} cannot be written to: {error.strerror}.") from None


@contextlib.contextmanager
def _feeding(settings: Settings, ledger: Ledger) -> Iterator[None]:
    """With the embedded Redis this process feeds, too: that queue is gone with whoever filled it."""
    from jobs.connection import connect
    from jobs.feed import Feeder, FeederLoop
    from jobs.queue import ImageQueue

    client = connect(settings)
    if settings.redis_url is not None:
        yield
        return
    loop = FeederLoop(Feeder(settings, ledger, ImageQueue(settings.queue, client)))
    loop.start()
    yield
    loop.stop()
