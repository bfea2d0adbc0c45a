"""The ledger's URL: forms that other programs write are taken, what can be read in two ways is refused."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from tagtray.config import urls
from tagtray.config.errors import UsageError
from tagtray.config.settings import SCHEMA, Settings
from tagtray.config.text import shown

_SQLITE = re.compile(r"sqlite(?:\+pysqlite)?://(?P<rest>.*)", re.DOTALL | re.IGNORECASE)
_POSTGRESQL = re.compile(r"(?:postgres|postgresql|pgsql|postgis)(?:\+\w+)?://", re.IGNORECASE)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,30})://", re.IGNORECASE)
#: Options by which other programs tune their own pools and caches.
_FOREIGN = (
    *("pgbouncer", "connection_limit", "pool_timeout", "statement_cache_size"),
    *("prepared_statement_cache_size", "prepared_statement_cache_queries"),
)
_SSL = {"true": "require", "1": "require", "false": "prefer", "0": "prefer"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the ledger is; ``schema`` is None in SQLite."""

    url: URL
    schema: str | None = None


def place(settings: Settings) -> Place:
    """Read the settings; raises UsageError, with no part of the URL but its scheme, where it is not one."""
    text = settings.database_url
    if text is None:
        # From its parts: a home folder may be called `a?b` or `a%20b`.
        return Place(URL.create("sqlite", database=str(settings.home / "tagtray.db")))
    if found := _SQLITE.fullmatch(text):
        return Place(URL.create("sqlite", database=_file(found["rest"])))
    if found := _POSTGRESQL.match(text):
        return _postgresql(text, found.end(), settings.database_schema)
    if found := _SCHEME.match(text):
        raise UsageError(
            f"TAGTRAY_DATABASE_URL names {found[1]}; tagtray keeps its ledger in SQLite or PostgreSQL."
        )
    raise _malformed()


def where(url: URL) -> str:
    """The place of a database as it may be shown: the file, or the server without password and options."""
    if url.get_backend_name() == "sqlite":
        return shown(url.database or "")
    return shown(url.set(drivername="postgresql", query={}).render_as_string(hide_password=True))


def _file(rest: str) -> str:
    """The path in ``sqlite:///relative`` and ``sqlite:////absolute``; %XX is a byte of it."""
    path = os.fsdecode(unquote_to_bytes(os.fsencode(rest[1:])))
    if not rest.startswith("/") or path in ("", "/", ":memory:") or "?" in rest:
        raise UsageError(
            "TAGTRAY_DATABASE_URL is not accepted: a SQLite file is sqlite:////its/absolute/path, "
            "in which ? and % are written %3F and %25."
        )
    return path


def _postgresql(text: str, end: int, schema: str) -> Place:
    if not urls.NETWORK.fullmatch(text):
        raise _malformed()
    try:
        url = make_url("postgresql+psycopg://" + text[end:])
    except (ArgumentError, ValueError):
        raise _malformed() from None
    options = dict(url.query)
    for name in _FOREIGN:
        options.pop(name, None)
    schema = str(options.pop("schema", schema))
    if not re.fullmatch(SCHEMA, schema):
        raise UsageError("TAGTRAY_DATABASE_URL has a schema that is none of letters, digits and _.")
    if "ssl" in options:
        word = str(options.pop("ssl"))
        options["sslmode"] = _SSL.get(word, word)
    if url.host and url.host.lower().startswith("%2f"):  # a socket's folder, as libpq takes it
        options["host"] = unquote(url.host)
        url = url._replace(host=None)
    _refuse_unknown(options)
    return Place(url.set(query=options), schema)


def _refuse_unknown(options: Mapping[str, Any]) -> None:
    """Refuse what the server's library would refuse, without its words: they may be part of a password."""
    # Imported here: SQLite needs no client library.
    from psycopg import pq

    known = {default.keyword.decode() for default in pq.Conninfo.get_defaults()}
    if not known.issuperset(options):
        raise UsageError(
            "TAGTRAY_DATABASE_URL has an option behind its ? that PostgreSQL's library does not know; "
            f"{urls.ENCODING}."
        )


def _malformed() -> UsageError:
    return UsageError(
        "TAGTRAY_DATABASE_URL is not accepted: it should be "
        "postgresql://[user[:password]@]host[:port]/database "
        f"or sqlite:////its/absolute/path; {urls.ENCODING}."
    )
