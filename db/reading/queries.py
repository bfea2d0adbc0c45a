"""What people ask the ledger: all about one image, what failed, how fast it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, and_, func, select
from sqlalchemy.orm import aliased

from tagtray.db import clock, dialects, paths
from tagtray.db.access.transactions import read
from tagtray.db.reading import figures
from tagtray.db.tables import (
    Category,
    Classification,
    Content,
    Image,
    Label,
    Model,
    Prediction,
    Root,
    Status,
    Tag,
    Threshold,
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
    """A broader tag that is worth showing."""

    category: str
    category_zh: str
    wnid: str
    score: float


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """All that the ledger knows of an image; results are the current model's, best first."""

    root: str
    path: str
    status: str
    error_code: str | None
    error_message: str | None
    attempts: int
    size_bytes: int
    updated_at: datetime
    sha256: str | None
    format: str | None
    width: int | None
    height: int | None
    taken_at: datetime | None
    camera: str | None
    model: str | None
    engine: str | None
    precision: str | None
    decode: str | None
    classified_at: datetime | None
    results: Sequence[Result]
    tags: Sequence[TagResult]


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that failed, as the view ``failures`` has it."""

    root: str
    path: str
    error_code: str | None
    error_message: str | None
    attempts: int
    updated_at: datetime


def image(engine: Engine, root_id: int, name: bytes) -> ImageFacts | None:
    """The image with this relative name; None where the ledger has none."""
    path, _ = paths.to_text(name)
    return read(engine, lambda connection: _image(connection, root_id, path))


def failures(engine: Engine, code: str | None, limit: int) -> tuple[list[Failure], int]:
    """The latest ``limit`` failures, of a code if one is given, and how many there are in all."""
    wanted = [Image.status == Status.FAILED]
    if code is not None:
        wanted.append(Image.error_code == code)
    columns = (Root.name, Image.path, Image.error_code, Image.error_message, Image.attempts, Image.updated_at)
    query = (
        select(*columns)
        .join_from(Image, Root, Root.id == Image.root_id)
        .where(*wanted)
        .order_by(Image.updated_at.desc(), Image.id)
        .limit(limit)
    )
    rows = read(engine, lambda connection: connection.execute(query).all())
    total = read(
        engine,
        lambda connection: connection.scalar(select(func.count()).select_from(Image).where(*wanted)),
    )
    return [Failure(*row) for row in rows], total or 0


def ended_ids(engine: Engine, root_id: int, name: bytes) -> list[int]:
    """The image with this relative name, or those in the folder of this name, that are done or failed."""
    path, _ = paths.to_text(name)
    query = select(Image.id).where(
        Image.root_id == root_id,
        Image.status.in_((Status.DONE, Status.FAILED)),
        (Image.path == path) | dialects.below(Image.path, name),
    )
    return read(engine, lambda connection: list(connection.scalars(query)))


def classified(engine: Engine, seconds: float) -> int:
    """Images that went through a network in the last ``seconds``."""
    # By model, as the index has them.
    query = select(func.count()).where(
        Classification.model_id.in_(select(Model.id)), Classification.classified_at > clock.after(-seconds)
    )
    return read(engine, lambda connection: connection.scalar(query)) or 0


def oldest_wait(engine: Engine) -> float | None:
    """As ``figures.oldest_wait``."""
    return read(engine, figures.oldest_wait)


_FACTS = (
    *(Root.name.label("root"), Image.path, Image.status, Image.error_code, Image.error_message),
    *(Image.attempts, Image.size_bytes, Image.updated_at),
    *(Content.sha256, Content.format, Content.width, Content.height, Content.taken_at, Content.camera),
    *(Model.name.label("model"), Classification.engine, Classification.precision, Classification.decode),
    Classification.classified_at,
)


def _image(connection: Connection, root_id: int, path: str) -> ImageFacts | None:
    classification = and_(
        Classification.content_id == Content.id, Classification.model_id == Model.id, Model.is_current
    )
    query = (
        select(*_FACTS, Content.id, Model.id)
        .join_from(Image, Root, Root.id == Image.root_id)
        .outerjoin(Content, Content.id == Image.content_id)
        .outerjoin(Model, Model.is_current.is_(True))
        .outerjoin(Classification, classification)
        .where(Image.root_id == root_id, Image.path == path)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    *values, content_id, model_id = row
    facts = dict(zip((column.key for column in _FACTS), values, strict=True))
    results, tags = _results(connection, content_id, model_id), _tags(connection, content_id, model_id)
    return ImageFacts(**facts, results=results, tags=tags)


def _results(connection: Connection, content_id: int, model_id: int) -> list[Result]:
    query = (
        select(Prediction.rank, Label.name, Label.name_zh, Label.wnid, Prediction.score)
        .join_from(Prediction, Model, Model.id == Prediction.model_id)
        .join(Label, and_(Label.label_set == Model.label_set, Label.class_index == Prediction.class_index))
        .where(Prediction.content_id == content_id, Prediction.model_id == model_id)
        .order_by(Prediction.rank)
    )
    return [Result(*row) for row in connection.execute(query)]


def _tags(connection: Connection, content_id: int, model_id: int) -> list[TagResult]:
    default = aliased(Threshold)
    query = (
        select(Category.name, Category.name_zh, Category.wnid, Tag.score)
        .join_from(Tag, Category, Category.wnid == Tag.wnid)
        .where(Tag.content_id == content_id, Tag.model_id == model_id)
        .join(default, and_(default.model_id == Tag.model_id, default.wnid == ""))
        .outerjoin(Threshold, and_(Threshold.model_id == Tag.model_id, Threshold.wnid == Tag.wnid))
        .where(Category.curated, Tag.score >= func.coalesce(Threshold.score, default.score))
        .order_by(Tag.score.desc(), Category.name)
    )
    return [TagResult(*row) for row in connection.execute(query)]
