"""The documentation of tables is that of the database, and its recipes run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tagtray.config import settings as configuration
from tagtray.db import migrate, views
from tagtray.db.access import engine
from tagtray.db.tables import Base

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
SECTION = re.compile(r"^### `(\w+)`\n(.*?)(?=^##)", re.MULTILINE | re.DOTALL)
FIRST_CELL = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
RECIPE = re.compile(r"^```sql\n(.*?)^```", re.MULTILINE | re.DOTALL)
RECIPES = [
    pytest.param(recipe, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, recipe in enumerate(RECIPE.findall(page.read_text("utf-8")), start=1)
]


@pytest.fixture
def connection(ledger_url: str, home: Path) -> Iterator[sa.Connection]:
    """A connection to a migrated, empty ledger."""
    database = engine.connect(configuration.load(home=home, database_url=ledger_url))
    migrate.upgrade(database)
    with database.connect() as connection:
        yield connection
    database.dispose()


def test_every_table_view_and_column_is_documented(connection: sa.Connection) -> None:
    # Given what the database has
    found = sa.inspect(connection)
    names = [*views.NAMES, *Base.metadata.tables]
    expected = {name: [column["name"] for column in found.get_columns(name)] for name in names}

    # When the page is read
    page = (REPOSITORY / "docs/reference/tables.md").read_text("utf-8")
    documented = {name: FIRST_CELL.findall(body) for name, body in SECTION.findall(page + "\n##")}

    # Then it names the same
    assert documented.keys() == expected.keys()
    for name, columns in expected.items():
        assert sorted(documented[name]) == sorted(columns), name


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_runs(connection: sa.Connection, recipe: str) -> None:
    assert connection.execute(sa.text(recipe)).all() == []
