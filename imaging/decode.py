"""One image's bytes into its slot of the batch: the pixels that the network sees.

Draft mode lets the JPEG decoder scale while it decodes and resamples only what the crop needs; exact mode
decodes at full size and equals torchvision's reference transform bit for bit.
"""

from __future__ import annotations

import io
import logging
import warnings
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import AvifImagePlugin, Image, TiffImagePlugin, WebPImagePlugin

from tagtray.config.errors import ImageError
from tagtray.imaging import colour, exif, faults, foreign, geometry, libtiff, sniff, tiff
from tagtray.imaging.geometry import InputSpec

#: A draft keeps this multiple of the pixels that resizing needs along the shorter side. 1 would save a fifth
#: at most, for 12 megapixels, and double the difference from exact mode (0.5 instead of 0.2 levels).
DRAFT_FACTOR = 2

#: A draft first averages whole pixels down to this multiple of the crop (Pillow's reducing_gap).
REDUCING_GAP = 3.0

_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}

#: Longer side in pixels up to which exact mode resizes the whole picture, as torchvision does (64 : 1).
#: Beyond it only the crop is resampled: one level off at most, and gigabytes of memory less.
MAX_RESIZED = 16_384

# One thread per picture: there is a worker for every core.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
pillow_heif.register_heif_opener(decode_threads=1, thumbnails=False)
libtiff.silence()
# What Pillow logs about a file it also raises.
logging.getLogger("PIL").setLevel(logging.CRITICAL)
# The reason why a header was refused reaches us as a warning.
Image.WARN_POSSIBLE_FORMATS = True
# Imported so that Pillow need not load all of its plugins at the first such picture.
_PLUGINS = (AvifImagePlugin, TiffImagePlugin, WebPImagePlugin)


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What a picture is; width and height in pixels of the upright original."""

    format: str
    width: int
    height: int
    taken_at: datetime | None
    camera: str | None


def decode_into(
    slot: NDArray[np.uint8], data: bytes, spec: InputSpec, *, exact: bool, max_pixels: int
) -> ImageInfo:
    """Decode ``data`` into ``slot`` ((side, side, 3) uint8, RGB); after an error its content is undefined.

    Raises ImageError alone, whatever the bytes are. Not thread-safe: it sets Pillow's limits and warnings.
    """
    kind = sniff.sniff(data[: sniff.HEAD_BYTES])
    if kind is None:
        raise foreign.refusal(data[: sniff.HEAD_BYTES])
    hints: list[str] = []
    try:
        return _decode(slot, data, spec, kind, hints, exact=exact, max_pixels=max_pixels)
    except ImageError:
        raise
    except Exception as error:  # decoders raise almost anything
        fault = faults.image_error(kind, error, data, hints, max_pixels)
    raise fault  # outside of the handler: else the traceback keeps the pixels alive


def _decode(
    slot: NDArray[np.uint8],
    data: bytes,
    spec: InputSpec,
    kind: str,
    hints: list[str],
    *,
    exact: bool,
    max_pixels: int,
) -> ImageInfo:
    Image.MAX_IMAGE_PIXELS = max(max_pixels, spec.side**2)  # the crop itself is checked too
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(data), formats=[kind]) as image:
                return _fill(slot, image, spec, kind, exact=exact, max_pixels=max_pixels)
        finally:
            hints.extend(str(warning.message) for warning in caught)


def _fill(
    slot: NDArray[np.uint8],
    image: Image.Image,
    spec: InputSpec,
    kind: str,
    *,
    exact: bool,
    max_pixels: int,
) -> ImageInfo:
    _refuse_size(image.size, max_pixels)
    if isinstance(image, TiffImagePlugin.TiffImageFile) and tiff.is_preview(image.tag_v2):
        raise foreign.raw_camera_picture()
    full = image.size
    scale = 1.0
    if kind == "JPEG" and not exact and (drafted := image.draft(None, (DRAFT_FACTOR * spec.resize,) * 2)):
        scale = drafted[1][2] / full[0]
    before = image.size
    image.load()
    if image.size != before:  # HEIF and TIFF learn or turn their size while they load
        full = image.size
        _refuse_size(full, max_pixels)
    tags = exif.read(image)
    orientation = tags.orientation
    crop = _exact(image, spec, orientation) if exact else _draft(image, spec, full, orientation, scale)
    np.copyto(slot, np.asarray(crop))
    width, height = full if orientation < 5 else full[::-1]
    return ImageInfo(kind, width, height, tags.taken_at, tags.camera)


def _refuse_size(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        raise faults.too_many_pixels(size[0] * size[1], max_pixels)


def _exact(image: Image.Image, spec: InputSpec, orientation: int) -> Image.Image:
    """Every step on the whole picture and in the reference's order, for the same rounding."""
    image = colour.opaque(colour.plain(image))
    image = _upright(image, orientation)
    size = geometry.resized(spec, *image.size)
    if max(size) > MAX_RESIZED:
        return _crop(image, spec, geometry.source_box(spec, *image.size))
    return image.resize(size, _RESAMPLING[spec.interpolation]).crop(geometry.crop_box(spec, *size))


def _draft(
    image: Image.Image, spec: InputSpec, full: tuple[int, int], orientation: int, scale: float
) -> Image.Image:
    """Only the crop is resampled, and only its pixels are blended and turned."""
    upright = full if orientation < 5 else full[::-1]
    box = geometry.stored_box(geometry.source_box(spec, *upright), *full, orientation)
    box = (box[0] * scale, box[1] * scale, box[2] * scale, box[3] * scale)
    crop = colour.opaque(_crop(colour.plain(image), spec, box, REDUCING_GAP))
    return _upright(crop, orientation)


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(exif.TRANSPOSES[orientation]) if orientation in exif.TRANSPOSES else image


def _crop(
    image: Image.Image, spec: InputSpec, box: geometry.Box, reducing_gap: float | None = None
) -> Image.Image:
    size = (spec.side, spec.side)
    return image.resize(size, _RESAMPLING[spec.interpolation], box=box, reducing_gap=reducing_gap)
