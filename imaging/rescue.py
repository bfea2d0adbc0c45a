"""What can still be seen of a damaged image: all of it where the damage is to its metadata, else how much.

It is decoded twice, over different backgrounds and with different bytes behind its end: from the first line
on in which the two differ, the pixels are not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageFile

from tagtray.imaging import formats, tiff
from tagtray.imaging.repair import jpeg, png, webp
from tagtray.imaging.repair.parts import Parts

#: Share of the lines that may be missing. The crop leaves out a sixteenth at least at the end, so that the
#: network misses a 27th of what it looks at.
MAX_MISSING = 0.1

_END_OF_JPEG = b"\xff\xd9"
#: Bytes that decode to something in any JPEG, also where the last byte begins a marker; one of the
#: restart markers is the one that is due.
_NOISE = b"\0" + b"".join(b"\x5a\xa5\x3c\x96" * 16 + bytes([0xFF, 0xD0 + n]) for n in range(8)) * 2

#: The entry of an AVIF that makes one of its items EXIF: version, flags, number and protection come before.
_EXIF_ITEM = re.compile(rb"(infe.{8})Exif", re.DOTALL)

#: Formats that are rescued, and what takes the metadata out of them.
_PARTS: dict[str, Callable[[bytes], Parts | None]] = {
    "JPEG": jpeg.parts,
    "PNG": png.parts,
    "WEBP": webp.parts,
    "TIFF": lambda data: Parts(tiff.pixels_alone(data)),
    "BMP": Parts,
    "AVIF": lambda data: Parts(_EXIF_ITEM.sub(rb"\1skip", data)),
}


@dataclass(frozen=True, slots=True)
class Rescued:
    """An image whose pixels are loaded, and the share of its lines that is missing."""

    image: ImageFile.ImageFile
    missing: float


def load(
    kind: str, data: bytes, max_pixels: int, prepare: Callable[[ImageFile.ImageFile], object]
) -> Rescued | None:
    """The image without its metadata, but for EXIF and XMP in ``info``; None where too much is missing.

    ``prepare`` is called between opening and loading. Raises whatever the decoder does.
    """
    parts = _PARTS[kind](data) if kind in _PARTS else None
    if parts is None:
        return None
    tails = (_END_OF_JPEG, _NOISE + _END_OF_JPEG) if kind == "JPEG" else (b"", b"")
    one, other = (
        _seen(kind, Parts(parts.data + tail, parts.info), max_pixels, level, prepare)
        for tail, level in zip(tails, (0, 255), strict=True)
    )
    differing = ImageChops.difference(one, other).getbbox(alpha_only=False)
    missing = 1 - differing[1] / one.height if differing else 0.0
    # A progressive JPEG comes once more with each scan: further ones may be missing for all lines.
    most = 0.0 if one.info.get("progressive") else MAX_MISSING
    return Rescued(one, missing) if missing <= most else None


def _seen(
    kind: str, parts: Parts, max_pixels: int, level: int, prepare: Callable[[ImageFile.ImageFile], object]
) -> ImageFile.ImageFile:
    image = formats.opened(kind, parts.data, max_pixels)
    image.info.update(parts.info)
    prepare(image)
    image.im = Image.new(image.mode, image.size, level).im
    try:
        image.load()
    except Exception:  # whatever it is, the lines before it are decoded
        image.tile = []
    return image
