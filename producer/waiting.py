"""Files that may still be being written, and when each is looked at again."""

from __future__ import annotations

import heapq
import threading
import time
from dataclasses import dataclass

from tagtray.producer import files
from tagtray.producer.files import FoundFile
from tagtray.producer.scope import Scope

Key = tuple[int, bytes]


@dataclass(slots=True)
class Candidate:
    """A file that is judged: ``since`` is when it was first seen as it is now, in monotonic seconds."""

    scope: Scope
    found: FoundFile
    closed: bool
    since: float
    due: float = 0.0
    end: bool | None = None
    end_was_sought: bool = False

    @property
    def key(self) -> Key:
        """What tells it from every other file."""
        return self.scope.root.id, self.found.path

    def age(self) -> float:
        """Seconds since the last change, as far as any clock tells."""
        return max(self.found.age(time.time_ns()), time.monotonic() - self.since)

    def has_end(self) -> bool | None:
        """Whether its end marker is there; read once per state of the file."""
        if not self.end_was_sought:
            self.end = files.has_end(self.scope.root.path, self.found.path)
            self.end_was_sought = True
        return self.end

    def renewed(self, found: FoundFile, closed: bool = False) -> Candidate:
        """The same file as it is now: unchanged it keeps its age."""
        if found == self.found:
            self.closed |= closed
            return self
        return Candidate(self.scope, found, closed, time.monotonic())


class Waiting:
    """The candidates that wait, by the time at which they are due; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._candidates: dict[Key, Candidate] = {}
        self._heap: list[tuple[float, Key]] = []

    def __len__(self) -> int:
        return len(self._candidates)

    def put(self, candidate: Candidate, seconds: float) -> None:
        """Look at ``candidate`` again in ``seconds``."""
        with self._lock:
            candidate.due = time.monotonic() + seconds
            self._candidates[candidate.key] = candidate
            heapq.heappush(self._heap, (candidate.due, candidate.key))

    def get(self, key: Key) -> Candidate | None:
        """The candidate that waits under ``key``."""
        return self._candidates.get(key)

    def discard(self, key: Key) -> None:
        """It need not wait any longer."""
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
        """Seconds until the next one is due; None if nothing waits."""
        with self._lock:
            return max(0.0, self._heap[0][0] - time.monotonic()) if self._heap else None
