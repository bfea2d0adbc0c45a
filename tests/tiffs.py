"""TIFFs by hand, of kinds that no library here writes: directories of tags, and a camera's raw file."""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BYTE, TEXT, SHORT, LONG, RATIONAL = 1, 2, 3, 4, 10

#: Type and values of a tag; a rational is two of them, text is bytes.
Tag = tuple[int, Sequence[int] | bytes]
_CODES = {BYTE: "B", SHORT: "H", LONG: "I", RATIONAL: "i"}


def tiff(pixels: bytes, tags: Mapping[int, Tag], order: str = "<", magic: bytes | None = None) -> bytes:
    """A TIFF with one strip of ``pixels``, and the tags of its only directory."""
    parts: dict[int, Tag] = {273: (LONG, [8]), 279: (LONG, [len(pixels)])}
    whole = tags if 324 in tags else {**parts, **tags}
    pixels += b"\0" * (len(pixels) % 2)
    start = 8 + len(pixels)
    head = magic or (b"II*\0" if order == "<" else b"MM\0*")
    return head + struct.pack(order + "I", start) + pixels + directory(whole, start, order)


def directory(tags: Mapping[int, Tag], start: int, order: str = "<") -> bytes:
    """The bytes of a directory that begins at ``start``, with the values that do not fit into it."""
    table, values = struct.pack(order + "H", len(tags)), b""
    for tag, (kind, given) in sorted(tags.items()):
        content = (
            given if isinstance(given, bytes) else struct.pack(f"{order}{len(given)}{_CODES[kind]}", *given)
        )
        count = len(given) // (2 if kind == RATIONAL else 1)
        field = content.ljust(4, b"\0")
        if len(content) > 4:
            field = struct.pack(order + "I", start + 2 + 12 * len(tags) + 4 + len(values))
            values += content + b"\0" * (len(content) % 2)
        table += struct.pack(order + "HHI", tag, kind, count) + field
    return table + bytes(4) + values


def grey(
    pixels: NDArray[np.generic], bits: int, photometric: int = 1, sample: int = 1, order: str = "<"
) -> bytes:
    """One channel of ``bits``; photometric 0 has white as zero, sample 2 is signed and 3 a float."""
    height, width = pixels.shape
    return tiff(pixels.tobytes(), {**_size(width, height), 258: (SHORT, [bits]), 262: (SHORT, [photometric]),
        277: (SHORT, [1]), 339: (SHORT, [sample])}, order)  # fmt: skip


def several(pixels: NDArray[np.generic], bits: int, photometric: int, order: str = "<") -> bytes:
    """Several channels of ``bits``, together for each pixel."""
    height, width, channels = pixels.shape
    return tiff(pixels.tobytes(), {**_size(width, height), 258: (SHORT, [bits] * channels),
        262: (SHORT, [photometric]), 277: (SHORT, [channels])}, order)  # fmt: skip


def tiled(tiles: Sequence[NDArray[np.uint8]], width: int, height: int) -> bytes:
    """RGB in tiles of one size, in rows from left to right."""
    contents = [tile.tobytes() for tile in tiles]
    tags = _size(width, height) | {258: (SHORT, [8, 8, 8]), 262: (SHORT, [2]), 277: (SHORT, [3]),
        322: (LONG, [tiles[0].shape[1]]), 323: (LONG, [tiles[0].shape[0]]),
        324: (LONG, _offsets(contents)), 325: (LONG, [len(part) for part in contents])}  # fmt: skip
    del tags[278]
    return tiff(b"".join(contents), tags)


def lines(line: bytes, width: int, height: int) -> bytes:
    """Grey in strips of one line each, which are all the same bytes."""
    return tiff(line, {**_size(width, height), 258: (SHORT, [8]), 262: (SHORT, [1]),
        273: (LONG, [8] * height), 277: (SHORT, [1]), 278: (LONG, [1]),
        279: (LONG, [len(line)] * height)})  # fmt: skip


def _offsets(contents: Sequence[bytes]) -> list[int]:
    return list(itertools.accumulate(map(len, contents[:-1]), initial=8))


def palette(pixels: NDArray[np.uint8], levels: Sequence[int]) -> bytes:
    """Indices into ``levels``: 256 of red, then of green and of blue."""
    height, width = pixels.shape
    return tiff(pixels.tobytes(), {**_size(width, height), 258: (SHORT, [8]), 262: (SHORT, [3]),
        277: (SHORT, [1]), 320: (SHORT, levels)})  # fmt: skip


