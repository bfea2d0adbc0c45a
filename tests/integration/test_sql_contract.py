"""The views as a contract, the recipes that use them, and Datasette on top of both."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from tagtray.app import bootstrap
from tagtray.cli import datasette, main
from tagtray.config import settings as configuration
from tagtray.config.settings import Settings
from tagtray.db import views
from tagtray.db.access import engine
from tagtray.db.ledger import Ledger
from tagtray.db.reading import readonly
from tagtray.db.reading.recipes import RECIPES
from tagtray.db.records import Failed, NewContent
from tests import builders

TEXT = {"sqlite": "VARCHAR", "postgresql": "VARCHAR"}
NUMBER = {"sqlite": "INTEGER", "postgresql": "BIGINT"}
SCORE = {"sqlite": "DOUBLE", "postgresql": "DOUBLE PRECISION"}
MOMENT = {"sqlite": "DATETIME", "postgresql": "TIMESTAMP"}
#: SQLite has no type for what is worked out.
MONTH = {"sqlite": "NULL", "postgresql": "TEXT"}

CONTRACT = {
    "results": {
        "root": TEXT,
        "path": TEXT,
        "rank": NUMBER,
        "label": TEXT,
        "label_zh": TEXT,
        "wnid": TEXT,
        "score": SCORE,
        "model": TEXT,
        "engine": TEXT,
        "precision": TEXT,
        "classified_at": MOMENT,
        "taken_at": MOMENT,
        "taken_month": MONTH,
        "sha256": TEXT,
    },
    "top1": {
        "root": TEXT,
        "path": TEXT,
        "label": TEXT,
        "label_zh": TEXT,
        "wnid": TEXT,
        "score": SCORE,
        "model": TEXT,
        "classified_at": MOMENT,
        "taken_at": MOMENT,
        "taken_month": MONTH,
        "sha256": TEXT,
    },
    "image_tags": {
        "root": TEXT,
        "path": TEXT,
        "category": TEXT,
        "category_zh": TEXT,
        "wnid": TEXT,
        "score": SCORE,
        "taken_at": MOMENT,
        "taken_month": MONTH,
        "sha256": TEXT,
        "origin": MONTH,
    },
    "failures": {
        "root": TEXT,
        "path": TEXT,
        "error_code": TEXT,
        "error_message": TEXT,
        "attempts": NUMBER,
        "updated_at": MOMENT,
    },
}


@pytest.fixture
def shipped(host: Settings) -> Iterator[Ledger]:
    """An empty ledger with the catalogue that ships."""
    bootstrap.bring_up(host)
    database = engine.connect(host)
    yield Ledger(database)
    database.dispose()


@pytest.fixture
def photos(shipped: Ledger, host: Settings) -> None:
    """A retriever in a car, twice; an espresso; something unsure; a file that failed; all by two models."""
    root = builders.root(shipped, host)
    ids = builders.running(shipped, root.id, 5)
    dog = {"n02084071": 0.95, "n00015388": 0.97, "n03791235": 0.6, "n01886756": 0.97}
    builders.commit(
        shipped,
        builders.done(ids[0], "dog", _content({207: 0.9, 468: 0.08, 1: 0.01}, dog)),
        builders.done(ids[1], "dog", None),
        builders.done(ids[2], "coffee", _content({504: 0.5, 967: 0.4, 1: 0.05}, {"n00021265": 0.6})),
        builders.done(ids[3], "unsure", _content({916: 0.2, 1: 0.1, 2: 0.1}, {})),
        Failed(ids[4], "empty", "The file is empty."),
    )
    other = builders.add_model(shipped, "1" * 64)
    builders.execute(shipped, f"UPDATE models SET name = 'the other' WHERE id = {other}")
    for table, columns in (
        ("classifications", "engine, precision, decode, classified_at"),
        ("predictions", "rank, (class_index + 1) % 1000, score"),
    ):
        builders.execute(
            shipped,
            f"INSERT INTO {table} SELECT content_id, {other}, {columns} FROM {table} WHERE model_id = 1",
        )


def _content(top: dict[int, float], tags: dict[str, float]) -> NewContent:
    taken = datetime(2024, 5, 17, 12)
    return NewContent("JPEG", 640, 480, taken, "Nikon Z6", list(top.items()), list(tags.items()))


def test_the_views_have_the_columns_and_types_that_they_always_had(shipped: Ledger) -> None:
    dialect = shipped.engine.dialect.name
    found = sa.inspect(shipped.engine)
    columns = {
        name: {column["name"]: str(column["type"]) for column in found.get_columns(name)}
        for name in views.NAMES
    }
    assert columns == {
        name: {column: types[dialect] for column, types in expected.items()}
        for name, expected in CONTRACT.items()
    }


def test_every_recipe_finds_something_where_there_is_something(host: Settings, photos: None) -> None:
    empty = []
    for recipe in (recipe for found in RECIPES.values() for recipe in found):
        with readonly.select(host, recipe.sql) as answer:
            if not list(answer.rows):
                empty.append(recipe.name)
    assert empty == []


def test_there_are_15_recipes_at_least_and_each_has_a_name_of_its_own() -> None:
    names = [recipe.name for found in RECIPES.values() for recipe in found]
    assert len(names) >= 15 and len(set(names)) == len(names)


@pytest.fixture
def command(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Runs ``tagtray datasette``; what it says."""
    monkeypatch.setenv("TAGTRAY_HOME", str(settings.home))

    def run(*arguments: str, code: int = 0) -> str:
        assert main.invoke(["datasette", *arguments]) == code
        captured = capsys.readouterr()
        return captured.err if code else captured.out

    return run


def test_datasette_is_told_of_every_view_and_recipe(settings: Settings, command: Callable[..., str]) -> None:
    bootstrap.bring_up(settings)

    said = command("--write")

    written = json.loads((settings.home / datasette.METADATA).read_bytes())["databases"]["tagtray"]
    assert str(settings.home / datasette.METADATA) in said
    assert set(views.NAMES) <= written["tables"].keys()
    for name in views.NAMES:
        assert set(written["tables"][name]["facets"]) <= CONTRACT[name].keys()
    assert written["queries"].keys() == {recipe.name for found in RECIPES.values() for recipe in found}


def test_datasette_needs_a_ledger_in_sqlite(
    command: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "There is no ledger" in command(code=2)


def test_datasette_does_not_read_postgresql(
    home: Path, postgres_url: str, command: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with builders.ledger(builders.settings_for(home, postgres_url)):
        monkeypatch.setenv("TAGTRAY_DATABASE_URL", postgres_url)
        assert command(code=2) == "tagtray: Datasette reads SQLite files; this ledger is in PostgreSQL.\n"


def test_datasette_serves_the_views(settings: Settings) -> None:
    # Given a ledger with one photo
    with builders.ledger(settings) as ledger:
        root = builders.root(ledger, settings)
        (image_id,) = builders.running(ledger, root.id, 1)
        builders.commit(ledger, builders.done(image_id, "x", builders.content()))

    # When Datasette is started
    program = [sys.executable, "-P", "-m", "tagtray", "datasette", "--port", "0"]
    environment = {**os.environ, **configuration.environment(settings)}
    with subprocess.Popen(program, env=environment, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        found = next(match for line in server.stderr if (match := re.search(r"http://\S+", line)))
        with urllib.request.urlopen(f"{found[0]}/tagtray/top1.json?_shape=array") as answer:
            rows = json.load(answer)
        server.send_signal(signal.SIGINT)

    # Then it shows the photo
    assert [(row["path"], row["label"]) for row in rows] == [("0.jpg", "beagle")]
