"""A worker without a network: it takes jobs, decodes as a real one does, and finds the same in each image."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import cast

import numpy as np

from tagtray.config.errors import ImageDeferred, ImageError, ImageGone
from tagtray.config.settings import Settings
from tagtray.db import current_model, workers
from tagtray.db.ledger import Ledger
from tagtray.db.places import roots
from tagtray.db.records import ClaimedImage, Deferred, Done, Failed, Gone, NewContent, Outcome, Provenance
from tagtray.imaging.decode import decode_into
from tagtray.imaging.opening import open_image
from tagtray.jobs import hints
from tagtray.jobs.connection import connect
from tagtray.jobs.job import ImageJob
from tagtray.jobs.queue import ImageQueue
from tests.models import SHAPE, SPEC
from tests.waiting import PATIENCE

NAME = "stub"
#: Seconds between signs of life.
BEAT = 5.0


class StubWorker:
    """Works in a thread, but for the time from ``hold`` until ``gate`` is set; ``decoded`` counts.

    ``taken`` are the ids of the images that it was given, in that order.
    """

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.decoded = 0
        self.taken: list[int] = []
        self._held = threading.Event()
        self._settings = settings
        self._ledger = ledger
        model_id = current_model.current(ledger.engine).id
        self._provenance = Provenance(model_id, "stub", "fp32", "draft")
        self._stop = threading.Event()
        self._beaten = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Say that it is there, and begin."""
        workers.register(self._ledger.engine, workers.this_process(NAME, self._provenance, []))
        self._thread.start()

    def hold(self) -> None:
        """Have it take no job from now on, until ``gate`` is set."""
        self._held.clear()
        self.gate.clear()
        assert self._held.wait(PATIENCE)

    def stop(self) -> None:
        """End after the job in hand."""
        self.gate.set()
        self._stop.set()
        self._thread.join()
        workers.remove(self._ledger.engine, NAME)

    def _beat(self) -> None:
        if time.monotonic() > self._beaten + BEAT:
            workers.heartbeat(self._ledger.engine, workers.this_process(NAME, self._provenance, []), 0)
            self._beaten = time.monotonic()

    def _run(self) -> None:
        queue = ImageQueue(self._settings.queue, connect(self._settings))
        while not self._stop.is_set():
            self._beat()
            while not self.gate.is_set():
                self._held.set()
                self._beat()
                self.gate.wait(BEAT)
            popped = ImageQueue.dequeue_any([queue], None, connection=queue.connection)
            if popped is None:
                self._stop.wait(0.005)
                continue
            job = cast(ImageJob, popped[0])
            claimed = self._ledger.claim(job.image_ids, NAME, 30.0, job.model_id)
            self.taken += [image.id for image in claimed]
            self._ledger.commit(NAME, self._provenance, [self._outcome(image) for image in claimed])
            hints.publish(queue.connection, queue.name, [image.id for image in claimed])
            job.delete()

    def _outcome(self, image: ClaimedImage) -> Outcome:
        root = roots.everywhere(self._ledger.engine, self._settings)[image.root_id]
        try:
            source = open_image(root.path, image.path, max_bytes=self._settings.max_bytes)
            slot = np.empty(SHAPE, np.uint8)
            info = decode_into(slot, source.data, SPEC, exact=False, max_pixels=self._settings.max_pixels)
        except ImageGone:
            return Gone(image.id)
        except ImageDeferred as error:
            return Deferred(image.id, error.seconds)
        except ImageError as error:
            return Failed(image.id, error.code, str(error))
        self.decoded += 1
        top, tags = ((1, 0.7), (2, 0.2), (0, 0.1)), (("c_dog", 0.9),)
        taken = info.taken.at if info.taken else None
        content = NewContent(
            info.format, info.width, info.height, taken, info.camera, top, tags, color=info.color
        )
        return Done(image.id, source.sha256, source.size_bytes, source.mtime_ns, content)


@contextlib.contextmanager
def working(settings: Settings, ledger: Ledger) -> Iterator[StubWorker]:
    """With a stub at work."""
    worker = StubWorker(settings, ledger)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()
