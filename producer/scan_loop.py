"""The loop of the scan thread: the first scan, rescans, polling, folders that events named."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Mapping

from tagtray.config import logs, outage
from tagtray.config.errors import RootGone
from tagtray.config.outage import Stopped
from tagtray.config.settings import Settings
from tagtray.producer.inbox import Inbox
from tagtray.producer.scan import Scanner
from tagtray.producer.scope import Scope
from tagtray.producer.totals import Totals
from tagtray.producer.watch import POLL, Watch

#: Seconds between checks that the watched folders are still the same.
TURN = 1.0
#: Part of the time that the scans of a polled folder may take.
SHARE = 0.1

log = logging.getLogger(__name__)


class ScanLoop:
    """Scans each scope when it is due; once if ``watch`` is None."""

    def __init__(
        self,
        settings: Settings,
        scanner: Scanner,
        watch: Watch | None,
        inbox: Inbox,
        totals: Mapping[Scope, Totals],
        stop: threading.Event,
    ) -> None:
        self._rescan = settings.rescan * 60
        self._scanner = scanner
        self._watch = watch
        self._inbox = inbox
        self._totals = totals
        self._stop = stop
        self._due = dict.fromkeys(totals, 0.0)
        #: Set after the first scan of everything.
        self.scanned = threading.Event()
        #: Turns that were finished.
        self.turns = 0

    def run(self) -> None:
        """Run until everything was scanned once, or until the stop where there is a watch."""
        while not self._stop.is_set():
            try:
                self._turn()
                self.turns += 1
                if self._watch is None:
                    return
            except (Stopped, RootGone):
                return
            except Exception:
                sentence = "an unexpected error; the producer goes on."
                logs.event(log, logging.ERROR, "scan_failed", sentence, exc_info=True)
                if self._watch is not None:
                    self._inbox.request_full_scan()
                self._stop.wait(outage.BACKOFF)

    def _turn(self) -> None:
        for scope in self._totals:
            # Watched first and scanned then: nothing can come between.
            if self._watch is not None and self._watch.renew(scope):
                self._due[scope] = 0.0
            if time.monotonic() >= self._due[scope]:
                self._scan(scope)
        self.scanned.set()
        if self._watch is not None:
            self._inbox.finish_folders()
            self._inbox.has_folders.wait(TURN)
            self._scan_named()

    def _scan(self, scope: Scope) -> None:
        started = time.monotonic()
        # Set first: a scan that fails for an unknown reason is not begun again at once.
        self._due[scope] = math.inf if self._watch is None else started + self._rescan
        self._scanner.scan(scope, self._totals[scope])
        ended = time.monotonic()
        if self._watch is not None and self._watch.is_polled(scope):
            self._due[scope] = ended + max(POLL, (ended - started) * (1 - SHARE) / SHARE)

    def _scan_named(self) -> None:
        folders, everything = self._inbox.take_folders()
        for scope, folder in folders:
            self._scanner.scan_folder(scope, folder, self._totals[scope])
        if everything:
            self._due = dict.fromkeys(self._due, 0.0)
