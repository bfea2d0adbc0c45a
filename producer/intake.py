"""Intake: files become rows, in bulk; those that may still be written to wait until they settle."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Collection, Sequence

from tagtray.config.limits import Limits
from tagtray.config.outage import Outage
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.db.records import SeenFile
from tagtray.producer import files
from tagtray.producer.files import FoundFile
from tagtray.producer.ignore import Rules
from tagtray.producer.scope import Scope
from tagtray.producer.settling import Candidate, Settling
from tagtray.producer.totals import Totals

#: Files that are taken up at once: bounds the size of a statement.
BATCH = 1_000


class Intake:
    """Registers files and tells the feeder; waits for the database, however long it is away."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        notify: Callable[[], None],
        settling: Settling,
        outage: Outage,
    ) -> None:
        self._stable = settings.stable
        self._settle = max(settings.stable, settings.settle)
        self._limits = Limits(settings.max_bytes, settings.max_pixels, settings.exact)
        self._ledger = ledger
        self._notify = notify
        self._settling = settling
        self._outage = outage

    def take_scanned(self, scope: Scope, found: Sequence[FoundFile], totals: Totals) -> list[int]:
        """Take up files of a scan, old ones by their stat alone; return the ids of those that had a row."""
        now = time.time_ns()
        old: list[FoundFile] = []
        young: list[Candidate] = []
        for file in found:
            if file.age(now) < self._settle:
                young.append(self._candidate(scope, file))
            else:
                old.append(file)
        return self._register(scope, old, totals) + self._take(scope, young, totals)

    def apply_limits(self, scope: Scope) -> None:
        """Judge what is known of a scope by the limits of this process."""
        work = functools.partial(self._ledger.apply_limits, scope.root.id, scope.below, self._limits)
        if self._outage.retry(work):
            self._notify()

    def take_named(self, scope: Scope, paths: dict[bytes, bool], totals: Totals) -> None:
        """Take up files that events named; the value tells whether one was closed or moved into place.

        Such a one is read again, even where its stat is what it was: clocks of file systems are coarse.
        """
        candidates, gone = [], []
        entered: dict[bytes, tuple[bool, Rules | None]] = {}
        for path, closed in paths.items():
            found = _find(scope, path)
            if found is None:
                self._settling.discard((scope.root.id, path))
                gone.append(path)
                continue
            folder = os.path.dirname(path)
            if folder not in entered:
                entered[folder] = scope.rules(folder)
            if scope.admits(path, entered[folder]):
                candidates.append(self._candidate(scope, found, closed))
        self._take(scope, candidates, totals)
        self._mark_missing(scope, gone, totals)

    def take_settling(self, totals: Totals) -> None:
        """Look again at the files whose time to wait is over."""
        due = self._settling.due(BATCH)
        try:
            for scope in {candidate.scope for candidate in due}:
                paths = {c.found.path: False for c in due if c.scope is scope}
                self.take_named(scope, paths, totals)
        except Exception:
            for candidate in due:
                self._settling.put(candidate, self._stable)
            raise

    def _take(self, scope: Scope, candidates: Sequence[Candidate], totals: Totals) -> list[int]:
        """Register those that are complete, let the others settle; the ids of those that had a row."""
        if not candidates:
            return []
        names = [candidate.found.path for candidate in candidates]
        known = self._outage.retry(lambda: self._ledger.lookup(scope.root.id, names))
        complete = []
        for candidate in candidates:
            row = known.get(candidate.found.path)
            if row is not None and not (row.differs(candidate.found) or (candidate.closed and row.was_read)):
                totals.unchanged += 1
                self._settling.discard(candidate.key)
            elif seconds := candidate.delay(self._stable, self._settle):
                self._settling.put(candidate, seconds)
            else:
                complete.append(candidate)
        again = {c.found.path for c in complete if c.closed and c.found.path in known}
        self._register(scope, [candidate.found for candidate in complete], totals, again)
        for candidate in complete:
            self._settling.discard(candidate.key)
        return [row.id for row in known.values()]

    def _candidate(self, scope: Scope, found: FoundFile, closed: bool = False) -> Candidate:
        earlier = self._settling.get((scope.root.id, found.path))
        if earlier is not None:
            return earlier.updated(found, closed)
        return Candidate(scope, found, closed, time.monotonic())

    def _register(
        self, scope: Scope, found: Sequence[SeenFile], totals: Totals, again: Collection[bytes] = ()
    ) -> list[int]:
        if not found:
            return []
        result = self._outage.retry(lambda: self._ledger.register(scope.root.id, found, again))
        totals.new += result.new
        totals.changed += result.changed
        totals.unchanged += result.unchanged
        if result.new or result.changed:
            self._notify()
        return list(result.ids.values())

    def _mark_missing(self, scope: Scope, paths: Sequence[bytes], totals: Totals) -> None:
        gone = [path for path in paths if files.is_gone(scope.root.path, path)]
        if not gone or not scope.is_same():
            return
        known = self._outage.retry(lambda: self._ledger.lookup(scope.root.id, gone))
        ids = [row.id for row in known.values()]
        totals.missing += self._outage.retry(lambda: self._ledger.mark_missing(ids))


def _find(scope: Scope, path: bytes) -> FoundFile | None:
    try:
        return files.find(scope.root.path, path)
    except OSError:
        return None
