"""Intake: files become rows, in bulk; what may still be being written waits."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.db.records import SeenFile
from tagtray.producer import files, stability
from tagtray.producer.files import FoundFile
from tagtray.producer.ignore import Rules
from tagtray.producer.patience import Patience
from tagtray.producer.scope import Scope
from tagtray.producer.totals import Totals
from tagtray.producer.waiting import Candidate, Waiting

#: Files that are taken up at once: bounds the size of a statement.
BATCH = 1_000


class Intake:
    """Registers files and tells the feeder; waits for the database, however long it is away."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        notify: Callable[[], None],
        waiting: Waiting,
        patience: Patience,
    ) -> None:
        self._stable = settings.stable
        self._settle = max(settings.stable, settings.settle)
        self._ledger = ledger
        self._notify = notify
        self._waiting = waiting
        self._patience = patience

    def take(self, scope: Scope, found: Sequence[FoundFile], totals: Totals) -> list[int]:
        """Files of a scan; the ids of those that had a row. Old files are taken by their stat alone."""
        now = time.time_ns()
        old: list[FoundFile] = []
        young: list[Candidate] = []
        for file in found:
            if file.age(now) < self._settle:
                young.append(self._candidate(scope, file))
            else:
                old.append(file)
        return self._register(scope, old, totals) + self.judge(scope, young, totals)

    def judge(self, scope: Scope, candidates: Sequence[Candidate], totals: Totals) -> list[int]:
        """Register those that are complete, let the others wait; the ids of those that had a row."""
        if not candidates:
            return []
        names = [candidate.found.path for candidate in candidates]
        known = self._patience.insist(lambda: self._ledger.lookup(scope.root.id, names))
        ready = []
        for candidate in candidates:
            row = known.get(candidate.found.path)
            if row is not None and not row.differs(candidate.found):
                totals.unchanged += 1
                self._waiting.discard(candidate.key)
            elif seconds := self._verdict(candidate):
                self._waiting.put(candidate, seconds)
            else:
                ready.append(candidate)
        self._register(scope, [candidate.found for candidate in ready], totals)
        for candidate in ready:
            self._waiting.discard(candidate.key)
        return [row.id for row in known.values()]

    def look(self, scope: Scope, paths: dict[bytes, bool], totals: Totals) -> None:
        """Files that something happened to; the value says whether they were closed or moved into place."""
        candidates, gone = [], []
        entered: dict[bytes, tuple[bool, Rules | None]] = {}
        for path, closed in paths.items():
            found = _look(scope, path)
            if found is None:
                self._waiting.discard((scope.root.id, path))
                gone.append(path)
                continue
            folder = os.path.dirname(path)
            if folder not in entered:
                entered[folder] = scope.rules(folder)
            enters, rules = entered[folder]
            if enters and scope.admits(path, rules):
                candidates.append(self._candidate(scope, found, closed))
        self.judge(scope, candidates, totals)
        self._miss(scope, gone, totals)

    def settle(self, totals: Totals) -> None:
        """Look again at the files whose time to wait is over."""
        due = self._waiting.due(BATCH)
        try:
            for scope in {candidate.scope for candidate in due}:
                paths = {c.found.path: False for c in due if c.scope is scope}
                self.look(scope, paths, totals)
        except Exception:
            for candidate in due:
                self._waiting.put(candidate, self._stable)
            raise

    def _verdict(self, candidate: Candidate) -> float:
        return stability.verdict(
            candidate.found.size_bytes,
            candidate.age(),
            candidate.closed,
            candidate.has_end,
            self._stable,
            self._settle,
        )

    def _candidate(self, scope: Scope, found: FoundFile, closed: bool = False) -> Candidate:
        earlier = self._waiting.get((scope.root.id, found.path))
        if earlier is not None:
            return earlier.renewed(found, closed)
        return Candidate(scope, found, closed, time.monotonic())

    def _register(self, scope: Scope, found: Sequence[SeenFile], totals: Totals) -> list[int]:
        if not found:
            return []
        result = self._patience.insist(lambda: self._ledger.register(scope.root.id, found))
        totals.new += result.new
        totals.changed += result.changed
        totals.unchanged += result.unchanged
        if result.new or result.changed:
            self._notify()
        return list(result.ids)

    def _miss(self, scope: Scope, paths: Sequence[bytes], totals: Totals) -> None:
        gone = [path for path in paths if files.is_gone(scope.root.path, path)]
        if not gone or not scope.is_same():
            return
        known = self._patience.insist(lambda: self._ledger.lookup(scope.root.id, gone))
        ids = [row.id for row in known.values()]
        totals.missing += self._patience.insist(lambda: self._ledger.mark_missing(ids))


def _look(scope: Scope, path: bytes) -> FoundFile | None:
    try:
        return files.look(scope.root.path, path)
    except OSError:
        return None
