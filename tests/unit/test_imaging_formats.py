"""Formats beside the usual ones, and the rarer kinds of TIFF: all look as they should."""

from __future__ import annotations

import io
import struct
import sys
from datetime import datetime

import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import Image

from tagtray.config.errors import ImageCode, ImageError
from tagtray.imaging import decode, jxl, raw, sniff, thumbnail, tiff
from tagtray.imaging.decode import ImageInfo
from tagtray.imaging.taken import Source, Taken
from tagtray.imaging.thumbnail import Box
from tests import models, tiffs

pillow_heif.register_heif_opener()
Pixels = NDArray[np.uint8]


def picture(width: int = 400, height: int = 300) -> Image.Image:
    """A smooth picture without symmetry: every orientation of it looks different."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    blue = 255 * (x / width > 0.4) * (y / height > 0.6)
    return Image.fromarray(np.stack([255 * x / width, 255 * y / height, blue], axis=-1).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(data: bytes, *, exact: bool = False, max_pixels: int = 10**8) -> tuple[ImageInfo, Pixels]:
    slot = np.zeros(models.SHAPE, np.uint8)
    return decode.decode_into(slot, data, models.SPEC, exact=exact, max_pixels=max_pixels), slot


def refused(data: bytes, max_pixels: int = 10**8) -> ImageError:
    with pytest.raises(ImageError) as caught:
        decoded(data, max_pixels=max_pixels)
    return caught.value


def distance(one: Pixels, other: Pixels) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


# JPEG 2000


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("options", [{}, {"no_jp2": True}, {"num_resolutions": 1}, {"tile_size": (256, 256)}])
def test_jpeg_2000_is_scaled_while_it_is_decoded(options: dict[str, object], exact: bool) -> None:
    image = picture(2_300, 1_700)

    info, slot = decoded(encoded(image, "JPEG2000", **options), exact=exact)

    assert (info.format, info.width, info.height) == ("JPEG2000", 2_300, 1_700)
    assert distance(slot, decoded(encoded(image, "BMP"))[1]) < 1.5


def test_a_jpeg_2000_that_ends_early_is_truncated() -> None:
    data = encoded(picture(), "JPEG2000")

    assert refused(data[: len(data) // 2]).code is ImageCode.TRUNCATED


# JPEG XL


@pytest.mark.parametrize("container", [True, False])
def test_jpeg_xl_is_read_with_its_extra(container: bool) -> None:
    tags = Image.Exif()
    tags[0x0112], tags[0x0132] = 6, "2019:03:14 10:11:12"
    __import__("pillow_jxl")
    data = encoded(picture(), "JXL", exif=tags.tobytes(), use_container=container)

    info, slot = decoded(data)

    assert info.format == "JXL"
    if container:
        assert (info.width, info.height) == (300, 400)
        assert info.taken == Taken(datetime(2019, 3, 14, 10, 11, 12), Source.MODIFIED)
        assert distance(slot, decoded(encoded(picture().transpose(Image.Transpose.ROTATE_270), "BMP"))[1]) < 3


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (256, 256), (1_000, 1_000), (1_920, 1_080), (5_000, 17)])
def test_the_size_of_a_jpeg_xl_is_known_before_it_is_decoded(size: tuple[int, int]) -> None:
    __import__("pillow_jxl")
    for container in (True, False):
        data = encoded(Image.new("RGB", size), "JXL", effort=1, use_container=container)

        assert jxl.size(data) == size
        assert refused(data, size[0] * size[1] - 1).code is ImageCode.TOO_MANY_PIXELS


@pytest.mark.parametrize("data", [b"\xff\x0a", b"\xff\x0a\xff", jxl.MAGIC[1], jxl.MAGIC[1] + b"\0\0\0\1jxlc"])
def test_a_jpeg_xl_without_a_header_is_refused(data: bytes) -> None:
    assert refused(data).code in (ImageCode.TRUNCATED, ImageCode.CORRUPT)


def test_without_the_extra_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    __import__("pillow_jxl")
    data = encoded(picture(), "JXL")
    for name in [name for name in sys.modules if name.startswith("pillow_jxl")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)

    error = refused(data)

    assert error.code is ImageCode.UNSUPPORTED
    assert "pip install 'tagtray[jxl]'" in str(error)


# PSD


def psd(mode: int, channels: Pixels, depth: int = 8, version: int = 1) -> bytes:
    """A Photoshop file with a composite (channels, rows, columns) and no layers."""
    count, height, width = channels.shape
    head = b"8BPS" + struct.pack(">H6xHIIHH", version, count, height, width, depth, mode)
    return head + bytes(12) + b"\0\0" + channels.tobytes()


@pytest.mark.parametrize("exact", [True, False])
def test_the_composite_of_a_photoshop_file_is_read(exact: bool) -> None:
    rgb = np.asarray(picture()).transpose(2, 0, 1)
    expected = decoded(encoded(picture(), "BMP"), exact=exact)[1]

    info, slot = decoded(psd(3, rgb), exact=exact)

    assert (info.format, info.width, info.height) == ("PSD", 400, 300)
    assert distance(slot, expected) < 0.1
    black = np.full_like(rgb[:1], 255)
    assert (
        distance(decoded(psd(4, np.concatenate([rgb, black])), exact=exact)[1], expected) < 1
    )  # CMYK, inverted
    assert decoded(psd(1, rgb[:1]))[0].format == "PSD"


def test_what_pillow_does_not_read_of_photoshop_is_unsupported_or_damaged() -> None:
    rgb = np.asarray(picture()).transpose(2, 0, 1)

    assert refused(psd(3, rgb, version=2)).code is ImageCode.UNSUPPORTED
    assert refused(psd(3, np.repeat(rgb, 2, axis=2), depth=16)).code in (
        ImageCode.UNSUPPORTED,
        ImageCode.CORRUPT,
    )


# HEIF


@pytest.mark.parametrize("major", [b"heic", b"mif1", b"mif2", b"MiHE", b"MiHB", b"miaf", b"heix", b"1pic"])
def test_heif_is_read_whatever_its_major_brand(major: bytes) -> None:
    data = encoded(picture(), "HEIF")
    length = int.from_bytes(data[:4], "big")
    # Given that the compatible brands say what it is
    brands = data[16:length]
    assert b"heic" in brands or b"mif1" in brands
    branded = data[:8] + major + data[12:]

    info, slot = decoded(branded)

    assert info.format == "HEIF"
    assert np.array_equal(slot, decoded(data)[1])
    assert sniff.data_has_end_marker(branded) is True


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_thumbnail_of_a_heif_does_not_stand_for_it(orientation: int) -> None:
    # Given a HEIF whose thumbnail is told from the whole: what encodes it takes every n-th pixel
    tags = Image.Exif()
    tags[0x0112] = orientation
    image = picture(1_600, 1_200)
    plain = encoded(image, "HEIF", exif=tags.tobytes())
    data = encoded(image, "HEIF", exif=tags.tobytes(), thumbnails=[512])

    info, slot = decoded(data)

    assert (info.width, info.height) == ((1_600, 1_200) if orientation == 1 else (1_200, 1_600))
    assert np.array_equal(slot, decoded(plain)[1])


# TIFF

RAMP = np.tile(np.linspace(0, 1, 64), (48, 1))
COLOURS = np.stack([RAMP, 1 - RAMP, np.full_like(RAMP, 0.5)], axis=-1)
GREY = {
    "8 bits": tiffs.grey((RAMP * 255).astype("u1"), 8),
    "8 bits, white is zero": tiffs.grey(((1 - RAMP) * 255).astype("u1"), 8, 0),
    "16 bits": tiffs.grey((RAMP * 65_535).astype("<u2"), 16),
    "16 bits, white is zero": tiffs.grey(((1 - RAMP) * 65_535).astype("<u2"), 16, 0),
    "16 bits, Motorola": tiffs.grey((RAMP * 65_535).astype(">u2"), 16, order=">"),
    "16 bits, Motorola, white is zero": tiffs.grey(((1 - RAMP) * 65_535).astype(">u2"), 16, 0, order=">"),
    "12 of 16 bits": tiffs.grey((RAMP * 4_095).astype("<u2"), 16),
    "32 bits": tiffs.grey((RAMP * (2**32 - 1)).astype("<u4"), 32),
    "float to 1": tiffs.grey(RAMP.astype("<f4"), 32, sample=3),
    "float to 255": tiffs.grey((RAMP * 255).astype("<f4"), 32, sample=3),
    "float, white is zero": tiffs.grey((1 - RAMP).astype("<f4"), 32, 0, sample=3),
    "palette": tiffs.palette((RAMP * 255).astype("u1"), [257 * level for level in range(256)] * 3),
    "palette of 8 bits": tiffs.palette((RAMP * 255).astype("u1"), [*range(256)] * 3),
}
IN_COLOUR = {
    "8 bits": tiffs.several((COLOURS * 255).astype("u1"), 8, 2),
    "16 bits": tiffs.several((COLOURS * 65_535).astype("<u2"), 16, 2),
    "16 bits, Motorola": tiffs.several((COLOURS * 65_535).astype(">u2"), 16, 2, order=">"),
    "CMYK": tiffs.several((np.dstack([1 - COLOURS, RAMP * 0]) * 255).astype("u1"), 8, 5),
    "CMYK of 16 bits": tiffs.several((np.dstack([1 - COLOURS, RAMP * 0]) * 65_535).astype("<u2"), 16, 5),
}


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("name", GREY)
def test_grey_tiffs_look_as_they_should(name: str, exact: bool) -> None:
    _, slot = decoded(GREY[name], exact=exact)

    assert np.abs(slot[112, [8, 112, -8], 0] - np.array([48, 127, 206])).max() <= 3
    assert np.array_equal(slot[..., 0], slot[..., 1])


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("name", IN_COLOUR)
def test_coloured_tiffs_look_as_they_should(name: str, exact: bool) -> None:
    _, slot = decoded(IN_COLOUR[name], exact=exact)

    assert np.abs(slot[112, 8].astype(int) - [48, 207, 127]).max() <= 2
    assert np.abs(slot[112, -8].astype(int) - [206, 49, 127]).max() <= 2


def test_a_lab_tiff_looks_as_it_should() -> None:
    # Given a ramp of lightness, and red: a and b are signed
    lightness = np.stack([RAMP * 255, RAMP * 0, RAMP * 0], axis=-1).astype("u1")
    red = np.broadcast_to(np.array([136, 80, 67], "u1"), (48, 64, 3))

    slot = decoded(tiffs.several(lightness, 8, 8))[1]

    assert slot[112, 8].max() < 60 and slot[112, -8].min() > 190
    assert np.ptp(slot[112, 112].astype(int)) <= 2
    assert (
        np.abs(
            decoded(tiffs.several(np.ascontiguousarray(red), 8, 8))[1][112, 112] - np.array([254, 0, 0])
        ).max()
        < 12
    )


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_tiff_whose_thumbnail_comes_first_is_seen_as_a_whole(orientation: int) -> None:
    # Given what scanners of Nikon's write
    data = tiffs.beside_a_thumbnail(SHOT, Image.new("RGB", (160, 120)), orientation)

    info, slot = decoded(data)

    assert (info.format, info.width, info.height) == ("TIFF", *upright(SHOT, orientation).size)
    assert (info.camera, info.taken) == ("Nikon Scanner", Taken(datetime(2005, 6, 7, 8, 9, 10), Source.EXIF))
    assert distance(slot, decoded(encoded(upright(SHOT, orientation), "BMP"))[1]) < 3
    assert refused(data[: len(data) // 2]).code is ImageCode.TRUNCATED
    # And so is its small picture for the pages
    small = Image.open(io.BytesIO(thumbnail.make(data, Box(960, 320), 10**8)))
    assert small.size == Box(960, 320).fitted(*upright(SHOT, orientation).size)


# Raw camera files

SHOT = picture(640, 480)


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The image as it is shown by an orientation of a camera's."""
    turned = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_270, 8: Image.Transpose.ROTATE_90}
    return image.transpose(turned[orientation]) if orientation in turned else image


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_preview_of_a_raw_file_is_read_and_turned(orientation: int) -> None:
    data = tiffs.raw(picture(800, 600), SHOT, orientation, b"2019:03:14 10:11:12")

    info, slot = decoded(data)

    assert (info.format, info.width, info.height) == ("RAW", *((800, 600) if orientation < 5 else (600, 800)))
    assert info.taken == Taken(datetime(2019, 3, 14, 10, 11, 12), Source.EXIF)
    assert info.camera == "Maker Model 1"
    assert distance(slot, decoded(encoded(upright(SHOT, orientation), "BMP"))[1]) < 3


