"""The database's own clock, so that hosts whose clocks differ agree on leases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, Float, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

#: Seconds of a day.
DAY = 86_400.0


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware UTC in Python, ``timestamptz`` in PostgreSQL, ISO text in SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class _After(FunctionElement[datetime]):
    """The moment ``seconds`` after the start of the statement."""

    type = UtcDateTime()
    inherit_cache = True


def after(seconds: float | ColumnElement[float]) -> _After:
    """SQL expression: now plus ``seconds`` (negative: before now)."""
    amount = bindparam(None, seconds, type_=Float) if isinstance(seconds, int | float) else seconds
    return _After(amount)


def now() -> _After:
    """SQL expression: the moment at which the statement runs."""
    return after(0.0)


@compiles(_After, "sqlite")
def _sqlite(element: _After, compiler: SQLCompiler, **kw: Any) -> str:
    seconds = compiler.process(element.clauses, **kw)
    # Three digits of milliseconds are padded to the six that SQLAlchemy reads back as microseconds.
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', printf('%+f seconds', {seconds})) || '000')"


@compiles(_After, "postgresql")
def _postgresql(element: _After, compiler: SQLCompiler, **kw: Any) -> str:
    # Not clock_timestamp(), which may differ from row to row: no index is searched for such a moment.
    return f"(statement_timestamp() + make_interval(secs => {compiler.process(element.clauses, **kw)}))"
