"""Which pending images are queued next: by priority, from the roots that are not held."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, bindparam, func, or_, select, update

from tagtray.db import clock, dialects
from tagtray.db.places import holds
from tagtray.db.records import PendingImage
from tagtray.db.tables import Image, Priority, Root, Status

#: Seconds that a row is deferred at most; a moment further ahead was noted before the clock was set back.
LONGEST_DEFERRAL = 600.0


#: Images that are taken at once of a root whose hold is over: it may still be away.
PROBE = 16


@dataclass(frozen=True, slots=True)
class Lane:
    """The pending images of one root and priority; ``first`` is the smallest id.

    ``unsure``: the root's hold is over, and nobody has found it again yet.
    """

    priority: Priority
    root_id: int
    unsure: bool
    first: int


# Made once: to put a statement together takes longer than to execute it.
_ENQUEUE = (
    update(Image)
    .where(
        Image.id.in_(bindparam("ids", expanding=True)),
        # SQLite is to begin with the ids.
        dialects.unindexed(Image.status).in_((Status.PENDING, Status.QUEUED)),
        Image.root_id.not_in(select(Root.id).where(holds.is_held())),
    )
    .values(
        status=Status.QUEUED,
        priority=Priority.URGENT,
        queued_at=clock.now(),
        not_before=None,
        updated_at=clock.now(),
    )
    .returning(Image.id, Image.attempts, Image.priority)
)


def enqueue(connection: Connection, ids: Sequence[int]) -> list[PendingImage]:
    """Move those of ``ids`` that wait to ``queued``, urgent; in order of id."""
    rows = connection.execute(_ENQUEUE, {"ids": ids})
    return sorted((PendingImage(*row) for row in rows), key=lambda image: image.id)


def lanes(connection: Connection, least: Priority = Priority.STALE) -> list[Lane]:
    """All that are not empty, from priority ``least`` on, the most urgent first; a few looks at an index."""
    wanted = [priority for priority in sorted(Priority, reverse=True) if priority >= least]
    firsts = [
        select(func.min(Image.id))
        .where(Image.status == Status.PENDING, Image.priority == priority, Image.root_id == Root.id)
        .scalar_subquery()
        for priority in wanted
    ]
    query = select(Root.id, Root.held_until, *firsts).where(~holds.is_held())
    rows = connection.execute(query).all()
    return [
        Lane(priority, root_id, held_until is not None, first[place])
        for place, priority in enumerate(wanted)
        for root_id, held_until, *first in rows
        if first[place] is not None
    ]


def count(connection: Connection, limit: int, least: Priority) -> int:
    """How many images could be taken now, counted up to ``limit``."""
    found = lanes(connection, least)
    sure = [lane for lane in found if not lane.unsure]
    waiting = _count(connection, sure, limit) if sure else 0
    for lane in found:
        if lane.unsure:
            waiting += _count(connection, [lane], PROBE)
    return min(waiting, limit)


def _count(connection: Connection, found: Sequence[Lane], limit: int) -> int:
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
        alike = [lane for lane in found if lane.priority == priority]
        taken += _take_alike(connection, alike, limit - len(taken))
    return sorted(taken, key=lambda image: (-image.priority, image.id))


def _take_alike(connection: Connection, lanes: Sequence[Lane], limit: int) -> list[PendingImage]:
    # Where there is less room than lanes, it is not always the same ones that wait.
    left = random.sample(lanes, len(lanes))
    taken: list[PendingImage] = []
    while left and len(taken) < limit:
        share = -(-(limit - len(taken)) // len(left))
        for lane in list(left):
            wanted = min(share, limit - len(taken), PROBE if lane.unsure else limit)
            found = _take(connection, lane, wanted)
            taken += found
            if len(found) < share:
                left.remove(lane)
    return taken


def _take(connection: Connection, lane: Lane, limit: int) -> Sequence[PendingImage]:
    oldest = (
        select(Image.id)
        .where(
            Image.status == Status.PENDING,
            Image.priority == lane.priority,
            Image.root_id == lane.root_id,
            _is_due(),
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
