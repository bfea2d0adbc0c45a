from __future__ import annotations

import io
from datetime import datetime

import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from tagtray.config.errors import ImageCode, ImageError
from tagtray.imaging import decode, exif, faults
from tagtray.imaging.decode import ImageInfo
from tagtray.imaging.taken import Source, Taken
from tests import models

pillow_heif.register_heif_opener()
MAX_PIXELS = 100_000_000
FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"]
Pixels = NDArray[np.uint8]


def picture(width: int, height: int) -> Image.Image:
    """A smooth picture without symmetry: every orientation of it looks different."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    red, green = 255 * x / width, 255 * y / height
    blue = 255 * (x / width > 0.4) * (y / height > 0.6)
    return Image.fromarray(np.stack([red, green, blue], axis=-1).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(data: bytes, *, exact: bool = True, max_pixels: int = MAX_PIXELS) -> tuple[ImageInfo, Pixels]:
    slot = np.zeros(models.SHAPE, np.uint8)
    info = decode.decode_into(slot, data, models.SPEC, exact=exact, max_pixels=max_pixels)
    return info, slot


def refused(data: bytes, max_pixels: int = MAX_PIXELS) -> ImageError:
    with pytest.raises(ImageError) as caught:
        decoded(data, max_pixels=max_pixels)
    assert str(caught.value).isprintable() and len(str(caught.value)) <= 200
    return caught.value


def distance(one: Pixels, other: Pixels) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def colour(data: bytes, *, exact: bool = True) -> tuple[int, ...]:
    """The one colour of a picture that has but one."""
    _, slot = decoded(data, exact=exact)
    assert distance(slot, np.broadcast_to(slot[0, 0], slot.shape)) < 2
    return tuple(int(level) for level in slot[112, 112])


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("exact", [True, False])
def test_every_format_becomes_the_same_pixels(kind: str, exact: bool) -> None:
    _, reference = decoded(encoded(picture(400, 300), "PNG"))

    info, slot = decoded(encoded(picture(400, 300), kind), exact=exact)

    assert (info.format, info.width, info.height) == (kind, 400, 300)
    assert distance(slot, reference) < (8 if kind == "GIF" else 3)  # a GIF has 256 colours


def test_the_slot_may_be_a_row_of_a_batch() -> None:
    batch = np.zeros((3, *models.SHAPE), np.uint8)

    data = encoded(picture(50, 40), "PNG")
    decode.decode_into(batch[1], data, models.SPEC, exact=False, max_pixels=MAX_PIXELS)

    assert batch[1].any() and not batch[0].any() and not batch[2].any()


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(
    ("image", "kind", "expected"),
    [
        (Image.new("L", (40, 30), 90), "PNG", (90, 90, 90)),
        (Image.new("1", (40, 30), 1), "PNG", (255, 255, 255)),
        (Image.new("P", (40, 30), 0), "PNG", (0, 0, 0)),
        (Image.new("RGBA", (40, 30), (255, 0, 0, 0)), "PNG", (255, 255, 255)),
        (Image.new("RGBA", (40, 30), (255, 0, 0, 255)), "PNG", (255, 0, 0)),
        (Image.new("RGBA", (40, 30), (255, 0, 0, 51)), "WEBP", (255, 204, 204)),
        (Image.new("LA", (40, 30), (0, 51)), "PNG", (204, 204, 204)),
        (Image.new("LA", (40, 30), (0, 51)), "TIFF", (204, 204, 204)),
        (Image.new("RGBA", (40, 30), (0, 0, 255, 51)), "AVIF", (204, 204, 255)),
        (Image.new("RGBA", (40, 30), (0, 0, 255, 51)), "HEIF", (204, 204, 255)),
        (Image.new("CMYK", (40, 30), (0, 255, 255, 0)), "JPEG", (255, 0, 0)),
        (Image.new("CMYK", (40, 30), (0, 255, 255, 0)), "TIFF", (255, 0, 0)),
        (Image.new("YCbCr", (40, 30), (76, 85, 255)), "JPEG", (254, 0, 0)),
        (Image.new("LAB", (40, 30), (138, 209, 198)), "TIFF", (251, 5, 4)),
        (Image.new("I;16", (40, 30), 65_535), "PNG", (255, 255, 255)),
        (Image.new("I;16", (40, 30), 32_768), "PNG", (128, 128, 128)),
        (Image.new("I;16", (40, 30), 2_048), "TIFF", (128, 128, 128)),
        (Image.new("I", (40, 30), 32_768), "TIFF", (128, 128, 128)),
        (Image.new("F", (40, 30), 0.5), "TIFF", (128, 128, 128)),
        (Image.new("F", (40, 30), 32_768.0), "TIFF", (128, 128, 128)),
        (Image.new("I", (40, 30), 1_000_000), "TIFF", (0, 0, 0)),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else None,
)
def test_every_mode_becomes_rgb(
    image: Image.Image, kind: str, expected: tuple[int, ...], exact: bool
) -> None:
    found = colour(encoded(image, kind), exact=exact)

    assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) <= 3


def test_numbers_without_a_usual_range_are_stretched_and_what_is_no_number_is_black() -> None:
    values = np.linspace(-500, 1_500, 300 * 300, dtype=np.float32).reshape(300, 300)
    values[0, :] = np.nan

    _, slot = decoded(encoded(Image.fromarray(values), "TIFF"))

    assert slot[5].mean() < 40 and slot[-5].mean() > 215


def test_a_palette_with_a_transparent_colour_is_laid_on_white() -> None:
    image = Image.new("P", (40, 30), 1)
    image.putpalette([0, 0, 0, 200, 0, 0])

    assert colour(encoded(image, "PNG")) == (200, 0, 0)
    assert colour(encoded(image, "PNG", transparency=1)) == (255, 255, 255)
    assert colour(encoded(image, "GIF", transparency=1)) == (255, 255, 255)


def test_rgb_and_grey_with_a_transparent_level_are_laid_on_white() -> None:
    assert colour(encoded(Image.new("RGB", (40, 30), (1, 2, 3)), "PNG", transparency=(1, 2, 3))) == (255,) * 3
    assert colour(encoded(Image.new("L", (40, 30), 7), "PNG", transparency=7)) == (255,) * 3
    assert colour(encoded(Image.new("I;16", (40, 30), 40_000), "PNG", transparency=7)) == (156,) * 3


def test_colour_profiles_are_ignored() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()

    assert colour(encoded(Image.new("RGB", (40, 30), (10, 20, 30)), "PNG", icc_profile=profile)) == (
        10,
        20,
        30,
    )


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF", "TIFF", "HEIF"])
def test_the_first_frame_counts(kind: str) -> None:
    first, second = Image.new("RGB", (40, 30), (255, 0, 0)), Image.new("RGB", (40, 30), (0, 0, 255))

    found = colour(encoded(first, kind, save_all=True, append_images=[second]))

    assert found[0] > 240 and found[2] < 20


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(401, 300), (300, 401), (333, 334), (57, 200)])
def test_a_turned_picture_becomes_the_upright_one(orientation: int, size: tuple[int, int]) -> None:
    # Given a picture that is stored as a camera held in this way does
    upright = picture(*size)
    undo = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    method = undo.get(orientation, exif.TRANSPOSES.get(orientation))
    stored = upright if method is None else upright.transpose(method)
    tags = Image.Exif()
    tags[0x0112] = orientation
    _, expected = decoded(encoded(upright, "PNG"))

    for kind in ("PNG", "TIFF", "WEBP"):
        data = encoded(stored, kind, exif=tags.tobytes(), lossless=True)
        info, slot = decoded(data)
        assert (info.width, info.height) == size
        assert np.array_equal(slot, expected)
        assert distance(decoded(data, exact=False)[1], expected) < 0.5
    for kind in ("JPEG", "HEIF", "AVIF"):
        data = encoded(stored, kind, exif=tags.tobytes(), quality=95)
        info, slot = decoded(data, exact=False)
        assert (info.width, info.height) == size
        assert distance(slot, expected) < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_draft_of_a_turned_jpeg_shows_the_same_part(orientation: int) -> None:
    tags = Image.Exif()
    tags[0x0112] = orientation
    data = encoded(picture(2_005, 1_203), "JPEG", exif=tags, quality=95)

    assert distance(decoded(data, exact=False)[1], decoded(data, exact=True)[1]) < 0.7


def test_time_and_camera_come_from_exif() -> None:
    tags = Image.Exif()
    tags[271], tags[272] = "Canon", "Canon EOS R5\0\n"
    tags[306] = "2024:05:06 07:08:09"
    tags.get_ifd(0x8769)[36867] = "2023:01:02 03:04:05"

    info, _ = decoded(encoded(picture(20, 20), "JPEG", exif=tags))

    assert info.taken == Taken(datetime(2023, 1, 2, 3, 4, 5), Source.EXIF)
    assert info.camera == "Canon EOS R5"


def test_without_its_original_time_the_time_of_change_counts() -> None:
    tags = Image.Exif()
    tags[271], tags[306] = "Maker", "2024:05:06 07:08:09"

    info, _ = decoded(encoded(picture(20, 20), "TIFF", exif=tags))

    assert info.taken == Taken(datetime(2024, 5, 6, 7, 8, 9), Source.MODIFIED)
    assert info.camera == "Maker"


@pytest.mark.parametrize(
    "time", ["", "0000:00:00 00:00:00", "2024-13-45", "yesterday", "    :  :     :  :  "]
)
def test_a_time_that_is_none_is_left_out(time: str) -> None:
    tags = Image.Exif()
    tags[306] = time

    assert decoded(encoded(picture(20, 20), "JPEG", exif=tags))[0].taken is None


def test_damaged_exif_never_fails_a_picture() -> None:
    tags = Image.Exif()
    tags[0x0112] = 99
    for data in (b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\x7f", b"Exif\0\0", tags.tobytes()):
        info, _ = decoded(encoded(picture(30, 20), "JPEG", exif=data))
        assert (info.width, info.height, info.taken, info.camera) == (30, 20, None, None)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"])
@pytest.mark.parametrize("kept", [0.3, 0.7])
def test_a_truncated_picture_is_failed_with_its_code(kind: str, kept: float) -> None:
    noise = Image.effect_noise((200, 150), 60).convert("RGB")
    data = encoded(noise, kind)

    assert refused(data[: int(len(data) * kept)]).code is ImageCode.TRUNCATED


def test_a_damaged_picture_is_failed_with_its_code() -> None:
    data = bytearray(encoded(picture(200, 150), "PNG"))
    data[60:90] = b"\xaa" * 30

    assert refused(bytes(data)).code is ImageCode.CORRUPT


def test_what_is_no_picture_is_failed_with_its_code() -> None:
    assert refused(b"").code is ImageCode.NOT_AN_IMAGE
    assert refused(b"hello").code is ImageCode.NOT_AN_IMAGE
    assert refused(b"8BPS\0\2").code is ImageCode.UNSUPPORTED


def test_a_kind_that_the_decoder_does_not_know_is_unsupported() -> None:
    data = bytearray(encoded(picture(20, 20), "BMP"))
    data[30] = 77  # the compression

    assert refused(bytes(data)).code is ImageCode.UNSUPPORTED


@pytest.mark.parametrize("kind", FORMATS)
def test_too_many_pixels_are_refused_before_they_are_decoded(kind: str) -> None:
    data = encoded(picture(100, 80), kind)

    error = refused(data, max_pixels=7_999)

    assert error.code is ImageCode.TOO_MANY_PIXELS
    assert "8,000 pixels" in str(error)
    assert decoded(data, max_pixels=8_000)[0].width == 100


def test_a_bomb_is_refused_by_its_header() -> None:
    data = bytearray(encoded(picture(10, 10), "BMP"))
    data[18:26] = (40_000).to_bytes(4, "little") * 2

    assert refused(bytes(data)).code is ImageCode.TOO_MANY_PIXELS


def test_memory_that_runs_out_is_a_code_of_its_own() -> None:
    error = faults.image_error("PNG", MemoryError(), encoded(picture(9, 9), "PNG"), MAX_PIXELS)

    assert error.code is ImageCode.OUT_OF_MEMORY


def test_a_decoders_words_are_bounded_printable_and_without_addresses() -> None:
    words = OSError("bad\n\x1b[31m <_io.BytesIO object at 0x7f00> " + "x" * 1_000)

    error = faults.image_error("PNG", words, encoded(picture(9, 9), "PNG"), MAX_PIXELS)

    assert error.code is ImageCode.CORRUPT
    assert str(error).isprintable() and len(str(error)) <= 200 and "0x7f00" not in str(error)
