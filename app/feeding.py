"""The feeder of a command, and the embedded Redis that it may have to start."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.jobs.connection import connect
from tagtray.jobs.feed import Feeder, FeederLoop
from tagtray.jobs.queue import ImageQueue


def feeder(settings: Settings, ledger: Ledger) -> FeederLoop:
    """A feeder from ``ledger`` into the queue, not started yet.

    Raises UsageError or InfrastructureError where there is no Redis to feed.
    """
    queue = ImageQueue(settings.queue, connect(settings))
    return FeederLoop(Feeder(settings, ledger, queue))


@contextlib.contextmanager
def beside_workers(settings: Settings, ledger: Ledger) -> Iterator[FeederLoop]:
    """Feed while workers run, if the Redis is embedded: its queue ends with the process that filled it."""
    loop = feeder(settings, ledger)
    if settings.redis_url is not None:
        yield loop
        return
    loop.start()
    yield loop
    loop.stop()
