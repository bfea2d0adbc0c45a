"""The root of uploaded files, which lies in TAGTRAY_HOME and belongs to no folder that people name."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, select

from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.config.settings import ROOT_PREFIX, Settings
from tagtray.config.text import shown
from tagtray.db import clock, paths
from tagtray.db.access.transactions import read, write
from tagtray.db.dialects import insert
from tagtray.db.places import folders, roots
from tagtray.db.places.roots import RootFolder
from tagtray.db.tables import Content, Image, Root, Status

NAME = roots.UPLOADS
#: A file that keeps the folder from being empty, as a disk that is not mounted would be.
KEEPER = b".tagtray"


def folder(settings: Settings) -> Path:
    """Where uploads lie on this host."""
    return settings.roots.get(NAME, settings.home / NAME)


def ensure(engine: Engine, settings: Settings) -> RootFolder:
    """The root of uploads; it and its folder are made where they are missing.

    Raises UsageError where other photos have its name, InfrastructureError where its folder cannot be made.
    """
    place = folder(settings)
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        Path(os.fsdecode(os.path.join(os.fsencode(place), KEEPER))).touch()
    except OSError as error:
        raise InfrastructureError(f"{shown(place)} cannot be written to: {error.strerror}.") from None
    path = folders.real(place)
    write(engine, lambda connection: _add(connection, path))
    root = roots.named(engine, settings, NAME)
    if root.path != path:
        raise UsageError(
            f"The root {NAME} is {shown(root.path)}: if uploads are there, set {ROOT_PREFIX}{NAME.upper()} "
            f"to where this host has them; if photos of yours are, `tagtray roots rename {NAME} NAME`."
        )
    return root


@dataclass(frozen=True, slots=True)
class Expired:
    """An upload whose file has been kept for long enough."""

    image_id: int
    path: bytes
    sha256: str | None


def expired(engine: Engine, root_id: int, days: float, limit: int) -> list[Expired]:
    """At most ``limit`` uploads that ended and that were received more than ``days`` ago."""
    query = (
        select(Image.id, Image.path, Image.path_raw, Content.sha256)
        .outerjoin(Content, Content.id == Image.content_id)
        .where(
            Image.root_id == root_id,
            Image.status.in_((Status.DONE, Status.FAILED)),
            Image.first_seen_at < clock.after(-days * clock.DAY),
        )
        .order_by(Image.id)
        .limit(limit)
    )
    rows = read(engine, lambda connection: connection.execute(query).all())
    return [Expired(row.id, paths.to_bytes(row.path, row.path_raw), row.sha256) for row in rows]


def _add(connection: Connection, path: bytes) -> None:
    values = {"name": NAME, "path": paths.to_text(path)[0], "host": socket.gethostname()}
    statement = insert(connection.dialect.name, Root).values(values)
    connection.execute(statement.on_conflict_do_nothing(index_elements=["name"]))
