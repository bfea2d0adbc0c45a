"""``tagtray config``: every setting, its value and where it came from."""

from __future__ import annotations

from typing import Any

from tagtray.app import startup
from tagtray.cli import options, output
from tagtray.cli.output import Format
from tagtray.config import settings as configuration
from tagtray.config import urls
from tagtray.config.settings import Settings


def config(json: options.Json = False) -> None:
    """List every setting with its value, its origin and what it does."""
    settings = startup.load()
    columns = ["variable", "value", "origin", "description"]
    found = [_row(settings, name) for name in type(settings).model_fields]
    output.rows(columns, found, Format.JSON if json else Format.TABLE)


def _row(settings: Settings, name: str) -> list[Any]:
    value = settings.model_dump(mode="json")[name]
    if name.endswith("_url") and value is not None:
        value = urls.masked(value)
    description = type(settings).model_fields[name].description
    variable = f"{configuration.ROOT_PREFIX}<NAME>" if name == "roots" else configuration.variable(name)
    return [variable, value, configuration.origin(name), description]
