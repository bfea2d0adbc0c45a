"""Any of Pillow's modes to 8-bit RGB; colour profiles are not applied, as in torchvision's reference."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, TiffImagePlugin

#: What lies behind transparent parts: a page's white, or grey behind what white would hide.
GROUNDS = (255, 127)

#: Pixels of both sides to which an image is averaged before its own brightness is taken.
_SAMPLE = 32

#: White of 8, 12, 14 and 16 bits: files of 16 bits often hold a sensor's 12 or 14 and say so nowhere.
WHITE_LEVELS = (255.0, 4_095.0, 16_383.0, 65_535.0)

#: Tags and values of TIFF that say how levels are meant.
_PHOTOMETRIC, _WHITE_IS_ZERO, _COLOR_MAP, _SAMPLE_FORMAT, _UNSIGNED = 262, 0, 320, 339, 1

_ALPHA = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})


def plain(image: Image.Image) -> Image.Image:
    """The image as L, RGB or RGBA, 8 bits a channel."""
    if image.mode == "P" and (levels := _tags(image).get(_COLOR_MAP)) and max(levels) < 256:
        # Meant as 8 bits though the format has 16; Pillow has divided them.
        image.putpalette(np.asarray(levels, np.uint8).reshape(3, -1).T.tobytes())
    if image.mode in _ALPHA or image.has_transparency_data:
        return _with_alpha(image)
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_levels(image))
    if image.mode == "LAB":
        return ImageCms.applyTransform(image, _lab_to_rgb()) or image
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def opaque(image: Image.Image) -> Image.Image:
    """A plain image as RGB, its transparency over the ground that differs most from what can be seen."""
    if image.mode != "RGBA":
        return image if image.mode == "RGB" else image.convert("RGB")  # convert would copy
    brightness = _brightness(image)
    ground = max(GROUNDS, key=lambda level: abs(level - brightness))
    canvas = Image.new("RGB", image.size, (ground, ground, ground))
    canvas.paste(image, mask=image)
    return canvas


def _brightness(image: Image.Image) -> float:
    """The mean level of an RGBA image, each pixel by its opacity; 0 of one that cannot be seen."""
    sample = image.resize((_SAMPLE, _SAMPLE), Image.Resampling.BOX)
    opacity = np.asarray(sample.getchannel("A"), np.float32)
    levels = np.asarray(sample.convert("L"), np.float32)
    return float((levels * opacity).sum() / max(float(opacity.sum()), 1.0))


def _with_alpha(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # a transparent grey level of 16 bits: rare, and Pillow cannot convert it
        return Image.fromarray(_levels(image))
    if image.mode == "La":
        image = image.convert("LA")
    return image if image.mode == "RGBA" else image.convert("RGBA")


def _tags(image: Image.Image) -> Mapping[int, Any]:
    return image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}


def _levels(image: Image.Image) -> NDArray[np.uint8]:
    """Grey of more than 8 bits as 8; a TIFF may hold it with white as zero, or without a sign."""
    values, tags = np.asarray(image), _tags(image)
    if values.dtype == np.int32 and tags and tags.get(_SAMPLE_FORMAT, (_UNSIGNED,)) == (_UNSIGNED,):
        values = values.view(np.uint32)
    levels = _scaled(values)
    return 255 - levels if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else levels


def _scaled(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Levels of more than 8 bits, and floats, from black to white."""
    finite: NDArray[np.float32] = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = _range(float(finite.min()), float(finite.max()), whole=values.dtype.kind in "iu")
    scaled: NDArray[np.uint8] = ((finite - low) * (255.0 / (high - low)) + 0.5).clip(0, 255).astype(np.uint8)
    return scaled


def _range(low: float, high: float, *, whole: bool) -> tuple[float, float]:
    """Black and white: the narrowest usual range that holds all levels, else the extremes found."""
    nominal = WHITE_LEVELS if whole else (1.0, *WHITE_LEVELS)
    white = next((level for level in nominal if low >= 0 and high <= level), None)
    return (0.0, white) if white else (low, max(high, low + 1.0))


@cache
def _lab_to_rgb() -> ImageCms.ImageCmsTransform:
    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(lab, rgb, "LAB", "RGB")
