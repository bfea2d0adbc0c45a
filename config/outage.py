"""A store is away: work is tried again with back-off, and logged once a minute."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import TypeVar

from tagtray.config import logs
from tagtray.config.errors import InfrastructureError, Refused

#: Seconds between attempts while a store is away: an outage costs that much time more than it lasts.
BACKOFF = 2.0
#: Seconds between log lines about an outage.
LOG_INTERVAL = 60.0
#: Seconds without an error after which the next one is of another outage.
OVER = 60.0

Result = TypeVar("Result")


class Stopped(Exception):
    """The work was told to stop while it waited for a store."""


class Outage:
    """Waits on behalf of one role until the stores are back; safe for threads.

    ``pause`` sleeps for some seconds and returns whether to stop instead: ``threading.Event.wait``.
    """

    def __init__(self, log: logging.Logger, event: str, pause: Callable[[float], bool]) -> None:
        self._log = log
        self._event = event
        self._pause = pause
        self._throttle = logs.Throttle(LOG_INTERVAL)
        self._began = self._last = -math.inf
        #: What no waiting mends; None as long as there is hope.
        self.refusal: Refused | None = None

    def wait(self, error: Exception) -> bool:
        """Wait before the next attempt after ``error``; whether to stop instead."""
        if isinstance(error, Refused):
            self.refusal = error
            return True
        now = time.monotonic()
        if now - self._last > OVER:
            self._began = now
        if self._throttle.is_due():
            self._say(error, now - self._began)
        stop = self._pause(BACKOFF)
        self._last = time.monotonic()
        return stop

    def _say(self, error: Exception, seconds: float) -> None:
        since = f", for {seconds:.0f} s now" if seconds else ""
        sentence = "{error} Trying again every {pause:g} s{since}."
        logs.event(self._log, logging.ERROR, self._event, sentence, error=error, pause=BACKOFF, since=since)

    def retry(
        self, work: Callable[[], Result], passing: type[InfrastructureError] = InfrastructureError
    ) -> Result:
        """The result of ``work``, repeated for as long as it raises an error that passes; raises Stopped.

        A refusal stops it, too: see ``refusal``.
        """
        while True:
            try:
                return work()
            except passing as error:
                if self.wait(error):
                    raise Stopped from None
