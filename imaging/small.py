"""Small pictures, and whether two are one picture at another size, crop, quality or brightness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

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
#: Correlation in grey from which two pictures may be one, and the most that four fifths of their pixels may
#: differ then, in levels of the channel that differs most. Of 100 photos and what was made of them (half the
#: size, quality 60, a crop of a tenth, a sixth brighter) all are within both.
ALIKE, DIFFERENCE, PIXELS = 0.87, 27.0, 0.8

Picture = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Square:
    """The centre square, as ``imaging.geometry.InputSpec``."""

    resize: int = SIDE
    side: int = SIDE
    interpolation: str = "bilinear"


class _Fit(NamedTuple):
    """Where two pictures fit best: the correlation there, and what each shows of it, (side, side, 3)."""

    correlation: float
    part: Picture
    place: Picture


def picture(data: bytes, max_pixels: int) -> Picture:
    """The centre square of an image, (SIDE, SIDE, 3) levels from 0 to 255; raises ImageError."""
    slot = np.zeros((SIDE, SIDE, 3), np.uint8)
    decode_into(slot, data, _Square(), exact=False, max_pixels=max_pixels)
    return slot.astype(np.float32)


def are_one(one: Picture, other: Picture) -> bool:
    """Whether two pictures are one, or one is a part of the other; of plain areas that cannot be said."""
    if min(one.mean(2).std(), other.mean(2).std()) < PLAIN:
        return False
    pairs = ((one, other), (other, one))
    fit = max((_fit(whole, part, share) for whole, part in pairs for share in SHARES), key=lambda fit: fit[0])
    return fit.correlation >= ALIKE and _difference(fit) <= DIFFERENCE


def _fit(whole: Picture, part: Picture, share: float) -> _Fit:
    """The best place in ``whole`` for ``part``, shrunk to a share of the side."""
    side = round(SIDE * share)
    shrunk = np.stack([_resized(part[:, :, channel], side) for channel in range(3)], axis=2)
    grey = shrunk.mean(2).ravel()
    windows = np.lib.stride_tricks.sliding_window_view(whole.mean(2), (side, side)).reshape(-1, side * side)
    grey -= grey.mean()
    spread = np.sqrt(np.maximum(windows.var(1), PLAIN**2)) * side * max(float(np.linalg.norm(grey)), 1e-6)
    correlations = windows @ grey / spread
    best = int(correlations.argmax())
    top, left = divmod(best, SIDE - side + 1)
    return _Fit(float(correlations[best]), shrunk, whole[top : top + side, left : left + side])


def _resized(channel: Picture, side: int) -> Picture:
    return np.asarray(Image.fromarray(channel).resize((side, side), Image.Resampling.BILINEAR), np.float32)


def _difference(fit: _Fit) -> float:
    """What most pixels differ by at most, once brightness and contrast are made the same."""
    part, place = fit.part.mean(2), fit.place.mean(2)
    contrast = ((place - place.mean()) * (part - part.mean())).sum() / max(
        float(part.var()) * part.size, 1e-6
    )
    levels = np.abs(fit.place - (contrast * (fit.part - part.mean()) + place.mean()))
    return float(np.quantile(levels.max(2), PIXELS))
