"""The worker's pulse: a thread that renews its lease in the ledger and its life in Redis."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import redis

from tagtray.config.errors import InfrastructureError

log = logging.getLogger(__name__)


class Pulse:
    """Calls ``beat`` every ``seconds`` until it is left; a store that is away is tried at the next beat."""

    def __init__(self, beat: Callable[[], None], seconds: float) -> None:
        self._beat = beat
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def __enter__(self) -> Pulse:
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
                log.info("beat_missed: %s", error)
