"""A model as a value: one description of everything that depends on which network answers."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import hashlib
import importlib.util
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from tagtray.config.errors import WeightsError
from tagtray.weights import files
from tagtray.weights.architectures import ARCHITECTURES, REDUCTION
from tagtray.weights.files import FileEntry
from tagtray.weights.labels import LabelSet
from tagtray.weights.layers import Network

#: Pixels of an input side, at most: memory and time grow with its square.
LARGEST_SIDE = 1024

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Rgb = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class InputSpec:
    """From an image to the network's input.

    The shorter side becomes ``resize`` pixels, of which the centre, ``side`` x ``side``, is seen; values are
    ``(RGB / 255 - mean) / std``. Resampling is always antialiased, as Pillow's is.
    """

    resize: Count
    side: Annotated[int, Field(ge=REDUCTION, le=LARGEST_SIDE)]
    interpolation: Literal["bilinear", "bicubic"]
    mean: Rgb
    std: Rgb
    antialias: Literal[True] = True

    def __post_init__(self) -> None:
        if self.resize < self.side:
            raise ValueError("resize is smaller than side")
        if not all(map(math.isfinite, self.mean)) or not all(0 < value < math.inf for value in self.std):
            raise ValueError("mean has to be finite, std finite and above zero")

    def as_json(self) -> dict[str, Any]:
        """As it stands in a manifest and in the database."""
        return {**dataclasses.asdict(self), "mean": list(self.mean), "std": list(self.std)}


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """Share of ``photos`` labelled photos whose class is among the first 1, 3, 5; None: not measured."""

    name: str
    photos: Count
    top1: Share
    top3: Share | None
    top5: Share | None


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
class Thresholds:
    """The score from which a broader tag is shown: of all but the categories that have their own, by wnid."""

    overall: Share
    categories: Mapping[str, Share] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Package:
    """A package that has the weights, in its ``folder``; the ``extra`` of tagtray installs it."""

    module: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    folder: files.FileName
    extra: str

    @property
    def path(self) -> Path | None:
        """Where the weights lie; None where the package is not installed."""
        found = importlib.util.find_spec(self.module)
        if found is None or not found.submodule_search_locations:
            return None
        return Path(found.submodule_search_locations[0], self.folder)


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a manifest says of a model; None: not known.

    ``package`` is None where the weights lie beside the manifest. ``ranges`` are the file of
    ``worker.networks.activation_ranges``, which int8 needs, ``reference`` that of
    ``worker.engines.self_test``.
    """

    name: Name
    architecture: str
    weights: FileEntry
    label_set: str
    input: InputSpec
    thresholds: Thresholds
    date: datetime.date | None = None
    licence: str | None = None
    calibration: Calibration | None = None
    accuracy: Accuracy | None = None
    package: Package | None = None
    ranges: FileEntry | None = None
    reference: FileEntry | None = None

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise ValueError(f"there is no architecture {self.architecture!r}")
        multiple = ARCHITECTURES[self.architecture].multiple
        if self.input.side % multiple:
            raise ValueError(f"the side of {self.architecture} has to be a multiple of {multiple}")

    @property
    def files(self) -> tuple[FileEntry, ...]:
        """The files of this model alone."""
        return tuple(file for file in (self.weights, self.ranges, self.reference) if file)

    @property
    def is_installed(self) -> bool:
        """Whether the package is here that has the weights, if one has."""
        return self.package is None or self.package.path is not None


@dataclass(frozen=True, kw_only=True)
class Model(Description):
    """A model that is here: its description, its labels, and the folder of its files."""

    labels: LabelSet
    folder: Path

    @property
    def network(self) -> Network:
        """What the architecture's name stands for."""
        return ARCHITECTURES[self.architecture]

    @property
    def classes(self) -> int:
        """Classes that it tells apart."""
        return len(self.labels.labels)

    @functools.cached_property
    def key(self) -> str:
        """Twelve hex digits that change with whatever changes the network's answers."""
        facts = [self.architecture, self.weights.sha256, self.classes, self.input.as_json()]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]

    def to_json(self) -> str:
        """The whole value, for another process of this machine."""
        return _SCHEMA.dump_json(self).decode()

    @staticmethod
    def from_json(text: str) -> Model:
        """What ``to_json`` wrote."""
        return _SCHEMA.validate_json(text)

    def path(self, file: FileEntry) -> Path:
        """Where one of its files lies."""
        elsewhere = self.package.path if self.package and file == self.weights else None
        return (elsewhere or self.folder) / file.name

    def verify(self) -> None:
        """Compare its files with their SHA-256; raises WeightsError with one sentence."""
        for file in self.files:
            files.verify(file, self.path(file).parent)

    def read(self, file: FileEntry) -> bytes:
        """The content of one of its files, which is what the SHA-256 says; raises WeightsError."""
        try:
            data = self.path(file).read_bytes()
        except OSError as error:
            raise files.unreadable(self.path(file), error) from error
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise WeightsError(
                f"{self.path(file)} is damaged: its SHA-256 is not the one that its manifest says."
            )
        return data


_SCHEMA = TypeAdapter(Model)
