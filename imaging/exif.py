"""Orientation, time and camera from EXIF; damaged EXIF never fails a picture."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from PIL import ExifTags, Image

#: Characters of a camera's name that are kept.
CAMERA_LENGTH = 100

_TIME_FORMAT = "%Y:%m:%d %H:%M:%S"

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
    """What tagtray takes from EXIF; ``taken_at`` is the camera's local time, without a zone."""

    orientation: int = 1
    taken_at: datetime | None = None
    camera: str | None = None


def read(image: Image.Image) -> Exif:
    """EXIF of a loaded picture; whatever cannot be read is left out."""
    try:
        tags = dict(image.getexif())
    except Exception:  # any parser error: a picture without EXIF is as good
        return Exif()
    return Exif(_orientation(tags), _taken_at(image, tags), _camera(tags))


def _orientation(tags: dict[int, object]) -> int:
    value = tags.get(ExifTags.Base.Orientation)
    return value if isinstance(value, int) and value in TRANSPOSES else 1


def _taken_at(image: Image.Image, tags: dict[int, object]) -> datetime | None:
    try:
        original = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal)
    except Exception:  # as above
        original = None
    return _time(original) or _time(tags.get(ExifTags.Base.DateTime))


def _time(value: object) -> datetime | None:
    try:
        return datetime.strptime(_text(value)[:19], _TIME_FORMAT)
    except ValueError:
        return None


def _camera(tags: dict[int, object]) -> str | None:
    """Maker and model, the maker once ("Canon" + "Canon EOS R5" is "Canon EOS R5")."""
    make, model = _text(tags.get(ExifTags.Base.Make)), _text(tags.get(ExifTags.Base.Model))
    name = model if model.lower().startswith(make.lower()) else f"{make} {model}"
    return name[:CAMERA_LENGTH].strip() or None


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in value.split("\0")[0]).split())
