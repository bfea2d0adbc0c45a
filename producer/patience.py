"""Work that waits for the database to come back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from tagtray.config.errors import InfrastructureError
from tagtray.producer.notices import Notices

#: Seconds between tries while the database is away, and between log lines about it.
BACKOFF, SAY_EVERY = 2.0, 60.0

Result = TypeVar("Result")


class Stopped(Exception):
    """The producer was told to stop while it waited."""


class Patience:
    """Repeats database work until it succeeds or the producer is stopped."""

    def __init__(self, stop: threading.Event, notices: Notices) -> None:
        self._stop = stop
        self._notices = notices

    def insist(self, work: Callable[[], Result]) -> Result:
        """The result of ``work``; outages are waited for. Raises Stopped."""
        while True:
            try:
                return work()
            except InfrastructureError as error:
                message = f"producer_waits: {error} Trying again every {BACKOFF:g} s."
                self._notices.warn("database", message, every=SAY_EVERY)
            if self._stop.wait(BACKOFF):
                raise Stopped
