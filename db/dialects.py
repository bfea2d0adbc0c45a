"""What SQLite and PostgreSQL are told in different words."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Float,
    Insert,
    Row,
    Select,
    SQLColumnExpression,
    String,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from tagtray.db import paths
from tagtray.db.access import bulk
from tagtray.db.tables import Base

Column = InstrumentedAttribute[Any]
Value = TypeVar("Value")


def insert(dialect: str, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """An insert into ``table`` that offers ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def add_new(
    connection: Connection, table: type[Base], rows: Sequence[Mapping[str, Any]], *returning: Column
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Insert those of ``rows``, which all have the same columns, that are not there yet.

    Returns the columns ``returning`` of those that were inserted, in any order.
    """
    if not rows:
        return ()
    dialect = connection.dialect.name
    statement = _addition(dialect, table, tuple(rows[0]), returning)
    if dialect == "sqlite" and not returning:
        bulk.execute(connection, statement, rows)
        return ()
    parameters: Any = list(rows)
    if dialect == "postgresql":
        parameters = {name: [row[name] for row in rows] for name in rows[0]}
    result = connection.execute(statement, parameters)
    return result.all() if returning else ()


@functools.cache
def _addition(
    dialect: str, table: type[Base], names: tuple[str, ...], returning: tuple[Column, ...]
) -> Insert:
    statement: sqlite.Insert | postgresql.Insert = insert(dialect, table)
    if isinstance(statement, postgresql.Insert):
        # An array for each column: PostgreSQL spends most of a single row on everything else.
        statement = statement.from_select(names, _from_arrays(table, names))
    return statement.on_conflict_do_nothing().returning(*returning)


def _from_arrays(table: type[Base], names: Sequence[str]) -> Select[Any]:
    types = (postgresql.ARRAY(table.__table__.c[name].type) for name in names)
    arrays = [bindparam(name, type_=type_) for name, type_ in zip(names, types, strict=True)]
    return select(*func.unnest(*arrays).table_valued(*names).render_derived().c)


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
    statement = insert(connection.dialect.name, table)
    news = {name: statement.excluded[name] for name in rows[0] if name not in (*keys, *keep)}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=news), list(rows))


def below(path: SQLColumnExpression[str], folder: bytes) -> ColumnElement[bool]:
    """Whether a stored path lies below ``folder``, a relative name; everything lies below the empty one."""
    prefix = paths.to_text(folder)[0] + "/" if folder else ""
    # Not LIKE: SQLite's takes `A` for `a`.
    return func.substr(path, 1, len(prefix)) == prefix


class _Unindexed(FunctionElement[Value]):
    inherit_cache = True


def unindexed(
    column: ColumnElement[Value] | InstrumentedAttribute[Value],
) -> SQLColumnExpression[Value]:
    """``column``, but SQLite, which has no statistics, looks no rows up by its index.

    https://sqlite.org/optoverview.html, unary +.
    """
    element: _Unindexed[Value] = _Unindexed(column)
    element.type = column.type
    return element


class _Frequent(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True


def frequent(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """``condition``, but SQLite expects that most rows meet it.

    https://sqlite.org/lang_corefunc.html#likelihood
    """
    return _Frequent(condition)


class _Month(FunctionElement[str]):
    type = String()
    inherit_cache = True


def month(moment: SQLColumnExpression[Any] | InstrumentedAttribute[Any]) -> SQLColumnExpression[str]:
    """The month of a moment as ``YYYY-MM``."""
    return _Month(moment)


class _Least(FunctionElement[float]):
    type = Float()
    inherit_cache = True


class _Greatest(FunctionElement[float]):
    type = Float()
    inherit_cache = True


def least(numbers: Sequence[ColumnElement[float]]) -> ColumnElement[float]:
    """The least of several columns of a row."""
    return numbers[0] if len(numbers) == 1 else _Least(*numbers)


def greatest(numbers: Sequence[ColumnElement[float]]) -> ColumnElement[float]:
    """The greatest of several columns of a row; NULL counts as 0 where there are others."""
    return numbers[0] if len(numbers) == 1 else _Greatest(*(func.coalesce(number, 0.0) for number in numbers))


_NAMES = {
    _Least: {"sqlite": "min", "postgresql": "least"},
    _Greatest: {"sqlite": "max", "postgresql": "greatest"},
}


@compiles(_Least)
@compiles(_Greatest)
def _extreme(element: _Least | _Greatest, compiler: SQLCompiler, **kw: Any) -> str:
    return f"{_NAMES[type(element)][compiler.dialect.name]}({compiler.process(element.clauses, **kw)})"


@compiles(_Month, "sqlite")
def _sqlite_month(element: _Month, compiler: SQLCompiler, **kw: Any) -> str:
    return f"substr({compiler.process(element.clauses, **kw)}, 1, 7)"


@compiles(_Month, "postgresql")
def _postgresql_month(element: _Month, compiler: SQLCompiler, **kw: Any) -> str:
    return f"to_char({compiler.process(element.clauses, **kw)}, 'YYYY-MM')"


@compiles(_Frequent, "sqlite")
def _sqlite_frequent(element: _Frequent, compiler: SQLCompiler, **kw: Any) -> str:
    return f"likelihood({compiler.process(element.clauses, **kw)}, 0.9)"


@compiles(_Unindexed, "sqlite")
def _sqlite(element: _Unindexed[Any], compiler: SQLCompiler, **kw: Any) -> str:
    return f"+{compiler.process(element.clauses, **kw)}"


@compiles(_Frequent)
@compiles(_Unindexed)
def _plain(element: _Frequent | _Unindexed[Any], compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.clauses, **kw)
