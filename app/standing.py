"""How things stand: the states of the ledger, the queue, the workers and the speed; nothing is started."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import redis
from sqlalchemy import Engine

from tagtray.config.errors import InfrastructureError
from tagtray.config.settings import Settings
from tagtray.db import current_model, workers
from tagtray.db.access import urls
from tagtray.db.ledger import Ledger
from tagtray.db.places import holds
from tagtray.db.reading import queries, run_stats
from tagtray.db.workers import LiveWorker
from tagtray.jobs.connection import connect
from tagtray.jobs.embedded_redis import server
from tagtray.jobs.queue import ImageQueue

#: Seconds over which images per second are measured.
WINDOW = 60.0


def look(settings: Settings, database: Engine) -> dict[str, Any]:
    """All of it, ready for JSON but for moments. Raises InfrastructureError."""
    waited, model = queries.oldest_wait(database), current_model.find(database)
    return {
        "database": urls.where(database.url),
        "images": Ledger(database).counts(),
        "model": model.name if model else None,
        "stale": run_stats.stale_images(database),
        "images_per_second": round(queries.classified(database, WINDOW) / WINDOW, 2),
        "oldest_pending_seconds": None if waited is None else round(waited, 1),
        "held": [dataclasses.asdict(hold) for hold in holds.held(database)],
        "workers": [_worker(worker) for worker in workers.alive(database)],
        "redis": look_at_redis(settings),
    }


def look_at_redis(settings: Settings) -> dict[str, Any]:
    """Whether the queue's server answers, and what is in the queue."""
    nothing: dict[str, Any] = dict.fromkeys(("jobs", "images", "refused"))
    if settings.redis_url is None and not server.running(settings.home):
        return {"running": False, "answer": "not running", **nothing}
    try:
        with contextlib.closing(connect(settings, start=False)) as connection:
            queue = ImageQueue(settings.queue, connection)
            return {
                "running": True,
                "answer": "running",
                "jobs": queue.count,
                "images": len(queue.waiting_ids()),
                "refused": queue.refused(),
            }
    except (InfrastructureError, redis.RedisError) as error:
        return {"running": False, "answer": str(error), **nothing}


def _worker(worker: LiveWorker) -> dict[str, Any]:
    moments = {"started_at": worker.started_at, "heartbeat_at": worker.heartbeat_at}
    rate = round(worker.images_per_second, 2)
    return {**dataclasses.asdict(worker.info), **moments, "images": worker.images, "images_per_second": rate}
