"""A thread that shows, every few seconds, that the worker lives."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import redis

from tagtray.config import logs
from tagtray.config.errors import InfrastructureError

#: Seconds that a call in hand is waited for at the end.
JOIN_SECONDS = 5.0

log = logging.getLogger(__name__)


class Heartbeat:
    """Calls ``beat`` every ``seconds`` for as long as the block runs, whatever the last call raised."""

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
        self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                self._beat()
            except (InfrastructureError, redis.RedisError) as error:
                logs.event(log, logging.INFO, "heartbeat_missed", "{error}", error=error)
            except Exception:
                log.exception("heartbeat_failed: an unexpected error; the heartbeat goes on.")
