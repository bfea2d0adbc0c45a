"""What an error of Redis means: an outage, which passes, or a refusal, which no waiting mends."""

from __future__ import annotations

import redis

from tagtray.config import urls
from tagtray.config.errors import InfrastructureError, Refused

#: The oldest Redis that pops crash-safely (LMOVE), as (major, minor).
OLDEST = (6, 2)

_ACL = "`ACL SETUSER NAME ~rq:* ~tagtray:* resetchannels &tagtray:* +@all -@dangerous +info` allows it"
#: What a server is called that is none for tagtray.
_CLUSTER = "is a cluster; tagtray needs a single server"
_MEANINGS: tuple[tuple[type[redis.RedisError], str, str], ...] = (
    # The class of the error, what its text holds, what it means.
    (redis.AuthenticationError, "HELLO must be called", "asks for a password: redis://:PASSWORD@host"),
    (redis.AuthenticationError, "required", "asks for a password: redis://:PASSWORD@host"),
    (
        redis.AuthenticationError,
        "",
        f"refuses this user or this password; {urls.ENCODING}",
    ),
    (redis.exceptions.NoPermissionError, "", f"does not let this user do what tagtray needs; {_ACL}"),
    (redis.exceptions.ClusterCrossSlotError, "", _CLUSTER),
    (redis.exceptions.AskError, "", _CLUSTER),
    (redis.ResponseError, "unknown command `HELLO`", "is older than Redis 6; tagtray needs 6.2 or newer"),
    (redis.ResponseError, "unknown command 'HELLO'", "is older than Redis 6; tagtray needs 6.2 or newer"),
    (redis.ResponseError, "unknown command", "does not have a command that tagtray needs"),
)


def explained(error: Exception, url: str | None) -> InfrastructureError:
    """The sentence that ``error`` deserves: a Refused where trying again cannot help."""
    if isinstance(error, InfrastructureError):
        return error
    where = f"Redis at {urls.masked(url)}" if url else "The embedded Redis"
    words = " ".join(str(error).split()).rstrip(".")
    for kind, holds, meaning in _MEANINGS:
        if isinstance(error, kind) and holds in words:
            return Refused(f"{where} {meaning} ({words}).")
    return InfrastructureError(f"{where} does not do its work: {words}.")


def check(info: dict[str, object], url: str) -> None:
    """Raise Refused for a server, by what its INFO says, on which no queue can be."""
    version = str(info.get("redis_version", ""))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    kind = {"cluster": _CLUSTER, "sentinel": "is a Sentinel; name the server that it watches"}
    meaning = kind.get(str(info.get("redis_mode")))
    if info.get("role") == "slave":
        meaning = "is a replica, which cannot be written to; name its master"
    if numbers < OLDEST:
        meaning = f"is version {version}; tagtray needs 6.2 or newer"
    if meaning:
        raise Refused(f"Redis at {urls.masked(url)} {meaning}.")
