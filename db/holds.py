"""Roots of which nothing is queued: held for a while because they cannot be read, or paused until resumed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, and_, or_, update

from tagtray.db import clock
from tagtray.db.tables import Root

#: Seconds that a root is held at most; a moment further ahead was noted before the clock was set back.
LONGEST_HOLD = 60.0
#: Until when a paused root is held; a hold never shortens it.
PAUSED = datetime(9000, 1, 1, tzinfo=UTC)


def is_held() -> ColumnElement[bool]:
    """SQL condition on ``roots``: nothing of it is to be queued now."""
    soon = Root.held_until.between(clock.now(), clock.after(LONGEST_HOLD))
    return and_(Root.held_until.is_not(None), or_(is_paused(), soon))


def is_paused() -> ColumnElement[bool]:
    """SQL condition on ``roots``: a person has paused it."""
    return and_(Root.held_until.is_not(None), Root.held_until == PAUSED)


def lift(connection: Connection, names: Sequence[str]) -> int:
    """The roots of these names can be read: end their holds, never a pause; how many were held."""
    held = update(Root).where(Root.name.in_(names), Root.held_until.is_not(None), ~is_paused())
    return connection.execute(held.values(held_until=None)).rowcount if names else 0
