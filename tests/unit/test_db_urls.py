"""Forms of a database's URL: what other programs write is taken, or answered with the form that is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tagtray.config import urls as forms
from tagtray.config.errors import UsageError
from tagtray.db.access import urls
from tests import builders


def _place(home: Path, url: str, **options: str) -> urls.Place:
    return urls.place(builders.settings_for(home, url, **options))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@h:5/d",
        "postgres://u:p@h:5/d",
        "pgsql://u:p@h:5/d",
        "PostgreSQL://u:p@h:5/d",
        "postgresql+psycopg://u:p@h:5/d",
        "postgresql+psycopg2://u:p@h:5/d",
        "postgresql+asyncpg://u:p@h:5/d",
        "postgresql+pg8000://u:p@h:5/d",
        " 'postgresql://u:p@h:5/d'\r\n",
        "postgresql://u:p@h:5/d?pgbouncer=true&connection_limit=1",
    ],
)
def test_every_driver_of_postgresql_becomes_the_one_that_tagtray_has(home: Path, url: str) -> None:
    found = _place(home, url)

    assert found.url.render_as_string(hide_password=False) == "postgresql+psycopg://u:p@h:5/d"
    assert found.schema == "public"


def test_a_schema_in_the_url_wins_over_the_setting(home: Path) -> None:
    assert _place(home, "postgresql://h/d?schema=prisma", database_schema="own").schema == "prisma"
    assert _place(home, "postgresql://h/d", database_schema="own").schema == "own"


@pytest.mark.parametrize(
    ("written", "meant"), [("ssl=true", "require"), ("ssl=verify-full", "verify-full"), ("ssl=0", "prefer")]
)
def test_ssl_is_sslmode(home: Path, written: str, meant: str) -> None:
    assert _place(home, f"postgresql://h/d?{written}").url.query == {"sslmode": meant}


def test_a_socket_folder_may_stand_where_the_host_stands(home: Path) -> None:
    found = _place(home, "postgresql://u@%2Frun%2Fmy%20pg/d").url

    assert (found.host, dict(found.query)) == (None, {"host": "/run/my pg"})


def test_what_a_password_holds_is_percent_encoded(home: Path) -> None:
    found = _place(home, "postgresql://u%40w:%40%3A%2F%3F%23%25@h/d%20e").url

    assert (found.username, found.password, found.database) == ("u@w", "@:/?#%", "d e")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:geheim@half@host/db",
        "postgresql://me:12/geheim@host/db",
        "postgresql://me:12?geheim@host/db",
        "postgresql://me:12?geheim=host",
        "postgresql://me:12#geheim@host/db",
        "postgresql://me:geheim/db",
        "postgresql://h:port/d",
        "host=h user=me password=geheim dbname=d",
        "jdbc:postgresql://h/d?password=geheim",
        "nonsense",
        "://",
        "\ud800",
    ],
)
def test_what_can_be_read_in_two_ways_is_answered_with_the_form(home: Path, url: str) -> None:
    with pytest.raises(UsageError) as caught:
        _place(home, url)

    sentence = str(caught.value)
    assert sentence.startswith("TAGTRAY_DATABASE_URL ") and "\n" not in sentence
    assert forms.ENCODING in sentence
    assert "geheim" not in sentence and "half" not in sentence and "12" not in sentence.replace("%25", "")


@pytest.mark.parametrize("url", ["mysql://h/d", "sqlite+aiosqlite:////x.db", "http://h/d"])
def test_another_database_is_refused_by_its_name(home: Path, url: str) -> None:
    name = url.partition(":")[0]
    with pytest.raises(UsageError, match=f"names {name.replace('+', '.')}; tagtray keeps its ledger in SQL"):
        _place(home, url)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////a b/'c\".db", "/a b/'c\".db"),
        ("sqlite:////a\nb/#c.db", "/a\nb/#c.db"),
        ("sqlite:////a%3Fb%25c%20d.db", "/a?b%c d.db"),
        ("sqlite:////100%.db", "/100%.db"),
        ("sqlite:////a%FFb.db", os.fsdecode(b"/a\xffb.db")),
        ("sqlite:////" + os.fsdecode(b"a\xffb.db"), os.fsdecode(b"/a\xffb.db")),
        ("sqlite+pysqlite:///relative.db", "relative.db"),
    ],
)
def test_a_sqlite_file_may_have_any_name(home: Path, url: str, path: str) -> None:
    assert _place(home, url).url.database == path


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://file.db", "sqlite:////a?b.db", "sqlite:////"]
)  # fmt: skip
def test_a_sqlite_url_of_no_file_is_answered_with_the_form(home: Path, url: str) -> None:
    with pytest.raises(UsageError, match="a SQLite file is sqlite:////its/absolute/path"):
        _place(home, url)


@pytest.mark.parametrize("schema", ["1a", "a b", "a;b", "information_schema.x", "x" * 64])
def test_a_schema_that_is_none_is_refused(home: Path, schema: str) -> None:
    with pytest.raises(UsageError):
        _place(home, f"postgresql://h/d?schema={schema}")
    with pytest.raises(UsageError, match="TAGTRAY_DATABASE_SCHEMA="):
        _place(home, "postgresql://h/d", database_schema=schema)


def test_where_shows_neither_password_nor_options(home: Path) -> None:
    found = _place(home, "postgresql://me:geheim@h:5/d?sslpassword=geheim").url

    assert urls.where(found) == "postgresql://me:***@h:5/d"
