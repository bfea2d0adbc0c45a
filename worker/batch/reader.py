"""Where the roots lie on this host, and the reading of their files."""

from __future__ import annotations

import logging
import os
import time

from sqlalchemy import Engine

from tagtray.config.errors import ImageDeferred, ImageGone
from tagtray.config.settings import Settings
from tagtray.db import roots
from tagtray.db.records import ClaimedImage
from tagtray.imaging.opening import Source, open_image

#: Seconds between log lines about a root whose files cannot be read on this host.
LOG_INTERVAL = 60.0
#: Seconds before images of an empty root are tried again.
ABSENT_SECONDS = 15.0

log = logging.getLogger(__name__)


class RootReader:
    """Reads images by root id; knows roots that were added after it."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._roots = roots.everywhere(engine, settings)
        self._logged: dict[int, float] = {}

    def read(self, image: ClaimedImage) -> Source:
        """The bytes of an image; raises ImageError, ImageGone or ImageDeferred as ``open_image`` does."""
        if image.root_id not in self._roots:
            self._roots = roots.everywhere(self._engine, self._settings)
        root = self._roots[image.root_id]
        try:
            return open_image(root.path, image.path, max_bytes=self._settings.max_bytes)
        except ImageDeferred as error:
            self._warn(root, error)
            raise
        except ImageGone:
            if os.listdir(root.path):
                raise
        # The mount point of a file system that is not mounted is an empty folder.
        absent = ImageDeferred("The root is empty: its file system is not mounted.", ABSENT_SECONDS)
        self._warn(root, absent)
        raise absent

    def _warn(self, root: roots.RootFolder, error: ImageDeferred) -> None:
        now = time.monotonic()
        if now - self._logged.get(root.id, -LOG_INTERVAL) >= LOG_INTERVAL:
            self._logged[root.id] = now
            log.warning("image_deferred: root %s: %s", root.name, error)
