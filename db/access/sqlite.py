"""A SQLite file: how it is opened, to write and to read."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

#: Milliseconds that a writer waits for another one before it gives up.
BUSY_MS = 5_000
#: Seconds between two tries to put a new file into WAL mode.
WAL_PAUSE = 0.01
#: Bytes that are left on a disk which SQLite finds full: its own error says no more than "disk I/O error".
FULL = 1 << 20

#: What SQLite says where it cannot make the index of a file's log: no permission, no room, no right to write.
_NO_INDEX = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY)


def tune(connection: sqlite3.Connection) -> None:
    """Set what holds for this connection alone; the file stays as it is."""
    # SQLAlchemy's documented way to own BEGIN with the sqlite3 module.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    connection.execute("PRAGMA foreign_keys = ON")
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    connection.execute(f"PRAGMA synchronous = {'NORMAL' if mode == 'wal' else 'FULL'}")


def log_ahead(connection: sqlite3.Connection) -> None:
    """Put the file into WAL mode, in which readers and a writer do not wait for each other."""
    deadline = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            return
        except sqlite3.OperationalError:
            # Another process does the same to a new file just now, for which SQLite itself does not wait.
            if time.monotonic() >= deadline:
                raise
            time.sleep(WAL_PAUSE)


def open_reading(path: str, busy_seconds: float = BUSY_MS / 1000) -> sqlite3.Connection:
    """Open a file that cannot be changed through it, though it lie on a full or a read-only medium.

    Raises sqlite3.Error.
    """
    try:
        return _opened(path, "mode=ro", busy_seconds)
    except sqlite3.OperationalError as error:
        if primary_code(error) not in _NO_INDEX or _has_log(path):
            raise
    return _opened(path, "immutable=1", busy_seconds)


def primary_code(error: BaseException | None) -> int | None:
    """SQLite's result code without its details; None for an error that is none of SQLite's."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def is_full(path: str) -> bool:
    """Whether there is no room left beside this file."""
    try:
        disk = os.statvfs(os.path.dirname(path) or ".")
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < FULL


def describe(error: BaseException, path: str) -> str:
    """What SQLite's error about this file means: the sentence from its verb on, without a full stop."""
    explain = _MEANINGS.get(primary_code(error) or 0)
    return (explain and explain(path)) or f"answers: {str(error).rstrip('.')}"


def _opened(path: str, how: str, busy_seconds: float) -> sqlite3.Connection:
    uri = f"file:{quote(os.fsencode(path))}?{how}"
    link = sqlite3.connect(uri, uri=True, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    try:
        link.execute("SELECT 1 FROM sqlite_master LIMIT 1")  # opens the log, too
    except sqlite3.Error:
        link.close()
        raise
    return link


def _has_log(path: str) -> bool:
    """Whether there are changes that are not in the file yet."""
    log = Path(f"{path}-wal")
    return log.exists() and log.stat().st_size > 0


def _unopened(path: str) -> str | None:
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        return "cannot be opened: its folder does not exist"
    if not os.access(folder, os.W_OK):
        return "cannot be opened: its folder may not be written by this user"
    return _not_written(path)


def _not_written(path: str) -> str | None:
    return "cannot be written: the disk is full" if is_full(path) else None


_MEANINGS: dict[int, Callable[[str], str | None]] = {
    sqlite3.SQLITE_BUSY: lambda _path: "is locked by another program",
    sqlite3.SQLITE_LOCKED: lambda _path: "is locked by another program",
    sqlite3.SQLITE_FULL: lambda _path: "cannot be written: the disk is full",
    sqlite3.SQLITE_IOERR: _not_written,
    sqlite3.SQLITE_CANTOPEN: _unopened,
    sqlite3.SQLITE_READONLY: lambda _path: "is read-only here: its file or its folder may not be written",
}
