"""Write transactions that are run again when the fault was a passing one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from tagtray.config.errors import InfrastructureError
from tagtray.db import faults
from tagtray.db.engine import writing

#: Seconds to wait before each further try of a transaction that met a transient fault.
RETRY_DELAYS = (0.05, 0.2, 1.0, 3.0)

Result = TypeVar("Result")
log = logging.getLogger(__name__)


def write(engine: Engine, work: Callable[[Connection], Result]) -> Result:
    """Run ``work`` in one write transaction, all or nothing.

    Raises InfrastructureError when the database stays away or the fault is a lasting one.
    """
    return _run(writing(engine), work)


def read(engine: Engine, work: Callable[[Connection], Result]) -> Result:
    """Run ``work``, which changes nothing, in one transaction; errors as in ``write``."""
    return _run(engine, work)


def _run(engine: Engine, work: Callable[[Connection], Result]) -> Result:
    for delay in (*RETRY_DELAYS, None):
        try:
            with engine.begin() as connection:
                return work(connection)
        except DBAPIError as error:
            if delay is None or not faults.is_transient(error):
                raise InfrastructureError(faults.sentence(engine, error)) from error
            log.debug("transaction_retried: %s", error.orig)
            time.sleep(delay)
    raise AssertionError("the loop returns or raises")
