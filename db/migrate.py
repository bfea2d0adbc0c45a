"""Brings a database to the tables of this version, once, however many processes ask for it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from tagtray.config.errors import InfrastructureError
from tagtray.db import views
from tagtray.db.engine import writing
from tagtray.db.transactions import sentence

#: The revision that this version's code is written for; a test holds it against Alembic's head.
REVISION = "0001"
#: Key of PostgreSQL's advisory lock for migrations: the bytes of "tagt".
_LOCK_KEY = 0x74616774


def upgrade(engine: Engine) -> bool:
    """Migrate to the newest revision and renew the views; True if there was anything to do.

    Raises InfrastructureError when the database cannot be reached or is newer than this program.
    """
    try:
        with writing(engine).begin() as connection:
            _lock(connection)
            return _upgrade(connection)
    except DBAPIError as error:
        raise InfrastructureError(sentence(engine, error)) from error


def require(engine: Engine) -> None:
    """Raise InfrastructureError unless the database is at this version's revision."""
    try:
        with engine.connect() as connection:
            if revision(connection) != REVISION:
                raise InfrastructureError(
                    "The database is not at this version's tables; `tagtray db upgrade` brings it there."
                )
    except DBAPIError as error:
        raise InfrastructureError(sentence(engine, error)) from error


def revision(connection: Connection) -> str | None:
    """The revision the database is at; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection) -> bool:
    current = revision(connection)
    if current == REVISION:
        return False
    if current is not None and current > REVISION:
        raise InfrastructureError(
            f"The database is at revision {current}, made by a newer tagtray than this one; update tagtray."
        )
    views.drop(connection)
    _run_alembic(connection)
    views.create(connection)
    return True


def _run_alembic(connection: Connection) -> None:
    # Imported here: Alembic costs 0.1 s, which a database that is up to date need not pay.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # The index of a large table takes its time.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
