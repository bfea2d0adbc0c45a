"""Migrations: the tables are those of the models, whoever and however many ask for them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from tagtray.config import settings as configuration
from tagtray.config.errors import InfrastructureError
from tagtray.config.settings import Settings
from tagtray.db import migrate, views
from tagtray.db.access import engine as engines
from tagtray.db.access.engine import transaction
from tagtray.db.access.ownership import VERSION_TABLE
from tagtray.db.tables import Base
from tests.waiting import PATIENCE

VIEWS = {
    "results": "root, path, rank, label, label_zh, wnid, score, model, engine, precision, classified_at, "
    "taken_at, taken_month, sha256",
    "top1": "root, path, label, label_zh, wnid, score, model, classified_at, taken_at, taken_month, sha256",
    "image_tags": "root, path, category, category_zh, wnid, score, taken_at, taken_month, sha256, origin",
    "failures": "root, path, error_code, error_message, attempts, updated_at",
}


@pytest.fixture
def engine(host: Settings) -> Iterator[Engine]:
    engine = engines.connect(host)
    yield engine
    engine.dispose()


def test_the_revision_is_alembics_head() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")

    assert ScriptDirectory.from_config(config).get_current_head() == migrate.REVISION


def test_the_migrated_tables_are_those_of_the_models(engine: Engine) -> None:
    migrate.upgrade(engine)

    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "version_table": VERSION_TABLE}
        )
        differences = compare_metadata(context, Base.metadata)

    assert differences == []


def test_the_views_have_exactly_the_documented_columns(engine: Engine) -> None:
    migrate.upgrade(engine)
    found = inspect(engine)

    assert sorted(found.get_view_names()) == sorted(VIEWS) == sorted(views.NAMES)
    for name, columns in VIEWS.items():
        assert ", ".join(column["name"] for column in found.get_columns(name)) == columns


def test_to_upgrade_twice_does_something_once(engine: Engine) -> None:
    assert migrate.upgrade(engine) is True
    assert migrate.upgrade(engine) is False


def test_an_empty_database_is_asked_to_be_upgraded(engine: Engine) -> None:
    with pytest.raises(InfrastructureError, match="`tagtray db upgrade` brings it there"):
        migrate.require(engine)

    migrate.upgrade(engine)
    migrate.require(engine)


def test_a_newer_database_is_refused_and_left_alone(engine: Engine) -> None:
    migrate.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE tagtray_version SET version_num = '9999'"))

    with pytest.raises(InfrastructureError, match="made by a newer tagtray than this one; update tagtray"):
        migrate.upgrade(engine)
    with pytest.raises(InfrastructureError, match="made by a newer tagtray than this one; update tagtray"):
        migrate.require(engine)

    assert set(inspect(engine).get_view_names()) == set(VIEWS)


def test_many_threads_upgrade_at_once(host: Settings) -> None:
    engines_ = [engines.connect(host) for _ in range(6)]

    with ThreadPoolExecutor(6) as pool:
        did = list(pool.map(migrate.upgrade, engines_))

    for engine in engines_:
        migrate.require(engine)
        engine.dispose()
    assert sorted(did) == [False] * 5 + [True]


def test_processes_upgrade_at_once(host: Settings) -> None:
    program = (
        "from tagtray.config import settings; from tagtray.db import migrate;"
        "from tagtray.db.access import engine;"
        "migrate.upgrade(engine.connect(settings.load()))"
    )
    environment = os.environ | configuration.environment(host)
    processes = [subprocess.Popen([sys.executable, "-c", program], env=environment) for _ in range(2)]

    assert [process.wait(PATIENCE) for process in processes] == [0] * 2


def test_a_migration_that_fails_leaves_nothing_behind(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "_FAILURES", "SELECT 1 FROM")

    with pytest.raises(InfrastructureError, match=r"syntax|incomplete"):
        migrate.upgrade(engine)

    assert inspect(engine).get_table_names() == []


def test_a_ledger_of_the_first_revision_is_upgraded_with_its_rows(engine: Engine) -> None:
    # Given one as the first version has left it
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    with transaction(engine, writes=True) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("INSERT INTO roots (name, path, host) VALUES ('photos', '/photos', 'here')"))

    # When it is brought to this version
    assert migrate.upgrade(engine) is True

    # Then it has the new tables beside its rows
    with engine.connect() as connection:
        assert migrate.revision(connection) == migrate.REVISION
        assert connection.execute(text("SELECT name FROM roots")).scalars().all() == ["photos"]
        assert connection.execute(text("SELECT count(*) FROM verdicts")).scalar() == 0
        assert connection.execute(text("SELECT origin FROM image_tags")).all() == []
