"""What is not kept for ever: uploads, whose results stay, notes of them, and thumbnails beyond a limit."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence

from tagtray.config import logs
from tagtray.config.errors import InfrastructureError
from tagtray.config.settings import Settings
from tagtray.db import audit
from tagtray.db.access.transactions import read
from tagtray.db.ledger import Ledger
from tagtray.db.places import uploads
from tagtray.db.places.roots import RootFolder
from tagtray.db.places.uploads import Expired
from tagtray.db.reading import answers
from tagtray.web import thumbnail_cache, thumbnails

#: Seconds between two looks, and uploads that are removed together.
LOOK_SECONDS, PAGE = 600.0, 500

log = logging.getLogger(__name__)


class Cleaner:
    """Removes what has expired, in a thread of its own."""

    def __init__(self, settings: Settings, ledger: Ledger, root: RootFolder) -> None:
        self._settings = settings
        self._ledger = ledger
        self._root = root
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cleaner", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the page in hand."""
        self._stop.set()
        self._thread.join()

    def clean(self) -> int:
        """Remove all that has expired; how many uploads. Raises InfrastructureError."""
        removed = 0
        while found := uploads.expired(self._ledger.engine, self._root.id, self._settings.upload_days, PAGE):
            # The rows last: a server that is killed before that begins with them again.
            for upload in found:
                file = os.path.join(self._root.path, upload.path)
                _unlink(file)
                _unlink(file + b".xmp")  # TAGTRAY_XMP
            self._ledger.mark_missing([upload.image_id for upload in found])
            self._remove_thumbnails(found)
            removed += len(found)
        return removed

    def _remove_thumbnails(self, removed: Sequence[Expired]) -> None:
        """Those of contents that no other image has."""
        hashes = [upload.sha256 for upload in removed if upload.sha256]
        kept = read(self._ledger.engine, lambda connection: answers.shown(connection, hashes))
        for sha256 in set(hashes) - kept:
            for size in thumbnails.BOXES:
                _unlink(os.fsencode(thumbnail_cache.file(self._settings, sha256, size)))

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                audit.remove(self._ledger.engine, self._settings.audit_days, self._stop.is_set)
                thumbnail_cache.trim(self._settings)
                if removed := self.clean():
                    sentence = "{uploads} uploads were removed; what they showed is kept."
                    logs.event(log, logging.INFO, "uploads_removed", sentence, uploads=removed)
            except InfrastructureError as error:
                logs.event(log, logging.WARNING, "uploads_kept", "{error}", error=error)
            self._stop.wait(LOOK_SECONDS)


def _unlink(path: bytes) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        logs.event(log, logging.WARNING, "upload_kept", "{error}", error=error)
