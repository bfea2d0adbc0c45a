"""The worker's heartbeat: a thread that renews its lease in the ledger and its registration in Redis."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import redis

from tagtray.config.errors import InfrastructureError

log = logging.getLogger(__name__)


class Heartbeat:
    """Calls ``beat`` every ``seconds`` for as long as the block runs; errors wait for the next beat."""

    def __init__(self, beat: Callable[[], None], seconds: float) -> None:
        self._beat = beat
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                self._beat()
            except (InfrastructureError, redis.RedisError) as error:
                log.info("heartbeat_missed: %s", error)
