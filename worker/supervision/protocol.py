"""What the supervisor's side (``forkserver``) and the fork server (``worker.__main__``) tell each other.

Messages are JSON, one to a packet. The supervisor orders ``{"worker", "name", "threads", "progress"}``, to
fork, or ``{"worker", "signal"}``. The server answers ``{"worker", "pid"}`` when it has forked,
``{"worker", "status"}`` when that process has ended. Whoever ends with an error says ``{"reason"}`` before.
"""

from __future__ import annotations

#: Bytes of a message at most: a path, a name and some numbers.
MESSAGE_BYTES = 65_536
#: Characters of the reason of an unexpected error at most.
REASON_CHARS = 500
#: Exit status of a worker (EX_TEMPFAIL of sysexits.h) that asks the supervisor to try again: a store is away.
TEMPFAIL = 75
#: Exit status (EX_CONFIG) of a worker whose store or settings refuse the work, as they would to any other.
REFUSED = 78
#: Exit status of a worker whose model is no longer the current one: another worker is to load that at once.
RELOAD = 79
