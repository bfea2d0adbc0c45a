"""SIGTERM and Ctrl-C ask a command to end in order; a Ctrl-C after that ends it at once.

A command that has nothing in hand ends at the first one.
"""

from __future__ import annotations

import signal
import time
from types import FrameType, TracebackType

from tagtray.config.outage import Stopped

#: Seconds between checks for a stop request.
TICK = 0.05
#: Exit code after Ctrl-C, as shells have it: 128 + SIGINT.
INTERRUPTED = 130


class AtOnce(BaseException):
    """The second Ctrl-C: exit without waiting for anything."""


class Terminated(BaseException):
    """SIGTERM to a command that has no work in hand."""


def end_on_sigterm() -> None:
    """Have SIGTERM raise Terminated: the command unwinds, cleans up and exits with 0."""

    def end(*_: object) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, end)


class StopRequest:
    """A request by the user or the system to stop; a context manager that owns both signals.

    What waits for a store and is stopped (``Stopped``) ends with it.
    """

    def __init__(self) -> None:
        self.requested = False
        #: What the command exits with: 0 unless Ctrl-C was pressed.
        self.exit_code = 0
        self._former: dict[int, object] = {}

    def __enter__(self) -> StopRequest:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._former[number] = signal.signal(number, self._request)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        for number, handler in self._former.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        return isinstance(error, Stopped)

    def wait(self, seconds: float) -> bool:
        """Sleep for ``seconds`` or until a stop is requested; return whether it was."""
        # Not an Event: its set() in a signal handler can meet its own wait() and hang.
        until = time.monotonic() + seconds
        while not self.requested and (left := until - time.monotonic()) > 0:
            time.sleep(min(TICK, left))
        return self.requested

    def _request(self, number: int, _frame: FrameType | None) -> None:
        again = self.requested
        self.requested = True
        if number == signal.SIGINT:
            self.exit_code = INTERRUPTED
            if again:
                raise AtOnce
