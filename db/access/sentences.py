"""What a database error means: one sentence for people, without a password."""

from __future__ import annotations

import sqlite3

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from tagtray.config import urls as forms
from tagtray.config.errors import InfrastructureError, Locked, Refused
from tagtray.db.access import sqlite, urls

#: Classes and codes of errors that are not the statement's: connection, resources, shutdown, system.
_SERVER = ("08", "53", "57P", "58", "XX")
_DISK_FULL, _READ_ONLY = "53100", "25006"
#: An object cannot be dropped or altered because others are built on it; the detail names them.
_DEPENDENTS = ("2BP01", "0A000")
#: What no waiting mends: privileges, passwords, names that are not there, a database that is only to be read.
_LASTING_STATES = ("0A", "25006", "28", "2B", "3D", "3F", "42")
_LASTING_WORDS = ("authentication failed", "does not exist", "no pg_hba.conf entry", "no password supplied")
_LASTING_SQLITE = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_READONLY,
)


def fault(engine: Engine, error: DBAPIError) -> InfrastructureError:
    """``error`` with its sentence: Refused where no waiting mends it, Locked where another program does."""
    kind = _kind_of_sqlite(error.orig) if isinstance(error.orig, sqlite3.Error) else _kind(error.orig)
    return kind(sentence(engine, error))


def sentence(engine: Engine, error: DBAPIError) -> str:
    """One sentence about ``error`` that says where the database is."""
    where = f"The database {urls.where(engine.url)}"
    if isinstance(error.orig, sqlite3.Error):
        return f"{where} {sqlite.describe(error.orig, engine.url.database or '')}."
    return f"{where} {describe(error.orig)}."


def describe(error: BaseException | None) -> str:
    """What PostgreSQL's error means: the sentence from its verb on, without a full stop."""
    state = getattr(error, "sqlstate", None)
    words = _words(error)
    if state == _DISK_FULL:
        return f"cannot be written: the disk of its server is full ({words})"
    if state == _READ_ONLY:
        return "is read-only here: it is a replica, or this role may only read"
    detail = getattr(getattr(error, "diag", None), "message_detail", None)
    if state in _DEPENDENTS and detail:
        names = "; ".join(detail.splitlines())
        return (
            f"holds what is built on tagtray's tables and views ({names}): nothing was changed; "
            "drop that, run `tagtray db upgrade`, and make it again"
        )
    if "authentication failed" in words:
        return f"answers: {words}; {forms.ENCODING}"
    if state is None and words.startswith("connection ") and "FATAL" not in words:
        return f"cannot be reached: {words}"
    return f"answers: {words}"


def is_the_servers(error: BaseException) -> bool:
    """Whether it is no fault of the statement: the connection broke, or the server cannot do its work."""
    state = getattr(error, "sqlstate", None)
    return state is None or str(state).startswith(_SERVER)


def _kind_of_sqlite(error: sqlite3.Error) -> type[InfrastructureError]:
    code = sqlite.primary_code(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Locked
    return Refused if code in _LASTING_SQLITE else InfrastructureError


def _kind(error: BaseException | None) -> type[InfrastructureError]:
    state = getattr(error, "sqlstate", None)
    if state is None:  # it never came to a session
        lasting = any(words in str(error) for words in _LASTING_WORDS)
    else:
        lasting = str(state).startswith(_LASTING_STATES)
    return Refused if lasting else InfrastructureError


def _words(error: BaseException | None) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
