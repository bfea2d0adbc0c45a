"""Where the folders of a process that goes on are, while others move, rename, merge or remove roots."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from sqlalchemy import Engine, select

from tagtray.config.settings import Settings
from tagtray.config.text import shown
from tagtray.db.access.transactions import read
from tagtray.db.places import roots
from tagtray.db.places.roots import RootFolder, Target
from tagtray.db.tables import Root


class Follower:
    """Keeps the targets of a process in step with the roots.

    It looks at folders, which may lie on a mount that hangs, only after a root has changed.
    """

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._seen: Mapping[int, tuple[str, str]] | None = None

    def follow(self, targets: Sequence[Target]) -> tuple[list[Target | None], list[str]]:
        """``targets`` under the roots that have their folders now, and sentences about what changed.

        None stands for one whose folder no root has. Raises InfrastructureError.
        """
        query = select(Root.id, Root.name, Root.path)
        rows = read(self._engine, lambda connection: connection.execute(query).all())
        seen = {row.id: (row.name, row.path) for row in rows}
        if seen == self._seen:
            return list(targets), []
        known = roots.everywhere(self._engine, self._settings)
        self._seen = seen
        pairs = [(target, _followed(target, known)) for target in targets]
        notes = [note for before, after in pairs if (note := _change(before, after))]
        return [after for _, after in pairs], notes


def _followed(target: Target, known: Mapping[int, RootFolder]) -> Target | None:
    if root := known.get(target.root.id):
        return Target(root, target.below)
    found = roots.holder(known.values(), _folder(target))
    return Target(*found) if found else None


def _change(before: Target, after: Target | None) -> str | None:
    name = before.root.name
    if after is None:
        return f"The root {name} was removed; {shown(_folder(before))} is not looked at any more."
    if after.root.id != before.root.id:
        return f"The root {name} is part of {after.root.name} now; its folder is still looked at."
    if after.root.path != before.root.path:
        return f"The root {name} is in {shown(after.root.path)} now; that is looked at instead."
    return f"The root {name} is called {after.root.name} now." if after.root.name != name else None


def _folder(target: Target) -> bytes:
    return os.path.join(target.root.path, target.below).rstrip(b"/") or b"/"
