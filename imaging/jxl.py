"""JPEG XL through the Pillow plugin of the extra ``jxl``, which decodes as it opens: size comes first."""

from __future__ import annotations

import importlib
import io
from fractions import Fraction
from typing import cast

from PIL import ImageFile

from tagtray.config import limits
from tagtray.config.errors import ImageCode, ImageError

MAGIC = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")

#: Width to height by the header's number (ISO/IEC 18181-1, SizeHeader).
_RATIOS = [Fraction(*pair) for pair in ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))]
#: Bits of a dimension by its two-bit selector.
_WIDTHS = (9, 13, 18, 30)
#: Bytes of a codestream that hold its size.
_HEADER_BYTES = 16


def opened(data: bytes, max_pixels: int) -> ImageFile.ImageFile:
    """A decoded image; raises ImageError without the extra or over the limit, or what the plugin does."""
    width, height = size(data)
    if width * height > max_pixels:
        raise limits.too_many_pixels(width * height, max_pixels)
    try:
        plugin = importlib.import_module("pillow_jxl.JpegXLImagePlugin")
    except ImportError:
        sentence = "A JPEG XL image is read with an extra: pip install 'tagtray[jxl]', then tagtray retry."
        raise ImageError(ImageCode.UNSUPPORTED, sentence) from None
    vars(plugin)["DECODE_THREADS"] = 0  # one thread per image
    return cast(ImageFile.ImageFile, plugin.JXLImageFile(io.BytesIO(data)))


def size(data: bytes) -> tuple[int, int]:
    """Width and height by the codestream's header; raises EOFError where it is not there."""
    bits = _Bits(_codestream(data)[len(MAGIC[0]) :][:_HEADER_BYTES])
    small = bits.take(1)
    height = _dimension(bits, small)
    ratio = bits.take(3)
    return (int(height * _RATIOS[ratio - 1]) if ratio else _dimension(bits, small)), height


class _Bits:
    """Numbers of any width, the least significant bit first."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, width: int) -> int:
        if width > self._left:
            raise EOFError("the header of the codestream is not there")
        value = self._value & ((1 << width) - 1)
        self._value >>= width
        self._left -= width
        return value


def _dimension(bits: _Bits, small: int) -> int:
    return 8 * (bits.take(5) + 1) if small else bits.take(_WIDTHS[bits.take(2)]) + 1


def _codestream(data: bytes) -> bytes:
    """The (first part of the) codestream: the file itself, or the content of the container's box."""
    if data.startswith(MAGIC[0]):
        return data[: len(MAGIC[0]) + _HEADER_BYTES]
    at = 0
    while at + 8 <= len(data):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        start = at + (16 if length == 1 else 8)
        if name in (b"jxlc", b"jxlp"):
            start += 4 if name == b"jxlp" else 0
            return data[start : start + len(MAGIC[0]) + _HEADER_BYTES]
        if length == 1:
            length = int.from_bytes(data[at + 8 : at + 16], "big")
        at += max(length, 8)
    return b""
