"""A worker's progress marker: its phase, image and since when, in a mapped file that outlives the worker.

The worker writes it; its supervisor reads it to find a worker that hangs and, after a death, the one suspect.
"""

from __future__ import annotations

import mmap
import struct
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path


class Phase(IntEnum):
    """What a worker does; ``limits`` says how long it may."""

    #: It loads the network, or waits for weights that this host lacks.
    STARTING = 0
    #: It waits for jobs, or for a store that is away.
    IDLE = 1
    #: It asks the ledger: for the images of a job, or which contents are known.
    CLAIM = 2
    READ = 3
    DECODE = 4
    FORWARD = 5
    COMMIT = 6


#: Phase, id of the image that alone is in hand (0: none), since when, whether it ever
#: finished a batch.
_LAYOUT = struct.Struct("=B7xqd?")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a marker says; ``since`` is on the system's monotonic clock, in seconds."""

    phase: Phase
    image_id: int
    since: float
    worked: bool = False

    @property
    def age(self) -> float:
        """Seconds since the marker was written."""
        return time.monotonic() - self.since


class Progress:
    """The file, mapped; one process writes and another reads."""

    def __init__(self, path: Path) -> None:
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), _LAYOUT.size)
        self._phase = Phase.STARTING
        self._worked = False
        self._since = time.monotonic()
        self._spent: dict[Phase, float] = defaultdict(float)

    @classmethod
    def create(cls, path: Path) -> Progress:
        """Create the file for a worker that starts now."""
        path.unlink(missing_ok=True)
        path.write_bytes(bytes(_LAYOUT.size))
        progress = cls(path)
        progress.enter(Phase.STARTING)
        return progress

    def enter(self, phase: Phase, image_id: int = 0) -> None:
        """Mark that a phase begins, also if it is the same again; what the marker said before is over."""
        now = time.monotonic()
        self._spent[self._phase] += now - self._since
        self._worked |= self._phase is Phase.COMMIT
        self._phase, self._since = phase, now
        self._map[: _LAYOUT.size] = _LAYOUT.pack(phase, image_id, now, self._worked)

    def lap(self) -> Mapping[Phase, float]:
        """Seconds that this process spent in each phase since the last lap, the one in hand left out."""
        spent, self._spent = self._spent, defaultdict(float)
        return spent

    def read(self) -> Snapshot:
        """The marker now; read again while the other process writes it."""
        one, other = None, self._map[: _LAYOUT.size]
        while one != other:
            one, other = other, self._map[: _LAYOUT.size]
        phase, *others = _LAYOUT.unpack(other)
        return Snapshot(Phase(phase), *others)

    def close(self) -> None:
        """Unmap the file."""
        self._map.close()
