"""Places for requests that send files: as many as there are, and nobody waits for one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tagtray.web.problems import Problem

#: Seconds after which a client may try again.
RETRY_SECONDS = 1.0


class Places:
    """Counts the requests that hold one; belongs to the event loop."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a place; raises Problem (429) where there is none."""
        if self._taken >= self._most:
            sentence = f"{self._most} requests send photos already, the most at once (TAGTRAY_UPLOAD_MAX)."
            raise Problem(429, "busy", sentence, retry_after=RETRY_SECONDS)
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
