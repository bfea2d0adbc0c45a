"""``/thumb/{id}``: thumbnails by content, made once and kept on disk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from anyio import to_thread
from sqlalchemy import Engine, select

from tagtray.config.settings import Settings
from tagtray.db import paths
from tagtray.db.access.transactions import read
from tagtray.db.places import roots
from tagtray.db.places.roots import RootFolder
from tagtray.db.tables import Content, Image
from tagtray.imaging.thumbnail import Box
from tagtray.web import thumbnail_cache
from tagtray.web.problems import Problem
from tagtray.web.thumbnailers import Thumbnailers

Size = Literal["small", "large"]

#: Pixels that thumbnails fit into: rows of a gallery on a screen of double density, and a photo by itself.
BOXES: Mapping[str, Box] = {"small": Box(960, 320), "large": Box(1600, 1600)}
#: Seconds for which it is believed where roots lie.
ROOTS_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Place:
    root_id: int
    path: bytes
    sha256: str


class Thumbnails:
    """The thumbnails of one server; belongs to the event loop."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self._thumbnailers = Thumbnailers(settings)
        self._making: dict[Path, asyncio.Task[bytes]] = {}
        self._roots: dict[int, RootFolder] = {}
        self._roots_at = -ROOTS_SECONDS

    async def get(self, image_id: int, size: Size) -> tuple[bytes, str]:
        """The WebP of an image, and a tag that changes with it.

        Raises Problem: 404 where there is none, 503 where it cannot be made now; ImageError, ImageGone.
        """
        place = await to_thread.run_sync(self._find, image_id)
        tag = f"{place.sha256}-{size}"
        file = thumbnail_cache.file(self._settings, place.sha256, size)
        data = await to_thread.run_sync(thumbnail_cache.read, file)
        if data is None:
            if file not in self._making:
                self._making[file] = asyncio.create_task(self._make(place, size, file))
                self._making[file].add_done_callback(lambda _: self._making.pop(file))
            data = await asyncio.shield(self._making[file])
        return data, tag

    async def stop(self) -> None:
        """End what makes them."""
        await self._thumbnailers.stop()

    async def _make(self, place: _Place, size: Size, file: Path) -> bytes:
        root = await to_thread.run_sync(self._root, place.root_id)
        made = await self._thumbnailers.make(root.path, place.path, BOXES[size])
        # One whose file has changed since it was classified is shown, and made again later.
        if made.sha256 == place.sha256:
            await to_thread.run_sync(thumbnail_cache.keep, file, made.data)
        return made.data

    def _find(self, image_id: int) -> _Place:
        query = (
            select(Image.root_id, Image.path, Image.path_raw, Content.sha256)
            .join(Content, Content.id == Image.content_id)
            .where(Image.id == image_id)
        )
        row = read(self._engine, lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise Problem(404, "no_thumbnail", f"There is no image {image_id} that was read already.")
        return _Place(row.root_id, paths.to_bytes(row.path, row.path_raw), row.sha256)

    def _root(self, root_id: int) -> RootFolder:
        if root_id not in self._roots or time.monotonic() > self._roots_at + ROOTS_SECONDS:
            self._roots = roots.everywhere(self._engine, self._settings)
            self._roots_at = time.monotonic()
        if root_id not in self._roots:
            raise Problem(404, "no_thumbnail", "The image's folder is not known any more.")
        return self._roots[root_id]
