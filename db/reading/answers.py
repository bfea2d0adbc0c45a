"""What the current model has found, for many images or contents at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    select,
)

from tagtray.db import thresholds, views
from tagtray.db.tables import (
    OWN,
    Category,
    Classification,
    Content,
    Image,
    Label,
    Model,
    Prediction,
    Tag,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Result:
    """One of the Top-3."""

    rank: int
    label: str
    label_zh: str
    wnid: str | None
    score: float


@dataclass(frozen=True, slots=True)
class TagResult:
    """A broader tag that is worth showing.

    ``origin``: ``model``, ``taught`` (an own tag) or ``person`` (somebody said so).
    """

    category: str
    category_zh: str
    wnid: str
    score: float
    origin: str


@dataclass(frozen=True, slots=True)
class Found:
    """The results of a content, best first."""

    results: Sequence[Result]
    tags: Sequence[TagResult]


NOTHING = Found((), ())


@dataclass(frozen=True, slots=True)
class Ended:
    """An image's state, and its content if one is known."""

    status: str
    error_code: str | None
    error_message: str | None
    content_id: int | None
    sha256: str | None


def _origin() -> ColumnElement[str]:
    """Who says that a tag is there, as the view has it."""
    said = exists().where(Verdict.content_id == Tag.content_id, Verdict.wnid == Tag.wnid, Verdict.counts())
    return case((said, "person"), (Tag.wnid.startswith(OWN), "taught"), else_="model")


# Made once: to put a statement together takes as long as to execute it.
_HASHES = Content.sha256.in_(bindparam("hashes", expanding=True))
_CONTENTS: BindParameter[int] = bindparam("contents", expanding=True)
_CLASSIFIED = (
    select(Content.sha256, Content.id)
    .join(Classification, Classification.content_id == Content.id)
    .where(_HASHES, Classification.model_id == select(Model.id).where(Model.is_current).scalar_subquery())
)
_IMAGES = (
    select(Image.content_id, func.min(Image.id))
    .where(Image.content_id.in_(_CONTENTS), views.is_shown())
    .group_by(Image.content_id)
)
_STATES: Select[*tuple[Any, ...]] = (
    select(Image.id, Image.status, Image.error_code, Image.error_message, Content.id, Content.sha256)
    .outerjoin(Content, Content.id == Image.content_id)
    .where(Image.id.in_(bindparam("images", expanding=True)))
)
_LABELS: Select[*tuple[Any, ...]] = (
    select(Prediction.content_id, Prediction.rank, Label.name, Label.name_zh, Label.wnid, Prediction.score)
    .join_from(Prediction, Model, and_(Model.id == Prediction.model_id, Model.is_current))
    .join(Label, and_(Label.label_set == Model.label_set, Label.class_index == Prediction.class_index))
    .where(Prediction.content_id.in_(_CONTENTS))
    .order_by(Prediction.content_id, Prediction.rank)
)
_TAGS: Select[*tuple[Any, ...]] = (
    thresholds.joined(
        select(Tag.content_id, Category.name, Category.name_zh, Category.wnid, Tag.score, _origin())
        .join_from(Tag, Category, Category.wnid == Tag.wnid)
        .join(Model, and_(Model.id == Tag.model_id, Model.is_current)),
        Tag.model_id,
        Tag.wnid,
    )
    .where(Tag.content_id.in_(_CONTENTS), Category.curated, Tag.score >= thresholds.SCORE)
    .order_by(Tag.content_id, Tag.score.desc(), Category.name)
)


def classified(connection: Connection, hashes: Collection[str]) -> dict[str, int]:
    """The ids of those contents, by SHA-256, that the current model has classified."""
    return dict(connection.execute(_CLASSIFIED, {"hashes": list(hashes)}).all())


def images(connection: Connection, content_ids: Collection[int]) -> dict[int, int]:
    """An image of each content that can be shown: its id by the content's."""
    rows = connection.execute(_IMAGES, {"contents": list(content_ids)})
    return {content_id: image_id for content_id, image_id in rows if content_id}


def shown(connection: Connection, hashes: Collection[str]) -> set[str]:
    """Those contents, by SHA-256, of which there is an image that can be shown."""
    query = (
        select(Content.sha256)
        .join(Image, Image.content_id == Content.id)
        .where(Content.sha256.in_(hashes), views.is_shown())
    )
    return set(connection.scalars(query))


def states(connection: Connection, image_ids: Collection[int]) -> dict[int, Ended]:
    """What became of images, by id."""
    rows = connection.execute(_STATES, {"images": list(image_ids)})
    return {row[0]: Ended(*row[1:]) for row in rows}


def results(connection: Connection, content_ids: Collection[int]) -> Mapping[int, Found]:
    """The results of contents; those that the current model has not classified are left out."""
    asked = {"contents": list(content_ids)}
    labels: dict[int, list[Result]] = defaultdict(list)
    for content_id, *row in connection.execute(_LABELS, asked):
        labels[content_id].append(Result(*row))
    tags: dict[int, list[TagResult]] = defaultdict(list)
    if labels:
        for content_id, *row in connection.execute(_TAGS, asked):
            tags[content_id].append(TagResult(*row))
    return {content_id: Found(found, tags[content_id]) for content_id, found in labels.items()}
