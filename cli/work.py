"""``tagtray work``: workers alone."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from cli import options, prepare
from cli.signals import AtOnce, StopRequest
from config.errors import InfrastructureError

if TYPE_CHECKING:
    from config.settings import Settings
    from db.ledger import Ledger
    from worker.standby import Process
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
    with StopRequest() as request, first_worker(settings) as spare:
        from db.ledger import Ledger
        from weights import manifest

        manifest.verify(prepare.model())
        with prepare.writing(settings) as database:
            ledger = Ledger(database)
            _work(settings, ledger, supervisor(settings, ledger, spare), request)
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


def first_worker(settings: Settings) -> AbstractContextManager[list[Process]]:
    """A worker that loads while all else is made ready; raises UsageError where its engine cannot be had."""
    from worker import engines, standby

    engines.choose(settings)
    return standby.spare(settings)


def supervisor(settings: Settings, ledger: Ledger, spare: list[Process]) -> Supervisor:
    """The workers of this host, those of ``spare`` among them; not started yet."""
    from worker import cpus
    from worker.supervisor import Supervisor

    plan = cpus.plan(settings.workers, settings.batch_size)
    try:
        return Supervisor(settings, ledger, plan, spare)
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
