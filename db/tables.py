"""The tables: typed SQLAlchemy models of the ledger, the results and the catalogue."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tagtray.db.clock import UtcDateTime

#: What the wnid of an own tag begins with; those of WordNet begin with "n".
OWN = "own:"
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
    IGNORED = "ignored"


#: States of images that are still to be read.
ON_THEIR_WAY = (Status.PENDING, Status.QUEUED, Status.RUNNING)


class Priority(IntEnum):
    """Which pending images are queued first; within one, roots share alike, each in the order they came."""

    STALE = 0
    NEW = 1
    URGENT = 2


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {int: BigId, datetime: UtcDateTime, dict[str, Any]: JSON, list[str]: JSON}


class Root(Base):
    """A watched folder; where it lies may differ per host (``TAGTRAY_ROOT_<NAME>``).

    Nothing of it is queued before ``held_until``: it is paused, or its files cannot be read just now.
    """

    __tablename__ = "roots"
    # No id comes again: processes that know a root by it may not have heard yet that it is gone.
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    path: Mapped[str]
    # Where the path holds: the host that named it last.
    host: Mapped[str]
    held_until: Mapped[datetime | None]


class Content(Base):
    """The bytes of an image, wherever they lie; ``taken_at`` is the camera's local time.

    ``color`` is the mean one of what the network sees, as #rrggbb; of a ``partial`` image the last lines are
    missing.
    """

    __tablename__ = "contents"
    # Albums by date (and what is stale, the newest photo first), and by camera.
    __table_args__ = (
        Index("ix_contents_taken_at", "taken_at", "id"),
        Index("ix_contents_camera", "camera", "taken_at", "id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    format: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    taken_at: Mapped[datetime | None] = mapped_column(DateTime())
    taken_from: Mapped[str | None]
    camera: Mapped[str | None]
    color: Mapped[str | None]
    partial: Mapped[bool]


class Image(Base):
    """One file seen under a root, and its state."""

    __tablename__ = "images"
    __table_args__ = (
        # A scan looks up its files.
        UniqueConstraint("root_id", "path"),
        # The feeder takes what waits, the urgent first, from the roots that are not held; leases, retries,
        # progress and status ask for a state.
        Index("ix_images_status_priority_root_id", "status", "priority", "root_id", "id"),
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
    ctime_ns: Mapped[int]
    inode: Mapped[int | None]
    status: Mapped[str]
    priority: Mapped[int] = mapped_column(default=Priority.NEW)
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
    """One description of a network: architecture, weights, input and label set."""

    __tablename__ = "models"
    __table_args__ = (UniqueConstraint("name", "weights_sha256"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    architecture: Mapped[str]
    label_set: Mapped[str]
    weights_sha256: Mapped[str]
    input: Mapped[dict[str, Any]]
    is_current: Mapped[bool]
    created_at: Mapped[datetime]


class Threshold(Base):
    """The score from which a model's tags are shown: of one category, or (``wnid`` empty) of all others."""

    __tablename__ = "thresholds"
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"), primary_key=True)
    wnid: Mapped[str] = mapped_column(primary_key=True)
    score: Mapped[float]


class Label(Base):
    """A class of a label set; ``aliases`` are further words for it, with ``|`` between them."""

    __tablename__ = "labels"
    label_set: Mapped[str] = mapped_column(primary_key=True)
    class_index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    # Both for the views: SQLite, which has no statistics, begins with what an index finds.
    wnid: Mapped[str | None] = mapped_column(index=True)
    name: Mapped[str] = mapped_column(index=True)
    name_zh: Mapped[str]
    aliases: Mapped[str]


class Category(Base):
    """A WordNet parent of classes; an ``everyday`` one is what most people would say first."""

    __tablename__ = "categories"
    wnid: Mapped[str] = mapped_column(primary_key=True)
    # The view of the tags where a category is asked for.
    name: Mapped[str] = mapped_column(index=True)
    name_zh: Mapped[str]
    aliases: Mapped[str]
    curated: Mapped[bool]
    everyday: Mapped[bool]
    icon: Mapped[str]


class LabelCategory(Base):
    """Closure: every ancestor of every class."""

    __tablename__ = "label_categories"
    class_wnid: Mapped[str] = mapped_column(primary_key=True)
    category_wnid: Mapped[str] = mapped_column(ForeignKey("categories.wnid"), primary_key=True)


