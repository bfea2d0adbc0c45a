"""The first stage of a batch: its files are read, and decoded into its slots."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import replace

from tagtray.config import logs
from tagtray.config.errors import ImageDeferred, ImageError, ImageGone
from tagtray.config.settings import Settings
from tagtray.db.records import ClaimedImage, Deferred, Failed, Gone
from tagtray.imaging import taken
from tagtray.imaging.decode import ImageInfo, decode_into
from tagtray.imaging.geometry import InputSpec
from tagtray.imaging.opening import Source
from tagtray.imaging.taken import Taken
from tagtray.worker.batch import packing
from tagtray.worker.batch.batch import Batch
from tagtray.worker.batch.lease import Lease
from tagtray.worker.batch.reader import RootReader
from tagtray.worker.supervision.progress import Phase, Progress

log = logging.getLogger(__name__)


class Filler:
    """Fills batches. Each image ends here, or has its content in a slot or in the ledger afterwards."""

    def __init__(
        self, settings: Settings, lease: Lease, reader: RootReader, spec: InputSpec, progress: Progress
    ) -> None:
        self._settings = settings
        self._spec = spec
        self._lease = lease
        self._reader = reader
        self._progress = progress

    def fill(self, batch: Batch) -> None:
        """Read and decode all images of a batch; raises InfrastructureError."""
        for group in packing.groups(batch.images):
            self._fill(batch, group)

    def _fill(self, batch: Batch, group: Sequence[ClaimedImage]) -> None:
        sources = [(image, source) for image in group if (source := self._read(batch, image))]
        hashes = {source.sha256 for _, source in sources}
        classified = self._lease.classified(hashes) if hashes else set()
        for image, source in sources:
            known = source.sha256 in classified or batch.holds(source.sha256)
            if known or self._decode(batch, image, source):
                batch.add(image, source)

    def _read(self, batch: Batch, image: ClaimedImage) -> Source | None:
        self._progress.enter(Phase.READ, image.id)
        try:
            return self._reader.read(image)
        except ImageGone:
            batch.end(Gone(image.id))
        except ImageDeferred as error:
            batch.end(Deferred(image.id, error.seconds))
        except ImageError as error:
            batch.end(_failed(image, error))
        return None

    def _decode(self, batch: Batch, image: ClaimedImage, source: Source) -> bool:
        self._progress.enter(Phase.DECODE, image.id)
        settings = self._settings
        try:
            info = decode_into(
                batch.free_slot,
                source.data,
                self._spec,
                exact=settings.exact,
                max_pixels=settings.max_pixels,
            )
        except ImageError as error:
            batch.end(_failed(image, error, source.sha256))
            return False
        found = self._taken(image, info)
        batch.fill_slot(source.sha256, info if found is info.taken else replace(info, taken=found))
        return True

    def _taken(self, image: ClaimedImage, info: ImageInfo) -> Taken | None:
        """The date that the image states, else the best guess from what lies beside it and its name."""
        if taken.is_stated(info.taken):
            return info.taken
        self._progress.enter(Phase.READ, image.id)
        beside = (taken.from_sidecar(xmp) for xmp in self._reader.sidecars(image))
        found = next((found for found in beside if found), None)
        return found or info.taken or taken.from_name(os.path.basename(image.path))


def _failed(image: ClaimedImage, error: ImageError, sha256: str | None = None) -> Failed:
    logs.event(
        log, logging.INFO, "image_failed", "image={image} code={code} {error}",
        image=image.id, code=error.code, error=error,
    )  # fmt: skip
    return Failed(image.id, error.code, str(error), sha256)
