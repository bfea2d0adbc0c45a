"""Log lines on standard error: time, level, the name of the event, a sentence.

``event`` is how they are written: the record carries the event's name in ``event`` and its figures in
``fields``, so that a formatter for programs needs no parsing.
"""

from __future__ import annotations

import logging
import threading
import time

from tagtray.config.text import one_line

_FORMAT = "%(asctime)s %(levelname)-7s %(message)s"


def event(
    log: logging.Logger, level: int, name: str, sentence: str, /, *, exc_info: bool = False, **fields: object
) -> None:
    """Log ``name: sentence``; ``fields`` replace ``{field}`` in ``sentence``."""
    if log.isEnabledFor(level):
        extra = {"event": name, "fields": fields}
        message = sentence.format_map(fields)
        log.log(level, "%s: %s", name, message, exc_info=exc_info, extra=extra, stacklevel=2)


class Throttle:
    """Limits repeated lines: each key is due once in ``seconds``. Safe for threads."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._logged: dict[object, float] = {}

    def is_due(self, key: object = None) -> bool:
        """Whether the line of ``key`` should be logged now; it then counts as logged."""
        now = time.monotonic()
        with self._lock:
            if key in self._logged and now - self._logged[key] < self._seconds:
                return False
            self._logged[key] = now
            return True

    def reset(self, key: object = None) -> None:
        """Make ``key`` due again: what its line reported is over."""
        with self._lock:
            self._logged.pop(key, None)


class _OneLine(logging.Formatter):
    """One line for each record, whatever file names and errors hold; tracebacks only with DEBUG."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = one_line(record.message)
        return super().formatMessage(record)


class _Brief(_OneLine):
    """Names an exception in the line itself, and how to see its traceback."""

    def formatException(self, ei: object) -> str:
        return ""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return line
        return f"{line} ({type(error).__name__}: {one_line(str(error))}; TAGTRAY_LOG_LEVEL=DEBUG shows where)"


def configure(level: str) -> None:
    """Send records from ``level`` on to standard error; with DEBUG they carry tracebacks."""
    formatter = _OneLine(_FORMAT) if level == "DEBUG" else _Brief(_FORMAT)
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(max(logging.WARNING, logging.root.level))
