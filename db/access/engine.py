"""Engines: SQLite as a careful server would be set up, PostgreSQL through psycopg 3."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine, PoolProxiedConnection, create_engine, event

from tagtray.config.errors import InfrastructureError
from tagtray.config.settings import Settings
from tagtray.config.text import shown
from tagtray.db.access import sqlite, urls
from tagtray.db.access.urls import Place

#: Seconds after which a connection attempt to PostgreSQL is given up.
CONNECT_TIMEOUT = 10
#: What libpq is told unless the URL says otherwise: seconds for a connection attempt; a server that is gone
#: is noticed after 30 s of silence and three probes, or when sent bytes stay unacknowledged for 60,000 ms.
LIBPQ = {
    "connect_timeout": CONNECT_TIMEOUT,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
#: Seconds that PostgreSQL gives a statement, and a transaction between two statements: a frozen process must
#: not hold its locks for ever.
STATEMENT_SECONDS, IDLE_SECONDS = 300, 60

#: Compiled statements that a connection to SQLite keeps. A list of each length is one of its own and may take
#: 100 KB: with Python's 128 of them a command that watches grew for days, by 40 MB.
STATEMENTS = 32

#: What tagtray's statements rely on, whatever the role, the database or a client before this one has set.
SESSION = {
    "datestyle": "ISO",
    "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
    "lock_timeout": "0",
    "standard_conforming_strings": "on",
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "timezone": "UTC",
}
#: What libpq would take from variables of other programs (PGHOST and so on) where the URL says nothing.
_NOT_FROM_THE_ENVIRONMENT = ("host", "hostaddr", "port", "dbname")
_WRITES, _SCHEMA = "tagtray_writes", "tagtray_schema"


def connect(settings: Settings) -> Engine:
    """The ledger's engine; nothing is contacted yet.

    Raises UsageError for a URL that cannot be read, InfrastructureError for a home that cannot be made.
    """
    place = urls.place(settings)
    if place.schema is not None:
        return _postgresql(place, "READ WRITE")
    _make_home(settings)
    engine = create_engine(place.url, connect_args={"cached_statements": STATEMENTS})

    @event.listens_for(engine, "connect")
    def _tune(connection: sqlite3.Connection, _record: Any) -> None:
        sqlite.tune(connection)

    # No listener: one that hears of transactions is looked for with every statement.
    engine.dialect.do_begin = _begin  # type: ignore[assignment, method-assign]
    return engine


def connect_reading(settings: Settings) -> Engine:
    """An engine that cannot change anything; its server may be a replica, its medium read-only or full."""
    place = urls.place(settings)
    if place.schema is not None:
        return _postgresql(place, "READ ONLY")
    path = place.url.database or ""
    engine = create_engine(place.url, creator=lambda: sqlite.open_reading(path))
    engine.dialect.do_begin = lambda connection: connection.execute("BEGIN")  # type: ignore[assignment, method-assign]
    return engine


@contextlib.contextmanager
def transaction(engine: Engine, *, writes: bool) -> Iterator[Connection]:
    """All or nothing of what is done in it; one that ``writes`` takes SQLite's write lock at once.

    To take it later, where another one has written since, would be a deadlock.
    """
    with engine.connect() as connection:
        connection.info[_WRITES] = writes
        with connection.begin():
            yield connection


def _begin(connection: PoolProxiedConnection) -> None:
    connection.cursor().execute("BEGIN IMMEDIATE" if connection.info.pop(_WRITES, False) else "BEGIN")


def schema(connection: Connection) -> str:
    """The schema of tagtray's tables in PostgreSQL."""
    return str(connection.get_execution_options()[_SCHEMA])


def _postgresql(place: Place, access: str) -> Engine:
    """An engine that keeps nothing in a session: a pooler may give each transaction another one."""
    options: dict[str, Any] = {name: value for name, value in LIBPQ.items() if name not in place.url.query}
    said = {"host": place.url.host, "port": place.url.port, "dbname": place.url.database, **place.url.query}
    options |= {name: "" for name in _NOT_FROM_THE_ENVIRONMENT if not said.get(name)}
    options |= {"autocommit": True, "client_encoding": "utf8", "prepare_threshold": None}
    engine = create_engine(
        place.url,
        pool_pre_ping=True,
        use_native_hstore=False,  # which would be looked up in every new session
        connect_args=options,
        execution_options={_SCHEMA: place.schema},
    )
    quoted = engine.dialect.identifier_preparer.quote_identifier(str(place.schema))
    settings = [f"SET LOCAL {name} TO '{value}'" for name, value in SESSION.items()]
    # A temporary table that another client has left behind hides none of ours.
    settings.append(f"SET LOCAL search_path TO {quoted}, pg_temp")
    # In the one round trip that the transaction begins with, and for it alone.
    begin = "; ".join([f"BEGIN ISOLATION LEVEL READ COMMITTED {access}", *settings])
    engine.dialect.do_begin = lambda connection: connection.execute(begin)  # type: ignore[assignment, method-assign]
    return engine


def _make_home(settings: Settings) -> None:
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        home = shown(settings.home)
        raise InfrastructureError(f"TAGTRAY_HOME {home} cannot be made: {error.strerror}.") from None
