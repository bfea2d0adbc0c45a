"""Where the network looks: shorter side resized, centre cropped, with torchvision's rounding."""

from __future__ import annotations

from typing import Protocol

Box = tuple[float, float, float, float]


class InputSpec(Protocol):
    """What a model says of its input as far as pixels are concerned (``tagtray.weights.model``)."""

    @property
    def resize(self) -> int:
        """Pixels of the shorter side after resizing."""

    @property
    def side(self) -> int:
        """Pixels of both sides of the centre crop that the network sees; ``resize`` at most."""

    @property
    def interpolation(self) -> str:
        """How pixels are resampled, always antialiased: bilinear or bicubic."""


def resized(spec: InputSpec, width: int, height: int) -> tuple[int, int]:
    """Size after resizing: torchvision's ``_compute_resized_output_size``; the longer side is truncated."""
    longer = int(spec.resize * max(width, height) / min(width, height))
    return (spec.resize, longer) if width <= height else (longer, spec.resize)


def crop_box(spec: InputSpec, width: int, height: int) -> tuple[int, int, int, int]:
    """The centre crop of a resized image: torchvision's ``center_crop``, which rounds half to even."""
    left, top = round((width - spec.side) / 2), round((height - spec.side) / 2)
    return left, top, left + spec.side, top + spec.side


def source_box(spec: InputSpec, width: int, height: int) -> Box:
    """The part of the original (left, top, right, bottom in its pixels) that becomes the crop."""
    across, down = resized(spec, width, height)
    left, top, right, bottom = crop_box(spec, across, down)
    per_x, per_y = width / across, height / down
    return left * per_x, top * per_y, min(right * per_x, width), min(bottom * per_y, height)


def stored_box(box: Box, width: int, height: int, orientation: int) -> Box:
    """A box of the upright image in the pixels of the stored one of ``width`` x ``height``.

    ``orientation`` is EXIF's (1 to 8, tag 0x0112): rows and columns exchanged from 5 on, then mirrored.
    """
    left, top, right, bottom = box
    if orientation >= 5:
        left, top, right, bottom = top, left, bottom, right
    if orientation in (2, 3, 7, 8):
        left, right = width - right, width - left
    if orientation in (3, 4, 6, 7):
        top, bottom = height - bottom, height - top
    return left, top, right, bottom
