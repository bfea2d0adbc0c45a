"""The JSON of what people say of photos and of own tags."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

#: Photos of a request at most, tags of it, and characters of a tag's name.
MOST_IMAGES, MOST_TAGS, NAME_LENGTH = 1_000, 20, 200

Ids = Annotated[list[Annotated[int, Field(ge=1, le=2**63 - 1)]], Field(max_length=MOST_IMAGES)]
Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH)]
Names = Annotated[list[Name], Field(max_length=MOST_TAGS)]


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Correction(_Request):
    """Tags that photos show, and tags that they do not show, by name."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"images": [17, 18], "shows": ["cat"], "shows_not": ["dog"]}]},
    )
    images: Ids = Field(min_length=1)
    shows: Names = []
    shows_not: Names = []


class Undo(_Request):
    """Photos of which the last word is taken back."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"images": [17, 18]}]})
    images: Ids = Field(min_length=1)


class Corrected(_Answer):
    """How many verdicts were new, or taken back."""

    verdicts: int


class Said(Corrected):
    """What was new of what somebody said."""

    images: list[int] = Field(description="The photos of which something was new: what undoing is to name.")


class HistoryEntry(_Answer):
    """What somebody said; it counts until ``ended_at``."""

    wnid: str
    tag: str
    shows: bool
    at: datetime
    said_by: str
    ended_at: datetime | None


class History(_Answer):
    """All that was said of a photo."""

    items: list[HistoryEntry]


class Lesson(_Request):
    """Examples and counter-examples of an own tag."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "our garden", "images": [3, 5, 8, 13, 21], "not_images": [34]}]
        },
    )
    name: Name
    images: Ids = []
    not_images: Ids = []
    parent: Name | None = Field(None, description="The category that it belongs to.")


class Taught(_Answer):
    """The own tag that was taught."""

    wnid: str


class Change(_Request):
    """What is to be another one."""

    name: Name | None = None
    parent: Name | None = None


class OwnTag(_Answer):
    """An own tag; ``photos`` show it, of which at least the share ``precision`` is likely right."""

    wnid: str
    name: str
    parent: str | None
    examples: int
    counter_examples: int
    photos: int
    precision: float | None
    is_found: bool
    is_up_to_date: bool
    is_learning: bool = False
    reason: str | None = Field(None, description="Why nothing is found but what people said.")
    created_at: datetime
    trained_at: datetime | None


class OwnTags(_Answer):
    """All own tags."""

    items: list[OwnTag]


class _Photo(_Answer):
    id: int
    root: str
    path: str
    sha256: str
    width: int
    height: int
    thumb: str


class SimilarPhoto(_Photo):
    """A photo that looks like another one; ``cosine`` is 1 where it looks the same."""

    cosine: float


class SimilarPhotos(_Answer):
    """The photos most like one."""

    items: list[SimilarPhoto]


class CandidatePhoto(_Photo):
    """A photo to be judged; ``score`` null: nothing is learned yet."""

    score: float | None


class Candidates(_Answer):
    """Photos to be judged, the most helpful first."""

    items: list[CandidatePhoto]
