"""The database's clock, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, insert, literal, select

from tagtray.db import clock
from tagtray.db.access import engine as engines
from tests import builders

moments = Table("moments", MetaData(), Column("id", Integer), Column("at", clock.UtcDateTime))


@pytest.fixture
def engine(home: Path, ledger_url: str) -> Iterator[Engine]:
    engine = engines.connect(builders.settings_for(home, ledger_url))
    moments.metadata.create_all(engine)
    yield engine
    engine.dispose()


def test_now_is_this_moment_in_utc(engine: Engine) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=2)  # SQLite counts milliseconds

    with engine.connect() as connection:
        moment = connection.execute(select(clock.now())).scalar_one()

    assert moment.tzinfo is UTC
    assert before <= moment <= datetime.now(UTC) + timedelta(milliseconds=2)


@pytest.mark.parametrize("seconds", [-86_400.0, -10.0, -0.5, 0.001, 0.25, 1, 30.0, 86_400.0, 1e9])
def test_after_adds_seconds(engine: Engine, seconds: float) -> None:
    with engine.connect() as connection:
        row = connection.execute(select(clock.now(), clock.after(seconds))).one()

    assert abs((row[1] - row[0]).total_seconds() - seconds) < 0.05


def test_seconds_may_be_an_expression(engine: Engine) -> None:
    with engine.connect() as connection:
        late = connection.execute(select(clock.after(literal(3600.0)))).scalar_one()

    assert timedelta(minutes=59) < late - datetime.now(UTC) < timedelta(minutes=61)


def test_a_lease_is_compared_where_it_is_stored(engine: Engine) -> None:
    with engine.begin() as connection:
        for number, seconds in enumerate([-0.2, 60.0]):
            connection.execute(insert(moments).values(id=number, at=clock.after(seconds)))

        lapsed = connection.scalars(select(moments.c.id).where(moments.c.at < clock.now())).all()
        held = connection.scalars(select(moments.c.id).where(moments.c.at >= clock.now())).all()

    assert (lapsed, held) == ([0], [1])


def test_a_moment_of_any_zone_comes_back_in_utc(engine: Engine) -> None:
    given = datetime(2024, 2, 29, 23, 59, 59, 123_000, timezone(timedelta(hours=9)))

    with engine.begin() as connection:
        connection.execute(insert(moments).values(id=1, at=given))
        stored = connection.execute(select(moments.c.at)).scalar_one()

    assert stored == given
    assert stored.tzinfo is UTC


def test_python_moments_and_the_databases_compare(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(insert(moments).values(id=1, at=datetime.now(UTC) - timedelta(seconds=5)))
        connection.execute(insert(moments).values(id=2, at=datetime.now(UTC) + timedelta(seconds=5)))
        past = connection.scalars(select(moments.c.id).where(moments.c.at < clock.now())).all()

    assert past == [1]
