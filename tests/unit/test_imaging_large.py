"""What decoding may cost: the pixels that are held at once count, not those of the image."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tagtray.config.errors import ImageCode, ImageError
from tagtray.config.settings import Settings
from tagtray.imaging import bands, decode, thumbnail
from tagtray.imaging.decode import ImageInfo
from tagtray.imaging.thumbnail import Box
from tests import models, tiffs

Pixels = NDArray[np.uint8]
DEFAULT = Settings.model_fields["max_pixels"].default


def picture(width: int, height: int) -> Image.Image:
    """A smooth picture without symmetry."""
    small = np.mgrid[0:60, 0:80].astype(np.float64)
    planes = np.stack(
        [small[1] * 3, small[0] * 4, 127 + 100 * np.sin(small[0] / 5) * (small[1] > 30)], axis=-1
    )
    return Image.fromarray(planes.clip(0, 255).astype(np.uint8)).resize(
        (width, height), Image.Resampling.BILINEAR
    )


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(data: bytes, max_pixels: int = DEFAULT, *, exact: bool = False) -> tuple[ImageInfo, Pixels]:
    slot = np.zeros(models.SHAPE, np.uint8)
    return decode.decode_into(slot, data, models.SPEC, exact=exact, max_pixels=max_pixels), slot


def refused(data: bytes, max_pixels: int, *, exact: bool = False) -> str:
    with pytest.raises(ImageError) as caught:
        decoded(data, max_pixels, exact=exact)
    assert caught.value.code is ImageCode.TOO_MANY_PIXELS
    return str(caught.value)


def distance(one: Pixels, other: Pixels) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


LARGE = picture(4_800, 3_600)


@pytest.mark.parametrize("kind", ["JPEG", "JPEG2000"])
def test_what_is_scaled_while_it_is_decoded_counts_as_what_is_left(kind: str) -> None:
    data = encoded(LARGE, kind)

    info, slot = decoded(data, 1_200_000)

    assert (info.width, info.height) == LARGE.size
    assert distance(slot, decoded(data)[1]) == 0
    refused(data, 1_000_000)
    refused(data, 17_000_000, exact=True)


def test_a_progressive_jpeg_counts_as_a_whole() -> None:
    data = encoded(LARGE, "JPEG", progressive=True)

    assert "17,280,000 pixels" in refused(data, 17_000_000)
    assert decoded(data)[0].width == 4_800


@pytest.mark.parametrize("size", [(16_320, 12_240), (20_000, 5_200)])
def test_photos_of_200_megapixels_and_panoramas_are_ordinary(size: tuple[int, int]) -> None:
    info, _ = decoded(encoded(Image.new("L", size, 90), "JPEG"))

    assert (info.width, info.height, info.color) == (*size, "#5a5a5a")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP", "GIF"])
def test_what_is_decoded_as_a_whole_counts_as_a_whole(kind: str) -> None:
    data = encoded(picture(1_200, 900), kind)

    refused(data, 1_079_999)
    assert decoded(data, 1_080_000)[0].width == 1_200


TIFFS: dict[str, tuple[str, dict[str, object]]] = {
    "strips": ("RGB", {"compression": "tiff_lzw"}),
    "deflate": ("RGB", {"compression": "tiff_adobe_deflate", "strip_size": 70_001}),
    "jpeg": ("RGB", {"compression": "jpeg"}),
    "uncompressed": ("RGB", {}),
    "big": ("RGB", {"big_tiff": True, "compression": "tiff_lzw"}),
    "grey": ("L", {"compression": "tiff_lzw"}),
    "black and white": ("1", {"compression": "group4", "strip_size": 20_000}),
    "palette": ("P", {"compression": "tiff_lzw"}),
    "transparency": ("RGBA", {"compression": "tiff_lzw"}),
    "ink": ("CMYK", {"compression": "tiff_lzw"}),
}


@pytest.mark.parametrize("name", TIFFS)
@pytest.mark.parametrize("size", [(2_400, 1_801), (1_201, 3_000)])
def test_a_tiff_over_the_limit_is_read_in_bands(name: str, size: tuple[int, int]) -> None:
    mode, options = TIFFS[name]
    tags = Image.Exif()
    tags[0x0112], tags[272] = 6, "Camera"
    data = encoded(picture(*size).convert(mode), "TIFF", exif=tags, **options)
    limit = 1_200_000

    info, slot = decoded(data, limit)

    assert (info.format, info.width, info.height, info.camera) == ("TIFF", *size[::-1], "Camera")
    assert distance(slot, decoded(data)[1]) < (4 if mode == "1" else 1.5)  # dots are averaged otherwise


def test_rows_of_tiles_are_bands_too() -> None:
    # Given 5 x 9 tiles of 512 x 256, the last ones over the edge
    pixels = np.asarray(picture(2_424, 2_280))
    padded = np.pad(pixels, ((0, 24), (0, 136), (0, 0)))
    tiles = [padded[y : y + 256, x : x + 512] for y in range(0, 2_304, 256) for x in range(0, 2_560, 512)]
    data = tiffs.tiled(tiles, 2_424, 2_280)

    info, slot = decoded(data, 1_400_000)

    assert (info.width, info.height) == (2_424, 2_280)
    assert distance(slot, decoded(data)[1]) < 1.5


def test_a_tiff_whose_strips_are_too_large_is_refused() -> None:
    data = encoded(picture(1_200, 900), "TIFF", compression="tiff_lzw", strip_size=10_000_000)

    refused(data, 1_000_000)
    refused(encoded(picture(1_200, 900), "TIFF", compression="tiff_lzw"), 1_000_000, exact=True)
    refused(encoded(Image.new("I;16", (1_200, 900)), "TIFF", compression="tiff_lzw"), 1_000_000)


GIGAPIXEL = """
import resource
import numpy as np
from tagtray.imaging import decode
from tests import models, tiffs
blank = tiffs.lines(bytes(30_000), 30_000, 34_000)
resource.setrlimit(resource.RLIMIT_DATA, (2 * 2**30, 2 * 2**30))
slot = np.zeros(models.SHAPE, np.uint8)
info = decode.decode_into(slot, blank, models.SPEC, exact=False, max_pixels=250_000_000)
print(info.width * info.height, slot.max())
"""


def test_a_gigapixel_tiff_fits_into_a_workers_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", GIGAPIXEL], capture_output=True, text=True, timeout=200, check=False
    )

    assert (done.stdout, done.stderr) == ("1020000000 0\n", "")


BOMBS = """
import resource
import numpy as np
from tagtray.config.errors import ImageError
from tagtray.imaging import decode, thumbnail
from tests import models, tiffs
resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))

