"""Thumbnails on disk, by content: those that nobody looks at go when there are too many."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from tagtray.config import atomic
from tagtray.config.settings import Settings

#: Folder below that of the caches.
FOLDER = "thumbnails"
#: Seconds for which a use is not noted again: a gallery that is scrolled writes no times.
USE_SECONDS = 3_600.0
#: Share of what is allowed that is left when some had to go.
LEFT = 0.9


def folder(settings: Settings) -> Path:
    """Where they all lie."""
    return settings.home / "cache" / FOLDER


def file(settings: Settings, sha256: str, size: str) -> Path:
    """Where the thumbnail of a content is kept."""
    return folder(settings) / sha256[:2] / f"{sha256}-{size}.webp"


def read(path: Path) -> bytes | None:
    """A thumbnail, whose use is noted; None where it is not kept."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    with contextlib.suppress(OSError):
        if path.stat().st_mtime < time.time() - USE_SECONDS:
            os.utime(path)
    return data


def keep(path: Path, data: bytes) -> None:
    """Write a thumbnail; on a full disk it is left, and made again when it is wanted."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic.replace(path, data)


def trim(settings: Settings) -> int:
    """Remove those that were used longest ago where there are too many bytes; how many."""
    kept = sorted(_kept(folder(settings)))
    size = sum(item[1] for item in kept)
    removed = 0
    if size > settings.thumbnails_max_bytes:
        for _, length, path in kept:
            if size <= LEFT * settings.thumbnails_max_bytes:
                break
            with contextlib.suppress(OSError):
                os.unlink(path)
                removed += 1
            size -= length
    return removed


def _kept(place: Path) -> Iterator[tuple[float, int, str]]:
    """When each one was used last, its bytes and its path."""
    for parent, _, names in os.walk(place):
        for name in names:
            path = os.path.join(parent, name)
            with contextlib.suppress(OSError):
                found = os.stat(path)
                yield found.st_mtime, found.st_size, path
