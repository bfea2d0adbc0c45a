"""One Redis client for a process: the user's Redis, or the embedded one."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.connection import UnixDomainSocketConnection, parse_url
from redis.retry import Retry

from tagtray.config.errors import InfrastructureError, TagtrayError, UsageError
from tagtray.config.settings import Settings
from tagtray.jobs.embedded_redis import server

#: Seconds that a server is given to accept a connection.
CONNECT_SECONDS = 5.0

#: Seconds that a command may take. RQ's worker raises it for its own blocking pop (Worker._set_connection).
COMMAND_SECONDS = 15.0

#: Seconds of silence after which a connection is tried with a PING before it is used.
HEALTH_CHECK_SECONDS = 30

#: Times that a command is tried again after its connection broke; the loops above wait longer.
RETRIES = 4

#: Seconds before the first and at most before any further try.
RETRY_BASE, RETRY_CAP = 0.05, 1.0


class EmbeddedConnection(UnixDomainSocketConnection):
    """A connection that starts the embedded server, where it is gone, before it connects."""

    def __init__(self, *, home: Path, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self._home = home

    def _connect(self) -> socket.socket:
        try:
            self.path = str(server.ensure(self._home))
            connected: socket.socket = super()._connect()  # type: ignore[no-untyped-call]
        except (TagtrayError, TimeoutError) as error:
            raise redis.ConnectionError(str(error)) from error
        return connected


def connect(settings: Settings, *, start: bool = True) -> redis.Redis:
    """A client (bytes, as RQ needs them) whose server has answered.

    Without a ``redis_url`` it is the embedded server's: started where it is not up, again and by itself
    whenever a connection is lost, and kept by this process until it ends. With ``start=False`` it is
    neither started nor kept. Raises UsageError for a malformed URL, InfrastructureError without an answer.
    """
    if not settings.redis_url:
        return _connect_embedded(settings.home, start)
    url = settings.redis_url
    client = _client(**_options(url))
    try:
        client.ping()
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise InfrastructureError(f"Redis at {redacted(url)} does not answer: {error}") from None
    except redis.RedisError as error:
        raise InfrastructureError(f"Redis at {redacted(url)} refuses: {error}") from None
    return client


def redacted(url: str) -> str:
    """The URL as it may be shown: without user, password and options."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


def _connect_embedded(home: Path, start: bool) -> redis.Redis:
    if start:
        server.ensure(home)
        return _client(connection_class=EmbeddedConnection, home=home)
    if not server.running(home):
        raise InfrastructureError(f"No embedded Redis is running in {home}.")
    return _client(connection_class=UnixDomainSocketConnection, path=str(server.socket_path(home)))


def _client(**options: Any) -> redis.Redis:
    defaults: dict[str, Any] = {
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": COMMAND_SECONDS,
        "health_check_interval": HEALTH_CHECK_SECONDS,
        "retry": Retry(ExponentialWithJitterBackoff(base=RETRY_BASE, cap=RETRY_CAP), RETRIES),
    }
    pool = redis.ConnectionPool(**{**defaults, **options, "decode_responses": False})
    return redis.Redis.from_pool(pool)


def _options(url: str) -> dict[str, Any]:
    """Options of the pool; refuses what redis-py would ignore or stumble over only later."""
    try:
        options: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]
        redis.ConnectionPool(**options).make_connection()
    except (ValueError, TypeError):
        raise _malformed() from None
    if options.get("connection_class") is UnixDomainSocketConnection:
        complete = "path" in options
    else:
        complete = "host" in options and re.fullmatch(r"/?|/\d+", urlsplit(url).path) is not None
    if not complete:
        raise _malformed()
    return options


def _malformed() -> UsageError:
    """One sentence without the URL: in a malformed one, nobody knows where the password is."""
    return UsageError(
        "TAGTRAY_REDIS_URL is not accepted: it should be redis://[user:password@]host[:port][/number], "
        "rediss://... or unix:///path."
    )
