"""The RQ worker: fills a window with jobs, has their images processed, and finishes each job alone.

The one module of the worker that touches RQ's classes (rq 3.x).
"""

from __future__ import annotations

import logging
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, cast

from redis import Redis
from redis.exceptions import RedisError
from rq.exceptions import DequeueTimeout, StopRequested
from rq.executions import Execution
from rq.worker import SimpleWorker, WorkerStatus

from tagtray.jobs.job import ImageJob
from tagtray.jobs.queue import ImageQueue

#: Seconds that a blocking pop waits at most; a stop request is seen that late on an idle worker.
POP_SECONDS = 0.2
#: Seconds between two looks at whether a worker that rests is wanted.
REST_SECONDS = 0.5
#: Seconds without a heartbeat after which RQ's tools take the worker for dead.
WORKER_TTL = 60
#: Seconds between two polls of the queue while a window is filled; BLMOVE itself waits in steps of 100 ms.
POLL_SECONDS = 0.001

log = logging.getLogger(__name__)

#: Brings the images of these ids to their ends, for jobs of this model id.
Process = Callable[[Sequence[int], int], None]


class ImageWorker(SimpleWorker):
    """Pops jobs until ``window`` images are in hand or ``linger`` seconds are over; ``process`` gets them.

    ``idle`` is called while it waits, several times a second; while it is ``resting`` it takes no job.
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
        #: What ended ``work`` unasked: RQ logs such an error and returns.
        self.failure: Exception | None = None

    def end(self) -> None:
        """End after the window in hand."""
        self._stop_requested = True

    def execute_job(self, job: Any, queue: Any) -> None:
        """Run the job and those that fit into the window with it; results are stored before a job ends."""
        try:
            jobs = self._fill_window(job, queue)
            started = [(item, self._begin(item)) for item in jobs]
            self._run(started, queue)
        except Exception as error:
            self.failure = error
            raise

    def dequeue_job_and_maintain_ttl(self, timeout: Any, max_idle_time: Any = None) -> Any:
        """Wait for a job in short steps, so that a stop request never strands one that was popped.

        The process's heartbeat renews the TTL.
        """
        self.set_state(WorkerStatus.IDLE)
        while not self._stop_requested:
            self._idle()
            if self._rests():
                time.sleep(REST_SECONDS)
            elif popped := self._pop():
                return popped
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

    def _run(self, started: Sequence[tuple[ImageJob, Execution]], queue: ImageQueue) -> None:
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
        for job, execution in started:
            self._finalize_success(job, queue, execution, None)

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

    def _begin(self, job: ImageJob) -> Execution:
        execution = self.prepare_execution(job)
        self.prepare_job_execution(job, remove_from_intermediate_queue=True)
        return execution
