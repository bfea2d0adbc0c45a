"""The links and copies that were made in albums, folders of photos by category."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Engine, delete, exists, select

from tagtray.db import clock, paths
from tagtray.db.access.transactions import read, write
from tagtray.db.dialects import replace
from tagtray.db.tables import AlbumFile, Image

#: Rows of a page.
PAGE = 1_000


@dataclass(frozen=True, slots=True)
class MadeFile:
    """As the table ``album_files`` has it, but for the host and the album; ``path`` is absolute."""

    path: bytes
    image_id: int
    kind: str
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Origin:
    """The image that a file was made of."""

    root_id: int
    path: bytes


class AlbumRows:
    """Of one album on one host."""

    def __init__(self, engine: Engine, host: str, album: bytes) -> None:
        self._engine = engine
        self._host = host
        self._album = paths.to_text(album)[0]
        self._mine = (AlbumFile.host == host, AlbumFile.album == self._album)

    def exist(self) -> bool:
        """Whether anything was made there."""
        query = select(exists().where(*self._mine))
        return bool(read(self._engine, lambda connection: connection.scalar(query)))

    def of_images(self, image_ids: Sequence[int]) -> Mapping[int, list[MadeFile]]:
        """What was made of some images."""
        query = select(*_COLUMNS).where(*self._mine, AlbumFile.image_id.in_(image_ids))
        found = defaultdict(list)
        for row in read(self._engine, lambda connection: connection.execute(query).all()):
            found[row.image_id].append(_made(row))
        return found

    def page(self, after: int) -> list[tuple[int, MadeFile, Origin]]:
        """Some of all rows behind the id ``after``, in order of id, with their images."""
        query = select(AlbumFile.id, *_COLUMNS, Image.root_id, Image.path.label("name"), Image.path_raw)
        query = query.join(Image, Image.id == AlbumFile.image_id).where(*self._mine, AlbumFile.id > after)
        statement = query.order_by(AlbumFile.id).limit(PAGE)
        rows = read(self._engine, lambda connection: connection.execute(statement).all())
        return [
            (row.id, _made(row), Origin(row.root_id, paths.to_bytes(row.name, row.path_raw))) for row in rows
        ]

    def put(self, files: Sequence[MadeFile]) -> None:
        """Note what is about to be made."""

        def work(connection: Connection) -> None:
            moment = connection.scalar(select(clock.now()))
            common = {"host": self._host, "album": self._album, "written_at": moment}
            rows = [{**asdict(file), **common, "path": paths.to_text(file.path)[0]} for file in files]
            replace(connection, AlbumFile, rows, ("host", "path"))

        if files:
            write(self._engine, work)

    def forget(self, files: Sequence[bytes]) -> None:
        """Note that these are not there any more."""
        names = [paths.to_text(file)[0] for file in files]
        statement = delete(AlbumFile).where(AlbumFile.host == self._host, AlbumFile.path.in_(names))
        if names:
            write(self._engine, lambda connection: connection.execute(statement))


_COLUMNS = (
    *(AlbumFile.path, AlbumFile.image_id, AlbumFile.kind, AlbumFile.size_bytes),
    AlbumFile.mtime_ns,
)


def _made(row: Any) -> MadeFile:
    return MadeFile(paths.from_text(row.path), row.image_id, row.kind, row.size_bytes, row.mtime_ns)