def bomb(width, height, stated):
    tags = {256: width, 257: height, 258: 8, 262: 1, 277: 1, 279: stated}
    return tiffs.tiff(bytes(3_600), {tag: (tiffs.LONG, [value]) for tag, value in tags.items()})

wide, tall = (10**9, 40, 3_600), (8, 4 * 10**9, 4 * 10**9)
long, square, larger_than_any = (2_048, 10**6, 4 * 10**9), (60_000, 60_000, 3_600), (2**31, 2**31, 2**31)
for size in (wide, tall, long, square, larger_than_any):
    slot, limit = np.zeros(models.SHAPE, np.uint8), 250_000_000
    for work in (lambda data: decode.decode_into(slot, data, models.SPEC, exact=False, max_pixels=limit),
                 lambda data: thumbnail.make(data, thumbnail.Box(320, 320), limit)):
        try:
            print(work(bomb(*size)))
        except ImageError as error:
            print(error.code)
"""


def test_a_tiff_that_states_more_than_it_has_is_refused_before_there_is_room_for_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BOMBS], capture_output=True, text=True, timeout=200, check=False
    )

    assert done.stderr == ""
    assert set(done.stdout.split()) <= {"too_many_pixels", "truncated", "corrupt"}
    assert len(done.stdout.split()) == 10


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_damaged_image_over_the_limit_has_no_thumbnail(kind: str) -> None:
    data = encoded(picture(1_200, 900), kind)
    data = data[: len(data) * 19 // 20]

    with pytest.raises(ImageError):
        thumbnail.make(data, Box(40, 30), 1_000_000)
    assert thumbnail.make(data, Box(40, 30), 1_100_000)


def test_bands_of_what_is_no_whole_tiff_are_none() -> None:
    separate = tiffs.tiff(
        bytes(300), {256: (tiffs.LONG, [10]), 257: (tiffs.LONG, [10]), 284: (tiffs.SHORT, [2])}
    )

    assert bands.reduced(separate, 512, 1_000) is None
    assert bands.reduced(tiffs.tiff(b"", {}), 512, 1_000) is None
