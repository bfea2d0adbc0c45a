"""Small grey pictures, and whether two are one picture at another size, crop, quality or brightness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tagtray.imaging.decode import decode_into

#: Pixels of a side: enough to tell two shots of one thing apart, few enough to slide one over the other.
SIDE = 48
#: How much of one picture the other may show, in sides.
SHARES = (1.0, 0.95, 0.9, 0.85, 0.8)
#: Standard deviation of grey levels below which a picture is a plain area, which is like any other one.
PLAIN = 4.0

Grey = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Square:
    """The centre square, as ``imaging.geometry.InputSpec``."""

    resize: int = SIDE
    side: int = SIDE
    interpolation: str = "bilinear"


def picture(data: bytes, max_pixels: int) -> Grey:
    """The centre square of an image in grey, (SIDE, SIDE) levels from 0 to 255; raises ImageError."""
    slot = np.zeros((SIDE, SIDE, 3), np.uint8)
    decode_into(slot, data, _Square(), exact=False, max_pixels=max_pixels)
    levels: Grey = slot.mean(2, dtype=np.float32)
    return levels


def likeness(one: Grey, other: Grey) -> float:
    """Correlation of two pictures where they fit best, the one as a part of the other; 1 at most.

    -1 where one of them is a plain area, of which nothing can be said.
    """
    if min(one.std(), other.std()) < PLAIN:
        return -1.0
    return max(max(_slid(one, other, share), _slid(other, one, share)) for share in SHARES)


def _slid(whole: Grey, part: Grey, share: float) -> float:
    """The best correlation of ``part``, shrunk to a share of the side, with a place of ``whole``."""
    side = round(SIDE * share)
    shrunk = np.asarray(Image.fromarray(part).resize((side, side), Image.Resampling.BILINEAR), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(whole, (side, side)).reshape(-1, side * side)
    shrunk = shrunk.ravel() - shrunk.mean()
    products = windows @ shrunk
    spread = np.sqrt(np.maximum(windows.var(1), PLAIN**2)) * side * np.linalg.norm(shrunk)
    return float((products / np.maximum(spread, 1e-6)).max())
