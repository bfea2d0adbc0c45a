"""Seen files against their rows: what is new, what changed.

A file is unchanged where size, modification time, ctime and inode are what they were. With size and time
alone the same, it is in doubt: it is read again, and keeps its results until that was done.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    or_,
    select,
    update,
)

from tagtray.config.errors import RootGone
from tagtray.db import clock, paths
from tagtray.db.dialects import add_new
from tagtray.db.records import SeenFile
from tagtray.db.tables import Classification, Image, Model, Priority, Root, Status


@dataclass(frozen=True, slots=True)
class RegisteredFile:
    """Stat and state of a registered file."""

    id: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int | None
    status: str

    def differs(self, file: SeenFile) -> bool:
        """True where the file has to be looked at again."""
        mine = self.size_bytes, self.mtime_ns, self.ctime_ns
        same = mine == (file.size_bytes, file.mtime_ns, file.ctime_ns)
        replaced = None not in (self.inode, file.inode) and self.inode != file.inode
        return not same or replaced or self.status in (Status.MISSING, Status.IGNORED)

    @property
    def was_read(self) -> bool:
        """Whether what is known of it comes from its bytes, or soon will, and not only from its stat."""
        return self.status in (Status.RUNNING, Status.DONE, Status.FAILED)


# Made once: to put a statement together takes longer than to execute it.
_ROOT = select(Root.id).where(Root.id == bindparam("root")).with_for_update(read=True, key_share=True)
_REGISTERED = select(
    Image.path, Image.id, Image.size_bytes, Image.mtime_ns, Image.ctime_ns, Image.inode, Image.status
).where(Image.root_id == bindparam("root"), Image.path.in_(bindparam("names", expanding=True)))
_NOW = select(clock.now())


def require_root(connection: Connection, root_id: int) -> None:
    """Raise RootGone unless the root is there, and keep it there until the transaction ends."""
    if connection.scalar(_ROOT, {"root": root_id}) is None:
        raise RootGone(f"The root {root_id} is not in the ledger any more.")


def lookup(connection: Connection, root_id: int, raw: Sequence[bytes]) -> dict[bytes, RegisteredFile]:
    """The registered ones among the names ``raw``."""
    names = {paths.to_text(name)[0]: name for name in raw}
    rows = connection.execute(_REGISTERED, {"root": root_id, "names": list(names)})
    return {names[row[0]]: RegisteredFile(*row[1:]) for row in rows}


def add(connection: Connection, root_id: int, files: Sequence[SeenFile]) -> dict[bytes, int]:
    """Insert new files as ``pending``; their ids by name, also of those that another producer inserted."""
    moment = connection.scalar(_NOW)
    names: dict[str, bytes] = {}
    rows = []
    for file in files:
        path, path_raw = paths.to_text(file.path)
        names[path] = file.path
        rows.append(
            {
                "root_id": root_id,
                "path": path,
                "path_raw": path_raw,
                "size_bytes": file.size_bytes,
                "mtime_ns": file.mtime_ns,
                "ctime_ns": file.ctime_ns,
                "inode": file.inode,
                "status": Status.PENDING,
                "priority": Priority.NEW,
                "first_seen_at": moment,
                "updated_at": moment,
            }
        )
    ids = {names.pop(path): row for path, row in add_new(connection, Image, rows, Image.path, Image.id)}
    others = lookup(connection, root_id, list(names.values())) if names else {}
    return ids | {name: file.id for name, file in others.items()}


def change(connection: Connection, files: Mapping[int, SeenFile], again: Collection[bytes]) -> None:
    """Files that are others than their rows (by id) say, and those named ``again``, are ``pending`` again.

    They lose the old content where size or time differ, or where they were gone. One that was merely ignored
    is what it was before.
    """
    alike = and_(Image.size_bytes == bindparam("size"), Image.mtime_ns == bindparam("mtime"))
    replaced = func.coalesce(Image.inode != bindparam("file"), false())  # where both are known
    same = and_(alike, Image.ctime_ns == bindparam("ctime"), ~replaced)
    back = and_(same, Image.status == Status.IGNORED)
    before = case(
        (and_(back, Image.error_code.is_not(None)), Status.FAILED.value),
        (and_(back, is_classified()), Status.DONE.value),
        else_=Status.PENDING.value,
    )
    away = or_(Image.status == Status.MISSING, Image.status == Status.IGNORED)
    differs = or_(~same, away, bindparam("again", type_=Boolean))
    statement = (
        update(Image)
        .where(Image.id == bindparam("row"), differs)
        .values(
            status=before,
            priority=Priority.NEW,
            content_id=case((and_(alike, Image.status != Status.MISSING), Image.content_id), else_=None),
            size_bytes=bindparam("size"),
            mtime_ns=bindparam("mtime"),
            ctime_ns=bindparam("ctime"),
            inode=bindparam("file"),
            error_code=case((back, Image.error_code), else_=None),
            error_message=case((back, Image.error_message), else_=None),
            attempts=0,
            worker=None,
            lease_until=None,
            not_before=None,
            updated_at=clock.now(),
        )
    )
    connection.execute(statement, [_change_row(row, file, again) for row, file in files.items()])


def _change_row(row: int, file: SeenFile, again: Collection[bytes]) -> dict[str, Any]:
    return {
        "row": row,
        "size": file.size_bytes,
        "mtime": file.mtime_ns,
        "ctime": file.ctime_ns,
        "file": file.inode,
        "again": file.path in again,
    }


def is_classified() -> ColumnElement[bool]:
    """Whether the current model has classified the content of an image."""
    current = select(Model.id).where(Model.is_current)
    return exists().where(Classification.content_id == Image.content_id, Classification.model_id.in_(current))
