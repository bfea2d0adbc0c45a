"""``python -m worker``: a worker process under its supervisor.

It imports what takes seconds, then reads a line of JSON from standard input: its name, its threads, its note.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import sys
from collections.abc import Iterator

import setproctitle

from config import logs
from config import settings as configuration
from config.errors import InfrastructureError, TagtrayError

#: Exit status (EX_TEMPFAIL of sysexits.h) that asks the supervisor to try again: a store is away.
TEMPFAIL = 75


def run() -> int:
    """Run the worker; every expected error is one line."""
    setproctitle.setproctitle("tagtray: worker")
    try:
        settings = configuration.load()
        logs.configure(settings.log_level)
        with _collector_at_rest():
            from worker import engines, process

            engines.module(engines.choose(settings))
        order = sys.stdin.readline()
        if not order:
            return 0
        name, threads, note = json.loads(order)
        setproctitle.setproctitle(f"tagtray: worker {name.rpartition('-')[2]}")
        return process.main(name, threads, note)
    except InfrastructureError as error:
        logging.error("worker_ended: %s", error)
        return TEMPFAIL
    except TagtrayError as error:
        logging.error("worker_ended: %s", error)
        return 1
    except Exception:
        logging.exception("worker_failed: an unexpected error; the supervisor starts another worker.")
        return 1


@contextlib.contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Modules stay: to look for garbage among them takes a seventh of the time that importing them takes."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


if __name__ == "__main__":
    status = run()
    logging.shutdown()
    # At once: PyTorch takes a second to take itself down.
    os._exit(status)
