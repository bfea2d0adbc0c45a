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
from tagtray.db.ledger import Ledger
from tagtray.db.places import holds, roots
from tagtray.db.places.following import Follower
from tagtray.db.places.roots import Target
from tagtray.db.reading import run_stats
from tagtray.producer import links, scope
from tagtray.producer.links import Followed
from tagtray.producer.producer import Producer
from tagtray.producer.totals import Totals

log = logging.getLogger(__name__)

_NAMED = re.compile(r"([^/=]*)=(.+)", re.DOTALL)


class Session:
    """The folders that the user named, on their way into the queue."""

    def __init__(self, settings: Settings, database: Engine, folders: Sequence[str]) -> None:
        self.settings = settings
        self.ledger = Ledger(database)
        self.started = run_stats.moment(database)
        self._feeder = feeding.feeder(settings, self.ledger)
        self._follower = Follower(database, settings)
        self._removed: Refused | None = None
        self._earlier = Totals()
        self._watch = False
        named = [_target(database, settings, folder) for folder in folders]
        self._take(named, self._followed(named))
        self._say([note for target in self.targets for note in target.notes])

    def start(self, watch: bool) -> None:
        """Begin to scan (and to watch) and to feed."""
        self._watch = watch
        self._feeder.start()
        self.producer.start(watch)

    def follow(self) -> None:
        """Go on under the roots that have the folders now; to be called again and again.

        Where none has any of them, that is a ``refusal``.
        """
        try:
            targets, notes = self._follower.follow(self.targets)
            if not notes:
                return
            named = [target for target in targets[: len(self._named)] if target]
            followed = self._followed(named)
        except InfrastructureError as error:
            log.debug("database_away: %s", error)
            self._follower = Follower(self.ledger.engine, self.settings)
            return
        self.producer.stop()
        self._earlier = self.progress
        self._earlier.begin_scan()
        self._take(named, followed)
        if named:
            self._say(notes)
            self.producer.start(self._watch)
        else:
            self._removed = Refused(" ".join(notes))

    @property
    def progress(self) -> Totals:
        """What was counted since the start, by the producers of former roots as well."""
        return Totals.of([self._earlier, self.producer.progress])

    def stop(self) -> None:
        """End after what is in hand."""
        self.producer.stop()
        self._feeder.stop()

    @property
    def refusal(self) -> Refused | None:
        """Why nothing more will come of it; None as long as there is hope."""
        return self._removed or self._feeder.refusal or self.producer.refusal

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

    def _followed(self, named: Sequence[Target]) -> Followed:
        """These folders, and where that is wanted what links in them lead to."""
        if self.settings.follow_links:
            return links.follow(self.ledger.engine, self.settings, named)
        return Followed(named, {})

    def _take(self, named: Sequence[Target], followed: Followed) -> None:
        self._named = named
        self.targets = [*followed.targets, *followed.single]
        self.producer = Producer(
            self.settings, self.ledger, self._feeder.notify, followed.targets, followed.single
        )

    def _say(self, notes: Sequence[str]) -> None:
        for note in notes:
            log.warning("root_changed: %s", note)

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
