"""Is a file complete? Pure rules; nothing here looks at a disk or a clock."""

from __future__ import annotations

from collections.abc import Callable

#: Verdict of a file that may be registered.
READY = 0.0


def verdict(
    size: int,
    age: float,
    closed: bool,
    has_end: Callable[[], bool | None],
    stable: float,
    settle: float,
) -> float:
    """Seconds after which the file should be looked at again; READY if it is taken for complete.

    ``age`` is the time in seconds since its last change. A file that is ``settle`` seconds old goes in as it
    is. A younger one has to be closed after writing or unchanged for ``stable`` seconds, and to have its end:
    the kernel reports a close for a copy that was killed, too. ``has_end`` is asked only where it decides.
    """
    settle = max(stable, settle)
    if age >= settle:
        return READY
    if not closed and age < stable:
        return stable - age
    if size == 0 or has_end() is False:
        return min(stable, settle - age)
    return READY
