"""The watched folders: their names, and where each lies on this host."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, RowMapping, select, text, update

from tagtray.config.errors import UsageError
from tagtray.config.settings import Settings
from tagtray.config.text import shown
from tagtray.db import paths
from tagtray.db.access.transactions import read, write
from tagtray.db.dialects import insert
from tagtray.db.places import folders, merging, recognition
from tagtray.db.tables import Image, Root

#: The root of uploaded files (``db.places.uploads``): no folder of people's has its name or takes it in.
UPLOADS = "uploads"

_NAME = re.compile(r"[a-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True)
class RootFolder:
    """A root as this host sees it; ``path`` is absolute and real.

    ``is_mapped``: a setting of this host says where it lies, whatever the ledger does.
    """

    id: int
    name: str
    path: bytes
    is_mapped: bool = False
    host: str = ""

    def file(self, path: str, path_raw: bytes | None) -> bytes:
        """Where the file of a stored path lies on this host."""
        return os.path.join(self.path, paths.to_bytes(path, path_raw))


@dataclass(frozen=True, slots=True)
class Target:
    """A folder that the user named: its root, and its place below it (empty: the root itself).

    ``notes`` are sentences about what became of other roots on the way.
    """

    root: RootFolder
    below: bytes
    notes: tuple[str, ...] = ()


def resolve(engine: Engine, settings: Settings, folder: Path, name: str | None = None) -> Target:
    """The root of ``folder``: the one that holds it, one that moved here, else a new one.

    Roots that lie in it are taken into it. Raises UsageError where the name is not to be had, or where it
    is for the user to say which root the folder is.
    """
    if name is not None:
        check_name(name)
    path = folders.real(folder)
    target = write(engine, lambda connection: _resolve(connection, settings, path, name))
    if target.below:
        return target
    notes = [*target.notes]
    for inner, below in nested(everywhere(engine, settings).values(), target.root):
        merging.absorb(engine, inner.id, target.root.id, below)
        notes.append(f"The root {inner.name} lies in this folder and is part of {target.root.name} now.")
    return Target(target.root, b"", tuple(notes))


def everywhere(engine: Engine, settings: Settings) -> dict[int, RootFolder]:
    """All roots by id, each where this host has it."""
    return {root.id: root for root in read(engine, lambda connection: _known(connection, settings))}


def named(engine: Engine, settings: Settings, name: str) -> RootFolder:
    """The root of this name; raises UsageError where there is none."""
    known = everywhere(engine, settings).values()
    if (root := next((root for root in known if root.name == name), None)) is None:
        names = ", ".join(sorted(root.name for root in known)) or "none yet"
        raise UsageError(f"There is no root {name!r}; there is {names}.")
    return root


def locate(engine: Engine, settings: Settings, file: Path) -> tuple[RootFolder, bytes] | None:
    """The root that holds ``file`` (the innermost where roots are nested) and its relative name."""
    path = os.path.join(folders.real(file.parent), os.fsencode(file.name))
    return holder(everywhere(engine, settings).values(), path)


def move(engine: Engine, settings: Settings, root: RootFolder, folder: Path) -> RootFolder:
    """Note that ``root`` lies in ``folder`` from now on; raises UsageError where another root is there."""
    path = folders.real(folder)
    others = [other for other in everywhere(engine, settings).values() if other.id != root.id]
    for other in others:
        if folders.relative(path, other.path) is not None or folders.relative(other.path, path) is not None:
            hint = f"`tagtray roots remove {other.name}` takes that out first, and its results are kept"
            if folders.relative(root.path, other.path) is not None:
                hint = f"`tagtray roots merge {root.name} {other.name}` makes them one"
            elif other.name == UPLOADS:
                hint = "choose another folder"
            raise UsageError(f"{shown(path)} belongs to the root {other.name}; {hint}.")
    return write(engine, lambda connection: _moved(connection, root, path))


def rename(engine: Engine, root: RootFolder, name: str) -> None:
    """Give a root another name; raises UsageError where it is no name, or taken."""
    check_name(name)

    def work(connection: Connection) -> None:
        if connection.scalar(select(Root.id).where(Root.name == name)):
            raise UsageError(f"There is a root {name} already.")
        connection.execute(update(Root).where(Root.id == root.id).values(name=name))

    write(engine, work)


def merge(engine: Engine, inner: RootFolder, outer: RootFolder) -> int:
    """Move the rows of a root into the one that holds it; how many. Raises UsageError where it does not."""
    below = folders.relative(inner.path, outer.path)
    if inner.id == outer.id or below is None:
        raise UsageError(f"The root {inner.name} does not lie in {outer.name} ({shown(outer.path)}).")
    return merging.absorb(engine, inner.id, outer.id, below)


def overlaps(engine: Engine, settings: Settings) -> list[tuple[RootFolder, RootFolder]]:
    """Pairs of roots of which the first lies in the second, or is the same folder and younger."""
    known = list(everywhere(engine, settings).values())
    pairs = [(inner, outer, below) for outer in known for inner, below in nested(known, outer)]
    return [(inner, outer) for inner, outer, below in pairs if below or inner.id > outer.id]


def merge_overlaps(engine: Engine, settings: Settings) -> None:
    """Merge roots until none lies in another one."""
    while pairs := overlaps(engine, settings):
        merge(engine, *pairs[0])


def check_name(name: str) -> None:
    """Raise UsageError unless ``name`` is fit for a root."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a root: use a-z, 0-9 and _ (64 at most).")
    if name == UPLOADS:
        raise UsageError(f"{name} is the root of uploaded files; choose another name.")


