"""Roots of which nothing is queued: held while they cannot be read, or paused until a person resumes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, Engine, Update, and_, case, func, or_, select, update

from tagtray.config.errors import UsageError
from tagtray.db import clock
from tagtray.db.access.transactions import read, write
from tagtray.db.tables import Image, Root, Status

#: Seconds that a root is held at most; a moment further ahead was noted before the clock was set back.
LONGEST_HOLD = 60.0
#: Until when a paused root is held; no hold shortens it.
PAUSED = datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Hold:
    """A root of which nothing is queued, why, and how many of its images wait."""

    root: str
    paused: bool
    waiting: int


def is_held() -> ColumnElement[bool]:
    """SQL condition on ``roots``: nothing of it is to be queued now."""
    soon = Root.held_until.between(clock.now(), clock.after(LONGEST_HOLD))
    return and_(Root.held_until.is_not(None), or_(_is_paused(), soon))


def hold(connection: Connection, root_id: int, seconds: float) -> int:
    """Hold a root that cannot be read; what of it is queued goes back to ``pending``: how many."""
    statement = update(Root).where(Root.id == root_id, Root.held_until.is_(None) | ~_is_paused())
    connection.execute(statement.values(held_until=clock.after(min(seconds, LONGEST_HOLD))))
    return connection.execute(_unqueue(Image.root_id == root_id)).rowcount


def lift(connection: Connection, names: Sequence[str]) -> int:
    """The roots of these names can be read: end their holds, never a pause; how many were held."""
    held = update(Root).where(Root.name.in_(names), Root.held_until.is_not(None), ~_is_paused())
    return connection.execute(held.values(held_until=None)).rowcount if names else 0


def pause(engine: Engine, names: Sequence[str]) -> list[str]:
    """Queue nothing of these roots, of all where none is named, until they are resumed; their names.

    Raises UsageError for a name that no root has.
    """
    return write(engine, lambda connection: _set(connection, names, PAUSED))


def resume(engine: Engine, names: Sequence[str]) -> list[str]:
    """End pauses, and holds with them; names and errors as in ``pause``."""
    return write(engine, lambda connection: _set(connection, names, None))


def held(engine: Engine) -> list[Hold]:
    """The roots that are held or paused, by name."""
    waiting = select(func.count()).where(Image.status == Status.PENDING, Image.root_id == Root.id)
    paused = case((_is_paused(), 1), else_=0)
    query = select(Root.name, paused, waiting.scalar_subquery()).where(is_held()).order_by(Root.name)
    rows = read(engine, lambda connection: connection.execute(query).all())
    return [Hold(name, bool(paused), count) for name, paused, count in rows]


def _set(connection: Connection, names: Sequence[str], until: datetime | None) -> list[str]:
    chosen = connection.execute(select(Root.id, Root.name).order_by(Root.name)).all()
    if unknown := sorted(set(names) - {name for _, name in chosen}):
        there = ", ".join(name for _, name in chosen) or "none"
        raise UsageError(f"There is no root {', '.join(map(repr, unknown))}; there is {there}.")
    chosen = [row for row in chosen if not names or row[1] in names]
    ids = [root_id for root_id, _ in chosen]
    connection.execute(update(Root).where(Root.id.in_(ids)).values(held_until=until))
    if until is not None:
        connection.execute(_unqueue(Image.root_id.in_(ids)))
    return [name for _, name in chosen]


def _unqueue(which: ColumnElement[bool]) -> Update:
    return (
        update(Image)
        .where(Image.status == Status.QUEUED, which)
        .values(status=Status.PENDING, updated_at=clock.now())
    )


def _is_paused() -> ColumnElement[bool]:
    return Root.held_until == PAUSED
