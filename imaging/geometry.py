"""Where the network looks: shorter side to 256, centre crop of 224, with torchvision's rounding."""

from __future__ import annotations

#: Pixels of the shorter side after resizing (torchvision's ``ResNet18_Weights.DEFAULT.transforms()``).
RESIZE = 256

#: Pixels of both sides of the crop that the network sees.
CROP = 224

Box = tuple[float, float, float, float]


def resized(width: int, height: int) -> tuple[int, int]:
    """Size after resizing: torchvision's ``_compute_resized_output_size``; the longer side is truncated."""
    longer = int(RESIZE * max(width, height) / min(width, height))
    return (RESIZE, longer) if width <= height else (longer, RESIZE)


def crop_box(width: int, height: int) -> tuple[int, int, int, int]:
    """The centre crop of a resized picture: torchvision's ``center_crop``, which rounds half to even."""
    left, top = round((width - CROP) / 2), round((height - CROP) / 2)
    return left, top, left + CROP, top + CROP


def source_box(width: int, height: int) -> Box:
    """The part of the original (left, top, right, bottom in its pixels) that becomes the crop."""
    across, down = resized(width, height)
    left, top, right, bottom = crop_box(across, down)
    per_x, per_y = width / across, height / down
    return left * per_x, top * per_y, min(right * per_x, width), min(bottom * per_y, height)


def stored_box(box: Box, width: int, height: int, orientation: int) -> Box:
    """A box of the upright picture in the pixels of the stored one of ``width`` x ``height``.

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
