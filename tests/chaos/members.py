"""The processes of a running tagtray, found by what they are, and their end."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from tests import networks

#: What a fault can hit, and how its processes are told from others of the same home.
WORKER, SERVER, PRODUCER, REDIS, KEEPER = "worker", "fork server", "producer", "redis", "keeper"
ALL, FLUSH = "all", "flush"
KINDS = (WORKER, SERVER, PRODUCER, REDIS, KEEPER, ALL, FLUSH)

_FORWARD = re.compile(rb"forward_pass: images=(\d+)")


def environment(home: Path) -> dict[str, str]:
    """What a tagtray under observation is started with: setproctitle would overwrite what tells its home."""
    engine = {"TAGTRAY_ENGINE": networks.GRAPH, "TAGTRAY_PRECISION": "fp32"}
    return {"TAGTRAY_HOME": str(home), "SPT_NOENV": "1", **engine}


def forward_passes(log: Path) -> int:
    """Images that went through the network, as the workers' log lines say it."""
    return sum(int(match) for match in _FORWARD.findall(log.read_bytes()))


def of(home: Path) -> dict[str, list[psutil.Process]]:
    """The living processes of a home, by kind."""
    found: dict[str, list[psutil.Process]] = {kind: [] for kind in (WORKER, SERVER, PRODUCER, REDIS, KEEPER)}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            kind = _kind(process, home)
            if kind and lives(process):
                found[kind].append(process)
    return found


def alive(home: Path) -> list[psutil.Process]:
    """All of them."""
    return [process for processes in of(home).values() for process in processes]


def kill(processes: Sequence[psutil.Process]) -> None:
    """kill -9, and wait until they are gone."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    # psutil.wait_procs would reap our own child, whose exit code subprocess then reports as 0.
    while any(lives(process) for process in processes):
        time.sleep(0.01)


def lives(process: psutil.Process) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _kind(process: psutil.Process, home: Path) -> str | None:
    title = " ".join(process.cmdline())
    if "redis-server" in title:  # its title overwrites its environment
        return REDIS if process.cwd() == os.path.realpath(home) else None
    if process.environ().get("TAGTRAY_HOME") != str(home):
        return None
    if "tagtray: redis keeper" in title or "keeper.py" in title:
        return KEEPER
    if "tagtray: fork server" in title or "-m worker " in title + " ":
        return SERVER
    if "tagtray: worker" in title:
        return WORKER
    return PRODUCER if "tagtray: " in title or "tagtray run" in title else None
