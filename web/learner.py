"""Own tags are learned again in the background, some moments after their examples have changed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection

from sqlalchemy import Engine

from tagtray.config import logs
from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.learn import teaching
from tagtray.learn.teaching import Learned
from tagtray.web.vocabulary import Words

#: Seconds for which nothing more is said of a tag before it is learned: photos are judged one after another.
QUIET_SECONDS = 1.0

log = logging.getLogger(__name__)


class Learner:
    """Learns one tag at a time, in a thread that ends when there is nothing to learn; safe for threads."""

    def __init__(self, engine: Engine, words: Words) -> None:
        self._engine = engine
        self._words = words
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._wanted: dict[str, None] = {}
        self._thread: threading.Thread | None = None
        self._is_stopping = False
        #: What came of each tag that this server has learned last.
        self.learned: dict[str, Learned] = {}

    def want(self, wnids: Collection[str]) -> None:
        """Have these own tags learned soon."""
        if not wnids:
            return
        with self._lock:
            self._wanted |= dict.fromkeys(wnids)
            self._news.set()
            if self._thread is None and not self._is_stopping:
                self._thread = threading.Thread(target=self._run, name="learner", daemon=True)
                self._thread.start()

    @property
    def waiting(self) -> Collection[str]:
        """The tags that are to be learned."""
        with self._lock:
            return list(self._wanted)

    def stop(self) -> None:
        """End after the tag in hand; what is still to be learned is so by the next `tagtray run`."""
        with self._lock:
            self._is_stopping = True
            self._news.set()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while self._is_quiet():
            with self._lock:
                if not self._wanted:
                    self._thread = None
                    return
                wnid = next(iter(self._wanted))
            self._learn(wnid)
            with self._lock:
                if not self._news.is_set():
                    self._wanted.pop(wnid, None)

    def _is_quiet(self) -> bool:
        """Wait until nothing more is said; False once this is to end."""
        self._news.clear()
        while not self._is_stopping and self._news.wait(QUIET_SECONDS):
            self._news.clear()
        return not self._is_stopping

    def _learn(self, wnid: str) -> None:
        try:
            self.learned[wnid] = teaching.learn(self._engine, wnid)
            self._words.forget()
        except (InfrastructureError, UsageError) as error:
            logs.event(log, logging.WARNING, "tag_not_learned", "{error}", error=error)
        except Exception:
            sentence = "an unexpected error; the tag stays as it was."
            logs.event(log, logging.ERROR, "tag_not_learned", sentence, exc_info=True)
