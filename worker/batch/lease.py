"""What one worker holds of the ledger."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from tagtray.config import logs
from tagtray.config.errors import ModelChanged
from tagtray.db import current_model
from tagtray.db.ledger import Ledger
from tagtray.db.records import ClaimedImage, Outcome, Provenance
from tagtray.worker.supervision.progress import Phase, Progress

log = logging.getLogger(__name__)


class Lease:
    """Claims, renews, commits and releases images in the name of one worker, for the model that it runs.

    All methods raise InfrastructureError. ``renew`` and ``check_model`` may be called by another thread.
    """

    def __init__(
        self, ledger: Ledger, worker: str, seconds: float, provenance: Provenance, progress: Progress
    ) -> None:
        self._ledger = ledger
        self._worker = worker
        self._seconds = seconds
        self._provenance = provenance
        self._progress = progress

    def claim(self, image_ids: Sequence[int], model_id: int) -> list[ClaimedImage]:
        """The images of a job that are still queued; those of another model's job go back to ``pending``.

        Raises ModelChanged where this worker's model is no longer the current one.
        """
        self._progress.enter(Phase.CLAIM)
        own = self._provenance.model_id
        claimed: list[ClaimedImage] = []
        if model_id == own:
            claimed = self._ledger.claim(image_ids, self._worker, self._seconds, own)
        if not claimed:  # others were first, or one of the two models is not the current one
            current = current_model.current(self._ledger.engine)
            if not model_id == own == current.id:
                images = self._ledger.unqueue(image_ids)
                logs.event(log, logging.INFO, "job_outdated", "{images} images went back.", images=images)
            self._expect(current)
        return claimed

    def classified(self, hashes: Collection[str]) -> set[str]:
        """Those of the SHA-256 ``hashes`` whose content the model has classified."""
        self._progress.enter(Phase.CLAIM)
        return self._ledger.classified(sorted(hashes), self._provenance.model_id)

    def commit(self, outcomes: Sequence[Outcome]) -> None:
        """Store results and end their images, in one transaction."""
        self._progress.enter(Phase.COMMIT)
        self._ledger.commit(self._worker, self._provenance, outcomes)

    def renew(self) -> None:
        """Extend the lease on all images that the worker holds."""
        self._ledger.renew(self._worker, self._seconds)

    def release(self) -> None:
        """Give all images back that the worker holds."""
        self._ledger.release(self._worker)

    def check_model(self) -> None:
        """Raise ModelChanged unless the worker's model is the current one."""
        self._expect(current_model.current(self._ledger.engine))

    def _expect(self, current: current_model.CurrentModel) -> None:
        if current.id != self._provenance.model_id:
            raise ModelChanged(f"The current model is {current.name} now.")
