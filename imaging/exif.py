"""Orientation, date and camera from EXIF; damage to it never fails an image."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import ExifTags, Image, TiffImagePlugin

from tagtray.imaging import taken
from tagtray.imaging.taken import Taken

#: Characters of a camera's name that are kept.
CAMERA_LENGTH = 100

#: How a stored picture becomes upright (EXIF 2.32, tag 0x0112; the same table as Pillow's exif_transpose).
TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Exif:
    """What tagtray takes from the metadata of an image."""

    orientation: int = 1
    taken: Taken | None = None
    camera: str | None = None


def read(image: Image.Image, data: bytes) -> Exif:
    """Orientation, date and camera of a loaded image, the file ``data``; what is damaged is left out."""
    tags = _Tags(image)
    return Exif(_orientation(tags), taken.find(image, data, tags.get), _camera(tags))


class _Tags:
    """Values of EXIF's first and Exif directory, read one by one: damage to one leaves the others."""

    def __init__(self, image: Image.Image) -> None:
        self._directories: list[Mapping[int, object]] = []
        with contextlib.suppress(Exception):  # any error of a parser: an image without EXIF is as good
            self._directories.append(exif := image.getexif())
            self._directories.append(_details(exif))

    def get(self, tag: int) -> object:
        """The value of a tag; None where it is in neither directory, or damaged."""
        for directory in self._directories:
            with contextlib.suppress(Exception):
                return directory[tag]
        return None


def _details(exif: Image.Exif) -> Mapping[int, object]:
    """The Exif directory, whose values are decoded on demand; Pillow has read a TIFF's already."""
    pointer = exif.get(ExifTags.IFD.Exif)
    if pointer is None:
        return exif.get_ifd(ExifTags.IFD.Exif)
    details = TiffImagePlugin.ImageFileDirectory_v2(exif.head, group=ExifTags.IFD.Exif)
    exif.fp.seek(pointer)
    details.load(exif.fp)
    return details


def _orientation(tags: _Tags) -> int:
    value = tags.get(ExifTags.Base.Orientation)
    return value if isinstance(value, int) and value in TRANSPOSES else 1


def _camera(tags: _Tags) -> str | None:
    """Maker and model, the maker once ("NIKON CORPORATION" + "NIKON D90" is "NIKON D90")."""
    make, model = _text(tags.get(ExifTags.Base.Make)), _text(tags.get(ExifTags.Base.Model))
    brand = make.partition(" ")[0].lower()
    name = model if model.lower().startswith(brand) else f"{make} {model}"
    return name[:CAMERA_LENGTH].strip() or None


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in value.split("\0")[0]).split())
