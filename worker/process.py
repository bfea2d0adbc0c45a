"""One worker process: loads the network once, then serves the queue until it is told to stop."""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import select
import signal
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import redis
from sqlalchemy import Engine

from tagtray.config import logs
from tagtray.config import settings as configuration
from tagtray.config.errors import InfrastructureError, ModelChanged
from tagtray.config.outage import Outage
from tagtray.config.settings import Settings
from tagtray.db import migrate, workers
from tagtray.db.access import engine
from tagtray.db.ledger import Ledger
from tagtray.db.workers import WorkerInfo
from tagtray.jobs import hints, refusals
from tagtray.jobs.connection import connect
from tagtray.jobs.queue import ImageQueue
from tagtray.worker import loading
from tagtray.worker.batch.batch import CommittedBatch, Hook
from tagtray.worker.batch.fill import Filler
from tagtray.worker.batch.lease import Lease
from tagtray.worker.batch.pipeline import Pipeline
from tagtray.worker.batch.reader import RootReader
from tagtray.worker.batch.root_watch import RootWatch
from tagtray.worker.rq_worker import ImageWorker
from tagtray.worker.supervision.heartbeat import Heartbeat
from tagtray.worker.supervision.limits import Limits
from tagtray.worker.supervision.progress import Phase, Progress
from tagtray.worker.supervision.protocol import RELOAD

#: Seconds that a worker is given to finish its batch once its supervisor is gone.
ORPHAN_GRACE = 15.0
#: Renewals of a lease before it would lapse.
HEARTBEATS_PER_LEASE = 3

log = logging.getLogger(__name__)


class WorkerProcess:
    """A lease on images, the pipeline with the network, and the queue that both serve."""

    def __init__(
        self, settings: Settings, name: str, threads: int, progress: Progress, hooks: Sequence[Hook] = ()
    ) -> None:
        self._settings = settings
        self._progress = progress
        self._limits = Limits(settings)
        self._database = database = engine.connect(settings)
        migrate.require(database)
        loaded = loading.load(settings, database, threads, progress)
        self._ledger = Ledger(database)
        self._lease = Lease(self._ledger, name, settings.lease, loaded.provenance, progress)
        reader = RootReader(database, settings)
        self._roots = RootWatch(reader.readable)
        filler = Filler(settings, self._lease, reader, loaded.model.input, progress)
        self._pipeline = Pipeline(
            settings,
            self._lease,
            filler,
            loaded.classifier,
            loaded.roll_up,
            progress,
            (self._count, self._tell, *_asked_for(settings, database), *hooks),
        )
        passed_over = " ".join(loaded.classifier.passed_over)
        self._info = workers.this_process(name, loaded.provenance, (), passed_over)
        self._images = 0
        self._stopping = False
        self._worker: ImageWorker | None = None
        self._queue: ImageQueue | None = None

    def serve(self) -> int:
        """Work until ``stop``, or until another model is current; the exit status.

        While Redis or the database is away, wait with the network loaded.
        """
        with self._roots:
            workers.register(self._database, self._described())
            try:
                return self._serve()
            finally:
                with contextlib.suppress(InfrastructureError):
                    workers.remove(self._database, self._info.id)

    def stop(self, *_: object) -> None:
        """End after the batch in hand; fit to be a signal handler."""
        self._stopping = True
        if self._worker:
            self._worker.end()

    def _serve(self) -> int:
        outage = Outage(log, "worker_waits", self._pause)
        while not self._stopping:
            self._progress.enter(Phase.IDLE)
            try:
                self._lease.release()
                self._lease.check_model()
                self._serve_queue()
            except ModelChanged as change:
                sentence = "{change} Another worker follows that loads it."
                logs.event(log, logging.INFO, "model_changed", sentence, change=change)
                return RELOAD
            except (redis.RedisError, InfrastructureError) as error:
                outage.wait(refusals.explained(error, self._settings.redis_url))
                if outage.refusal:
                    raise outage.refusal from None
        return 0

    def _serve_queue(self) -> None:
        settings = self._settings
        queue = self._queue = ImageQueue(settings.queue, connect(settings))
        worker = self._worker = ImageWorker(
            queue,
            self._info.id,
            settings.batch_size,
            settings.linger_ms / 1000,
            self._pipeline.process,
            lambda: self._progress.enter(Phase.IDLE),
            self._rests,
        )
        with Heartbeat(lambda: self._beat(worker), settings.lease / HEARTBEATS_PER_LEASE):
            if not self._stopping:
                worker.work(logging_level="CRITICAL")
        if worker.failure:
            raise worker.failure

    def _beat(self, worker: ImageWorker) -> None:
        """Show that the worker lives, for as long as its phase is young, and look at the current model."""
        if not self._limits.allow(self._progress.read()):
            return
        self._lease.renew()
        worker.heartbeat()
        workers.heartbeat(self._database, self._described(), self._images)
        try:
            self._lease.check_model()
        except ModelChanged:
            worker.end()

    def _rests(self) -> bool:
        """Whether this is no hour to work at, and nobody waits for an image."""
        return not self._settings.wants_work(datetime.now()) and not self._ledger.has_urgent()

    def _described(self) -> WorkerInfo:
        return replace(self._info, roots=self._roots.names)

    def _count(self, batch: CommittedBatch) -> None:
        self._images += len(batch.images)

    def _tell(self, batch: CommittedBatch) -> None:
        """Give those who wait for these images a hint; where none arrives they look by themselves."""
        if self._queue is not None:
            with contextlib.suppress(redis.RedisError):
                ids = [image.id for image in batch.images]
                hints.publish(self._queue.connection, self._queue.name, ids)

    def _pause(self, seconds: float) -> bool:
        time.sleep(seconds)
        return self._stopping


def _asked_for(settings: Settings, database: Engine) -> Sequence[Hook]:
    """What the user wants done after each commit; most workers do without these imports."""
    hooks: list[Hook] = []
    if settings.metrics_port is not None:
        from tagtray.worker.batch import metrics

        hooks.append(metrics.count)
    if settings.xmp or settings.on_done:
        from tagtray.worker.batch import after_commit

        hooks += after_commit.hooks(settings, database)
    return hooks


def main(name: str, threads: int, progress: str, lifeline: socket.socket) -> int:
    """Work until SIGTERM, until the supervisor's end of ``lifeline`` closes, or until the model changes."""
    settings = configuration.load()
    # Private memory, file mappings apart: a decoder that asks for more gets MemoryError or takes itself down.
    resource.setrlimit(resource.RLIMIT_DATA, (settings.worker_memory, settings.worker_memory))
    _stop_when_orphaned(lifeline)
    process = WorkerProcess(settings, name, threads, Progress(Path(progress)))
    signal.signal(signal.SIGTERM, process.stop)
    signal.signal(signal.SIGINT, process.stop)
    return process.serve()


def _stop_when_orphaned(lifeline: socket.socket) -> None:
    """Stop when the other end is gone: nobody is left to work for."""

    def wait() -> None:
        gone = select.poll()
        gone.register(lifeline, 0)  # nothing but its end: what it says is not for us
        gone.poll()
        signal.raise_signal(signal.SIGTERM)
        # A decoder that hangs never returns to the signal's handler, and nobody is left to end it.
        time.sleep(ORPHAN_GRACE)
        os._exit(1)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
