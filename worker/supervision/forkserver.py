"""The fork server seen by its supervisor: a process that has imported what takes seconds, and forks workers.

They talk over a socket, in JSON. The supervisor orders ``{"worker", "name", "threads", "note"}`` or
``{"worker", "signal"}``. The server (``worker.__main__``) answers ``{"worker", "pid"}`` when it has forked,
``{"worker", "status"}`` when that process has ended. When the supervisor's end closes, they all end.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tagtray.config import settings as configuration
from tagtray.config import subprocesses
from tagtray.config.settings import Settings
from tagtray.worker.supervision.resources import ONE_BLAS_THREAD

#: Bytes of a message at most: a path, a name and some numbers.
MESSAGE_BYTES = 65_536
#: Seconds that the server is given to say that its workers were killed, and between looks at that.
GRACE, LOOK = 5.0, 0.005


@dataclass(eq=False)
class Worker:
    """A worker process, or one to be: ``pid`` is None until it is forked, ``returncode`` while it lives.

    ``orphaned``: it was ended because its server died, whatever it was doing.
    """

    number: int
    server: ForkServer
    pid: int | None = None
    returncode: int | None = None
    orphaned: bool = False

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it lives or is still to come."""
        self.server.look()
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Signal it, as soon as it is forked."""
        self.server.send(worker=self.number, signal=number)


class ForkServer:
    """Started with the object, so that it imports while all else is made ready; anew when it was killed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._mutex = threading.RLock()
        self._numbers = itertools.count()
        self._living: dict[int, Worker] = {}
        self._start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def spawn(self, name: str, threads: int, note: Path) -> Worker:
        """Have a worker forked that works under ``name``, with so many threads for the network."""
        with self._mutex:
            self.look()
            if self._process.returncode is not None:
                self._socket.close()
                self._start()
            worker = Worker(next(self._numbers), self)
            self._living[worker.number] = worker
            self.send(worker=worker.number, name=name, threads=threads, note=os.fspath(note))
            return worker

    def send(self, **order: object) -> None:
        """Send an order; one that is dead takes none."""
        with contextlib.suppress(OSError):
            self._socket.send(json.dumps(order).encode())

    def look(self) -> None:
        """Take up what the server said, and whether it lives; without it no worker is let live."""
        with self._mutex:
            ended = self._process.poll()
            self._take_up()
            if ended is not None:
                for worker in self._living.values():
                    _bury(worker, ended)
                self._living.clear()

    def close(self) -> None:
        """Kill every worker and the server."""
        for worker in list(self._living.values()):
            worker.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + GRACE
        while self._forked() and time.monotonic() < deadline:
            time.sleep(LOOK)
        self._process.kill()
        self._process.wait()
        self.look()
        self._socket.close()

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        with theirs:
            self._process = subprocess.Popen(
                subprocesses.command("tagtray.worker"),
                stdin=theirs.fileno(),
                env=os.environ | configuration.environment(self._settings) | ONE_BLAS_THREAD,
                start_new_session=True,
            )

    def _forked(self) -> bool:
        with self._mutex:
            self.look()
            return any(worker.pid for worker in self._living.values())

    def _take_up(self) -> None:
        for answer in self._answers():
            worker = self._living[answer["worker"]]
            worker.pid = answer.get("pid", worker.pid)
            worker.returncode = answer.get("status")
            if worker.returncode is not None:
                del self._living[worker.number]

    def _answers(self) -> Iterator[dict[str, int]]:
        while True:
            try:
                message = self._socket.recv(MESSAGE_BYTES)
            except ConnectionResetError:  # it died with an order unread; what it had said follows
                continue
            except OSError:
                return
            if not message:
                return
            yield json.loads(message)


def _bury(worker: Worker, status: int) -> None:
    """The server has ended with ``status``: so has a worker that was still to come, and others follow it."""
    if worker.pid is None:
        worker.returncode = status
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(worker.pid, signal.SIGKILL)
    worker.returncode, worker.orphaned = -signal.SIGKILL, True
