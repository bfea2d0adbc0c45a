"""News of images: who waits for one is told when it has ended, and browsers see the work go on.

A worker's commit is heard of through Redis; where nothing is heard, the ledger is looked at all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Sequence

import redis
from anyio import to_thread
from sqlalchemy import select

from tagtray.config import logs
from tagtray.config.errors import InfrastructureError
from tagtray.config.outage import Outage
from tagtray.config.settings import Settings
from tagtray.db.access.transactions import read
from tagtray.db.ledger import Ledger
from tagtray.db.tables import Image, Status
from tagtray.jobs import hints, refusals
from tagtray.jobs.connection import connect

#: Seconds between looks at the images that somebody waits for.
LOOK_SECONDS = 1.0
#: Seconds between looks for a request to stop.
TICK_SECONDS = 0.2
#: Images that ended lately and are remembered.
LATELY = 10_000
#: Hints that a browser may lag behind; it is told of the latest.
BACKLOG = 100

ENDED = (Status.DONE, Status.FAILED, Status.MISSING, Status.IGNORED)

#: Ids of images that ended; None: there will be no more.
_Queue = asyncio.Queue[Sequence[int] | None]

log = logging.getLogger(__name__)


class Live:
    """The waiters of one server; everything but the listener's thread belongs to the event loop."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._waiting: dict[int, set[asyncio.Future[None]]] = defaultdict(set)
        self._lately: dict[int, bool] = {}
        self._followers: set[_Queue] = set()
        self._stop = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looking: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._listen, name="hints", daemon=True)

    async def start(self) -> None:
        """Begin to listen."""
        self._loop = asyncio.get_running_loop()
        self._looking = asyncio.create_task(self._look_again())
        self._thread.start()

    async def stop(self) -> None:
        """End."""
        self._stop.set()
        await to_thread.run_sync(self._thread.join)
        if self._looking:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking

    async def ended(self, image_id: int) -> None:
        """Return when an image has ended, or has done so a moment ago; at once only once."""
        if self._lately.pop(image_id, None):
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting[image_id].add(future)
        try:
            await future
        finally:
            self._waiting[image_id].discard(future)
            if not self._waiting[image_id]:
                del self._waiting[image_id]

    def close(self) -> None:
        """Let those who follow go: the server ends."""
        for queue in self._followers:
            _put(queue, None)

    async def follow(self, seconds: float) -> AsyncIterator[Sequence[int]]:
        """The ids of images that ended, as they do, until ``close``; empty after ``seconds`` without any."""
        queue: _Queue = asyncio.Queue(BACKLOG)
        self._followers.add(queue)
        try:
            while True:
                try:
                    image_ids = await asyncio.wait_for(queue.get(), seconds)
                except TimeoutError:
                    image_ids = []
                if image_ids is None:
                    return
                yield image_ids
        finally:
            self._followers.discard(queue)

    @property
    def followers(self) -> int:
        """How many follow."""
        return len(self._followers)

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._waiting:
                try:
                    self._wake(await to_thread.run_sync(self._ended, list(self._waiting)))
                except InfrastructureError as error:
                    logs.event(log, logging.WARNING, "look_missed", "{error}", error=error)

    def _ended(self, image_ids: Sequence[int]) -> set[int]:
        query = select(Image.id).where(Image.id.in_(image_ids), Image.status.in_(ENDED))
        return set(read(self._ledger.engine, lambda connection: connection.scalars(query).all()))

    def _wake(self, image_ids: Collection[int]) -> None:
        for image_id in self._waiting.keys() & set(image_ids):
            for future in self._waiting[image_id]:
                if not future.done():
                    future.set_result(None)

    def _tell(self, image_ids: Sequence[int]) -> None:
        # One that ends before anybody waits for it.
        self._lately |= dict.fromkeys(image_ids, True)
        while len(self._lately) > LATELY:
            self._lately.pop(next(iter(self._lately)))
        self._wake(image_ids)
        for queue in self._followers:
            _put(queue, image_ids)

    def _listen(self) -> None:
        outage = Outage(log, "hints_wait", self._stop.wait)
        while not self._stop.is_set() and not outage.refusal:
            try:
                connection = connect(self._settings)
                for image_ids in hints.listen(connection, self._settings.queue, TICK_SECONDS):
                    if self._stop.is_set():
                        return
                    if image_ids and self._loop:
                        self._loop.call_soon_threadsafe(self._tell, image_ids)
            except (redis.RedisError, InfrastructureError) as error:
                outage.wait(refusals.explained(error, self._settings.redis_url))


def _put(queue: _Queue, image_ids: Sequence[int] | None) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(image_ids)
