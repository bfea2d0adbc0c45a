"""``tagtray work``: workers alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tagtray.app import startup
from tagtray.app.crew import GRACE, Crew
from tagtray.cli import options, streams
from tagtray.cli.signals import AtOnce, StopRequest
from tagtray.config.errors import InfrastructureError

if TYPE_CHECKING:
    from tagtray.jobs.feed import FeederLoop
    from tagtray.worker.supervision.supervisor import Supervisor

#: Seconds between checks of whether workers can start at all.
POLL = 0.5


def work(
    workers: options.Workers = None,
    engine: options.Engine = None,
    precision: options.Precision = None,
    batch_size: options.BatchSize = None,
    exact: options.Exact = None,
    nice: options.Nice = None,
    metrics: options.Metrics = None,
) -> int:
    """Run workers that classify what others have queued, until Ctrl-C."""
    settings = options.for_work(
        workers,
        engine=engine,
        precision=precision,
        batch_size=batch_size,
        exact=exact,
        nice=nice,
        metrics_port=metrics,
    )
    startup.name_process("work")
    with StopRequest() as request, Crew(settings) as crew:
        # Here, not above: it takes as long as the fork server needs to import PyTorch, side by side.
        from tagtray.app import bootstrap, feeding, models
        from tagtray.cli import monitoring
        from tagtray.db.ledger import Ledger

        with bootstrap.writing(settings, startup.patience(request.wait)) as database:
            models.current(database, settings)[1].verify()
            ledger = Ledger(database)
            supervisor = crew.supervisor(ledger)
            try:
                with (
                    monitoring.serving(settings, database, supervisor=supervisor),
                    feeding.beside_workers(settings, ledger) as feeder,
                ):
                    _work(supervisor, feeder, request)
            except AtOnce:
                supervisor.kill()
                os._exit(request.exit_code)
        if feeder.refusal:
            raise feeder.refusal
        if supervisor.failure:
            raise InfrastructureError(supervisor.failure)
    return request.exit_code


def _work(supervisor: Supervisor, feeder: FeederLoop, request: StopRequest) -> None:
    supervisor.start()
    streams.say("Working; Ctrl-C ends.")
    while not supervisor.failure and not feeder.refusal and not request.wait(POLL):
        pass
    supervisor.stop(GRACE)
