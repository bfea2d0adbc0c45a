"""From claimed images to committed results: read, hash, decode into slots, one forward pass, one commit."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from tagtray.config.errors import ImageDeferred, ImageError, ImageGone
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.db.records import (
    ClaimedImage,
    Deferred,
    Done,
    Failed,
    Gone,
    NewContent,
    Outcome,
    Provenance,
    stored_ns,
)
from tagtray.imaging.decode import ImageInfo, decode_into
from tagtray.imaging.geometry import InputSpec
from tagtray.imaging.opening import Source
from tagtray.worker.batch import packing
from tagtray.worker.batch.reader import RootReader
from tagtray.worker.engines.classifier import Classifier, Scores
from tagtray.worker.engines.rollup import RollUp
from tagtray.worker.supervision.progress import Progress

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Batch:
    """A batch on its way: images that ended early, those that were read, and what lies in the slots."""

    ended: list[Outcome] = field(default_factory=list)
    read: list[Done] = field(default_factory=list)
    slots: dict[str, int] = field(default_factory=dict)
    infos: list[ImageInfo] = field(default_factory=list)


class Pipeline:
    """Classifies what a worker claimed; images with the same bytes share one decode and one slot."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        folders: RootReader,
        classifier: Classifier,
        spec: InputSpec,
        roll_up: RollUp,
        run: Provenance,
        progress: Progress,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._folders = folders
        self._classifier = classifier
        self._spec = spec
        self._roll_up = roll_up
        self._run = run
        self._progress = progress

    def process(self, images: Sequence[ClaimedImage], worker: str) -> None:
        """Bring every image to its end, one transaction per batch.

        Raises InfrastructureError with the batch in hand uncommitted; earlier batches stand.
        """
        for claimed in packing.batches(images, self._classifier.batch_size):
            batch = _Batch()
            for group in packing.groups(claimed):
                self._fill(batch, group)
            self._ledger.commit(worker, self._run, [*batch.ended, *self._classified(batch)])
            log.info("batch_done: images=%d forward=%d", len(claimed), len(batch.infos))

    def _fill(self, batch: _Batch, group: Sequence[ClaimedImage]) -> None:
        """Read a group, and decode what neither the ledger nor this batch knows into the next slots."""
        sources = [(image, source) for image in group if (source := self._source(batch, image))]
        hashes = {source.sha256 for _, source in sources}
        known = self._ledger.classified(sorted(hashes), self._run.model_id) if hashes else set()
        for image, source in sources:
            if source.sha256 in known or source.sha256 in batch.slots or self._decode(batch, image, source):
                done = Done(image.id, source.sha256, source.size_bytes, stored_ns(source.mtime_ns), None)
                batch.read.append(done)

    def _source(self, batch: _Batch, image: ClaimedImage) -> Source | None:
        try:
            return self._folders.read(image)
        except ImageGone:
            batch.ended.append(Gone(image.id))
        except ImageDeferred as error:
            batch.ended.append(Deferred(image.id, error.seconds))
        except ImageError as error:
            batch.ended.append(_failed(image, error))
        return None

    def _decode(self, batch: _Batch, image: ClaimedImage, source: Source) -> bool:
        slot = len(batch.infos)
        try:
            with self._progress.decoding(image.id):
                info = decode_into(
                    self._classifier.slots[slot],
                    source.data,
                    self._spec,
                    exact=self._settings.exact,
                    max_pixels=self._settings.max_pixels,
                )
        except ImageError as error:
            batch.ended.append(_failed(image, error))
            return False
        batch.slots[source.sha256] = slot
        batch.infos.append(info)
        return True

    def _classified(self, batch: _Batch) -> list[Done]:
        if not batch.infos:
            return batch.read
        log.info("forward_pass: images=%d", len(batch.infos))
        scores = self._classifier.classify(len(batch.infos))
        contents = [self._content(slot, info, scores) for slot, info in enumerate(batch.infos)]
        found = {sha256: contents[slot] for sha256, slot in batch.slots.items()}
        return [Done(o.image_id, o.sha256, o.size_bytes, o.mtime_ns, found.get(o.sha256)) for o in batch.read]

    def _content(self, slot: int, info: ImageInfo, scores: Scores) -> NewContent:
        top = zip(scores.top_index[slot].tolist(), scores.top_score[slot].tolist(), strict=True)
        tags = self._roll_up.tags_above(scores.tag_scores[slot], self._settings.tag_min)
        features = scores.features[slot].astype("<f2").tobytes() if self._settings.features else None
        return NewContent(
            info.format, info.width, info.height, info.taken_at, info.camera, list(top), tags, features
        )


def _failed(image: ClaimedImage, error: ImageError) -> Failed:
    log.info("image_failed: image=%d code=%s %s", image.id, error.code, error)
    return Failed(image.id, error.code, str(error))
