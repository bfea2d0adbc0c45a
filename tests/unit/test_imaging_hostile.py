"""Bytes that nobody meant to be a picture end in ImageError, and cost no more than pictures do."""

from __future__ import annotations

import contextlib
import io
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pillow_heif
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from tagtray.config.errors import ImageError
from tagtray.imaging import decode, thumbnail
from tagtray.imaging.thumbnail import Box
from tests import models

pillow_heif.register_heif_opener()
CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "corpus"
MAX_PIXELS = 4_000_000


def sample(kind: str, size: tuple[int, int] = (40, 30), **options: object) -> bytes:
    buffer = io.BytesIO()
    tags = Image.Exif()
    tags[0x0112], tags[272] = 6, "Camera"
    if kind not in ("GIF", "BMP"):
        options["exif"] = tags
    Image.effect_noise(size, 60).convert("RGB").save(buffer, kind, **options)
    return buffer.getvalue()


SAMPLES = [sample(kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF")]
MAGICS = [data[:12] for data in SAMPLES]


def slot() -> NDArray[np.uint8]:
    return np.zeros(models.SHAPE, np.uint8)


def survives(data: bytes) -> None:
    for exact in (False, True):
        with raising_nothing_else():
            info = decode.decode_into(slot(), data, models.SPEC, exact=exact, max_pixels=MAX_PIXELS)
            assert info.width * info.height <= MAX_PIXELS
    with raising_nothing_else():
        thumbnail.make(data, Box(40, 40), MAX_PIXELS)


@contextlib.contextmanager
def raising_nothing_else() -> Iterator[None]:
    try:
        yield
    except ImageError as error:
        assert str(error).isprintable() and len(str(error)) <= 200


@given(st.binary(max_size=300))
def test_random_bytes_raise_nothing_but_image_errors(data: bytes) -> None:
    survives(data)


@given(st.sampled_from(MAGICS), st.binary(max_size=300))
def test_random_bytes_after_a_true_beginning_raise_nothing_but_image_errors(
    magic: bytes, rest: bytes
) -> None:
    survives(magic + rest)


@settings(max_examples=400)
@given(
    st.sampled_from(SAMPLES),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    st.floats(0, 1),
)
def test_damaged_pictures_raise_nothing_but_image_errors(
    data: bytes, changes: list[tuple[float, int]], kept: float
) -> None:
    damaged = bytearray(data)
    for where, value in changes:
        damaged[int(where**2 * len(data))] = value  # squared: more of them in the header
    survives(bytes(damaged[: max(1, int((1 - kept**4) * len(data)))]))


LARGE = [sample("TIFF", (1_300, 1_200), compression=name) for name in (None, "tiff_lzw", "packbits")]


@settings(max_examples=200)
@given(
    st.sampled_from(LARGE),
    st.lists(st.tuples(st.integers(0, 150), st.sampled_from([0, 1, 2, 4, 127, 255])), min_size=1, max_size=4),
)
def test_a_large_tiff_with_a_damaged_directory_raises_nothing_but_image_errors(
    data: bytes, changes: list[tuple[int, int]]
) -> None:
    damaged = bytearray(data)
    (directory,) = struct.unpack_from("<I", data, 4)
    for where, value in changes:
        damaged[min(directory + where, len(data) - 1)] = value

    with raising_nothing_else():
        decode.decode_into(slot(), bytes(damaged), models.SPEC, exact=False, max_pixels=200_000)
    with raising_nothing_else():
        thumbnail.make(bytes(damaged), Box(320, 320), 200_000)


SURVEY = """
import os, sys
import numpy as np
from tagtray.config.errors import ImageError
from tagtray.imaging import decode, opening
from tagtray.weights.store import ModelStore
spec = ModelStore().default.input
slot = np.zeros((spec.side, spec.side, 3), np.uint8)
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        for exact in (False, True):
            try:
                source = opening.open_image(folder, name.encode(), max_bytes=10**8)
                info = decode.decode_into(slot, source.data, spec, exact=exact, max_pixels=10**8)
                print(name, "ok", info.format)
            except ImageError as error:
                print(name, error.code, error)
"""

if CORPUS.is_dir():

    def test_a_corpus_of_odd_and_broken_files_leaves_the_process_alive_and_silent() -> None:
        files = [path for path in CORPUS.rglob("*") if path.is_file()]
        command = [sys.executable, "-X", "faulthandler", "-W", "error", "-c", SURVEY, str(CORPUS)]

        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

        assert (done.returncode, done.stderr) == (0, "")
        assert len(done.stdout.splitlines()) == 2 * len(files)

    def test_the_same_picture_in_other_orientations_gets_the_same_pixels() -> None:
        for name in ("Landscape", "Portrait"):
            slots = []
            for photo in sorted((CORPUS / "orientation").glob(f"{name}_*.jpg")):
                pixels = slot()
                decode.decode_into(pixels, photo.read_bytes(), models.SPEC, exact=False, max_pixels=10**8)
                slots.append(pixels.astype(int))

            assert len(slots) >= 4
            assert all(np.abs(slot - slots[0]).mean() < 3 for slot in slots)
