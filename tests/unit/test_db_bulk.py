"""Statements for many rows, past SQLAlchemy's work for each: they store what it stores."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, create_engine, insert, select, update

from tagtray.db.access import bulk
from tagtray.db.tables import Base, Classification, Content, Feature, Image, Status

CONTENT: dict[str, Any] = {
    "sha256": "a",
    "format": "JPEG",
    "width": 4,
    "height": 3,
    "taken_at": datetime(2024, 5, 17, 12, 30, 1, 250_000),
    "taken_from": None,
    "camera": "a camera",
    "color": None,
    "partial": True,
}


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def test_rows_are_stored_as_sqlalchemy_stores_them(connection: Connection) -> None:
    bulk.execute(connection, insert(Content), [CONTENT, {**CONTENT, "sha256": "b", "taken_at": None}])
    connection.execute(insert(Content), [{**CONTENT, "sha256": "c"}])

    first, second, third = connection.exec_driver_sql("SELECT * FROM contents ORDER BY id").all()
    assert first[2:] == third[2:]
    assert (second.sha256, second.taken_at) == ("b", None)
    assert connection.scalar(select(Content.taken_at).where(Content.id == 1)) == CONTENT["taken_at"]


def test_a_moment_is_stored_in_utc(connection: Connection) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)
    how = {"content_id": 1, "model_id": 1, "engine": "torch", "precision": "fp32", "decode": "draft"}

    bulk.execute(connection, insert(Classification), [{**how, "classified_at": moment}])

    assert connection.scalars(select(Classification.classified_at)).all() == [moment]


def test_bytes_are_stored(connection: Connection) -> None:
    bulk.execute(connection, insert(Feature), [{"content_id": 1, "model_id": 1, "vector": b"\0\xff"}])

    assert connection.scalars(select(Feature.vector)).all() == [b"\0\xff"]


def test_an_update_has_its_own_values_and_those_of_each_row(connection: Connection) -> None:
    bulk.execute(connection, insert(Content), [{**CONTENT, "sha256": name} for name in "abc"])
    statement = update(Content).where(Content.sha256 == bindparam("which"))

    renamed = statement.values(format="PNG", taken_at=None, width=bindparam("pixels"))
    bulk.execute(connection, renamed, [{"which": "a", "pixels": 7}, {"which": "b", "pixels": 8}])

    columns = select(Content.sha256, Content.format, Content.width, Content.taken_at).order_by(Content.id)
    assert connection.execute(columns).all() == [
        ("a", "PNG", 7, None),
        ("b", "PNG", 8, None),
        ("c", "JPEG", 4, CONTENT["taken_at"]),
    ]


def test_no_rows_are_no_statement(connection: Connection) -> None:
    bulk.execute(connection, insert(Content), [])

    assert connection.scalars(select(Content.id)).all() == []


def test_a_default_that_only_sqlalchemy_would_fill_in_is_not_forgotten(connection: Connection) -> None:
    with pytest.raises(ValueError, match="defaults"):
        bulk.execute(connection, insert(Image), [{"root_id": 1, "path": "a", "status": Status.PENDING}])
