"""The HTTP server of the web application: uvicorn, on a socket that is bound before anything is started."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.config.settings import Settings

#: Seconds that a client may take for the head of a request, from the connection or its first byte on.
HEAD_SECONDS = 10.0
#: Seconds that an idle connection is kept open for a further request.
KEEP_ALIVE_SECONDS = 30
#: Connections at most; more are turned away at once.
CONNECTIONS = 1_024
#: Connections that the kernel holds for us.
BACKLOG = 1_024
#: What the system says of a port that another program has, or that this user may not have.
_TAKEN = (errno.EADDRINUSE, errno.EACCES)
#: Seconds that requests are given to end when the server does.
GRACE_SECONDS = 10


class Protocol(H11Protocol):
    """HTTP/1.1 that does not wait for ever for the head of a request."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take up what came."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        super().connection_lost(exc)
        self._unwatch()

    def _watch(self) -> None:
        # A request whose head is there has a cycle until its answer is sent.
        if self.cycle is not None and not self.cycle.response_complete:
            self._unwatch()
        elif self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _unwatch(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        self._late = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


def bind(settings: Settings, *, no_auth: bool = False) -> socket.socket:
    """A socket that listens where the settings say.

    Raises UsageError for an address that others can reach without a token, unless ``no_auth``, and
    InfrastructureError where it cannot be had.
    """
    if not (settings.token or no_auth or _is_loopback(settings.host)):
        raise UsageError(
            f"{settings.host} can be reached by others: set TAGTRAY_TOKEN to a word that they have to know, "
            "or say --no-auth."
        )
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, number)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(BACKLOG)
    except OSError as error:
        where = f"{settings.host}, port {settings.port}"
        hint = "; TAGTRAY_PORT or --port chooses another port" if error.errno in _TAKEN else ""
        raise InfrastructureError(
            f"The web pages cannot be had at {where}: {error.strerror}{hint}."
        ) from None
    return bound


def address(bound: socket.socket) -> str:
    """The address of the first page, as one types it on this machine."""
    host, port = bound.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = socket.gethostname()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def serve(app: FastAPI, bound: socket.socket) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    server(app).run([bound])


def server(app: FastAPI) -> uvicorn.Server:
    """The server, not started yet."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
