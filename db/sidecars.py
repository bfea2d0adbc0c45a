"""What was written into XMP files beside images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Engine, delete, select

from tagtray.db import clock, paths
from tagtray.db.access.transactions import read, write
from tagtray.db.dialects import replace
from tagtray.db.tables import Image, Sidecar

#: Rows of a page.
PAGE = 1_000


@dataclass(frozen=True, slots=True)
class WrittenSidecar:
    """As the table ``sidecars`` has it."""

    image_id: int
    keywords: Mapping[str, Any]
    sha256: str
    former_sha256: str | None
    original: bytes | None

    def is_as_written(self, sha256: str) -> bool:
        """Whether a file of this hash is what tagtray left, so that nobody else has changed it."""
        return sha256 in (self.sha256, self.former_sha256)


_COLUMNS = (
    *(Sidecar.image_id, Sidecar.keywords, Sidecar.sha256, Sidecar.former_sha256),
    Sidecar.original,
)


def of_images(engine: Engine, image_ids: Sequence[int]) -> dict[int, WrittenSidecar]:
    """Those of some images, by image."""
    query = select(*_COLUMNS).where(Sidecar.image_id.in_(image_ids))
    rows = read(engine, lambda connection: connection.execute(query).all())
    return {row.image_id: WrittenSidecar(*row) for row in rows}


def with_hash(engine: Engine, hashes: Sequence[str]) -> dict[str, WrittenSidecar]:
    """One of each of the hashes that was written: of a photo that was moved or copied with its sidecar."""
    query = select(*_COLUMNS).where(Sidecar.sha256.in_(hashes))
    rows = read(engine, lambda connection: connection.execute(query).all())
    return {row.sha256: WrittenSidecar(*row) for row in rows}


def image_ids(engine: Engine) -> Iterator[list[int]]:
    """Pages of the images that have one, in order of id."""
    last = 0
    while page := _page(engine, last):
        yield page
        last = page[-1]


def places(engine: Engine, image_ids: Sequence[int]) -> list[tuple[int, int, bytes]]:
    """Of those of some images that have one: the image, its root and its name there."""
    query = select(Image.id, Image.root_id, Image.path, Image.path_raw)
    query = query.join(Sidecar, Sidecar.image_id == Image.id).where(Image.id.in_(image_ids))
    rows = read(engine, lambda connection: connection.execute(query).all())
    return [(row.id, row.root_id, paths.to_bytes(row.path, row.path_raw)) for row in rows]


def put(engine: Engine, sidecars: Sequence[WrittenSidecar]) -> None:
    """Note what is, or is about to be, written."""

    def work(connection: Connection) -> None:
        moment = connection.scalar(select(clock.now()))
        rows = [{**asdict(sidecar), "written_at": moment} for sidecar in sidecars]
        replace(connection, Sidecar, rows, ("image_id",))

    if sidecars:
        write(engine, work)


def forget(engine: Engine, image_ids: Sequence[int]) -> None:
    """Note that nothing of tagtray's is in them any more."""
    statement = delete(Sidecar).where(Sidecar.image_id.in_(image_ids))
    if image_ids:
        write(engine, lambda connection: connection.execute(statement))


def _page(engine: Engine, last: int) -> list[int]:
    query = select(Sidecar.image_id).where(Sidecar.image_id > last).order_by(Sidecar.image_id).limit(PAGE)
    return read(engine, lambda connection: list(connection.scalars(query)))
