"""The plain records that pass between the ledger and those who work with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

#: Largest mtime that the ledger's 64-bit column holds; some file systems (tmpfs, btrfs) store later ones.
MAX_NS = 2**63 - 1


def stored_ns(mtime_ns: int) -> int:
    """The mtime as the ledger holds it."""
    return max(-MAX_NS, min(mtime_ns, MAX_NS))


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file as a scan or an event found it: the name relative to its root, and its stat."""

    path: bytes
    size_bytes: int
    mtime_ns: int


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
    """An image that cannot be classified."""

    image_id: int
    code: str
    message: str


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
