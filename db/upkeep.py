"""Upkeep of the ledger's storage: room given back, figures for the planner, a copy while others write."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.config.text import shown
from tagtray.db.access import engine as engines
from tagtray.db.access import sentences, sqlite, urls
from tagtray.db.access.transactions import read
from tagtray.db.tables import Base

_SIZES = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = :schema AND c.relkind = 'r'",
}


def size(engine: Engine) -> int:
    """Bytes of the tables with their indexes; raises InfrastructureError."""
    query = text(_SIZES[engine.dialect.name])
    if engine.dialect.name == "sqlite":
        return read(engine, lambda connection: connection.scalar(query)) or 0
    return read(engine, lambda c: int(c.scalar(query, {"schema": engines.schema(c)}) or 0))


def vacuum(engine: Engine) -> None:
    """Give room back to the disk, and renew what the planner knows; raises InfrastructureError.

    SQLite writes the file anew, for which nobody else may write; PostgreSQL works beside others.
    """
    if engine.dialect.name == "sqlite":
        statements = ["VACUUM", "PRAGMA optimize", "PRAGMA wal_checkpoint(TRUNCATE)"]
    else:
        quote = engine.dialect.identifier_preparer.quote_identifier
        schema = quote(read(engine, engines.schema))
        names = [quote(table.name) for table in Base.metadata.sorted_tables]
        statements = [f"VACUUM (ANALYZE) {schema}.{name}" for name in names]
    with _raw(engine) as connection:
        for statement in statements:
            connection.execute(statement)


def backup(engine: Engine, target: Path) -> int:
    """Copy an SQLite ledger into a file while others go on to write; its bytes.

    Raises UsageError for PostgreSQL, which has tools of its own, and where the file cannot be written,
    InfrastructureError where the ledger cannot be read.
    """
    if engine.dialect.name != "sqlite":
        raise UsageError(
            "A PostgreSQL is backed up by its own tools: `pg_dump --format=custom --file=FILE DATABASE`."
        )
    try:
        with tempfile.TemporaryDirectory(prefix=".tagtray-", dir=target.parent) as folder:
            copy = Path(folder, "copy")
            copy.touch(0o600)
            with _raw(engine) as connection:
                _copy(connection, copy)
            size_bytes = copy.stat().st_size
            os.replace(copy, target)
    except OSError as error:
        raise UsageError(f"{shown(target)} cannot be written: {error.strerror}.") from None
    return size_bytes


def _copy(source: sqlite3.Connection, target: Path) -> None:
    with contextlib.closing(sqlite3.connect(target)) as copy:
        # In one step, else SQLite would begin anew after each write of others. A log ahead (WAL) lets them
        # write meanwhile.
        source.backup(copy)
        # One file, which needs no log beside it to be read.
        copy.execute("PRAGMA journal_mode = DELETE")


@contextlib.contextmanager
def _raw(engine: Engine) -> Iterator[Any]:
    """The driver's own connection, outside of any transaction; raises InfrastructureError."""
    try:
        with contextlib.closing(engine.raw_connection()) as raw:
            yield raw.driver_connection
    except DBAPIError as error:
        raise sentences.fault(engine, error) from error
    except sqlite3.Error as error:
        words = sqlite.describe(error, engine.url.database or "")
        raise InfrastructureError(f"The database {urls.where(engine.url)} {words}.") from error
    except Exception as error:
        if not isinstance(error, cast(Any, engine.dialect).loaded_dbapi.Error):
            raise
        where, words = urls.where(engine.url), sentences.describe(error)
        raise InfrastructureError(f"The database {where} {words}.") from error
