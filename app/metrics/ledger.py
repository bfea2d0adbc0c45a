"""The ledger and the queue as Prometheus reads them; asked anew at every look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import redis
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from tagtray.config.errors import InfrastructureError, TagtrayError
from tagtray.config.settings import Settings
from tagtray.db.reading.figures import Figures, figures
from tagtray.jobs.connection import connect
from tagtray.jobs.embedded_redis import server
from tagtray.jobs.queue import ImageQueue


class StoresCollector(Collector):
    """What both stores hold: the same from whichever process it is read."""

    def __init__(self, database: Engine, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._queue: ImageQueue | None = None

    def collect(self) -> Iterator[Metric]:
        """The metrics; of a store that is away only that it is."""
        in_ledger, in_queue = list(self._ledger()), list(self._redis())
        yield up({"ledger": bool(in_ledger), "redis": bool(in_queue)})
        yield from in_ledger
        yield from in_queue

    def describe(self) -> Iterator[Metric]:
        """Nothing: a registry that takes this in asks no store."""
        return iter(())

    def _ledger(self) -> Iterator[Metric]:
        try:
            found = figures(self._database)
        except InfrastructureError:
            return
        yield from of_ledger(found)

    def _redis(self) -> Iterator[Metric]:
        try:
            if (queue := self._connected()) is None:
                return
            found = queue.count, len(queue.waiting_ids()), queue.refused()
        except (TagtrayError, redis.RedisError):
            self._queue = None
            return
        yield from of_queue(*found)

    def _connected(self) -> ImageQueue | None:
        """The queue; None where the embedded Redis is not running, which no look starts."""
        if self._settings.redis_url is None and not server.running(self._settings.home):
            return None
        if self._queue is None:
            self._queue = ImageQueue(self._settings.queue, connect(self._settings, start=False))
        return self._queue


def up(answers: Mapping[str, bool]) -> Metric:
    """Which stores answer."""
    text = "Whether a store answers."
    return _labelled("tagtray_store_up", text, ("store",), {(name,): up for name, up in answers.items()})


def of_ledger(found: Figures) -> Iterator[Metric]:
    """The metrics of the ledger's figures."""
    yield _labelled("tagtray_images", "Images by root and state.", ("root", "state"), found.images)
    failures = {(code,): count for code, count in found.failures.items()}
    yield _labelled("tagtray_images_failed", "Failed images by code.", ("code",), failures)
    text = "Seconds that the oldest pending image has waited."
    yield GaugeMetricFamily("tagtray_oldest_pending_seconds", text, found.oldest_wait)
    labels = ("host", "engine", "precision", "version")
    yield _labelled("tagtray_workers", "Workers that were heard of lately.", labels, found.workers)
    held = {(root,): 1 for root in found.held}
    yield _labelled("tagtray_root_held", "Roots that are paused or cannot be read.", ("root",), held)
    if found.model:
        facts = dict(zip(("name", "weights_sha256"), found.model, strict=True))
        yield InfoMetricFamily("tagtray_model", "The current model.", facts)


def of_queue(jobs: int, images: int, refused: int) -> Iterator[Metric]:
    """The metrics of the queue."""
    yield GaugeMetricFamily("tagtray_queue_jobs", "Jobs that no worker has taken yet.", jobs)
    yield GaugeMetricFamily("tagtray_queue_images", "Images of those jobs.", images)
    text = "Forged or unreadable jobs that were dropped."
    yield CounterMetricFamily("tagtray_queue_refused_jobs", text, refused)


def _labelled(
    name: str, text: str, labels: tuple[str, ...], values: Mapping[Any, float]
) -> GaugeMetricFamily:
    metric = GaugeMetricFamily(name, text, labels=labels)
    for key, value in sorted(values.items()):
        metric.add_metric(key, value)
    return metric
