"""Looks at photos in pairs: whether they are one picture."""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import Engine

from tagtray.config.errors import TagtrayError
from tagtray.config.settings import Settings
from tagtray.db import paths
from tagtray.db.places import roots
from tagtray.imaging import opening, small
from tagtray.imaging.small import Picture
from tagtray.learn.similar import Photo

#: Small pictures that are kept: 28 KB each.
KEPT = 5_000


class Pictures:
    """Small pictures of the photos of a ledger, read from their files."""

    def __init__(self, settings: Settings, database: Engine) -> None:
        self._settings = settings
        self._folders = roots.everywhere(database, settings)
        self._of = lru_cache(KEPT)(self._read)

    def are_same(self, one: Photo, other: Photo) -> bool | None:
        """Whether both show one picture; None where one of the files cannot be read here."""
        first, second = self._of(one), self._of(other)
        return None if first is None or second is None else small.are_one(first, second)

    def _read(self, photo: Photo) -> Picture | None:
        folder, limits = self._folders[photo.root_id].path, self._settings
        try:
            name = paths.to_bytes(photo.path, photo.path_raw)
            source = opening.open_image(folder, name, max_bytes=limits.max_bytes)
            return small.picture(source.data, limits.max_pixels)
        except TagtrayError:
            return None
