"""``tagtray datasette``: the ledger in a browser, with its recipes as canned queries."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tagtray.app import bootstrap, startup
from tagtray.config import atomic
from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.config.settings import Settings
from tagtray.config.text import shown
from tagtray.db.access import engine
from tagtray.db.reading.recipes import RECIPES

#: Where Datasette listens unless --port says otherwise: its own default.
PORT = 8001
#: Milliseconds that a query may take: a view of a million photos is more than Datasette's default of 1,000.
TIME_LIMIT = 10_000

METADATA = "datasette.json"

_VIEWS: dict[str, tuple[str, list[str]]] = {
    "results": ("The three best labels of every image, by every model.", ["root", "label", "model"]),
    "top1": ("The best label of every image, by the current model.", ["root", "label", "taken_month"]),
    "image_tags": ("The broader tags of every image that are worth showing.", ["category", "taken_month"]),
    "failures": ("The images that cannot be classified, and why.", ["root", "error_code"]),
}


def datasette(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port on this machine.")] = PORT,
    write: Annotated[
        bool, typer.Option("--write", help="Write the description for Datasette, and start nothing.")
    ] = False,
) -> None:
    """Browse the ledger with Datasette: views, facets and canned queries, read-only."""
    settings = startup.load()
    file = _ledger(settings)
    described = settings.home / METADATA
    try:
        atomic.replace(described, json.dumps(metadata(file.stem), indent=2).encode())
    except OSError as error:
        raise InfrastructureError(f"{shown(described)} cannot be written: {error.strerror}.") from None
    limit = ["--setting", "sql_time_limit_ms", str(TIME_LIMIT)]
    command = ["datasette", "serve", str(file), "--metadata", str(described), "--port", str(port), *limit]
    if write:
        print(f"{shown(described)} is written; start: {shown(' '.join(command))}")
        return
    if importlib.util.find_spec("datasette") is None:
        raise UsageError("Datasette is not installed: pip install 'tagtray[datasette]'.")
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", *command])


def metadata(database: str) -> dict[str, Any]:
    """What Datasette is told about the file named ``database``: its views, their facets, canned queries."""
    queries = {
        recipe.name: {"title": recipe.question, "sql": recipe.sql.strip()}
        for found in RECIPES.values()
        for recipe in found
    }
    views = {
        name: {"description": description, "facets": facets} for name, (description, facets) in _VIEWS.items()
    }
    tables = {**views, **{"features": {"hidden": True}, "alembic_version": {"hidden": True}}}
    return {
        "title": "tagtray",
        "description": "What is in the photos: labels, tags and failures.",
        "databases": {database: {"tables": tables, "queries": queries}},
    }


def _ledger(settings: Settings) -> Path:
    """The ledger's file; raises UsageError where there is none."""
    with bootstrap.reading(settings) as database:
        if database.dialect.name != "sqlite":
            raise UsageError("Datasette reads SQLite files; this ledger is in PostgreSQL.")
        return Path(engine.connect(settings).url.database or "")
