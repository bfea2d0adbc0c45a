"""One Redis client for a process: the user's Redis, or the embedded one."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import redis
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.connection import UnixDomainSocketConnection, parse_url
from redis.retry import Retry

from tagtray.config import urls
from tagtray.config.errors import InfrastructureError, TagtrayError, UsageError
from tagtray.config.settings import Settings
from tagtray.jobs import refusals
from tagtray.jobs.embedded_redis import server

#: unix:///path?options; in the path, a ? is written %3F.
_SOCKET = re.compile(r"unix://(?P<path>/[^?]+)(?:\?(?P<query>[^?]*))?", re.DOTALL)

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


class SocketConnection(UnixDomainSocketConnection):
    """A connection to a socket, however long its path is."""

    def _connect(self) -> socket.socket:
        path = self.path
        try:
            with server.reachable(Path(path)) as self.path:
                connected: socket.socket = super()._connect()  # type: ignore[no-untyped-call]
        except OSError as error:
            raise redis.ConnectionError(f"{path}: {error.strerror or error}") from error
        finally:
            self.path = path
        return connected


class EmbeddedConnection(SocketConnection):
    """A connection that starts the embedded server, where it is gone, before it connects."""

    def _connect(self) -> socket.socket:
        try:
            server.ensure(Path(self.path).parent)
        except TagtrayError as error:
            raise redis.ConnectionError(str(error)) from error
        return super()._connect()


def connect(settings: Settings, *, start: bool = True) -> redis.Redis:
    """A client (bytes, as RQ needs them) whose server has answered.

    Without a ``redis_url`` it is the embedded server's: started where it is not up, again and by itself
    whenever a connection is lost, and kept by this process until it ends. With ``start=False`` it is
    neither started nor kept. Raises UsageError for a malformed URL, InfrastructureError without an answer.
    """
    if not settings.redis_url:
        return _connect_embedded(settings.home, start)
    url = settings.redis_url
    options = _options(url)
    _meet(options, url)
    return _client(**options)


def _meet(options: Mapping[str, Any], url: str) -> None:
    """Raise InfrastructureError, within seconds, unless the server is one on which a queue can be."""
    once = {"retry": Retry(NoBackoff(), 0), "socket_timeout": CONNECT_SECONDS}
    with _client(**{**options, **once}) as client:
        try:
            refusals.check(client.info(), url)
        except redis.AuthenticationError as error:
            raise refusals.explained(error, url) from None
        except (redis.ConnectionError, redis.TimeoutError) as error:
            hint = _about_tls(options, error)
            words = str(error).rstrip(".")
            raise InfrastructureError(
                f"Redis at {urls.masked(url)} does not answer{hint}: {words}."
            ) from None
        except redis.RedisError as error:
            raise refusals.explained(error, url) from None


def _about_tls(options: Mapping[str, Any], error: redis.RedisError) -> str:
    if "refused" in str(error):  # nobody is there at all
        return ""
    if issubclass(options.get("connection_class", redis.Connection), redis.SSLConnection):
        return " in TLS, which rediss:// asks for; without TLS it is redis://"
    closed = "closed" in str(error) or "reset" in str(error)
    return "; if it speaks TLS, it is rediss://" if closed else ""


def _connect_embedded(home: Path, start: bool) -> redis.Redis:
    if start:
        server.ensure(home)
    elif not server.running(home):
        raise InfrastructureError(f"No embedded Redis is running in {home}.")
    kind = EmbeddedConnection if start else SocketConnection
    return _client(connection_class=kind, path=str(home.absolute() / server.SOCKET))


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
    local = _SOCKET.fullmatch(url)
    network = urls.NETWORK.fullmatch(url)
    if not local and not (network and network["host"] and re.fullmatch(r"/?|/\d+", network["path"] or "")):
        raise _malformed()
    try:
        # redis-py would take a line break out of a socket's path, and bytes that are no UTF-8.
        understood = f"unix:///_?{local['query'] or ''}" if local else url
        options: dict[str, Any] = parse_url(understood)  # type: ignore[no-untyped-call]
        if local:
            path = os.fsdecode(unquote_to_bytes(os.fsencode(local["path"])))
            options |= {"connection_class": SocketConnection, "path": path}
        redis.ConnectionPool(**options).make_connection()
    except (ValueError, TypeError):
        raise _malformed() from None
    return options


def _malformed() -> UsageError:
    """One sentence without the URL: in a malformed one, nobody knows where the password is."""
    return UsageError(
        "TAGTRAY_REDIS_URL is not accepted: it should be redis://[user:password@]host[:port][/number], "
        f"rediss://... or unix:///path[?password=...]; {urls.ENCODING}."
    )
