"""Wait for what another thread or process brings about."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds after which a test that waits gives up; starting a worker takes about five.
PATIENCE = 90.0


def wait_for(reached: Callable[[], object]) -> None:
    """Return when ``reached`` is true; fail when that takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.01)
