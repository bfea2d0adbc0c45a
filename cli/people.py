"""Photos for people and for pipes, and what the person is called who says something of them."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine

from tagtray.cli import output
from tagtray.config.settings import Settings
from tagtray.db import paths
from tagtray.db.places import roots
from tagtray.db.places.roots import RootFolder
from tagtray.learn.similar import Photo


class Form(StrEnum):
    """How photos are printed."""

    TABLE = "table"
    JSON = "json"
    PATHS = "paths"
    PATHS0 = "paths0"


def name() -> str:
    """Who gives the command, as verdicts have it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def file(database: Engine, settings: Settings, photo: Photo) -> str:
    """A photo's file, with bytes that are no UTF-8 escaped."""
    return paths.readable(place(photo, roots.everywhere(database, settings)))


def photos(
    database: Engine, settings: Settings, form: Form, found: Iterable[tuple[Photo, Mapping[str, Any]]]
) -> None:
    """Print photos, each with some figures, whose names are the same for all."""
    folders = roots.everywhere(database, settings)
    rows = [(figures, place(photo, folders)) for photo, figures in found]
    if form in (Form.PATHS, Form.PATHS0):
        output.files((file for _, file in rows), null=form is Form.PATHS0)
        return
    names = list(rows[0][0]) if rows else []
    cells = [
        [*(map(_cell, figures.values()) if form is Form.TABLE else figures.values()), paths.readable(file)]
        for figures, file in rows
    ]
    output.rows([*names, "file"], cells, output.Format(form.value))


def place(photo: Photo, folders: Mapping[int, RootFolder]) -> bytes:
    """The bytes of a photo's path on this host."""
    return folders[photo.root_id].file(photo.path, photo.path_raw)


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"{value:.0%}" if isinstance(value, float) else value