#: Make and model whose raw files LibRaw knows, and how such a file begins where it is no plain TIFF.
CAMERAS = {
    "CR2": (b"Canon", b"Canon EOS 40D", None),
    "NEF": (b"NIKON CORPORATION", b"NIKON D90", None),
    "ARW": (b"SONY", b"DSLR-A330", None),
    "PEF": (b"PENTAX", b"PENTAX K10D", None),
    "ORF": (b"OLYMPUS IMAGING CORP.", b"E-410", b"IIRO"),
    "RW2": (b"Panasonic", b"DMC-LX3", b"IIU\0"),
}


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("kind", CAMERAS)
def test_raw_files_of_every_maker_are_seen_by_their_preview(kind: str, orientation: int) -> None:
    make, model, magic = CAMERAS[kind]
    data = tiffs.raw(picture(800, 600), SHOT, orientation, b"2019:03:14 10:11:12", (make, model))
    data = (magic or data[:4]) + data[4:]

    info, slot = decoded(data)

    assert (info.format, info.width > info.height) == ("RAW", orientation < 5)
    assert info.taken == Taken(datetime(2019, 3, 14, 10, 11, 12), Source.EXIF)
    assert distance(slot, decoded(encoded(upright(SHOT, orientation), "BMP"))[1]) < 3


