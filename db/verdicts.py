"""What people say of photos: it stands over what any model finds, now and whenever it looks again.

A verdict is of a content and a tag, by the tag's wnid. Where one counts, ``tags`` has the tag with the score
1, or does not have it; what the model gave is kept in ``overruled_tags`` until the verdict is taken back. So
those who read tags need not know of verdicts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select, tuple_, update

from tagtray.db import clock, own_tags
from tagtray.db.dialects import add_new, replace
from tagtray.db.paging import pages
from tagtray.db.tables import OWN, Category, Classification, OverruledTag, OwnTag, Tag, Verdict

#: The score of a tag that somebody confirmed.
CONFIRMED = 1.0

_KEY = ("content_id", "model_id", "wnid")


@dataclass(frozen=True, slots=True)
class Said:
    """That a content shows a tag, or (``shows`` False) does not."""

    content_id: int
    wnid: str
    shows: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A verdict as the history of a photo has it; ``ended_at`` None: it counts."""

    wnid: str
    tag: str
    shows: bool
    at: datetime
    said_by: str
    ended_at: datetime | None


def record(connection: Connection, said: Iterable[Said], by: str) -> list[Said]:
    """Have verdicts count from now on, in the place of earlier ones; those that were not said before."""
    own_tags.lock(connection)
    wanted = {(one.content_id, one.wnid): one for one in said}
    found = _counting(connection, {content_id for content_id, _ in wanted})
    news = [one for key, one in wanted.items() if found.get(key) != one.shows]
    moment = connection.scalar(select(clock.now()))
    _end(connection, [(one.content_id, one.wnid) for one in news], moment)
    if news:
        connection.execute(insert(Verdict), [_row(one, moment, by) for one in news])
        _settle(connection, [(one.content_id, one.wnid) for one in news])
    return news


def take_over(connection: Connection, said: Iterable[tuple[Said, datetime, str]]) -> int:
    """Add what was said elsewhere, when and by whom; how much of it was new. What counts here stays."""
    own_tags.lock(connection)
    wanted = {(one.content_id, one.wnid): (one, at, by) for one, at, by in said}
    found = _counting(connection, {content_id for content_id, _ in wanted})
    rows = [_row(one, at, by) for key, (one, at, by) in wanted.items() if key not in found]
    if rows:
        connection.execute(insert(Verdict), rows)
        _settle(connection, [(row["content_id"], row["wnid"]) for row in rows])
    return len(rows)


def undo(connection: Connection, content_id: int) -> list[Entry]:
    """Take back what was said last of a content, and let count what it replaced; nothing if nothing is."""
    own_tags.lock(connection)
    mine = Verdict.content_id == content_id
    last = select(func.max(Verdict.at)).where(mine, Verdict.counts()).scalar_subquery()
    latest = select(Verdict.wnid, Verdict.at).where(mine, Verdict.counts(), Verdict.at == last)
    rows = connection.execute(latest).all()
    if not rows:
        return []
    undone = [entry for entry in history(connection, content_id) if entry.ended_at is None]
    keys, at = [(content_id, row.wnid) for row in rows], rows[0].at
    _end(connection, keys, connection.scalar(select(clock.now())))
    replaced = tuple_(Verdict.content_id, Verdict.wnid).in_(keys)
    connection.execute(update(Verdict).where(replaced, Verdict.ended_at == at).values(ended_at=None))
    _settle(connection, keys)
    return [entry for entry in undone if entry.at == at]


def history(connection: Connection, content_id: int) -> list[Entry]:
    """All that was ever said of a content, the latest last; of tags that are there still."""
    name = Category.name.label("tag")
    query = (
        select(Verdict.wnid, name, Verdict.verdict, Verdict.at, Verdict.said_by, Verdict.ended_at)
        .join(Category, Category.wnid == Verdict.wnid)
        .where(Verdict.content_id == content_id)
        .order_by(Verdict.id)
    )
    rows = connection.execute(query).all()
    return [Entry(row.wnid, row.tag, row.verdict > 0, row.at, row.said_by, row.ended_at) for row in rows]


def examples(connection: Connection, wnid: str) -> tuple[list[int], list[int]]:
    """The contents that were said to show a tag and those that were said not to, in order of id."""
    query = select(Verdict.content_id, Verdict.verdict).where(Verdict.wnid == wnid, Verdict.counts())
    rows = connection.execute(query.order_by(Verdict.content_id)).all()
    shows = [content_id for content_id, verdict in rows if verdict > 0]
    return shows, [content_id for content_id, verdict in rows if verdict < 0]


