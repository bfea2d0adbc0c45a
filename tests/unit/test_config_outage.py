"""A store that is away is waited for, and spoken of once a minute."""

from __future__ import annotations

import logging
import threading

import pytest

from tagtray.config import outage
from tagtray.config.errors import InfrastructureError
from tagtray.config.outage import Outage, Stopped

log = logging.getLogger("test")


def _away(times: int) -> list[Exception]:
    return [InfrastructureError("The database is away.") for _ in range(times)]


def test_work_is_repeated_until_the_store_is_back_with_one_line(caplog: pytest.LogCaptureFixture) -> None:
    # Given a store that is away for three attempts
    errors, pauses = _away(3), list[float]()

    def work() -> str:
        if errors:
            raise errors.pop()
        return "stored"

    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        return False

    # When the work is repeated
    result = Outage(log, "producer_waits", pause).retry(work)

    # Then it succeeds, with a pause before each further attempt and one line for all of them
    assert result == "stored"
    assert pauses == [outage.BACKOFF] * 3
    assert caplog.messages == ["producer_waits: The database is away. Trying again every 2 s."]


def test_who_is_told_to_stop_waits_no_longer() -> None:
    stop = threading.Event()
    stop.set()

    def work() -> None:
        raise InfrastructureError("The database is away.")

    with pytest.raises(Stopped):
        Outage(log, "producer_waits", stop.wait).retry(work)


def test_an_error_that_is_no_outage_is_not_waited_for() -> None:
    def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Outage(log, "producer_waits", threading.Event().wait).retry(work)
