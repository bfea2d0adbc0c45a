"""Workers that hang in each of their phases, with real processes: they are replaced and nothing is lost."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.worker.engines.classifier import BatchClassifier
from tagtray.worker.process import WorkerProcess
from tagtray.worker.supervision import limits, slot
from tagtray.worker.supervision.forkserver import Worker
from tagtray.worker.supervision.progress import Phase, Progress
from tagtray.worker.supervision.resources import Plan
from tagtray.worker.supervision.supervisor import Supervisor
from tests import builders, workers
from tests.builders import jpeg, query, status
from tests.waiting import PATIENCE, wait_for

READ = "tagtray.worker.batch.reader:open_image"
FORWARD = "tagtray.worker.engines.classifier:BatchClassifier.classify"
#: Seconds of the phase that hangs.
SHORT = 2.0

Break = Callable[[str], Path]


@pytest.fixture
def options() -> dict[str, str]:
    """Settings of the test's own."""
    return {}


@pytest.fixture
def host(home: Path, redis_url: str, options: dict[str, str]) -> Settings:
    return workers.settings(home, redis_url, attempts=2, read_timeout=SHORT, **options)


@pytest.fixture
def ledger(host: Settings) -> Iterator[Ledger]:
    with workers.ledger(host) as ledger, workers.feeding(host, ledger):
        yield ledger


@pytest.fixture
def break_(home: Path, monkeypatch: pytest.MonkeyPatch) -> Break:
    """Have a function of the worker hang for as long as the file exists that is returned."""

    def break_(function: str) -> Path:
        trigger = workers.break_(function, home / "broken", monkeypatch)
        trigger.touch()
        return trigger

    return break_


def _attempts(ledger: Ledger) -> list[int]:
    return [attempts for (attempts,) in query(ledger, "SELECT attempts FROM images ORDER BY id")]


def test_a_read_that_hangs_is_no_image_s_fault_and_its_root_is_held(
    host: Settings, ledger: Ledger, break_: Break
) -> None:
    # Given a mount that hangs
    trigger = break_(READ)
    with workers.supervised(Supervisor(host, ledger, Plan(1, 1))) as supervisor:
        ids = workers.drop(ledger, host, {str(number): jpeg(number * 40) for number in range(3)})

        # When a worker reads from it for too long
        wait_for(lambda: supervisor.deaths)

        # Then its images go back, nobody is blamed, and the root is left alone for a while
        assert query(ledger, "SELECT count(*) FROM roots WHERE held_until IS NOT NULL") == [(1,)]
        assert query(ledger, "SELECT count(*) FROM images WHERE not_before IS NOT NULL") == [(1,)]
        assert _attempts(ledger) == [0, 0, 0]
        # And when the mount is back, they are classified
        trigger.unlink()
        builders.execute(ledger, "UPDATE roots SET held_until = NULL")
        builders.execute(ledger, "UPDATE images SET not_before = NULL")
        wait_for(lambda: status(ledger, *ids) == ["done"] * 3)


