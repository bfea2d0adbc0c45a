"""Metrics of a command, where they are wanted, and the line that says where they are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from tagtray.app.metrics import server
from tagtray.cli import streams
from tagtray.config.settings import Settings

if TYPE_CHECKING:
    from tagtray.app.session import Session
    from tagtray.worker.supervision.supervisor import Supervisor


@contextlib.contextmanager
def serving(
    settings: Settings,
    database: Engine,
    session: Session | None = None,
    supervisor: Supervisor | None = None,
) -> Iterator[None]:
    """Show metrics while the block runs; raises UsageError where the port is not to be had."""
    with server.serving(settings, database, session, supervisor) as port:
        if port is not None:
            streams.say(f"Metrics are at http://{settings.metrics_host}:{port}/metrics")
        yield
