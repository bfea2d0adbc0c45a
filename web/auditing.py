"""Notes of uploads for the audit table, written a few at a time: no answer waits for them."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from anyio import to_thread
from sqlalchemy import Engine

from tagtray.config import logs
from tagtray.config.errors import InfrastructureError
from tagtray.db import audit
from tagtray.db.audit import Entry

#: Seconds for which notes are gathered: what a server that is killed may lose.
GATHER_SECONDS = 0.2
#: Notes that are held while the database is away; the oldest go first.
MOST = 10_000

log = logging.getLogger(__name__)


class Auditor:
    """Writes what it is told; belongs to the event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._entries: list[Entry] = []
        self._task: asyncio.Task[None] | None = None

    def note(self, entry: Entry) -> None:
        """Have an upload noted."""
        self._entries.append(entry)
        if len(self._entries) > MOST:
            del self._entries[0]
            logs.event(log, logging.ERROR, "audit_lost", "A note of an upload was dropped.")
        if self._task is None:
            self._task = asyncio.create_task(self._write_soon())

    async def stop(self) -> None:
        """Write what is left."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._write()

    async def _write_soon(self) -> None:
        try:
            while self._entries:
                await asyncio.sleep(GATHER_SECONDS)
                await self._write()
        finally:
            self._task = None

    async def _write(self) -> None:
        entries, self._entries = self._entries, []
        if not entries:
            return
        try:
            await to_thread.run_sync(audit.add, self._engine, entries)
        except InfrastructureError as error:
            self._entries = [*entries, *self._entries]
            logs.event(log, logging.WARNING, "audit_waits", "{error}", error=error)
