"""Images by their ids, with all that the ledger knows of them under the current model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, select

from tagtray.db import dialects, paths
from tagtray.db.places.roots import RootFolder
from tagtray.db.tables import (
    Category,
    Classification,
    Content,
    Feature,
    Image,
    OverruledTag,
    Prediction,
    Tag,
    Verdict,
)
from tagtray.exchange import lines
from tagtray.exchange.catalogue import Catalogue
from tagtray.exchange.lines import Line

#: Images that are read at once; as many are in memory.
PAGE = 1_000

_IMAGE = (
    *(Image.id, Image.root_id, Image.path, Image.path_raw, Image.content_id, Content.sha256, Content.format),
    *(Content.width, Content.height, Content.taken_at, Content.taken_from, Content.camera, Content.color),
    Content.partial,
)
_CONTENT = ("sha256", "format", "width", "height", "taken_at", "taken_from", "camera", "color", "partial")

_Row = Row[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Place:
    """Which image, and its name below its root."""

    image_id: int
    root_id: int
    path: bytes


class Records:
    """Reads pages of images; ``folders`` are the roots by id, where this host has them."""

    def __init__(
        self,
        connection: Connection,
        folders: Mapping[int, RootFolder],
        features: bool = False,
        catalogue: Catalogue | None = None,
    ) -> None:
        self.catalogue = catalogue or Catalogue.load(connection)
        self._connection = connection
        self._folders = folders
        self._features = features

    def stream(self, image_ids: Iterable[int]) -> Iterator[list[Line]]:
        """The lines of images in the given order, a page at a time; those without a content are left out."""
        remaining = iter(image_ids)
        while page := list(islice(remaining, PAGE)):
            yield self.page(page)

    def page(self, image_ids: Sequence[int]) -> list[Line]:
        """The lines of some images, as ``stream`` has them."""
        return [line for _, line in self.described(image_ids)]

    def described(self, image_ids: Sequence[int]) -> list[tuple[Place, Line]]:
        """The same with the places of the images."""
        query = select(*_IMAGE).join(Content, Content.id == Image.content_id).where(Image.id.in_(image_ids))
        found = {row.id: row for row in self._connection.execute(query)}
        rows = [found[image_id] for image_id in image_ids if image_id in found]
        contents = {row.content_id for row in rows}
        results, verdicts = self._results(contents), self._verdicts(contents)
        return [
            (
                Place(row.id, row.root_id, paths.to_bytes(row.path, row.path_raw)),
                self._line(row, results.get(row.content_id), verdicts.get(row.content_id, [])),
            )
            for row in rows
        ]

    def _line(self, row: _Row, result: lines.Result | None, verdicts: list[lines.Verdict]) -> Line:
        root = self._folders[row.root_id]
        content = {name: getattr(row, name) for name in _CONTENT}
        return Line(
            tagtray=lines.VERSION,
            file=paths.readable(root.file(row.path, row.path_raw)),
            root=root.name,
            path=row.path,
            result=result,
            verdicts=verdicts,
            **content,
        )

    def _results(self, content_ids: set[int]) -> dict[int, lines.Result]:
        columns = (Classification.engine, Classification.precision, Classification.decode)
        found = self._read(
            select(Classification.content_id, *columns, Classification.classified_at), content_ids
        )
        top = self._read(
            select(Prediction.content_id, Prediction.class_index, Prediction.score).order_by(
                Prediction.content_id, Prediction.rank
            ),
            content_ids,
        )
        tags = self._read(select(Tag.content_id, Tag.wnid, Tag.score), content_ids)
        wanted = content_ids if self._features else set()
        vectors = self._read(select(Feature.content_id, Feature.vector), wanted)
        return {
            content_id: self._result(row, top[content_id], tags[content_id], vectors[content_id])
            for content_id, (row,) in found.items()
        }

    def _verdicts(self, content_ids: set[int]) -> dict[int, list[lines.Verdict]]:
        """What counts of what people said."""
        kept = and_(
            OverruledTag.content_id == Verdict.content_id,
            OverruledTag.wnid == Verdict.wnid,
            OverruledTag.model_id == self.catalogue.model_id,
        )
        columns = (
            Verdict.content_id,
            Verdict.wnid,
            Category.name,
            Verdict.verdict,
            Verdict.at,
            Verdict.said_by,
        )
        query = (
            select(*columns, OverruledTag.score)
            .join(Category, Category.wnid == Verdict.wnid)
            .outerjoin(OverruledTag, kept)
            .where(Verdict.content_id.in_(content_ids), Verdict.counts())
            .order_by(Verdict.id)
        )
        found: dict[int, list[lines.Verdict]] = defaultdict(list)
        for row in self._connection.execute(query).all() if content_ids else ():
            found[row.content_id].append(
                lines.Verdict(row.wnid, row.name, row.verdict > 0, row.at, row.said_by, row.score)
            )
        return found

    def _read(self, query: Select[*tuple[Any, ...]], content_ids: set[int]) -> Mapping[int, list[_Row]]:
        """The rows of the current model by their contents."""
        rows: dict[int, list[_Row]] = defaultdict(list)
        table = query.selected_columns[0].table
        if content_ids:
            # By their contents: SQLite is not to begin with all that the model has found.
            mine = dialects.unindexed(table.c.model_id) == self.catalogue.model_id
            for row in self._connection.execute(query.where(table.c.content_id.in_(content_ids), mine)).all():
                rows[row[0]].append(row)
        return rows

    def _result(
        self, row: _Row, top: Sequence[_Row], tags: Sequence[_Row], vector: Sequence[_Row]
    ) -> lines.Result:
        # An own tag that is younger than the catalogue waits for the next one.
        known = (tag for tag in tags if tag[1] in self.catalogue.categories)
        ordered = sorted(known, key=lambda tag: (-tag[2], tag[1]))
        return lines.Result(
            model=self.catalogue.model,
            engine=row.engine,
            precision=row.precision,
            decode=row.decode,
            classified_at=row.classified_at,
            labels=[self._label(row[1], row[2]) for row in top],
            tags=[self._tag(row[1], row[2]) for row in ordered],
            features=vector[0].vector if vector else None,
        )

    def _label(self, index: int, score: float) -> lines.Label:
        wnid, name, name_zh = self.catalogue.names(index)
        return lines.Label(index, wnid, name, name_zh, score)

    def _tag(self, wnid: str, score: float) -> lines.Tag:
        _, name, name_zh = self.catalogue.categories[wnid]
        return lines.Tag(wnid, name, name_zh, score, self.catalogue.shows(wnid, score))
