"""The HTTP server of the web application: uvicorn, on a socket that is bound before anything is started."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

#: Seconds that a client may take for the head of a request, from the connection or its first byte on.
HEAD_SECONDS = 10.0
#: Seconds that an idle connection is kept open for a further request.
KEEP_ALIVE_SECONDS = 30
#: Connections at most; more are turned away at once.
CONNECTIONS = 1_024
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


class Server(uvicorn.Server):
    """Lets those go that follow events before it waits for the requests in hand."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End in order."""
        self.config.app.state.context.live.close()  # type: ignore[union-attr]
        await super().shutdown(sockets)


def serve(app: FastAPI, bound: socket.socket) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    server(app).run([bound])


def server(app: FastAPI) -> uvicorn.Server:
    """The server, not started yet."""
    return Server(
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
