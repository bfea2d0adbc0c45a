"""Exact mode against the transform that ships with torchvision's weights."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torchvision.models import ResNet18_Weights  # type: ignore[import-untyped]
from torchvision.transforms import InterpolationMode, functional  # type: ignore[import-untyped]

from tagtray.imaging import crops, decode, geometry
from tests import models

MAX_PIXELS = 100_000_000
#: Every fifth of the labelled photos: one takes 0.1 s.
PHOTOS = sorted((Path(__file__).resolve().parents[2].parent / "shared" / "images").glob("*.JPEG"))[::5]
reference = ResNet18_Weights.DEFAULT.transforms()


def normalised(pixels: NDArray[np.uint8]) -> torch.Tensor:
    planes = torch.from_numpy(pixels).permute(2, 0, 1).contiguous()
    scaled = functional.convert_image_dtype(planes, torch.float)
    result: torch.Tensor = functional.normalize(scaled, mean=reference.mean, std=reference.std)
    return result


def slot_of(data: bytes, *, exact: bool = True) -> NDArray[np.uint8]:
    slot = np.zeros(models.SHAPE, np.uint8)
    decode.decode_into(slot, data, models.SPEC, exact=exact, max_pixels=MAX_PIXELS)
    return slot


def noise(width: int, height: int) -> Image.Image:
    levels = np.random.default_rng(width * 10_007 + height).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(levels)


def bmp(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "BMP")
    return buffer.getvalue()


#: Another input: what torchvision's transform makes of it is what ours has to make of it.
OTHER = ResNet18_Weights.DEFAULT.transforms(
    crop_size=models.OTHER_INPUT.side,
    resize_size=models.OTHER_INPUT.resize,
    interpolation=InterpolationMode.BICUBIC,
    mean=models.OTHER_INPUT.mean,
    std=models.OTHER_INPUT.std,
)

SIZES = [(1, 1), (2, 3), (224, 224), (256, 256), (255, 257), (257, 255), (500, 375), (333, 500), (341, 500)]
STRIPS = [(1, 60), (60, 1), (3, 190), (190, 3), (2_000, 40), (40, 2_000), (1_601, 1_203)]


@pytest.mark.parametrize("size", SIZES + STRIPS)
def test_exact_mode_equals_torchvisions_transform_bit_for_bit(size: tuple[int, int]) -> None:
    image = noise(*size)

    assert torch.equal(normalised(slot_of(bmp(image))), reference(image))


@pytest.mark.parametrize("size", SIZES)
def test_another_input_is_as_exact(size: tuple[int, int]) -> None:
    spec = models.OTHER_INPUT
    slot = np.zeros((spec.side, spec.side, 3), np.uint8)
    image = noise(*size)

    decode.decode_into(slot, bmp(image), spec, exact=True, max_pixels=MAX_PIXELS)

    planes = functional.convert_image_dtype(torch.from_numpy(slot).permute(2, 0, 1), torch.float)
    assert torch.equal(functional.normalize(planes, mean=spec.mean, std=spec.std), OTHER(image))


@settings(max_examples=30)
@given(st.integers(1, 700), st.integers(1, 700))
def test_exact_mode_equals_torchvisions_transform_at_any_size(width: int, height: int) -> None:
    image = noise(width, height)
    if max(geometry.resized(models.SPEC, width, height)) <= crops.MAX_RESIZED:
        assert torch.equal(normalised(slot_of(bmp(image))), reference(image))


@pytest.mark.parametrize("size", [(3, 1_000), (1_000, 3), (1, 300)])
def test_beyond_64_to_1_exact_mode_is_one_level_off_at_most(size: tuple[int, int]) -> None:
    image = noise(*size)
    across_down = geometry.resized(models.SPEC, *size)
    whole = image.resize(across_down, Image.Resampling.BILINEAR).crop(
        geometry.crop_box(models.SPEC, *across_down)
    )

    difference = np.abs(slot_of(bmp(image)).astype(int) - np.asarray(whole))

    assert difference.max() <= 1


@pytest.mark.parametrize("size", [(100_000, 1), (1, 100_000)])
def test_an_endless_strip_costs_no_memory(size: tuple[int, int]) -> None:
    for exact in (True, False):
        assert slot_of(bmp(Image.new("RGB", size, (9, 8, 7))), exact=exact)[100, 100].tolist() == [9, 8, 7]


@settings(max_examples=200)
@given(st.integers(1, 10**8), st.integers(1, 10**8), st.integers(1, 8))
def test_the_crop_lies_inside_of_any_picture(width: int, height: int, orientation: int) -> None:
    stored = (width, height) if orientation < 5 else (height, width)

    left, top, right, bottom = geometry.stored_box(
        geometry.source_box(models.SPEC, width, height), *stored, orientation=orientation
    )

    assert 0 <= left < right <= stored[0] and 0 <= top < bottom <= stored[1]


if PHOTOS:

    def test_exact_mode_equals_torchvisions_transform_on_photos() -> None:
        for photo in PHOTOS:
            image = ImageOps.exif_transpose(Image.open(photo)).convert("RGB")

            assert torch.equal(normalised(slot_of(photo.read_bytes())), reference(image)), photo.name

    def test_draft_mode_stays_close_on_photos() -> None:
        for photo in PHOTOS:
            data = photo.read_bytes()
            difference = np.abs(slot_of(data, exact=False).astype(int) - slot_of(data))

            assert difference.mean() < 1.0, photo.name
