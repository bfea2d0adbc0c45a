"""What people ask the ledger: all about one image, what failed, how fast it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Engine, and_, func, select

from tagtray.db import clock, dialects, paths
from tagtray.db.access.transactions import read
from tagtray.db.reading import answers, figures
from tagtray.db.reading.answers import Result, TagResult
from tagtray.db.tables import Classification, Content, Image, Model, Root, Status


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """All that the ledger knows of an image; results are the current model's, best first."""

    id: int
    root_id: int
    root: str
    path: str
    path_raw: bytes | None
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
    taken_from: str | None
    camera: str | None
    color: str | None
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

    id: int
    root: str
    path: str
    error_code: str | None
    error_message: str | None
    attempts: int
    updated_at: datetime


def image(engine: Engine, root_id: int, name: bytes) -> ImageFacts | None:
    """The image with this relative name; None where the ledger has none."""
    path, _ = paths.to_text(name)
    wanted = and_(Image.root_id == root_id, Image.path == path)
    return read(engine, lambda connection: _image(connection, wanted))


def image_by_id(engine: Engine, image_id: int) -> ImageFacts | None:
    """The image of this id; None where the ledger has none."""
    return read(engine, lambda connection: _image(connection, Image.id == image_id))


def failures(engine: Engine, code: str | None, limit: int) -> tuple[list[Failure], int]:
    """The latest ``limit`` failures, of a code if one is given, and how many there are in all."""
    wanted = [Image.status == Status.FAILED]
    if code is not None:
        wanted.append(Image.error_code == code)
    columns = (
        *(Image.id, Root.name, Image.path, Image.error_code, Image.error_message),
        *(Image.attempts, Image.updated_at),
    )
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


def failure_codes(engine: Engine) -> list[tuple[str, int]]:
    """The codes of the failures there are, each with how many have it; the most frequent first."""
    count = func.count()
    query = (
        select(Image.error_code, count)
        .where(Image.status == Status.FAILED, Image.error_code.is_not(None))
        .group_by(Image.error_code)
        .order_by(count.desc(), Image.error_code)
    )
    return [(code or "", images) for code, images in read(engine, lambda c: c.execute(query).all())]


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
    *(
        Image.id,
        Image.root_id,
        Root.name.label("root"),
        Image.path,
        Image.path_raw,
        Image.status,
        Image.error_code,
        Image.error_message,
    ),
    *(Image.attempts, Image.size_bytes, Image.updated_at),
    *(Content.sha256, Content.format, Content.width, Content.height, Content.taken_at, Content.taken_from),
    *(Content.camera, Content.color),
    *(Model.name.label("model"), Classification.engine, Classification.precision, Classification.decode),
    Classification.classified_at,
)


def _image(connection: Connection, wanted: ColumnElement[bool]) -> ImageFacts | None:
    classification = and_(
        Classification.content_id == Content.id, Classification.model_id == Model.id, Model.is_current
    )
    query = (
        select(*_FACTS, Content.id)
        .join_from(Image, Root, Root.id == Image.root_id)
        .outerjoin(Content, Content.id == Image.content_id)
        .outerjoin(Model, Model.is_current.is_(True))
        .outerjoin(Classification, classification)
        .where(wanted)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    *values, content_id = row
    facts = dict(zip((column.key for column in _FACTS), values, strict=True))
    found = answers.results(connection, [content_id] if content_id else []).get(content_id, answers.NOTHING)
    return ImageFacts(**facts, results=found.results, tags=found.tags)
