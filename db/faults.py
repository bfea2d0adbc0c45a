"""What a database error means: one sentence, and whether trying again can help."""

from __future__ import annotations

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, OperationalError

#: SQLSTATE classes and codes that PostgreSQL documents as worth another try: connection, admin shutdown,
#: serialization failure, deadlock, lock not available, too many connections.
_TRANSIENT_SQLSTATES = ("08", "57P", "40001", "40P01", "55P03", "53300")
_TRANSIENT_SQLITE = ("locked", "busy")


def is_transient(error: DBAPIError) -> bool:
    """True where the same transaction may succeed when it is simply run again."""
    if error.connection_invalidated:
        return True
    sqlstate = getattr(error.orig, "sqlstate", None)
    if sqlstate:
        return str(sqlstate).startswith(_TRANSIENT_SQLSTATES)
    text = str(error.orig).lower()
    return isinstance(error, OperationalError) and any(word in text for word in _TRANSIENT_SQLITE)


def sentence(engine: Engine, error: DBAPIError) -> str:
    """One sentence about ``error`` that shows where the database is and never its password."""
    # The query may hold a password, too.
    where = engine.url.set(query={}).render_as_string(hide_password=True)
    lines = str(error.orig).strip().splitlines()
    return f"The database {where} answers: {lines[0] if lines else type(error.orig).__name__}."
