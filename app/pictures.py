"""Looks at photos in pairs: whether they are one picture."""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import Engine

from tagtray.config.errors import TagtrayError
from tagtray.config.settings import Settings
from tagtray.db import paths
from tagtray.db.places import roots
from tagtray.imaging import grey, opening
from tagtray.imaging.grey import Grey
from tagtray.learn.similar import Photo

#: Correlation from which two small grey pictures are one. Of 100 photos all have more with what was made of
#: them by half the size, a crop of a tenth, light or quality; of 2,500 pairs of others that were most alike
#: by their features none, but for copies.
SAME = 0.87
#: Small pictures that are kept.
KEPT = 20_000


class Pictures:
    """Small grey pictures of the photos of a ledger, read from their files."""

    def __init__(self, settings: Settings, database: Engine) -> None:
        self._settings = settings
        self._folders = roots.everywhere(database, settings)
        self._of = lru_cache(KEPT)(self._read)

    def are_same(self, one: Photo, other: Photo) -> bool | None:
        """Whether both show one picture; None where one of the files cannot be read here."""
        first, second = self._of(one), self._of(other)
        if first is None or second is None:
            return None
        return grey.likeness(first, second) >= SAME

    def _read(self, photo: Photo) -> Grey | None:
        folder, limits = self._folders[photo.root_id].path, self._settings
        try:
            name = paths.to_bytes(photo.path, photo.path_raw)
            source = opening.open_image(folder, name, max_bytes=limits.max_bytes)
            return grey.picture(source.data, limits.max_pixels)
        except TagtrayError:
            return None
