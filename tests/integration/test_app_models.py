"""Which model is the current one: what opens a ledger never changes it, and what switches it says so."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tagtray.app import bootstrap, models
from tagtray.config import settings as configuration
from tagtray.config.errors import InfrastructureError, WeightsError
from tagtray.config.settings import Settings
from tagtray.db import migrate
from tagtray.db.access import engine as engines
from tagtray.db.ledger import Ledger
from tagtray.weights import store
from tests import builders
from tests import models as made_up
from tests.models import DEFAULT


@pytest.fixture
def database(host: Settings) -> Iterator[Engine]:
    """A migrated database without a model."""
    engine = engines.connect(host)
    migrate.upgrade(engine)
    yield engine
    engine.dispose()


def rows(ledger: Engine) -> list[tuple[str, bool]]:
    found = builders.query(Ledger(ledger), "SELECT name, is_current FROM models ORDER BY id")
    return [(name, bool(current)) for name, current in found]


def test_a_new_ledger_begins_with_the_default_model(host: Settings, database: Engine) -> None:
    # Given tables and no model, on either kind of database
    # When the ledger is opened for writing
    with bootstrap.writing(host) as opened:
        # Then the default model is there with its labels, categories and threshold
        assert rows(opened) == [(DEFAULT.name, True)]
        counts = "SELECT (SELECT COUNT(*) FROM labels), (SELECT COUNT(*) FROM label_categories)"
        assert builders.query(Ledger(opened), counts) == [(DEFAULT.classes, len(DEFAULT.labels.closure))]
        thresholds = builders.query(Ledger(opened), "SELECT wnid, score FROM thresholds")
        assert thresholds == [("", DEFAULT.thresholds.overall)]


def test_to_open_or_upgrade_a_ledger_never_changes_its_model(host: Settings, database: Engine) -> None:
    # Given a ledger whose user chose a model of their own
    models.ensure(database, host)
    models.use(database, made_up.add(host.home))
    # When it is opened and upgraded again and again
    for _ in range(2):
        with bootstrap.writing(host) as opened:
            assert not bootstrap.upgrade(opened, host)
        bootstrap.bring_up(host)
    # Then it is still the current one
    assert rows(database) == [(DEFAULT.name, False), ("colours", True)]


def test_a_switch_there_and_back_keeps_both_models(host: Settings, database: Engine) -> None:
    mine = made_up.add(host.home)
    first = models.use(database, DEFAULT)
    second = models.use(database, mine)
    assert models.current(database, host) == (second, mine)
    assert models.use(database, DEFAULT) == first
    assert models.current(database, host) == (first, DEFAULT)


def test_a_model_with_damaged_weights_does_not_become_current(host: Settings, database: Engine) -> None:
    models.use(database, DEFAULT)
    mine = made_up.add(host.home)
    mine.path(mine.weights).write_bytes(b"something else")
    with pytest.raises(WeightsError, match="is damaged"):
        models.use(database, mine)
    assert rows(database) == [(DEFAULT.name, True)]


def test_labels_of_one_model_survive_the_other(host: Settings, database: Engine) -> None:
    models.use(database, DEFAULT)
    before = builders.query(Ledger(database), "SELECT COUNT(*) FROM label_categories")
    models.use(database, made_up.add(host.home))
    assert builders.query(Ledger(database), "SELECT COUNT(*) FROM label_categories") == before
    sets = "SELECT label_set, COUNT(*) FROM labels GROUP BY label_set ORDER BY 2"
    assert [count for _, count in builders.query(Ledger(database), sets)] == [7, DEFAULT.classes]


def test_a_host_with_other_weights_under_the_same_name_does_not_take_part(
    host: Settings, database: Engine, tmp_path: Path
) -> None:
    # Given two hosts with one ledger, whose models of one name are not the same
    other = configuration.load(home=tmp_path / "other", database_url=host.database_url)
    models.use(database, made_up.add(host.home))
    made_up.add(other.home, seed=1)
    # When the second one wants to work
    with pytest.raises(WeightsError) as raised:
        models.current(database, other)
    # Then a sentence says what it has, and what it should have
    assert str(raised.value).startswith("The model 'colours' has the weights ")
    assert "here and" in str(raised.value) and "in the database" in str(raised.value)


def test_a_host_without_the_model_says_so(host: Settings, database: Engine) -> None:
    models.use(database, made_up.add(host.home))
    shutil.rmtree(store.user_folder(host.home))
    with pytest.raises(WeightsError, match=r"^There is no model 'colours' here; there is "):
        models.current(database, host)


def test_the_first_threshold_of_a_category_wins_over_that_of_all(host: Settings, database: Engine) -> None:
    scores = dataclasses.replace(DEFAULT.thresholds, categories={"n02084071": 0.9})
    models.use(database, dataclasses.replace(DEFAULT, thresholds=scores))
    found = builders.query(Ledger(database), "SELECT wnid, score FROM thresholds ORDER BY wnid")
    assert found == [("", DEFAULT.thresholds.overall), ("n02084071", 0.9)]


def test_a_ledger_without_a_model_is_a_sentence(host: Settings, database: Engine) -> None:
    with pytest.raises(InfrastructureError, match="knows no model yet"):
        models.current(database, host)


def test_other_weights_of_a_model_that_ships_are_used_and_the_former_results_stay(
    host: Settings, database: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a ledger that a former version made, with other weights under the same name
    models.ensure(database, host)
    builders.execute(Ledger(database), "UPDATE models SET weights_sha256 = 'former'")
    # When this version upgrades it
    assert bootstrap.upgrade(database, host)
    # Then the weights that ship are the current ones, beside the former, and a sentence says so
    found = builders.query(Ledger(database), "SELECT weights_sha256, is_current FROM models ORDER BY id")
    assert [(sha, bool(current)) for sha, current in found] == [
        ("former", False),
        (DEFAULT.weights.sha256, True),
    ]
    assert f"model_renewed: {DEFAULT.name} has other weights in this version" in caplog.text
    assert not bootstrap.upgrade(database, host)
