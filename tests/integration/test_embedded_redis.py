"""The embedded Redis: one per home, up while it has users, gone with the last one, whoever is killed."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from redis import Redis

from tagtray.config import settings as configuration
from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.config.settings import Settings
from tagtray.jobs import connection
from tagtray.jobs.embedded_redis import keeper, server
from tests.waiting import PATIENCE, wait_for

_USER = """
import sys
from pathlib import Path
from tagtray.jobs.embedded_redis import server
server.ensure(Path(sys.argv[1]))
print("up", flush=True)
sys.stdin.read()
"""

User = subprocess.Popen[str]


@pytest.fixture
def users(home: Path) -> Iterator[Callable[[int], list[User]]]:
    """Starts that many processes at once, each a user until its standard input ends."""
    started: list[User] = []

    def start(count: int) -> list[User]:
        new = [_start_user(home) for _ in range(count)]
        started.extend(new)
        for user in new:
            assert user.stdout is not None
            assert user.stdout.readline() == "up\n"
        return new

    yield start
    for user in started:
        user.kill()
        user.communicate()


@pytest.mark.parametrize("count", [2, 10])
def test_processes_that_start_at_once_get_one_server(
    home: Path, users: Callable[[int], list[User]], count: int
) -> None:
    users(count)

    assert len(_servers(home)) == 1
    assert len(_keepers(home)) == 1


def test_the_last_user_takes_keeper_and_server_along(home: Path, users: Callable[[int], list[User]]) -> None:
    first, second = users(2)
    unit = _unit(home)

    first.communicate()
    (third,) = users(1)
    assert _unit(home) == unit

    second.communicate()
    third.communicate()
    wait_for(lambda: not _unit(home))
    assert not (home / "redis.sock").exists()


def test_a_killed_user_counts_as_gone(home: Path, users: Callable[[int], list[User]]) -> None:
    (user,) = users(1)

    user.kill()

    wait_for(lambda: not _unit(home))


def test_a_killed_server_is_started_again_with_a_new_keeper(home: Path) -> None:
    server.ensure(home)
    former = _unit(home)

    _servers(home)[0].kill()
    wait_for(lambda: not server.running(home))
    server.ensure(home)

    wait_for(lambda: len(_unit(home)) == len(former) and not set(_unit(home)) & set(former))


def test_a_killed_keeper_takes_its_server_along_and_both_come_back(home: Path) -> None:
    server.ensure(home)
    former = _unit(home)

    _keepers(home)[0].kill()
    wait_for(lambda: not _servers(home))
    server.ensure(home)

    assert len(_servers(home)) == 1
    assert not set(_unit(home)) & set(former)
    server.release(home)
    wait_for(lambda: not _unit(home))


def test_a_user_who_comes_while_the_server_stops_gets_a_new_one(home: Path) -> None:
    for _ in range(10):
        server.ensure(home)
        server.release(home)
        server.ensure(home)
        assert server.running(home)
    assert len(_servers(home)) == 1


def test_a_hung_server_is_killed_by_its_keeper(home: Path) -> None:
    server.ensure(home)
    _servers(home)[0].suspend()

    server.release(home)

    wait_for(lambda: not _unit(home))


def test_a_hung_server_is_one_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.ensure(home)
    process = _servers(home)[0]
    process.suspend()

    with monkeypatch.context() as impatient:
        impatient.setattr(server, "PING_SECONDS", 0.1)
        impatient.setattr(server, "START_SECONDS", 0.5)
        with pytest.raises(InfrastructureError, match=r"does not answer; see redis.log"):
            server.ensure(home)

    process.resume()
    server.ensure(home)


def test_only_the_user_may_use_the_socket(home: Path) -> None:
    server.ensure(home)

    assert stat.S_IMODE((home / "redis.sock").stat().st_mode) == 0o600


def test_the_server_listens_on_no_port_and_stores_nothing(settings: Settings) -> None:
    client = connection.connect(settings)

    assert client.config_get("port") == {"port": "0"}
    assert client.config_get("save") == {"save": ""}
    assert client.config_get("appendonly") == {"appendonly": "no"}
    client.close()


def test_a_stale_socket_is_replaced(home: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(os.fspath(home / "redis.sock"))

    assert not server.running(home)
    server.ensure(home)

    assert server.running(home)


@pytest.mark.parametrize(
    "name", ["with space", 'it\'s "quoted"', "new\nline", "名字", os.fsdecode(b"\xff\xfe")]
)
def test_a_home_may_have_any_name(home: Path, name: str) -> None:
    strange = home / name

    server.ensure(strange)

    assert server.running(strange)
    server.release(strange)


def test_a_home_that_does_not_exist_is_made_private(home: Path) -> None:
    new = home / "deep" / "new"

    server.ensure(new)

    assert stat.S_IMODE(new.stat().st_mode) == 0o700
    server.release(new)


def test_a_path_too_long_for_a_socket_is_no_hindrance(home: Path) -> None:
    long = home / ("x" * 200) / ("y" * 200)

    client = connection.connect(configuration.load(home=long))

    assert client.ping()
    assert stat.S_IMODE((long / "redis.sock").stat().st_mode) == 0o600
    client.close()
    server.release(long)


def test_a_home_that_is_a_file_is_one_sentence(home: Path) -> None:
    (home / "file").touch()

    with pytest.raises(UsageError, match=r"TAGTRAY_HOME=.* cannot be used: File exists."):
        server.ensure(home / "file")
    with pytest.raises(UsageError, match=r"TAGTRAY_HOME=.* cannot be used: Not a directory."):
        server.ensure(home / "file" / "below")


def test_a_home_where_nothing_can_be_written_is_one_sentence() -> None:
    with pytest.raises(InfrastructureError, match="The embedded Redis cannot run in /proc/tagtray: "):
        server.ensure(Path("/proc/tagtray"))


def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    (home / "redis.sock").mkdir()

    with pytest.raises(InfrastructureError, match=r"does not start: Opening Unix socket: .*in use"):
        server.ensure(home)


def test_looking_starts_nothing(home: Path, settings: Settings) -> None:
    assert not server.running(home)
    with pytest.raises(InfrastructureError, match="No embedded Redis is running"):
        connection.connect(settings, start=False)

    assert list(home.iterdir()) == []


def test_looking_keeps_nothing_up(settings: Settings, users: Callable[[int], list[User]]) -> None:
    (user,) = users(1)
    with connection.connect(settings, start=False) as client:
        assert client.ping()

        user.communicate()

        wait_for(lambda: not _unit(settings.home))


@pytest.mark.parametrize("member", ["server", "keeper"])
def test_a_client_survives_the_death_of(settings: Settings, member: str) -> None:
    client = connection.connect(settings)
    client.set("lost", "with the server")
    found = _servers if member == "server" else _keepers

    (victim,) = found(settings.home)
    victim.kill()
    victim.wait(PATIENCE)

    wait_for(lambda: client.get("lost") is None)
    client.close()


def test_a_url_without_a_server_is_one_sentence_without_the_password(settings: Settings) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        url = f"redis://me:s3cr3t@127.0.0.1:{port}/2"
        with pytest.raises(InfrastructureError, match="does not answer") as caught:
            connection.connect(settings.model_copy(update={"redis_url": url}))

    assert f"Redis at redis://me:***@127.0.0.1:{port}/2 " in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_a_password_that_is_refused_is_one_sentence_without_it(settings: Settings, redis_url: str) -> None:
    url = redis_url.replace("redis://", "redis://nobody:s3cr3t@")

    with pytest.raises(InfrastructureError) as caught:
        connection.connect(settings.model_copy(update={"redis_url": url}))

    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6379",
        "http://localhost",
        "redis://",
        "redis://:s3cr3t",
        "redis://user:s3cr3t@host:port",
        "redis://:s3/cr3t@host:1",
        "redis://host/zero",
        "redis://host?no_such_option=1",
        "redis://host?socket_timeout=soon",
        "redis://[::1",
        "unix://",
    ],
)
def test_a_malformed_url_is_one_sentence_without_the_password(settings: Settings, url: str) -> None:
    with pytest.raises(UsageError, match=r"^TAGTRAY_REDIS_URL is not accepted: it should be") as caught:
        connection.connect(settings.model_copy(update={"redis_url": url}))

    assert "cr3t" not in str(caught.value)


def test_a_url_of_a_socket_is_accepted(settings: Settings) -> None:
    server.ensure(settings.home)
    url = f"unix://{settings.home / server.SOCKET}?db=1"

    with connection.connect(settings.model_copy(update={"redis_url": url})) as client:
        assert client.ping()


def test_replies_are_bytes_whatever_the_url_says(settings: Settings, redis: Redis, redis_url: str) -> None:
    redis.set("key", "value")

    url = f"{redis_url}?decode_responses=true"
    with connection.connect(settings.model_copy(update={"redis_url": url})) as client:
        assert client.get("key") == b"value"


def _start_user(home: Path) -> User:
    return subprocess.Popen(
        [sys.executable, "-c", _USER, home], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _unit(home: Path) -> list[psutil.Process]:
    return _servers(home) + _keepers(home)


def _servers(home: Path) -> list[psutil.Process]:
    return _inside(home, lambda process: process.name() == "redis-server")


def _keepers(home: Path) -> list[psutil.Process]:
    return _inside(home, lambda process: process.cmdline()[:1] == [keeper.TITLE])


def _inside(home: Path, wanted: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    """Living processes whose working folder is the home: keeper and server alone."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            lives = process.status() != psutil.STATUS_ZOMBIE and process.cwd() == os.fspath(home)
            if lives and wanted(process):
                found.append(process)
    return found
