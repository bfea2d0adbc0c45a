"""Where the roots lie on this host, the reading of their files, and what is done about those that fail."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections import Counter
from collections.abc import Iterator

from sqlalchemy import Engine

from tagtray.config import logs
from tagtray.config.errors import ImageDeferred, ImageGone, MountFault, TagtrayError
from tagtray.config.settings import Settings
from tagtray.db import workers
from tagtray.db.ledger import Ledger
from tagtray.db.places import holds, roots
from tagtray.db.places.roots import RootFolder
from tagtray.db.records import ClaimedImage
from tagtray.imaging.opening import Source, open_image

#: Seconds between log lines about a root whose files cannot be read on this host.
LOG_INTERVAL = 60.0
#: Reads of a root that failed one after the other, after which not the files but the mount is to blame.
FAULTS = 8
#: Seconds that a root is held which no host can read; whoever finds it again ends that.
ABSENT_SECONDS = holds.LONGEST_HOLD
#: The same, in seconds, for one whose files fail though it is there; they themselves wait twice as long: the
#: others of the root have their turn before them.
FAILING_SECONDS = holds.LONGEST_HOLD / 2
#: Seconds until an image comes again whose root another host can read.
ELSEWHERE_SECONDS = 15.0
#: Seconds that are waited for each of those: the other host is to come first.
YIELD_SECONDS = 0.05
#: Seconds for which it is believed what was found out about a root that fails.
VERDICT_SECONDS = 1.0
#: Bytes of a sidecar that is read; programs write a few thousand.
SIDECAR_BYTES = 2**20

log = logging.getLogger(__name__)


class RootReader:
    """Reads images by root id; knows roots that were added after it."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._ledger = Ledger(engine)
        self._settings = settings
        self._roots = roots.everywhere(engine, settings)
        self._faults = Counter[int]()
        self._failing: set[int] = set()
        self._verdicts: dict[int, tuple[float, bool]] = {}
        self._throttle = logs.Throttle(LOG_INTERVAL)

    def read(self, image: ClaimedImage) -> Source:
        """The bytes of an image; raises ImageError, ImageGone or ImageDeferred as ``open_image`` does.

        A root that is not there, or whose mount fails, is held where no other host has it.
        """
        root = self._root(image.root_id)
        try:
            source = open_image(root.path, image.path, max_bytes=self._settings.max_bytes)
        except MountFault as fault:
            raise self._deferred(root, fault) from None
        except ImageGone:
            if not _has_files(root):
                # The mount point of a file system that is not mounted is an empty folder.
                absent = MountFault("The root is empty: its file system is not mounted.", ABSENT_SECONDS)
                raise self._deferred(root, absent) from None
            raise
        del self._faults[root.id]
        self._failing.discard(root.id)
        return source

    def sidecars(self, image: ClaimedImage) -> Iterator[bytes]:
        """XMP files beside an image that was read: ``a.jpg.xmp`` first, then ``a.xmp``."""
        root = self._roots.get(image.root_id)
        if root is None:  # others took it in just now
            return
        folder = os.fsencode(root.path)
        for stem in (image.path, os.path.splitext(image.path)[0]):
            name = stem + b".xmp"
            # Most images have none, and this look costs a tenth of an attempt to open one.
            if not os.access(b"%b/%b" % (folder, name), os.F_OK):
                continue
            with contextlib.suppress(TagtrayError):  # it cannot be read
                yield open_image(folder, name, max_bytes=SIDECAR_BYTES).data

    def readable(self) -> list[str]:
        """The names of the roots that this host can read now; it may wait for a mount that hangs."""
        self._roots = roots.everywhere(self._ledger.engine, self._settings)
        sound = [root for root in self._roots.values() if root.id not in self._failing]
        return [root.name for root in sound if _has_files(root)]

    def _root(self, root_id: int) -> RootFolder:
        if root_id not in self._roots:
            self._roots = roots.everywhere(self._ledger.engine, self._settings)
        if root := self._roots.get(root_id):
            return root
        raise ImageDeferred("The image belongs to another root since it was claimed.", 0.0)

    def _deferred(self, root: RootFolder, fault: MountFault) -> ImageDeferred:
        self._warn(root, fault)
        self._faults[root.id] += 1
        if not _has_files(root):
            seconds, wait = ABSENT_SECONDS, 0.0
        elif self._faults[root.id] >= FAULTS:
            seconds, wait = FAILING_SECONDS, 2 * FAILING_SECONDS
            self._failing.add(root.id)
        else:
            return fault
        if self._is_read_elsewhere(root, seconds):
            time.sleep(YIELD_SECONDS)
            wait = ELSEWHERE_SECONDS
        return ImageDeferred(str(fault), wait)

    def _is_read_elsewhere(self, root: RootFolder, seconds: float) -> bool:
        """Whether another host can read the root; otherwise it is held for ``seconds``."""
        at, elsewhere = self._verdicts.get(root.id, (-VERDICT_SECONDS, False))
        if time.monotonic() >= at + VERDICT_SECONDS:
            elsewhere = workers.is_read_elsewhere(self._ledger.engine, root.name)
            if not elsewhere:
                self._ledger.hold(root.id, seconds)
            self._verdicts[root.id] = time.monotonic(), elsewhere
        return elsewhere

    def _warn(self, root: RootFolder, fault: MountFault) -> None:
        if self._throttle.is_due(root.id):
            sentence = "root {root}: {reason}"
            logs.event(log, logging.WARNING, "root_fails", sentence, root=root.name, reason=str(fault))


def _has_files(root: RootFolder) -> bool:
    try:
        with os.scandir(root.path) as entries:
            return any(entries)
    except OSError:
        return False
