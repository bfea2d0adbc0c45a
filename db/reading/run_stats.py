"""The figures of a run: how far its folders are, and what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    SQLColumnExpression,
    and_,
    exists,
    false,
    func,
    or_,
    select,
)

from tagtray.db import clock, dialects, paths, stale, thresholds
from tagtray.db.access.transactions import read
from tagtray.db.places import holds
from tagtray.db.places.roots import Target
from tagtray.db.tables import (
    ON_THEIR_WAY,
    Category,
    Classification,
    Image,
    Label,
    Model,
    Prediction,
    Root,
    Status,
    Tag,
)

#: Images that are deferred for more than this many seconds keep nobody waiting.
SOON = 10.0


@dataclass(frozen=True, slots=True)
class Tally:
    """How many images of some folders are in a state, and whether they came to it since a moment."""

    status: str
    error_code: str | None
    since: bool
    images: int


@dataclass(frozen=True, slots=True)
class Commit:
    """A transaction of results: when it was, and how many contents it classified."""

    at: datetime
    contents: int


@dataclass(frozen=True, slots=True)
class NameCount:
    """How many images have a label as their first, or a category among their tags."""

    name: str
    name_zh: str
    images: int


def moment(engine: Engine) -> datetime:
    """Now, on the database's clock."""
    return read(engine, lambda connection: connection.execute(select(clock.now())).scalar_one())


def active(engine: Engine, targets: Sequence[Target]) -> int:
    """Images of ``targets`` that are on their way; those deferred for long or of held roots are not."""
    # Only a pending image is ever deferred.
    on_their_way = Image.status.in_(ON_THEIR_WAY)
    return _number(engine, select(func.count()).where(on_their_way, _soon(), _within(targets, few=True)))


def images_by_root(engine: Engine) -> dict[int, dict[str, int]]:
    """Images by state, for each root by its id."""
    query = select(Image.root_id, Image.status, func.count()).group_by(Image.root_id, Image.status)
    counts: dict[int, dict[str, int]] = {}
    for root_id, status, images in read(engine, lambda connection: connection.execute(query).all()):
        counts.setdefault(root_id, {})[status] = images
    return counts


def present(counts: Mapping[str, int]) -> int:
    """Of images by state, those whose files are there and wanted."""
    return sum(images for status, images in counts.items() if status not in (Status.MISSING, Status.IGNORED))


def unqueued(engine: Engine, targets: Sequence[Target]) -> int:
    """Images of ``targets`` that are not in the queue yet; those deferred for long or held do not count."""
    query = select(func.count()).where(Image.status == Status.PENDING, _soon(), _within(targets, few=True))
    return _number(engine, query)


def stale_images(engine: Engine, targets: Sequence[Target] | None = None) -> int:
    """Images (of ``targets``) that the current model has still to classify; looks at all that are done."""

    def count(connection: Connection) -> int:
        basis = stale.basis(connection)
        if basis.others_at is None:
            return 0
        query = select(func.count()).select_from(Image).where(stale.condition(basis))
        return connection.scalar(query if targets is None else query.where(_within(targets))) or 0

    return read(engine, count)


def tallies(engine: Engine, targets: Sequence[Target], since: datetime) -> list[Tally]:
    """The images of ``targets`` by state and error code, those that changed ``since`` apart."""
    fresh = Image.updated_at >= since
    query = (
        select(Image.status, Image.error_code, fresh, func.count())
        .where(_within(targets))
        .group_by(Image.status, Image.error_code, fresh)
    )
    rows = read(engine, lambda connection: connection.execute(query).all())
    return [Tally(row[0], row[1], bool(row[2]), row[3]) for row in rows]


def forwarded(engine: Engine, targets: Sequence[Target], since: datetime) -> int:
    """Contents of ``targets`` that the current model classified ``since``: forward passes, not files."""
    # Not by a state: SQLite would read all that are done.
    there = exists().where(
        Image.content_id == Classification.content_id,
        Image.status != Status.MISSING,
        _within(targets, few=True),
    )
    query = (
        select(func.count())
        .select_from(Classification)
        .join(Model, and_(Model.id == Classification.model_id, Model.is_current))
        .where(Classification.classified_at >= since, there)
    )
    return _number(engine, query)


