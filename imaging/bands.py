"""TIFFs that are too large for memory: read in bands of strips or rows of tiles, each scaled down at once."""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from PIL import Image

from tagtray.imaging import colour, formats, tiff
from tagtray.imaging.formats import Draft

#: Pixels of a band, if its strips are not larger: 64 MiB.
BAND_PIXELS = 2**24
#: Pixels of the largest TIFF that is read.
MAX_PIXELS = 2**32

_WIDTH, _LENGTH, _ORIENTATION, _ROWS, _PLANES = 256, 257, 274, 278, 284
_BITS, _COMPRESSION, _NONE = 258, 259, 1
_STRIPS, _STRIP_BYTES = 273, 279
_TILE_WIDTH, _TILE_LENGTH, _TILES, _TILE_BYTES = 322, 323, 324, 325
_LONG = 4
_SEPARATE = 2
#: Modes whose levels mean the same in every band.
_MODES = frozenset({"1", "L", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})


@dataclass(frozen=True, slots=True)
class _Layout:
    """A TIFF as rows of strips or tiles: how high each row is, and where its parts lie."""

    order: str
    tags: dict[int, tiff.Value]
    size: tuple[int, int]
    height: int
    across: int  #: parts of a row
    parts: Iterator[tuple[int, int]]  #: offset and bytes of each, as far as the file says
    where: tuple[int, int]  #: tags of offsets and byte counts


def reduced(data: bytes, side: int, max_pixels: int) -> tuple[Image.Image, Draft] | None:
    """The whole TIFF, scaled to no less than ``side`` pixels of the shorter side.

    None where a band, or what is left of the whole, has more than ``max_pixels``, or where the levels of a
    band depend on the others. Raises EOFError where parts are missing, ValueError where they are larger than
    their pixels, and whatever the decoder does.
    """
    layout = _layout(data)
    if layout is None:
        return None
    width, length = layout.size
    factor = 1 << max(0, (min(layout.size) // side).bit_length() - 1)
    left = math.ceil(width / factor), math.ceil(length / factor)
    # As many rows as make whole pixels.
    rows = factor // math.gcd(factor, layout.height)
    rows *= max(1, min(BAND_PIXELS, max_pixels) // (rows * layout.height * width))
    if max(rows * layout.height * width, math.prod(left)) > max_pixels or width * length > MAX_PIXELS:
        return None
    canvas = Image.new("RGBA", left)
    for top, band in _bands(data, layout, rows, max_pixels):
        if band.mode not in _MODES:
            return None
        canvas.paste(colour.plain(band).reduce(factor).convert("RGBA"), (0, top // factor))
    return canvas, Draft(layout.size, 1 / factor)


def _bands(data: bytes, layout: _Layout, rows: int, max_pixels: int) -> Iterator[tuple[int, Image.Image]]:
    """The first line of each band, and the band."""
    for top in range(0, layout.size[1], rows * layout.height):
        length = min(rows * layout.height, layout.size[1] - top)
        expected = math.ceil(length / layout.height) * layout.across
        parts = list(itertools.islice(layout.parts, expected))
        if len(parts) < expected or any(at + count > len(data) for at, count in parts):
            raise EOFError
        if sum(count for _, count in parts) > 4 * max_pixels:
            raise ValueError("strips are larger than their pixels")
        yield top, formats.opened("TIFF", _band(data, layout, parts, length), max_pixels)


def _band(data: bytes, layout: _Layout, parts: Sequence[tuple[int, int]], length: int) -> bytes:
    """A TIFF of its own: the parts, then a directory that leads to them."""
    start = tiff.HEADER
    offsets, pieces = [], []
    for at, count in parts:
        offsets.append(start)
        pieces.append(data[at : at + count])
        start += len(pieces[-1])
    numbers = f"{layout.order}{len(parts)}I"
    tags = {tag: value for tag, value in layout.tags.items() if tag != _ORIENTATION}
    tags[_LENGTH] = (_LONG, 1, struct.pack(layout.order + "I", length))
    tags[_ROWS] = (_LONG, 1, struct.pack(layout.order + "I", layout.height))
    tags[layout.where[0]] = (_LONG, len(parts), struct.pack(numbers, *offsets))
    tags[layout.where[1]] = (_LONG, len(parts), struct.pack(numbers, *map(len, pieces)))
    return tiff.written(layout.order, tags, b"".join(pieces))


def _layout(data: bytes) -> _Layout | None:
    order, tags = tiff.pixel_tags(data)
    number = {tag: tiff.numbers(order, value) for tag, value in tags.items()}
    tiled = _TILES in tags
    where = (_TILES, _TILE_BYTES) if tiled else (_STRIPS, _STRIP_BYTES)
    if any(tag not in tags for tag in (_WIDTH, _LENGTH, *where)) or number.get(_PLANES) == [_SEPARATE]:
        return None
    width, length = number[_WIDTH][0], number[_LENGTH][0]
    height = number[_TILE_LENGTH][0] if tiled else min(number.get(_ROWS, [length])[0], length)
    across = math.ceil(width / number[_TILE_WIDTH][0]) if tiled else 1
    parts: Iterator[tuple[int, int]] = zip(number[where[0]], number[where[1]], strict=True)
    if not tiled and number.get(_COMPRESSION, [_NONE]) == [_NONE]:  # any line is a strip
        line = math.ceil(width * sum(number.get(_BITS, [1])) / 8)
        parts, height = _lines(parts, line), 1
    return _Layout(order, tags, (width, length), height, across, parts, where) if height else None


def _lines(strips: Iterable[tuple[int, int]], line: int) -> Iterator[tuple[int, int]]:
    """Each line of the strips, of ``line`` bytes."""
    for at, count in strips:
        for n in range(count // line):
            yield at + n * line, line
