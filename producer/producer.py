"""The producer: scans and watches folders, and registers what it finds in the ledger."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from tagtray.config import logs, outage
from tagtray.config.errors import Refused, RootGone
from tagtray.config.logs import Throttle
from tagtray.config.outage import Outage, Stopped
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.db.places.roots import Target
from tagtray.producer import intake
from tagtray.producer.inbox import Inbox
from tagtray.producer.intake import Intake
from tagtray.producer.scan import Scanner
from tagtray.producer.scan_loop import ScanLoop
from tagtray.producer.scope import Scope, outermost
from tagtray.producer.settling import Settling, Waiting
from tagtray.producer.totals import Totals
from tagtray.producer.watch import Watch

#: Seconds of a turn at most: how late a settling file or a stop request may be noticed.
TURN = 0.5

log = logging.getLogger(__name__)


class Producer:
    """Keeps the ledger in step with ``targets``, and with ``single`` files (names in the root) of others.

    ``notify`` is called when images were registered.

    Either ``scan()`` once in the caller's thread, or ``start()`` ... ``stop()`` in threads of its own. It
    outlives outages of the database and errors that nobody expected, but not its roots: where one is no more
    its threads end, and another producer has to follow.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        notify: Callable[[], None],
        targets: Sequence[Target],
        single: Mapping[Target, frozenset[bytes]] = MappingProxyType({}),
    ) -> None:
        self._scopes = [Scope(target, settings) for target in outermost(targets)]
        self._scopes += [Scope(target, settings, names) for target, names in single.items()]
        self._totals = {scope: Totals() for scope in self._scopes}
        # Each thread counts for itself.
        self._events = Totals()
        self._stop = threading.Event()
        self._settings = settings
        self._settling = Settling()
        self._inbox = Inbox()
        self._outage = Outage(log, "producer_waits", self._stop.wait)
        self._intake = Intake(settings, ledger, notify, self._settling, self._outage)
        self._scanner = Scanner(ledger, self._intake, self._outage, Throttle(math.inf), self._stop)
        self._scans: ScanLoop | None = None
        self._turns = 0
        self._watch: Watch | None = None
        self._threads: list[threading.Thread] = []

    @property
    def progress(self) -> Totals:
        """What was counted so far."""
        return Totals.of([*self._totals.values(), self._events])

    @property
    def refusal(self) -> Refused | None:
        """Why it goes on no more; None as long as there is hope."""
        return self._outage.refusal

    @property
    def waiting(self) -> Waiting:
        """Files that may still be written to."""
        return self._settling.waiting(self._settings.stable, self._settings.settle)

    @property
    def idle(self) -> bool:
        """Whether the first scan is done and nothing is left to process."""
        came = self._inbox.has_files.is_set() or self._inbox.has_folders.is_set()
        return self._scans is not None and self._scans.scanned.is_set() and not came and not self._settling

    @property
    def turns(self) -> int:
        """How many turns both threads have finished."""
        return min(self._turns, self._scans.turns if self._scans else 0)

    def scan(self) -> Totals:
        """Scan all targets and wait for the files that are still being written; what was counted.

        Raises RootGone.
        """
        try:
            for scope in self._scopes:
                self._scanner.scan(scope, self._totals[scope])
            while self._settling and not self._stop.is_set():
                self._turn()
        except Stopped:
            pass
        return self.progress

    def start(self, watch: bool) -> None:
        """Scan in the background; with ``watch`` go on with events and rescans until ``stop``."""
        self._watch = Watch(self._settings, self._inbox) if watch else None
        self._scans = ScanLoop(
            self._settings, self._scanner, self._watch, self._inbox, self._totals, self._stop
        )
        for name, work in (("scan", self._scans.run), ("intake", self._intake_loop)):
            thread = threading.Thread(target=work, name=f"producer-{name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Stop after the batches in hand."""
        self._stop.set()
        self._inbox.wake()
        for thread in self._threads:
            thread.join()
        if self._watch is not None:
            self._watch.close()

    def _intake_loop(self) -> None:
        while not self._stop.is_set():
            try:
                self._turn()
            except (Stopped, RootGone):
                return
            except Exception:
                sentence = "an unexpected error; the producer goes on."
                logs.event(log, logging.ERROR, "intake_failed", sentence, exc_info=True)
                if self._watch is not None:
                    self._inbox.request_full_scan()
                self._stop.wait(outage.BACKOFF)

    def _turn(self) -> None:
        seconds = self._settling.next_in()
        self._inbox.has_files.wait(TURN if seconds is None else min(seconds, TURN))
        for scope, paths in self._inbox.take_files(intake.BATCH).items():
            self._intake.take_named(scope, paths, self._events)
        self._inbox.finish_files()
        self._intake.take_settling(self._events)
        self._turns += 1
