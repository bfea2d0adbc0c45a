"""Images whose content the current model has not classified: found, brought back, and let go again.

An image is brought back as ``pending`` of the least priority and keeps its content, so that what other
models have found stays visible.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, Update, exists, func, select, tuple_, update
from sqlalchemy.orm import InstrumentedAttribute

from tagtray.db import clock, dialects
from tagtray.db.places import holds
from tagtray.db.tables import Classification, Content, Image, Model, Priority, Root, Status


@dataclass(frozen=True, slots=True)
class Basis:
    """What decides which images are stale; while it stays the same, none becomes so.

    ``others_at`` is the latest answer of any model but the current one, None where there is none: then no
    image is stale.
    """

    model_id: int | None
    others_at: datetime | None
    held: frozenset[int]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of stale images ends: dated contents come first, the newest first, then the others."""

    taken_at: datetime | None
    content_id: int


def basis(connection: Connection) -> Basis:
    """The present one; a few looks at an index."""
    latest = (
        select(func.max(Classification.classified_at))
        .where(Classification.model_id == Model.id)
        .scalar_subquery()
    )
    current, others_at = None, []
    for model_id, is_current, at in connection.execute(select(Model.id, Model.is_current, latest)):
        if is_current:
            current = model_id
        elif at is not None:
            others_at.append(at)
    held = connection.scalars(select(Root.id).where(holds.is_held()))
    return Basis(current, max(others_at, default=None), frozenset(held))


def page(connection: Connection, basis: Basis, limit: int, after: Place | None) -> list[tuple[int, Place]]:
    """Up to ``limit`` stale images that come ``after`` a place, and the place of each."""
    found: list[tuple[int, Place]] = []
    for query in _queries(basis, after):
        rows = connection.execute(query.limit(limit - len(found)))
        found += [(image_id, Place(taken_at, content_id)) for image_id, taken_at, content_id in rows]
    return found


def bring_back(basis: Basis) -> Update:
    """The statement that makes stale images ``pending``."""
    return (
        update(Image)
        .where(_is_done(), ~_classified(Image.content_id, basis))
        .values(status=Status.PENDING, priority=Priority.STALE, updated_at=clock.now(), not_before=None)
    )


def let_go(basis: Basis) -> Update:
    """The statement that makes images ``done`` again that were brought back for another model."""
    return (
        update(Image)
        .where(Image.status.in_((Status.PENDING, Status.QUEUED)), Image.priority == Priority.STALE)
        .where(_classified(Image.content_id, basis))
        .values(status=Status.DONE, attempts=0, not_before=None, updated_at=clock.now())
    )


def condition(basis: Basis) -> ColumnElement[bool]:
    """SQL condition on ``images``: done, but not by the current model, and of a root that is not held."""
    return _is_done() & Image.root_id.not_in(basis.held) & ~_classified(Image.content_id, basis)


def _queries(basis: Basis, after: Place | None) -> Iterator[Select[int, datetime | None, int]]:
    query = select(Image.id, Content.taken_at, Content.id).join_from(Content, Image).where(condition(basis))
    dated = query.where(Content.taken_at.is_not(None)).order_by(Content.taken_at.desc(), Content.id.desc())
    undated = query.where(Content.taken_at.is_(None)).order_by(Content.id.desc())
    if after is None:
        yield from (dated, undated)
    elif after.taken_at is None:
        yield undated.where(Content.id < after.content_id)
    else:
        place = tuple_(Content.taken_at, Content.id)
        yield from (dated.where(place < (after.taken_at, after.content_id)), undated)


def _is_done() -> ColumnElement[bool]:
    # Most images are: SQLite is not to begin with them.
    return dialects.unindexed(Image.status) == Status.DONE


def _classified(content_id: InstrumentedAttribute[int | None], basis: Basis) -> ColumnElement[bool]:
    return exists().where(Classification.content_id == content_id, Classification.model_id == basis.model_id)
