"""Which pending images are queued next: by priority, from the roots that are not held."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, or_, select, update

from tagtray.db import clock, holds
from tagtray.db.records import PendingImage
from tagtray.db.tables import Image, Priority, Root, Status

#: Seconds that a row is deferred at most; a moment further ahead was noted before the clock was set back.
LONGEST_DEFERRAL = 600.0


@dataclass(frozen=True, slots=True)
class Lane:
    """The pending images of one root and priority; ``first`` is the smallest id."""

    priority: Priority
    root_id: int
    first: int


def lanes(connection: Connection, least: Priority = Priority.STALE) -> list[Lane]:
    """All that are not empty, from priority ``least`` on, the most urgent first; a few looks at an index."""
    wanted = [priority for priority in sorted(Priority, reverse=True) if priority >= least]
    firsts = [
        select(func.min(Image.id))
        .where(Image.status == Status.PENDING, Image.priority == priority, Image.root_id == Root.id)
        .scalar_subquery()
        for priority in wanted
    ]
    rows = connection.execute(select(Root.id, *firsts).where(~holds.is_held())).all()
    return [
        Lane(priority, root_id, first[place])
        for place, priority in enumerate(wanted)
        for root_id, *first in rows
        if first[place] is not None
    ]


def count(connection: Connection, limit: int, least: Priority) -> int:
    """How many images could be taken now, counted up to ``limit``."""
    found = lanes(connection, least)
    if not found:
        return 0
    first = select(Image.id).where(
        Image.status == Status.PENDING,
        Image.priority.in_({lane.priority for lane in found}),
        Image.root_id.in_({lane.root_id for lane in found}),
        _is_due(),
    )
    return connection.scalar(select(func.count()).select_from(first.limit(limit).subquery())) or 0


def take(connection: Connection, limit: int, least: Priority) -> list[PendingImage]:
    """Move up to ``limit`` images to ``queued``; roots of the same priority share alike."""
    taken: list[PendingImage] = []
    found = lanes(connection, least)
    for priority in sorted({lane.priority for lane in found}, reverse=True):
        roots = [lane.root_id for lane in found if lane.priority == priority]
        taken += _take_alike(connection, priority, roots, limit - len(taken))
    return sorted(taken, key=lambda image: (-image.priority, image.id))


def _take_alike(
    connection: Connection, priority: Priority, roots: Sequence[int], limit: int
) -> list[PendingImage]:
    # Where there is less room than roots, it is not always the same ones that wait.
    left = random.sample(roots, len(roots))
    taken: list[PendingImage] = []
    while left and len(taken) < limit:
        share = -(-(limit - len(taken)) // len(left))
        for root_id in list(left):
            found = _take(connection, priority, root_id, min(share, limit - len(taken)))
            taken += found
            if len(found) < share:
                left.remove(root_id)
    return taken


def _take(connection: Connection, priority: Priority, root_id: int, limit: int) -> Sequence[PendingImage]:
    oldest = (
        select(Image.id)
        .where(
            Image.status == Status.PENDING, Image.priority == priority, Image.root_id == root_id, _is_due()
        )
        .order_by(Image.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("oldest")
    )
    now = clock.now()
    statement = (
        update(Image)
        .where(Image.id.in_(select(oldest.c.id)))
        .values(status=Status.QUEUED, queued_at=now, updated_at=now, not_before=None)
        .returning(Image.id, Image.attempts, Image.priority)
    )
    return [PendingImage(*row) for row in connection.execute(statement)]


def _is_due() -> ColumnElement[bool]:
    set_back = Image.not_before > clock.after(LONGEST_DEFERRAL)
    return or_(Image.not_before.is_(None), Image.not_before <= clock.now(), set_back)
