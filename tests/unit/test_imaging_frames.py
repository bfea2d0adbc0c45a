"""What an animation shows first, what lies behind transparent parts, and the mean colour."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tagtray.imaging import decode, frames
from tagtray.imaging.decode import ImageInfo
from tests import models

ANIMATED = ["GIF", "PNG", "WEBP", "AVIF"]
RED, BLACK, WHITE = (200, 0, 0), (0, 0, 0), (255, 255, 255)


def frame(colour: tuple[int, ...], mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (120, 90), colour)


def seen(colour: tuple[int, int, int] = RED) -> Image.Image:
    """A frame that shows something: a disc."""
    image = frame(WHITE)
    ImageDraw.Draw(image).ellipse((30, 15, 90, 75), fill=colour)
    return image


def encoded(kind: str, *pictures: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    more = {"save_all": True, "append_images": pictures[1:]} if len(pictures) > 1 else {}
    pictures[0].save(buffer, kind, **more, **options)
    return buffer.getvalue()


def decoded(data: bytes, *, exact: bool = False) -> tuple[ImageInfo, NDArray[np.uint8]]:
    slot = np.zeros(models.SHAPE, np.uint8)
    return decode.decode_into(slot, data, models.SPEC, exact=exact, max_pixels=10**8), slot


def is_red(slot: NDArray[np.uint8]) -> bool:
    return bool(slot[112, 112, 0] > 150 and slot[112, 112, 1] < 80)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("kind", ANIMATED)
@pytest.mark.parametrize("blank", [1, 3])
def test_a_blank_first_frame_gives_way_to_the_first_that_is_not(kind: str, blank: int, exact: bool) -> None:
    # Given a fade from black
    fade = [frame((3 * number,) * 3) for number in range(blank)]

    _, slot = decoded(encoded(kind, *fade, seen(), seen((0, 0, 200)), duration=50), exact=exact)

    assert is_red(slot)


def test_a_transparent_first_frame_gives_way_too() -> None:
    data = encoded("WEBP", frame((0, 0, 0, 0), "RGBA"), seen().convert("RGBA"), lossless=True)

    assert is_red(decoded(data)[1])


@pytest.mark.parametrize("kind", ANIMATED)
def test_a_first_frame_that_shows_something_stays(kind: str) -> None:
    assert is_red(decoded(encoded(kind, seen(), seen((0, 0, 200)), duration=50))[1])


@pytest.mark.parametrize("kind", ANIMATED)
def test_an_animation_that_shows_nothing_is_its_first_frame(kind: str) -> None:
    _, slot = decoded(encoded(kind, frame(BLACK), frame(WHITE), frame(BLACK), duration=50))

    assert slot.max() < 8


def test_the_frames_that_are_looked_at_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [frame((number % 2,) * 3) for number in range(40)]
    data = encoded("GIF", *many, seen(), duration=20)
    assert decoded(data)[1].max() < 8

    monkeypatch.setattr(frames, "MAX_FRAMES", 100)
    assert is_red(decoded(data)[1])
    monkeypatch.setattr(frames, "MAX_PIXELS", 120 * 90 * 30)
    assert decoded(data)[1].max() < 8


def test_a_damaged_second_frame_leaves_the_first() -> None:
    data = encoded("GIF", frame(BLACK), seen(), duration=50)

    _, slot = decoded(data[: len(data) * 2 // 3])

    assert slot.max() < 8


def test_pages_are_no_frames() -> None:
    assert decoded(encoded("TIFF", frame(BLACK), seen()))[1].max() < 8


# What lies behind transparent parts


def shape(colour: tuple[int, int, int], kind: str = "PNG") -> bytes:
    """A disc on nothing."""
    image = frame((0, 0, 0, 0), "RGBA")
    ImageDraw.Draw(image).ellipse((30, 15, 90, 75), fill=(*colour, 255))
    return encoded(kind, image, **({"lossless": True} if kind == "WEBP" else {}))


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    ("colour", "ground"),
    [(BLACK, 255), (RED, 255), ((120, 120, 120), 255), (WHITE, 127), ((255, 240, 200), 127)],
)
def test_what_is_transparent_lies_on_a_ground_that_it_contrasts_with(
    colour: tuple[int, int, int], ground: int, kind: str, exact: bool
) -> None:
    _, slot = decoded(shape(colour, kind), exact=exact)

    assert slot[5, 5].tolist() == [ground] * 3
    assert np.abs(slot[112, 112].astype(int) - colour).max() <= 1


def test_hidden_pixels_say_nothing_of_the_brightness() -> None:
    # Given a dark disc in the middle of pixels that are white and cannot be seen
    image = frame((255, 255, 255, 0), "RGBA")
    ImageDraw.Draw(image).ellipse((50, 35, 70, 55), fill=(40, 40, 40, 255))

    assert decoded(encoded("PNG", image))[1][5, 5].tolist() == [255] * 3


# The mean colour


@pytest.mark.parametrize("exact", [True, False])
def test_the_mean_colour_is_that_of_the_slot(exact: bool) -> None:
    assert decoded(encoded("PNG", frame((18, 52, 86))), exact=exact)[0].color == "#123456"

    info, slot = decoded(encoded("PNG", seen()), exact=exact)

    found = [int(info.color[at : at + 2], 16) for at in (1, 3, 5)]
    assert np.abs(slot.mean(axis=(0, 1)) - found).max() <= 1
