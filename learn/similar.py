"""Photos that look like one: their features point the same way."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, select

from tagtray.config.errors import UsageError
from tagtray.config.settings import Settings
from tagtray.db import current_model, views
from tagtray.db.access.transactions import read
from tagtray.db.tables import Content, Image, Root
from tagtray.learn import index, vectors

#: Contents that are looked at beyond those that are asked for: some lie in files that are not there.
SPARE = 50


@dataclass(frozen=True, slots=True)
class Photo:
    """An image that is there, with what tells copies apart."""

    image_id: int
    content_id: int
    root_id: int
    root: str
    path: str
    path_raw: bytes | None
    sha256: str
    width: int
    height: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Similar:
    """A photo, and the cosine of its features and those that were asked about, 1 at most."""

    photo: Photo
    cosine: float


def similar(engine: Engine, settings: Settings, content_id: int, limit: int) -> list[Similar]:
    """The photos most like a content, the likest first; of copies one, and none of the content itself.

    Raises UsageError where the content has no features of the current model.
    """
    model = current_model.current(engine)
    _, mine = read(engine, lambda connection: vectors.of(connection, model.id, [content_id]))
    if not len(mine):
        raise UsageError(f"The photo has no features of the model {model.name} yet.")
    found = index.opened(engine, settings, model.id).nearest(mine[0], limit + 1 + SPARE)
    cosines = {other: cosine for other, cosine in found if other != content_id}
    shown = read(engine, lambda connection: photos(connection, cosines))
    first = {photo.content_id: photo for photo in reversed(shown)}
    return [Similar(first[other], cosine) for other, cosine in cosines.items() if other in first][:limit]


def photos(connection: Connection, content_ids: Collection[int]) -> list[Photo]:
    """The images that are there of some contents (1,000 at most), in order of path."""
    query = (
        select(
            *(Image.id.label("image_id"), Image.content_id, Image.root_id, Root.name.label("root")),
            *(Image.path, Image.path_raw, Content.sha256, Content.width, Content.height, Image.size_bytes),
        )
        .join(Content, Content.id == Image.content_id)
        .join(Root, Root.id == Image.root_id)
        .where(Content.id.in_(content_ids), views.is_shown())
        .order_by(Root.name, Image.path)
    )
    return [Photo(**row) for row in connection.execute(query).mappings()]
