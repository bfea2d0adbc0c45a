"""Workers on standby: taken, left over, dead too early."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cli import prepare
from config import settings as configuration
from config.settings import Settings
from db import engine
from db.ledger import Ledger
from tests import traces
from tests.waiting import wait_for
from worker import standby
from worker.cpus import Plan
from worker.supervisor import Supervisor


@pytest.fixture
def host(home: Path, redis_url: str) -> Settings:
    traces.copied_to(home)
    return configuration.load(home=home, redis_url=redis_url, engine="torch", batch_size=4)


@pytest.fixture
def ledger(host: Settings) -> Iterator[Ledger]:
    database = engine.connect(host)
    prepare.upgrade(database)
    yield Ledger(database)
    database.dispose()


@pytest.fixture
def spare(host: Settings) -> Iterator[list[standby.Process]]:
    with standby.spare(host) as processes:
        yield processes


@contextlib.contextmanager
def _supervised(supervisor: Supervisor) -> Iterator[None]:
    supervisor.start()
    try:
        yield
    finally:
        supervisor.stop(10.0)


def _title(pid: int) -> str:
    return " ".join(psutil.Process(pid).cmdline()).strip()


def test_the_first_seat_takes_it_and_the_others_start_their_own(
    host: Settings, ledger: Ledger, spare: list[standby.Process]
) -> None:
    pid = spare[0].pid
    supervisor = Supervisor(host, ledger, Plan(2, 1), spare)
    with _supervised(supervisor):
        wait_for(lambda: supervisor.ready == 2)
        assert supervisor.pids[0] == pid
        assert [_title(pid) for pid in supervisor.pids] == ["tagtray: worker 1", "tagtray: worker 2"]
    assert spare == [] and supervisor.deaths == 0


def test_it_has_the_network_s_library_in_memory_before_its_orders(spare: list[standby.Process]) -> None:
    def loaded() -> bool:
        return any("libtorch_cpu" in region.path for region in psutil.Process(spare[0].pid).memory_maps())

    wait_for(loaded)
    assert spare[0].poll() is None


def test_untaken_it_is_ended(host: Settings) -> None:
    with standby.spare(host) as processes:
        (process,) = processes
    assert process.returncode is not None and not psutil.pid_exists(process.pid)


def test_it_ends_by_itself_when_nobody_is_left_to_give_orders(spare: list[standby.Process]) -> None:
    process = spare[0]
    assert process.stdin
    process.stdin.close()
    assert process.wait(30) == 0


def test_one_that_died_is_replaced(host: Settings, ledger: Ledger, spare: list[standby.Process]) -> None:
    spare[0].kill()
    spare[0].wait()
    supervisor = Supervisor(host, ledger, Plan(1, 1), spare)
    with _supervised(supervisor):
        wait_for(lambda: supervisor.ready == 1)
    assert supervisor.deaths == 1


def test_a_dead_one_takes_no_orders_and_says_nothing(spare: list[standby.Process]) -> None:
    spare[0].kill()
    spare[0].wait()
    standby.order(spare[0], "name", 1, Path("note"))
