"""Search: a query in words, its photos in pages or one after the other; the command and the API share it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Row, Select, and_, select

from tagtray.db.tables import Content, Image, Label, Prediction, Root
from tagtray.search import meaning as meanings
from tagtray.search import planning, query, syntax, words
from tagtray.search.cursor import Cursor
from tagtray.search.evidence import Evidence
from tagtray.search.query import Order
from tagtray.search.words import Vocabulary

#: Rows that are fetched at once where all are asked for.
FETCHED = 1_000


@dataclass(frozen=True, slots=True)
class Hit:
    """A photo that was found: where it lies, its score, and the first label of the current model."""

    image_id: int
    root_id: int
    root: str
    path: str
    path_raw: bytes | None
    score: float | None
    label: str | None
    label_zh: str | None
    wnid: str | None
    taken_at: datetime | None
    sha256: str
    width: int
    height: int
    color: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """Some hits, and the cursor of the next page; None after the last one."""

    hits: Sequence[Hit]
    cursor: str | None


class Search:
    """A query that was understood; ``notes`` are sentences on words that could mean something else."""

    def __init__(
        self,
        connection: Connection,
        text: str,
        order: Order | None = None,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        """Raises UsageError for a query that cannot be read or has a word that is not known.

        ``order`` None: by score where words are sought, else by date, the newest first. ``vocabulary`` None:
        it is read, which takes most of the time.
        """
        vocabulary = vocabulary or words.load(connection)
        meaning = meanings.understand(connection, vocabulary, syntax.parse(text))
        self.order: Order = order or ("score" if meaning.shown else "date")
        self.notes = meaning.notes
        evidence = Evidence(vocabulary, meaning)
        plan = planning.plan(connection, evidence, meaning, self.order)
        self.hits = query.hits(evidence, meaning, plan, self.order)
        self._rest = self.hits
        if plan.scored:
            self._rest = query.hits(evidence, meaning, replace(plan, scored=False), self.order)
        self._surest = [query.hits(evidence, meaning, plan, self.order, floor) for floor in plan.floors]
        self._model_id, self._label_set = vocabulary.model_id, vocabulary.label_set
        self._has_words = bool(meaning.shown)

    def page(self, connection: Connection, limit: int, cursor: str | None = None) -> Page:
        """The first ``limit`` hits behind ``cursor``; raises UsageError for one that is none."""
        after = Cursor.read(cursor, self.order) if cursor else None
        rows: list[Row[Any]] = []
        for hits in (*self._surest, self.hits):
            rows = self._first(connection, hits, limit + 1, after)
            if len(rows) > limit:
                break
        following = Cursor.of(rows[limit - 1]).text() if len(rows) > limit else None
        return Page([_hit(row) for row in rows[:limit]], following)

    def stream(self, connection: Connection) -> Iterator[Hit]:
        """All hits in their order, read as they are taken."""
        for _, part in self._parts(self.hits, None):
            statement = self._described(part)
            yield from map(_hit, connection.execute(statement, execution_options={"yield_per": FETCHED}))

    def _first(
        self, connection: Connection, hits: FromClause, limit: int, after: Cursor | None
    ) -> list[Row[Any]]:
        """The first ``limit`` of ``hits`` behind ``after``."""
        rows: list[Row[Any]] = []
        for found, part in self._parts(hits, after):
            wanted = part.order_by(*_order(found)).limit(limit - len(rows))
            rows += connection.execute(self._described(wanted)).all()
            if len(rows) == limit:
                break
        return rows

    def _parts(self, hits: FromClause, after: Cursor | None) -> list[tuple[FromClause, Select[Any]]]:
        """The hits behind ``after``: those that have a key, then those that have none."""
        keyed = select(hits).where(hits.c.key.is_not(None))
        rest = select(self._rest).where(self._rest.c.key.is_(None))
        if after is not None and after.key is None:
            return [(self._rest, rest.where(after.before(self._rest)))]
        if after is not None:
            keyed = keyed.where(after.before(hits))
        has_all = self.order == "score" and self._has_words
        return [(hits, keyed)] if has_all else [(hits, keyed), (self._rest, rest)]

    def _described(self, part: Select[Any]) -> Select[Any]:
        """The hits of ``part`` with all that is shown of them, in order."""
        hits = part.subquery()
        best = and_(
            Prediction.content_id == hits.c.content_id,
            Prediction.model_id == self._model_id,
            Prediction.rank == 1,
        )
        label = and_(Label.label_set == self._label_set, Label.class_index == Prediction.class_index)
        return (
            select(hits, *_SHOWN)
            .join(Image, Image.id == hits.c.image_id)
            .join(Root, Root.id == Image.root_id)
            .join(Content, Content.id == hits.c.content_id)
            .outerjoin(Prediction, best)
            .outerjoin(Label, label)
            .order_by(*_order(hits))
        )


_SHOWN = (
    *(Image.root_id, Root.name.label("root"), Image.path, Image.path_raw),
    *(Label.name.label("label"), Label.name_zh.label("label_zh"), Label.wnid),
    *(Content.taken_at, Content.sha256, Content.width, Content.height, Content.color),
)
_FIELDS = tuple(field.name for field in dataclasses.fields(Hit))


def _order(hits: FromClause) -> tuple[ColumnElement[Any], ...]:
    return hits.c.key.desc(), hits.c.content_id.desc(), hits.c.image_id.desc()


def _hit(row: Row[Any]) -> Hit:
    return Hit(*(getattr(row, name) for name in _FIELDS))
