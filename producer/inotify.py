"""watchdog's inotify observer, which also reports overflows and refused watches."""

from __future__ import annotations

import errno
from collections.abc import Callable

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
)
from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify import InotifyFullEmitter
from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchCallback,
    WatchDescriptor,
)

#: Events that are asked for. A folder that was removed was empty before: its files had events of their own.
EVENTS: list[type[FileSystemEvent]] = [
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    DirCreatedEvent,
    DirMovedEvent,
]


class ReportingInotify(InotifyFD):
    """Reports lost events, and watches that the kernel refused: watchdog ignores both."""

    def __init__(self, on_overflow: Callable[[], None]) -> None:
        super().__init__()
        self.name = "inotify"
        self._on_overflow = on_overflow
        #: Whether a folder is unwatched because the kernel's limit of watches is reached.
        self.is_exhausted = False

    def add_callback(
        self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId
    ) -> WatchDescriptor:
        """Watch ``path``. Raises OSError."""
        try:
            return super().add_callback(path, mask, callback, id_)
        except OSError as error:
            self.is_exhausted |= error.errno in (errno.ENOSPC, errno.ENOMEM)
            raise

    def _add_callback(
        self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId
    ) -> WatchDescriptor:
        # As in watchdog 7.1, without its warning on standard error: a new folder that is met twice, by its
        # own event and in its parent's listing, is no fault.
        watch = self._get_or_create_watch(path, mask)
        watch.callbacks[id_] = callback
        return watch.wd

    def handle_event(self, event: InotifyEvent) -> None:
        """Pass an event on; after an overflow the watches are rebuilt before it is reported."""
        super().handle_event(event)
        if event.is_queue_overflow:
            self._on_overflow()


class Observer(BaseObserver):
    """An observer that owns its inotify instance and distinguishes moves from new files."""

    def __init__(self, inotify: ReportingInotify) -> None:
        super().__init__(InotifyFullEmitter, inotify_fd=inotify)
        self.name = "watch"
        self._inotify_fd = inotify
        inotify.start()

    @property
    def is_exhausted(self) -> bool:
        """Whether there are folders that the kernel's limit keeps from being watched."""
        return self._inotify_fd.is_exhausted

    @property
    def is_listening(self) -> bool:
        """Whether the threads that events pass through are alive."""
        return self.is_alive() and self._inotify_fd.is_alive()

    def on_thread_stop(self) -> None:
        """Release the kernel's instance with its watches."""
        super().on_thread_stop()
        self._inotify_fd.stop()
        self._inotify_fd.join()
