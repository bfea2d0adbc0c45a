"""SIGTERM and Ctrl-C ask a command to end in order; a Ctrl-C after that ends it at once."""

from __future__ import annotations

import signal
import time
from types import FrameType, TracebackType

from tagtray.config.outage import Stopped

#: Seconds between looks at whether somebody asked to stop.
TICK = 0.05
#: Exit code after Ctrl-C, as shells have it: 128 + SIGINT.
INTERRUPTED = 130


class AtOnce(BaseException):
    """The second Ctrl-C: nothing is waited for any more."""


class Terminated(BaseException):
    """SIGTERM to a command that has nothing in hand to finish."""


def end_on_sigterm() -> None:
    """Unwind at SIGTERM as after an error: no process and no folder of ours is left."""

    def end(*_: object) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, end)


class StopRequest:
    """Whether the user or the system asked to stop; a context manager that owns both signals.

    What waits for a store and is stopped (``Stopped``) ends with it.
    """

    def __init__(self) -> None:
        self.asked = False
        #: What the command exits with: 0 unless Ctrl-C was pressed.
        self.exit_code = 0
        self._former: dict[int, object] = {}

    def __enter__(self) -> StopRequest:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._former[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        for number, handler in self._former.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        return isinstance(error, Stopped)

    def wait(self, seconds: float) -> bool:
        """Sleep until ``seconds`` are over or somebody asks; whether somebody did."""
        # Not an Event: its set() in a signal handler can meet its own wait() and hang.
        until = time.monotonic() + seconds
        while not self.asked and (left := until - time.monotonic()) > 0:
            time.sleep(min(TICK, left))
        return self.asked

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        again = self.asked
        self.asked = True
        if number == signal.SIGINT:
            self.exit_code = INTERRUPTED
            if again:
                raise AtOnce
