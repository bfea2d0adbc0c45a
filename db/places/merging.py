"""One root's rows become another's: pages of them at a time, so that a run beside it goes on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Engine, Row, bindparam, delete, literal, select, update

from tagtray.db import paths
from tagtray.db.access.transactions import write
from tagtray.db.tables import Classification, Content, Feature, Image, Prediction, Root, Tag, Verdict

#: Rows of a transaction.
PAGE = 5_000
#: Seconds between two on SQLite, where who waits to write tries again every 0.1 s: all get a turn.
PAUSE = 0.11

#: By row id: path and path_raw.
Names = Mapping[int, tuple[str, bytes | None]]

_RESULTS = (Feature, Prediction, Tag, Classification)


def absorb(engine: Engine, inner: int, outer: int, below: bytes) -> int:
    """Move the rows of the root ``inner`` into ``outer``, below the folder ``below``; how many there were.

    Results hang on contents and stay. Interrupted, it goes on where it was; the root itself goes last.
    """
    moved = 0
    while count := write(engine, lambda connection: _absorb_page(connection, inner, outer, below)):
        moved += count
        _rest(engine)
    return moved


def remove(engine: Engine, root_id: int, forget: bool) -> int:
    """Drop a root with its rows; how many there were.

    Results stay, for when the files come back, unless ``forget``.
    """
    removed = 0
    while count := write(engine, lambda connection: _remove_page(connection, root_id)):
        removed += count
        _rest(engine)
    while forget and write(engine, _forget_page):
        _rest(engine)
    return removed


def _rest(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        time.sleep(PAUSE)


def _absorb_page(connection: Connection, inner: int, outer: int, below: bytes) -> int:
    _lock(connection, inner)
    query = select(Image.id, Image.path, Image.path_raw, Image.content_id)
    found = connection.execute(query.where(Image.root_id == inner).limit(PAGE)).all()
    rows = cast("Sequence[Row[Any]]", found)
    if not rows:
        connection.execute(delete(Root).where(Root.id == inner))
        return 0
    prefix = below + b"/" if below else b""
    names = {row.id: paths.to_text(prefix + paths.to_bytes(row.path, row.path_raw)) for row in rows}
    lost = _settle_conflicts(connection, outer, rows, names)
    kept = [row.id for row in rows if row.id not in lost]
    plain = [row_id for row_id in kept if names[row_id][1] is None]
    connection.execute(
        update(Image)
        .where(Image.id.in_(plain))
        .values(root_id=outer, path=literal(paths.to_text(prefix)[0]).concat(Image.path))
    )
    _rename_each(
        connection, outer, {row_id: names[row_id] for row_id in kept if names[row_id][1] is not None}
    )
    return len(rows)


def _settle_conflicts(
    connection: Connection,
    outer: int,
    rows: Sequence[Row[Any]],
    names: Mapping[int, tuple[str, bytes | None]],
) -> set[int]:
    """Of two rows of one file, drop the one without a content, else the inner one; the inner ids dropped."""
    by_name = {names[row.id][0]: row for row in rows}
    query = select(Image.id, Image.path, Image.content_id)
    found = connection.execute(query.where(Image.root_id == outer, Image.path.in_(by_name))).all()
    pairs = [(by_name[other.path], other) for other in found]
    better = [(row, other) for row, other in pairs if other.content_id is None and row.content_id is not None]
    connection.execute(delete(Image).where(Image.id.in_([other.id for _, other in better])))
    lost = {row.id for row, other in pairs} - {row.id for row, _ in better}
    connection.execute(delete(Image).where(Image.id.in_(lost)))
    return lost


def _rename_each(connection: Connection, outer: int, names: Names) -> None:
    """The rows whose names are no UTF-8, one by one."""
    if names:
        statement = update(Image).where(Image.id == bindparam("row"))
        values = {"root_id": outer, "path": bindparam("name"), "path_raw": bindparam("raw")}
        rows = [{"row": row_id, "name": name, "raw": raw} for row_id, (name, raw) in names.items()]
        connection.execute(statement.values(values), rows)


def _lock(connection: Connection, root_id: int) -> None:
    """Keep a root from others until the transaction ends: who takes it over too, who adds images to it."""
    connection.execute(select(Root.id).where(Root.id == root_id).with_for_update())


def _remove_page(connection: Connection, root_id: int) -> int:
    _lock(connection, root_id)
    ids = connection.scalars(select(Image.id).where(Image.root_id == root_id).limit(PAGE)).all()
    connection.execute(delete(Image).where(Image.id.in_(ids)))
    if not ids:
        connection.execute(delete(Root).where(Root.id == root_id))
    return len(ids)


def _forget_page(connection: Connection) -> int:
    """Drop contents that no image has any more, with all that was found in them; not what people said."""
    used = select(Image.id).where(Image.content_id == Content.id).exists()
    judged = select(Verdict.id).where(Verdict.content_id == Content.id).exists()
    ids = connection.scalars(select(Content.id).where(~used, ~judged).limit(PAGE)).all()
    for table in _RESULTS:
        connection.execute(delete(table).where(table.content_id.in_(ids)))
    connection.execute(delete(Content).where(Content.id.in_(ids)))
    return len(ids)
