"""RQ's worker with a window of jobs: how it is filled, and how its jobs end."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

import pytest
from click.testing import CliRunner
from redis import Redis
from rq.cli.cli import main as rq_cli
from rq.command import send_shutdown_command
from rq.suspension import resume, suspend

from tagtray.config.errors import InfrastructureError
from tagtray.jobs.queue import ImageQueue
from tagtray.worker.rq_worker import ImageWorker
from tests.builders import MODEL_ID
from tests.waiting import PATIENCE, wait_for


@pytest.fixture
def queue(redis: Redis) -> ImageQueue:
    return ImageQueue("tagtray", redis)


class Windows:
    """A ``process`` that records what it is given and fails where it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.seen: list[list[int]] = []
        self.models: list[int] = []
        self._error = error

    def __call__(self, image_ids: Sequence[int], model_id: int) -> None:
        self.seen.append(list(image_ids))
        self.models.append(model_id)
        if self._error:
            raise self._error


def _worker(queue: ImageQueue, windows: Windows, window: int = 4) -> ImageWorker:
    return ImageWorker(queue, "w", window, 0.01, windows, lambda: None)


def _states(queue: ImageQueue, job_ids: Sequence[str]) -> set[str]:
    return {queue.connection.hget(f"rq:job:{job_id}", "status").decode() for job_id in job_ids}  # type: ignore[union-attr]


def test_a_window_is_filled_with_several_jobs_that_each_end(queue: ImageQueue) -> None:
    queue.put([[1, 2], [3], [4], [5]], MODEL_ID)
    windows = Windows()
    worker = _worker(queue, windows)

    worker.work(max_jobs=1, logging_level="CRITICAL")

    assert windows.seen == [[1, 2, 3, 4]]
    assert queue.count == 1
    assert worker.failure is None
    assert queue.connection.hget(worker.key, "successful_job_count") == b"3"


def test_nothing_of_a_job_is_left_once_it_has_ended(queue: ImageQueue) -> None:
    queue.put([[1], [2], [3]], MODEL_ID)
    worker = _worker(queue, Windows())

    worker.work(max_jobs=1, logging_level="CRITICAL")

    assert set(queue.connection.scan_iter()) == {b"rq:queues", worker.key.encode()}


def test_jobs_of_two_models_are_processed_apart(queue: ImageQueue) -> None:
    queue.put([[1], [2]], MODEL_ID)
    queue.put([[3]], MODEL_ID + 1)
    windows = Windows()

    _worker(queue, windows).work(max_jobs=1, logging_level="CRITICAL")

    assert (windows.seen, windows.models) == ([[1, 2], [3]], [MODEL_ID, MODEL_ID + 1])


def test_a_full_job_is_not_waited_on(queue: ImageQueue) -> None:
    queue.put([[1, 2, 3, 4], [5]], MODEL_ID)
    windows = Windows()

    _worker(queue, windows).work(max_jobs=1, logging_level="CRITICAL")

    assert windows.seen == [[1, 2, 3, 4]]


def test_a_single_photo_does_not_wait_for_others(queue: ImageQueue) -> None:
    queue.put([[1]], MODEL_ID)
    windows = Windows()

    _worker(queue, windows).work(max_jobs=1, logging_level="CRITICAL")

    assert windows.seen == [[1]]


def test_an_infrastructure_error_fails_its_jobs_and_reaches_the_caller(queue: ImageQueue) -> None:
    queue.put([[1], [2]], MODEL_ID)
    ids = queue.job_ids
    error = InfrastructureError("The database is away.")
    worker = _worker(queue, Windows(error))

    worker.work(max_jobs=1, logging_level="CRITICAL")

    assert worker.failure is error
    assert _states(queue, ids) == {"failed"}
    assert sorted(queue.failed_job_registry.get_job_ids()) == sorted(ids)
    assert queue.started_job_registry.count == 0


def test_a_forged_job_does_not_end_the_worker(queue: ImageQueue) -> None:
    queue.connection.rpush(queue.key, "string", "nothing", b"\xff")
    queue.connection.set("rq:job:string", "x")
    queue.put([[1]], MODEL_ID)
    windows = Windows()

    _worker(queue, windows).work(max_jobs=1, logging_level="CRITICAL")

    assert windows.seen == [[1]]
    assert queue.refused() == 3


