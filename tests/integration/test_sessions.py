"""PostgreSQL as others run it: hostile defaults, poolers that keep no session, roles that may only read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text

from tagtray.app import bootstrap
from tagtray.config.errors import InfrastructureError, Refused
from tagtray.config.settings import Settings
from tagtray.db import invariants, migrate
from tagtray.db.access import engine as engines
from tagtray.db.access.transactions import read
from tagtray.db.ledger import Ledger
from tagtray.db.places import roots
from tagtray.db.reading import queries, readonly, run_stats
from tests import builders
from tools.servers import Postgres

#: What a role, a database or the client before this one may have set.
HOSTILE = {
    "datestyle": "SQL, DMY",
    "timezone": "Asia/Kathmandu",
    "intervalstyle": "sql_standard",
    "search_path": "nowhere",
    "standard_conforming_strings": "off",
    "statement_timeout": "300ms",
    "lock_timeout": "1ms",
    "idle_in_transaction_session_timeout": "1ms",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "bytea_output": "escape",
    "client_encoding": "LATIN1",
}
#: What a session holds that a pooler would hand to somebody else; nothing of it is ours.
KEPT = """
SELECT 'statement ' || name FROM pg_prepared_statements
UNION ALL SELECT 'channel ' || channel FROM pg_listening_channels() channel
UNION ALL SELECT 'cursor ' || name FROM pg_cursors
UNION ALL SELECT 'lock ' || objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
UNION ALL SELECT 'table ' || relname FROM pg_class WHERE relpersistence = 't'
UNION ALL SELECT 'setting ' || name FROM pg_settings WHERE source = 'session'
"""

#: A role that the tests share, made by the first of them.
ROLE = "DO $$ BEGIN CREATE ROLE modest LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"


@pytest.fixture
def hostile(postgres: Postgres, home: Path) -> Iterator[Settings]:
    """Settings of a database whose sessions all begin with other settings than tagtray relies on."""
    with postgres.database() as url:
        name = make_url(url).database
        for setting, value in HOSTILE.items():
            postgres.execute(f"ALTER DATABASE {name} SET {setting} = '{value}'")
        yield builders.settings_for(home, url)


@pytest.fixture
def modest(postgres: Postgres, postgres_url: str, home: Path) -> Iterator[Settings]:
    """Settings of a role that may only read a ledger with one image that failed."""
    with builders.ledger(builders.settings_for(home, postgres_url)) as ledger:
        root = builders.root(ledger, builders.settings_for(home, postgres_url))
        builders.register(ledger, root.id, 1)
        builders.execute(ledger, ROLE)
        builders.execute(ledger, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO modest")
    yield builders.settings_for(home, postgres_url.replace("postgres@", "modest@"))


def _work(settings: Settings) -> Ledger:
    """What a run does to its ledger, from the tables to results."""
    engine = engines.connect(settings)
    migrate.upgrade(engine)
    builders.sync(engine)
    ledger = Ledger(engine)
    root = builders.root(ledger, settings)
    ids = builders.running(ledger, root.id, 3)
    ledger.renew("w", 60.0)
    builders.commit(ledger, *[builders.done(i, f"{i}", builders.content()) for i in ids])
    assert invariants.check(engine, fix=True)
    assert run_stats.moment(engine).utcoffset() is not None
    assert roots.everywhere(engine, settings)
    return ledger


def test_no_setting_of_others_changes_what_tagtray_does(hostile: Settings) -> None:
    ledger = _work(hostile)

    facts = queries.image(ledger.engine, 1, b"0.jpg")
    assert facts is not None and facts.status == "done" and facts.updated_at.utcoffset() is not None
    read(ledger.engine, lambda connection: connection.execute(text("SELECT pg_sleep(0.6)")))
    with readonly.select(hostile, "SELECT label_zh, '\\' FROM top1 LIMIT 1") as answer:
        assert [tuple(row) for row in answer.rows] == [("比格犬", "\\")]
    ledger.engine.dispose()


def test_nothing_is_kept_in_a_session(home: Path, postgres_url: str) -> None:
    # Given everything that a run does to its ledger, and a reader
    settings = builders.settings_for(home, postgres_url)
    engines_used = [_work(settings).engine, engines.connect_reading(settings)]
    for engine in engines_used:
        for _ in range(10):  # psycopg would prepare a statement that comes again
            queries.image(engine, 1, b"0.jpg")

        # When a session goes back to where a pooler would take it
        with engine.connect() as connection:
            link: Any = connection.connection.driver_connection
            # Then it holds nothing
            assert link.autocommit and link.execute(KEPT).fetchall() == []
        engine.dispose()


def test_no_variable_of_another_program_chooses_the_server(home: Path, postgres_url: str) -> None:
    elsewhere = {"PGHOSTADDR": "127.0.0.9", "PGHOST": "/nowhere", "PGPORT": "1", "PGDATABASE": "another"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**elsewhere, "PGOPTIONS": "-c search_path=nowhere"}.items():
            patch.setenv(name, value)

        engine = engines.connect(builders.settings_for(home, postgres_url))
        assert migrate.upgrade(engine)
        engine.dispose()


def test_a_role_that_may_only_read_reads(modest: Settings) -> None:
    with bootstrap.reading(modest) as engine:
        assert Ledger(engine).counts()["pending"] == 1
        assert queries.failures(engine, None, 9) == ([], 0)
        assert not any(finding.rows for finding in invariants.check(engine))
    with readonly.select(modest, "SELECT count(*) FROM images") as answer:
        assert [tuple(row) for row in answer.rows] == [(1,)]


def test_what_a_role_may_not_do_is_no_outage(modest: Settings) -> None:
    with (
        bootstrap.changing(modest) as engine,
        pytest.raises(Refused, match="answers: permission denied for table images"),
    ):
        Ledger(engine).take_pending(1)
    with (
        bootstrap.reading(modest) as engine,
        pytest.raises(Refused, match="is read-only here: it is a replica, or"),
    ):
        Ledger(engine).take_pending(1)


@pytest.mark.parametrize(
    ("user", "database"), [("nobody_of_this_name", "postgres"), ("postgres", "no_such_database")]
)
def test_who_or_what_is_not_there_is_no_outage(
    home: Path, postgres_url: str, user: str, database: str
) -> None:
    url = f"postgresql://{user}@/{database}?{postgres_url.partition('?')[2]}"
    engine = engines.connect(builders.settings_for(home, url))

    with pytest.raises(Refused, match="does not exist"):
        migrate.require(engine)
    engine.dispose()


def test_a_server_that_is_away_is_an_outage(home: Path) -> None:
    engine = engines.connect(builders.settings_for(home, f"postgresql://postgres@/d?host={home}"))

    with pytest.raises(InfrastructureError) as caught:
        migrate.require(engine)

    assert not isinstance(caught.value, Refused)
    engine.dispose()


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_in_another_encoding_is_one_sentence(
    postgres: Postgres, home: Path, encoding: str
) -> None:
    name = f"in_{encoding.lower()}"
    postgres.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0")
    engine = engines.connect(builders.settings_for(home, postgres.url(name)))

    for ask in (migrate.upgrade, migrate.require):
        with pytest.raises(InfrastructureError, match=f"has the encoding {encoding}, and tagtray needs UTF8"):
            ask(engine)
    engine.dispose()
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")
