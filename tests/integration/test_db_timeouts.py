"""What a process that is frozen or a statement that never ends does to PostgreSQL: nothing for long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

from tagtray.config.errors import InfrastructureError
from tagtray.db.access import engine as engines
from tagtray.db.access import transactions
from tests import builders


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second for a statement, and for a transaction between two."""
    monkeypatch.setitem(engines.SESSION, "statement_timeout", "1s")
    monkeypatch.setitem(engines.SESSION, "idle_in_transaction_session_timeout", "1s")


@pytest.fixture
def database(home: Path, postgres_url: str) -> Iterator[Engine]:
    engine = engines.connect(builders.settings_for(home, postgres_url))
    yield engine
    engine.dispose()


def test_each_transaction_brings_its_own_limits(database: Engine) -> None:
    names = ("statement_timeout", "idle_in_transaction_session_timeout")

    with database.begin() as connection:
        inside = [connection.execute(text(f"SHOW {name}")).scalar_one() for name in names]
    with database.connect() as connection:
        link = connection.connection.driver_connection
        assert link is not None
        outside = [link.execute(f"SHOW {name}").fetchone()[0] for name in names]

    assert inside == ["5min", "1min"]
    assert outside == ["0", "0"], "a session may be another's in a moment"


@pytest.mark.usefixtures("short")
def test_a_statement_that_never_ends_is_one_sentence(database: Engine) -> None:
    with pytest.raises(InfrastructureError, match=r"canceling statement due to statement timeout\.$"):
        transactions.read(database, lambda connection: connection.execute(text("SELECT pg_sleep(60)")))


@pytest.mark.usefixtures("short")
def test_a_transaction_that_fell_asleep_is_ended_and_tried_again(database: Engine) -> None:
    tries: list[int] = []

    def work(connection: Connection) -> int:
        tries.append(connection.execute(text("SELECT 1")).scalar_one())
        if len(tries) == 1:
            time.sleep(2)
        return int(connection.execute(text("SELECT 2")).scalar_one())

    assert transactions.write(database, work) == 2
    assert len(tries) >= 2


def test_a_transaction_is_rolled_back_as_a_whole(database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(text("CREATE TABLE t (i int)"))

    def work(connection: Connection) -> None:
        connection.execute(text("INSERT INTO t VALUES (1)"))
        raise KeyError

    with pytest.raises(KeyError):
        transactions.write(database, work)

    with database.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM t")).scalar_one() == 0


def test_what_the_url_says_of_the_connection_is_kept(home: Path, postgres_url: str) -> None:
    engine = engines.connect(builders.settings_for(home, postgres_url + "&keepalives_idle=7"))

    with engine.connect() as connection:
        link = connection.connection.driver_connection
        assert link is not None
        parameters = link.info.get_parameters()
    engine.dispose()

    assert (parameters["keepalives_idle"], parameters["keepalives_count"]) == ("7", "3")
