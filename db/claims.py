"""The beginning of a batch: a worker takes queued images over, in one conditional statement."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Float, and_, bindparam, or_, select, update

from tagtray.db import clock, dialects, paths
from tagtray.db.records import ClaimedImage
from tagtray.db.tables import Image, Model, Status

#: SQLite is to begin with the ids, not with all that is queued.
_STATUS = dialects.unindexed(Image.status)
_MINE = and_(_STATUS == Status.RUNNING, Image.worker == bindparam("claimant"))
# Made once: to put it together takes longer than to execute it.
_CLAIM = (
    update(Image)
    .where(
        Image.id.in_(bindparam("ids", expanding=True)),
        or_(_STATUS == Status.QUEUED, _MINE),
        select(Model.id).where(Model.id == bindparam("model"), Model.is_current).exists(),
    )
    .values(
        status=Status.RUNNING,
        worker=bindparam("claimant"),
        lease_until=clock.after(bindparam("seconds", type_=Float)),
        updated_at=clock.now(),
    )
    .returning(Image.id, Image.root_id, Image.path, Image.path_raw, Image.size_bytes, Image.attempts)
)


def claim(
    connection: Connection, ids: Sequence[int], worker: str, lease: float, model_id: int
) -> list[ClaimedImage]:
    """Move those of ``ids`` that are ``queued``, or the worker's already, to ``running``, in order of id."""
    values = {"ids": ids, "claimant": worker, "seconds": lease, "model": model_id}
    images = [
        ClaimedImage(row_id, root_id, paths.to_bytes(path, path_raw), size_bytes, attempts)
        for row_id, root_id, path, path_raw, size_bytes, attempts in connection.execute(_CLAIM, values)
    ]
    return sorted(images, key=lambda image: image.id)
