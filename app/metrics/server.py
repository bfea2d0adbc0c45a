"""The metrics of one command over HTTP, for Prometheus; on this machine alone unless told otherwise."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from tagtray.app.metrics import folder
from tagtray.config.errors import UsageError
from tagtray.config.settings import Settings

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from tagtray.app.session import Session
    from tagtray.worker.supervision.supervisor import Supervisor


@contextlib.contextmanager
def serving(
    settings: Settings,
    database: Engine,
    session: Session | None = None,
    supervisor: Supervisor | None = None,
) -> Iterator[int | None]:
    """Show metrics while the block runs, where a port is set; the port, None without one.

    Raises UsageError where the port is not to be had.
    """
    if settings.metrics_port is None:
        yield None
        return
    # Here, not above: commands without metrics do without it.
    from prometheus_client import start_http_server

    found = registry(database, settings, session, supervisor)
    try:
        server, thread = start_http_server(settings.metrics_port, settings.metrics_host, found)
    except OSError as error:
        where = f"{settings.metrics_host}:{settings.metrics_port}"
        raise UsageError(f"Metrics cannot be shown on {where}: {error.strerror or error}.") from None
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        folder.remove()


def registry(
    database: Engine,
    settings: Settings,
    session: Session | None = None,
    supervisor: Supervisor | None = None,
) -> CollectorRegistry:
    """All that can be read in this process: the stores, itself, and what its producer and workers count."""
    from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
    from prometheus_client.multiprocess import MultiProcessCollector

    from tagtray.app.metrics import command
    from tagtray.app.metrics.ledger import StoresCollector

    found = CollectorRegistry()
    found.register(StoresCollector(database, settings))
    ProcessCollector(registry=found)
    PlatformCollector(registry=found)
    if session is not None:
        found.register(command.ProducerCollector(session))
    if supervisor is not None:
        found.register(command.SupervisorCollector(supervisor))
        if place := os.environ.get(folder.VARIABLE):
            MultiProcessCollector(found, place)  # type: ignore[no-untyped-call]
    return found
