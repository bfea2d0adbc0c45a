"""Log lines that would repeat themselves, said once; and file names as they may stand in a log line."""

from __future__ import annotations

import logging
import math
import threading
import time

log = logging.getLogger(__name__)


class Notices:
    """Warnings by key: each is said once, or again after ``every`` seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: dict[str, float] = {}

    def warn(self, key: str, message: str, every: float = math.inf) -> None:
        """Log ``message`` as a warning unless ``key`` was said less than ``every`` seconds ago."""
        now = time.monotonic()
        with self._lock:
            if now - self._said.get(key, -math.inf) < every:
                return
            self._said[key] = now
        log.warning("%s", message)

    def clear(self, key: str) -> None:
        """The matter of ``key`` is over: it is said again when it comes back."""
        with self._lock:
            self._said.pop(key, None)


def shown(path: bytes) -> str:
    """A file name for people: on one line, whatever bytes it holds."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
