"""Who uploaded what, and what came of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, delete, insert, select

from tagtray.config.text import one_line
from tagtray.db import clock
from tagtray.db.access.transactions import read, write
from tagtray.db.tables import Audit

#: Characters of a client's own words that are kept.
LENGTH = 200
#: Notes that are removed in one transaction.
REMOVED = 5_000


@dataclass(frozen=True, slots=True)
class Entry:
    """An upload; ``at`` is when the request began, ``milliseconds`` until its answer.

    ``outcome``: ``done``, ``cached``, or the code of the problem that was answered.
    """

    at: datetime
    client: str
    user_agent: str
    sha256: str | None
    outcome: str
    milliseconds: int


def add(engine: Engine, entries: Sequence[Entry]) -> None:
    """Note uploads, in one transaction; raises InfrastructureError."""
    rows = [
        dataclasses.asdict(entry)
        | {"client": one_line(entry.client)[:LENGTH], "user_agent": one_line(entry.user_agent)[:LENGTH]}
        for entry in entries
    ]
    write(engine, lambda connection: connection.execute(insert(Audit), rows))


def latest(engine: Engine, limit: int) -> list[Entry]:
    """The last ``limit`` uploads, the newest first."""
    columns = [getattr(Audit, field.name) for field in dataclasses.fields(Entry)]
    query = select(*columns).order_by(Audit.id.desc()).limit(limit)
    return [Entry(*row) for row in read(engine, lambda connection: connection.execute(query).all())]


def remove(engine: Engine, days: float, is_ended: Callable[[], bool] = lambda: False) -> int:
    """Remove what was noted more than ``days`` ago, until ``is_ended``; how much.

    Raises InfrastructureError.
    """
    old = select(Audit.id).where(Audit.at < clock.after(-days * clock.DAY)).order_by(Audit.at).limit(REMOVED)
    statement = delete(Audit).where(Audit.id.in_(old))
    removed = 0
    while not is_ended():
        found = write(engine, lambda connection: connection.execute(statement).rowcount)
        removed += found
        if found < REMOVED:
            break
    return removed
