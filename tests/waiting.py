"""Wait for what another thread or process brings about."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any

#: Seconds after which a test that waits gives up; a busy machine takes many times as long as an idle one.
PATIENCE = 120.0
#: Seconds between the first two looks and, at most, between later ones: looking often takes the time of those
#: that are waited for.
FIRST_POLL, POLL = 0.01, 0.05


def wait_for(reached: Callable[[], object], process: subprocess.Popen[Any] | None = None) -> None:
    """Return when ``reached`` is true; fail when that takes too long, or when ``process`` ends before."""
    deadline = time.monotonic() + PATIENCE
    pause = FIRST_POLL
    while not reached():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(pause)
        pause = min(1.2 * pause, POLL)
