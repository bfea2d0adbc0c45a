"""The socket of the web pages: where it listens, and who may reach it."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket

from tagtray.config import urls
from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.config.settings import Settings

#: Connections that the kernel holds for us.
BACKLOG = 1_024
#: What the system says of a port that another program has, or that this user may not have.
_TAKEN = (errno.EADDRINUSE, errno.EACCES)


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
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(found[4][:2], family=found[0], backlog=BACKLOG)
        # It does not say that it is TCP's, and asyncio would leave Nagle's algorithm on: 40 ms an answer.
        return socket.socket(fileno=listening.detach())
    except OSError as error:
        where = f"{settings.host}, port {settings.port}"
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        hint = "; TAGTRAY_PORT or --port chooses another port" if error.errno in _TAKEN else ""
        raise InfrastructureError(f"The web pages cannot be had at {where}: {reason}{hint}.") from None


def address(bound: socket.socket) -> str:
    """The address of the first page, as one types it on this machine."""
    host, port = bound.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = socket.gethostname()
    return urls.page(host, port)


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
