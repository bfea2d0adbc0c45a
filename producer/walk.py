"""The walk: every file below a folder as a stream of batches, never the whole tree in memory."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections.abc import Iterable, Iterator

from tagtray.config import logs
from tagtray.config.logs import Throttle
from tagtray.config.text import shown
from tagtray.imaging import filenames
from tagtray.imaging.filenames import Kind
from tagtray.producer import files, ignore
from tagtray.producer.files import FoundFile
from tagtray.producer.scope import Scope
from tagtray.producer.totals import Totals

#: Files per batch: enough for bulk statements, few enough for short transactions.
BATCH = 1_000

_GROUPS = {
    extension: group
    for group, extensions in {
        "text": filenames.TEXT,
        "video": filenames.VIDEO,
        "audio": filenames.AUDIO,
        "archive": filenames.ARCHIVE,
        "sidecar": filenames.SIDECAR,
    }.items()
    for extension in extensions
}


log = logging.getLogger(__name__)


class Walk:
    """One pass over the folder ``start`` (relative to the root) of a scope.

    A folder that cannot be listed is counted, logged (once, by ``once``) and left out; the walk goes on.
    """

    def __init__(self, scope: Scope, start: bytes, totals: Totals, once: Throttle) -> None:
        self._scope = scope
        self._root = scope.root.path
        self._start = start
        self._totals = totals
        self._once = once
        identity = scope.identity()
        self._device = identity[0] if identity else 0
        #: Folders that could not be listed: nothing is known about what lies below them.
        self.blocked: set[bytes] = set()
        #: Folders on another file system than the target.
        self.mounts: set[bytes] = set()
        #: Folders and files outside of the root that links lead to.
        self.outside: set[bytes] = set()
        #: Files and left out folders that were met and are not hidden; 0 may be an unmounted disk.
        self.met = 0

    def batches(self) -> Iterator[list[FoundFile]]:
        """The files whose names may be images, ``BATCH`` at a time; links to folders are not followed."""
        batch: list[FoundFile] = []
        for found in self._files():
            batch.append(found)
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def _files(self) -> Iterator[FoundFile]:
        return self._below() if self._scope.only is None else self._named(self._scope.only)

    def _named(self, names: Iterable[bytes]) -> Iterator[FoundFile]:
        """Those files alone, where they are there."""
        self.met += os.path.isdir(self._scope.folder)
        for path in sorted(names):
            with contextlib.suppress(OSError):
                if found := files.find(self._root, path):
                    self._totals.seen += 1
                    yield found

    def _below(self) -> Iterator[FoundFile]:
        pending = [(self._start, ignore.read_chain(self._root, self._start))]
        while pending:
            folder, outer = pending.pop()
            rules = ignore.read(self._root, folder, outer)
            prefix = folder + b"/" if folder else b""
            try:
                with os.scandir(os.path.join(self._root, folder)) as entries:
                    for entry in entries:
                        path = prefix + entry.name
                        if entry.is_dir(follow_symlinks=False):
                            if self._enters(entry, path, rules):
                                pending.append((path, rules))
                        elif found := self._found(entry, path, rules):
                            yield found
            except OSError as error:
                self._block(folder, error)

    def _enters(self, entry: os.DirEntry[bytes], path: bytes, rules: ignore.Rules | None) -> bool:
        if not self._scope.enters(path, rules):
            self._totals.ignored += 1
            self._totals.caches += self._scope.is_cache(path)
            self.met += not filenames.is_ignored_dir(entry.name)
            return False
        with contextlib.suppress(OSError):
            if entry.stat(follow_symlinks=False).st_dev != self._device:
                self.mounts.add(path)
        return True

    def _found(self, entry: os.DirEntry[bytes], path: bytes, rules: ignore.Rules | None) -> FoundFile | None:
        kind = self._scope.kind(path, rules)
        if kind is Kind.SKIP:
            self.met += 1
            self._totals.skipped[_GROUPS[entry.name.lower().rpartition(b".")[2]]] += 1
            return None
        found = None
        if kind is Kind.REGISTER:
            try:
                found = files.from_stat(self._root, path, entry.stat(follow_symlinks=False))
            except OSError as error:
                if error.errno == errno.ENAMETOOLONG:
                    self._block(path, error)
                return None  # deleted meanwhile, or a mount that fails: the next scan sees
        # One that a rule leaves out is there all the same; a hidden one may mark a disk that is not.
        self.met += found is not None or filenames.classify_name(entry.name) is Kind.REGISTER
        if found is None:
            self._leave_out(entry, path, kind)
            return None
        self._totals.seen += 1
        return found

    def _leave_out(self, entry: os.DirEntry[bytes], path: bytes, kind: Kind) -> None:
        is_link = kind is Kind.REGISTER and entry.is_symlink()
        if is_link and (outside := files.leads_to(self._root, path)):
            self.outside.add(outside)
            self._totals.links += 1
        else:
            self._totals.ignored += 1

    def _block(self, folder: bytes, error: OSError) -> None:
        if isinstance(error, FileNotFoundError | NotADirectoryError) and folder != self._start:
            return  # deleted meanwhile
        self.blocked.add(folder)
        self._totals.unreadable += 1
        if self._once.is_due((self._scope.root.id, folder)):
            where = shown(os.path.join(self._root, folder))
            sentence = "{folder} cannot be listed ({reason}); it is left out."
            reason = error.strerror
            logs.event(log, logging.WARNING, "folder_unreadable", sentence, folder=where, reason=reason)
