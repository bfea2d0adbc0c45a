"""The keeper: runs the embedded Redis until its last user is gone, then stops it.

Started by ``jobs.embedded_redis.server`` as a small interpreter of its own; imports nothing of tagtray's.
Keeper and server are one unit: the server dies with its keeper, the keeper ends with its server, and
whoever needs them finds both dead and starts both. Its arguments are the lock file of the users, the
descriptor of the start lock and the server's command.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import threading

import setproctitle

TITLE = "tagtray: redis keeper"

#: Seconds that the server is given to end by itself before it is killed.
STOP_SECONDS = 5.0

#: prctl(2): the signal that a process gets when the thread that forked it dies (Linux only).
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Have the kernel end this process (SIGTERM) with its parent; call it between fork and exec.

    Systems other than Linux cannot do this: there, a server outlives a keeper that was killed.
    """
    if sys.platform == "linux":
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def main(lock_path: str, start_fd: str, *command: str) -> int:
    """Run ``command`` until it ends or nobody holds a lock on ``lock_path``; 1 where it could not run."""
    setproctitle.setproctitle(TITLE)
    users = os.open(lock_path, os.O_RDWR | os.O_CLOEXEC)
    keeper = os.getpid()

    def guard() -> None:
        die_with_parent()
        if os.getppid() != keeper:
            os._exit(1)

    # The server inherits the start lock: no other one starts before keeper and server are both gone.
    # It is forked by the main thread because the parent-death signal follows the thread that forked.
    server = subprocess.Popen(command, pass_fds=[int(start_fd)], preexec_fn=guard)
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    threading.Thread(target=_stop_after_last_user, args=(users, server), daemon=True).start()
    return 1 if server.wait() > 0 else 0


def _stop_after_last_user(users: int, server: subprocess.Popen[bytes]) -> None:
    # Never released: a user who comes now waits for this process to end, then starts a new one.
    fcntl.flock(users, fcntl.LOCK_EX)
    server.terminate()
    threading.Timer(STOP_SECONDS, server.kill).start()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
