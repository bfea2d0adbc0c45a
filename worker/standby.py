"""Worker processes before they have a task: they import what takes seconds, then wait for their orders."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from config import settings as configuration
from config.settings import Settings
from worker.cpus import ONE_BLAS_THREAD

Process = subprocess.Popen[bytes]


def start(settings: Settings) -> Process:
    """A worker process that waits for ``order``; it ends with its standard input."""
    return subprocess.Popen(
        # -P: a folder of the user's that is called `config` or `worker` must not be imported for ours.
        [sys.executable, "-P", "-m", "worker"],
        stdin=subprocess.PIPE,
        env=os.environ | configuration.environment(settings) | ONE_BLAS_THREAD,
        start_new_session=True,
    )


def order(process: Process, name: str, threads: int, note: Path) -> None:
    """Have it work under ``name``, with so many threads for the network; a dead one is left as it is."""
    assert process.stdin
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps([name, threads, str(note)]).encode() + b"\n")
        process.stdin.flush()


@contextlib.contextmanager
def spare(settings: Settings) -> Iterator[list[Process]]:
    """One worker started ahead of all else, for whoever takes it from the list; untaken, it is ended.

    One only: the other cores are left to what goes on meanwhile, and a run without news wastes no more.
    """
    processes = [start(settings)]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()
