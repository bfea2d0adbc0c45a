"""How many workers serve a queue, as they report themselves in Redis."""

from __future__ import annotations

import logging

from rq import worker_registration
from rq.utils import utcparse

from tagtray.jobs.queue import ImageQueue

#: Seconds since its last heartbeat after which a worker counts as dead; an idle one beats every second.
SILENCE = 45.0

log = logging.getLogger(__name__)


def alive(queue: ImageQueue) -> int:
    """Workers of the queue that were heard of lately, on Redis's clock."""
    with queue.connection.pipeline(transaction=False) as pipeline:
        pipeline.time()
        for key in worker_registration.get_keys(queue=queue):
            pipeline.hget(key, "last_heartbeat")
        (seconds, microseconds), *beats = pipeline.execute()
    now = seconds + microseconds / 1e6
    return sum(now - _moment(beat) < SILENCE for beat in beats if beat)


def _moment(beat: bytes) -> float:
    try:
        return utcparse(beat.decode()).timestamp()
    except ValueError:
        log.debug("heartbeat_unreadable: %r", beat)
        return 0.0
