"""A library that moved is known by its files: a sample of their names, sizes and times."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, cast

from sqlalchemy import Connection, Row, select

from tagtray.db import paths
from tagtray.db.records import stored_ns
from tagtray.db.tables import Image, Status

#: Rows that are looked for, half of them the first and half the last of the root by name (by its index).
SAMPLE = 100
#: Share of the sample that has to be there. Where the old place is gone half of it will do: to be wrong costs
#: nothing, since a file with other bytes is classified again. A copy beside the library has nearly all.
MOVED_SHARE, COPY_SHARE = 0.5, 0.8


def is_copy(connection: Connection, root_id: int, folder: bytes) -> bool:
    """Whether ``folder`` has the files of a root in the same places, of the same sizes and times."""
    return _resembles(connection, root_id, folder, COPY_SHARE, by_time=True)


def has_moved(connection: Connection, root_id: int, folder: bytes) -> bool:
    """Whether ``folder`` has files of a root whose place is gone, of the same sizes."""
    return _resembles(connection, root_id, folder, MOVED_SHARE, by_time=False)


def places(old: bytes, path: bytes) -> Iterator[bytes]:
    """Where a root that lay in ``old`` may be now that ``path`` is named: there, below it, around it."""
    yield path
    parts = old.strip(b"/").split(b"/")
    for depth in range(1, len(parts) + 1):
        yield os.path.join(path, *parts[-depth:])
    while (path := os.path.dirname(path)) != b"/":
        yield path


def _resembles(connection: Connection, root_id: int, folder: bytes, share: float, by_time: bool) -> bool:
    rows = _sample(connection, root_id)
    misses = int(len(rows) * (1 - share))
    for row in rows:
        misses -= not _is_there(folder, row, by_time)
        if misses < 0:
            return False
    return bool(rows)


def _sample(connection: Connection, root_id: int) -> list[Row[Any]]:
    columns = (Image.path, Image.path_raw, Image.size_bytes, Image.mtime_ns)
    present = select(*columns).where(
        Image.root_id == root_id, Image.status.not_in((Status.MISSING, Status.IGNORED))
    )
    half = SAMPLE // 2
    ends = (present.order_by(Image.path).limit(half), present.order_by(Image.path.desc()).limit(half))
    return [cast("Row[Any]", row) for end in ends for row in connection.execute(end)]


def _is_there(folder: bytes, row: Row[Any], by_time: bool) -> bool:
    try:
        info = os.stat(os.path.join(folder, paths.to_bytes(row.path, row.path_raw)))
    except OSError:
        return False
    return info.st_size == row.size_bytes and (not by_time or stored_ns(info.st_mtime_ns) == row.mtime_ns)