def test_a_worker_comes_back_under_its_name_after_its_connection_broke(queue: ImageQueue) -> None:
    _worker(queue, Windows()).register_birth()  # and never a death
    queue.put([[1]], MODEL_ID)
    windows = Windows()

    _worker(queue, windows).work(max_jobs=1, logging_level="CRITICAL")

    assert windows.seen == [[1]]


def test_rq_info_shows_what_a_worker_does(queue: ImageQueue, redis_url: str) -> None:
    queue.put([[1, 2, 3], [4], [5]], MODEL_ID)
    said: list[str] = []
    worker = ImageWorker(queue, "w", 4, 0.0, lambda *_: said.append(_rq_info(redis_url)), lambda: None)

    with _working(worker):
        wait_for(lambda: len(said) == 2 and queue.connection.hget(worker.key, "state") == b"idle")
        said.append(_rq_info(redis_url))

    assert "queue tagtray 1, 2 executing" in said[0] and "busy tagtray. jobs: 0 finished" in said[0]
    assert "queue tagtray 0, 1 executing" in said[1] and "busy tagtray. jobs: 2 finished" in said[1]
    assert "queue tagtray 0, 0 executing" in said[2] and "idle tagtray. jobs: 3 finished" in said[2]


def _rq_info(redis_url: str) -> str:
    return CliRunner().invoke(rq_cli, ["info", "--raw", "--url", redis_url]).output


def test_workers_stand_still_while_rq_has_suspended_them(queue: ImageQueue) -> None:
    queue.put([[1]], MODEL_ID)
    suspend(queue.connection)
    windows = Windows()
    worker = _worker(queue, windows)
    with _working(worker):
        wait_for(lambda: worker.get_state() == "suspended")
        assert not windows.seen

        resume(queue.connection)

        wait_for(lambda: windows.seen)


@contextlib.contextmanager
def _working(worker: ImageWorker) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=worker.work, kwargs={"logging_level": "CRITICAL"})
    thread.start()
    try:
        yield thread
    finally:
        worker.end()
        thread.join(PATIENCE)


def test_a_stop_request_ends_an_idle_worker_and_leaves_jobs_alone(queue: ImageQueue) -> None:
    windows = Windows()
    worker = _worker(queue, windows)
    with _working(worker) as thread:
        queue.put([[1]], MODEL_ID)
        wait_for(lambda: windows.seen)
        worker.end()
        thread.join(PATIENCE)
        queue.put([[2]], MODEL_ID)

    assert not thread.is_alive()
    assert windows.seen == [[1]]
    assert queue.count == 1


def test_nobody_can_stop_a_worker_through_redis(queue: ImageQueue) -> None:
    windows = Windows()
    worker = _worker(queue, windows)
    with _working(worker):
        wait_for(lambda: queue.connection.exists(worker.key))

        send_shutdown_command(queue.connection, "w")
        queue.put([[1]], MODEL_ID)

        wait_for(lambda: windows.seen)


def test_a_worker_that_rests_takes_no_job_until_it_is_wanted(queue: ImageQueue) -> None:
    # Given a job, and a worker that rests
    queue.put([[1, 2]], MODEL_ID)
    windows, looked, wanted = Windows(), threading.Event(), threading.Event()

    def resting() -> bool:
        looked.set()
        return not wanted.is_set()

    worker = ImageWorker(queue, "w", 4, 0.01, windows, lambda: None, resting)
    thread = threading.Thread(target=lambda: worker.work(max_jobs=1, logging_level="CRITICAL"))
    thread.start()
    looked.wait(PATIENCE)

    # Then it leaves the job alone, and takes it when it is wanted
    assert (windows.seen, queue.count) == ([], 1)
    wanted.set()
    thread.join(PATIENCE)
    assert windows.seen == [[1, 2]]


def test_a_worker_that_cannot_ask_whether_to_rest_says_why_it_ends(queue: ImageQueue) -> None:
    def resting() -> bool:
        raise InfrastructureError("The ledger is away.")

    worker = ImageWorker(queue, "w", 4, 0.01, Windows(), lambda: None, resting)
    worker.work(logging_level="CRITICAL")

    assert str(worker.failure) == "The ledger is away."
