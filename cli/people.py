"""Photos for people and for pipes, and what the person is called who says something of them."""

from __future__ import annotations

import getpass
import os
import sys
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
    return _text(_bytes(photo, roots.everywhere(database, settings)))


def photos(
    database: Engine, settings: Settings, form: Form, found: Iterable[tuple[Photo, Mapping[str, Any]]]
) -> None:
    """Print photos, each with some figures, whose names are the same for all."""
    folders = roots.everywhere(database, settings)
    rows = [(photo, figures, _bytes(photo, folders)) for photo, figures in found]
    if form in (Form.PATHS, Form.PATHS0):
        paths_alone(form, (place for *_, place in rows))
        return
    names = list(rows[0][1]) if rows else []
    cells = [
        [*map(_cell if form is Form.TABLE else _same, figures.values()), _text(place)]
        for _, figures, place in rows
    ]
    output.rows([*names, "file"], cells, output.Format(form.value))


def paths_alone(form: Form, places: Iterable[bytes]) -> None:
    """Print the bytes of paths, each with its end."""
    sys.stdout.flush()
    end = b"\0" if form is Form.PATHS0 else b"\n"
    for place in places:
        sys.stdout.buffer.write(place + end)
    sys.stdout.buffer.flush()


def place(photo: Photo, folders: Mapping[int, RootFolder]) -> bytes:
    """The bytes of a photo's path on this host."""
    return _bytes(photo, folders)


def _bytes(photo: Photo, folders: Mapping[int, RootFolder]) -> bytes:
    return os.path.join(folders[photo.root_id].path, paths.to_bytes(photo.path, photo.path_raw))


def _text(place: bytes) -> str:
    return place.decode("utf-8", "backslashreplace")


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"{value:.0%}" if isinstance(value, float) else value


def _same(value: Any) -> Any:
    return value
