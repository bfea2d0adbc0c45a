"""Damage where no pixels are leaves the image as it was; damage to pixels fails it, or makes it partial."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms, PngImagePlugin

from tagtray.config.errors import ImageCode, ImageError
from tagtray.imaging import decode, rescue
from tagtray.imaging.decode import ImageInfo
from tests import models

pillow_heif.register_heif_opener()
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PACKET = b'<x:xmpmeta photoshop:DateCreated="2003-04-05T06:07:08"/>' + b" " * 200
Pixels = NDArray[np.uint8]


def picture(width: int = 300, height: int = 200) -> Image.Image:
    """Smooth colours with some noise, so that no line equals another."""
    y, x = np.mgrid[0:height, 0:width]
    planes = np.stack([255 * x / width, 255 * y / height, 127 + 100 * np.sin(x / 9) * np.cos(y / 7)], axis=-1)
    noise = np.random.default_rng(7).normal(0, 12, planes.shape)
    return Image.fromarray((planes + noise).clip(0, 255).astype(np.uint8))


def encoded(kind: str, image: Image.Image | None = None, **options: object) -> bytes:
    buffer = io.BytesIO()
    (image or picture()).save(buffer, kind, **options)
    return buffer.getvalue()


def exif() -> bytes:
    tags = Image.Exif()
    tags[271], tags[272], tags[306] = "Maker", "Model", "2024:01:01 00:00:01"
    details = tags.get_ifd(0x8769)
    details[0x9003], details[37500], details[37510] = "2019:03:14 10:11:12", bytes(200), b"comment" * 10
    return tags.tobytes()


def decoded(data: bytes, *, exact: bool = False) -> tuple[ImageInfo, Pixels]:
    slot = np.zeros(models.SHAPE, np.uint8)
    return decode.decode_into(slot, data, models.SPEC, exact=exact, max_pixels=10**8), slot


def refused(data: bytes) -> ImageCode:
    with pytest.raises(ImageError) as caught:
        decoded(data)
    return caught.value.code


def is_whole(data: bytes, original: bytes) -> ImageInfo:
    """The damaged image has all pixels of the original."""
    for exact in (True, False):
        info, slot = decoded(data, exact=exact)
        assert np.array_equal(slot, decoded(original, exact=exact)[1]) and not info.partial
    return info


# PNG


def chunk(name: bytes, content: bytes, crc: bytes | None = None, length: int | None = None) -> bytes:
    right = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content) if length is None else length) + name + content + (crc or right)


WRONG = b"\1\2\3\4"
ANCILLARY = {
    "a wrong CRC in text": chunk(b"tEXt", b"Comment\0hello", WRONG),
    "a wrong CRC in the resolution": chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1), WRONG),
    "a wrong CRC in the profile": chunk(b"iCCP", b"x\0\0" + zlib.compress(b"profile" * 60), WRONG),
    "a profile that is too large": chunk(b"iCCP", b"x\0\0" + zlib.compress(os.urandom(1_400_000))),
    "a profile in no known compression": chunk(b"iCCP", b"x\0\1" + zlib.compress(b"profile")),
    "a profile that ends early": chunk(b"iCCP", b"x"),
    "text that is too large": chunk(b"zTXt", b"Raw\0\0" + zlib.compress(b"a" * 3_000_000)),
    "too much text": b"".join(chunk(b"zTXt", b"k\0\0" + zlib.compress(b"b" * 900_000)) for _ in range(80)),
    "text in no known compression": chunk(b"zTXt", b"Raw\0\7hello"),
    "a length that is too small": chunk(b"tEXt", b"Comment\0hello", length=5),
    "a length that is too large": chunk(b"tEXt", b"Comment\0hello", length=500),
    "a length beyond the end": chunk(b"tEXt", b"Comment\0hello", length=2**31 - 1),
    "a wrong CRC in EXIF": chunk(b"eXIf", exif(), WRONG),
    "EXIF that is none": chunk(b"eXIf", b"garbage"),
    "a gamma of nothing": chunk(b"gAMA", b""),
    "chromaticities that end early": chunk(b"cHRM", b"\0\0"),
    "a transparency of a wrong length": chunk(b"tRNS", b"\0"),
    "a wrong frame count": chunk(b"acTL", struct.pack(">II", 9_999, 0)),
    "no frame at all": chunk(b"acTL", struct.pack(">II", 0, 0)),
    "an unknown chunk with a wrong CRC": chunk(b"prVt", b"anything", WRONG),
}


@pytest.mark.parametrize("name", ANCILLARY)
@pytest.mark.parametrize("late", [False, True])
def test_damage_to_what_a_png_can_do_without_is_no_damage(name: str, late: bool) -> None:
    plain = encoded("PNG")
    at = len(plain) - 12 if late else 33

    is_whole(plain[:at] + ANCILLARY[name] + plain[at:], plain)


def test_a_damaged_png_keeps_its_date_and_its_transparency() -> None:
    # Given a chunk that Pillow refuses before EXIF, and a transparent colour
    plain = encoded("PNG", Image.new("RGB", (40, 30), (200, 0, 0)), transparency=(200, 0, 0))
    data = plain[:33] + chunk(b"pHYs", b"", WRONG) + chunk(b"eXIf", exif()[6:]) + plain[33:]

    info = is_whole(data, plain)

    assert info.taken and info.taken.at.year == 2019
    assert info.camera == "Maker Model"


def test_xmp_of_a_damaged_png_is_read() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", PACKET.decode())
    data = encoded("PNG", pnginfo=text)

    info = is_whole(data[:33] + chunk(b"pHYs", b"", WRONG) + data[33:], data)

    assert info.taken and info.taken.at.year == 2003


@pytest.mark.parametrize("lost", [4, 8, 12])
def test_a_png_needs_no_end(lost: int) -> None:
    plain = encoded("PNG")

    is_whole(plain[:-lost], plain)


# JPEG


def segment(marker: int, content: bytes, length: int | None = None) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2 if length is None else length) + content


THUMBNAIL = encoded("JPEG", picture(80, 60))
MULTI_PICTURE = b"MPF\0II*\0\x08\0\0\0"
RESOURCE = b"Photoshop 3.0\0" + b"8BIM\4\4"
SEGMENTS = {
    "a length that is too small": segment(0xE4, b"x" * 400, 40),
    "a length into the tables": segment(0xE4, b"x" * 40, 90),
    "a length past the frame": segment(0xE4, b"x" * 40, 40 + 2 + 700),
    "a length into the scan": segment(0xE4, b"x" * 40, 3_000),
    "a length beyond the end": segment(0xE4, b"x" * 40, 65_535),
    "no length at all": segment(0xE4, b"x" * 40, 0),
    "a length that hides a thumbnail": segment(0xE1, b"Exif\0\0" + THUMBNAIL, 5_000),
    "EXIF that is none": segment(0xE1, b"Exif\0\0garbage"),
    "EXIF that ends early": segment(0xE1, exif()[:60]),
    "XMP that ends early": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmp"),
    "a profile in pieces that are missing": segment(0xE2, b"ICC_PROFILE\0\2\7" + PROFILE),
    "a profile without its number": segment(0xE2, b"ICC_PROFILE\0"),
    "a multi-picture directory of nothing": segment(0xE2, MULTI_PICTURE),
    "a wrong number of pictures": segment(
        0xE2, MULTI_PICTURE + b"\1\0\1\xb0\4\0\1\0\0\0\xff\xff\0\0" + bytes(4)
    ),
    "pictures that are elsewhere": segment(
        0xE2, MULTI_PICTURE + struct.pack("<HHHII", 1, 0xB002, 7, 32, 2**31)
    ),
    "a resource that ends early": segment(0xED, RESOURCE),
    "a resource with a name of its own": segment(0xED, RESOURCE + b"\xff"),
    "a resource beyond the end": segment(0xED, RESOURCE + b"\0\0" + struct.pack(">I", 2**31)),
    "a comment that ends early": segment(0xFE, b"comment", 2_000),
    "a header that ends early": segment(0xE0, b"JFIF\0"),
}


@pytest.mark.parametrize("name", SEGMENTS)
@pytest.mark.parametrize("progressive", [False, True])
def test_damage_to_what_a_jpeg_can_do_without_is_no_damage(name: str, progressive: bool) -> None:
    plain = encoded("JPEG", quality=90, progressive=progressive)

    is_whole(plain[:20] + SEGMENTS[name] + plain[20:], plain)


def test_a_damaged_jpeg_is_still_turned_and_dated() -> None:
    # Given a segment with a wrong length behind EXIF
    tags = Image.Exif()
    tags.load(exif())
    tags[0x0112] = 6
    plain = encoded("JPEG", exif=tags.tobytes())
    after = plain.index(b"\xff\xdb")

    info = is_whole(plain[:after] + SEGMENTS["a length beyond the end"] + plain[after:], plain)

    assert (info.width, info.height) == (200, 300)
    assert info.taken and info.taken.at.year == 2019


def test_exif_with_a_wrong_length_is_read_to_where_the_tables_begin() -> None:
    plain = encoded("JPEG", exif=exif())
    at = plain.index(b"Exif\0\0") - 2

    info = is_whole(plain[:at] + struct.pack(">H", 9_000) + plain[at + 2 :], plain)

    assert info.camera == "Maker Model"


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"subsampling": 0}]
)
@pytest.mark.parametrize("appended", [b"", b"\xff", b"\0text that some program left"])
@pytest.mark.parametrize("size", [(300, 200), (33, 17), (1_100, 1_060)])
def test_a_jpeg_needs_no_end_marker(
    options: dict[str, object], appended: bytes, size: tuple[int, int]
) -> None:
    plain = encoded("JPEG", picture(*size), **options)

    is_whole(plain[:-2] + appended, plain)


# Other formats


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
@settings(max_examples=30, deadline=None)
@given(st.data())
def test_damage_within_metadata_changes_no_pixel(kind: str, data: st.DataObject) -> None:
    # Given an image with a profile, EXIF and XMP, and some wrong bytes in their content
    original = WITH_METADATA[kind]
    damaged = bytearray(original)
    for at in data.draw(st.lists(st.sampled_from(METADATA[kind]), min_size=1, max_size=6)):
        damaged[at] = data.draw(st.integers(0, 255))

    assert np.array_equal(decoded(bytes(damaged))[1], DECODED[kind])


WITH_METADATA = {
    kind: encoded(kind, icc_profile=PROFILE, exif=exif(), xmp=PACKET)
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF")
}
DECODED = {kind: decoded(data)[1] for kind, data in WITH_METADATA.items()}


def positions(data: bytes) -> list[int]:
    """Where the contents of a profile (its header apart), of XMP and of EXIF lie."""
    found: list[int] = []
    for content in (PROFILE[40:], PACKET[50:], exif()[14:]):
        at = data.find(content[:60])
        found += range(at, at + len(content)) if at >= 0 else []
    return [at for at in found if at < len(data)]


METADATA = {kind: positions(data) for kind, data in WITH_METADATA.items()}


def riff(*chunks: tuple[bytes, bytes, int]) -> bytes:
    body = b"WEBP" + b"".join(name + struct.pack("<I", length) + content for name, content, length in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_parts() -> tuple[bytes, bytes, bytes]:
    """A WebP with EXIF, the content of its VP8X chunk, and that of its pixels."""
    data = encoded("WEBP", exif=exif())
    at = data.index(b"VP8 ")
    return data, data[20:30], data[at + 8 : at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")]


def test_a_webp_without_the_end_of_its_exif_is_whole() -> None:
    data, *_ = webp_parts()

    is_whole(data[:-20], data)


def test_a_webp_with_a_wrong_length_in_front_is_whole() -> None:
    data, *_ = webp_parts()

    is_whole(data[:4] + struct.pack("<I", len(data) + 5_000) + data[8:], data)


def test_a_webp_with_metadata_of_a_wrong_length_is_whole() -> None:
    data, flags, pixels = webp_parts()
    pixels += b"\0" * (len(pixels) % 2)

    is_whole(riff((b"VP8X", flags, 10), (b"VP8 ", pixels, len(pixels)), (b"EXIF", exif(), 2**31)), data)


@pytest.mark.parametrize("tag", [271, 306, 700, 34665, 34675])
def test_a_tiff_with_a_tag_that_leads_nowhere_is_whole(tag: int) -> None:
    tags = Image.Exif()
    tags.load(exif())
    tags[700], tags[34675] = PACKET, PROFILE
    plain = encoded("TIFF", exif=tags.tobytes())
    at = plain.index(struct.pack("<H", tag), int.from_bytes(plain[4:8], "little"))

    is_whole(plain[: at + 4] + b"\xff\xff\xff\x0f\xff\xff\xff\x0f" + plain[at + 12 :], plain)


def test_a_tiff_whose_next_page_is_nowhere_is_whole() -> None:
    plain = encoded("TIFF")
    start = int.from_bytes(plain[4:8], "little")
    end = start + 2 + 12 * int.from_bytes(plain[start : start + 2], "little")

    for pointer in (2**31, start, 7):
        is_whole(plain[:end] + struct.pack("<I", pointer) + plain[end + 4 :], plain)


def test_a_gif_needs_no_trailer() -> None:
    plain = encoded("GIF")

    is_whole(plain[:-1], plain)


# Pixels

#: Formats whose lines are decoded one after the other.
LINES: dict[str, Callable[[Image.Image], bytes]] = {
    "baseline": lambda image: encoded("JPEG", image, quality=92),
    "restart markers": lambda image: encoded("JPEG", image, quality=92, restart_marker_rows=1),
    "grey": lambda image: encoded("JPEG", image.convert("L"), quality=92),
    "png": lambda image: encoded("PNG", image),
    "palette": lambda image: encoded("PNG", image.quantize()),
    "transparency": lambda image: encoded("PNG", image.convert("RGBA")),
    "bmp": lambda image: encoded("BMP", image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)),
    "tiff": lambda image: encoded("TIFF", image, compression="tiff_lzw", strip_size=9_000),
}
PORTRAIT = picture(600, 900)


@pytest.mark.parametrize("name", [name for name in LINES if name not in ("bmp", "tiff")])
def test_an_image_that_lacks_a_twentieth_is_partial(name: str) -> None:
    data = LINES[name](PORTRAIT)

    info, slot = decoded(data[: int(len(data) * 0.95)])

    assert info.partial
    # The crop of a portrait ends before its lower end.
    assert np.abs(slot.astype(int) - decoded(data)[1]).mean() < 1


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.85])
def test_an_image_that_lacks_more_is_truncated(name: str, kept: float) -> None:
    data = LINES[name](PORTRAIT)

    assert refused(data[: int(len(data) * kept)]) is ImageCode.TRUNCATED


@pytest.mark.parametrize("kept", [0.1, 0.3, 0.6, 0.9])
def test_a_progressive_jpeg_that_ends_within_a_scan_is_truncated(kept: float) -> None:
    data = encoded("JPEG", PORTRAIT, progressive=True, quality=92)

    assert refused(data[: int(len(data) * kept)]) is ImageCode.TRUNCATED


def test_damage_to_the_last_lines_is_partial_and_to_others_corrupt() -> None:
    data = bytearray(encoded("PNG", PORTRAIT))
    late, early = bytearray(data), bytearray(data)
    at = int(len(data) * 0.97)
    late[at : at + 40] = b"\xaa" * 40
    early[200:240] = b"\xaa" * 40

    assert decoded(bytes(late))[0].partial
    assert refused(bytes(early)) is ImageCode.CORRUPT


@pytest.mark.parametrize("kind", ["WEBP", "HEIF", "AVIF", "GIF"])
def test_a_format_that_is_decoded_as_a_whole_is_never_partial(kind: str) -> None:
    data = encoded(kind)

    assert refused(data[: int(len(data) * 0.95)]) is ImageCode.TRUNCATED


def test_the_share_of_lines_that_are_missing_is_known() -> None:
    data = encoded("JPEG", picture(640, 640), quality=92)

    rescued = rescue.load("JPEG", data[: int(len(data) * 0.96)], 10**8, lambda image: None)

    assert rescued is not None and 0.01 < rescued.missing < 0.08
