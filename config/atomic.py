"""Files that are written as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO


def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file atomically, replacing the one that was there; raises OSError."""
    with draft(path, mode) as file:
        file.write(data)


@contextlib.contextmanager
def draft(path: Path, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """A new file that takes the place of ``path`` when the block ends, and vanishes where it fails.

    Raises OSError. The umask holds for ``mode``.
    """
    draft = path.parent / f".tagtray-{secrets.token_hex(8)}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
