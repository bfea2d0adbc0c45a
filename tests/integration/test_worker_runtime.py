"""Workers with a real Redis and a real ledger: their window, their jobs' ends, their deaths."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image as Picture
from redis import Redis
from rq.command import send_shutdown_command

from tagtray.app import bootstrap
from tagtray.config import outage
from tagtray.config import settings as configuration
from tagtray.config.errors import InfrastructureError
from tagtray.config.settings import Settings
from tagtray.db import engine as engines
from tagtray.db.ledger import Ledger
from tagtray.jobs.connection import connect
from tagtray.jobs.feed import Feeder, FeederLoop
from tagtray.jobs.queue import ImageQueue
from tagtray.worker.process import WorkerProcess
from tagtray.worker.rq_worker import ImageWorker
from tagtray.worker.supervision import slot
from tagtray.worker.supervision.progress import Phase, Progress
from tagtray.worker.supervision.resources import Plan
from tagtray.worker.supervision.supervisor import Supervisor
from tests import builders, traces, workers
from tests.builders import MODEL_ID, execute, jpeg, query, row, seen, status
from tests.waiting import PATIENCE, wait_for

# The RQ worker


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


def test_a_window_is_filled_with_several_jobs_that_each_finish(queue: ImageQueue) -> None:
    queue.put([[1, 2], [3], [4], [5]], MODEL_ID)
    first = queue.job_ids[:3]
    windows = Windows()
    worker = _worker(queue, windows)

    worker.work(max_jobs=1, logging_level="CRITICAL")

    assert windows.seen == [[1, 2, 3, 4]]
    assert _states(queue, first) == {"finished"}
    assert sorted(queue.finished_job_registry.get_job_ids()) == sorted(first)
    assert queue.count == 1
    assert queue.started_job_registry.count == 0
    assert queue.connection.llen(queue.intermediate_queue_key) == 0
    assert worker.failure is None
    assert queue.connection.hget(worker.key, "successful_job_count") == b"3"


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


# Whole processes


@pytest.fixture
def host(home: Path, redis_url: str) -> Settings:
    traces.copied_to(home)
    return configuration.load(
        home=home,
        redis_url=redis_url,
        batch_size=4,
        image_timeout=20.0,
        attempts=2,
        lease=5.0,
        max_pixels=10**9,
    )


@pytest.fixture
def ledger(host: Settings) -> Iterator[Ledger]:
    engine = engines.connect(host)
    bootstrap.upgrade(engine, host)
    ledger = Ledger(engine)
    builders.root(ledger, host)
    yield ledger
    engine.dispose()


@pytest.fixture
def fed(host: Settings, ledger: Ledger) -> Iterator[FeederLoop]:
    loop = FeederLoop(Feeder(host, ledger, ImageQueue(host.queue, connect(host))))
    loop.start()
    yield loop
    loop.stop()


def _drop(ledger: Ledger, host: Settings, files: dict[str, bytes]) -> list[int]:
    """Put files into the root and register them."""
    for name, data in files.items():
        (host.home / "photos" / name).write_bytes(data)
    ledger.register(1, [seen(name, len(data)) for name, data in files.items()])
    known = ledger.lookup(1, [name.encode() for name in files])
    return [known[name.encode()].id for name in files]


def _slow_png(shade: int = 0) -> bytes:
    """A picture that takes half a second to decode and little to store."""
    file = io.BytesIO()
    Picture.new("L", (20_000, 17_000), shade).save(file, "PNG", compress_level=1)
    return file.getvalue()


@contextlib.contextmanager
def _serving(process: WorkerProcess) -> Iterator[None]:
    thread = threading.Thread(target=process.serve)
    thread.start()
    try:
        yield
    finally:
        process.stop()
        thread.join(PATIENCE)


def test_a_database_that_refuses_is_waited_for_without_a_traceback(
    host: Settings,
    ledger: Ledger,
    fed: FeederLoop,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(outage, "BACKOFF", 0.1)
    execute(
        ledger,
        "CREATE TRIGGER t BEFORE UPDATE ON images WHEN NEW.status = 'done' "
        "BEGIN SELECT RAISE(ABORT, 'the disk is odd'); END",
    )
    ids = _drop(ledger, host, {"a": jpeg(50), "b": jpeg(90)})
    with _serving(WorkerProcess(host, "w", 1, Progress.create(host.home / "progress"))):
        wait_for(lambda: "worker_waits: The database" in caplog.text)
        time.sleep(1.0)
        assert set(status(ledger, *ids)) <= {"pending", "queued", "running"}
        execute(ledger, "DROP TRIGGER t")
        wait_for(lambda: status(ledger, *ids) == ["done", "done"])

    assert caplog.text.count("worker_waits") == 1
    assert "Traceback" not in caplog.text


@contextlib.contextmanager
def _supervised(supervisor: Supervisor) -> Iterator[None]:
    supervisor.start()
    try:
        yield
    finally:
        supervisor.stop(10.0)


@pytest.fixture
def supervisor(host: Settings, ledger: Ledger) -> Iterator[Supervisor]:
    supervisor = Supervisor(host, ledger, Plan(1, 1))
    with _supervised(supervisor):
        yield supervisor


def _decoding(host: Settings) -> int:
    """The image that the one worker is decoding; 0: none."""
    at = workers.marker(host)
    return at.image_id if at and at.phase is Phase.DECODE else 0


def _hang(host: Settings, supervisor: Supervisor, *image_ids: int) -> int:
    """Stop the one worker in the middle of a decode, as native code that never returns would; which one."""
    while True:
        wait_for(lambda: supervisor.pids and _decoding(host) in image_ids)
        (pid,) = supervisor.pids
        os.kill(pid, signal.SIGSTOP)
        if (found := _decoding(host)) in image_ids:
            return found
        os.kill(pid, signal.SIGCONT)


def test_a_killed_worker_is_replaced_and_only_the_image_in_decode_is_blamed(
    host: Settings, ledger: Ledger, fed: FeederLoop, supervisor: Supervisor
) -> None:
    ids = _drop(ledger, host, {str(number): jpeg(number * 20) for number in range(6)})
    wait_for(lambda: status(ledger, *ids) == ["done"] * 6)
    slow = _drop(ledger, host, {f"slow {number}": _slow_png(number) for number in range(3)})
    held = _hang(host, supervisor, *slow)

    os.kill(supervisor.pids[0], signal.SIGKILL)
    wait_for(lambda: supervisor.deaths == 1)

    assert query(ledger, "SELECT id, attempts FROM images WHERE attempts > 0") == [(held, 1)]
    wait_for(lambda: status(ledger, *slow) == ["done"] * 3)
    assert row(ledger, held)["attempts"] == 0
    assert supervisor.deaths == 1 and supervisor.failure is None

    os.kill(supervisor.pids[0], signal.SIGKILL)
    late = _drop(ledger, host, {"late": jpeg(222)})
    wait_for(lambda: status(ledger, *late) == ["done"])
    assert query(ledger, "SELECT count(*) FROM images WHERE attempts > 0") == [(0,)]


@pytest.mark.parametrize("ledger_fails", [False, True])
def test_a_decoder_that_hangs_fails_its_image_alone(
    host: Settings, ledger: Ledger, fed: FeederLoop, ledger_fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ledger_fails:  # the blame is stored, then the database is away: it must not be stored again
        failing = iter([True, True])
        release = Ledger.release

        def away(self: Ledger, worker: str) -> int:
            if next(failing, False):
                raise InfrastructureError("The database is away.")
            return release(self, worker)

        monkeypatch.setattr(Ledger, "release", away)
    strict = host.model_copy(update={"image_timeout": 3.0})
    slow, good = _drop(ledger, host, {"slow": _slow_png(), "good": jpeg(7)})
    supervisor = Supervisor(strict, ledger, Plan(1, 1))
    with _supervised(supervisor):
        _hang(host, supervisor, slow)
        wait_for(lambda: row(ledger, slow)["attempts"] == 1)
        _hang(host, supervisor, slow)
        wait_for(lambda: status(ledger, slow, good) == ["failed", "done"])

    assert query(ledger, "SELECT path, error_code, error_message, attempts FROM failures") == [
        ("slow", "timeout", "Decoding takes longer than 3 s (TAGTRAY_IMAGE_TIMEOUT).", 2)
    ]
    assert supervisor.deaths == 2


def test_to_stop_lets_workers_finish_and_leaves_nothing_behind(
    host: Settings, ledger: Ledger, fed: FeederLoop
) -> None:
    supervisor = Supervisor(host, ledger, Plan(2, 1))
    supervisor.start()
    wait_for(lambda: supervisor.ready == 2)
    ids = _drop(ledger, host, {str(number): jpeg(number * 10) for number in range(20)})
    wait_for(lambda: "running" in status(ledger, *ids) or "done" in status(ledger, *ids))

    supervisor.stop(30.0)

    assert supervisor.pids == []
    assert "running" not in status(ledger, *ids)
    assert list((host.home / "run").iterdir()) == []
    assert supervisor.deaths == 0


def test_a_database_that_is_away_does_not_keep_workers_from_being_ended(
    host: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = Supervisor(host, ledger, Plan(2, 1))
    supervisor.start()
    wait_for(lambda: len(supervisor.pids) == 2)
    pids = supervisor.pids

    def away(self: Ledger, worker: str) -> int:
        raise InfrastructureError("The database is away.")

    monkeypatch.setattr(Ledger, "release", away)
    supervisor.stop(0.0)

    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_workers_that_cannot_start_are_given_up(
    host: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot, "FIRST_BACKOFF", 0.01)
    supervisor = Supervisor(host.model_copy(update={"precision": "fp16"}), ledger, Plan(1, 1))
    with _supervised(supervisor):
        wait_for(lambda: supervisor.failure)

    assert supervisor.failure is not None and supervisor.failure.startswith("The precision fp16 is for GPUs")


def test_workers_end_when_their_supervisor_is_gone(host: Settings, ledger: Ledger) -> None:
    program = (
        "import time; from tagtray.config import settings; from tagtray.db import engine\n"
        "from tagtray.db.ledger import Ledger\n"
        "from tagtray.worker.supervision.resources import Plan\n"
        "from tagtray.worker.supervision.supervisor import Supervisor\n"
        "host = settings.load(); s = Supervisor(host, Ledger(engine.connect(host)), Plan(1, 1)); s.start()\n"
        "while not s.ready: time.sleep(0.05)\n"
        "print(*s.pids, flush=True); time.sleep(999)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | configuration.environment(host),
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()

    wait_for(
        lambda: not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes()
    )
