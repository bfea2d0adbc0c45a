"""What the process of a command counts itself: files that it found, workers that it keeps."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tagtray.app.session import Session
from tagtray.producer.totals import Totals
from tagtray.worker.supervision.supervisor import Supervisor


class ProducerCollector(Collector):
    """Files by what became of them, since the command began."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def collect(self) -> Iterator[Metric]:
        """The metrics."""
        return of_producer(self._session.progress, self._session.producer.waiting.files)


class SupervisorCollector(Collector):
    """The workers of this process."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    def collect(self) -> Iterator[Metric]:
        """The metrics."""
        return of_supervisor(self._supervisor.ready, self._supervisor.deaths)


def of_producer(totals: Totals, waiting: int) -> Iterator[Metric]:
    """The metrics of a producer's counts."""
    text = "Files that were registered or missed."
    found = CounterMetricFamily("tagtray_producer_files", text, labels=["result"])
    for result in ("new", "changed", "missing"):
        found.add_metric([result], getattr(totals, result))
    yield found
    yield GaugeMetricFamily("tagtray_producer_waiting_files", "Files that are not complete yet.", waiting)


def of_supervisor(ready: int, deaths: int) -> Iterator[Metric]:
    """The metrics of a supervisor's workers."""
    yield GaugeMetricFamily("tagtray_workers_ready", "Workers with their network loaded.", ready)
    yield CounterMetricFamily("tagtray_worker_deaths", "Workers that died unasked.", deaths)
