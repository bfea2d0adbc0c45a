"""Settling: whether a file is still being written, and when to check it again."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tagtray.producer import files
from tagtray.producer.files import FoundFile
from tagtray.producer.scope import Scope

#: The delay of a file that is complete.
COMPLETE = 0.0
#: Files that wait up to which it is found out for how long: more are about to settle, not to be explained.
EXPLAINED = 1_000

Key = tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Files that may still be written to: how many, and the one that is waited for longest.

    ``seconds`` are those until it is taken as it is. Where too many wait to tell, ``path`` is empty.
    """

    files: int = 0
    path: bytes = b""
    seconds: float = 0.0


def delay(
    size: int,
    age: float,
    closed: bool,
    has_end: Callable[[], bool | None],
    stable: float,
    settle: float,
) -> float:
    """Seconds until a file should be checked again; COMPLETE if it counts as complete.

    ``age`` is the time in seconds since its last change. A file that is ``settle`` seconds old is taken as it
    is. A younger one has to be closed after writing or unchanged for ``stable`` seconds, and to have its end
    marker: the kernel reports a close for a copy that was killed, too. ``has_end`` is called only where it
    decides.
    """
    settle = max(stable, settle)
    if age >= settle:
        return COMPLETE
    if not closed and age < stable:
        return stable - age
    if size == 0 or has_end() is False:
        return min(stable, settle - age)
    return COMPLETE


@dataclass(slots=True)
class Candidate:
    """A file that may still be written to, first seen as it is at ``since`` (monotonic, in seconds)."""

    scope: Scope
    found: FoundFile
    closed: bool
    since: float
    due: float = 0.0
    end: bool | None = None
    end_was_read: bool = False

    @property
    def key(self) -> Key:
        """The root's id and the name: unique."""
        return self.scope.root.id, self.found.path

    def delay(self, stable: float, settle: float) -> float:
        """``delay`` of this file as it is."""
        return delay(self.found.size_bytes, self._age(), self.closed, self._has_end, stable, settle)

    def remaining(self, stable: float, settle: float) -> float:
        """Seconds until this file, if nobody changes it, is taken as it is."""
        lacks_end = not self.found.size_bytes or self.end is False
        return max(0.0, (max(stable, settle) if lacks_end else stable) - self._age())

    def updated(self, found: FoundFile, closed: bool = False) -> Candidate:
        """The same file as it is now: unchanged it keeps its age."""
        if found == self.found:
            self.closed |= closed
            return self
        return Candidate(self.scope, found, closed, time.monotonic())

    def _age(self) -> float:
        # Whichever clock says longer: that of a file system may be wrong.
        return max(self.found.age(time.time_ns()), time.monotonic() - self.since)

    def _has_end(self) -> bool | None:
        """Whether its end marker is there; read once per state of the file."""
        if not self.end_was_read:
            self.end = files.has_end(self.scope.root.path, self.found.path)
            self.end_was_read = True
        return self.end


class Settling:
    """The candidates that are not complete, by the time at which they are due; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._candidates: dict[Key, Candidate] = {}
        self._heap: list[tuple[float, Key]] = []

    def __len__(self) -> int:
        return len(self._candidates)

    def waiting(self, stable: float, settle: float) -> Waiting:
        """What is waited for, and how long."""
        with self._lock:
            candidates = list(self._candidates.values()) if len(self) <= EXPLAINED else []
        if not candidates:
            return Waiting(len(self))
        last = max(candidates, key=lambda candidate: candidate.remaining(stable, settle))
        return Waiting(len(candidates), last.found.path, last.remaining(stable, settle))

    def put(self, candidate: Candidate, seconds: float) -> None:
        """Make ``candidate`` due in ``seconds``."""
        with self._lock:
            candidate.due = time.monotonic() + seconds
            self._candidates[candidate.key] = candidate
            heapq.heappush(self._heap, (candidate.due, candidate.key))

    def get(self, key: Key) -> Candidate | None:
        """The candidate of that key."""
        return self._candidates.get(key)

    def discard(self, key: Key) -> None:
        """Drop a candidate that is complete or gone."""
        with self._lock:
            self._candidates.pop(key, None)

    def due(self, limit: int) -> list[Candidate]:
        """Up to ``limit`` candidates whose time has come; they stay until they are put again or discarded."""
        found: list[Candidate] = []
        now = time.monotonic()
        with self._lock:
            while self._heap and self._heap[0][0] <= now and len(found) < limit:
                due, key = heapq.heappop(self._heap)
                candidate = self._candidates.get(key)
                if candidate is not None and candidate.due == due:
                    found.append(candidate)
        return found

    def next_in(self) -> float | None:
        """Seconds until the next one is due; None if there is none."""
        with self._lock:
            return max(0.0, self._heap[0][0] - time.monotonic()) if self._heap else None
