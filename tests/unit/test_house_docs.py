"""The documentation says what the code does."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tagtray.config import settings as configuration
from tagtray.config.errors import ImageCode
from tagtray.db import engine, migrate, views
from tagtray.db.tables import Base
from tools import generate_docs

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)#]+)")
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


@pytest.mark.parametrize(("path", "name", "text"), generate_docs.PARTS, ids=lambda value: str(value))
def test_what_is_written_from_the_code_is_up_to_date(path: str, name: str, text: object) -> None:
    page = (REPOSITORY / path).read_text("utf-8")

    assert callable(text)
    assert page == generate_docs.renew(page, name, text()), "run `python -m tools.generate_docs`"


def test_every_error_code_is_documented() -> None:
    page = (REPOSITORY / "docs/reference/errors.md").read_text("utf-8")

    assert FIRST_CELL.findall(page) == list(ImageCode)


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = [link for link in LINK.findall(page.read_text("utf-8")) if "://" not in link]

    assert [link for link in targets if not (page.parent / link).exists()] == []


def test_the_newest_entry_of_the_changelog_is_this_version() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    changelog = (REPOSITORY / "CHANGELOG.md").read_text("utf-8")

    assert re.findall(r"^## \[(\d[^]]*)\]", changelog, re.MULTILINE)[0] == project["version"]
