"""The images that people name by their files and folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, func, or_, select

from tagtray.db import clock, dialects, paths, views
from tagtray.db.access.transactions import read
from tagtray.db.paging import pages
from tagtray.db.places import holds
from tagtray.db.reading import run_stats
from tagtray.db.tables import ON_THEIR_WAY, Content, Image, Root


@dataclass(frozen=True, slots=True)
class NamedImage:
    """A file of the ledger; ``content_id`` None: its bytes are not known yet."""

    id: int
    root_id: int
    path: bytes
    content_id: int | None
    status: str
    error_message: str | None

    @property
    def is_on_its_way(self) -> bool:
        """Whether it is still to be read."""
        return self.content_id is None and self.status in ON_THEIR_WAY


def files(engine: Engine, root_id: int, names: Sequence[bytes]) -> list[NamedImage]:
    """Those of the relative names that the ledger has."""
    found: list[NamedImage] = []
    for page in pages([paths.to_text(name)[0] for name in names]):
        found += _images(engine, (Image.root_id == root_id) & Image.path.in_(page))
    return found


def below(engine: Engine, root_id: int, folder: bytes) -> list[NamedImage]:
    """All images in a folder of a root, and below it, whose files are there."""
    return _images(engine, (Image.root_id == root_id) & dialects.below(Image.path, folder) & views.is_shown())


def waiting(engine: Engine, image_ids: Sequence[int]) -> int:
    """How many images of some ids are on their way still; those of held roots, or put off, are not."""
    held = select(Root.id).where(holds.is_held())
    soon = or_(Image.not_before.is_(None), Image.not_before <= clock.after(run_stats.SOON))
    query = select(func.count()).where(Image.status.in_(ON_THEIR_WAY), Image.root_id.not_in(held), soon)
    count = 0
    for page in pages(image_ids):
        these = query.where(Image.id.in_(page))
        count += read(engine, lambda connection, these=these: connection.scalar(these)) or 0  # type: ignore[misc]
    return count


def contents(engine: Engine, hashes: Sequence[str]) -> dict[str, int]:
    """The contents of some SHA-256, by these."""
    found: dict[str, int] = {}
    for page in pages(hashes):
        query = select(Content.sha256, Content.id).where(Content.sha256.in_(page))
        found |= dict(read(engine, lambda connection, query=query: connection.execute(query).all()))  # type: ignore[misc]
    return found


def _images(engine: Engine, which: ColumnElement[bool]) -> list[NamedImage]:
    columns = (Image.id, Image.root_id, Image.path, Image.path_raw, Image.content_id, Image.status)
    query = select(*columns, Image.error_message).where(which).order_by(Image.path)
    rows = read(engine, lambda connection: connection.execute(query).all())
    return [
        NamedImage(
            row.id,
            row.root_id,
            paths.to_bytes(row.path, row.path_raw),
            row.content_id,
            row.status,
            row.error_message,
        )
        for row in rows
    ]