def raw(
    image: Image.Image,
    preview: Image.Image | None,
    orientation: int = 1,
    taken: bytes | None = None,
    camera: tuple[bytes, bytes] | None = None,
) -> bytes:
    """A raw file of ``image``, with ``preview`` as a JPEG in its first directory, as cameras write it.

    A DNG, unless the make and model of a ``camera`` are given, whose own format it then is.
    """
    sensor = _mosaic(image).tobytes()
    shown = preview or Image.new("RGB", (16, 12))
    jpeg = io.BytesIO()
    shown.save(jpeg, "JPEG", quality=92)
    parts = _even(sensor + jpeg.getvalue())
    at_sensor = 8 + len(parts)
    parts += _even(directory(_sensor_tags(image.size, len(sensor)), at_sensor))
    tags = _preview_tags(shown.size, 8 + len(sensor), len(jpeg.getvalue()), camera)
    tags |= {274: (SHORT, [orientation]), 330: (LONG, [at_sensor])}
    if taken:
        tags[36_867] = (TEXT, taken + b"\0")
    at_first = 8 + len(parts)
    return b"II*\0" + struct.pack("<I", at_first) + parts + directory(tags, at_first)


def beside_a_thumbnail(
    image: Image.Image, thumbnail: Image.Image, orientation: int = 1, *, sensor: bool = False
) -> bytes:
    """A TIFF whose first directory is a thumbnail, and leads to that of the image, whose pixels come last.

    As scanners write it; or a camera's raw file, with what its ``sensor`` sees of the image.
    """
    shown = np.asarray(thumbnail)
    pixels = _mosaic(image).tobytes() if sensor else np.asarray(image).tobytes()
    at_image = 8 + shown.nbytes
    tags = _sensor_tags(image.size, len(pixels)) if sensor else _colours(image.size, len(pixels), 0)
    first = _colours(thumbnail.size, shown.nbytes, 1) | {271: (TEXT, b"Nikon\0"), 272: (TEXT, b"Scanner\0"),
        274: (SHORT, [orientation]), 330: (LONG, [at_image]),
        36_867: (TEXT, b"2005:06:07 08:09:10\0")}  # fmt: skip
    at_first = at_image + len(_even(directory(tags, at_image)))
    end = at_first + len(directory(first, at_first))
    inner = _even(directory(tags | {273: (LONG, [end])}, at_image))
    return (
        b"II*\0" + struct.pack("<I", at_first) + shown.tobytes() + inner + directory(first, at_first) + pixels
    )


def _colours(size: tuple[int, int], length: int, subfile: int) -> dict[int, Tag]:
    return {**_size(*size), 254: (LONG, [subfile]), 258: (SHORT, [8, 8, 8]), 262: (SHORT, [2]),
        273: (LONG, [8]), 277: (SHORT, [3]), 279: (LONG, [length])}  # fmt: skip


def _sensor_tags(size: tuple[int, int], length: int) -> dict[int, Tag]:
    return {**_size(*size), 254: (LONG, [0]), 258: (SHORT, [16]), 262: (SHORT, [32_803]), 273: (LONG, [8]),
        277: (SHORT, [1]), 279: (LONG, [length]), 284: (SHORT, [1]), 33_421: (SHORT, [2, 2]),
        33_422: (BYTE, [0, 1, 1, 2]), 50_717: (LONG, [65_535])}  # fmt: skip


def _preview_tags(
    size: tuple[int, int], at: int, length: int, camera: tuple[bytes, bytes] | None
) -> dict[int, Tag]:
    make, model = camera or (b"Maker", b"Model 1")
    tags: dict[int, Tag] = {**_size(*size), 254: (LONG, [1]), 258: (SHORT, [8, 8, 8]), 259: (SHORT, [7]),
        262: (SHORT, [6]), 271: (TEXT, make + b"\0"), 272: (TEXT, model + b"\0"), 273: (LONG, [at]),
        277: (SHORT, [3]), 279: (LONG, [length]), 284: (SHORT, [1])}  # fmt: skip
    if not camera:
        unit = [1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1]
        tags |= {50_706: (BYTE, [1, 4, 0, 0]), 50_708: (TEXT, b"Maker Model 1\0"),
            50_721: (RATIONAL, unit), 50_728: (RATIONAL, [1] * 6)}  # fmt: skip
    return tags


def _even(content: bytes) -> bytes:
    return content + b"\0" * (len(content) % 2)


def _size(width: int, height: int) -> dict[int, Tag]:
    return {256: (LONG, [width]), 257: (LONG, [height]), 259: (SHORT, [1]), 278: (LONG, [height])}


def _mosaic(image: Image.Image) -> NDArray[np.uint16]:
    """What a sensor with red, green, green and blue in a square sees, linear."""
    levels = (np.asarray(image.convert("RGB")) / 255.0) ** 2.2 * 65_535
    seen = levels[..., 1].copy()
    seen[0::2, 0::2] = levels[0::2, 0::2, 0]
    seen[1::2, 1::2] = levels[1::2, 1::2, 2]
    return seen.astype("<u2")
