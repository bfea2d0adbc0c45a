"""Wrong tokens by client: some at once, and then one after the other."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict

from starlette.types import Scope

from tagtray.web.problems import Problem

#: Wrong tokens of a client at once, and seconds for each one beyond.
AT_ONCE, SECONDS = 10, 6.0
#: Clients that are remembered; the one that was wrong longest ago goes first.
MOST = 10_000
#: Bits of an IPv6 address that are one client's: a subscriber has all the others for himself.
NETWORK_BITS = 64


class Attempts:
    """The wrong tokens of one server; belongs to the event loop.

    It keeps for each client when all its tries will be made up for: the generic cell rate algorithm.
    """

    def __init__(self) -> None:
        self._due: OrderedDict[str, float] = OrderedDict()

    def check(self, scope: Scope) -> None:
        """Raise Problem (429) where a client may not try now, be the token right or wrong."""
        due = self._due.get(_client(scope), 0.0)
        wait = due - time.monotonic() - (AT_ONCE - 1) * SECONDS
        if wait > 0:
            sentence = "There were too many wrong tokens from this address; try again later."
            raise Problem(429, "too_many_attempts", sentence, retry_after=wait)

    def failed(self, scope: Scope) -> None:
        """Note that a client had a wrong token."""
        client = _client(scope)
        self._due[client] = max(time.monotonic(), self._due.pop(client, 0.0)) + SECONDS
        if len(self._due) > MOST:
            self._due.popitem(last=False)


def _client(scope: Scope) -> str:
    """The network that a request came from."""
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return str(host)
    bits = NETWORK_BITS if address.version == 6 else address.max_prefixlen
    return str(ipaddress.ip_network((address, bits), strict=False))
