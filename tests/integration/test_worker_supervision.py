"""Workers with a real Redis and a real ledger: what becomes of their images when they hang or die."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tagtray.config import outage
from tagtray.config import settings as configuration
from tagtray.config.errors import InfrastructureError
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.worker.process import WorkerProcess
from tagtray.worker.supervision import slot
from tagtray.worker.supervision.progress import Phase, Progress
from tagtray.worker.supervision.resources import Plan
from tagtray.worker.supervision.supervisor import Supervisor
from tests import workers
from tests.builders import execute, jpeg, query, row, status
from tests.waiting import PATIENCE, wait_for

#: What every image goes through.
DECODE = "tagtray.worker.batch.fill:decode_into"


@pytest.fixture
def host(home: Path, redis_url: str) -> Settings:
    return workers.settings(home, redis_url, attempts=2, lease=5.0)


@pytest.fixture
def ledger(host: Settings) -> Iterator[Ledger]:
    with workers.ledger(host) as ledger:
        yield ledger


@pytest.fixture
def fed(host: Settings, ledger: Ledger) -> Iterator[None]:
    with workers.feeding(host, ledger):
        yield


@pytest.fixture
def stuck(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file: while it exists, no decoder returns from an image with its content."""
    return workers.break_(DECODE, home / "stuck", monkeypatch)


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
    fed: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(outage, "BACKOFF", 0.1)
    execute(
        ledger,
        "CREATE TRIGGER t BEFORE UPDATE ON images WHEN NEW.status = 'done' "
        "BEGIN SELECT RAISE(ABORT, 'the disk is odd'); END",
    )
    ids = workers.drop(ledger, host, {"a": jpeg(50), "b": jpeg(90)})
    with _serving(WorkerProcess(host, "w", 1, Progress.create(host.home / "progress"))):
        wait_for(lambda: "worker_waits: The database" in caplog.text)
        time.sleep(1.0)
        assert set(status(ledger, *ids)) <= {"pending", "queued", "running"}
        execute(ledger, "DROP TRIGGER t")
        wait_for(lambda: status(ledger, *ids) == ["done", "done"])

    assert caplog.text.count("worker_waits") == 1
    assert "Traceback" not in caplog.text


@pytest.fixture
def supervisor(host: Settings, ledger: Ledger) -> Iterator[Supervisor]:
    supervisor = Supervisor(host, ledger, Plan(1, 1))
    with workers.supervised(supervisor):
        yield supervisor


def _decoding(host: Settings) -> int:
    """The image that the one worker is decoding; 0: none."""
    at = workers.marker(host)
    return at.image_id if at and at.phase is Phase.DECODE else 0


def _await_hang(host: Settings, supervisor: Supervisor) -> int:
    """Wait until the one worker is in a decode that never returns; the image."""
    wait_for(lambda: supervisor.pids and _decoding(host))
    return _decoding(host)


def test_a_killed_worker_is_replaced_and_only_the_image_in_decode_is_blamed(
    host: Settings, ledger: Ledger, fed: None, stuck: Path, supervisor: Supervisor
) -> None:
    # Given a worker that has done some images and is in the midst of others
    ids = workers.drop(ledger, host, {str(number): jpeg(number * 20) for number in range(6)})
    wait_for(lambda: status(ledger, *ids) == ["done"] * 6)
    stuck.touch()
    others = workers.drop(ledger, host, {f"other {number}": jpeg(number * 20 + 5) for number in range(3)})
    held = _await_hang(host, supervisor)

    # When it is killed
    os.kill(supervisor.pids[0], signal.SIGKILL)
    wait_for(lambda: supervisor.deaths == 1)

    # Then the image in decode is a suspect, until it is decoded by another worker
    assert query(ledger, "SELECT id, attempts FROM images WHERE attempts > 0") == [(held, 1)]
    stuck.unlink()
    wait_for(lambda: status(ledger, *others) == ["done"] * 3)
    assert row(ledger, held)["attempts"] == 0
    assert supervisor.deaths == 1 and supervisor.failure is None

    # And one that is killed at rest leaves none
    os.kill(supervisor.pids[0], signal.SIGKILL)
    late = workers.drop(ledger, host, {"late": jpeg(222)})
    wait_for(lambda: status(ledger, *late) == ["done"])
    assert query(ledger, "SELECT count(*) FROM images WHERE attempts > 0") == [(0,)]


def test_a_decoder_that_hangs_fails_its_image_alone_also_where_the_ledger_fails_meanwhile(
    host: Settings, ledger: Ledger, fed: None, stuck: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a database that is away once the first blame is stored: it must not be stored again
    failing = iter([True, True])
    release = Ledger.release

    def away(self: Ledger, worker: str) -> int:
        if next(failing, False):
            raise InfrastructureError("The database is away.")
        return release(self, worker)

    monkeypatch.setattr(Ledger, "release", away)
    # When a decoder never returns from one of two images
    stuck.write_bytes(b"this one")
    strict = host.model_copy(update={"image_timeout": 3.0})
    bad, good = workers.drop(ledger, host, {"bad": jpeg(3) + b"this one", "good": jpeg(7)})
    supervisor = Supervisor(strict, ledger, Plan(1, 1))
    with workers.supervised(supervisor):
        wait_for(lambda: status(ledger, bad, good) == ["failed", "done"])

    assert query(ledger, "SELECT path, error_code, error_message, attempts FROM failures") == [
        ("bad", "timeout", "Decoding takes longer than 3 s (TAGTRAY_IMAGE_TIMEOUT).", 2)
    ]
    assert supervisor.deaths == 2


def test_to_stop_lets_workers_finish_and_leaves_nothing_behind(
    host: Settings, ledger: Ledger, fed: None
) -> None:
    supervisor = Supervisor(host, ledger, Plan(2, 1))
    supervisor.start()
    wait_for(lambda: supervisor.ready == 2)
    ids = workers.drop(ledger, host, {str(number): jpeg(number * 10) for number in range(20)})
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

    wait_for(lambda: not any(psutil.pid_exists(pid) for pid in pids))


def test_workers_that_cannot_start_are_given_up(
    host: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot, "FIRST_BACKOFF", 0.01)
    supervisor = Supervisor(host.model_copy(update={"precision": "fp16"}), ledger, Plan(1, 1))
    with workers.supervised(supervisor):
        wait_for(lambda: supervisor.failure)

    assert supervisor.failure is not None and supervisor.failure.startswith("The precision fp16 is for GPUs")


def test_workers_end_when_their_supervisor_is_gone(host: Settings, ledger: Ledger) -> None:
    program = (
        "import time; from tagtray.config import settings; from tagtray.db.access import engine\n"
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

    wait_for(lambda: _has_ended(pid))


def _has_ended(pid: int) -> bool:
    """Also of a process that nobody has asked for its exit status yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
