"""One image's bytes into its slot of the batch: the pixels that the network sees.

Draft mode lets the JPEG decoder scale while it decodes and resamples only what the crop needs; exact mode
decodes at full size and equals torchvision's reference transform bit for bit.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tagtray.config import limits
from tagtray.config.errors import ImageCode, ImageError
from tagtray.imaging import bands, crops, exif, faults, formats, frames, raw, rescue
from tagtray.imaging.formats import Draft
from tagtray.imaging.geometry import InputSpec
from tagtray.imaging.taken import Taken

#: A draft keeps this multiple of the pixels that resizing needs along the shorter side. 1 would save a fifth
#: at most, for 12 megapixels, and double the difference from exact mode (0.5 instead of 0.2 levels).
DRAFT_FACTOR = 2

#: Faults of an image that may be none of its pixels'.
_DAMAGE = frozenset({ImageCode.CORRUPT, ImageCode.TRUNCATED, ImageCode.UNSUPPORTED})


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What an image is; width and height in pixels of the upright original."""

    format: str
    width: int
    height: int
    taken: Taken | None
    camera: str | None
    color: str  #: the mean of the slot, as #rrggbb
    partial: bool  #: the last lines are missing


@dataclass(frozen=True, slots=True)
class _Target:
    """Where the pixels go, and how they are to be decoded."""

    slot: NDArray[np.uint8]
    spec: InputSpec
    exact: bool
    max_pixels: int


def decode_into(
    slot: NDArray[np.uint8], data: bytes, spec: InputSpec, *, exact: bool, max_pixels: int
) -> ImageInfo:
    """Decode ``data`` into ``slot`` ((side, side, 3) uint8, RGB); after an error its content is undefined.

    Raises ImageError alone, whatever the bytes are. Not thread-safe: it sets Pillow's limits and warnings.
    """
    kind, data = formats.recognised(data)
    target = _Target(slot, spec, exact, max_pixels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that something was left out is no fault
        try:
            return _decode(target, data, kind)
        except ImageError:
            raise
        except Exception as error:  # decoders raise almost anything
            fault = faults.image_error(kind, error, data, max_pixels)
        # Outside of the handler: else the traceback keeps the pixels alive.
        if info := _rescued(target, data, kind, fault):
            return info
    raise fault


def _decode(target: _Target, data: bytes, kind: str) -> ImageInfo:
    if kind == "RAW":
        return _decode_raw(target, data)
    with formats.opened(kind, data, target.max_pixels) as image:
        if kind == "TIFF" and (info := _in_bands(target, image, data)):
            return info
        draft = _drafted(target, image)
        before = image.size
        image.load()
        if image.size != before and draft.scale == 1:  # HEIF and TIFF learn or turn their size as they load
            draft = Draft(image.size)
            _refuse_size(target, draft.pixels)
        return _place(target, image, exif.read(image, data), draft)


def _in_bands(target: _Target, image: Image.Image, data: bytes) -> ImageInfo | None:
    """A TIFF over the limit that can be scaled band by band."""
    if target.exact or image.width * image.height <= target.max_pixels:
        return None
    found = bands.reduced(data, DRAFT_FACTOR * target.spec.resize, target.max_pixels)
    if found is None:
        return None
    whole, draft = found
    return replace(_place(target, whole, exif.read(image, data), draft), format="TIFF")


def _decode_raw(target: _Target, data: bytes) -> ImageInfo:
    shot = raw.opened(data, target.spec.side, target.max_pixels)
    draft = _drafted(target, shot.image)
    width, height = shot.size
    info = _place(target, shot.image, shot.tags, draft)
    return replace(info, format="RAW", width=width, height=height)


def _rescued(target: _Target, data: bytes, kind: str, fault: ImageError) -> ImageInfo | None:
    """What can be seen in spite of ``fault``: all of it where the damage is to no pixel."""
    if fault.code not in _DAMAGE:
        return None
    drafts = []
    try:
        rescued = rescue.load(
            kind, data, target.max_pixels, lambda image: drafts.append(_drafted(target, image))
        )
        if rescued is None:
            return None
        tags = exif.read(rescued.image, data)
        return _place(target, rescued.image, tags, drafts[0], partial=rescued.missing > 0)
    except Exception:  # as damaged as it seemed
        return None


def _drafted(target: _Target, image: Image.Image) -> Draft:
    """Let the decoder scale where it can; raises ImageError where more is left than may be held in memory."""
    draft = Draft(image.size) if target.exact else formats.drafted(image, DRAFT_FACTOR * target.spec.resize)
    _refuse_size(target, formats.pixels_held(image, draft))
    return draft


def _place(
    target: _Target, image: Image.Image, tags: exif.Exif, draft: Draft, *, partial: bool = False
) -> ImageInfo:
    """The crop of an image into the slot."""

    def crop() -> Image.Image:
        if target.exact:
            return crops.exact(image, target.spec, tags.orientation)
        return crops.fast(image, target.spec, draft, tags.orientation)

    seen = frames.first_seen(image, crop)
    np.copyto(target.slot, np.asarray(seen))
    color = "#{:02x}{:02x}{:02x}".format(*cast(tuple[int, ...], seen.reduce(seen.size).getpixel((0, 0))))
    width, height = draft.full if tags.orientation < 5 else draft.full[::-1]
    return ImageInfo(image.format or "", width, height, tags.taken, tags.camera, color, partial)


def _refuse_size(target: _Target, pixels: int) -> None:
    if pixels > target.max_pixels:
        raise limits.too_many_pixels(pixels, target.max_pixels)
