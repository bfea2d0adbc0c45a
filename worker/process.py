"""One worker process: loads the network once, then serves the queue until it is told to stop."""

from __future__ import annotations

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

from tagtray.config import settings as configuration
from tagtray.config.errors import InfrastructureError
from tagtray.config.settings import Settings
from tagtray.db import current_model, engine, migrate
from tagtray.db.ledger import Ledger
from tagtray.db.records import Provenance
from tagtray.jobs.connection import connect
from tagtray.jobs.queue import ImageQueue
from tagtray.weights.store import ModelStore
from tagtray.worker.batch.pipeline import Pipeline
from tagtray.worker.batch.reader import RootReader
from tagtray.worker.engines import rollup, selection
from tagtray.worker.rq_worker import ImageWorker
from tagtray.worker.supervision.heartbeat import Heartbeat
from tagtray.worker.supervision.progress import Progress

#: Seconds between tries while a store is away, and between log lines about it.
BACKOFF, SAY_EVERY = 2.0, 60.0
#: Seconds that a worker is given to finish its batch once its supervisor is gone.
ORPHAN_GRACE = 15.0
#: Renewals of a lease before it would lapse.
HEARTBEATS_PER_LEASE = 3

log = logging.getLogger(__name__)


class WorkerProcess:
    """Everything that one process holds: the ledger, the network with its buffers, and the progress."""

    def __init__(self, settings: Settings, name: str, threads: int, progress: Progress) -> None:
        self._settings = settings
        self._name = name
        database = engine.connect(settings)
        migrate.require(database)
        self._ledger = Ledger(database)
        current = current_model.current(database)
        model = ModelStore.of(settings.home).model(current.name, current.weights_sha256)
        roll_up = rollup.load(model)
        choice = selection.choose(settings)
        classifier = selection.load(choice, model, settings.home, roll_up, settings.batch_size, threads)
        decode = "exact" if settings.exact else "draft"
        run = Provenance(current.id, classifier.engine, classifier.precision, decode)
        folders = RootReader(database, settings)
        self._pipeline = Pipeline(
            settings, self._ledger, folders, classifier, model.input, roll_up, run, progress
        )
        self._stopping = False
        self._worker: ImageWorker | None = None
        progress.ready()

    def serve(self) -> None:
        """Work until ``stop``; while Redis or the database is away, wait with the network loaded."""
        said = -SAY_EVERY
        while not self._stopping:
            try:
                self._ledger.release(self._name)
                self._serve_queue()
            except (redis.RedisError, InfrastructureError) as error:
                if time.monotonic() - said >= SAY_EVERY:
                    said = time.monotonic()
                    log.error("worker_waits: %s Trying again every %g s.", error, BACKOFF)
                time.sleep(BACKOFF)

    def stop(self, *_: object) -> None:
        """End after the batch in hand; fit to be a signal handler."""
        self._stopping = True
        if self._worker:
            self._worker.end()

    def _serve_queue(self) -> None:
        queue = ImageQueue(self._settings.queue, connect(self._settings))
        settings = self._settings
        linger = settings.linger_ms / 1000
        worker = self._worker = ImageWorker(queue, self._name, settings.batch_size, linger, self._classify)

        def beat() -> None:
            self._ledger.renew(self._name, settings.lease)
            worker.heartbeat()

        with Heartbeat(beat, settings.lease / HEARTBEATS_PER_LEASE):
            if not self._stopping:
                worker.work(logging_level="CRITICAL")
        if worker.failure:
            raise worker.failure

    def _classify(self, image_ids: Sequence[int]) -> None:
        claimed = self._ledger.claim(image_ids, self._name, self._settings.lease)
        self._pipeline.process(claimed, self._name)


def main(name: str, threads: int, progress: str, lifeline: socket.socket) -> int:
    """Work until SIGTERM, or until the supervisor's end of ``lifeline`` closes."""
    settings = configuration.load()
    # Private memory, file mappings apart: a decoder that asks for more gets MemoryError or takes itself down.
    resource.setrlimit(resource.RLIMIT_DATA, (settings.worker_memory, settings.worker_memory))
    _stop_when_orphaned(lifeline)
    process = WorkerProcess(settings, name, threads, Progress(Path(progress)))
    signal.signal(signal.SIGTERM, process.stop)
    signal.signal(signal.SIGINT, process.stop)
    process.serve()
    return 0


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
