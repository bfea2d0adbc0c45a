"""What SQLite's planner has to be told, having no statistics; PostgreSQL has its own."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Integer, SQLColumnExpression
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class _Unindexed(FunctionElement[int]):
    type = Integer()
    inherit_cache = True


def unindexed(column: SQLColumnExpression[int]) -> SQLColumnExpression[int]:
    """``column``, but rows are not looked up by its index (https://sqlite.org/optoverview.html, unary +)."""
    return _Unindexed(column)


@compiles(_Unindexed, "sqlite")
def _sqlite(element: _Unindexed, compiler: SQLCompiler, **kw: Any) -> str:
    return f"+{compiler.process(element.clauses, **kw)}"


@compiles(_Unindexed)
def _plain(element: _Unindexed, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.clauses, **kw)
