"""The fork server between a real supervisor and real workers: shared imports, and every way to end."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.worker.supervision.forkserver import ForkServer
from tagtray.worker.supervision.resources import Plan
from tagtray.worker.supervision.supervisor import Supervisor
from tests import workers
from tests.waiting import wait_for


@pytest.fixture
def host(home: Path, redis_url: str) -> Settings:
    return workers.settings(home, redis_url)


@pytest.fixture
def ledger(host: Settings) -> Iterator[Ledger]:
    with workers.ledger(host) as ledger:
        yield ledger


@pytest.fixture
def server(host: Settings) -> Iterator[ForkServer]:
    with ForkServer(host) as server:
        yield server


@contextlib.contextmanager
def _working(host: Settings, ledger: Ledger, server: ForkServer, count: int) -> Iterator[Supervisor]:
    with workers.supervised(Supervisor(host, ledger, Plan(count, 1), server)) as supervisor:
        wait_for(lambda: supervisor.ready == count)
        yield supervisor


def _imported(server: ForkServer) -> bool:
    return any("libtorch_cpu" in region.path for region in psutil.Process(server.pid).memory_maps())


def _title(pid: int) -> str:
    return " ".join(psutil.Process(pid).cmdline()).strip()


def test_the_workers_are_its_children_named_by_their_slots_and_read_nothing_from_its_socket(
    host: Settings, ledger: Ledger, server: ForkServer
) -> None:
    with _working(host, ledger, server, 2) as supervisor:
        assert [psutil.Process(pid).ppid() for pid in supervisor.pids] == [server.pid] * 2
        assert [_title(pid) for pid in supervisor.pids] == ["tagtray: worker 1", "tagtray: worker 2"]
        assert {os.readlink(f"/proc/{pid}/fd/0") for pid in supervisor.pids} == {os.devnull}
    assert supervisor.deaths == 0


def test_the_network_s_library_is_in_memory_before_the_first_order(host: Settings) -> None:
    with ForkServer(host.model_copy(update={"engine": "torch"})) as server:
        wait_for(lambda: _imported(server))


def test_killed_it_takes_its_workers_along_and_comes_back_with_others(
    host: Settings, ledger: Ledger, server: ForkServer
) -> None:
    with _working(host, ledger, server, 2) as supervisor:
        former, pids = server.pid, supervisor.pids
        os.kill(former, signal.SIGKILL)
        wait_for(lambda: supervisor.deaths == 2)
        wait_for(lambda: supervisor.ready == 2)
        assert server.pid != former and not set(pids) & set(supervisor.pids)
        wait_for(lambda: not any(psutil.pid_exists(pid) for pid in pids))
    assert supervisor.failure is None


def test_killed_before_its_first_order_it_is_started_again(
    host: Settings, ledger: Ledger, server: ForkServer
) -> None:
    former = psutil.Process(server.pid)
    former.kill()
    wait_for(lambda: former.status() == psutil.STATUS_ZOMBIE)
    with _working(host, ledger, server, 1) as supervisor:
        assert server.pid != former.pid
    assert supervisor.deaths == 0


def test_a_signal_to_every_process_of_a_service_leaves_it_to_its_workers(
    host: Settings, ledger: Ledger, server: ForkServer
) -> None:
    with _working(host, ledger, server, 1) as supervisor:
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(server.pid, number)
        (pid,) = supervisor.pids
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: supervisor.deaths == 1)
        wait_for(lambda: supervisor.ready == 1)
        assert psutil.Process(supervisor.pids[0]).ppid() == server.pid


def test_closed_with_a_worker_still_to_come_it_leaves_nobody_behind(host: Settings, tmp_path: Path) -> None:
    # Given a server that does not come to its first order
    server = ForkServer(host)
    os.kill(server.pid, signal.SIGSTOP)
    worker = server.spawn("early-1", 1, tmp_path / "progress")
    assert worker.poll() is None

    # When it is closed, then there is neither
    server.close()
    assert worker.pid is None and worker.returncode == -signal.SIGKILL
    assert not psutil.pid_exists(server.pid)


def test_what_it_is_told_too_late_is_no_error(host: Settings, tmp_path: Path) -> None:
    server = ForkServer(host)
    worker = server.spawn("late-1", 1, tmp_path / "progress")
    server.close()
    worker.send_signal(signal.SIGTERM)
    server.close()


def test_an_order_that_its_socket_does_not_take_at_once_is_sent_later(
    server: ForkServer, tmp_path: Path
) -> None:
    # Given a server that does not read, and a full socket
    os.kill(server.pid, signal.SIGSTOP)
    for _ in range(2_000):
        server.send(worker=-1, signal=0)

    worker = server.spawn("late-1", 1, tmp_path / "progress")
    os.kill(server.pid, signal.SIGCONT)

    wait_for(lambda: worker.poll() is not None)
    assert worker.pid is not None, "it was forked, and ended without its progress marker"


def test_one_that_does_not_answer_is_replaced(server: ForkServer, tmp_path: Path) -> None:
    # Given a server that hangs
    former = server.pid
    os.kill(former, signal.SIGSTOP)
    worker = server.spawn("early-1", 1, tmp_path / "progress")

    # When the worker that it should have forked is given up
    worker.abandon()
    wait_for(lambda: worker.poll() and not psutil.pid_exists(former))

    # Then another server forks the next one
    another = server.spawn("late-1", 1, tmp_path / "progress")
    wait_for(lambda: another.poll() is not None)
    assert server.pid != former and another.pid is not None
