"""When a photo was taken: 100 small photos with every combination of fields and formats, and what says so."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pillow_heif
import pytest
from PIL import Image, PngImagePlugin

from tagtray.imaging import decode, taken
from tagtray.imaging.taken import Source, Taken
from tests import models

pillow_heif.register_heif_opener()

#: Formats that hold EXIF and XMP.
WITH_EXIF = ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"]
NO_TAGS: Mapping[int, str] = {}
ORIGINAL, DIGITIZED, MODIFIED = 0x9003, 0x9004, 0x0132
EXIF_DIRECTORY, XMP = 0x8769, 700

#: Four moments, as EXIF writes them.
FIRST, SECOND = "2001:02:03 04:05:06", "2002:03:04 05:06:07"
THIRD, LAST = "2003:04:05 06:07:08", "2024:06:01 10:00:00"
ZEROS, BLANK = "0000:00:00 00:00:00", "    :  :     :  :  "


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y:%m:%d %H:%M:%S")


def xmp(**fields: str) -> bytes:
    """An XMP packet; ``photoshop_DateCreated`` becomes ``photoshop:DateCreated``."""
    stated = " ".join(f'{name.replace("_", ":")}="{value}"' for name, value in fields.items())
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description {stated}/></x:xmpmeta>'.encode()


def photo(kind: str, tags: Mapping[int, str] = NO_TAGS, packet: bytes | None = None) -> bytes:
    """A small photo with these EXIF tags and this XMP."""
    exif = Image.Exif()
    details = exif.get_ifd(EXIF_DIRECTORY)
    for tag, value in tags.items():
        (exif if tag == MODIFIED else details)[tag] = value
    options: dict[str, object] = {"exif": exif.tobytes()} if tags else {}
    if packet:
        options["xmp"] = packet
    if packet and kind == "TIFF":
        exif[XMP] = packet
        options["exif"] = exif.tobytes()
    if packet and kind == "PNG":
        options["pnginfo"] = info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet.decode())
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((40, 30)).convert("RGB").save(buffer, kind, **options)
    return buffer.getvalue()


def found(data: bytes) -> Taken | None:
    slot = np.zeros(models.SHAPE, np.uint8)
    return decode.decode_into(slot, data, models.SPEC, exact=False, max_pixels=10**6).taken


#: EXIF's three fields in every combination: what they hold, and what counts.
FIELDS: list[tuple[dict[int, str], Taken | None]] = [
    ({ORIGINAL: FIRST, DIGITIZED: SECOND, MODIFIED: LAST}, Taken(moment(FIRST), Source.EXIF)),
    ({ORIGINAL: FIRST, DIGITIZED: SECOND}, Taken(moment(FIRST), Source.EXIF)),
    ({ORIGINAL: FIRST, MODIFIED: LAST}, Taken(moment(FIRST), Source.EXIF)),
    ({ORIGINAL: FIRST}, Taken(moment(FIRST), Source.EXIF)),
    ({DIGITIZED: SECOND, MODIFIED: LAST}, Taken(moment(SECOND), Source.EXIF)),
    ({DIGITIZED: SECOND}, Taken(moment(SECOND), Source.EXIF)),
    ({MODIFIED: LAST}, Taken(moment(LAST), Source.MODIFIED)),
    ({ORIGINAL: ZEROS, DIGITIZED: SECOND, MODIFIED: LAST}, Taken(moment(SECOND), Source.EXIF)),
    ({ORIGINAL: BLANK, DIGITIZED: ZEROS, MODIFIED: LAST}, Taken(moment(LAST), Source.MODIFIED)),
    ({ORIGINAL: ZEROS, DIGITIZED: BLANK, MODIFIED: ZEROS}, None),
]

#: EXIF beside XMP.
PACKET = xmp(photoshop_DateCreated="2003-04-05T06:07:08+09:00")
BOTH = xmp(photoshop_DateCreated="2000-01-01", exif_DateTimeOriginal="2003-04-05T06:07:08.5")
WITH_XMP: list[tuple[dict[int, str], bytes, Taken | None]] = [
    ({}, PACKET, Taken(moment(THIRD), Source.XMP)),
    ({}, BOTH, Taken(moment(THIRD), Source.XMP)),
    ({MODIFIED: LAST}, PACKET, Taken(moment(THIRD), Source.XMP)),
    ({ORIGINAL: ZEROS, MODIFIED: LAST}, PACKET, Taken(moment(THIRD), Source.XMP)),
    ({ORIGINAL: FIRST, MODIFIED: LAST}, PACKET, Taken(moment(FIRST), Source.EXIF)),
    ({DIGITIZED: SECOND}, BOTH, Taken(moment(SECOND), Source.EXIF)),
    ({}, xmp(photoshop_DateCreated="0000-00-00"), None),
]


@pytest.mark.parametrize("kind", WITH_EXIF)
@pytest.mark.parametrize(("tags", "expected"), FIELDS)
def test_the_best_field_of_exif_counts(kind: str, tags: dict[int, str], expected: Taken | None) -> None:
    assert found(photo(kind, tags)) == expected


@pytest.mark.parametrize("kind", WITH_EXIF)
@pytest.mark.parametrize(("tags", "packet", "expected"), WITH_XMP)
def test_xmp_counts_where_exif_has_no_original(
    kind: str, tags: dict[int, str], packet: bytes, expected: Taken | None
) -> None:
    assert found(photo(kind, tags, packet)) == expected


@pytest.mark.parametrize(
    "packet",
    [
        b"<photoshop:DateCreated>2003-04-05T06:07:08</photoshop:DateCreated>",
        b"<exif:DateTimeOriginal >2003-04-05T06:07:08Z</exif:DateTimeOriginal>",
        b"photoshop:DateCreated = '2003-04-05T06:07:08'",
        '<x photoshop:DateCreated="2003-04-05T06:07:08"/>'.encode("utf-16-le"),
    ],
)
def test_xmp_is_read_in_every_form(packet: bytes) -> None:
    assert taken.from_sidecar(packet) == Taken(moment(THIRD), Source.SIDECAR)


@pytest.mark.parametrize(
    "packet", [b"", b"\xff" * 100, b"photoshop:DateCreated", b"exif:DateTimeOriginal='x"]
)
def test_xmp_that_says_nothing_is_no_date(packet: bytes) -> None:
    assert taken.from_sidecar(packet) is None


def png(*chunks: tuple[bytes, bytes], tags: Mapping[int, str] = NO_TAGS) -> bytes:
    """A PNG with these chunks before its pixels, and these EXIF tags."""
    plain = photo("PNG", tags)
    written = b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )
    return plain[:33] + written + plain[33:]


IN_PNG = Taken(moment(THIRD), Source.PNG)
TIME = (b"tIME", struct.pack(">H5B", 2024, 6, 1, 10, 0, 0))


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([(b"tEXt", b"Creation Time\0Sat, 5 Apr 2003 06:07:08 GMT"), TIME], IN_PNG),
        ([(b"tEXt", b"Creation Time\x002003:04:05 06:07:08")], IN_PNG),
        ([(b"tEXt", b"exif:DateTimeOriginal\x002003:04:05 06:07:08")], IN_PNG),
        (
            [(b"zTXt", b"Creation Time\0\0" + zlib.compress(b"2003-04-05T06:07:08"))],
            IN_PNG,
        ),
        ([(b"iTXt", b"Creation Time\0\0\0\0\x002003-04-05T06:07:08")], IN_PNG),
        ([(b"tEXt", b"date:create\x002003-04-05T06:07:08")], None),
        ([(b"tEXt", b"Creation Time\0some day"), TIME], Taken(moment(LAST), Source.MODIFIED)),
        ([TIME], Taken(moment(LAST), Source.MODIFIED)),
        ([(b"tIME", bytes(7))], None),
        ([(b"tIME", struct.pack(">H5B", 2024, 13, 41, 99, 99, 99))], None),
    ],
)
def test_a_png_says_it_in_its_own_ways(chunks: list[tuple[bytes, bytes]], expected: Taken | None) -> None:
    assert found(png(*chunks)) == expected


TEXT = (b"tEXt", b"Creation Time\x002003:04:05 06:07:08")


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({ORIGINAL: FIRST}, Taken(moment(FIRST), Source.EXIF)),
        ({DIGITIZED: SECOND, MODIFIED: LAST}, Taken(moment(SECOND), Source.EXIF)),
        ({MODIFIED: SECOND}, IN_PNG),
        ({ORIGINAL: ZEROS}, IN_PNG),
    ],
)
def test_exif_of_a_png_goes_before_its_text_and_that_before_a_change(
    tags: dict[int, str], expected: Taken
) -> None:
    assert found(png(TEXT, TIME, tags=tags)) == expected


def test_a_change_in_exif_goes_before_one_in_a_chunk() -> None:
    assert found(png(TIME, tags={MODIFIED: SECOND})) == Taken(moment(SECOND), Source.MODIFIED)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "JPEG", "PNG"])
def test_a_photo_that_says_nothing_has_no_date(kind: str) -> None:
    assert found(photo(kind)) is None


def test_a_name_is_the_last_guess() -> None:
    assert taken.from_name(b"IMG_20030405_060708.jpg") == Taken(moment(THIRD), Source.FILENAME)
    assert taken.from_name(b"DSC_0001.jpg") is None
    assert taken.from_name(b"\xff\xfe 2003-04-05 06.07.08.jpg") == Taken(moment(THIRD), Source.FILENAME)


@pytest.mark.parametrize(("source", "stated"), [(source, source in ("exif", "xmp")) for source in Source])
def test_only_what_the_file_states_keeps_what_lies_beside_it_unread(source: Source, stated: bool) -> None:
    assert taken.is_stated(Taken(moment(FIRST), source)) is stated
    assert not taken.is_stated(None)
