"""Standard streams as users leave them: closed, full, or read by somebody who goes away."""

from __future__ import annotations

import contextlib
import errno
import os
import sys

from tagtray.config import logs

#: What a write says where the device or the disk behind a stream takes no more.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def open_closed() -> None:
    """Let a closed stream lead nowhere: else the next file that is opened gets its number, and what is said.

    Processes that are started inherit the three.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def say(sentence: str) -> None:
    """Write a line on standard error, if anybody still takes it; where log lines are JSON, it is one, too."""
    if os.environ.get("TAGTRAY_LOG") == "json":
        sentence = logs.as_json(sentence)
    with contextlib.suppress(OSError):
        print(sentence, file=sys.stderr, flush=True)


def has_no_reader(error: OSError) -> bool:
    """Whether the reader of the output has had enough."""
    return error.errno == errno.EPIPE


def is_full(error: OSError) -> bool:
    """Whether it is the output that cannot be written, and not a file."""
    return error.errno in _FULL and error.filename is None


def close_output() -> None:
    """Write no more, not even what is still held back."""
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), sys.stdout.fileno())
