"""A scan: walk, intake, and what is missing afterwards."""

from __future__ import annotations

import logging
import os
import threading

from tagtray.config import logs
from tagtray.config.logs import Throttle
from tagtray.config.outage import Outage, Stopped
from tagtray.db.ledger import Ledger
from tagtray.producer import missing
from tagtray.producer.intake import Intake
from tagtray.producer.missing import IdSet
from tagtray.producer.scope import Scope
from tagtray.producer.totals import Totals
from tagtray.producer.walk import Walk

log = logging.getLogger(__name__)


class Scanner:
    """Scans scopes and single folders of them; ``once`` keeps its warnings from being repeated."""

    def __init__(
        self, ledger: Ledger, intake: Intake, outage: Outage, once: Throttle, stop: threading.Event
    ) -> None:
        self._ledger = ledger
        self._intake = intake
        self._outage = outage
        self._once = once
        self._stop = stop
        self._mounts: dict[Scope, set[bytes]] = {}

    def scan(self, scope: Scope, totals: Totals) -> None:
        """Register everything of a scope and mark what is missing.

        A scope that is not there, or suddenly empty, keeps its results. Raises Stopped.
        """
        totals.begin_scan()
        scope.known = scope.identity()
        if scope.known is None:
            self._keep(scope, "is not there")
            return
        newest = self._outage.retry(self._ledger.newest_id)
        walk, seen = self._walk(scope, scope.below, totals)
        if scope.below in walk.blocked or not scope.is_same():
            self._keep(scope, "cannot be read just now")
        elif not walk.met and self._outage.retry(lambda: missing.has_rows(self._ledger, scope)):
            self._keep(scope, "is empty, though it was not")
        else:
            self._once.reset(scope)
            self._outage.retry(lambda: self._ledger.lift(scope.root.name))
            if scope not in self._mounts:
                self._intake.apply_limits(scope)
            known = self._mounts.setdefault(scope, set())
            known |= walk.mounts
            unknown = walk.blocked | (known - walk.mounts)
            self._mark_missing(scope, scope.below, seen, newest, unknown, totals)

    def scan_folder(self, scope: Scope, folder: bytes, totals: Totals) -> None:
        """Register what is in a folder that came, mark missing what was in one that went. Raises Stopped."""
        if not scope.is_same():
            return
        if os.path.lexists(os.path.join(scope.root.path, folder)):
            if scope.rules(folder)[0]:
                self._walk(scope, folder, totals)
        else:
            newest = self._outage.retry(self._ledger.newest_id)
            self._mark_missing(scope, folder, IdSet(), newest, set(), totals)

    def _walk(self, scope: Scope, start: bytes, totals: Totals) -> tuple[Walk, IdSet]:
        walk, seen = Walk(scope, start, totals, self._once), IdSet()
        for batch in walk.batches():
            seen.update(self._intake.take_scanned(scope, batch, totals))
            if self._stop.is_set():
                raise Stopped
        return walk, seen

    def _mark_missing(
        self, scope: Scope, below: bytes, seen: IdSet, newest: int, unknown: set[bytes], totals: Totals
    ) -> None:
        totals.missing += self._outage.retry(
            lambda: missing.mark_missing(self._ledger, scope, below, seen, newest, unknown)
        )

    def _keep(self, scope: Scope, why: str) -> None:
        if self._once.is_due(scope):
            sentence = "{folder} {why}; its results are kept."
            logs.event(log, logging.WARNING, "folder_kept", sentence, folder=scope.shown, why=why)
