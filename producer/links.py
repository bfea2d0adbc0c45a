"""Links that lead out of the folders that were named: what they lead to is taken in where that is wanted."""

from __future__ import annotations

import logging
import math
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from tagtray.config import logs
from tagtray.config.errors import UsageError
from tagtray.config.logs import Throttle
from tagtray.config.settings import Settings
from tagtray.config.text import shown
from tagtray.db.paths import is_below
from tagtray.db.places import roots
from tagtray.db.places.roots import Target
from tagtray.producer import scope
from tagtray.producer.scope import Scope
from tagtray.producer.totals import Totals
from tagtray.producer.walk import Walk

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Followed:
    """All folders, and by its folder the single files of others, by their names relative to the root."""

    targets: Sequence[Target]
    single: dict[Target, frozenset[bytes]]


def follow(engine: Engine, settings: Settings, targets: Sequence[Target]) -> Followed:
    """``targets`` with what links in them lead to, and links in that: each folder and file once.

    A file is known by its place in its own root, whatever links lead to it. A link is left out, with a
    sentence, where it leads to a folder that holds a root: round and round, or to more than was meant.
    """
    taken, files = [*targets], set[bytes]()
    for target in taken:  # which grows
        for place in _outside(settings, target):
            if os.path.isfile(place):
                files.add(place)
            elif not _is_taken(place, taken) and (found := _resolved(engine, settings, place)):
                taken.append(found)
    single: dict[Target, set[bytes]] = defaultdict(set)
    for file in sorted(files):
        folder, name = os.path.split(file)
        if not _is_taken(file, taken) and (found := _resolved(engine, settings, folder)):
            single[found].add(os.path.join(found.below, name))
    return Followed(taken, {target: frozenset(names) for target, names in single.items()})


def _outside(settings: Settings, target: Target) -> list[bytes]:
    walk = Walk(Scope(target, settings), target.below, Totals(), Throttle(math.inf))
    for _ in walk.batches():
        pass
    return sorted(walk.outside)


def _is_taken(place: bytes, taken: Sequence[Target]) -> bool:
    folders = (os.path.join(target.root.path, target.below).rstrip(b"/") for target in taken)
    return any(place == folder or is_below(place, folder) for folder in folders)


def _resolved(engine: Engine, settings: Settings, folder: bytes) -> Target | None:
    place = Path(os.fsdecode(folder))
    try:
        scope.check(place)
        inner = [root for root in roots.everywhere(engine, settings).values() if is_below(root.path, folder)]
        if inner:
            raise UsageError(f"this folder holds the root {inner[0].name}")
        home = os.path.realpath(os.fsencode(settings.home))
        if folder == home or is_below(folder, home):
            raise UsageError("this folder is TAGTRAY_HOME's")
        return roots.resolve(engine, settings, place)
    except UsageError as error:
        sentence = "links to {folder} are not followed: {reason}."
        reason = str(error).rstrip(".")
        logs.event(log, logging.WARNING, "link_skipped", sentence, folder=shown(folder), reason=reason)
        return None
