"""Which decoder opens which format, and how it scales while it decodes."""

from __future__ import annotations

import io
import logging
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, cast

import pillow_heif
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PsdImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from pillow_heif.as_plugin import HeifImageFile

from tagtray.imaging import foreign, jxl, libtiff, sniff, tiff

# One thread per image: there is a worker for every core.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
pillow_heif.options.DECODE_THREADS = 1
pillow_heif.options.DEPTH_IMAGES = pillow_heif.options.AUX_IMAGES = False
libtiff.silence()
# 16 bits with white as zero are known to Pillow in the other byte order alone.
TiffImagePlugin.OPEN_INFO[(b"MM", 0, (1,), 1, (16,), ())] = ("I;16B", "I;16B")
# What Pillow logs about a file it also raises.
logging.getLogger("PIL").setLevel(logging.CRITICAL)

_OPENERS: dict[str, Callable[[IO[bytes]], ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,  # a multi-picture file's first image, whatever its directory says
    "PNG": PngImagePlugin.PngImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "HEIF": HeifImageFile,  # whatever its major brand
    "AVIF": AvifImagePlugin.AvifImageFile,
    "JPEG2000": Jpeg2KImagePlugin.Jpeg2KImageFile,
    "PSD": PsdImagePlugin.PsdImageFile,
}


#: Pixels that Pillow may handle whatever the limit is: it checks crops, too.
_ALWAYS = 2**20

#: Start of a JPEG 2000 codestream, and of the segment in which it says how often it can be halved.
_J2K_START, _J2K_STYLE, _J2K_LEVELS = b"\xff\x4f\xff\x51", b"\xff\x52", 9


@dataclass(frozen=True, slots=True)
class Draft:
    """How an image will be loaded: its own size, what the decoder multiplies it with, the pixels it holds."""

    full: tuple[int, int]
    scale: float = 1.0

    @property
    def pixels(self) -> int:
        """Pixels that are in memory once it is loaded."""
        return math.ceil(self.full[0] * self.scale) * math.ceil(self.full[1] * self.scale)


def recognised(data: bytes) -> tuple[str, bytes]:
    """The format of an image, ``RAW`` for a camera's raw file, and the bytes that are its picture.

    They are others where the first directory of a TIFF is a thumbnail. Raises ImageError for no image.
    """
    kind = sniff.sniff(data[: sniff.HEAD_BYTES])
    if kind is None:
        raise foreign.refusal(data[: sniff.HEAD_BYTES])
    if kind != "TIFF":
        return kind, data
    if tiff.is_raw(data):
        return "RAW", data
    try:
        return kind, tiff.main_image(data)
    except struct.error:
        return kind, data


def opened(kind: str, data: bytes, max_pixels: int) -> ImageFile.ImageFile:
    """An image of the format ``kind``, its header read; raises whatever the decoder does.

    Decoders that make room for the pixels at once refuse twice ``max_pixels``.
    """
    if kind == "JXL":
        return jxl.opened(data, max_pixels)
    Image.MAX_IMAGE_PIXELS = max(max_pixels, _ALWAYS)
    return _OPENERS[kind](io.BytesIO(data))


def drafted(image: Image.Image, side: int) -> Draft:
    """Let the decoder scale where it can, to no less than ``side`` pixels of the shorter side."""
    full = image.size
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        found = image.draft(None, (side, side))
        return Draft(full, found[1][2] / full[0]) if found else Draft(full)
    if isinstance(image, Jpeg2KImagePlugin.Jpeg2KImageFile):
        halvings = min(_halvings(image), (min(full) // side).bit_length() - 1)
        if halvings > 0:
            image.reduce = halvings
            return Draft(full, 0.5**halvings)
    return Draft(full)


def pixels_held(image: Image.Image, draft: Draft) -> int:
    """Pixels for which there is memory while a drafted image is loaded, at four bytes each.

    A progressive JPEG is in memory as a whole before it is scaled.
    """
    return draft.full[0] * draft.full[1] if image.info.get("progressive") else draft.pixels


def _halvings(image: Jpeg2KImagePlugin.Jpeg2KImageFile) -> int:
    data = cast(io.BytesIO, image.fp).getvalue()
    style = data.find(_J2K_STYLE, data.find(_J2K_START))
    return data[style + _J2K_LEVELS] if 0 <= style < len(data) - _J2K_LEVELS else 0
