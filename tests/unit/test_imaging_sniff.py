from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tagtray.config.errors import ImageCode
from tagtray.imaging import foreign, sniff
from tests import tiffs

pillow_heif.register_heif_opener()
FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF", "JPEG2000"]


@cache
def encoded(kind: str, size: tuple[int, int] = (300, 200), **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_format_is_known_by_its_content(kind: str) -> None:
    assert sniff.sniff(encoded(kind)[: sniff.HEAD_BYTES]) == kind


@pytest.mark.parametrize("kind", FORMATS)
def test_a_complete_file_has_its_end(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "picture"
    file.write_bytes(encoded(kind))

    assert sniff.has_end_marker(file) is True
    with file.open("rb") as opened:
        assert sniff.has_end_marker(opened.fileno()) is True


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("kept", [0.05, 0.3, 0.5, 0.9, 0.999])
def test_a_half_copied_file_lacks_its_end(kind: str, kept: float) -> None:
    data = encoded(kind)

    assert sniff.data_has_end_marker(data[: int(len(data) * kept)]) is False


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_that_was_allocated_but_not_yet_written_lacks_its_end(kind: str) -> None:
    data = encoded(kind)
    written = data[: len(data) // 2] + bytes(len(data) - len(data) // 2)

    assert sniff.data_has_end_marker(written) is False


def test_an_empty_file_has_no_end() -> None:
    assert sniff.data_has_end_marker(b"") is False


def test_an_unknown_format_has_no_known_end() -> None:
    assert sniff.data_has_end_marker(b"hello world") is None


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    "appendix", [b"", bytes(100), bytes(40_000), b"SEFT", b"x" * 60_000, b"x" * 3_000_000]
)
def test_what_phones_append_does_not_hide_the_end(kind: str, appendix: bytes, tmp_path: Path) -> None:
    file = tmp_path / "picture"
    file.write_bytes(encoded(kind) + appendix)

    assert sniff.has_end_marker(file) is True


def test_a_tiff_that_ends_in_black_has_its_end() -> None:
    # Given one whose only strip is zeros, in front of its directory
    data = tiffs.grey(np.zeros((200, 300), np.uint8), 8)

    assert sniff.data_has_end_marker(data) is True
    assert sniff.data_has_end_marker(data[:50_000]) is False


@given(st.binary(max_size=1_000), st.integers(1, 9_000))
def test_an_animation_is_followed_to_its_trailer(noise: bytes, missing: int) -> None:
    data = _animation()

    assert sniff.data_has_end_marker(data + noise) is True
    assert sniff.data_has_end_marker(data[:-missing]) is False


@cache
def _animation() -> bytes:
    buffer = io.BytesIO()
    frames = [Image.effect_noise((120, 90), 60 + number) for number in range(3)]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def test_an_end_that_lies_across_two_pieces_is_found() -> None:
    data = encoded("JPEG")
    scan = data.index(b"\xff\xda")
    cut = data[:-2].ljust(scan + sniff.PIECE_BYTES - 1, b"x")

    assert sniff.data_has_end_marker(cut + b"\xff\xd9" + bytes(100_000)) is True
    assert sniff.data_has_end_marker(cut + bytes(100_000)) is False


def test_the_end_of_an_embedded_thumbnail_does_not_count() -> None:
    # Given a JPEG whose EXIF holds another one, and which is cut off in its scan
    exif = b"Exif\0\0" + encoded("JPEG", (60, 40))
    whole = encoded("JPEG", exif=exif)
    cut = whole[: len(exif) + 2_000]

    assert b"\xff\xd9" in cut
    assert sniff.data_has_end_marker(cut) is False
    assert sniff.data_has_end_marker(whole) is True


def test_a_tiff_with_its_directory_in_front_is_followed_to_its_last_strip() -> None:
    data = encoded("TIFF", compression="tiff_lzw")

    assert sniff.data_has_end_marker(data) is True
    assert sniff.data_has_end_marker(data[:-200]) is False


def test_a_big_tiff_is_followed_too() -> None:
    data = encoded("TIFF", big_tiff=True)

    assert sniff.sniff(data) == "TIFF"
    assert sniff.data_has_end_marker(data) is True
    assert sniff.data_has_end_marker(data[:-200]) is False


@given(st.binary(max_size=200), st.sampled_from(FORMATS))
def test_looking_for_the_end_never_fails(rest: bytes, kind: str) -> None:
    assert sniff.data_has_end_marker(HEADS[kind] + rest) in (True, False, None)


HEADS = {kind: encoded(kind, (8, 8))[:16] for kind in FORMATS}


@pytest.mark.parametrize(
    ("head", "code", "words"),
    [
        (b"8BPS\0\2", ImageCode.UNSUPPORTED, "PSB"),
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'>", ImageCode.UNSUPPORTED, "SVG"),
        (b"%PDF-1.7\n", ImageCode.NOT_AN_IMAGE, "PDF"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2mp41", ImageCode.NOT_AN_IMAGE, "video"),
        (b"PK\3\4\x14\0", ImageCode.NOT_AN_IMAGE, "ZIP"),
        (b"<!DOCTYPE html><html>", ImageCode.NOT_AN_IMAGE, "web page"),
        (b"BMW is a maker of cars.", ImageCode.NOT_AN_IMAGE, "text"),
        (bytes(512), ImageCode.NOT_AN_IMAGE, "zero bytes"),
        (b"\x91\xf3\x00\x17\xa0", ImageCode.NOT_AN_IMAGE, "not a picture"),
    ],
)
def test_a_file_that_is_no_picture_of_ours_is_named(head: bytes, code: ImageCode, words: str) -> None:
    assert sniff.sniff(head) is None

    refusal = foreign.refusal(head)

    assert refusal.code is code
    assert words in str(refusal)
