"""Any of Pillow's modes to 8-bit RGB; colour profiles are not applied, as in torchvision's reference."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

#: Transparent parts become what a browser's page shows behind them.
BACKGROUND = "white"

#: White of 8, 12, 14 and 16 bits: files of 16 bits often hold a sensor's 12 or 14 and say so nowhere.
WHITE_LEVELS = (255.0, 4_095.0, 16_383.0, 65_535.0)

_ALPHA = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})


def plain(image: Image.Image) -> Image.Image:
    """The picture as L, RGB or RGBA, 8 bits a channel."""
    if image.mode in _ALPHA or image.has_transparency_data:
        return _with_alpha(image)
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_scaled(np.asarray(image)))
    if image.mode == "LAB":
        return ImageCms.applyTransform(image, _lab_to_rgb()) or image
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def opaque(image: Image.Image) -> Image.Image:
    """A plain picture as RGB, its transparency over ``BACKGROUND``."""
    if image.mode != "RGBA":
        return image if image.mode == "RGB" else image.convert("RGB")  # convert would copy
    canvas = Image.new("RGB", image.size, BACKGROUND)
    canvas.paste(image, mask=image)
    return canvas


def _with_alpha(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # a transparent grey level of 16 bits: rare, and Pillow cannot convert it
        return Image.fromarray(_scaled(np.asarray(image)))
    if image.mode == "La":
        image = image.convert("LA")
    return image if image.mode == "RGBA" else image.convert("RGBA")


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
