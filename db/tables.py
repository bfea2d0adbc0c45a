"""The tables: typed SQLAlchemy models of the ledger, the results and the catalogue."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tagtray.db.clock import UtcDateTime

#: SQLite counts row ids up only for INTEGER; PostgreSQL needs 64 bits said.
BigId = BigInteger().with_variant(Integer, "sqlite")


class Status(StrEnum):
    """States of an image; see docs/design.md for who moves it where."""

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    MISSING = "missing"


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {int: BigId, datetime: UtcDateTime, dict[str, Any]: JSON}


class Root(Base):
    """A watched folder; where it lies may differ per host (``TAGTRAY_ROOT_<NAME>``)."""

    __tablename__ = "roots"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    path: Mapped[str]


class Content(Base):
    """The bytes of an image, wherever they lie; ``taken_at`` is the camera's local time."""

    __tablename__ = "contents"
    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    format: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    taken_at: Mapped[datetime | None] = mapped_column(DateTime())
    camera: Mapped[str | None]


class Image(Base):
    """One file seen under a root, and its state."""

    __tablename__ = "images"
    __table_args__ = (
        # A scan looks up its files.
        UniqueConstraint("root_id", "path"),
        # The feeder takes the oldest that wait; leases, retries, progress and status ask for a state.
        Index("ix_images_status_id", "status", "id"),
        # From results to files: the views where a label or a category is asked for, and a run's summary.
        Index("ix_images_content_id", "content_id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    root_id: Mapped[int] = mapped_column(ForeignKey("roots.id"))
    path: Mapped[str]
    path_raw: Mapped[bytes | None] = mapped_column(LargeBinary)
    content_id: Mapped[int | None] = mapped_column(ForeignKey("contents.id"))
    size_bytes: Mapped[int]
    mtime_ns: Mapped[int]
    status: Mapped[str]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    first_seen_at: Mapped[datetime]
    queued_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class Model(Base):
    """One description of a network: weights, label set, preprocessing and thresholds."""

    __tablename__ = "models"
    __table_args__ = (UniqueConstraint("name", "weights_sha256"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    label_set: Mapped[str]
    weights_sha256: Mapped[str]
    preprocess: Mapped[dict[str, Any]]
    thresholds: Mapped[dict[str, Any]]
    is_current: Mapped[bool]
    created_at: Mapped[datetime]


class Label(Base):
    """A class of a label set."""

    __tablename__ = "labels"
    label_set: Mapped[str] = mapped_column(primary_key=True)
    class_index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    # Both for the views: SQLite, which has no statistics, begins with what an index finds.
    wnid: Mapped[str | None] = mapped_column(index=True)
    name: Mapped[str] = mapped_column(index=True)
    name_zh: Mapped[str]


class Category(Base):
    """A WordNet parent of classes."""

    __tablename__ = "categories"
    wnid: Mapped[str] = mapped_column(primary_key=True)
    # The view of the tags where a category is asked for.
    name: Mapped[str] = mapped_column(index=True)
    name_zh: Mapped[str]
    aliases: Mapped[str]
    curated: Mapped[bool]


class LabelCategory(Base):
    """Closure: every ancestor of every class."""

    __tablename__ = "label_categories"
    class_wnid: Mapped[str] = mapped_column(primary_key=True)
    category_wnid: Mapped[str] = mapped_column(ForeignKey("categories.wnid"), primary_key=True)


class Classification(Base):
    """That a content was classified by a model, and how."""

    __tablename__ = "classifications"
    content_id: Mapped[int] = mapped_column(ForeignKey("contents.id"), primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"), primary_key=True)
    engine: Mapped[str]
    precision: Mapped[str]
    decode: Mapped[str]
    # Status and a run's summary count what is newer than a moment.
    classified_at: Mapped[datetime] = mapped_column(index=True)


class Prediction(Base):
    """One of the Top-3 of a content under a model."""

    __tablename__ = "predictions"
    content_id: Mapped[int] = mapped_column(ForeignKey("contents.id"), primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"), primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    # The views where a label is asked for.
    class_index: Mapped[int] = mapped_column(index=True)
    score: Mapped[float]


class Tag(Base):
    """A broader tag: the softmax summed over the member classes of a category."""

    __tablename__ = "tags"
    content_id: Mapped[int] = mapped_column(ForeignKey("contents.id"), primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"), primary_key=True)
    # The index is the view's, where a category is asked for.
    wnid: Mapped[str] = mapped_column(ForeignKey("categories.wnid"), primary_key=True, index=True)
    score: Mapped[float]
