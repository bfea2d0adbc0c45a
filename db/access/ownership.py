"""What of a database is tagtray's: nothing else in it is changed, hidden or dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, text

from tagtray.config.errors import InfrastructureError
from tagtray.db import views
from tagtray.db.access import engine, urls
from tagtray.db.tables import Base

#: Alembic's table, under a name that no other program's migrations use. Where it is, tagtray has been.
VERSION_TABLE = "tagtray_version"

#: Names in a sentence at most.
_SHOWN = 5

_NAMED = {
    "sqlite": "SELECT name FROM sqlite_master WHERE lower(name) IN :names",
    "postgresql": "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = :schema AND relname IN :names",
}
_VIEWS = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'view' AND lower(name) IN :names",
    "postgresql": "SELECT relname, obj_description(c.oid, 'pg_class') FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = :schema AND relkind = 'v' AND relname IN :names",
}
_WAY_OUT = {
    "sqlite": "give tagtray a file of its own (TAGTRAY_DATABASE_URL)",
    "postgresql": "give tagtray a schema of its own (TAGTRAY_DATABASE_SCHEMA)",
}


def taken_names(connection: Connection) -> list[str]:
    """The names of ours that are taken: by others, in a database where tagtray has not been."""
    tables = Base.metadata.tables.values()
    names = [name for table in tables for name in (table.name, *(str(index.name) for index in table.indexes))]
    return [row[0] for row in _ask(connection, _NAMED, [*names, *views.NAMES])]


def own_views(connection: Connection) -> list[str]:
    """The views of ours that are there; raises InfrastructureError where another one has such a name."""
    found = _ask(connection, _VIEWS, views.NAMES)
    made = {name: views.MARK in (said or "") for name, said in found}
    strangers = [name for name, ours in made.items() if not ours]
    if strangers:
        raise strange(connection, strangers)
    return list(made)


def _ask(connection: Connection, queries: Mapping[str, str], names: Sequence[str]) -> Sequence[Any]:
    query = text(queries[connection.dialect.name]).bindparams(bindparam("names", expanding=True))
    schema = {"schema": engine.schema(connection)} if connection.dialect.name == "postgresql" else {}
    return connection.execute(query, {"names": list(names), **schema}).all()


def strange(connection: Connection, names: list[str]) -> InfrastructureError:
    """The error where names of ours belong to others."""
    some = ", ".join(sorted(names)[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return InfrastructureError(
        f"The database {urls.where(connection.engine.url)} has {some}{more}, which tagtray did "
        f"not make: nothing was changed; {_WAY_OUT[connection.dialect.name]}."
    )
