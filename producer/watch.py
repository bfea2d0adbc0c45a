"""The watch: kernel events go into the inbox; where there are none, the folder is polled."""

from __future__ import annotations

import errno
import logging
import os

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import ObservedWatch

from tagtray.config import logs
from tagtray.config.settings import Settings
from tagtray.imaging import filenames, mounts
from tagtray.producer import ignore
from tagtray.producer.inbox import Inbox
from tagtray.producer.inotify import EVENTS, Observer, ReportingInotify
from tagtray.producer.scope import NO_MEDIA, Identity, Scope

#: Seconds between scans of a polled folder, at least.
POLL = 2.0

_LIMITS = {errno.ENOSPC: "max_user_watches", errno.EMFILE: "max_user_instances"}

log = logging.getLogger(__name__)


class Watch:
    """Chooses kernel events or polling for each scope, and renews watches lost to a remount."""

    def __init__(self, settings: Settings, inbox: Inbox) -> None:
        self._poll = settings.poll
        self._inbox = inbox
        self._observer: Observer | None = None
        self._watched: dict[Scope, tuple[Identity, ObservedWatch]] = {}
        self._polled: set[Scope] = set()
        self._begun: set[Scope] = set()

    def is_polled(self, scope: Scope) -> bool:
        """Whether the scope has to be scanned again and again."""
        return scope in self._polled

    def renew(self, scope: Scope) -> bool:
        """Watch a scope that is not watched yet or any more; True if that changed: it needs a scan now.

        Single files are left to the rescans: their folder may be a large one.
        """
        if scope.only is not None:
            return False
        if self._observer is not None and self._observer.is_exhausted:
            self._give_up(errno.ENOSPC)
        elif self._observer is not None and not self._observer.is_listening:
            sentence = "the thread that reads kernel events ended; it is started again."
            logs.event(log, logging.ERROR, "watch_lost", sentence)
            self.close()
        identity = scope.identity()
        if scope not in self._polled and not self._is_watched(scope, identity):
            self._forget(scope)
            if identity is not None:
                self._begin(scope, identity)
        needs_scan = scope in self._begun
        self._begun.discard(scope)
        return needs_scan

    def close(self) -> None:
        """Stop listening."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None
        self._watched.clear()

    def _blindness(self, scope: Scope) -> str | None:
        if self._poll:
            return "TAGTRAY_POLL is set"
        kind = mounts.network_type(scope.folder)
        return f"it is on {kind}, where the kernel does not hear of others' changes" if kind else None

    def _begin(self, scope: Scope, identity: Identity) -> None:
        if reason := self._blindness(scope):
            self._poll_instead(scope, reason, logging.INFO)
        else:
            self._open(scope, identity)
        self._begun.add(scope)

    def _open(self, scope: Scope, identity: Identity) -> None:
        try:
            if self._observer is None:
                self._observer = Observer(ReportingInotify(self._inbox.request_full_scan))
                self._observer.start()
            watch = self._observer.schedule(
                Handler(scope, self._inbox), os.fsdecode(scope.folder), recursive=True, event_filter=EVENTS
            )
        except OSError as error:
            self._poll_instead(scope, _sentence(error.errno), logging.WARNING)
        else:
            self._watched[scope] = identity, watch

    def _give_up(self, number: int) -> None:
        watched = list(self._watched)
        self.close()
        for scope in watched:
            self._poll_instead(scope, _sentence(number), logging.WARNING)
        self._begun.update(watched)

    def _poll_instead(self, scope: Scope, reason: str, level: int) -> None:
        self._polled.add(scope)
        sentence = "{folder} is polled every {seconds:g} s: {reason}."
        logs.event(log, level, "folder_polled", sentence, folder=scope.shown, seconds=POLL, reason=reason)

    def _is_watched(self, scope: Scope, identity: Identity | None) -> bool:
        known, watch = self._watched.get(scope, (None, None))
        if self._observer is None or watch is None or known != identity:
            return False
        # An emitter ends with its folder, whose inode number a new folder may get.
        return any(emitter.watch is watch and emitter.is_alive() for emitter in self._observer.emitters)

    def _forget(self, scope: Scope) -> None:
        _, watch = self._watched.pop(scope, (None, None))
        if self._observer is not None and watch is not None:
            self._observer.unschedule(watch)


class Handler(FileSystemEventHandler):
    """Puts the paths of events into the inbox; called in watchdog's thread, which must not block."""

    def __init__(self, scope: Scope, inbox: Inbox) -> None:
        self._scope = scope
        self._inbox = inbox

    def dispatch(self, event: FileSystemEvent) -> None:
        """Sort an event; a rename is complete, a new name may still be written to."""
        places = [(event.src_path, isinstance(event, FileClosedEvent))]
        places.append((event.dest_path, isinstance(event, FileMovedEvent)))
        for place, closed in places:
            path = self._scope.relative(os.fsencode(place)) if place else None
            if path is None:
                continue
            if isinstance(event, DirCreatedEvent | DirMovedEvent):
                self._inbox.add_folder(self._scope, path)
            else:
                self._sort(path, closed)

    def _sort(self, path: bytes, closed: bool) -> None:
        name = os.path.basename(path)
        if name in (ignore.NAME, NO_MEDIA):
            # What is known below it may be unwanted now, or wanted again: a whole scan judges that.
            self._inbox.request_full_scan()
        elif filenames.classify_name(name) is filenames.Kind.REGISTER:
            self._inbox.add_file(self._scope, path, closed)


def _sentence(number: int | None) -> str:
    if number in _LIMITS:
        return f"the kernel's limit is reached (raise it with sysctl fs.inotify.{_LIMITS[number]})"
    return f"the kernel gives no events ({os.strerror(number or 0)})"
