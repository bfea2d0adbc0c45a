"""Engines: SQLite as a careful server would be set up, PostgreSQL through psycopg 3."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.config.settings import Settings

#: Milliseconds that a SQLite writer waits for another one before it gives up.
SQLITE_BUSY_MS = 5_000
#: Seconds between two tries to put a new SQLite file into WAL mode, for which SQLite itself does not wait.
SQLITE_WAL_PAUSE = 0.01
#: What libpq is told unless the URL says otherwise: seconds for a connection attempt; a server that is gone
#: is noticed after 30 s of silence and three probes, or when sent bytes stay unacknowledged for 60,000 ms.
LIBPQ = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
#: Seconds that PostgreSQL gives a statement, and a transaction between two statements: a frozen process must
#: not hold its locks for ever.
STATEMENT_SECONDS, IDLE_SECONDS = 300, 60

_DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql+psycopg")
_WRITES = "tagtray_writes"


def connect(settings: Settings) -> Engine:
    """The ledger's engine; nothing is contacted yet.

    Raises UsageError for a URL that cannot be read, InfrastructureError for a home that cannot be made.
    """
    url = _url(settings)
    if url.get_backend_name() == "sqlite":
        _make_home(settings)
        engine = create_engine(url, connect_args={"timeout": SQLITE_BUSY_MS / 1000})
        _tune_sqlite(engine)
        return engine
    options = {name: value for name, value in LIBPQ.items() if name not in url.query}
    engine = create_engine(url, pool_pre_ping=True, connect_args={**options, "autocommit": True})
    engine.dialect.do_begin = _begin_postgresql  # type: ignore[assignment, method-assign]
    return engine


def writing(engine: Engine) -> Engine:
    """The same engine, whose transactions take SQLite's write lock at once (no upgrade deadlocks)."""
    return engine.execution_options(**{_WRITES: True})


def _begin_postgresql(connection: Any) -> None:
    # With the transaction and for it alone, in one round trip: what is set for a session is lost, or somebody
    # else's, behind a pooler that gives each transaction another one.
    connection.execute(
        f"BEGIN; SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s';"
        f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'"
    )


def _url(settings: Settings) -> URL:
    if not settings.database_url:
        # From its parts: a home folder may be called `a?b` or `a%20b`.
        return URL.create("sqlite", database=str(settings.home / "tagtray.db"))
    try:
        url = make_url(settings.sqlalchemy_url)
    except (ArgumentError, ValueError):
        raise UsageError(
            "TAGTRAY_DATABASE_URL is not a database URL such as postgresql://user@host/db."
        ) from None
    if url.drivername not in _DRIVERS:
        raise UsageError(
            f"TAGTRAY_DATABASE_URL names {url.drivername}; tagtray keeps its ledger in SQLite or PostgreSQL."
        )
    return url


def _make_home(settings: Settings) -> None:
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InfrastructureError(f"TAGTRAY_HOME {settings.home} cannot be made: {error.strerror}.") from None


def _tune_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _pragmas(connection: sqlite3.Connection, _record: Any) -> None:
        # SQLAlchemy's documented way to own BEGIN with the sqlite3 module.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_MS}")
        _enter_wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _enter_wal(connection: sqlite3.Connection) -> None:
    deadline = time.monotonic() + SQLITE_BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # Another process does the same to a new file just now.
            if "locked" not in str(error) or time.monotonic() >= deadline:
                raise
            time.sleep(SQLITE_WAL_PAUSE)
