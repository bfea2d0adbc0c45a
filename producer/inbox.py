"""Files and folders named by events, until they are processed: sets, so that an event storm stays small."""

from __future__ import annotations

import threading

from tagtray.producer.scope import Scope

#: Files that wait for the intake before they are forgotten in favour of a whole scan.
MAX_FILES = 200_000


class Inbox:
    """Files and folders that changed; filled by event threads, which must not block."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[tuple[Scope, bytes], bool] = {}
        self._folders: set[tuple[Scope, bytes]] = set()
        self._all = False
        #: Set while there are files to process.
        self.has_files = threading.Event()
        #: Set while there are folders to scan.
        self.has_folders = threading.Event()

    def add_file(self, scope: Scope, path: bytes, closed: bool) -> None:
        """Add a file that changed; ``closed``: it was closed after writing or moved into place."""
        with self._lock:
            if len(self._files) >= MAX_FILES:
                self._files.clear()
                self._ask_for_all()
            self._files[scope, path] = closed or self._files.get((scope, path), False)
            self.has_files.set()

    def add_folder(self, scope: Scope, path: bytes) -> None:
        """Add a folder that appeared, or vanished with its contents."""
        with self._lock:
            self._folders.add((scope, path))
            self.has_folders.set()

    def request_full_scan(self) -> None:
        """Ask for a scan of everything: events were lost."""
        with self._lock:
            self._ask_for_all()

    def wake(self) -> None:
        """Wake both loops."""
        self.has_files.set()
        self.has_folders.set()

    def take_files(self, limit: int) -> dict[Scope, dict[bytes, bool]]:
        """Up to ``limit`` files in order of arrival, by scope."""
        taken: dict[Scope, dict[bytes, bool]] = {}
        with self._lock:
            for key in list(self._files)[:limit]:
                scope, path = key
                taken.setdefault(scope, {})[path] = self._files.pop(key)
        return taken

    def finish_files(self) -> None:
        """Mark the files that were taken as done."""
        with self._lock:
            if not self._files:
                self.has_files.clear()

    def finish_folders(self) -> None:
        """Mark the folders that were taken as done."""
        with self._lock:
            if not self._folders and not self._all:
                self.has_folders.clear()

    def take_folders(self) -> tuple[list[tuple[Scope, bytes]], bool]:
        """The folders to scan, outermost only, and whether everything has to be scanned."""
        with self._lock:
            folders, everything = self._folders, self._all
            self._folders, self._all = set(), False
        chosen: list[tuple[Scope, bytes]] = []
        for scope, path in sorted(folders, key=lambda folder: len(folder[1])):
            if not any(other is scope and path.startswith(outer + b"/") for other, outer in chosen):
                chosen.append((scope, path))
        return ([] if everything else chosen), everything

    def _ask_for_all(self) -> None:
        self._all = True
        self.has_folders.set()
