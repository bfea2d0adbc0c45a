"""A SQLite ledger where it can be read and not written, where there is no room, and where others hold it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from tagtray.app import bootstrap
from tagtray.config import settings as configuration
from tagtray.config.errors import InfrastructureError, Locked, Refused
from tagtray.config.settings import Settings
from tagtray.db.access import sqlite, transactions
from tagtray.db.ledger import Ledger
from tagtray.db.reading import readonly
from tests import builders


@pytest.fixture
def made(settings: Settings) -> Iterator[Settings]:
    """Settings of a ledger at rest with three images; nobody has it open."""
    with builders.ledger(settings) as ledger:
        builders.register(ledger, builders.root(ledger, settings).id, 3)
    yield settings


def _counted(settings: Settings) -> list[int]:
    """The images as a command reads them, and as ``tagtray sql`` does."""
    with bootstrap.reading(settings) as engine:
        first = Ledger(engine).counts()["pending"]
    with readonly.select(settings, "SELECT count(*) FROM images") as answer:
        return [first, *(int(row[0]) for row in answer.rows)]


def _no_index(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Have SQLite fail to make the index of the log, as it does without room or permission."""
    opened = sqlite._opened

    def fail(path: str, how: str, busy_seconds: float) -> sqlite3.Connection:
        if how == "mode=ro":
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = code
            raise error
        return opened(path, how, busy_seconds)

    monkeypatch.setattr(sqlite, "_opened", fail)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_CANTOPEN, 10 | 19 << 8, sqlite3.SQLITE_READONLY | 5 << 8])
def test_a_ledger_is_read_where_nothing_can_be_made_beside_it(
    made: Settings, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    _no_index(monkeypatch, code)

    assert _counted(made) == [3, 3]


def test_changes_that_are_not_in_the_file_yet_are_not_passed_over(
    made: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a copy of a ledger whose log still holds changes
    with builders.ledger(made) as ledger, ledger.engine.connect() as connection:
        connection.execute(text("UPDATE images SET status = 'done'"))
        connection.commit()
        copy = made.home / "copy"
        copy.mkdir()
        for name in ("tagtray.db", "tagtray.db-wal"):
            shutil.copy(made.home / name, copy / name)
    assert (copy / "tagtray.db-wal").stat().st_size

    # When it lies where the log cannot be read
    _no_index(monkeypatch, sqlite3.SQLITE_CANTOPEN)

    # Then that is said, rather than old answers given
    with pytest.raises(InfrastructureError):
        _counted(configuration.load(home=copy))


def test_who_reads_sees_what_another_process_has_just_written(made: Settings) -> None:
    with builders.ledger(made) as ledger:
        builders.execute(ledger, "DELETE FROM images WHERE path = '0.jpg'")

        assert _counted(made) == [2, 2]


def test_a_file_that_may_not_be_written_is_no_outage(made: Settings) -> None:
    with (
        bootstrap.reading(made) as engine,
        pytest.raises(Refused, match="is read-only here: its file or its folder may not be written"),
    ):
        Ledger(engine).take_pending(1)


def test_a_full_disk_is_an_outage_that_says_so(made: Settings) -> None:
    # Given a file that cannot grow
    with bootstrap.changing(made) as engine:

        def fill(connection: Connection) -> None:
            columns = "label_set, class_index, name, name_zh, aliases"
            statement = text(f"INSERT INTO labels ({columns}) VALUES ('x', 0, :name, '', '')")
            connection.execute(statement, {"name": "x" * 99_999})

        def grow_to(pages: int) -> None:
            with engine.connect() as connection:
                connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

        grow_to(1)
        with pytest.raises(InfrastructureError, match=r"cannot be written: the disk is full\.$") as caught:
            transactions.write(engine, fill)
        assert not isinstance(caught.value, Refused)

        # When there is room again, then the same work is done
        grow_to(1_000_000)
        transactions.write(engine, fill)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (sqlite3.SQLITE_FULL, "cannot be written: the disk is full"),
        (10 | 4874, "cannot be written: the disk is full"),
        (sqlite3.SQLITE_BUSY, "is locked by another program"),
        (sqlite3.SQLITE_CANTOPEN, "cannot be opened: its folder does not exist"),
        (sqlite3.SQLITE_CORRUPT, "answers: said"),
        (None, "answers: said"),
    ],
)
def test_a_code_of_sqlite_has_its_words(
    monkeypatch: pytest.MonkeyPatch, code: int | None, words: str
) -> None:
    error = sqlite3.OperationalError("said.")
    if code is not None:
        error.sqlite_errorcode = code
    full = os.statvfs_result((4096, 4096, 100, 0, 0, 1, 1, 1, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _path: full)

    assert sqlite.describe(error, "/no/such/folder/x.db") == words


def test_who_is_locked_out_knows_by_whom(made: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_MS", 1)
    monkeypatch.setattr(transactions, "RETRY_DELAYS", ())
    other = sqlite3.connect(made.home / "tagtray.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with bootstrap.changing(made) as engine, pytest.raises(Locked, match="is locked by another program"):
        Ledger(engine).take_pending(1)

    other.close()


@pytest.mark.parametrize("name", ["gone/ledger.db", "file/ledger.db"])
def test_a_file_in_no_folder_is_one_sentence(home: Path, name: str) -> None:
    (home / "file").touch()
    settings = builders.settings_for(home, f"sqlite:///{home / name}")

    with pytest.raises(InfrastructureError, match=r"cannot be opened: its folder does not exist\.$"):
        bootstrap.bring_up(settings)
