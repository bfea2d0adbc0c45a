"""One statement for many rows, without SQLAlchemy's work for each row: it is most of what a commit costs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Update

Values = Mapping[str, Any]


def execute(connection: Connection, statement: Insert | Update, rows: Sequence[Values]) -> None:
    """Execute a statement, which is to be made once and kept, for each of ``rows``.

    These have the same names: the parameters of the statement, or the columns of an insert without values.
    """
    if rows:
        text, arguments = _compiled(statement, connection.dialect, tuple(rows[0]))
        connection.exec_driver_sql(text, [arguments(row) for row in rows])


@functools.lru_cache(maxsize=64)
def _compiled(
    statement: Insert | Update, dialect: Dialect, names: tuple[str, ...]
) -> tuple[str, Callable[[Values], Any]]:
    """The driver's SQL, and what makes its arguments of a row."""
    columns = names if isinstance(statement, Insert) else None
    compiled: Any = statement.compile(dialect=dialect, column_keys=columns)
    types = {name: bind.type.dialect_impl(dialect) for bind, name in compiled.bind_names.items()}
    if columns and types.keys() != set(columns):
        raise ValueError(f"an insert of {columns} leaves SQLAlchemy's defaults out")
    found = {name: type_.bind_processor(dialect) or _as_it_is for name, type_ in types.items()}
    fixed = {name: found[name](value) for name, value in compiled.params.items() if name not in names}
    processors = {name: found[name] for name in names if found[name] is not _as_it_is}
    pick = itemgetter(*compiled.positiontup) if compiled.positiontup else dict
    if not (fixed or processors):
        return str(compiled), pick

    def arguments(row: Values) -> Any:
        values = {**fixed, **row}
        for name, process in processors.items():
            values[name] = process(values[name])
        return pick(values)

    return str(compiled), arguments


def _as_it_is(value: Any) -> Any:
    return value
