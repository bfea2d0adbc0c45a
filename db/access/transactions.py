"""Transactions that are run again when the fault was a passing one."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from tagtray.config import logs
from tagtray.config.errors import Locked
from tagtray.config.outage import LOG_INTERVAL
from tagtray.db.access import sentences
from tagtray.db.access.engine import transaction

#: Seconds to wait before each further try of a transaction that met a transient fault.
RETRY_DELAYS = (0.05, 0.2, 1.0, 3.0)

#: SQLSTATE classes and codes that PostgreSQL documents as worth another try: connection, admin shutdown,
#: serialization failure, deadlock, lock not available, too many connections.
_TRANSIENT_SQLSTATES = ("08", "57P", "40001", "40P01", "55P03", "53300")
_TRANSIENT_SQLITE = ("locked", "busy")

Result = TypeVar("Result")
log = logging.getLogger(__name__)
_locked = logs.Throttle(LOG_INTERVAL)


def write(engine: Engine, work: Callable[[Connection], Result]) -> Result:
    """Run ``work`` in one write transaction, all or nothing.

    Raises InfrastructureError when the database stays away, Refused when the fault is a lasting one.
    """
    return _run(engine, work, writes=True)


def read(engine: Engine, work: Callable[[Connection], Result]) -> Result:
    """Run ``work``, which changes nothing, in one transaction; errors as in ``write``."""
    return _run(engine, work, writes=False)


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection to read from row by row; raises InfrastructureError when the database fails."""
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        raise sentences.fault(engine, error) from error


def _run(engine: Engine, work: Callable[[Connection], Result], *, writes: bool) -> Result:
    for delay in (*RETRY_DELAYS, None):
        try:
            with transaction(engine, writes=writes) as connection:
                return work(connection)
        except DBAPIError as error:
            fault = sentences.fault(engine, error)
            if delay is None or not _is_transient(error):
                raise fault from error
            if isinstance(fault, Locked) and _locked.is_due():
                logs.event(log, logging.WARNING, "ledger_locked", "{fault} It is waited for.", fault=fault)
            log.debug("transaction_retried: %s", error.orig)
            time.sleep(delay)
    raise AssertionError("the loop returns or raises")


def _is_transient(error: DBAPIError) -> bool:
    """True where the same transaction may succeed when it is simply run again."""
    if error.connection_invalidated:
        return True
    sqlstate = getattr(error.orig, "sqlstate", None)
    if sqlstate:
        return str(sqlstate).startswith(_TRANSIENT_SQLSTATES)
    text = str(error.orig).lower()
    return isinstance(error, OperationalError) and any(word in text for word in _TRANSIENT_SQLITE)
