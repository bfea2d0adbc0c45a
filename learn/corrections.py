"""What people say of a photo, by the names of tags; and what was said before."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from tagtray.config.errors import UsageError
from tagtray.db import verdicts
from tagtray.db.access.transactions import read, write
from tagtray.db.tables import OWN
from tagtray.db.verdicts import Entry, Said
from tagtray.learn import names


@dataclass(frozen=True, slots=True)
class Corrected:
    """How many verdicts were new, of which contents, and the own tags (wnids) that they are examples for."""

    verdicts: int
    contents: Collection[int]
    own_tags: Sequence[str]


def correct(
    engine: Engine, content_ids: Sequence[int], shows: Sequence[str], shows_not: Sequence[str], by: str
) -> Corrected:
    """Say which tags some contents show and which they do not.

    ``by`` is who says so. Raises UsageError, with nothing changed, for a tag that is not known or that is
    said to be there and not to be there.
    """

    def work(connection: Connection) -> Corrected:
        there = [names.category(connection, name) for name in shows]
        not_there = [names.category(connection, name) for name in shows_not]
        if both := set(there) & set(not_there):
            name = next(name for name, wnid in zip(shows, there, strict=True) if wnid in both)
            raise UsageError(f'"{name}" cannot be on a photo and not be on it.')
        said = [(wnid, True) for wnid in there] + [(wnid, False) for wnid in not_there]
        news = verdicts.record(
            connection, [Said(content_id, *one) for content_id in content_ids for one in said], by
        )
        contents = {one.content_id for one in news}
        return Corrected(len(news), contents, _own(one.wnid for one in news))

    return write(engine, work)


def undo(engine: Engine, content_id: int) -> tuple[list[Entry], list[str]]:
    """Take back what was said last of a content; what it was, and the own tags that lose an example."""
    undone = write(engine, lambda connection: verdicts.undo(connection, content_id))
    return undone, _own(entry.wnid for entry in undone)


def history(engine: Engine, content_id: int) -> list[Entry]:
    """All that was ever said of a content, the latest last."""
    return read(engine, lambda connection: verdicts.history(connection, content_id))


def _own(wnids: Iterable[str]) -> list[str]:
    return sorted({wnid for wnid in wnids if wnid.startswith(OWN)})
