"""The plain records that pass between the ledger and those who work with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

#: Largest number that a 64-bit column holds; some file systems (tmpfs, btrfs) store later times.
MAX_NS = 2**63 - 1


def stored_ns(moment_ns: int) -> int:
    """A file's time as the ledger holds it."""
    return max(-MAX_NS, min(moment_ns, MAX_NS))


def stored_inode(inode: int) -> int:
    """An inode number as the ledger holds it: the kernel's have 64 bits without a sign."""
    return inode & MAX_NS


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file as a scan or an event found it: the name relative to its root, and its stat.

    ``inode`` is None where its file system does not keep it (``imaging.mounts.keeps_inodes``).
    """

    path: bytes
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int | None


@dataclass(frozen=True, slots=True)
class Registration:
    """What a registration did: how many files were new, changed and unchanged; the id of each by its name."""

    new: int
    changed: int
    unchanged: int
    ids: Mapping[bytes, int]


@dataclass(frozen=True, slots=True)
class PendingImage:
    """An image taken for the queue; one with attempts is a suspect and travels alone."""

    id: int
    attempts: int
    priority: int


@dataclass(frozen=True, slots=True)
class ClaimedImage:
    """An image in the hands of a worker."""

    id: int
    root_id: int
    path: bytes
    size_bytes: int
    attempts: int


@dataclass(frozen=True, slots=True)
class NewContent:
    """What was decoded: its description, the Top-3, the broader tags and the feature vector (float16)."""

    format: str
    width: int
    height: int
    taken_at: datetime | None
    camera: str | None
    top: Sequence[tuple[int, float]]
    tags: Sequence[tuple[str, float]]
    features: bytes | None = None
    taken_from: str | None = None
    color: str | None = None
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """An image that was classified, or (``content`` None) whose content was known already."""

    image_id: int
    sha256: str
    size_bytes: int
    mtime_ns: int
    content: NewContent | None


@dataclass(frozen=True, slots=True)
class Failed:
    """An image that cannot be classified; ``sha256`` of its bytes if they were read."""

    image_id: int
    code: str
    message: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """An image whose file is no longer there."""

    image_id: int


@dataclass(frozen=True, slots=True)
class Deferred:
    """An image that is tried again after ``seconds``."""

    image_id: int
    seconds: float


Outcome = Done | Failed | Gone | Deferred


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a batch was classified: the model's id, and the engine, precision and decode mode."""

    model_id: int
    engine: str
    precision: str
    decode: str


@dataclass(frozen=True, slots=True)
class FoundResult:
    """A content by its hash with what a model found in it, how and when (aware UTC)."""

    sha256: str
    content: NewContent
    provenance: Provenance
    classified_at: datetime


@dataclass(frozen=True, slots=True)
class SaidElsewhere:
    """What people said of a content elsewhere: of which tag (wnid), whether it shows it, when and who."""

    content: NewContent
    verdicts: Sequence[tuple[str, bool, datetime, str]]
