"""The feeder: keeps the queue full up to its high-water mark, and the ledger's claims true."""

from __future__ import annotations

import logging
import threading
import time

import redis

from tagtray.config import logs, outage
from tagtray.config.errors import InfrastructureError, Refused
from tagtray.config.outage import Outage
from tagtray.config.settings import Settings
from tagtray.db import catalogue
from tagtray.db.ledger import Ledger
from tagtray.jobs import refusals, workers
from tagtray.jobs.queue import ImageQueue

#: Seconds without news after which a chunk that is not full leaves all the same.
QUIET = 0.08
#: Seconds after which it leaves even if news keep coming.
UNQUIET = 0.5
#: Seconds between looks at the ledger when nobody told of news (rows of other producers, retries).
IDLE = 0.5
#: Seconds between recoveries of what was lost.
RECOVER = 5.0
#: Seconds that an image may be queued before it is looked for in Redis; a pop is claimed sooner.
QUEUED_GRACE = 10.0

log = logging.getLogger(__name__)


class Feeder:
    """Moves pending images into the queue; any number of feeders may do so at once."""

    def __init__(self, settings: Settings, ledger: Ledger, queue: ImageQueue) -> None:
        self._ledger = ledger
        self._queue = queue
        self._chunk = settings.images_per_job
        self._high_water = settings.queue_max
        self.redis_url = settings.redis_url

    def feed(self, flush: bool = True) -> int:
        """Fill the queue with full chunks, and with what is left over if ``flush``; images enqueued.

        Raises redis.RedisError with the images given back to the ledger.
        """
        queued = self._ledger.queued()
        room = self._high_water - queued
        waiting = self._ledger.pending(room) if room > 0 else 0
        limit = waiting if flush else waiting - waiting % self._chunk
        if limit <= 0:
            return 0
        size = self._chunk if queued else self._share(limit)
        model_id = catalogue.current(self._ledger.engine).id
        images = self._ledger.take_pending(limit)
        # A suspect travels alone: it may take its worker down.
        chunks = [[image.id] for image in images if image.attempts]
        ids = [image.id for image in images if not image.attempts]
        chunks += [ids[start : start + size] for start in range(0, len(ids), size)]
        try:
            self._queue.put(chunks, model_id)
        except redis.RedisError:
            self._ledger.unqueue([image.id for image in images])
            raise
        return len(images)

    def _share(self, images: int) -> int:
        """Images to a job when nothing is queued: no worker stays idle while another has a full chunk."""
        return max(1, min(self._chunk, -(-images // max(1, workers.alive(self._queue)))))

    def recover(self) -> int:
        """Give back what was lost: a lost queue, popped but never claimed jobs, lapsed leases."""
        freed = self._ledger.free_lapsed()
        if self._queue.is_new():
            freed += self._ledger.unqueue()
        elif overdue := self._ledger.queued_ids(QUEUED_GRACE):
            waiting = self._queue.waiting_ids()
            lost = [image_id for image_id in overdue if image_id not in waiting]
            freed += self._ledger.unqueue(lost) if lost else 0
        self._queue.tidy()
        if freed:
            sentence = "{images} images went back to pending."
            logs.event(log, logging.INFO, "images_returned", sentence, images=freed)
        return freed


class FeederLoop:
    """A feeder in a thread of its own, woken by ``notify``; it outlives outages of both stores."""

    def __init__(self, feeder: Feeder) -> None:
        self._feeder = feeder
        self._news = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)
        self._recover_at = 0.0
        self._flushed_at = 0.0
        self._outage = Outage(log, "feeder_waits", self._stop.wait)

    def start(self) -> None:
        """Begin to feed."""
        self._thread.start()

    @property
    def refusal(self) -> Refused | None:
        """Why it feeds no more; None as long as there is hope."""
        return self._outage.refusal

    def notify(self) -> None:
        """Images were registered."""
        self._news.set()

    def stop(self) -> None:
        """End after the feed in hand."""
        self._stop.set()
        self._news.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set() and not self.refusal:
            try:
                self._turn()
            except (redis.RedisError, InfrastructureError) as error:
                self._outage.wait(refusals.explained(error, self._feeder.redis_url))
            except Exception:
                sentence = "an unexpected error; the feeder goes on."
                logs.event(log, logging.ERROR, "feeder_failed", sentence, exc_info=True)
                self._stop.wait(outage.BACKOFF)

    def _turn(self) -> None:
        if time.monotonic() >= self._recover_at:
            self._feeder.recover()
            self._recover_at = time.monotonic() + RECOVER
        self._news.wait(IDLE)
        if self._stop.is_set():
            return
        if self._news.is_set():
            self._news.clear()
            self._feeder.feed(flush=False)
            if self._news.wait(QUIET) and time.monotonic() < self._flushed_at + UNQUIET:
                return
        self._feeder.feed(flush=True)
        self._flushed_at = time.monotonic()
