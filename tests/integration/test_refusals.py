"""What Redis refuses for good is one sentence within seconds; what may pass is waited for."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tagtray.config.errors import InfrastructureError, Refused
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.jobs import connection, refusals
from tagtray.jobs.feed import Feeder, FeederLoop
from tagtray.jobs.queue import ImageQueue
from tagtray.worker.rq_worker import ImageWorker
from tests import builders
from tests.waiting import wait_for
from tools import servers

#: Rights of users: the sentence names the first; the others lack something.
ENOUGH = ("~rq:*", "~tagtray:*", "resetchannels", "&tagtray:*", "+@all", "-@dangerous", "+info")
OTHER_KEYS = ("~another:*", "+@all")
NO_BLOCKING = ("~*", "+@all", "-@blocking")


@pytest.fixture(scope="module")
def own_redis() -> Iterator[str]:
    """A Redis of the module's own, for users with passwords."""
    with servers.redis_server() as url:
        yield url


def _connected(home: Path, url: str) -> redis.Redis:
    return connection.connect(builders.settings_for(home, "sqlite:///x.db", redis_url=url))


def _refusal(home: Path, url: str) -> str:
    with pytest.raises(Refused) as caught:
        _connected(home, url)
    assert "geheim" not in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


def _user(url: str, name: str, rights: tuple[str, ...]) -> str:
    """URL of a user who has no more than these rights."""
    with redis.from_url(url) as client:
        client.execute_command("ACL", "SETUSER", name, "reset", "on", ">geheim", *rights)
    return url.replace("redis://", f"redis://{name}:geheim@")


def test_a_password_that_is_asked_for_or_wrong_is_said(home: Path) -> None:
    with servers.redis_server("--requirepass", "right") as url:
        assert " asks for a password: redis://:PASSWORD@host" in _refusal(home, url)
        assert " refuses this user or this password; in a user or" in _refusal(
            home, url.replace("redis://", "redis://:geheim@")
        )
        assert _connected(home, url.replace("redis://", "redis://:right@")).ping()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--cluster-enabled", "yes"), " is a cluster; tagtray needs a single server."),
        (("--replicaof", "127.0.0.1", "1"), " is a replica, which cannot be written to; name its master."),
        (("--rename-command", "HELLO", ""), " is older than Redis 6; tagtray needs 6.2 or newer"),
        (("--rename-command", "INFO", ""), " does not have a command that tagtray needs"),
    ],
    ids=["cluster", "replica", "HELLO", "INFO"],
)
def test_a_server_that_is_none_for_a_queue_is_said(
    home: Path, options: tuple[str, ...], sentence: str
) -> None:
    with servers.redis_server(*options) as url:
        assert sentence in _refusal(home, url)


@pytest.mark.parametrize(
    ("info", "sentence"),
    [
        ({"redis_version": "5.0.7"}, "is version 5.0.7; tagtray needs 6.2 or newer"),
        ({"redis_version": "6.0.16"}, "is version 6.0.16; tagtray needs 6.2 or newer"),
        (
            {"redis_version": "7.2.4", "redis_mode": "sentinel"},
            "is a Sentinel; name the server .*",
        ),
    ],
)
def test_a_server_is_known_by_what_it_says_of_itself(info: dict[str, object], sentence: str) -> None:
    with pytest.raises(Refused, match=f"^Redis at redis://:[*]{{3}}@h {sentence}.$"):
        refusals.check(info, "redis://:geheim@h")
    refusals.check({"redis_version": "6.2", "redis_mode": "standalone", "role": "master"}, "redis://h")


def test_tls_to_a_server_without_it_is_said_within_seconds(
    home: Path, own_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.5)
    began = time.monotonic()

    with pytest.raises(
        InfrastructureError, match="in TLS, which rediss:// asks for; without TLS it is redis://"
    ):
        _connected(home, own_redis.replace("redis://", "rediss://"))

    # One attempt, not one for each retry.
    assert time.monotonic() - began < connection.RETRIES * 15


def test_a_port_that_nobody_listens_on_is_said_to_be_that(home: Path) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        with pytest.raises(InfrastructureError, match=r"does not answer: .*refused"):
            _connected(home, f"rediss://127.0.0.1:{port}/0")


def test_a_server_that_hangs_up_may_speak_tls(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            peer, _ = listener.accept()
            peer.recv(1)
            peer.close()

        threading.Thread(target=hang_up, daemon=True).start()
        with pytest.raises(InfrastructureError, match="if it speaks TLS, it is rediss://"):
            _connected(home, f"redis://127.0.0.1:{listener.getsockname()[1]}")


@pytest.mark.parametrize(
    "error",
    [
        redis.ConnectionError("Connection refused"),
        redis.TimeoutError("Timeout reading from socket"),
        redis.BusyLoadingError("Redis is loading the dataset in memory"),
        redis.ReadOnlyError("You can't write against a read only replica."),
        redis.exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
        redis.exceptions.MasterDownError("Link with MASTER is down"),
        redis.ResponseError("BUSY Redis is busy running a script."),
        redis.ConnectionError("max number of clients reached"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_may_pass_is_no_refusal(error: redis.RedisError) -> None:
    explained = refusals.explained(error, "redis://:geheim@h")

    assert not isinstance(explained, Refused)
    assert str(explained).startswith("Redis at redis://:***@h does not do its work: ")


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_a_feeder_that_is_refused_gives_up(ledger: Ledger, host: Settings, root: int, own_redis: str) -> None:
    # Given a user who may not touch the keys of the queue
    settings = host.model_copy(update={"redis_url": _user(own_redis, "other", OTHER_KEYS)})
    builders.register(ledger, root, 3)
    feeder = FeederLoop(Feeder(settings, ledger, ImageQueue("t", connection.connect(settings))))

    # When it is to feed
    feeder.start()
    wait_for(lambda: feeder.refusal)

    # Then it says what the user has to be allowed, and every image is where it was
    assert (
        "`ACL SETUSER NAME ~rq:* ~tagtray:* resetchannels &tagtray:* +@all -@dangerous +info` allows it"
        in str(feeder.refusal)
    )
    feeder.stop()
    assert ledger.counts()["pending"] == 3


@pytest.mark.parametrize(("rights", "refused"), [(ENOUGH, False), (NO_BLOCKING, True)])
@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_a_worker_needs_the_rights_that_the_sentence_names(
    ledger: Ledger, host: Settings, own_redis: str, rights: tuple[str, ...], refused: bool
) -> None:
    # Given a queue with a job, and a user with these rights
    settings = host.model_copy(update={"redis_url": _user(own_redis, "worker", rights)})
    queue = ImageQueue("rights", connection.connect(settings))
    queue.put([[1, 2]], 1)
    queue.tidy()
    done: list[int] = []
    worker: ImageWorker

    def process(ids: object, _model: int) -> None:
        done.append(1)
        worker.end()

    # When a worker serves it
    worker = ImageWorker(queue, "w", 16, 0.0, process, lambda: None)
    worker.work(logging_level="CRITICAL")

    # Then it either does, or keeps what ended it
    assert done == ([] if refused else [1])
    assert isinstance(worker.failure, redis.exceptions.NoPermissionError) is refused
    with redis.from_url(own_redis) as client:
        client.flushall()