def frequent_labels(engine: Engine, targets: Sequence[Target], limit: int) -> list[NameCount]:
    """The most frequent first labels of ``targets`` under the current model."""
    count = func.count().label("images")
    first = and_(
        Prediction.content_id == Image.content_id, Prediction.model_id == Model.id, Prediction.rank == 1
    )
    name = and_(Label.label_set == Model.label_set, Label.class_index == Prediction.class_index)
    query = (
        select(Label.name, Label.name_zh, count)
        .join_from(Image, Model, Model.is_current.is_(True))
        .join(Prediction, first)
        .join(Label, name)
        .where(Image.status == Status.DONE, _within(targets))
        .group_by(Label.name, Label.name_zh)
        .order_by(count.desc(), Label.name)
        .limit(limit)
    )
    rows = read(engine, lambda connection: connection.execute(query).all())
    return [NameCount(*row) for row in rows]


def frequent_categories(engine: Engine, targets: Sequence[Target], limit: int) -> list[NameCount]:
    """The most frequent everyday categories of ``targets`` under the current model, where they are shown."""
    count = func.count().label("images")
    categories = (
        select(Category.name, Category.name_zh, count)
        .join_from(Image, Model, Model.is_current.is_(True))
        .join(Tag, and_(Tag.content_id == Image.content_id, Tag.model_id == Model.id))
        .join(Category, and_(Category.wnid == Tag.wnid, Category.curated, Category.everyday))
    )
    query = (
        thresholds.joined(categories, Model.id, Tag.wnid)
        .where(Image.status == Status.DONE, _within(targets))
        .where(Tag.score >= thresholds.SCORE)
        .group_by(Category.name, Category.name_zh)
        .order_by(count.desc(), Category.name)
        .limit(limit)
    )
    rows = read(engine, lambda connection: connection.execute(query).all())
    return [NameCount(*row) for row in rows]


def some_done(engine: Engine, targets: Sequence[Target], limit: int) -> list[tuple[int, bytes]]:
    """Root id and relative name of a few images of ``targets`` that are done."""
    query = (
        select(Image.root_id, Image.path, Image.path_raw)
        .where(Image.status == Status.DONE, _within(targets))
        .order_by(Image.id)
        .limit(limit)
    )
    rows = read(engine, lambda connection: connection.execute(query).all())
    return [(root_id, paths.to_bytes(path, path_raw)) for root_id, path, path_raw in rows]


def commits(engine: Engine) -> list[Commit]:
    """Every commit of results, the first one first."""
    at = Classification.classified_at
    query = select(at, func.count()).group_by(at).order_by(at)
    return [Commit(*row) for row in read(engine, lambda connection: connection.execute(query).all())]


def one_name_each(engine: Engine) -> list[bytes]:
    """For each content that is done the relative name of one of its images."""
    query = select(Image.content_id, Image.path, Image.path_raw).where(Image.status == Status.DONE)
    rows = read(engine, lambda connection: connection.execute(query).all())
    return list({content: paths.to_bytes(path, path_raw) for content, path, path_raw in rows}.values())


def _soon() -> ColumnElement[bool]:
    held = Image.root_id.in_(select(Root.id).where(holds.is_held()))
    return and_(~held, or_(Image.not_before.is_(None), Image.not_before <= clock.after(SOON)))


def _within(targets: Sequence[Target], few: bool = False) -> ColumnElement[bool]:
    # Where a state or a moment leaves few images, SQLite is not to read the whole root.
    root_id = dialects.unindexed(Image.root_id) if few else Image.root_id
    return or_(false(), *(_below(target, root_id) for target in targets))


def _below(target: Target, root_id: SQLColumnExpression[int]) -> ColumnElement[bool]:
    inside = root_id == target.root.id
    return and_(inside, dialects.below(Image.path, target.below)) if target.below else inside


def _number(engine: Engine, query: Select[Any]) -> int:
    return read(engine, lambda connection: connection.scalar(query)) or 0
