"""What an image is refused for that is larger than the settings allow."""

from __future__ import annotations

from dataclasses import dataclass

from tagtray.config.errors import ImageCode, ImageError

#: Their codes: what was found in such an image before is no longer shown.
CODES = (ImageCode.TOO_LARGE, ImageCode.TOO_MANY_PIXELS)


@dataclass(frozen=True, slots=True)
class Limits:
    """The settings ``max_bytes``, ``max_pixels`` and ``exact``, which decides what the second is about."""

    max_bytes: int
    max_pixels: int
    exact: bool


def too_large(size: int, max_bytes: int) -> ImageError:
    """The error for a file of more than ``TAGTRAY_MAX_BYTES``."""
    sentence = f"The file has {size:,} bytes; at most {max_bytes:,} are read (TAGTRAY_MAX_BYTES)."
    return ImageError(ImageCode.TOO_LARGE, sentence)


def too_many_pixels(pixels: int, max_pixels: int) -> ImageError:
    """The error for an image whose decoding would hold more than ``TAGTRAY_MAX_PIXELS`` in memory."""
    sentence = f"The image has {pixels:,} pixels; at most {max_pixels:,} are decoded (TAGTRAY_MAX_PIXELS)."
    return ImageError(ImageCode.TOO_MANY_PIXELS, sentence)
