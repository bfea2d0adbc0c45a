"""A store is away: work is tried again with back-off, and logged once a minute."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from tagtray.config import logs
from tagtray.config.errors import InfrastructureError

#: Seconds between attempts while a store is away: an outage costs that much time more than it lasts.
BACKOFF = 2.0
#: Seconds between log lines about an outage.
LOG_INTERVAL = 60.0

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

    def wait(self, error: Exception) -> bool:
        """Wait before the next attempt after ``error``; whether to stop instead."""
        if self._throttle.is_due():
            sentence = "{error} Trying again every {seconds:g} s."
            logs.event(self._log, logging.ERROR, self._event, sentence, error=error, seconds=BACKOFF)
        return self._pause(BACKOFF)

    def retry(self, work: Callable[[], Result]) -> Result:
        """The result of ``work``, repeated for as long as it raises InfrastructureError; raises Stopped."""
        while True:
            try:
                return work()
            except InfrastructureError as error:
                if self.wait(error):
                    raise Stopped from None
