"""The RQ worker: fills a window with jobs, has their images processed, and finishes each job alone.

The one module of the worker that touches RQ's classes (rq 3.x).
"""

from __future__ import annotations

import logging
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import uuid4

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq.exceptions import DequeueTimeout, StopRequested
from rq.executions import Execution
from rq.utils import now
from rq.worker import SimpleWorker, WorkerStatus

from tagtray.jobs.job import ImageJob
from tagtray.jobs.queue import ImageQueue

#: Seconds that a blocking pop waits at most; a stop request is seen that late on an idle worker.
POP_SECONDS = 0.2
#: Seconds between two looks at whether a worker that rests is wanted.
REST_SECONDS = 0.5
#: Seconds without a heartbeat after which RQ's tools take the worker for dead.
WORKER_TTL = 60
#: Seconds between heartbeats, and between looks at `rq suspend`, of a worker that goes from job to job.
LOOK_SECONDS = 1.0
#: Seconds between two polls of the queue while a window is filled; BLMOVE itself waits in steps of 100 ms.
POLL_SECONDS = 0.001

log = logging.getLogger(__name__)

#: A job with what RQ calls it while it runs.
Started = tuple[ImageJob, Execution]
#: Brings the images of these ids to their ends, for jobs of this model id.
Process = Callable[[Sequence[int], int], None]


class ImageWorker(SimpleWorker):
    """Pops jobs until ``window`` images are in hand or ``linger`` seconds are over; ``process`` gets them.

    ``idle`` is called while it waits, several times a second; while it is ``resting`` it takes no job.
    RQ's tools are told of a job in one round trip as it begins and in one as it ends. Its executions, for
    which the ledger's leases stand, are not kept, and neither is the job once it has ended well.
    """

    job_class = ImageJob
    queue_class = ImageQueue  # type: ignore[assignment]

    def __init__(
        self,
        queue: ImageQueue,
        name: str,
        window: int,
        linger: float,
        process: Process,
        idle: Callable[[], None],
        resting: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__([queue], name=name, connection=queue.connection, worker_ttl=WORKER_TTL)
        self._window = window
        self._linger = linger
        self._process = process
        self._idle = idle
        self._resting = resting
        self._look_at = self._beat_at = 0.0
        #: What ended ``work`` unasked: RQ logs such an error and returns.
        self.failure: Exception | None = None

    def end(self) -> None:
        """End after the window in hand."""
        self._stop_requested = True

    def execute_job(self, job: Any, queue: Any) -> None:
        """Run the job and those that fit into the window with it; results are stored before a job ends."""
        try:
            self._run(self._begin(self._fill_window(job, queue), queue), queue)
        except Exception as error:
            self.failure = error
            raise

    def dequeue_job_and_maintain_ttl(self, timeout: Any, max_idle_time: Any = None) -> Any:
        """Wait for a job in short steps, so that a stop request never strands one that was popped.

        The process's heartbeat renews the TTL.
        """
        while not self._stop_requested:
            self._idle()
            if self._rests():
                time.sleep(REST_SECONDS)
            elif popped := self._pop():
                return popped
            self._show(WorkerStatus.IDLE, self.connection)
        raise StopRequested

    def _rests(self) -> bool:
        try:
            return self._resting()
        except Exception as error:
            self.failure = error
            raise

    def _pop(self) -> Any:
        """A job with its queue, or None after a moment without one."""
        try:
            return ImageQueue.dequeue_any(
                self._ordered_queues,
                POP_SECONDS,  # type: ignore[arg-type]
                connection=self.connection,
            )
        except DequeueTimeout:
            return None
        except RedisError as error:
            self.failure = error
            raise

    def check_for_suspension(self, burst: bool) -> None:
        """Look once a second whether people suspended all workers."""
        if time.monotonic() >= self._look_at:
            super().check_for_suspension(burst)
            self._look_at = time.monotonic() + LOOK_SECONDS

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Show once a second, not after each job, that the worker lives."""
        if time.monotonic() >= self._beat_at:
            super().heartbeat(timeout, pipeline)
            self._beat_at = time.monotonic() + LOOK_SECONDS

    def run_maintenance_tasks(self) -> None:
        """Nothing: RQ's maintenance reads and revives jobs; the ledger recovers images (jobs.feed)."""

    def subscribe(self) -> None:
        """Nothing: commands come from the supervisor, not from whoever can publish in Redis."""

    def unsubscribe(self) -> None:
        """Nothing was subscribed to."""

    def procline(self, message: str) -> None:
        """Nothing: the process title names the role."""

    def _install_signal_handlers(self) -> None:
        """Nothing: the process owns its signals and calls ``end``; RQ's handlers strand a popped job."""

    def _set_ip_address(self, connection: Redis) -> None:
        """Nothing is asked: the answer has the path of a socket in it, of which a blank breaks the parser."""
        self.ip_address = "unknown"

    def register_birth(self) -> None:
        """Register anew: after a broken connection the process comes back under its name, never dead."""
        self.connection.delete(self.key)
        super().register_birth()  # type: ignore[no-untyped-call]

    def _begin(self, jobs: Sequence[ImageJob], queue: ImageQueue) -> list[Started]:
        """Enter the jobs as started."""
        started = [(job, Execution(uuid4().hex, job.id, self.connection, self.name)) for job in jobs]
        with self.connection.pipeline(transaction=False) as pipeline:
            self._show(WorkerStatus.BUSY, pipeline)
            for job, execution in started:
                # First the one list, then the other: a job that is in neither would be kept for ever.
                queue.started_job_registry.add_execution(execution, pipeline, self.get_heartbeat_ttl(job))
                pipeline.lrem(queue.intermediate_queue_key, 1, job.id)
                job.prepare_for_execution(self.name, pipeline)
            pipeline.execute()
        return started

    def _run(self, started: Sequence[Started], queue: ImageQueue) -> None:
        ids: dict[int, list[int]] = defaultdict(list)
        for job, _ in started:
            ids[job.model_id] += job.image_ids
        try:
            for model_id, image_ids in ids.items():
                self._process(image_ids, model_id)
        except Exception:
            for job, execution in started:
                self._finalize_failure(job, queue, execution, sys.exc_info())
            raise
        self._finish(started, queue)

    def _finish(self, started: Sequence[Started], queue: ImageQueue) -> None:
        """Count the jobs and forget them."""
        with self.connection.pipeline(transaction=False) as pipeline:
            for job, execution in started:
                self.increment_successful_job_count(pipeline)
                self.increment_total_working_time(now() - cast(datetime, job.started_at), pipeline)
                queue.started_job_registry.remove_execution(execution, pipeline=pipeline)
                pipeline.unlink(job.key)
            pipeline.execute()

    def _show(self, state: WorkerStatus, connection: Redis) -> None:
        """What the worker does, for `rq info`."""
        if self.get_state() != state:
            self.set_state(state, connection)  # type: ignore[arg-type]

    def _fill_window(self, job: ImageJob, queue: ImageQueue) -> list[ImageJob]:
        jobs = [job]
        held = len(job.image_ids)
        deadline = time.monotonic() + self._linger
        while held < self._window and not self._stop_requested and not self._resting():
            popped = ImageQueue.dequeue_any([queue], None, connection=self.connection)
            if popped is not None:
                jobs.append(cast(ImageJob, popped[0]))
                held += len(jobs[-1].image_ids)
            elif time.monotonic() >= deadline:
                break
            else:
                time.sleep(POLL_SECONDS)
        return jobs
