"""When an image was taken, and what says so: a fact from the camera, or a guess from a file's name."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from PIL import ExifTags, Image

from tagtray.imaging import dates

#: Bytes of XMP that are searched for a date; cameras write a few thousand.
XMP_BYTES = 2**20

#: Text chunks of a PNG that hold the moment of the original, by how much they can be trusted.
_PNG_KEYS = ("exif:DateTimeOriginal", "Creation Time")

#: Length and name of the chunk that says when a PNG was last changed.
_PNG_TIME = b"\0\0\0\7tIME"

# As an attribute or as an element; UTF-16 has lost its zero bytes.
_XMP_DATE = re.compile(
    rb"""(exif:DateTimeOriginal|photoshop:DateCreated)\s*(?:=\s*["']|>)\s*([0-9][^"'<]{3,40})"""
)


class Source(StrEnum):
    """What ``contents.taken_from`` says of ``contents.taken_at``, the surest first."""

    EXIF = "exif"  #: the camera's DateTimeOriginal or DateTimeDigitized
    XMP = "xmp"  #: exif:DateTimeOriginal or photoshop:DateCreated in the file
    SIDECAR = "sidecar"  #: the same in an .xmp file beside it
    PNG = "png"  #: a PNG's text
    MODIFIED = "modified"  #: the last change: EXIF's DateTime, or a PNG's tIME
    FILENAME = "filename"  #: the file's name


@dataclass(frozen=True, slots=True)
class Taken:
    """The camera's local time, without a zone, and where it stands."""

    at: datetime
    source: Source


def find(image: Image.Image, data: bytes, tag: Callable[[int], object]) -> Taken | None:
    """The best date that a loaded image and its file's ``data`` hold; ``tag`` gives a value of EXIF."""
    return next(_dates(image, data, tag), None)


def is_stated(taken: Taken | None) -> bool:
    """Whether the file itself says it for certain, so that nothing beside it need be asked."""
    return taken is not None and taken.source in (Source.EXIF, Source.XMP)


def from_sidecar(xmp: bytes) -> Taken | None:
    """The date in an XMP file."""
    moment = _xmp(xmp)
    return Taken(moment, Source.SIDECAR) if moment else None


def from_name(name: bytes) -> Taken | None:
    """The date in a file's name."""
    moment = dates.from_name(name.decode("utf-8", "replace"))
    return Taken(moment, Source.FILENAME) if moment else None


def _dates(image: Image.Image, data: bytes, tag: Callable[[int], object]) -> Iterator[Taken]:
    for number in (ExifTags.Base.DateTimeOriginal, ExifTags.Base.DateTimeDigitized):
        if moment := _stated(tag(number)):
            yield Taken(moment, Source.EXIF)
    if moment := _xmp(image.info.get("xmp")):
        yield Taken(moment, Source.XMP)
    for key in _PNG_KEYS:
        if moment := _stated(image.info.get(key)):
            yield Taken(moment, Source.PNG)
    if moment := _stated(tag(ExifTags.Base.DateTime)) or _png_time(data):
        yield Taken(moment, Source.MODIFIED)


def _png_time(data: bytes) -> datetime | None:
    """The tIME chunk of a PNG: year in two bytes, month, day, hour, minute, second."""
    at = data.find(_PNG_TIME) if data.startswith(b"\x89PNG") else -1
    fields = data[at + len(_PNG_TIME) :][:7] if at >= 0 else b""
    if len(fields) < 7:
        return None
    year, *rest = struct.unpack(">H5B", fields)
    return dates.parse("{:04}:{}:{} {}:{}:{}".format(year, *rest))


def _stated(value: object) -> datetime | None:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return dates.parse(value.partition("\0")[0]) if isinstance(value, str) else None


def _xmp(value: object) -> datetime | None:
    """exif:DateTimeOriginal, else photoshop:DateCreated; by pattern, for damaged XMP is no XML."""
    if not isinstance(value, bytes):
        return None
    found = {name: text for name, text in reversed(_XMP_DATE.findall(value[:XMP_BYTES].replace(b"\0", b"")))}
    stated = (found.get(b"exif:DateTimeOriginal"), found.get(b"photoshop:DateCreated"))
    moments = (dates.parse(text.decode("latin-1")) for text in stated if text)
    return next((moment for moment in moments if moment), None)
