"""The doctor finds what is wrong, each fault by its name, and says what to do."""

from __future__ import annotations

import json
import os
import shutil
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import text

from tagtray.app import bootstrap
from tagtray.app.doctor import machine
from tagtray.app.doctor import roots as folders
from tagtray.cli import main
from tagtray.config import settings as configuration
from tagtray.db import clock
from tagtray.db.access import engine
from tagtray.db.ledger import Ledger
from tagtray.db.places import roots
from tagtray.imaging import mounts
from tagtray.worker.supervision import resources
from tests import builders, models
from tests.acceptance.world import World
from tools import servers

Usage = namedtuple("Usage", "total used free")


class Host:
    """A home with a ledger and one root, a Redis of its own, and the means to break them."""

    def __init__(self, home: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self.redis_url, self.patch = home, redis_url, monkeypatch
        self.set(home=str(home), redis_url=redis_url)
        settings = configuration.load()
        bootstrap.bring_up(settings)
        self.folder = home / "photos"
        self.folder.mkdir()
        (self.folder / "0.jpg").write_bytes(builders.jpeg())
        database = engine.connect(settings)
        target = roots.resolve(database, settings, self.folder)
        Ledger(database).register(target.root.id, [builders.seen("0.jpg")])
        database.dispose()

    def set(self, **values: str) -> None:
        for name, value in values.items():
            self.patch.setenv(configuration.variable(name), value)

    def sql(self, statement: str) -> None:
        database = engine.connect(configuration.load())
        with database.begin() as connection:
            connection.execute(text(statement))
        database.dispose()

    def configure_redis(self, **values: str) -> None:
        with Redis.from_url(self.redis_url) as client:
            for name, value in values.items():
                client.config_set(name.replace("_", "-"), value)


@pytest.fixture(scope="module")
def own_redis() -> Iterator[str]:
    """A Redis that the faults may reconfigure."""
    with servers.redis_server() as url:
        yield url


@pytest.fixture
def broken(home: Path, own_redis: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A host in good health, to be broken."""
    yield Host(home, own_redis, monkeypatch)
    with Redis.from_url(own_redis) as client:
        client.config_set("maxmemory", "0")
        client.config_set("maxmemory-policy", "noeviction")


def _disk_is_full(host: Host) -> None:
    host.patch.setattr(shutil, "disk_usage", lambda _: Usage(2**40, 2**40, machine.LEAST_FREE - 1))


def _home_is_on_a_share(host: Host) -> None:
    table = host.home / "mounts"
    table.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/ {host.home} nfs4 rw 0 0\n")
    host.patch.setattr(mounts, "MOUNTS", str(table))


def _memory_is_short(host: Host) -> None:
    host.patch.setattr(resources, "available_memory_bytes", lambda _root=None: 2**28)


def _engine_cannot_be_had(host: Host) -> None:
    host.set(engine="torch", precision="int8")


def _weights_are_damaged(host: Host) -> None:
    file = models.add(host.home).folder / "weights.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def _redis_is_away(host: Host) -> None:
    host.set(redis_url="redis://127.0.0.1:1/0")


def _redis_refuses_the_password(host: Host) -> None:
    host.set(redis_url=host.redis_url.replace("redis://", "redis://nobody:wrong@"))


def _redis_evicts(host: Host) -> None:
    host.configure_redis(maxmemory="50mb", maxmemory_policy="allkeys-lru")


def _redis_takes_nothing(host: Host) -> None:
    host.configure_redis(maxmemory="1")


def _database_is_away(host: Host) -> None:
    host.set(database_url="postgresql://127.0.0.1:1/tagtray")


def _database_is_older(host: Host) -> None:
    host.sql("UPDATE tagtray_version SET version_num = '0000'")


def _database_is_newer(host: Host) -> None:
    host.sql("UPDATE tagtray_version SET version_num = '9999'")


def _clocks_differ(host: Host) -> None:
    host.patch.setattr(clock, "now", lambda: clock.after(-3600.0))


def _other_weights_are_current(host: Host) -> None:
    host.sql(f"UPDATE models SET weights_sha256 = '{'0' * 64}' WHERE is_current")


def _folder_is_gone(host: Host) -> None:
    shutil.rmtree(host.folder)


def _folder_is_not_mounted(host: Host) -> None:
    os.unlink(host.folder / "0.jpg")


def _limit_of_watches_is_reached(host: Host) -> None:
    for number in range(3):
        (host.folder / str(number)).mkdir()
    (host.home / "max_user_watches").write_text("3\n")
    host.patch.setattr(folders, "INOTIFY", host.home)


#: What is broken, the check that finds it, and a part of what it says to do.
FAULTS: list[tuple[Callable[[Host], None], str, str]] = [
    (_disk_is_full, "disk", "make room"),
    (_home_is_on_a_share, "home", "TAGTRAY_HOME to a local disk"),
    (_memory_is_short, "memory", "lower TAGTRAY_WORKERS"),
    (_engine_cannot_be_had, "engines", "TAGTRAY_PRECISION to auto"),
    (_weights_are_damaged, "weights", "add that model again"),
    (_redis_is_away, "redis", "start Redis"),
    (_redis_refuses_the_password, "redis", "TAGTRAY_REDIS_URL"),
    (_redis_evicts, "redis memory", "noeviction"),
    (_redis_takes_nothing, "redis", "let Redis take"),
    (_database_is_away, "database", "start the database"),
    (_database_is_older, "database", "tagtray db upgrade"),
    (_database_is_newer, "database", "update tagtray"),
    (_clocks_differ, "clock", "NTP"),
    (_other_weights_are_current, "model", "weights and version"),
    (_folder_is_gone, "root photos", "mount it"),
    (_folder_is_not_mounted, "root photos", "mount it"),
    (_limit_of_watches_is_reached, "inotify", "fs.inotify.max_user_watches"),
]


def _examined(capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, str]]]:
    code = main.invoke(["doctor", "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_healthy_host_has_nothing_wrong(broken: Host, capsys: pytest.CaptureFixture[str]) -> None:
    # Given enough room, whatever this machine has
    broken.patch.setattr(shutil, "disk_usage", lambda _: Usage(2**40, 0, 2**40))
    broken.patch.setattr(resources, "available_memory_bytes", lambda _root=None: 2**45)

    code, findings = _examined(capsys)

    assert [finding for finding in findings if finding["state"] == "wrong"] == []
    assert code == 0
    checks = {finding["check"] for finding in findings}
    assert {"home", "weights", "redis", "redis persistence", "database", "clock", "inotify"} <= checks
    assert "root photos" in checks


@pytest.mark.parametrize(("fault", "check", "advice"), FAULTS, ids=[f[0].__name__[1:] for f in FAULTS])
def test_the_doctor_finds_a_fault_and_says_what_to_do(
    broken: Host,
    fault: Callable[[Host], None],
    check: str,
    advice: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fault(broken)

    code, findings = _examined(capsys)

    assert code == 1
    found = [finding for finding in findings if (finding["check"], finding["state"]) == (check, "wrong")]
    assert [advice in finding["advice"] for finding in found] == [True], findings
    assert not any("wrong@" in finding["found"] for finding in findings)


def test_the_doctor_finds_what_this_user_may_not_do(tmp_path: Path) -> None:
    # Given a home with a ledger that may not be written, and a folder that may not be read
    home, photos = tmp_path / "home", tmp_path / "photos"
    photos.mkdir()
    world = World(home, {})
    assert world.run("run", str(photos)).code == 0
    home.chmod(0o500)
    photos.chmod(0o000)

    # When a user who is bound by permissions asks
    ended = world.run("doctor", "--json", privileged=False)
    home.chmod(0o700)
    photos.chmod(0o700)

    # Then both are named
    wrong = {found["check"] for found in json.loads(ended.output) if found["state"] == "wrong"}
    assert (ended.code, {"home", "root photos"} <= wrong) == (1, True), ended
