"""Raw camera files through LibRaw: the camera's own preview, else the sensor's data at half its size."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from PIL import Image

from tagtray.config import limits
from tagtray.imaging import exif, formats
from tagtray.imaging.taken import Source, Taken

#: EXIF's orientation by LibRaw's ``flip``: 4 exchanges rows and columns, then 1 mirrors columns and 2 rows.
_ORIENTATIONS = (1, 2, 4, 3, 5, 8, 6, 7)
#: What LibRaw's clock says without a date.
_NO_YEAR = 1970
#: How a TIFF begins by its byte order; bytes of other raw files in which their EXIF stands.
_TIFF, _EXIF_BYTES = {b"II": b"II*\0", b"MM": b"MM\0*"}, 2**24
#: Bytes in which a CR3 keeps its EXIF, and the boxes of the first and of the Exif directory.
_CR3_HEADER, _CR3_BLOCKS = 65_536, (b"CMT1", b"CMT2")


@dataclass(frozen=True, slots=True)
class Shot:
    """An image of a raw file that is not loaded yet, its metadata, and the size of the upright original."""

    image: Image.Image
    tags: exif.Exif
    size: tuple[int, int]


def opened(data: bytes, side: int, max_pixels: int) -> Shot:
    """Read a raw file for a crop of ``side`` pixels.

    Raises ImageError over ``max_pixels``, EOFError, NotImplementedError or ValueError.
    """
    import rawpy  # LibRaw: most collections never need it

    with _silence(), _plain_errors(rawpy), rawpy.imread(io.BytesIO(data)) as raw:
        sizes = raw.sizes
        image = _preview(rawpy, raw, side, max_pixels) or _developed(raw, max_pixels)
        orientation = _ORIENTATIONS[sizes.flip & 7]
        turned = orientation >= 5
        if turned and (image.width > image.height) != (sizes.width > sizes.height):
            orientation = 1  # some cameras turn the preview themselves
        tags = metadata(data, image)
        if tags.taken is None:
            tags = replace(tags, taken=_date(rawpy, raw))
        tags = replace(tags, orientation=orientation)
        return Shot(image, tags, (sizes.height, sizes.width) if turned else (sizes.width, sizes.height))


def _preview(rawpy: Any, raw: Any, side: int, max_pixels: int) -> Image.Image | None:
    """The largest JPEG in the file, unless it is too small for the crop."""
    with contextlib.suppress(rawpy.LibRawNonFatalError):
        found = raw.extract_thumb()
        if found.format is rawpy.ThumbFormat.JPEG:
            image = formats.opened("JPEG", found.data, max_pixels)
            return image if min(image.size) >= side else None
    return None


def _developed(raw: Any, max_pixels: int) -> Image.Image:
    pixels = raw.sizes.raw_width * raw.sizes.raw_height
    if pixels > max_pixels:
        raise limits.too_many_pixels(pixels, max_pixels)
    return Image.fromarray(raw.postprocess(half_size=True, use_camera_wb=True, user_flip=0))


def metadata(data: bytes, image: Image.Image) -> exif.Exif:
    """EXIF of the raw file ``data``, else that of its preview ``image``."""
    found = [_of_block(block) for block in _directories(data)] or [exif.read(image, b"")]
    taken = next((tags.taken for tags in reversed(found) if tags.taken), None)
    return replace(found[0], taken=taken)


def _of_block(block: bytes) -> exif.Exif:
    holder = Image.new("1", (1, 1))
    holder.info["exif"] = block
    return exif.read(holder, b"")


def _date(rawpy: Any, raw: Any) -> Taken | None:
    """LibRaw's date, for files without EXIF: it unpacks the sensor's data for that, damaged or not."""
    with contextlib.suppress(rawpy.LibRawError):
        moment: datetime = raw.other.timestamp
        return Taken(moment, Source.EXIF) if moment.year > _NO_YEAR else None
    return None


def _directories(data: bytes) -> list[bytes]:
    """The TIFFs that hold EXIF: most raw files are one, with other magic numbers; a CR3 has two."""
    if magic := _TIFF.get(data[:2]):
        return [data if data.startswith(magic) else magic + data[len(magic) : _EXIF_BYTES]]
    starts = (data.find(name, 0, _CR3_HEADER) for name in _CR3_BLOCKS)
    return [data[at + 4 :][: int.from_bytes(data[at - 4 : at], "big") - 8] for at in starts if at >= 4]


@contextlib.contextmanager
def _plain_errors(rawpy: Any) -> Iterator[None]:
    try:
        yield
    except rawpy.LibRawIOError as error:
        raise EOFError from error
    except rawpy.LibRawFileUnsupportedError as error:
        raise NotImplementedError from error
    except (rawpy.LibRawError, rawpy.NotSupportedError) as error:
        raise ValueError from error


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """LibRaw complains of a file on standard error, past logging; rawpy leaves its handlers as they are."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
