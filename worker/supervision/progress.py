"""A worker's progress marker: a few bytes in a mapped file, which outlive the worker.

The supervisor reads it to tell the one suspect from the images that the worker merely held.
"""

from __future__ import annotations

import mmap
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

#: ready (1 once the network is loaded), id of the image being decoded (0: none), since when.
_LAYOUT = struct.Struct("=?7xqd")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a marker says; ``since`` is on the system's monotonic clock, in seconds."""

    ready: bool
    image_id: int
    since: float

    @property
    def seconds(self) -> float:
        """How long the image has been in decode."""
        return time.monotonic() - self.since if self.image_id else 0.0


class Progress:
    """The file, mapped; one process writes and another reads."""

    def __init__(self, path: Path) -> None:
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), _LAYOUT.size)

    @classmethod
    def create(cls, path: Path) -> Progress:
        """Create the file, with nothing marked."""
        path.unlink(missing_ok=True)
        path.write_bytes(bytes(_LAYOUT.size))
        return cls(path)

    def read(self) -> Snapshot:
        """The marker now; read again while the other process writes it."""
        one, other = None, self._map[: _LAYOUT.size]
        while one != other:
            one, other = other, self._map[: _LAYOUT.size]
        return Snapshot(*_LAYOUT.unpack(other))

    def ready(self) -> None:
        """Mark that the worker is up."""
        self._write(0)

    @contextmanager
    def decoding(self, image_id: int) -> Iterator[None]:
        """Mark the image for as long as the block runs; it stays marked if the process dies in it."""
        self._write(image_id)
        try:
            yield
        finally:
            self._write(0)

    def clear(self) -> None:
        """Unmark the image."""
        self._write(0)

    def close(self) -> None:
        """Unmap the file."""
        self._map.close()

    def _write(self, image_id: int) -> None:
        self._map[: _LAYOUT.size] = _LAYOUT.pack(True, image_id, time.monotonic())