def apply_new(connection: Connection, model_id: int, content_ids: Collection[int]) -> None:
    """Have verdicts stand over the results that a model has just given."""
    keys = list(_counting(connection, content_ids))
    if keys:
        _settle(connection, keys, model_id)


def _row(said: Said, at: datetime | None, by: str) -> dict[str, Any]:
    verdict = 1 if said.shows else -1
    return {"content_id": said.content_id, "wnid": said.wnid, "verdict": verdict, "at": at, "said_by": by}


def _counting(connection: Connection, content_ids: Collection[int]) -> dict[tuple[int, str], bool]:
    """The verdicts that count on some contents: whether the content shows the tag."""
    found: dict[tuple[int, str], bool] = {}
    for page in pages(sorted(content_ids)):
        query = select(Verdict.content_id, Verdict.wnid, Verdict.verdict)
        rows = connection.execute(query.where(Verdict.content_id.in_(page), Verdict.counts()))
        found |= {(content_id, wnid): verdict > 0 for content_id, wnid, verdict in rows}
    return found


def _end(connection: Connection, keys: Sequence[tuple[int, str]], moment: Any) -> None:
    for page in pages(keys):
        these = tuple_(Verdict.content_id, Verdict.wnid).in_(page)
        connection.execute(update(Verdict).where(these, Verdict.counts()).values(ended_at=moment))


def _settle(connection: Connection, keys: Sequence[tuple[int, str]], model_id: int | None = None) -> None:
    """Bring ``tags`` to the verdicts on some (content, wnid); under all models unless one is named."""
    for page in pages(keys):
        _overrule(connection, page, model_id)
        _give_back(connection, page)
    _count_change(connection, {wnid for _, wnid in keys} if model_id is None else ())


def _overrule(connection: Connection, keys: Sequence[tuple[int, str]], model_id: int | None) -> None:
    """Keep what models gave where a verdict counts, and put the verdict in its place."""
    query = (
        select(
            Classification.content_id,
            Classification.model_id,
            Verdict.wnid,
            Verdict.verdict,
            Tag.score,
            OverruledTag.content_id.is_not(None).label("is_kept"),
        )
        .join(Verdict, and_(Verdict.content_id == Classification.content_id, Verdict.counts()))
        .outerjoin(Tag, _same(Tag))
        .outerjoin(OverruledTag, _same(OverruledTag))
        .where(
            tuple_(Verdict.content_id, Verdict.wnid).in_(keys),
            *([] if model_id is None else [Classification.model_id == model_id]),
        )
    )
    rows = connection.execute(query).all()
    kept = [{**_key(row), "score": row.score} for row in rows if not row.is_kept]
    add_new(connection, OverruledTag, kept)
    confirmed = [{**_key(row), "score": CONFIRMED} for row in rows if row.verdict > 0]
    replace(connection, Tag, confirmed, _KEY)
    rejected = [tuple(_key(row).values()) for row in rows if row.verdict < 0]
    if rejected:
        these = tuple_(Tag.content_id, Tag.model_id, Tag.wnid).in_(rejected)
        connection.execute(delete(Tag).where(these))


def _give_back(connection: Connection, keys: Sequence[tuple[int, str]]) -> None:
    """Where no verdict counts any more, tags are again what the models gave."""
    judged = (
        select(Verdict.id)
        .where(
            Verdict.content_id == OverruledTag.content_id,
            Verdict.wnid == OverruledTag.wnid,
            Verdict.counts(),
        )
        .exists()
    )
    free = and_(tuple_(OverruledTag.content_id, OverruledTag.wnid).in_(keys), ~judged)
    query = select(OverruledTag.content_id, OverruledTag.model_id, OverruledTag.wnid, OverruledTag.score)
    rows = connection.execute(query.where(free)).all()
    if not rows:
        return
    connection.execute(delete(OverruledTag).where(free))
    these = tuple_(Tag.content_id, Tag.model_id, Tag.wnid).in_([tuple(_key(row).values()) for row in rows])
    connection.execute(delete(Tag).where(these))
    given = [{**_key(row), "score": row.score} for row in rows if row.score is not None]
    add_new(connection, Tag, given)


def _same(table: type[Tag] | type[OverruledTag]) -> ColumnElement[bool]:
    return and_(
        table.content_id == Classification.content_id,
        table.model_id == Classification.model_id,
        table.wnid == Verdict.wnid,
    )


def _key(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _KEY}


def _count_change(connection: Connection, wnids: Collection[str]) -> None:
    """Note that own tags have other examples now."""
    own = [wnid for wnid in wnids if wnid.startswith(OWN)]
    if own:
        changed = update(OwnTag).where(OwnTag.wnid.in_(own))
        connection.execute(changed.values(examples_version=OwnTag.examples_version + 1))
