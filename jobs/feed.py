"""The feeder: keeps the queue full up to its high-water mark, and the ledger's claims true."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

import redis

from tagtray.config import logs, outage
from tagtray.config.errors import InfrastructureError, Refused
from tagtray.config.outage import Outage
from tagtray.config.settings import Settings
from tagtray.db import current_model, workers
from tagtray.db.ledger import Ledger
from tagtray.db.records import PendingImage
from tagtray.db.tables import Priority
from tagtray.jobs import refusals
from tagtray.jobs.queue import ImageQueue
from tagtray.jobs.stale import StaleImages

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
        self._stale = StaleImages(ledger)

    @property
    def settled(self) -> bool:
        """Whether no image has to be classified anew by another model, as far as is known."""
        return self._stale.settled

    def feed(self, flush: bool = True) -> int:
        """Fill the queue with full chunks, and with what is left over if ``flush``; images enqueued.

        Urgent images are enqueued however full it is, stale ones when nothing else waits. Raises
        redis.RedisError with the images given back to the ledger.
        """
        queued = self._ledger.queued()
        room = self._high_water - queued
        self._stale.look()
        if room <= 0:
            return self._feed_urgent()
        waiting = self._ledger.pending(room)
        if not waiting and flush:
            waiting = self._stale.bring_back(room)
        limit = waiting if flush else waiting - waiting % self._chunk
        if limit <= 0:
            return 0
        size = self._chunk if queued else self._share(limit)
        return self._put(size, lambda: self._ledger.take_pending(limit))

    def enqueue(self, ids: Sequence[int]) -> int:
        """Put images that somebody waits for before all others; how many. Raises redis.RedisError."""
        return self._put(self._share(len(ids)), lambda: self._ledger.enqueue(ids))

    def _feed_urgent(self) -> int:
        waiting = self._ledger.pending(self._high_water, Priority.URGENT)
        if not waiting:
            return 0
        return self._put(self._chunk, lambda: self._ledger.take_pending(waiting, Priority.URGENT))

    def _put(self, size: int, take: Callable[[], Sequence[PendingImage]]) -> int:
        model_id = current_model.current(self._ledger.engine).id
        images = take()
        urgent = [image for image in images if image.priority == Priority.URGENT]
        others = [image for image in images if image.priority != Priority.URGENT]
        try:
            self._queue.put(_chunks(urgent, size), model_id, at_front=True)
            self._queue.put(_chunks(others, size), model_id)
        except redis.RedisError:
            self._ledger.unqueue([image.id for image in images])
            raise
        return len(images)

    def _share(self, images: int) -> int:
        """Images to a job when nothing is queued: no worker stays idle while another has a full chunk."""
        if images == 1:
            return 1
        return max(1, min(self._chunk, -(-images // max(1, workers.count(self._ledger.engine)))))

    def recover(self) -> int:
        """Give back what was lost: a lost queue, popped but never claimed jobs, lapsed leases.

        Workers that are no longer heard of are forgotten.
        """
        workers.remove_silent(self._ledger.engine)
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


def _chunks(images: Sequence[PendingImage], size: int) -> list[list[int]]:
    """Ids by the job; a suspect travels alone: it may take its worker down."""
    ids = [image.id for image in images if not image.attempts]
    together = [ids[start : start + size] for start in range(0, len(ids), size)]
    return [[image.id] for image in images if image.attempts] + together


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

    @property
    def settled(self) -> bool:
        """Whether no image has to be classified anew by another model, as far as is known."""
        return self._feeder.settled

    def enqueue(self, ids: Sequence[int]) -> int:
        """Put images that somebody waits for before all others; how many. Raises redis.RedisError."""
        return self._feeder.enqueue(ids)

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
