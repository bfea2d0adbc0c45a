"""From the image ids of a job to committed results: claim, then fill, infer and commit each batch."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from tagtray.config import logs
from tagtray.config.settings import Settings
from tagtray.db.records import NewContent
from tagtray.imaging.decode import ImageInfo
from tagtray.worker.batch import packing
from tagtray.worker.batch.batch import Batch, CommittedBatch, Hook
from tagtray.worker.batch.fill import Filler
from tagtray.worker.batch.lease import Lease
from tagtray.worker.engines.classifier import Classifier, Scores
from tagtray.worker.engines.rollup import RollUp
from tagtray.worker.supervision.progress import Phase, Progress

log = logging.getLogger(__name__)


class Pipeline:
    """Takes one batch after the other through its stages, each in the slots of the classifier."""

    def __init__(
        self,
        settings: Settings,
        lease: Lease,
        filler: Filler,
        classifier: Classifier,
        roll_up: RollUp,
        progress: Progress,
        hooks: Sequence[Hook] = (),
    ) -> None:
        self._settings = settings
        self._lease = lease
        self._filler = filler
        self._classifier = classifier
        self._roll_up = roll_up
        self._progress = progress
        self._hooks = hooks

    def process(self, image_ids: Sequence[int], model_id: int) -> None:
        """Bring the images of a job to their ends, one transaction per batch.

        Raises ModelChanged, or InfrastructureError with the batch in hand uncommitted; earlier batches stand.
        """
        claimed = self._lease.claim(image_ids, model_id)
        for images in packing.batches(claimed, self._classifier.batch_size):
            batch = Batch(images, self._classifier.slots)
            self._filler.fill(batch)
            self._commit(batch, self._infer(batch))
        self._progress.enter(Phase.IDLE)

    def _infer(self, batch: Batch) -> Sequence[NewContent]:
        """One forward pass over the slots that are filled; their contents."""
        images = len(batch.infos)
        if not images:
            return []
        self._progress.enter(Phase.FORWARD, batch.suspect)
        logs.event(log, logging.INFO, "forward_pass", "images={images}", images=images)
        return self._contents(batch.infos, self._classifier.classify(images))

    def _contents(self, infos: Sequence[ImageInfo], scores: Scores) -> list[NewContent]:
        tags = self._roll_up.tags_above(scores.tag_scores, self._settings.tag_min)
        best = zip(scores.top_index.tolist(), scores.top_score.tolist(), strict=True)
        features = scores.features.astype("<f2") if self._settings.features else None
        return [
            NewContent(
                info.format,
                info.width,
                info.height,
                info.taken.at if info.taken else None,
                info.camera,
                list(zip(*top, strict=True)),
                tags[slot],
                None if features is None else features[slot].tobytes(),
                taken_from=info.taken.source if info.taken else None,
                color=info.color,
                partial=info.partial,
            )
            for slot, (info, top) in enumerate(zip(infos, best, strict=True))
        ]

    def _commit(self, batch: Batch, contents: Sequence[NewContent]) -> None:
        outcomes = batch.outcomes(contents)
        self._lease.commit(outcomes)
        self._progress.enter(Phase.IDLE)
        seconds = {phase.name.lower(): spent for phase, spent in self._progress.lap().items()}
        committed = CommittedBatch(batch.images, outcomes, len(batch.infos), seconds)
        for hook in (_log, *self._hooks):
            try:
                hook(committed)
            except Exception:
                log.exception("hook_failed: the batch is committed all the same.")


def _log(batch: CommittedBatch) -> None:
    logs.event(
        log, logging.INFO, "batch_done", "images={images} forward={forward}",
        images=len(batch.images), forward=batch.forward, seconds=batch.seconds,
    )  # fmt: skip
