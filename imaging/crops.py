"""What the network sees of a loaded image: exact as the reference does it, or fast from the crop alone."""

from __future__ import annotations

from PIL import Image

from tagtray.imaging import colour, exif, geometry
from tagtray.imaging.formats import Draft
from tagtray.imaging.geometry import InputSpec

#: A draft first averages whole pixels down to this multiple of the crop (Pillow's reducing_gap).
REDUCING_GAP = 3.0

#: Longer side in pixels up to which exact mode resizes the whole image, as torchvision does (64 : 1).
#: Beyond it only the crop is resampled: one level off at most, and gigabytes of memory less.
MAX_RESIZED = 16_384

_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def exact(image: Image.Image, spec: InputSpec, orientation: int) -> Image.Image:
    """Every step on the whole image and in the reference's order, for the same rounding."""
    image = colour.opaque(colour.plain(image))
    image = _upright(image, orientation)
    size = geometry.resized(spec, *image.size)
    if max(size) > MAX_RESIZED:
        return _crop(image, spec, geometry.source_box(spec, *image.size))
    return image.resize(size, _RESAMPLING[spec.interpolation]).crop(geometry.crop_box(spec, *size))


def fast(image: Image.Image, spec: InputSpec, draft: Draft, orientation: int) -> Image.Image:
    """Only the crop is resampled, and only its pixels are blended and turned."""
    upright = draft.full if orientation < 5 else draft.full[::-1]
    box = geometry.stored_box(geometry.source_box(spec, *upright), *draft.full, orientation)
    left, top, right, bottom = (edge * draft.scale for edge in box)
    inside = (left, top, min(right, image.width), min(bottom, image.height))
    crop = colour.opaque(_crop(colour.plain(image), spec, inside, REDUCING_GAP))
    return _upright(crop, orientation)


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(exif.TRANSPOSES[orientation]) if orientation in exif.TRANSPOSES else image


def _crop(
    image: Image.Image, spec: InputSpec, box: geometry.Box, reducing_gap: float | None = None
) -> Image.Image:
    size = (spec.side, spec.side)
    return image.resize(size, _RESAMPLING[spec.interpolation], box=box, reducing_gap=reducing_gap)
