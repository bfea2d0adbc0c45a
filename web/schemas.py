"""The JSON of the API: what is accepted and what is answered, with examples for the documentation."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from tagtray.web import examples

#: The id of an image in an address.
ImageId = Annotated[int, Path(ge=1, le=2**63 - 1, description="Id of an image.", examples=[17])]


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Label(_Answer):
    """One of the three best labels."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [examples.LABEL]})
    rank: int
    label: str
    label_zh: str
    wnid: str | None
    score: float = Field(description="From 0 to 1.")


class Tag(_Answer):
    """A broader tag that is worth showing."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [examples.TAG]})
    category: str
    category_zh: str
    wnid: str
    score: float = Field(description="From 0 to 1.")
    origin: str = Field(description="model, taught (an own tag) or person (somebody said so).")
    named: bool = Field(description="Whether a short list has it: cat, animal, but not mammal between them.")


class Problem(BaseModel):
    """What is wrong (RFC 9457)."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Unprocessable Content",
                    "status": 422,
                    "code": "not_an_image",
                    "detail": "The file is a text file, not a picture.",
                }
            ]
        },
    )
    type: str
    title: str
    status: int
    code: str = Field(description="Stable.")
    detail: str = Field(description="One sentence for people.")


class Prediction(_Answer):
    """What an uploaded photo shows."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "sha256": examples.SHA256,
                    "image": 17,
                    "results": [examples.LABEL],
                    "tags": [examples.TAG],
                    "cached": False,
                }
            ]
        },
    )
    sha256: str
    image: int | None = Field(
        description="Its id; null where the ledger knows the photo and has no file of it."
    )
    results: list[Label]
    tags: list[Tag]
    cached: bool = Field(description="Whether the ledger knew the answer already.")


class Predictions(_Answer):
    """What several uploaded photos show, or what is wrong with each, in their order."""

    items: list[Prediction | Problem]


class ImageItem(_Answer):
    """A photo in a list; ``score`` is how well it fits the query, else that of its first label."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [examples.IMAGE_ITEM]})
    id: int
    root: str
    path: str
    label: str | None
    label_zh: str | None
    wnid: str | None
    score: float | None
    taken_at: datetime | None = Field(description="Local time of the camera.")
    width: int
    height: int
    color: str | None = Field(description="Mean colour, as #rrggbb.")
    sha256: str
    thumb: str


class ImagePage(_Answer):
    """Photos of a query; ``cursor`` is for the next page, null after the last one."""

    query: str
    order: str
    notes: list[str] = Field(description="Sentences on words that could mean something else.")
    items: list[ImageItem]
    cursor: str | None


class ImageDetails(_Answer):
    """All that is known of an image."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [examples.IMAGE_DETAILS]})
    id: int
    root: str
    path: str
    file: str = Field(description="Path on this host.")
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
    results: list[Label]
    tags: list[Tag]
    thumb: str | None
    preview: str | None


class FailureItem(_Answer):
    """An image that could not be classified."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [examples.FAILURE_ITEM]})
    id: int
    root: str
    path: str
    error_code: str | None
    error_message: str | None
    attempts: int
    updated_at: datetime


class Failures(_Answer):
    """The latest failures, and how many there are in all."""

    total: int
    items: list[FailureItem]


class RetryRequest(BaseModel):
    """Which failures to try again: those of ``ids`` or of a ``code``; all where neither is given."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"ids": [17]}]})
    code: str | None = None
    ids: list[Annotated[int, Field(ge=1, le=2**63 - 1)]] | None = Field(None, max_length=10_000)
    force: bool = Field(
        False, description="Also those of ids that are done: their files are read again, as by `--force`."
    )


class Retried(BaseModel):
    """How many images are pending again."""

    images: int


class Suggestion(_Answer):
    """A word that a query may go on with."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [examples.SUGGESTION]})
    name: str
    name_zh: str
    kind: str = Field(description="label or category")


class CategoryChip(_Answer):
    """A frequent category, and how many photos show it."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [examples.CATEGORY_CHIP]})
    category: str
    category_zh: str
    icon: str
    photos: int


class MonthChip(_Answer):
    """A month (``YYYY-MM``), and how many photos are of it."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [examples.MONTH_CHIP]})
    month: str
    photos: int


class Facets(_Answer):
    """What the collection can be narrowed by; ``age`` (of the categories) and ``months_age``: seconds."""

    photos: int
    categories: list[CategoryChip]
    months: list[MonthChip]
    undated: int
    age: float
    months_age: float


class StatusAnswer(BaseModel):
    """How things stand: the same as `tagtray status --json`."""

    model_config = ConfigDict(extra="allow")
    images: dict[str, int]
    model: str | None
    stale: int
    images_per_second: float
    oldest_pending_seconds: float | None
    workers: list[dict[str, Any]]
    redis: dict[str, Any]