def test_a_forward_pass_that_hangs_gives_its_batch_back(
    host: Settings, ledger: Ledger, break_: Break, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FORWARD_SECONDS", SHORT)
    monkeypatch.setattr(limits, "FORWARD_SECONDS_PER_IMAGE", 0.0)
    trigger = break_(FORWARD)
    ids = workers.drop(ledger, host, {str(number): jpeg(number * 40) for number in range(3)})
    wait_for(lambda: status(ledger, *ids) == ["queued"] * 3)
    with workers.supervised(Supervisor(host, ledger, Plan(1, 1))) as supervisor:
        wait_for(lambda: supervisor.deaths)
        trigger.unlink()
        wait_for(lambda: status(ledger, *ids) == ["done"] * 3)

    assert _attempts(ledger) == [0, 0, 0]


def test_a_worker_that_cannot_even_be_killed_is_replaced(
    host: Settings, ledger: Ledger, break_: Break, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot, "KILL_GRACE", 0.5)
    trigger = break_(FORWARD)
    ids = workers.drop(ledger, host, {str(number): jpeg(number * 40) for number in range(3)})
    with workers.supervised(Supervisor(host, ledger, Plan(1, 1))) as supervisor:
        # Given a worker in a system call that never returns, which no signal ends: stopped in a forward pass,
        # where it holds no lock of the ledger
        wait_for(lambda: (at := workers.marker(host)) and at.phase is Phase.FORWARD)
        (pid,) = supervisor.pids
        os.kill(pid, signal.SIGSTOP)
        trigger.unlink()
        with monkeypatch.context() as impatient:
            impatient.setattr(Worker, "send_signal", lambda *_: None)
            impatient.setattr(limits.Limits, "__getitem__", _short_forward)
            # When it is given up, then another one works
            wait_for(lambda: supervisor.deaths)
        wait_for(lambda: status(ledger, *ids) == ["done"] * 3)
        assert psutil.pid_exists(pid)

    assert _attempts(ledger) == [0, 0, 0]


def _short_forward(_: limits.Limits, phase: Phase) -> float:
    return SHORT if phase is Phase.FORWARD else limits.START_SECONDS


def test_an_image_that_is_alone_in_a_forward_pass_that_hangs_is_blamed(
    host: Settings, ledger: Ledger, break_: Break, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FORWARD_SECONDS", SHORT)
    monkeypatch.setattr(limits, "FORWARD_SECONDS_PER_IMAGE", 0.0)
    break_(FORWARD)
    ids = workers.drop(ledger, host, {"alone": jpeg(40)})
    with workers.supervised(Supervisor(host, ledger, Plan(1, 1))):
        wait_for(lambda: status(ledger, *ids) == ["failed"])

    assert query(ledger, "SELECT error_code, error_message, attempts FROM failures") == [
        ("timeout", "The network does not answer for this image within 2 s.", 2)
    ]


class TestWithPostgreSQL:
    """SQLite gives up by itself when it waits for a lock; PostgreSQL does not."""

    @pytest.fixture
    def options(self, postgres_url: str) -> dict[str, str]:
        return {"database_url": postgres_url}

    def test_a_commit_that_is_stuck_gives_its_batch_back(
        self, host: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "LEDGER_SECONDS", SHORT)
        with workers.supervised(Supervisor(host, ledger, Plan(1, 1))) as supervisor:
            wait_for(lambda: supervisor.ready == 1)
            # Given somebody who holds a table that a commit writes to
            with ledger.engine.begin() as somebody:
                somebody.execute(text("LOCK TABLE classifications IN EXCLUSIVE MODE"))
                ids = workers.drop(ledger, host, {str(number): jpeg(number * 40) for number in range(3)})
                # When a commit waits for it, then its worker is replaced
                wait_for(lambda: supervisor.deaths)
                assert _attempts(ledger) == [0, 0, 0]
            # And with the lock gone all are classified
            wait_for(lambda: status(ledger, *ids) == ["done"] * 3)

        assert _attempts(ledger) == [0, 0, 0]


def test_a_worker_that_stands_still_while_it_is_idle_is_replaced(
    host: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "IDLE_SECONDS", 5.0)
    with workers.supervised(Supervisor(host, ledger, Plan(1, 1))) as supervisor:
        wait_for(lambda: supervisor.ready == 1)
        (pid,) = supervisor.pids
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: not psutil.pid_exists(pid))
        ids = workers.drop(ledger, host, {"late": jpeg(40)})
        wait_for(lambda: status(ledger, *ids) == ["done"])


def test_the_lease_of_a_worker_that_hangs_lapses(
    host: Settings, ledger: Ledger, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a worker whose forward pass does not return, and nobody who watches it
    classify, returns = BatchClassifier.classify, threading.Event()
    monkeypatch.setattr(
        BatchClassifier, "classify", lambda self, n: returns.wait(PATIENCE) and classify(self, n)
    )
    progress = Progress.create(home / "progress")
    process = WorkerProcess(host.model_copy(update={"lease": 6.0}), "w", 1, progress)
    thread = threading.Thread(target=process.serve)
    thread.start()
    try:
        ids = workers.drop(ledger, host, {"a": jpeg(40)})
        wait_for(lambda: progress.read().phase is Phase.FORWARD)

        # When the phase is young, then its lease is renewed
        (leased,) = _leases(ledger)
        wait_for(lambda: _leases(ledger) != [leased])
        assert status(ledger, *ids) == ["running"]

        # And when the phase takes too long, then it lapses
        monkeypatch.setattr(limits.Limits, "__getitem__", lambda *_: 0.0)
        wait_for(lambda: status(ledger, *ids) != ["running"])
    finally:
        process.stop()
        returns.set()
        thread.join(PATIENCE)


def _leases(ledger: Ledger) -> list[str]:
    return [str(until) for (until,) in query(ledger, "SELECT lease_until FROM images")]
