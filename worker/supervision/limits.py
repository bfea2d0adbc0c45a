"""How long a worker may be in each phase: longer is a hang, its lease lapses and its supervisor ends it."""

from __future__ import annotations

from collections.abc import Mapping

from tagtray.config.settings import Settings
from tagtray.worker.supervision.progress import Phase, Snapshot

#: Seconds to load the network; the first start on a machine also makes the engine's files, one at a time.
START_SECONDS = 900.0
#: Seconds without a sign of life while waiting for jobs: more than Redis's retries take before they fail.
IDLE_SECONDS = 180.0
#: Seconds of a ledger call: more than its own retries (db.access.transactions), so that an outage is no hang.
LEDGER_SECONDS = 180.0
#: Seconds of a forward pass, and in addition for each image of a full batch: 50 times a slow core's.
FORWARD_SECONDS, FORWARD_SECONDS_PER_IMAGE = 60.0, 5.0


class Limits:
    """The limit of each phase, in seconds."""

    def __init__(self, settings: Settings) -> None:
        self._seconds: Mapping[Phase, float] = {
            Phase.STARTING: START_SECONDS,
            Phase.IDLE: IDLE_SECONDS,
            Phase.CLAIM: LEDGER_SECONDS,
            Phase.READ: settings.read_timeout,
            Phase.DECODE: settings.image_timeout,
            Phase.FORWARD: FORWARD_SECONDS + settings.batch_size * FORWARD_SECONDS_PER_IMAGE,
            Phase.COMMIT: LEDGER_SECONDS,
        }

    def __getitem__(self, phase: Phase) -> float:
        return self._seconds[phase]

    def allow(self, snapshot: Snapshot) -> bool:
        """Whether the phase is young enough to go on."""
        return snapshot.age <= self[snapshot.phase]
