"""Upkeep: room comes back, and a copy made while others write is a whole ledger."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.config.settings import Settings
from tagtray.db import migrate, upkeep
from tagtray.db.access import engine as engines
from tagtray.db.ledger import Ledger
from tests import builders


def test_a_vacuum_changes_no_row_and_gives_room_back(ledger: Ledger, root: int) -> None:
    # Given a ledger from which much was removed
    builders.register(ledger, root, 20_000, prefix="a folder with a long name/")
    before = upkeep.size(ledger.engine)
    builders.execute(ledger, "DELETE FROM images WHERE id > 10")

    # When it is vacuumed
    upkeep.vacuum(ledger.engine)

    # Then it is smaller (PostgreSQL gives back what is free at the end of a table), and the rest is there
    assert upkeep.size(ledger.engine) < before
    assert builders.query(ledger, "SELECT count(*) FROM images") == [(10,)]


def test_a_copy_made_while_others_write_is_a_whole_ledger(home: Path, tmp_path: Path) -> None:
    # Given a ledger into which somebody writes all the time
    settings = builders.settings_for(home, f"sqlite:///{home / 'tagtray.db'}")
    with builders.ledger(settings) as ledger:
        root = builders.root(ledger, settings).id
        builders.register(ledger, root, 20_000)
        ended = threading.Event()
        writer = threading.Thread(target=_write, args=(ledger, root, ended))
        writer.start()

        # When it is copied
        copy = tmp_path / "copy.db"
        size = upkeep.backup(ledger.engine, copy)
        ended.set()
        writer.join()

    # Then the copy is one file, whole, with all that was there before
    assert [path.name for path in tmp_path.iterdir()] == ["copy.db"]
    assert copy.stat().st_size == size
    assert copy.stat().st_mode & 0o077 == 0
    with sqlite3.connect(copy) as link:
        assert link.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    link.close()

    # And a ledger that one goes on with
    restored = engines.connect(builders.settings_for(tmp_path, f"sqlite:///{copy}"))
    migrate.require(restored)
    assert Ledger(restored).counts()["pending"] >= 20_000
    restored.dispose()


def _write(ledger: Ledger, root: int, ended: threading.Event) -> None:
    number = 0
    while not ended.is_set():
        builders.register(ledger, root, 50, prefix=f"later/{number}/")
        number += 1


def test_a_copy_that_cannot_be_written_is_one_sentence(
    home: Path, tmp_path: Path, postgres_engine: Engine
) -> None:
    settings = builders.settings_for(home, f"sqlite:///{home / 'tagtray.db'}")
    with builders.ledger(settings) as ledger:
        with pytest.raises(UsageError, match="cannot be written: No such file or directory"):
            upkeep.backup(ledger.engine, tmp_path / "nowhere" / "copy.db")
        with sqlite3.connect(home / "tagtray.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(InfrastructureError, match="is locked by another program"):
                upkeep.vacuum(ledger.engine)
        other.close()

    with pytest.raises(UsageError, match="pg_dump"):
        upkeep.backup(postgres_engine, tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def postgres_engine(home: Path, postgres_url: str) -> Engine:
    settings: Settings = builders.settings_for(home, postgres_url)
    return engines.connect(settings)