def _resolve(connection: Connection, settings: Settings, path: bytes, name: str | None) -> Target:
    if connection.dialect.name == "postgresql":
        # Hosts that start at once would otherwise all insert the same name; SQLite's writers take turns.
        connection.execute(text("LOCK TABLE roots IN SHARE ROW EXCLUSIVE MODE"))
    known = _known(connection, settings)
    notes: list[str] = []
    held = holder(known, path)
    if held is None:
        _refuse_copy(connection, known, path, name)
        notes = _carry_over(connection, known, path)
        known = _known(connection, settings)
    elif not held[1]:
        _carry_in(connection, known, held[0])
    if found := holder(known, path):
        _refuse_second_name(*found, name)
        return Target(*found, tuple(notes))
    same_name = next((root for root in known if root.name == name), None)
    if same_name is not None:
        return Target(_moved_by_name(connection, same_name, path), b"", tuple(notes))
    chosen = name or _free_name(path, {root.name for root in known})
    values = {"name": chosen, "path": paths.to_text(path)[0], "host": socket.gethostname()}
    row = connection.execute(
        insert(connection.dialect.name, Root).values(values).returning(Root.id)
    ).scalar_one()
    return Target(RootFolder(row, chosen, path, host=values["host"]), b"", tuple(notes))


def _refuse_second_name(root: RootFolder, below: bytes, name: str | None) -> None:
    if name is None or (name == root.name and not below):
        return
    if below:
        raise UsageError(f"This folder lies in the root {root.name} already; leave {name}= out.")
    hint = f"`tagtray roots rename {root.name} {name}` renames it"
    raise UsageError(f"This folder is the root {root.name} already; {hint}.")


def _moved_by_name(connection: Connection, root: RootFolder, path: bytes) -> RootFolder:
    if not folders.is_gone(root.path):
        hint = f"give this folder another name, or say `tagtray roots move {root.name} DIR`"
        raise UsageError(f"The root {root.name} is {shown(root.path)}, which is still there; {hint}.")
    return _moved(connection, root, path)


def _refuse_copy(connection: Connection, known: Sequence[RootFolder], path: bytes, name: str | None) -> None:
    """A folder without a name that is a copy of a root: only the user knows which of the two is meant."""
    for root in known:
        is_there = name is None and not folders.is_gone(root.path)
        if is_there and recognition.is_copy(connection, root.id, path):
            raise UsageError(
                f"{shown(path)} has the files of the root {root.name}, which is still in "
                f"{shown(root.path)}: for a copy give it a name of its own (NAME=DIR), for the same "
                f"photos name that folder; if they moved, say `tagtray roots move {root.name} DIR`."
            )


