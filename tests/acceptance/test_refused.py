"""A lasting fault ends the command with one sentence and 1; what passes by itself is waited for."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests import builders
from tests.acceptance import inside
from tests.acceptance.world import World, ended
from tests.waiting import wait_for
from tools import servers

#: Has every worker die of an error that no worker expects, after its network was loaded.
DYING = """
import sys
if "tagtray.worker" in sys.orig_argv:
    from tagtray.worker import rq_worker
    def die(self):
        raise ValueError("not enough values to unpack")
    rq_worker.ImageWorker.register_birth = die
"""
#: Has every look at a locked SQLite file end soon.
IMPATIENT = """
from tagtray.db.access import sqlite
sqlite.BUSY_MS = 200
"""


@pytest.fixture
def photos(laptop: World) -> Path:
    folder = laptop.folder / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(builders.jpeg())
    return folder


@pytest.fixture
def limited(laptop: World) -> Iterator[World]:
    """A world whose Redis lets a user do everything but wait for a job."""
    with servers.redis_server() as url:
        with redis.from_url(url) as client:
            client.execute_command("ACL", "SETUSER", "u", "on", ">geheim", "~*", "+@all", "-@blocking")
        yield World(laptop.home, {"TAGTRAY_REDIS_URL": url.replace("redis://", "redis://u:geheim@")})


def _last(errors: str) -> str:
    return errors.splitlines()[-1]


def _patched(world: World, patch: str) -> str:
    """A PYTHONPATH on which every process of a command begins with ``patch``."""
    folder = world.folder / "patch"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(patch)
    return f"{folder}:{world.environment.get('PYTHONPATH', '')}"


@pytest.mark.parametrize("command", ["run", "work"])
def test_workers_that_die_again_and_again_end_the_command(laptop: World, photos: Path, command: str) -> None:
    # Given workers that never finish a batch, for a reason of the kind that nobody foresees
    assert inside.run(laptop, "scan", str(photos)).code == 0

    # When they are to work
    arguments = [command, str(photos)] if command == "run" else [command]
    found = laptop.run(*arguments, PYTHONPATH=_patched(laptop, DYING))

    # Then the third death is the last
    assert found.code == 1
    assert _last(found.errors) == "tagtray: Workers cannot work: ValueError: not enough values to unpack."
    assert found.errors.count("worker_died") <= 3
    assert found.output == ""
    assert laptop.query("SELECT status FROM images") in ([("pending",)], [("queued",)])


@pytest.mark.parametrize("command", ["run", "work"])
def test_a_right_that_redis_does_not_give_ends_it(limited: World, photos: Path, command: str) -> None:
    found = limited.run(command, str(photos)) if command == "run" else limited.run(command)

    assert found.code == 1
    assert " does not let this user do what tagtray needs; `ACL SETUSER " in _last(found.errors)
    assert "geheim" not in found.errors and "Traceback" not in found.errors


@pytest.mark.parametrize("command", ["run", "scan", "watch"])
def test_a_right_that_redis_takes_away_ends_it(limited: World, photos: Path, command: str) -> None:
    # Given a command that goes on
    administrator = limited.variables["TAGTRAY_REDIS_URL"].replace("u:geheim@", "")
    if command == "scan":
        (photos / "growing.jpg").write_bytes(builders.jpeg()[:-2])  # waited for: it has no end
    arguments = {"run": ["run", "--watch"]}.get(command, [command])
    process = limited.start(*arguments, str(photos))
    wait_for(lambda: limited.count("SELECT count(*) FROM images WHERE status = 'queued'"), process)

    # When its user may do nothing any more
    with redis.from_url(administrator) as client:
        client.execute_command("ACL", "SETUSER", "u", "-@all", "+hello", "+auth", "+ping", "+client")
    (photos / "b.jpg").write_bytes(builders.jpeg(99))
    found = ended(process)

    # Then it ends with one sentence
    assert found.code == 1
    assert "tagtray: Redis at redis://u:***@127.0.0.1:" in _last(found.errors)


def test_a_ledger_that_is_locked_is_waited_for_from_the_start(laptop: World, photos: Path) -> None:
    # Given a ledger that another program has locked
    assert inside.run(laptop, "scan", str(photos)).code == 0
    (photos / "b.jpg").write_bytes(builders.jpeg(99))
    other = sqlite3.connect(laptop.home / "tagtray.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    # When a command begins
    process = laptop.start("scan", str(photos), PYTHONPATH=_patched(laptop, IMPATIENT))
    assert process.stderr is not None
    line = next(line for line in process.stderr if "ledger_locked" in line)
    assert "tagtray.db is locked by another program. It is waited for." in line

    # Then it goes on as soon as it can
    other.execute("ROLLBACK")
    other.close()
    assert ended(process).code == 0
    assert laptop.count("SELECT count(*) FROM images") == 2


def test_a_command_that_waits_for_a_locked_ledger_can_be_stopped(laptop: World, photos: Path) -> None:
    assert inside.run(laptop, "scan", str(photos)).code == 0
    other = sqlite3.connect(laptop.home / "tagtray.db", isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")

    process = laptop.start("run", str(photos), PYTHONPATH=_patched(laptop, IMPATIENT))
    assert process.stderr is not None
    next(line for line in process.stderr if "start_waits" in line)
    process.send_signal(signal.SIGINT)

    assert ended(process).code == 130
    other.close()
