"""Hints through Redis that images have ended, so that who waits looks at the ledger at once.

A hint may be lost, forged or late: the ledger alone says what came of an image.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from redis import Redis

#: Bytes of a hint that is read: a batch of a thousand ids has a tenth of that.
MAX_BYTES = 65_536
#: Largest id that a ledger holds.
_MAX_ID = 2**63 - 1


def publish(connection: Redis, queue: str, image_ids: Sequence[int]) -> None:
    """Tell whoever listens that images of this queue have ended; raises redis.RedisError."""
    connection.publish(_channel(queue), json.dumps(list(image_ids)))


def listen(connection: Redis, queue: str, seconds: float) -> Iterator[list[int]]:
    """The ids of images that have ended, as they do, for ever; empty after ``seconds`` without any.

    Raises redis.RedisError.
    """
    pubsub: Any = connection.pubsub
    with pubsub(ignore_subscribe_messages=True) as subscription:
        subscription.subscribe(_channel(queue))
        while True:
            message = subscription.get_message(timeout=seconds)
            yield _ids(message["data"]) if message else []


def _ids(data: object) -> list[int]:
    if not isinstance(data, bytes) or len(data) > MAX_BYTES:
        return []
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return []
    if not isinstance(found, list):
        return []
    return [item for item in found if type(item) is int and 0 < item <= _MAX_ID]


def _channel(queue: str) -> str:
    return f"tagtray:{queue}:ended"
