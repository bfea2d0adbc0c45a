"""A database of the first revision, with rows, comes to this version's tables with every result unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, MetaData, Table, select, text

from tagtray.config.settings import Settings
from tagtray.db import migrate, views
from tagtray.db.access import engine as engines
from tagtray.db.access.transactions import write
from tagtray.db.ledger import Ledger
from tests import builders

FIRST = "0001"
AT = "2026-11-29 12:00:00+00:00"
#: Rows as the first version wrote them: literally, whatever later ones call or add.
ROWS: dict[str, list[dict[str, Any]]] = {
    "models": [builders.MODEL | {"id": 1, "is_current": True, "created_at": AT}],
    "labels": builders.LABELS,
    "categories": builders.CATEGORIES,
    "label_categories": builders.CLOSURE,
    "thresholds": [{"model_id": 1, "wnid": "", "score": builders.TAG_THRESHOLD}],
    "roots": [{"id": 1, "name": "photos", "path": "/photos", "host": "here", "held_until": None}],
    "contents": [
        {"id": number, "sha256": builders.sha(str(number)), "format": "JPEG", "width": 640, "height": 480}
        | {"taken_at": "2024-05-01 10:00:00", "taken_from": "exif", "camera": "Kamera"}
        | {"color": "#102030", "partial": False}
        for number in (1, 2)
    ],
    "images": [
        {"id": 1, "path": "a.jpg", "path_raw": None, "content_id": 1, "status": "done"},
        {"id": 2, "path": "copy of a.jpg", "path_raw": None, "content_id": 1, "status": "done"},
        {"id": 3, "path": "b\ufffd.jpg", "path_raw": b"b\xff.jpg", "content_id": 2, "status": "done"},
        {"id": 4, "path": "c.jpg", "path_raw": None, "content_id": None, "status": "failed"},
        {"id": 5, "path": "d.jpg", "path_raw": None, "content_id": None, "status": "pending"},
    ],
    "classifications": [
        {"content_id": number, "model_id": 1, "engine": "torch", "precision": "fp32"}
        | {"decode": "draft", "classified_at": AT}
        for number in (1, 2)
    ],
    "predictions": [
        {"content_id": content, "model_id": 1, "rank": rank, "class_index": rank, "score": 0.8 / rank}
        for content in (1, 2)
        for rank in (1, 2, 3)
    ],
    "tags": [{"content_id": 1, "model_id": 1, "wnid": "c_dog", "score": 0.9}],
    "features": [{"content_id": 1, "model_id": 1, "vector": b"\x00\x3c" * 512}],
}
#: What every row of images has besides.
IMAGE = {
    **{
        "root_id": 1,
        "size_bytes": 10,
        "mtime_ns": 1,
        "ctime_ns": 1,
        "inode": 7,
        "priority": 1,
        "attempts": 0,
    },
    **{"worker": None, "lease_until": None, "not_before": None, "queued_at": None},
    **{"first_seen_at": AT, "updated_at": AT},
}


@pytest.fixture
def engine(host: Settings) -> Iterator[Engine]:
    engine = engines.connect(host)
    yield engine
    engine.dispose()


def test_a_database_of_the_first_revision_upgrades_with_its_results(engine: Engine) -> None:
    # Given a database that the first version made and filled
    write(engine, _begin)
    before = {table: _rows(engine, table) for table in ROWS}

    # When this version upgrades it
    assert migrate.upgrade(engine) is (migrate.REVISION != FIRST)
    migrate.require(engine)

    # Then every row is what it was, new columns apart
    for table, rows in before.items():
        after = _rows(engine, table)
        assert [{key: row[key] for key in old} for row, old in zip(after, rows, strict=True)] == rows, table

    # And people see the same
    with engine.connect() as connection:
        top = connection.execute(text("SELECT path, label, score FROM top1 ORDER BY path")).all()
        tags = connection.execute(text("SELECT path, category FROM image_tags ORDER BY path")).all()
        failed = connection.execute(text("SELECT path, error_code FROM failures")).all()
    assert [(path, label, round(score, 6)) for path, label, score in top] == [
        ("a.jpg", "beagle", 0.8),
        ("b\ufffd.jpg", "beagle", 0.8),
        ("copy of a.jpg", "beagle", 0.8),
    ]
    assert [tuple(row) for row in tags] == [("a.jpg", "dog"), ("copy of a.jpg", "dog")]
    assert [tuple(row) for row in failed] == [("c.jpg", "corrupt")]

    # And work goes on with it
    ledger = Ledger(engine)
    (image,) = ledger.take_pending(10)
    assert [claimed.id for claimed in ledger.claim([image.id], "w", 60.0, 1)] == [5]
    builders.commit(ledger, builders.done(5, "new", builders.content()))
    assert builders.status(ledger, 5) == ["done"]


def _begin(connection: Connection) -> None:
    """Make the tables and views of the first revision, and their rows."""
    config = Config()
    config.set_main_option("script_location", str(migrate.FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, FIRST)
    if migrate.REVISION == FIRST:
        views.create(connection)
    for name, rows in ROWS.items():
        table = Table(name, MetaData(), autoload_with=connection)
        more: dict[str, Any] = IMAGE if name == "images" else {}
        for row in rows:
            values = more | {"error_code": None, "error_message": None} | row if more else row
            if values.get("status") == "failed":
                values |= {"error_code": "corrupt", "error_message": "It is damaged."}
            columns = ", ".join(values)
            marks = ", ".join(f":{column}" for column in values)
            statement = text(f"INSERT INTO {table.name} ({columns}) VALUES ({marks})")
            connection.execute(statement, {key: _plain(value) for key, value in values.items()})
        if connection.dialect.name == "postgresql" and "id" in table.c:
            # Which counts from what was entered, as after rows that got their ids from it.
            sequence = f"pg_get_serial_sequence('{name}', 'id')"
            connection.execute(text(f"SELECT setval({sequence}, max(id)) FROM {name}"))


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict) else value


def _rows(engine: Engine, name: str) -> list[dict[str, Any]]:
    table = Table(name, MetaData(), autoload_with=engine)
    with engine.connect() as connection:
        found = connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()
        return [dict(row) for row in found]
