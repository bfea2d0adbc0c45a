"""The fork server seen by its supervisor: a process that has imported what takes seconds, and forks workers.

They talk over a socket (``protocol``). When the supervisor's end closes, the server and its workers end.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tagtray.config import settings as configuration
from tagtray.config import subprocesses
from tagtray.config.settings import Settings
from tagtray.worker.supervision.protocol import MESSAGE_BYTES
from tagtray.worker.supervision.resources import ONE_BLAS_THREAD

#: What the server runs.
MODULE = "tagtray.worker"
#: Seconds that the server is given to report the exits of its killed workers, and between looks for that.
CLOSE_GRACE, CLOSE_POLL = 5.0, 0.005

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Worker:
    """A worker process: ``pid`` is None until it is forked, ``returncode`` while it lives.

    ``reason``: a sentence about why another one would fare no better, or empty. ``orphaned``: it was killed
    because its server died, whatever it was doing.
    """

    number: int
    server: ForkServer
    pid: int | None = None
    returncode: int | None = None
    reason: str = ""
    orphaned: bool = False

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it lives or is not forked yet."""
        self.server.update()
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Signal it, once it is forked."""
        self.server.send(worker=self.number, signal=number)

    def abandon(self) -> None:
        """Count it as ended: it was killed, and a system call that never returns keeps it from ending.

        One that was never forked takes its server along, which does not answer.
        """
        self.returncode = -signal.SIGKILL
        if self.pid is None:
            self.server.kill()


class ForkServer:
    """The server process: started with the object, so that it imports early, and again after it died."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._mutex = threading.RLock()
        self._numbers = itertools.count()
        self._living: dict[int, Worker] = {}
        self._unsent: deque[bytes] = deque()
        #: Why the server itself ends with an error.
        self._reason = ""
        self._start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def spawn(self, name: str, threads: int, progress: Path) -> Worker:
        """Order a worker: its name in the ledger, threads for the network, file of its progress marker."""
        with self._mutex:
            self.update()
            if self._process.returncode is not None:
                self._socket.close()
                self._unsent.clear()
                self._start()
            worker = Worker(next(self._numbers), self)
            self._living[worker.number] = worker
            self.send(worker=worker.number, name=name, threads=threads, progress=os.fspath(progress))
            return worker

    def send(self, **order: object) -> None:
        """Send an order, at the latest with the next ``update``."""
        with self._mutex:
            self._unsent.append(json.dumps(order).encode())
            self._send_orders()

    def kill(self) -> None:
        """Kill the server, and with the next ``update`` its workers; ``spawn`` starts another one."""
        self._process.kill()

    def update(self) -> None:
        """Send what is unsent and read the answers; if the server died, kill the workers that it forked."""
        with self._mutex:
            ended = self._process.poll()
            self._send_orders()
            self._read_answers()
            if ended is not None:
                for worker in self._living.values():
                    _mark_dead(worker, ended, self._reason)
                self._living.clear()

    def close(self) -> None:
        """Kill every worker and the server."""
        for worker in list(self._living.values()):
            worker.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + CLOSE_GRACE
        while self._forked() and time.monotonic() < deadline:
            time.sleep(CLOSE_POLL)
        self._process.kill()
        self._process.wait()
        self.update()
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
                subprocesses.command(MODULE),
                stdin=theirs.fileno(),
                env=os.environ | configuration.environment(self._settings) | ONE_BLAS_THREAD,
                start_new_session=True,
            )

    def _forked(self) -> bool:
        with self._mutex:
            self.update()
            return any(worker.pid for worker in self._living.values())

    def _send_orders(self) -> None:
        """Send what the socket takes now; a server that takes no more orders is no use."""
        while self._unsent and self._process.returncode is None:
            try:
                self._socket.send(self._unsent[0])
            except BlockingIOError:
                return
            except OSError as error:
                log.warning("forkserver_unreachable: %s", error)
                self.kill()
                return
            self._unsent.popleft()

    def _read_answers(self) -> None:
        for answer in self._answers():
            if "worker" not in answer:
                self._reason = answer["reason"]
                continue
            worker = self._living[answer["worker"]]
            worker.pid = answer.get("pid", worker.pid)
            worker.returncode = answer.get("status", worker.returncode)
            if "status" in answer:
                worker.reason = answer["reason"]
                del self._living[worker.number]

    def _answers(self) -> Iterator[dict[str, Any]]:
        while True:
            try:
                message = self._socket.recv(MESSAGE_BYTES)
            except ConnectionResetError:  # it died with an order unread; its last answers follow
                continue
            except OSError:
                return
            if not message:
                return
            yield json.loads(message)


def _mark_dead(worker: Worker, status: int, reason: str) -> None:
    """The server ended with ``status``: kill the worker if it was forked; else it never will be."""
    if worker.pid is None:
        worker.returncode, worker.reason = status, reason
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(worker.pid, signal.SIGKILL)
    worker.returncode, worker.orphaned = -signal.SIGKILL, True
