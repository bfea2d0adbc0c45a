"""Which roots this host can read: looked at beside the work, because a mount that hangs hangs who looks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from tagtray.config import logs
from tagtray.config.errors import InfrastructureError

#: Seconds between two looks: a root that comes back is found that late.
LOOK_INTERVAL = 5.0
#: Seconds that are waited for the first look.
FIRST_LOOK_SECONDS = 2.0

log = logging.getLogger(__name__)


class RootWatch:
    """Looks again and again in a thread of its own; ``names`` is what was found last."""

    def __init__(self, look: Callable[[], Sequence[str]]) -> None:
        self.names: Sequence[str] = ()
        self._look = look
        self._looked = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="root-watch", daemon=True)

    def __enter__(self) -> RootWatch:
        self._thread.start()
        self._looked.wait(FIRST_LOOK_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        # Not joined: it may hang on a mount.
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.names = self._look()
            except InfrastructureError as error:
                logs.event(log, logging.INFO, "look_missed", "{error}", error=error)
            self._looked.set()
            self._stop.wait(LOOK_INTERVAL)
