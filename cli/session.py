"""Producer and feeder of one command: what `run`, `scan` and `watch` have in common."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Engine

from config.settings import Settings
from db import queries, roots
from db.ledger import Ledger
from db.roots import Target
from jobs.connection import connect
from jobs.feed import Feeder, FeederLoop
from jobs.queue import ImageQueue
from producer.service import Producer

_NAMED = re.compile(r"([^/=]*)=(.+)", re.DOTALL)


class Session:
    """The folders that the user named, on their way into the queue."""

    def __init__(self, settings: Settings, database: Engine, folders: Sequence[str]) -> None:
        self.settings = settings
        self.ledger = Ledger(database)
        self.targets = [_target(database, settings, folder) for folder in folders]
        self.started = queries.moment(database)
        queue = ImageQueue(settings.queue, connect(settings))
        self._feeder = FeederLoop(Feeder(settings, self.ledger, queue))
        self.producer = Producer(settings, self.ledger, self._feeder.notify, self.targets)

    def start(self, watch: bool) -> None:
        """Begin to scan (and to watch) and to feed."""
        self._feeder.start()
        self.producer.start(watch)

    def stop(self) -> None:
        """End after what is in hand."""
        self.producer.stop()
        self._feeder.stop()

    def active(self) -> int:
        """Images of the folders that are on their way."""
        return queries.active(self.ledger.engine, self.targets)

    def unqueued(self) -> int:
        """Images of the folders that are not in the queue yet."""
        return queries.unqueued(self.ledger.engine, self.targets)


def split(argument: str) -> tuple[str | None, Path]:
    """``[NAME=]DIR``; what exists as a folder is no NAME=DIR, whatever it is called."""
    named = _NAMED.fullmatch(argument)
    if named is None or Path(argument).is_dir():
        return None, Path(argument)
    return named[1], Path(named[2])


def _target(database: Engine, settings: Settings, argument: str) -> Target:
    name, folder = split(argument)
    return roots.resolve(database, settings, folder, name)
