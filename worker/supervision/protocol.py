"""What the supervisor's side (``forkserver``) and the fork server (``worker.__main__``) tell each other.

Messages are JSON, one to a packet. The supervisor orders ``{"worker", "name", "threads", "progress"}``, to
fork, or ``{"worker", "signal"}``. The server answers ``{"worker", "pid"}`` when it has forked,
``{"worker", "status", "reason"}`` when that process has ended; the reason is empty unless an error was why.
A server that cannot even begin answers ``{"reason"}``.
"""

from __future__ import annotations

#: Bytes of a message at most: a path, a name and some numbers.
MESSAGE_BYTES = 65_536
#: Bytes of a reason at most; a pipe takes them at once (pipe(7), PIPE_BUF).
REASON_BYTES = 4_096
#: Exit status of a worker (EX_TEMPFAIL of sysexits.h) that asks the supervisor to try again: a store is away.
TEMPFAIL = 75
#: Exit status of a worker whose model is no longer the current one: another worker is to load that at once.
RELOAD = 79
#: Exit status of a worker (EX_CONFIG of sysexits.h) that another one would not help: no engine can be loaded,
#: or a store refuses for good.
UNUSABLE = 78
