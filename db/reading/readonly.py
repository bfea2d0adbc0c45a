"""One SELECT of a user's, on a connection that cannot write: enforced by the database, not by its text.

SQLite: the file is opened read-only, and an authorizer admits nothing but reading.
PostgreSQL: a read-only transaction, and the statement becomes the query of a ``DECLARE CURSOR``, which the
server accepts for a single SELECT or VALUES alone.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.config.settings import Settings
from tagtray.config.text import shown
from tagtray.db.access import sqlite

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy import Engine

#: Rows that are fetched at once.
PAGE = 1000
#: Seconds that a reader waits for a lock on the SQLite file.
BUSY_SECONDS = 30.0
#: SQLite instructions between two looks at whether Ctrl-C was pressed.
INSTRUCTIONS = 100_000

_READING = (
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
)
#: Errors that are the file's, the disk's or another program's.
_NOT_THE_STATEMENT = (
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL),
    *(sqlite3.SQLITE_IOERR, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY),
)
_FORBIDDEN_FUNCTIONS = ("load_extension",)

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """Names of the columns, and the rows as they come; reading them raises as ``select`` does."""

    columns: Sequence[str]
    rows: Iterator[Row]


@contextlib.contextmanager
def select(settings: Settings, statement: str) -> Iterator[Answer]:
    """Run ``statement`` and stream its rows.

    Raises UsageError with the database's own words for anything but a SELECT that works.
    """
    file = _sqlite_file(settings)
    with _sqlite(file, statement) if file is not None else _postgresql(settings, statement) as answer:
        yield answer


def _sqlite_file(settings: Settings) -> Path | None:
    if settings.database_url is None:
        return settings.home / "tagtray.db"
    engine = _engine(settings)
    return Path(engine.url.database or "") if engine.dialect.name == "sqlite" else None


def _engine(settings: Settings) -> Engine:
    # SQLAlchemy is imported where a URL has to be read: it costs more than all the rest.
    from tagtray.db.access import engine

    return engine.connect_reading(settings)


@contextlib.contextmanager
def _sqlite(file: Path, statement: str) -> Iterator[Answer]:
    if not file.is_file():
        raise UsageError(f"There is no ledger at {file} yet; `tagtray run DIR` begins one.")
    with _sqlite_errors(file), contextlib.closing(sqlite.open_reading(str(file), BUSY_SECONDS)) as link:
        link.set_authorizer(_authorize)
        # Between instructions Python handles signals; without this, Ctrl-C waits for the next row.
        link.set_progress_handler(lambda: 0, INSTRUCTIONS)
        cursor = link.execute(statement)
        if cursor.description is None:
            raise UsageError("The statement is empty; tagtray sql takes one SELECT.")
        with contextlib.closing(_guarded(cursor, lambda: _sqlite_errors(file))) as rows:
            yield Answer([column[0] for column in cursor.description], rows)


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action not in _READING or second in _FORBIDDEN_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


@contextlib.contextmanager
def _sqlite_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning) as error:
        if sqlite.primary_code(error) in _NOT_THE_STATEMENT:
            raise InfrastructureError(
                f"The database {shown(file)} {sqlite.describe(error, str(file))}."
            ) from None
        if str(error) == "interrupted":
            raise KeyboardInterrupt from None
        denied = "not authorized" in str(error) or "prohibited" in str(error)
        reason = "it may only read" if denied else str(error).rstrip(".")
        raise UsageError(f"SQLite refuses the statement: {reason}.") from None


@contextlib.contextmanager
def _postgresql(settings: Settings, statement: str) -> Iterator[Answer]:
    from sqlalchemy.exc import DBAPIError

    from tagtray.db.access.sentences import sentence

    engine = _engine(settings)
    try:
        with engine.connect() as connection:
            link: psycopg.Connection[Row] = connection.connection.driver_connection  # type: ignore[assignment]
            connection.begin()
            with _postgresql_errors(engine), link.cursor(name="tagtray") as cursor:
                cursor.itersize = PAGE
                cursor.execute(statement.encode())
                columns = [column.name for column in cursor.description or ()]
                with contextlib.closing(_guarded(cursor, lambda: _postgresql_errors(engine))) as rows:
                    yield Answer(columns, rows)
    except DBAPIError as error:
        raise InfrastructureError(sentence(engine, error)) from None
    finally:
        engine.dispose()


@contextlib.contextmanager
def _postgresql_errors(engine: Engine) -> Iterator[None]:
    import psycopg

    from tagtray.db.access import sentences, urls

    try:
        yield
    except psycopg.Error as error:
        if sentences.is_the_servers(error):
            where = urls.where(engine.url)
            raise InfrastructureError(f"The database {where} {sentences.describe(error)}.") from None
        reason = error.diag.message_primary or " ".join(str(error).split())
        raise UsageError(f"PostgreSQL refuses the statement: {reason.rstrip('.')}.") from None


def _guarded(
    rows: Iterable[Row], errors: Callable[[], contextlib.AbstractContextManager[None]]
) -> Generator[Row, None, None]:
    with errors():
        yield from rows
