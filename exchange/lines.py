"""The lines of a JSONL file: images with the current model's results, behind the own tags of the ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AwareDatetime,
    Base64Bytes,
    Field,
    NaiveDatetime,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from tagtray.config.errors import UsageError

#: Of the format; a line says it under the key ``tagtray``.
VERSION: Final = 1

#: Characters of a text; PostgreSQL takes no NUL.
Text = Annotated[str, StringConstraints(max_length=1_000, pattern=r"^[^\x00]*$")]
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Score = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Weights = Annotated[Base64Bytes, Field(max_length=65_536)]
Side = Annotated[int, Field(ge=1, le=2**31)]


@dataclass(frozen=True, slots=True)
class Label:
    """One of the Top-3: the class by its number in the label set, and what it is called."""

    index: Annotated[int, Field(ge=0, le=2**31)]
    wnid: Text | None
    name: Text
    name_zh: Text
    score: Score


@dataclass(frozen=True, slots=True)
class Tag:
    """A broader tag; one that is ``shown`` is curated and reaches its threshold."""

    wnid: Text
    name: Text
    name_zh: Text
    score: Score
    shown: bool


@dataclass(frozen=True, slots=True)
class Model:
    """A model by its name and the hash of its weights, which are the same in every ledger."""

    name: Text
    weights_sha256: Hash


@dataclass(frozen=True, slots=True)
class Result:
    """What a model found; ``features`` are the vector's bytes (little-endian float16), in base64."""

    model: Model
    engine: Text
    precision: Text
    decode: Text
    classified_at: AwareDatetime
    labels: Annotated[list[Label], Field(min_length=1, max_length=3)]
    tags: Annotated[list[Tag], Field(max_length=1_000)]
    features: Base64Bytes | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody said of the content; ``score`` is what the model had given, None where it gave none."""

    wnid: Text
    name: Text
    shows: bool
    at: AwareDatetime
    said_by: Text
    score: Score | None = None


@dataclass(frozen=True, slots=True)
class Classifier:
    """What was learned of an own tag, as ``own_tag_classifiers`` has it; the weights are in base64."""

    model: Model
    positives: Annotated[int, Field(ge=0, le=2**31)]
    negatives: Annotated[int, Field(ge=0, le=2**31)]
    others: Annotated[int, Field(ge=0, le=2**31)]
    weights: Weights
    bias: Annotated[float, Field(allow_inf_nan=False)]
    threshold: Score
    precision: Score


@dataclass(frozen=True, slots=True)
class OwnTag:
    """A tag that people taught; ``parent`` is the wnid of the category that it is below."""

    wnid: Annotated[str, StringConstraints(pattern=r"^own:[0-9a-f]{1,64}$")]
    name: Annotated[Text, StringConstraints(min_length=1)]
    parent: Text | None
    classifiers: Annotated[list[Classifier], Field(max_length=1_000)]


@dataclass(frozen=True, slots=True)
class OwnTagLine:
    """A line of an own tag; these stand before those of images."""

    tagtray: Literal[1]
    own_tag: OwnTag


@dataclass(frozen=True, slots=True)
class Line:
    """An image: where it lies, its content, and its result; None where the model has not seen it.

    ``verdicts`` are those that count; they stand in the tags of the result already.
    """

    tagtray: Literal[1]
    file: str
    root: str
    path: str
    sha256: Hash
    format: Text
    width: Side
    height: Side
    taken_at: NaiveDatetime | None
    taken_from: Text | None
    camera: Text | None
    color: Annotated[str, StringConstraints(pattern=r"^#[0-9a-f]{6}$")] | None
    partial: bool
    result: Result | None
    verdicts: Annotated[list[Verdict], Field(max_length=1_000)] = field(default_factory=list)


_LINE, _OWN_TAG = TypeAdapter(Line), TypeAdapter(OwnTagLine)
_OBJECT = TypeAdapter(dict[str, Any])
#: What a line of an own tag has in it, and no other one before its path.
_MARK = b'"own_tag"'


def text(line: Line | OwnTagLine) -> bytes:
    """What ``parse`` reads, with its line break."""
    written = _LINE.dump_json(line) if isinstance(line, Line) else _OWN_TAG.dump_json(line)
    return written + b"\n"


def parse(text: bytes) -> Line | OwnTagLine:
    """The line that ``text`` is; raises UsageError with a sentence from its verb on."""
    try:
        if _MARK in text[:60]:
            return _OWN_TAG.validate_json(text)
        return _LINE.validate_json(text)
    except ValidationError as error:
        raise UsageError(_complaint(text, error)) from None


def _complaint(text: bytes, error: ValidationError) -> str:
    try:
        version = _OBJECT.validate_json(text).get("tagtray")
    except ValidationError:
        return "is no line of `tagtray export FILE.jsonl`: it is broken or something else"
    if version is None:
        return "is no line of `tagtray export FILE.jsonl`"
    if version != VERSION:
        return f"is of version {version!r:.20} of the format; this tagtray reads version {VERSION}"
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"is broken at {'.'.join(map(str, first['loc']))}: {first['msg'][:1].lower()}{first['msg'][1:]}"
