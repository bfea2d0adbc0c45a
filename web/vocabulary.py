"""The words of queries, read once and not for every request."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from sqlalchemy import Connection, select

from tagtray.db.reading.tag_summary import TagSummary
from tagtray.db.tables import Model
from tagtray.search import words
from tagtray.search.words import Vocabulary

#: Seconds after which words are read again, as other processes may teach some; another current model has its
#: own at once.
FRESH_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Loaded:
    vocabulary: Vocabulary
    summary: TagSummary
    at: float


class Words:
    """The vocabulary and the categories worth naming, for all requests; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None

    def load(self, connection: Connection) -> Vocabulary:
        """The vocabulary of the current model; raises InfrastructureError where there is none."""
        return self._load(connection).vocabulary

    def summary(self, connection: Connection) -> TagSummary:
        """Which categories a short list names."""
        return self._load(connection).summary

    def forget(self) -> None:
        """Have them read again by whoever asks next: own tags have changed."""
        with self._lock:
            self._loaded = None

    def _load(self, connection: Connection) -> _Loaded:
        model_id = connection.scalar(select(Model.id).where(Model.is_current))
        with self._lock:
            found = self._loaded
            if (
                found is None
                or found.vocabulary.model_id != model_id
                or time.monotonic() > found.at + FRESH_SECONDS
            ):
                found = _Loaded(words.load(connection), TagSummary.load(connection), time.monotonic())
                self._loaded = found
            return found
