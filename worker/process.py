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
from pathlib import Path

import redis
from sqlalchemy import Engine

from tagtray.config import logs
from tagtray.config import settings as configuration
from tagtray.config.errors import InfrastructureError, ModelChanged, WeightsError
from tagtray.config.outage import LOG_INTERVAL, Outage
from tagtray.config.settings import Settings
from tagtray.db import catalogue, engine, migrate, workers
from tagtray.db.catalogue import CurrentModel
from tagtray.db.ledger import Ledger
from tagtray.db.records import Provenance
from tagtray.jobs import refusals
from tagtray.jobs.connection import connect
from tagtray.jobs.queue import ImageQueue
from tagtray.weights import manifest
from tagtray.weights.manifest import ModelEntry
from tagtray.worker.batch.batch import CommittedBatch, Hook
from tagtray.worker.batch.fill import Filler
from tagtray.worker.batch.lease import Lease
from tagtray.worker.batch.pipeline import Pipeline
from tagtray.worker.batch.reader import RootReader
from tagtray.worker.engines import rollup, selection
from tagtray.worker.rq_worker import ImageWorker
from tagtray.worker.supervision.heartbeat import Heartbeat
from tagtray.worker.supervision.limits import Limits
from tagtray.worker.supervision.progress import Phase, Progress
from tagtray.worker.supervision.protocol import RELOAD

#: Seconds that a worker is given to finish its batch once its supervisor is gone.
ORPHAN_GRACE = 15.0
#: Renewals of a lease before it would lapse.
HEARTBEATS_PER_LEASE = 3
#: Seconds between looks for the weights of the current model, where this host lacks them.
WEIGHTS_POLL = 2.0

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
        model_id, model = _current_model(database, progress)
        roll_up = rollup.load()
        choice = selection.choose(settings)
        classifier = selection.load(choice, model, settings.home, roll_up, settings.batch_size, threads)
        decode = "exact" if settings.exact else "draft"
        provenance = Provenance(model_id, classifier.engine, classifier.precision, decode)
        self._lease = Lease(Ledger(database), name, settings.lease, provenance, progress)
        filler = Filler(settings, self._lease, RootReader(database, settings), progress)
        self._pipeline = Pipeline(
            self._lease, filler, classifier, roll_up, settings.tag_min, progress, (self._count, *hooks)
        )
        self._info = workers.this_process(name, provenance, ())
        self._images = 0
        self._stopping = False
        self._worker: ImageWorker | None = None

    def serve(self) -> int:
        """Work until ``stop``, or until another model is current; the exit status.

        While Redis or the database is away, wait with the network loaded.
        """
        workers.register(self._database, self._info)
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
        queue = ImageQueue(settings.queue, connect(settings))
        worker = self._worker = ImageWorker(
            queue,
            self._info.id,
            settings.batch_size,
            settings.linger_ms / 1000,
            self._pipeline.process,
            lambda: self._progress.enter(Phase.IDLE),
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
        workers.heartbeat(self._database, self._info, self._images)
        try:
            self._lease.check_model()
        except ModelChanged:
            worker.end()

    def _count(self, batch: CommittedBatch) -> None:
        self._images += len(batch.images)

    def _pause(self, seconds: float) -> bool:
        time.sleep(seconds)
        return self._stopping


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


def _current_model(database: Engine, progress: Progress) -> tuple[int, ModelEntry]:
    """Id and description of the current model; waits while this host does not have its weights."""
    throttle = logs.Throttle(LOG_INTERVAL)
    while True:
        progress.enter(Phase.STARTING)
        current = catalogue.current(database)
        try:
            return current.id, _description(current)
        except WeightsError as error:
            if throttle.is_due(current.id):
                sentence = "{error} Nothing is classified here until it has them."
                logs.event(log, logging.ERROR, "weights_missing", sentence, error=error)
        time.sleep(WEIGHTS_POLL)


def _description(current: CurrentModel) -> ModelEntry:
    model = manifest.model(current.name)
    if model.weights.sha256 != current.weights_sha256:
        weights = f"{current.name} (SHA-256 {current.weights_sha256})"
        raise WeightsError(f"This host does not have the weights of the model {weights}.")
    return model


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
