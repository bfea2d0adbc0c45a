"""A database that others use, too: tagtray changes nothing that it did not make, and loses nobody's views."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, inspect, text

from tagtray.config.errors import InfrastructureError
from tagtray.config.settings import Settings
from tagtray.db import migrate, views
from tagtray.db.access import engine as engines
from tagtray.db.access import ownership
from tests import builders

#: What another program may have: its statement, and the name that it takes from tagtray.
STRANGERS = {
    "a view": ("CREATE VIEW results AS SELECT 1 AS mark", "results"),
    "a table": ("CREATE TABLE images (url text)", "images"),
    "an index": ("CREATE TABLE x (a int); CREATE INDEX ix_labels_name ON x (a)", "ix_labels_name"),
    "a version table of ours among them": (
        "CREATE TABLE alembic_version (version_num text); CREATE TABLE tags (a int)",
        "tags",
    ),
}
#: A later revision that changes a table below the views.
LATER = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "9999", "{last}"

def upgrade():
    with op.batch_alter_table("images") as batch:
        batch.alter_column("size_bytes", {change})
"""
IN_PLACE, INCOMPATIBLE = "nullable=True", "type_=sa.Numeric()"


@pytest.fixture
def engine(host: Settings) -> Iterator[Engine]:
    engine = engines.connect(host)
    yield engine
    engine.dispose()


