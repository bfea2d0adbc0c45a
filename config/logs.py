"""Log lines on standard error: time, level, the name of the event, a sentence; or the same as JSON.

``event`` is how they are written: the record carries the event's name in ``event`` and its figures in
``fields``. A line that is written otherwise has its event before the first colon, if it has one.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from tagtray.config.text import one_line

_EVENT = re.compile(r"([a-z][a-z0-9_]*): (.*)", re.DOTALL)
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


class _Json(logging.Formatter):
    """An object a line: time (ISO 8601, UTC), level, event, message, logger, pid, fields.

    With an exception its type and message, and its traceback if ``tracebacks``.
    """

    def __init__(self, tracebacks: bool) -> None:
        super().__init__()
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        found = _EVENT.fullmatch(message)
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "event": found[1] if found else None,
            "message": found[2] if found else message,
            "logger": record.name,
            "pid": record.process,
            "fields": getattr(record, "fields", {}),
        }
        if error := record.exc_info[1] if record.exc_info else None:
            line["exception"] = {"type": type(error).__name__, "message": str(error)}
            if self._tracebacks:
                line["traceback"] = self.formatException((type(error), error, error.__traceback__))
        return json.dumps(line, default=_plain)


def as_json(sentence: str) -> str:
    """A sentence that is no log record, as one would be written."""
    record = logging.LogRecord("tagtray", logging.INFO, "", 0, "%s", (sentence,), None)
    return _Json(False).format(record)


def _plain(value: object) -> object:
    """What JSON does not have: mappings of other kinds as objects, all else as people see it."""
    return dict(value) if isinstance(value, Mapping) else one_line(str(value))


def configure(level: str, form: Literal["text", "json"] = "text") -> None:
    """Send records from ``level`` on to standard error; with DEBUG they carry tracebacks."""
    debug = level == "DEBUG"
    handler = logging.StreamHandler()
    handler.setFormatter(_Json(debug) if form == "json" else (_OneLine if debug else _Brief)(_FORMAT))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(max(logging.WARNING, logging.root.level))
