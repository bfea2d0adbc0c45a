"""Animations: the first frame that shows something."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from PIL import Image

#: Formats whose further frames are the same image at another moment; those of others are pages or layers.
_ANIMATED = frozenset({"GIF", "PNG", "WEBP", "AVIF"})

#: Frames that are looked at: a fade from black lasts a second, at up to 30 of them.
MAX_FRAMES = 30

#: Pixels of all of them at most: two seconds of decoding.
MAX_PIXELS = 200_000_000

#: Levels that differ at most in a frame that shows nothing: dithering, and what compression leaves.
BLANK_LEVELS = 8


def first_seen(image: Image.Image, see: Callable[[], Image.Image]) -> Image.Image:
    """What ``see`` makes of the current frame, or of the first one after it that is not blank."""
    first = see()
    if image.format not in _ANIMATED or not is_blank(first) or not getattr(image, "is_animated", False):
        return first
    for number in range(1, min(MAX_FRAMES, MAX_PIXELS // (image.width * image.height))):
        try:
            image.seek(number)
            image.load()
            seen = see()
        except Exception:  # damaged or over: the first frame stands
            break
        if not is_blank(seen):
            return seen
    return first


def is_blank(image: Image.Image) -> bool:
    """Whether an RGB image has but one colour."""
    bands = cast(tuple[tuple[int, int], ...], image.getextrema())
    return all(high - low <= BLANK_LEVELS for low, high in bands)
