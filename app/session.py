"""Producer and feeder of one command: what `run`, `scan` and `watch` have in common."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import Engine

from tagtray.app import feeding
from tagtray.config.errors import InfrastructureError, Refused, UsageError
from tagtray.config.settings import Settings
from tagtray.db import holds, roots, run_stats
from tagtray.db.ledger import Ledger
from tagtray.db.roots import Target
from tagtray.producer import links, scope
from tagtray.producer.links import Followed
from tagtray.producer.producer import Producer

log = logging.getLogger(__name__)

_NAMED = re.compile(r"([^/=]*)=(.+)", re.DOTALL)


class Session:
    """The folders that the user named, on their way into the queue."""

    def __init__(self, settings: Settings, database: Engine, folders: Sequence[str]) -> None:
        self.settings = settings
        self.ledger = Ledger(database)
        targets = [_target(database, settings, folder) for folder in folders]
        followed = Followed(targets, {})
        if settings.follow_links:
            followed = links.follow(database, settings, targets)
        self.targets = [*followed.targets, *followed.single]
        for note in (note for target in self.targets for note in target.notes):
            log.warning("root_changed: %s", note)
        self.started = run_stats.moment(database)
        self._feeder = feeding.feeder(settings, self.ledger)
        self.producer = Producer(
            settings, self.ledger, self._feeder.notify, followed.targets, followed.single
        )

    def start(self, watch: bool) -> None:
        """Begin to scan (and to watch) and to feed."""
        self._feeder.start()
        self.producer.start(watch)

    def stop(self) -> None:
        """End after what is in hand."""
        self.producer.stop()
        self._feeder.stop()

    @property
    def refusal(self) -> Refused | None:
        """Why nothing more will come of it; None as long as there is hope."""
        return self._feeder.refusal or self.producer.refusal

    def refuse_paused(self) -> None:
        """Raise UsageError where a folder's root is paused: nothing of it would ever be done."""
        names = {target.root.name for target in self.targets}
        paused = [hold.root for hold in holds.held(self.ledger.engine) if hold.paused and hold.root in names]
        if paused:
            listed, verb = ", ".join(paused), "is" if len(paused) == 1 else "are"
            raise UsageError(f"{listed} {verb} paused; `tagtray resume {' '.join(paused)}` ends that.")

    def active(self) -> int | None:
        """Images of the folders that are on their way; None while the database is away."""
        # In this order: one that is brought back meanwhile counts twice rather than not at all.
        stale = 0 if self._feeder.settled else self._count(run_stats.stale_images)
        active = self._count(run_stats.active)
        return None if stale is None or active is None else stale + active

    def unqueued(self) -> int | None:
        """Images of the folders that are not in the queue yet; None while the database is away."""
        return self._count(run_stats.unqueued)

    def _count(self, count: Callable[[Engine, Sequence[Target]], int]) -> int | None:
        try:
            return count(self.ledger.engine, self.targets)
        except InfrastructureError as error:
            log.debug("database_away: %s", error)
            return None


def check_folders(settings: Settings, arguments: Sequence[str]) -> None:
    """Raise UsageError unless every folder is one that can be listed, and not tagtray's own."""
    for argument in arguments:
        folder = split(argument)[1]
        scope.check(folder)
        scope.refuse_home(settings, os.fsencode(folder))


def split(argument: str) -> tuple[str | None, Path]:
    """``[NAME=]DIR``; what exists as a folder is no NAME=DIR, whatever it is called."""
    named = _NAMED.fullmatch(argument)
    if named is None or Path(argument).is_dir():
        return None, Path(argument)
    return named[1], Path(named[2])


def _target(database: Engine, settings: Settings, argument: str) -> Target:
    name, folder = split(argument)
    return roots.resolve(database, settings, folder, name)
