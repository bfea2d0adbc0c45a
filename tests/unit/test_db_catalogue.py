"""The catalogue: labels, categories and the current model as rows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tagtray.config.errors import InfrastructureError
from tagtray.config.settings import Settings
from tagtray.db import catalogue, migrate
from tagtray.db import engine as engines
from tagtray.db.ledger import Ledger
from tests import builders

TABLES = ("labels", "categories", "label_categories", "models")


def _dump(ledger: Ledger) -> list[list[str]]:
    return [sorted(repr(row) for row in builders.query(ledger, f"SELECT * FROM {table}")) for table in TABLES]


def test_to_sync_twice_changes_nothing(ledger: Ledger) -> None:
    before = _dump(ledger)

    builders.sync(ledger.engine)

    assert _dump(ledger) == before
    assert [len(table) for table in before] == [4, 2, 3, 1]


def test_what_changed_in_the_files_changes_in_the_rows(ledger: Ledger) -> None:
    labels = [{**builders.LABELS[0], "name": "tiger cat"}, *builders.LABELS[1:]]

    catalogue.sync(
        ledger.engine, labels, builders.CATEGORIES, builders.CLOSURE[:1], builders.MODEL, {"": 0.5}
    )

    names = builders.query(ledger, "SELECT name FROM labels WHERE class_index = 0")
    assert names == [("tiger cat",)]
    assert builders.query(ledger, "SELECT * FROM label_categories") == [("n0", "c_cat")]


def test_another_model_becomes_the_only_current_one_and_back(ledger: Ledger) -> None:
    other = {**builders.MODEL, "name": "other", "weights_sha256": "1" * 64}
    first = catalogue.current(ledger.engine)

    catalogue.sync(ledger.engine, builders.LABELS, builders.CATEGORIES, builders.CLOSURE, other, {"": 0.5})
    assert catalogue.current(ledger.engine).name == "other"
    assert not catalogue.has(ledger.engine, "tiny", "0" * 64)
    assert catalogue.has(ledger.engine, "other", "1" * 64)

    builders.sync(ledger.engine)
    assert catalogue.current(ledger.engine) == first
    assert builders.query(ledger, "SELECT wnid, score FROM thresholds WHERE model_id = 1") == [
        ("", builders.TAG_THRESHOLD)
    ]


def test_a_database_without_a_model_says_what_brings_it(host: Settings) -> None:
    engine = engines.connect(host)
    migrate.upgrade(engine)

    with pytest.raises(InfrastructureError, match="tagtray db upgrade"):
        catalogue.current(engine)
    engine.dispose()


def test_many_processes_may_sync_at_once(host: Settings) -> None:
    engine = engines.connect(host)
    migrate.upgrade(engine)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: builders.sync(engine), range(12)))

    assert catalogue.current(engine).name == "tiny"
    engine.dispose()
