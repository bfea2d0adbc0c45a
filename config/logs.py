"""Log lines on standard error: time, level, a stable event name, a human sentence."""

from __future__ import annotations

import logging

_FORMAT = "%(asctime)s %(levelname)-7s %(message)s"


class _OneLine(logging.Formatter):
    """Tracebacks are for developers: without DEBUG an exception is one line that says how to see more.

    Nor do file names and other people's words break or recolour the line.
    """

    def formatException(self, ei: object) -> str:
        return ""

    def format(self, record: logging.LogRecord) -> str:
        line = _printable(super().format(record)).rstrip()
        if not record.exc_info or record.exc_info[1] is None:
            return line
        error = record.exc_info[1]
        said = " ".join(_printable(str(error)).split())
        return f"{line} ({type(error).__name__}: {said}; TAGTRAY_LOG_LEVEL=DEBUG shows where)"


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def configure(level: str) -> None:
    """Send records from ``level`` on to standard error; with DEBUG they carry tracebacks."""
    formatter = logging.Formatter(_FORMAT) if level == "DEBUG" else _OneLine(_FORMAT)
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(max(logging.WARNING, logging.root.level))
