"""Where an export goes: a file that is complete or not there, a device, or standard output."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tagtray.config import atomic
from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.config.text import shown
from tagtray.exchange.sheets import Form

#: The name of standard output and standard input.
STANDARD = "-"


def form_of(name: str, form: Form | None) -> Form:
    """The format that was asked for, else the one that the name ends with; raises UsageError."""
    if form is not None:
        return form
    if name == STANDARD:
        return Form.JSONL
    ending = os.path.splitext(name)[1].lower().lstrip(".")
    if ending not in list(Form):
        known = ", ".join(f".{known.value}" for known in Form)
        raise UsageError(f"{shown(name)} ends with no format that is written ({known}); --format says which.")
    return Form(ending)


@contextlib.contextmanager
def opened(name: str) -> Iterator[IO[bytes]]:
    """The file to write to. Where the block fails, nothing is left of it and a former one stays.

    Raises InfrastructureError where it cannot be written; what standard output raises is left as it is.
    """
    if name == STANDARD:
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    # The file that a link leads to is replaced, not the link.
    path = Path(os.path.realpath(name))
    try:
        with open(path, "wb") if _is_device(path) else atomic.draft(path) as file:
            yield file
    except OSError as error:
        raise InfrastructureError(f"{shown(name)} cannot be written: {error.strerror or error}.") from None


def _is_device(path: Path) -> bool:
    """Whether something is there that cannot be replaced: a pipe or a device."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
