"""``python -m worker``: a worker process under its supervisor."""

from __future__ import annotations

import logging
import os
import sys

import setproctitle

from config import logs
from config import settings as configuration
from config.errors import InfrastructureError, TagtrayError

#: Exit status (EX_TEMPFAIL of sysexits.h) that asks the supervisor to try again: a store is away.
TEMPFAIL = 75


def run() -> int:
    """Run the worker; every expected error is one line."""
    setproctitle.setproctitle(f"tagtray: worker {sys.argv[1].rpartition('-')[2]}")
    try:
        logs.configure(configuration.load().log_level)
        from worker.process import main

        return main(sys.argv[1:])
    except InfrastructureError as error:
        logging.error("worker_ended: %s", error)
        return TEMPFAIL
    except TagtrayError as error:
        logging.error("worker_ended: %s", error)
        return 1
    except Exception:
        logging.exception("worker_failed: an unexpected error; the supervisor starts another worker.")
        return 1


if __name__ == "__main__":
    status = run()
    logging.shutdown()
    # At once: PyTorch takes a second to take itself down.
    os._exit(status)
