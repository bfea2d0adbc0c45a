"""The features of the collection, as unit vectors: page by page, or those of some contents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, Select, func, select

from tagtray.db import dialects, paging
from tagtray.db.access.transactions import read
from tagtray.db.own_scores import normalised
from tagtray.db.tables import Feature

Ids = NDArray[np.int64]
Vectors = NDArray[np.float32]

#: Vectors of a page: 4 MB as they are stored, twice that as float32.
PAGE = 4_096
#: Vectors that are looked at to know how long one is.
LOOK = 100


def pages(engine: Engine, model_id: int) -> Iterator[tuple[Ids, Vectors]]:
    """All contents that have features under a model, in order of id: (n,) ids and (n, F) unit vectors."""
    query = select(Feature.content_id, Feature.vector).where(Feature.model_id == model_id)
    last, length = 0, read(engine, lambda connection: _length(connection, model_id))
    while True:
        page = query.where(Feature.content_id > last).order_by(Feature.content_id).limit(PAGE)
        rows = read(engine, lambda connection, page=page: connection.execute(page).all())  # type: ignore[misc]
        if not rows:
            return
        last = rows[-1].content_id
        yield _stacked([(row.content_id, row.vector) for row in rows if len(row.vector) == length], length)


def of(connection: Connection, model_id: int, content_ids: Sequence[int]) -> tuple[Ids, Vectors]:
    """Those of ``content_ids`` that have features, in their order, and their unit vectors."""
    found: dict[int, bytes] = {}
    mine = dialects.unindexed(Feature.model_id) == model_id
    query = select(Feature.content_id, Feature.vector).where(mine)
    for asked in paging.pages(content_ids):
        found |= dict(connection.execute(query.where(Feature.content_id.in_(asked))).all())
    length = _length(connection, model_id)
    rows = [(content_id, found[content_id]) for content_id in content_ids if content_id in found]
    return _stacked([row for row in rows if len(row[1]) == length], length)


def ids(connection: Connection, model_id: int) -> Ids:
    """The contents that have features under a model, in order; ``(n,)``."""
    query: Select[int] = select(Feature.content_id).where(Feature.model_id == model_id)
    return np.sort(np.fromiter(connection.scalars(query), np.int64))


def _length(connection: Connection, model_id: int) -> int:
    """Bytes of a vector: of most of the first ones, for an import may bring in others."""
    some = select(func.length(Feature.vector).label("bytes")).where(Feature.model_id == model_id).limit(LOOK)
    counted = some.subquery()
    query = select(counted.c.bytes).group_by(counted.c.bytes).order_by(func.count().desc(), counted.c.bytes)
    return connection.scalar(query.limit(1)) or 0


def _stacked(rows: Sequence[tuple[int, bytes]], length: int) -> tuple[Ids, Vectors]:
    if not rows:
        return np.zeros(0, np.int64), np.zeros((0, length // 2), np.float32)
    return np.array([row[0] for row in rows], np.int64), normalised([row[1] for row in rows])
