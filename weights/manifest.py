"""What ships in this folder and what its models are: ``manifest.json``, read and held against the files."""

from __future__ import annotations

import datetime
import functools
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from tagtray.config.errors import WeightsError
from tagtray.weights import FOLDER

MANIFEST = "manifest.json"

#: Bytes read at a time while hashing; more is not faster.
CHUNK = 1 << 20

#: A bare file name: no folder, no way out of this one.
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Rgb = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of this folder: its name, its size in bytes and the hex SHA-256 of its content."""

    name: FileName
    bytes: Count
    sha256: Sha256


@dataclass(frozen=True, slots=True)
class Preprocess:
    """From a photo to the network's input: shorter side, centre crop (pixels), RGB / 255, normalised."""

    resize: Count
    crop: Count
    interpolation: Literal["bilinear", "bicubic"]
    antialias: bool
    mean: Rgb
    std: Rgb


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """Share of ``photos`` labelled photos whose class is among the first 1, 3, 5; None: not measured."""

    name: str
    photos: Count
    top1: Share
    top3: Share | None
    top5: Share


@dataclass(frozen=True, slots=True)
class LabelBand:
    """The best label where its score is >= ``min_score``: share that is right, share of photos it covers."""

    min_score: Share
    right: Share
    coverage: Share


@dataclass(frozen=True, slots=True)
class TagBand:
    """Tags of a score >= ``min_score``; ``photos``: share with at least one, None where not measured."""

    min_score: Share
    precision: Share
    recall: Share
    photos: Share | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """How scores were made to mean what they say: expected calibration error before and after."""

    method: str
    error_before: Share
    error_after: Share


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What was measured with the exact preprocessing."""

    labelled_sets: tuple[LabelledSet, ...]
    labels: tuple[LabelBand, ...]
    tags: tuple[TagBand, ...]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model: network, weights file, label set, preprocessing, what it is worth, when it was made.

    ``thresholds["tag"]`` is the score from which a broader tag is worth showing.
    """

    name: str
    weights: FileEntry
    architecture: str
    label_set: str
    date: datetime.date
    licence: str
    preprocess: Preprocess
    thresholds: Mapping[str, Share]
    calibration: Calibration
    accuracy: Accuracy


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that ships beside the code: models with their weights, and the other files."""

    models: tuple[ModelEntry, ...]
    files: tuple[FileEntry, ...]

    def every_file(self) -> tuple[FileEntry, ...]:
        """The weights of every model, then the other files."""
        return (*(entry.weights for entry in self.models), *self.files)


_SCHEMA = TypeAdapter(Manifest)


@functools.cache
def load(folder: Path = FOLDER) -> Manifest:
    """Read the manifest of ``folder``; raises WeightsError where it is missing or not a manifest."""
    source = folder / MANIFEST
    try:
        return _SCHEMA.validate_json(source.read_bytes())
    except FileNotFoundError as error:
        raise WeightsError(f"{source} is missing; install tagtray again.") from error
    except OSError as error:
        raise WeightsError(f"{source} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "not JSON"
        raise WeightsError(f"{source} is damaged ({where}); install tagtray again.") from error


def model(name: str, folder: Path = FOLDER) -> ModelEntry:
    """The model of this name; raises WeightsError where there is none."""
    entries = {entry.name: entry for entry in load(folder).models}
    if name not in entries:
        raise WeightsError(f"There is no model {name!r}; there is {', '.join(sorted(entries))}.")
    return entries[name]


def path(entry: FileEntry | ModelEntry, folder: Path = FOLDER) -> Path:
    """Where the file (of a model: its weights) lies."""
    return folder / (entry.weights if isinstance(entry, ModelEntry) else entry).name


def verify(entry: FileEntry | ModelEntry | None = None, folder: Path = FOLDER) -> None:
    """Hold a file, the weights of a model, or (None) every file against its size and SHA-256.

    Raises WeightsError with one sentence that names the first file that is missing, unreadable or changed.
    """
    if entry is None:
        for file in load(folder).every_file():
            _verify(file, folder)
    else:
        _verify(entry.weights if isinstance(entry, ModelEntry) else entry, folder)


def digest(source: Path) -> FileEntry:
    """Measure a file, streaming; raises OSError."""
    sha256 = hashlib.sha256()
    with source.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            sha256.update(chunk)
        return FileEntry(source.name, stream.tell(), sha256.hexdigest())


def _verify(expected: FileEntry, folder: Path) -> None:
    source = path(expected, folder)
    try:
        size = os.stat(source).st_size
        if size != expected.bytes:
            raise WeightsError(f"{source} is damaged: it has {size} bytes instead of {expected.bytes}.")
        found = digest(source)
    except FileNotFoundError as error:
        raise WeightsError(f"{source} is missing; install tagtray again.") from error
    except OSError as error:
        raise WeightsError(f"{source} cannot be read: {error.strerror}.") from error
    if found.sha256 != expected.sha256:
        raise WeightsError(f"{source} is damaged: its SHA-256 is not the one that {MANIFEST} says.")