def _execute(engine: Engine, statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements.split(";"):
            connection.execute(text(statement))


def _state(engine: Engine, host: Settings) -> object:
    """All that can be seen of a database: SQLite's folder byte by byte, PostgreSQL's relations."""
    if engine.dialect.name == "sqlite":
        engine.dispose()
        folder = Path(str(engine.url.database)).parent
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    query = (
        "SELECT oid, relname, relnamespace, pg_get_viewdef(oid) FROM pg_class WHERE oid > 16384 ORDER BY 1"
    )
    with engine.connect() as connection:
        return {tuple(row) for row in connection.execute(text(query))}


def _later(folder: Path, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this version be one that has a further revision."""
    shutil.copytree(migrate.FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "9999_later.py").write_text(LATER.format(change=change, last=migrate.REVISION))
    monkeypatch.setattr(migrate, "FOLDER", folder)
    monkeypatch.setattr(migrate, "REVISION", "9999")


@pytest.mark.parametrize("kind", STRANGERS)
def test_a_database_with_anothers_object_of_our_name_is_left_as_it_is(
    engine: Engine, host: Settings, kind: str
) -> None:
    # Given a database of another program, one of whose names is ours
    statement, name = STRANGERS[kind]
    _execute(engine, statement)
    before = _state(engine, host)

    # When tagtray is to bring its tables in, or to look for them
    for ask in (migrate.upgrade, migrate.require):
        with pytest.raises(InfrastructureError) as caught:
            ask(engine)

        # Then one sentence names it and the way out
        assert f" has {name}, which tagtray did not make: nothing was changed; " in str(caught.value)
        assert "of its own (TAGTRAY_DATABASE_" in str(caught.value)
    assert _state(engine, host) == before


def test_of_many_names_a_few_are_named(engine: Engine) -> None:
    # Given tagtray's own tables, whose revision somebody has deleted
    migrate.upgrade(engine)
    _execute(engine, "DELETE FROM tagtray_version")

    few = r" has (\w+, ){4}\w+ and \d+ more, which tagtray did not make"
    with pytest.raises(InfrastructureError, match=few):
        migrate.require(engine)


def test_a_name_in_capitals_is_ours_where_the_database_says_so(settings: Settings) -> None:
    engine = engines.connect(settings)
    _execute(engine, "CREATE TABLE Images (a int)")

    with pytest.raises(InfrastructureError, match=" has Images, which tagtray did not make"):
        migrate.upgrade(engine)
    engine.dispose()


def test_beside_tables_of_other_names_tagtray_brings_its_own(engine: Engine) -> None:
    # Given a database of another program, whose migrations are Alembic's, too
    _execute(engine, "CREATE TABLE alembic_version (version_num text); CREATE TABLE exam (mark int)")
    _execute(engine, "INSERT INTO alembic_version VALUES ('theirs')")
    mode = text("PRAGMA journal_mode" if engine.dialect.name == "sqlite" else "SELECT 1")
    with engine.connect() as connection:
        before = connection.execute(mode).scalar_one()

    # When tagtray brings its tables in
    assert migrate.upgrade(engine)

    # Then theirs are what they were, the way in which the file is written, too
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "theirs"
        assert connection.execute(mode).scalar_one() == before
    assert {"exam", "images", ownership.VERSION_TABLE} <= set(inspect(engine).get_table_names())


def test_a_schema_of_its_own_is_made_and_used_alone(home: Path, postgres_url: str) -> None:
    # Given a database whose public schema holds a name of ours
    public = engines.connect(builders.settings_for(home, postgres_url))
    _execute(public, "CREATE VIEW results AS SELECT 1 AS mark")

    # When tagtray gets a schema of its own
    engine = engines.connect(builders.settings_for(home, postgres_url, database_schema="Photos-2"))
    assert migrate.upgrade(engine)
    migrate.require(engine)

    # Then all of it is there
    found = inspect(engine)
    assert set(found.get_view_names("Photos-2")) == set(views.NAMES)
    assert found.get_table_names("public") == [] and found.get_view_names("public") == ["results"]
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM results")).scalar_one() == 0
    for used in (engine, public):
        used.dispose()


def test_an_upgrade_keeps_the_users_own_views_and_who_may_read_ours(
    engine: Engine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given views of the user's on our views and tables
    migrate.upgrade(engine)
    _execute(
        engine,
        "CREATE VIEW mine AS SELECT path, label FROM top1; CREATE VIEW sizes AS SELECT path FROM images",
    )
    if engine.dialect.name == "postgresql":
        _execute(engine, "GRANT SELECT ON top1 TO pg_monitor")

    # When a later version brings its tables in
    _later(home / "later", IN_PLACE, monkeypatch)
    assert migrate.upgrade(engine)

    # Then they still work
    with engine.connect() as connection:
        assert migrate.revision(connection) == "9999"
        for name in ("mine", "sizes", *views.NAMES):
            assert connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() == 0
        assert engine.dialect.name == "sqlite" or _may_read(connection, "pg_monitor", "top1")


def test_an_upgrade_that_would_take_a_users_view_along_changes_nothing(
    home: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a view of the user's on a column that a later version changes
    host = builders.settings_for(home, postgres_url)
    engine = engines.connect(host)
    migrate.upgrade(engine)
    _execute(engine, "CREATE VIEW sizes AS SELECT size_bytes FROM images")
    before = _state(engine, host)

    # When that version is to bring its tables in
    _later(home / "later", INCOMPATIBLE, monkeypatch)
    with pytest.raises(InfrastructureError, match=r"view sizes depends on .*nothing was changed; drop that"):
        migrate.upgrade(engine)

    # Then nothing has changed; without the view it goes well
    assert _state(engine, host) == before
    _execute(engine, "DROP VIEW sizes")
    assert migrate.upgrade(engine)
    engine.dispose()


def test_a_view_that_took_the_place_of_ours_is_not_dropped(
    engine: Engine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate.upgrade(engine)
    _execute(engine, "DROP VIEW failures; CREATE VIEW failures AS SELECT 1 AS mark")

    _later(home / "later", IN_PLACE, monkeypatch)
    with pytest.raises(InfrastructureError, match=" has failures, which tagtray did not make"):
        migrate.upgrade(engine)

    with engine.connect() as connection:
        assert connection.execute(text("SELECT mark FROM failures")).scalar_one() == 1


def _may_read(connection: Connection, role: str, view: str) -> bool:
    query = text("SELECT has_table_privilege(:role, :view, 'SELECT')")
    return bool(connection.execute(query, {"role": role, "view": view}).scalar_one())
