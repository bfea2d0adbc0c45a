"""The heartbeat goes on, whatever one of them raises."""

from __future__ import annotations

import itertools

import pytest
import redis

from tagtray.config.errors import InfrastructureError
from tagtray.worker.supervision.heartbeat import Heartbeat
from tests.waiting import wait_for


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (InfrastructureError("The database is away."), "heartbeat_missed: The database is away."),
        (redis.ConnectionError("Redis is away."), "heartbeat_missed: Redis is away."),
        (ValueError("a bug"), "heartbeat_failed"),
    ],
)
def test_a_heartbeat_that_fails_is_followed_by_others(
    error: Exception, event: str, caplog: pytest.LogCaptureFixture
) -> None:
    beats = itertools.count()
    reached = 0

    def beat() -> None:
        nonlocal reached
        reached = next(beats)
        if reached < 2:
            raise error

    with caplog.at_level("INFO"), Heartbeat(beat, 0.001):
        wait_for(lambda: reached > 2)

    assert caplog.text.count(event) == 2
    assert ("Traceback" in caplog.text) == isinstance(error, ValueError)