class Classification(Base):
    """That a content was classified by a model, and how."""

    __tablename__ = "classifications"
    # Status and a run's summary count what is newer than a moment; the feeder asks whether there are others
    # than the current model's.
    __table_args__ = (Index("ix_classifications_model_id_classified_at", "model_id", "classified_at"),)
    content_id: Mapped[int] = mapped_column(ForeignKey("contents.id"), primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"), primary_key=True)
    engine: Mapped[str]
    precision: Mapped[str]
    decode: Mapped[str]
    classified_at: Mapped[datetime]


class Feature(Base):
    """The pooled feature vector of a content under a model: little-endian float16, 512 of a ResNet-18."""

    __tablename__ = "features"
    content_id: Mapped[int] = mapped_column(ForeignKey("contents.id"), primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"), primary_key=True)
    vector: Mapped[bytes]


class Worker(Base):
    """A worker process that lives, or was heard of lately; ``roots`` are the names of those it can read."""

    __tablename__ = "workers"
    id: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    version: Mapped[str]
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    engine: Mapped[str]
    precision: Mapped[str]
    passed_over: Mapped[str]
    roots: Mapped[list[str]]
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
    images: Mapped[int] = mapped_column(default=0)


class Prediction(Base):
    """One of the Top-3 of a content under a model."""

    __tablename__ = "predictions"
    __table_args__ = (
        # Photos of a label, the surest first.
        Index("ix_predictions_class_index_score", "class_index", "model_id", "score", "content_id"),
        # All photos, the surest first.
        Index(
            "ix_predictions_score",
            "score",
            "model_id",
            "content_id",
            sqlite_where=text("rank = 1"),
            postgresql_where=text("rank = 1"),
        ),
    )
    content_id: Mapped[int] = mapped_column(ForeignKey("contents.id"), primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"), primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    class_index: Mapped[int]
    score: Mapped[float]


class Tag(Base):
    """A broader tag: the softmax summed over the member classes of a category."""

    __tablename__ = "tags"
    # Photos of a category, the surest first.
    __table_args__ = (Index("ix_tags_wnid_score", "wnid", "model_id", "score", "content_id"),)
    content_id: Mapped[int] = mapped_column(ForeignKey("contents.id"), primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"), primary_key=True)
    wnid: Mapped[str] = mapped_column(ForeignKey("categories.wnid"), primary_key=True)
    score: Mapped[float]


class OwnTag(Base):
    """A tag that people teach: a category of their own, whose name is that of its row in ``categories``.

    ``examples_version`` counts the changes of its examples, which are the verdicts on it.
    """

    __tablename__ = "own_tags"
    wnid: Mapped[str] = mapped_column(ForeignKey("categories.wnid"), primary_key=True)
    parent_wnid: Mapped[str | None] = mapped_column(ForeignKey("categories.wnid"))
    examples_version: Mapped[int]
    created_at: Mapped[datetime]


class OwnTagClassifier(Base):
    """What was learned of an own tag from the features of a model.

    ``fit`` is another one after each training, ``examples_version`` that of the examples; ``others`` is how
    many other photos there were. A photo's score is the sigmoid of ``bias`` plus the product of ``weights``
    (little-endian float32) and its features, which are brought to length 1. The share ``precision``
    or more is right from the threshold on, with a chance of nine in ten.
    """

    __tablename__ = "own_tag_classifiers"
    wnid: Mapped[str] = mapped_column(ForeignKey("own_tags.wnid"), primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"), primary_key=True)
    fit: Mapped[str]
    examples_version: Mapped[int]
    positives: Mapped[int]
    negatives: Mapped[int]
    others: Mapped[int]
    weights: Mapped[bytes]
    bias: Mapped[float]
    precision: Mapped[float]
    trained_at: Mapped[datetime]


class Verdict(Base):
    """What somebody said of a content: that it shows a tag (1) or does not (-1).

    It counts until ``ended_at``, when it was taken back or another one took its place.
    """

    __tablename__ = "verdicts"
    __table_args__ = (
        # The verdict that counts; and all that were given on a photo.
        Index(
            "uq_verdicts_content_id_wnid",
            "content_id",
            "wnid",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_verdicts_content_id_id", "content_id", "id"),
        # The examples of an own tag.
        Index("ix_verdicts_wnid_content_id", "wnid", "content_id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    content_id: Mapped[int] = mapped_column(ForeignKey("contents.id"))
    wnid: Mapped[str]
    verdict: Mapped[int]
    at: Mapped[datetime]
    said_by: Mapped[str]
    ended_at: Mapped[datetime | None]

    @classmethod
    def counts(cls) -> ColumnElement[bool]:
        """SQL condition: it was not taken back, and not replaced."""
        return cls.ended_at.is_(None)


class OverruledTag(Base):
    """The score that a model or a classifier gave where a verdict stands instead; None: it gave none."""

    __tablename__ = "overruled_tags"
    content_id: Mapped[int] = mapped_column(ForeignKey("contents.id"), primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"), primary_key=True)
    wnid: Mapped[str] = mapped_column(ForeignKey("categories.wnid"), primary_key=True)
    score: Mapped[float | None]


class Sidecar(Base):
    """The keywords that tagtray added to the XMP file beside an image, by property.

    ``sha256`` is that of the file as it was written, ``former_sha256`` that of the one before while it is
    replaced; ``original`` is the file without the keywords, None where there was none.
    """

    __tablename__ = "sidecars"
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), primary_key=True)
    keywords: Mapped[dict[str, Any]]
    # A sidecar that was moved or copied with its photo.
    sha256: Mapped[str] = mapped_column(index=True)
    former_sha256: Mapped[str | None]
    original: Mapped[bytes | None]
    written_at: Mapped[datetime]


class AlbumFile(Base):
    """A link to an image, or a copy, that tagtray made in an album's folder of a category.

    The path is absolute and holds on ``host``; size and modification time are those of a copy.
    """

    __tablename__ = "album_files"
    __table_args__ = (UniqueConstraint("host", "path"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    host: Mapped[str]
    album: Mapped[str]
    path: Mapped[str]
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    size_bytes: Mapped[int]
    mtime_ns: Mapped[int]
    written_at: Mapped[datetime]


class Audit(Base):
    """An upload: when it came from whom, what it was, what came of it and after how long."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_at", "at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    client: Mapped[str]
    user_agent: Mapped[str]
    # None where the file did not arrive as a whole.
    sha256: Mapped[str | None]
    outcome: Mapped[str]
    milliseconds: Mapped[int]
