"""The watched folders: their names, and where each lies on this host."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, RowMapping, select, text, update

from tagtray.config.errors import UsageError
from tagtray.config.settings import Settings
from tagtray.db import paths
from tagtray.db.dialects import insert
from tagtray.db.tables import Root
from tagtray.db.transactions import read, write

_NAME = re.compile(r"[a-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True)
class RootFolder:
    """A root as this host sees it; ``path`` is absolute and real."""

    id: int
    name: str
    path: bytes


@dataclass(frozen=True, slots=True)
class Target:
    """A folder that the user named: its root, and its place below it (empty: the root itself)."""

    root: RootFolder
    below: bytes


def resolve(engine: Engine, settings: Settings, folder: Path, name: str | None = None) -> Target:
    """The root of ``folder``: a known one that holds it, else a new one.

    Raises UsageError for a name that is no name, or that belongs to another folder that still exists.
    """
    real = os.path.realpath(os.fsencode(folder))
    if name is not None and not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a root: use a-z, 0-9 and _ (64 at most).")
    return write(engine, lambda connection: _resolve(connection, settings, real, name))


def everywhere(engine: Engine, settings: Settings) -> dict[int, RootFolder]:
    """All roots by id, each where this host has it."""
    rows = read(engine, lambda connection: connection.execute(select(Root.__table__)).mappings().all())
    return {row["id"]: _on_this_host(row, settings) for row in rows}


def locate(engine: Engine, settings: Settings, file: Path) -> tuple[RootFolder, bytes] | None:
    """The root that holds ``file`` (the innermost where roots are nested) and its relative name."""
    real = os.path.join(os.path.realpath(os.fsencode(file.parent)), os.fsencode(file.name))
    holders = [root for root in everywhere(engine, settings).values() if real.startswith(_slashed(root.path))]
    root = max(holders, key=lambda holder: len(holder.path), default=None)
    return (root, real.removeprefix(_slashed(root.path))) if root else None


def _resolve(connection: Connection, settings: Settings, real: bytes, name: str | None) -> Target:
    if connection.dialect.name == "postgresql":
        # Hosts that start at once would otherwise all insert the same name; SQLite's writers take turns.
        connection.execute(text("LOCK TABLE roots IN SHARE ROW EXCLUSIVE MODE"))
    rows = connection.execute(select(Root.__table__)).mappings().all()
    known = [_on_this_host(row, settings) for row in rows]
    for root in known:
        if root.name == name or (name is None and root.path == real):
            return Target(_moved(connection, root, real), b"")
    if name is None:
        for root in known:
            if real.startswith(_slashed(root.path)):
                return Target(root, real.removeprefix(_slashed(root.path)))
    chosen = name or _free_name(real, {root.name for root in known})
    values = {"name": chosen, "path": paths.to_text(real)[0]}
    row = connection.execute(insert(connection, Root).values(values).returning(Root.id)).scalar_one()
    return Target(RootFolder(row, chosen, real), b"")


def _moved(connection: Connection, root: RootFolder, real: bytes) -> RootFolder:
    if root.path == real:
        return root
    if os.path.isdir(root.path):
        there = paths.to_text(root.path)[0]
        raise UsageError(f"The root {root.name} is {there}; give this folder another name (NAME=DIR).")
    connection.execute(update(Root).where(Root.id == root.id).values(path=paths.to_text(real)[0]))
    return RootFolder(root.id, root.name, real)


def _on_this_host(row: RowMapping, settings: Settings) -> RootFolder:
    mapped = settings.roots.get(row["name"])
    path = os.path.realpath(os.fsencode(mapped)) if mapped else paths.from_text(row["path"])
    return RootFolder(row["id"], row["name"], path)


def _free_name(real: bytes, taken: set[str]) -> str:
    folder = os.path.basename(real).decode("utf-8", "ignore").lower()
    base = re.sub(r"[^a-z0-9_]+", "_", folder).strip("_")[:56] or "photos"
    numbered = (f"{base}_{number}" for number in range(2, len(taken) + 3))
    return next(name for name in (base, *numbered) if name not in taken)


def _slashed(path: bytes) -> bytes:
    return path.rstrip(b"/") + b"/"
