"""Brings a database to the tables of this version, once, however many processes ask for it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateSchema

from tagtray.config.errors import InfrastructureError
from tagtray.db import views
from tagtray.db.access import engine as engines
from tagtray.db.access import ownership, sqlite, urls
from tagtray.db.access.ownership import VERSION_TABLE
from tagtray.db.access.transactions import read, write

#: The revision that this version's code is written for; a test holds it against Alembic's head.
REVISION = "0002"
#: The folder of Alembic's environment.
FOLDER = Path(__file__).parent / "migrations"
#: Key of PostgreSQL's advisory lock for migrations, which ends with the transaction: the bytes of "tagt".
_LOCK_KEY = 0x74616774
_ENCODING = "UTF8"


def upgrade(engine: Engine) -> bool:
    """Migrate to the newest revision and renew the views, all or nothing; whether there was anything to do.

    Raises InfrastructureError, with nothing changed, when the database cannot be reached, is newer than this
    program, or holds what tagtray did not make.
    """
    if read(engine, _is_up_to_date):
        return False
    if engine.dialect.name == "sqlite" and read(engine, _is_empty):
        _begin_file(engine)
    return write(engine, _upgrade)


def require(engine: Engine) -> None:
    """Raise InfrastructureError unless the database is at this version's revision."""
    if not read(engine, _is_up_to_date):
        raise InfrastructureError(
            f"The database {urls.where(engine.url)} is not at this version's tables; "
            "`tagtray db upgrade` brings it there."
        )


def revision(connection: Connection) -> str | None:
    """The revision the database is at; None for one where tagtray has not been."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()


def _is_up_to_date(connection: Connection) -> bool:
    """False if it is older, or empty; raises InfrastructureError for what this version cannot work with."""
    _refuse_encoding(connection)
    current = revision(connection)
    if current is None and (names := ownership.taken_names(connection)):
        # Another process may have made them since the first look.
        current = revision(connection)
        if current is None:
            raise ownership.strange(connection, names)
    if current is None:
        return False
    if current > REVISION:
        raise InfrastructureError(
            f"The database {urls.where(connection.engine.url)} is at revision {current}, made by a newer "
            "tagtray than this one; update tagtray."
        )
    return current == REVISION


def _refuse_encoding(connection: Connection) -> None:
    if connection.dialect.name != "postgresql":
        return
    encoding = cast(Any, connection.connection.driver_connection).info.parameter_status("server_encoding")
    if encoding != _ENCODING:
        where = urls.where(connection.engine.url)
        raise InfrastructureError(
            f"The database {where} has the encoding {encoding}, and tagtray needs {_ENCODING}: "
            "createdb --encoding UTF8 --template template0 NAME makes one."
        )


def _is_empty(connection: Connection) -> bool:
    return connection.scalar(text("SELECT 1 FROM sqlite_master LIMIT 1")) is None


def _begin_file(engine: Engine) -> None:
    """Have a file that tagtray begins keep a log, so that nobody who reads waits for one who writes."""
    raw = engine.raw_connection()
    with contextlib.closing(raw), contextlib.suppress(sqlite3.OperationalError):
        sqlite.log_ahead(cast(sqlite3.Connection, raw.driver_connection))


def _upgrade(connection: Connection) -> bool:
    if connection.dialect.name == "postgresql":
        _prepare_postgresql(connection)
    if _is_up_to_date(connection):
        return False
    if connection.dialect.name == "postgresql" and _upgraded_in_place(connection):
        return True
    for name in ownership.own_views(connection):
        connection.execute(text(f"DROP VIEW {name}"))
    with _without_a_look_at_views(connection):
        _run_alembic(connection)
    views.create(connection)
    return True


@contextlib.contextmanager
def _without_a_look_at_views(connection: Connection) -> Iterator[None]:
    """Have SQLite rename tables although views of the user's are built on ours, which were dropped."""
    if connection.dialect.name != "sqlite":
        yield
        return
    connection.exec_driver_sql("PRAGMA legacy_alter_table = ON")
    try:
        yield
    finally:
        connection.exec_driver_sql("PRAGMA legacy_alter_table = OFF")


def _upgraded_in_place(connection: Connection) -> bool:
    """Whether it could be done without dropping a view: views of the user's may be built on ours."""
    ownership.own_views(connection)
    try:
        with connection.begin_nested():
            _run_alembic(connection)
            views.create(connection)
    except DBAPIError:
        return False
    return True


def _prepare_postgresql(connection: Connection) -> None:
    # The index of a large table takes its time.
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
    schema = engines.schema(connection)
    if connection.scalar(text("SELECT to_regnamespace(quote_ident(:schema))"), {"schema": schema}) is None:
        connection.execute(CreateSchema(schema))


def _run_alembic(connection: Connection) -> None:
    # Imported here: Alembic costs 0.1 s, which a database that is up to date need not pay.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
