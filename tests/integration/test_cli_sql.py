"""``tagtray sql`` on both databases: what reads is answered, what writes is refused by the database."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tagtray.config import settings as configuration
from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.db.reading import readonly
from tests import builders

#: Refused by both databases.
WRITES = [
    "INSERT INTO roots (name, path) VALUES ('x', '/x')",
    "UPDATE images SET status = 'done'",
    "DELETE FROM images",
    "DROP VIEW top1",
    "CREATE TABLE x (a int)",
    "CREATE TEMPORARY TABLE x (a int)",
    "ALTER TABLE images RENAME TO pictures",
    "WITH x AS (SELECT 1) DELETE FROM images",
    "WITH x AS (DELETE FROM images RETURNING id) SELECT * FROM x",
    "DELETE FROM images RETURNING id",
    "SELECT 1; DELETE FROM images",
    "SELECT 1; COMMIT; DELETE FROM images",
    "COMMIT",
    "BEGIN",
    "VACUUM",
    "",
    "-- nothing",
    "not SQL",
    "SELECT * FROM nothing",
    "SELECT '\x00'",
]
WRITES_OF_SQLITE = [
    "ATTACH 'other.db' AS other",
    "ATTACH ':memory:' AS other",
    "DETACH main",
    "VACUUM INTO 'other.db'",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA query_only = OFF",
    "PRAGMA writable_schema = ON",
    "SELECT load_extension('x')",
    "SELECT * FROM pragma_journal_mode('delete')",
    "EXPLAIN DELETE FROM images",
    "REINDEX",
    "ANALYZE",
]
WRITES_OF_POSTGRESQL = [
    "COPY images TO '/tmp/x'",
    "COPY images TO PROGRAM 'touch /tmp/x'",
    "COPY (SELECT 1) TO STDOUT",
    "SELECT nextval('images_id_seq')",
    "SELECT setval('images_id_seq', 1)",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT query_to_xml('DELETE FROM images', false, false, '')",
    "SELECT * INTO other FROM images",
    "SELECT * FROM images FOR UPDATE",
    "SET ROLE postgres",
    "SET TRANSACTION READ WRITE",
    "DO $$ BEGIN DELETE FROM images; END $$",
    "CALL x()",
    "EXPLAIN ANALYZE DELETE FROM images",
    "LOCK TABLE images",
    "NOTIFY x",
    "MERGE INTO images USING roots ON true WHEN MATCHED THEN DELETE",
    "EXECUTE x",
    "SELECT 1) TO STDOUT",
]


@pytest.fixture
def ledger(ledger: Ledger, host: Settings) -> Ledger:
    """Three images that are done."""
    root = builders.root(ledger, host)
    ids = builders.running(ledger, root.id, 3)
    builders.commit(ledger, *[builders.done(i, f"{i}", builders.content()) for i in ids])
    return ledger


def _rows(settings: Settings, statement: str) -> list[tuple[object, ...]]:
    with readonly.select(settings, statement) as answer:
        return [tuple(row) for row in answer.rows]


def _all(ledger: Ledger) -> list[tuple[object, ...]]:
    return builders.query(ledger, "SELECT * FROM images ORDER BY id") + builders.query(
        ledger, "SELECT * FROM roots"
    )


def _is_refused(host: Settings, ledger: Ledger, statement: str) -> None:
    before = _all(ledger)
    with pytest.raises(UsageError, match=r"^[A-Z].*\.$") as refused:
        _rows(host, statement)
    assert "\n" not in str(refused.value)
    assert _all(ledger) == before


@pytest.mark.parametrize("statement", WRITES)
def test_what_is_no_select_is_refused(host: Settings, ledger: Ledger, statement: str) -> None:
    _is_refused(host, ledger, statement)


@pytest.mark.parametrize("statement", WRITES_OF_SQLITE)
def test_sqlite_refuses(home: Path, statement: str) -> None:
    settings = builders.settings_for(home, f"sqlite:///{home / 'tagtray.db'}")
    with builders.ledger(settings) as ledger:
        _is_refused(settings, ledger, statement)
        assert ledger.engine.connect().exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    assert not list(home.glob("other*")) and not Path("other.db").exists()


@pytest.mark.parametrize("statement", WRITES_OF_POSTGRESQL)
def test_postgresql_refuses(home: Path, postgres_url: str, statement: str) -> None:
    settings = builders.settings_for(home, postgres_url)
    with builders.ledger(settings) as ledger:
        _is_refused(settings, ledger, statement)
        assert builders.query(ledger, "SELECT last_value, is_called FROM images_id_seq") == [(1, False)]


@pytest.mark.parametrize(
    ("statement", "rows"),
    [
        (
            "SELECT path, label, label_zh, score FROM top1 ORDER BY path LIMIT 1",
            [("0.jpg", "beagle", "比格犬", 0.7)],
        ),
        ("SELECT count(*) FROM results", [(9,)]),
        (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT * FROM n",
            [(1,), (2,), (3,)],
        ),
        ("VALUES (1, 'a'), (2, NULL)", [(1, "a"), (2, None)]),
        ("SELECT 1 AS a, 2 AS a -- a comment", [(1, 2)]),
        ("SELECT '100%' || lower('%S')", [("100%%s",)]),
        ("SELECT ';'", [(";",)]),
        ("SELECT path FROM top1 WHERE 1 = 0", []),
    ],
)
def test_a_select_is_answered(
    host: Settings, ledger: Ledger, statement: str, rows: list[tuple[object, ...]]
) -> None:
    assert _rows(host, statement) == rows


def test_columns_are_named_even_without_rows(host: Settings, ledger: Ledger) -> None:
    with readonly.select(host, "SELECT path, score FROM top1 WHERE 1 = 0") as answer:
        assert list(answer.columns) == ["path", "score"]


def test_rows_come_as_they_are_found(host: Settings, ledger: Ledger) -> None:
    # Given a query that fails on a late row
    series = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
    with readonly.select(host, f"{series} SELECT i FROM n") as answer:
        # When one row is read, then the others need not be
        assert next(answer.rows) == (1,)


def test_a_reader_does_not_wait_for_a_writer(host: Settings, ledger: Ledger) -> None:
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE images SET status = 'missing'")

        assert _rows(host, "SELECT count(*) FROM top1") == [(3,)]


@pytest.mark.parametrize("name", ["plain", "a?b#c%20d", "with space", "é猫"])
def test_a_home_of_any_name_is_opened(home: Path, name: str) -> None:
    settings = configuration.load(home=home / name)
    with builders.ledger(settings) as ledger:
        assert ledger.counts()["done"] == 0

        assert _rows(settings, "SELECT count(*) FROM roots") == [(0,)]


def test_without_a_ledger_there_is_a_sentence_and_no_file(home: Path) -> None:
    with pytest.raises(UsageError, match="There is no ledger"):
        _rows(configuration.load(home=home), "SELECT 1")

    assert os.listdir(home) == []


def test_a_database_that_is_away_is_infrastructure(home: Path) -> None:
    settings = builders.settings_for(home, f"postgresql://me:secret@/none?host={home}")

    with pytest.raises(InfrastructureError) as error:
        _rows(settings, "SELECT 1")
    assert "secret" not in str(error.value)
    assert "/none cannot be reached: connection " in str(error.value)
