"""Limits that were changed: known images over one leave the views, and come back with their results."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    true,
    update,
)

from tagtray.config import limits as rules
from tagtray.config.errors import ImageCode, ImageError
from tagtray.config.limits import Limits
from tagtray.db import clock, dialects, registration
from tagtray.db.access.transactions import read, write
from tagtray.db.tables import Content, Image, Priority, Status

#: Rows of a transaction.
PAGE = 5_000
#: Formats that may be decoded without holding all of their pixels: the decoder alone can judge them.
SCALED = ("HEIF", "JPEG", "JPEG2000", "MPO", "RAW", "TIFF")

_PIXELS = func.coalesce(Content.width * Content.height, 0)


def apply(engine: Engine, root_id: int, below: bytes, limits: Limits) -> int:
    """Judge the images in a folder of a root by what is known of them; how many have another state now."""
    changed = last = 0
    while rows := read(engine, functools.partial(_page, root_id, below, limits, last)):
        changed += write(engine, functools.partial(_judge, rows, limits))
        last = rows[-1].id
    return changed


def _page(
    root_id: int, below: bytes, limits: Limits, last: int, connection: Connection
) -> Sequence[Row[Any]]:
    """Images that were judged under other limits, behind the id ``last``."""
    over = _is_over(limits)
    failed = and_(Image.status == Status.FAILED, Image.error_code.in_(rules.CODES))
    # Of one that was never read nothing but its size is known.
    unread = and_(Image.content_id.is_(None), Image.error_code == ImageCode.TOO_MANY_PIXELS)
    query = (
        select(Image.id, Image.size_bytes, _PIXELS.label("pixels"), over.label("is_over"))
        .outerjoin(Content, Content.id == Image.content_id)
        .where(Image.id > last, dialects.unindexed(Image.root_id) == root_id)
        .where(dialects.below(Image.path, below) if below else true())
        .where(or_(and_(Image.status == Status.DONE, over), and_(failed, ~over, ~unread)))
        .order_by(Image.id)
        .limit(PAGE)
    )
    return cast("Sequence[Row[Any]]", connection.execute(query).all())


def _is_over(limits: Limits) -> ColumnElement[bool]:
    whole = true() if limits.exact else func.coalesce(Content.format, "").not_in(SCALED)
    return or_(Image.size_bytes > limits.max_bytes, and_(limits.max_pixels < _PIXELS, whole))


def _judge(rows: Sequence[Row[Any]], limits: Limits, connection: Connection) -> int:
    errors = {row.id: _error(row, limits) for row in rows if row.is_over}
    if errors:
        over = update(Image).where(Image.id == bindparam("row"), Image.status == Status.DONE)
        values: dict[str, Any] = {"error_code": bindparam("code"), "error_message": bindparam("message")}
        connection.execute(
            over.values(status=Status.FAILED, updated_at=clock.now(), **values),
            [{"row": row, "code": error.code, "message": str(error)} for row, error in errors.items()],
        )
    within = [row.id for row in rows if not row.is_over]
    back = update(Image).where(Image.id.in_(within), Image.status == Status.FAILED)
    before = case((registration.is_classified(), Status.DONE.value), else_=Status.PENDING.value)
    clean: dict[str, Any] = {"error_code": None, "error_message": None, "attempts": 0}
    connection.execute(back.values(status=before, priority=Priority.NEW, updated_at=clock.now(), **clean))
    return len(rows)


def _error(row: Row[Any], limits: Limits) -> ImageError:
    if row.size_bytes > limits.max_bytes:
        return rules.too_large(row.size_bytes, limits.max_bytes)
    return rules.too_many_pixels(row.pixels, limits.max_pixels)
