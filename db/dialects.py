"""What SQLite and PostgreSQL are told in different words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, SQLColumnExpression, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from tagtray.db import paths
from tagtray.db.tables import Base


def insert(connection: Connection, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """An insert into ``table`` that offers ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def add_new(connection: Connection, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert those of ``rows``, which all have the same columns, that are not there yet."""
    if not rows:
        return
    statement = insert(connection, table)
    if isinstance(statement, sqlite.Insert):
        connection.execute(statement.on_conflict_do_nothing(), list(rows))
        return
    # One statement with an array for each column: PostgreSQL spends most of a single row on everything else.
    names = list(rows[0])
    types = (postgresql.ARRAY(table.__table__.c[name].type) for name in names)
    arrays = [bindparam(name, type_=type_) for name, type_ in zip(names, types, strict=True)]
    source = func.unnest(*arrays).table_valued(*names).render_derived()
    connection.execute(
        statement.from_select(names, select(*source.c)).on_conflict_do_nothing(),
        {name: [row[name] for row in rows] for name in names},
    )


def replace(
    connection: Connection,
    table: type[Base],
    rows: Sequence[Mapping[str, Any]],
    keys: Sequence[str],
    keep: Sequence[str] = (),
) -> None:
    """Insert ``rows``, which all have the same columns; those whose ``keys`` are there get the new values.

    The columns ``keep`` stay as they are.
    """
    if not rows:
        return
    statement = insert(connection, table)
    news = {name: statement.excluded[name] for name in rows[0] if name not in (*keys, *keep)}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=news), list(rows))


def below(path: SQLColumnExpression[str], folder: bytes) -> ColumnElement[bool]:
    """Whether a stored path lies below ``folder``, a relative name; everything lies below the empty one."""
    prefix = paths.to_text(folder)[0] + "/" if folder else ""
    # Not LIKE: SQLite's takes `A` for `a`.
    return func.substr(path, 1, len(prefix)) == prefix


class _Unindexed(FunctionElement[int]):
    type = Integer()
    inherit_cache = True


def unindexed(column: SQLColumnExpression[int]) -> SQLColumnExpression[int]:
    """``column``, but SQLite, which has no statistics, looks no rows up by its index.

    https://sqlite.org/optoverview.html, unary +.
    """
    return _Unindexed(column)


@compiles(_Unindexed, "sqlite")
def _sqlite(element: _Unindexed, compiler: SQLCompiler, **kw: Any) -> str:
    return f"+{compiler.process(element.clauses, **kw)}"


@compiles(_Unindexed)
def _plain(element: _Unindexed, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.clauses, **kw)