def test_a_raw_file_whose_sensor_data_are_damaged_is_seen_by_its_preview() -> None:
    # Given a file whose data LibRaw refuses: they are said to be compressed, and are not
    data = tiffs.raw(picture(800, 600), SHOT, 6, b"2019:03:14 10:11:12", (b"Canon", b"Canon EOS 40D"))

    info, slot = decoded(data)

    assert (info.format, info.width, info.height, info.partial) == ("RAW", 600, 800, False)
    assert distance(slot, decoded(encoded(upright(SHOT, 6), "BMP"))[1]) < 3


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.95])
def test_a_raw_file_that_lacks_sensor_data_is_not_its_thumbnail(kept: float) -> None:
    data = tiffs.beside_a_thumbnail(SHOT, SHOT.resize((160, 120)), sensor=True)

    assert decoded(data)[0].format == "RAW"
    assert refused(data[: int(kept * len(data))]).code is ImageCode.TRUNCATED


def test_a_preview_that_the_camera_has_turned_stays_as_it_is() -> None:
    turned = upright(SHOT, 6)

    info, slot = decoded(tiffs.raw(picture(800, 600), turned, 6))

    assert (info.width, info.height) == (600, 800)
    assert distance(slot, decoded(encoded(turned, "BMP"))[1]) < 3