def _carry_over(connection: Connection, known: Sequence[RootFolder], path: bytes) -> list[str]:
    """Move the roots whose places are gone and whose files are in ``path``, below it or around it."""
    notes = []
    for root in known:
        if root.name == UPLOADS or not folders.is_gone(root.path):
            continue
        places = recognition.places(root.path, path)
        found = (place for place in places if recognition.has_moved(connection, root.id, place))
        if place := next(found, None):
            _refuse_other_host(root, place)
            _moved(connection, root, place)
            notes.append(f"The root {root.name} moved here from {shown(root.path)}; its results are kept.")
    return notes


def _carry_in(connection: Connection, known: Sequence[RootFolder], outer: RootFolder) -> None:
    """Move the roots whose places are gone and whose files are in a folder that is new in ``outer``."""
    for root in known:
        if root.id == outer.id or _is_elsewhere(root) or not folders.is_gone(root.path):
            continue
        places = recognition.places(root.path, outer.path)
        new = (place for place in places if _is_new(connection, outer, place))
        found = (place for place in new if recognition.has_moved(connection, root.id, place))
        if place := next(found, None):
            _moved(connection, root, place)


def _is_new(connection: Connection, root: RootFolder, place: bytes) -> bool:
    """Whether ``place`` is a folder in a root of which the ledger knows no image yet."""
    below = folders.relative(place, root.path)
    if not below:
        return False
    within = Image.path.startswith(paths.to_text(below + b"/")[0], autoescape=True)
    return connection.scalar(select(Image.id).where(Image.root_id == root.id, within).limit(1)) is None


def _is_elsewhere(root: RootFolder) -> bool:
    """Whether another host, or a setting of this one, says where the root lies."""
    return root.is_mapped or root.host not in ("", socket.gethostname())


def _refuse_other_host(root: RootFolder, path: bytes) -> None:
    if _is_elsewhere(root):
        raise UsageError(
            f"{shown(path)} has the files of the root {root.name} ({shown(root.path)}): if only this host "
            f"has it here, set TAGTRAY_ROOT_{root.name.upper()}; if it moved, say "
            f"`tagtray roots move {root.name} DIR`."
        )


def _moved(connection: Connection, root: RootFolder, path: bytes) -> RootFolder:
    values = {"path": paths.to_text(path)[0], "host": socket.gethostname()}
    connection.execute(update(Root).where(Root.id == root.id).values(values))
    return RootFolder(root.id, root.name, path, host=values["host"])


def _known(connection: Connection, settings: Settings) -> list[RootFolder]:
    rows = connection.execute(select(Root.__table__).order_by(Root.id)).mappings()
    return [_on_this_host(row, settings) for row in rows]


def _on_this_host(row: RowMapping, settings: Settings) -> RootFolder:
    mapped = settings.roots.get(row["name"])
    path = folders.real(mapped) if mapped else paths.from_text(row["path"])
    return RootFolder(row["id"], row["name"], path, mapped is not None, row["host"])


def holder(known: Iterable[RootFolder], path: bytes) -> tuple[RootFolder, bytes] | None:
    """The innermost of the roots that hold ``path``, and its name there."""
    found = [(root, folders.relative(path, root.path)) for root in known]
    holders = [(root, below) for root, below in found if below is not None]
    return min(holders, key=lambda held: len(held[1]), default=None)


def nested(known: Iterable[RootFolder], outer: RootFolder) -> list[tuple[RootFolder, bytes]]:
    """The other roots that lie in ``outer``, and where in it; the same folder is there as well.

    Uploads are never taken in.
    """
    others = [root for root in known if root.id != outer.id and root.name != UPLOADS]
    found = [(root, folders.relative(root.path, outer.path)) for root in others]
    return [(root, below) for root, below in found if below is not None]


def _free_name(path: bytes, taken: set[str]) -> str:
    folder = os.path.basename(path).decode("utf-8", "ignore").lower()
    base = re.sub(r"[^a-z0-9_]+", "_", folder).strip("_")[:56] or "photos"
    numbered = (f"{base}_{number}" for number in range(2, len(taken) + 4))
    return next(name for name in (base, *numbered) if name not in {*taken, UPLOADS})
