"""``python -m tagtray.worker``: the fork server and the workers that it forks (``supervision.forkserver``).

Forking is safe as long as no network was built here and no thread was started: only imports are shared.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import setproctitle

from tagtray.config import isolation, logs
from tagtray.config import settings as configuration
from tagtray.config.errors import (
    EngineError,
    InfrastructureError,
    Refused,
    TagtrayError,
    UsageError,
    WeightsError,
)
from tagtray.worker.supervision.protocol import MESSAGE_BYTES, REASON_BYTES, TEMPFAIL, UNUSABLE


class _Server:
    """Forks workers on orders from the socket; each inherits one end of a pipe, which its exit closes."""

    def __init__(self, orders: socket.socket) -> None:
        self._orders = orders
        #: By the server's end of each pipe: the worker's number and its process id.
        self._forked: dict[int, tuple[int, int]] = {}
        #: In a worker: its end of the pipe, for the reason of its exit.
        self._reason = -1

    def serve(self) -> int:
        """Serve until the supervisor's socket closes.

        Returns the exit status, once in the server and once in each worker that it forked.
        """
        while True:
            orders = self._orders.fileno()
            for ready in select.select([*self._forked, orders], [], [])[0]:
                if ready != orders:
                    self._report_exit(ready)
                elif not (message := self._receive()):
                    return 0
                elif "signal" in (order := json.loads(message)):
                    self._signal(order)
                elif not self._fork(order):
                    return _status(lambda: self._work(order), self._explain)

    def _receive(self) -> bytes:
        try:
            return self._orders.recv(MESSAGE_BYTES)
        except ConnectionResetError:  # the supervisor ended with an answer unread
            return b""

    def _fork(self, order: dict[str, Any]) -> int:
        """As os.fork: the process id, 0 in the new process."""
        ours, theirs = os.pipe()
        if pid := os.fork():
            os.close(theirs)
            self._forked[ours] = order["worker"], pid
            self._report(worker=order["worker"], pid=pid)
        else:
            _set_signals(signal.SIG_DFL)
            self._reason = theirs
            for pipe in (ours, *self._forked):
                os.close(pipe)
        return pid

    def _work(self, order: dict[str, Any]) -> int:
        from tagtray.worker import process

        setproctitle.setproctitle(f"tagtray: worker {order['name'].rpartition('-')[2]}")
        return process.main(order["name"], order["threads"], order["progress"], self._orders)

    def _explain(self, reason: str) -> None:
        """In a worker: say why it ends."""
        os.write(self._reason, reason.encode(errors="backslashreplace")[:REASON_BYTES])

    def prepare(self) -> int:
        """Import what takes seconds; the exit status, which is 0 where that went well."""
        return _status(_import, lambda reason: self._report(reason=reason[:REASON_BYTES]))

    def _signal(self, order: dict[str, Any]) -> None:
        for worker, pid in self._forked.values():
            if worker == order["worker"]:
                os.kill(pid, order["signal"])

    def _report_exit(self, pipe: int) -> None:
        reason = os.read(pipe, REASON_BYTES).decode(errors="replace")
        os.close(pipe)
        worker, pid = self._forked.pop(pipe)
        _, status = os.waitpid(pid, 0)
        self._report(worker=worker, status=os.waitstatus_to_exitcode(status), reason=reason)

    def _report(self, **answer: int | str) -> None:
        # The supervisor is gone; the next recv says so.
        with contextlib.suppress(BrokenPipeError):
            self._orders.send(json.dumps(answer).encode())


def main() -> int:
    """Import what takes seconds, then serve."""
    setproctitle.setproctitle("tagtray: fork server")
    # Signals to a whole service are meant for the workers, which finish; the server ends with its socket.
    _set_signals(signal.SIG_IGN)
    # Standard input is the socket; what a worker starts must not inherit it.
    orders = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), sys.stdin.fileno())
    server = _Server(orders)
    return server.prepare() or server.serve()


def _import() -> int:
    settings = configuration.load()
    logs.configure(settings.log_level, settings.log)
    isolation.keep_in(settings.home)
    os.nice(settings.nice)
    with _without_garbage_collection():
        from tagtray.worker import process  # noqa: F401
        from tagtray.worker.engines import selection

        selection.preload(selection.choices(settings))
    return 0


def _status(work: Callable[[], int], explain: Callable[[str], None]) -> int:
    """The exit status of ``work``; ``explain`` is told why it is not 0, and what may pass is one line."""
    try:
        return work()
    except (EngineError, Refused, UsageError, WeightsError) as error:
        explain(str(error))
        return UNUSABLE
    except TagtrayError as error:
        logging.error("worker_ended: %s", error)
        explain(str(error))
        return TEMPFAIL if isinstance(error, InfrastructureError) else 1
    except Exception as error:
        logging.exception("worker_failed: an unexpected error; the supervisor starts another worker.")
        explain(f"{type(error).__name__}: {error}")
        return 1


def _set_signals(action: signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, action)


@contextlib.contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Imported modules are never freed: scanning them would add 14 % to the time that importing takes."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    # At once: PyTorch takes a second to take itself down.
    os._exit(status)
