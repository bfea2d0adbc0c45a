"""The web pages beside a run: a process of their own, which is started again where it ends."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import time

from tagtray.config import logs, subprocesses
from tagtray.config import settings as configuration
from tagtray.config.settings import Settings

#: Seconds between two starts of a process that ends by itself.
RESTART_SECONDS = 5.0
#: Seconds that it is given to answer what was asked before it is killed.
GRACE_SECONDS = 15.0

log = logging.getLogger(__name__)


class WebProcess:
    """Serves on ``bound`` from ``start`` until ``stop``; who comes while it starts waits on the socket."""

    def __init__(self, settings: Settings, bound: socket.socket) -> None:
        self._settings = settings
        self._bound = bound
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0

    def start(self) -> None:
        """Start the process."""
        self._started_at = time.monotonic()
        # A session of its own: Ctrl-C is for the run, which ends this one after its own work.
        self._process = subprocess.Popen(
            subprocesses.command("tagtray.web", str(self._bound.fileno())),
            env=os.environ | configuration.environment(self._settings),
            stdin=subprocess.PIPE,
            pass_fds=[self._bound.fileno()],
            start_new_session=True,
        )

    def check(self) -> None:
        """Start the process again where it has ended."""
        ended = self._process is not None and self._process.poll() is not None
        if ended and time.monotonic() > self._started_at + RESTART_SECONDS:
            logs.event(
                log, logging.ERROR, "web_ended", "The web pages ended by themselves; they start again."
            )
            self.start()

    def stop(self) -> None:
        """End it, and wait for that."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