@pytest.mark.parametrize("preview", [None, SHOT.resize((160, 120))])
def test_a_raw_file_without_a_preview_is_developed(preview: Image.Image | None) -> None:
    info, slot = decoded(tiffs.raw(SHOT, preview, 6))

    assert (info.width, info.height) == (480, 640)
    # Left is dark and right is red; turned, that is above and below.
    assert slot[-20, :, 0].mean() > slot[20, :, 0].mean() + 60


def test_a_raw_file_over_the_limit_is_not_developed() -> None:
    data = tiffs.raw(SHOT, None)

    assert refused(data, SHOT.width * SHOT.height - 1).code is ImageCode.TOO_MANY_PIXELS
    assert decoded(tiffs.raw(picture(800, 600), SHOT), max_pixels=640 * 480)[0].width == 800


@pytest.mark.parametrize(
    "magic", [*sniff.RAW, b"II*\0\x10\0\0\0CR\2\0", b"\0\0\0\x18ftypcrx \0\0\0\1crx isom"]
)
def test_a_raw_file_of_nothing_is_refused(magic: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    assert sniff.sniff(magic) == "RAW"

    assert refused(magic + bytes(300)).code in (ImageCode.UNSUPPORTED, ImageCode.TRUNCATED, ImageCode.CORRUPT)
    assert refused(magic).code in (ImageCode.UNSUPPORTED, ImageCode.TRUNCATED, ImageCode.CORRUPT)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({254: (tiffs.LONG, [1]), 50_706: (tiffs.BYTE, [1, 4, 0, 0])}, True),
        ({254: (tiffs.LONG, [1]), 330: (tiffs.LONG, [10**6])}, True),
        ({259: (tiffs.SHORT, [34_713])}, True),
        ({259: (tiffs.SHORT, [65_535])}, True),
        ({262: (tiffs.SHORT, [32_803])}, True),
        ({254: (tiffs.LONG, [0]), 330: (tiffs.LONG, [8])}, False),
        ({259: (tiffs.SHORT, [5]), 262: (tiffs.SHORT, [2])}, False),
        ({}, False),
    ],
)
def test_a_raw_file_is_told_from_a_tiff(tags: dict[int, tiffs.Tag], expected: bool) -> None:
    assert tiff.is_raw(tiffs.tiff(b"pixels", tags)) is expected


def test_exif_of_a_cr3_is_in_two_boxes() -> None:
    first, details = Image.Exif(), Image.Exif()
    first[271], first[272], first[306] = "Canon", "Canon EOS R6", "2024:01:02 03:04:05"
    details[36_867] = "2019:03:14 10:11:12"
    boxes = [(b"ftyp", b"crx " + bytes(12))]
    boxes += [(b"CMT1", first.tobytes()[6:]), (b"CMT2", details.tobytes()[6:])]
    data = b"".join(struct.pack(">I", len(content) + 8) + name + content for name, content in boxes)

    found = raw.metadata(data, SHOT)

    assert found.camera == "Canon EOS R6"
    assert found.taken == Taken(datetime(2019, 3, 14, 10, 11, 12), Source.EXIF)


def test_a_date_that_libraw_makes_up_is_none() -> None:
    assert decoded(tiffs.raw(SHOT, SHOT))[0].taken is None
    assert raw.opened(tiffs.raw(SHOT, SHOT), models.SPEC.side, 10**8).tags.camera == "Maker Model 1"
