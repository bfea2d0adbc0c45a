"""Which databases are accepted, how SQLite is set up, and what a database error tells a user."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from tagtray.config import settings as configuration
from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.db import migrate
from tagtray.db.access import engine as engines
from tagtray.db.access import sqlite, transactions
from tests import builders


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "mysql://h/d",
        "sqlite+aiosqlite:////x.db",
        "postgresql://h:port/d",
        "://",
        "\ud800",
    ],
)
def test_a_url_of_no_use_is_refused_in_one_sentence_without_its_secrets(home: Path, url: str) -> None:
    with pytest.raises(UsageError) as caught:
        engines.connect(builders.settings_for(home, url))

    assert str(caught.value).startswith("TAGTRAY_DATABASE_URL ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a?b", "a#b", "a%20b", "a b", "\u00fc", os.fsdecode(b"\xff")])
def test_the_home_may_have_any_name(home: Path, name: str) -> None:
    odd = home / name
    engine = engines.connect(configuration.load(home=odd))

    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (i)"))
    engine.dispose()

    assert [path.name for path in odd.iterdir()] == ["tagtray.db"]
    assert odd.stat().st_mode & 0o777 == 0o700


def test_a_home_that_cannot_be_made_is_one_sentence(home: Path) -> None:
    (home / "file").write_text("in the way")

    with pytest.raises(InfrastructureError, match=r"^TAGTRAY_HOME .* cannot be made: .*\.$"):
        engines.connect(configuration.load(home=home / "file" / "below"))


def test_sqlite_is_set_up_for_many_processes(settings: configuration.Settings) -> None:
    engine = engines.connect(settings)
    migrate.upgrade(engine)

    with engine.connect() as connection:
        pragmas = [
            connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "busy_timeout", "foreign_keys")
        ]
    engine.dispose()

    assert pragmas == ["wal", 5000, 1]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:geheim@127.0.0.1:1/d",
        "postgresql://127.0.0.1:1/d?user=ada&password=geheim",
        "sqlite:////does/not/exist/x.db",
    ],
)
def test_a_database_that_is_away_is_one_sentence_without_its_password(home: Path, url: str) -> None:
    engine = engines.connect(builders.settings_for(home, url))

    with pytest.raises(InfrastructureError) as caught:
        transactions.read(engine, lambda connection: connection.execute(text("SELECT 1")))
    engine.dispose()

    sentence = str(caught.value)
    assert sentence.startswith("The database ")
    assert "geheim" not in sentence
    assert "\n" not in sentence and sentence.endswith(".") and not sentence.endswith("..")


def test_a_new_file_that_another_process_is_about_to_set_up_is_waited_for(
    settings: configuration.Settings,
) -> None:
    # Given a file that another one has locked before it is in WAL mode: SQLite would not wait for it
    other = sqlite3.connect(settings.home / "tagtray.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.2, other.execute, ["COMMIT"])
    timer.start()

    # When it is brought to its tables
    engine = engines.connect(settings)
    migrate.upgrade(engine)
    with engine.connect() as connection:
        mode = connection.execute(text("PRAGMA journal_mode")).scalar_one()
    engine.dispose()
    timer.join()
    other.close()

    # Then it is in WAL mode
    assert mode == "wal"


def test_a_file_that_is_no_database_is_one_sentence(home: Path) -> None:
    (home / "tagtray.db").write_bytes(b"not a database at all" * 200)
    engine = engines.connect(configuration.load(home=home))

    with pytest.raises(InfrastructureError, match="file is not a database"):
        transactions.write(engine, lambda connection: connection.execute(text("SELECT 1")))
    engine.dispose()


def test_a_write_lock_that_another_holds_for_a_moment_is_waited_for(
    settings: configuration.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_MS", 1)
    engine = engines.connect(settings)
    tries = []
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (i)"))
    other = sqlite3.connect(settings.home / "tagtray.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    def wait(seconds: float) -> None:
        tries.append(seconds)
        if len(tries) == 2:
            other.execute("COMMIT")

    monkeypatch.setattr(time, "sleep", wait)
    transactions.write(engine, lambda connection: connection.execute(text("INSERT INTO t VALUES (1)")))
    engine.dispose()

    assert tries == list(transactions.RETRY_DELAYS[:2])
    assert other.execute("SELECT count(*) FROM t").fetchone() == (1,)
    other.close()


def test_a_write_lock_that_stays_ends_in_one_sentence(
    settings: configuration.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_MS", 1)
    monkeypatch.setattr(transactions, "RETRY_DELAYS", (0.001, 0.001))
    engine = engines.connect(settings)
    engine.connect().close()
    other = sqlite3.connect(settings.home / "tagtray.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(InfrastructureError, match=r"^The database /.* is locked by another program\.$"):
        transactions.write(engine, lambda connection: connection.execute(text("SELECT 1")))
    other.close()
    engine.dispose()


def test_readers_never_wait_for_a_writer(settings: configuration.Settings) -> None:
    engine = engines.connect(settings)
    migrate.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (i)"))

    with engines.transaction(engine, writes=True):
        found = transactions.read(engine, lambda c: c.execute(text("SELECT count(*) FROM t")).scalar_one())
    engine.dispose()

    assert found == 0


def test_a_transaction_that_reads_takes_no_lock_after_one_that_wrote(
    settings: configuration.Settings,
) -> None:
    engine = engines.connect(settings)
    migrate.upgrade(engine)
    transactions.write(engine, lambda connection: connection.execute(text("SELECT 1")))

    with engines.transaction(engine, writes=False), engines.transaction(engine, writes=True):
        pass
    engine.dispose()
