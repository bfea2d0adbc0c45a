"""What events named, until it is taken up: sets, so that a storm of events stays small."""

from __future__ import annotations

import threading

from tagtray.producer.scope import Scope

#: Files that wait for the intake before they are forgotten in favour of a whole scan.
MAX_FILES = 200_000


class Inbox:
    """Files and folders that something happened to; filled by event threads, which must not wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[tuple[Scope, bytes], bool] = {}
        self._folders: set[tuple[Scope, bytes]] = set()
        self._all = False
        #: Set until the files that came are done.
        self.files_came = threading.Event()
        #: Set until the folders that came are scanned.
        self.folders_came = threading.Event()

    def add_file(self, scope: Scope, path: bytes, closed: bool) -> None:
        """Something happened to a file; ``closed``: it was closed after writing or moved into place."""
        with self._lock:
            if len(self._files) >= MAX_FILES:
                self._files.clear()
                self._ask_for_all()
            self._files[scope, path] = closed or self._files.get((scope, path), False)
            self.files_came.set()

    def add_folder(self, scope: Scope, path: bytes) -> None:
        """A folder came, or went with all that was in it."""
        with self._lock:
            self._folders.add((scope, path))
            self.folders_came.set()

    def request_full_scan(self) -> None:
        """Have everything scanned: events were lost."""
        with self._lock:
            self._ask_for_all()

    def wake(self) -> None:
        """Have both loops look at once at what else there is to do."""
        self.files_came.set()
        self.folders_came.set()

    def take_files(self, limit: int) -> dict[Scope, dict[bytes, bool]]:
        """Up to ``limit`` files in order of arrival, by scope."""
        taken: dict[Scope, dict[bytes, bool]] = {}
        with self._lock:
            for key in list(self._files)[:limit]:
                scope, path = key
                taken.setdefault(scope, {})[path] = self._files.pop(key)
        return taken

    def finish_files(self) -> None:
        """The files that were taken are done."""
        with self._lock:
            if not self._files:
                self.files_came.clear()

    def finish_folders(self) -> None:
        """The folders that were taken are done."""
        with self._lock:
            if not self._folders and not self._all:
                self.folders_came.clear()

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
        self.folders_came.set()
