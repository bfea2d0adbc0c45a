"""The rows of models and their labels, and which model is the current one."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.config.settings import Settings
from tagtray.db import current_model, migrate
from tagtray.db.access import engine as engines
from tagtray.db.current_model import ModelRows
from tagtray.db.labels import LabelRows
from tagtray.db.ledger import Ledger
from tests import builders

TABLES = ("labels", "categories", "label_categories", "models", "thresholds")


def _dump(ledger: Ledger) -> list[list[str]]:
    return [sorted(repr(row) for row in builders.query(ledger, f"SELECT * FROM {table}")) for table in TABLES]


def _model(**changes: Any) -> ModelRows:
    return dataclasses.replace(builders.MODEL_ROWS, model={**builders.MODEL, **changes})


OTHER = _model(name="other", weights_sha256="1" * 64)


def test_to_bring_in_a_model_twice_changes_nothing(ledger: Ledger) -> None:
    before = _dump(ledger)

    builders.sync(ledger.engine)

    assert _dump(ledger) == before
    assert [len(table) for table in before] == [4, 2, 3, 1, 1]


def test_what_changed_in_the_files_changes_in_the_rows(ledger: Ledger) -> None:
    labels = [{**builders.LABELS[0], "name": "tiger cat"}, *builders.LABELS[1:3]]
    rows = LabelRows("few", labels, builders.CATEGORIES, builders.CLOSURE[:1])

    current_model.bring_in(ledger.engine, ModelRows(builders.MODEL, rows, {"": 0.25, "c_dog": 0.75}))

    assert builders.query(ledger, "SELECT name FROM labels WHERE class_index = 0") == [("tiger cat",)]
    assert builders.query(ledger, "SELECT COUNT(*) FROM labels") == [(3,)]
    assert builders.query(ledger, "SELECT * FROM label_categories") == [("n0", "c_cat")]
    assert builders.query(ledger, "SELECT wnid, score FROM thresholds ORDER BY wnid") == [
        ("", 0.25),
        ("c_dog", 0.75),
    ]


def test_another_label_set_takes_nothing_from_this_one(ledger: Ledger) -> None:
    # Given a second set that shares a class with the first, and knows less of it
    bare = {"label_set": "mine", "name_zh": "", "aliases": ""}
    labels: list[dict[str, object]] = [
        {**bare, "class_index": 0, "wnid": "n1", "name": "beagle"},
        {**bare, "class_index": 1, "wnid": None, "name": "my dog"},
    ]
    before = _dump(ledger)

    # When it is brought in, twice
    for _ in range(2):
        current_model.bring_in(
            ledger.engine, dataclasses.replace(OTHER, labels=LabelRows("mine", labels, [], []))
        )

    # Then every row of the first is as it was
    after = _dump(ledger)
    assert after[1:3] == before[1:3]
    assert set(before[0]) < set(after[0])


def test_a_model_that_is_brought_in_becomes_current_only_where_none_is(ledger: Ledger) -> None:
    first = current_model.current(ledger.engine)

    current_model.bring_in(ledger.engine, OTHER)

    assert current_model.current(ledger.engine) == first


def test_one_model_is_current_after_each_switch_there_and_back(ledger: Ledger) -> None:
    first = current_model.current(ledger.engine)
    other = current_model.bring_in(ledger.engine, OTHER)

    current_model.use(ledger.engine, other)
    assert current_model.current(ledger.engine).name == "other"

    current_model.use(ledger.engine, first.id)
    assert current_model.current(ledger.engine) == first
    assert builders.query(ledger, "SELECT COUNT(*) FROM models WHERE is_current") == [(1,)]


def test_the_same_weights_with_another_input_need_another_name(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match=r"^The database has the model 'tiny' .* under another name\.$"):
        current_model.bring_in(ledger.engine, _model(input={"side": 160}))
    assert builders.query(ledger, "SELECT COUNT(*) FROM models") == [(1,)]


def test_an_input_that_is_described_in_more_detail_is_the_same_one(ledger: Ledger) -> None:
    first = current_model.current(ledger.engine).id
    assert current_model.bring_in(ledger.engine, _model(input={"side": 224, "antialias": True})) == first


def test_a_database_without_a_model_says_what_brings_it(host: Settings) -> None:
    engine = engines.connect(host)
    migrate.upgrade(engine)

    assert current_model.find(engine) is None
    with pytest.raises(InfrastructureError, match="tagtray db upgrade"):
        current_model.current(engine)
    engine.dispose()


def test_many_processes_may_bring_in_first_models_at_once(host: Settings) -> None:
    # Given an empty ledger, and hosts that begin with different models
    engine = engines.connect(host)
    migrate.upgrade(engine)
    news = [_model(name=f"model{number % 3}", weights_sha256=f"{number % 3}" * 64) for number in range(12)]

    # When they all open it at once
    with ThreadPoolExecutor(6) as pool:
        ids = set(pool.map(lambda rows: current_model.bring_in(engine, rows), news))

    # Then each has its row, and one of them is current
    assert len(ids) == 3
    assert current_model.current(engine).id in ids
    engine.dispose()
