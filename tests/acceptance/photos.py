"""A folder as people have them: pictures of many formats, odd names, copies, broken files, other things."""

from __future__ import annotations

import io
import os
import random
import time
from pathlib import Path

import pillow_heif
from PIL import Image

#: Age in seconds of what is written: nobody takes it for a file that is still being copied.
AGE = 3600.0

_SIDE = 96
_FORMATS = {
    b"a.jpg": "JPEG",
    b"deep/er/b.png": "PNG",
    b"c.webp": "WEBP",
    b"d.gif": "GIF",
    b"e.bmp": "BMP",
    b"f.tiff": "TIFF",
    b"g.heic": "HEIF",
    b"h.avif": "AVIF",
    b"no suffix": "JPEG",
    b"with space.JPG": "JPEG",
    b"line\nbreak.jpg": "JPEG",
    "emoji \N{CAT FACE} 猫.jpg".encode(): "JPEG",
    b"no utf-8 \xe9\xff.jpg": "JPEG",
}
#: Names of files that become ``done``, and the number of their contents: one is a copy.
GOOD = {*_FORMATS, b"deep/copy of a.jpg"}
CONTENTS = len(_FORMATS)
#: Names of files that become ``failed``, with their codes.
BROKEN = {
    b"empty.jpg": "empty",
    b"text.jpg": "not_an_image",
    b"half.jpg": "truncated",
    b"vector.svg": "unsupported",
}
#: Names that are skipped or ignored, and never become rows.
OTHERS = {b"notes.txt", b"clip.mp4", b".hidden.jpg", b"download.jpg.part"}


def make(folder: Path) -> None:
    """Write all of the above."""
    pillow_heif.register_heif_opener()
    for number, (name, kind) in enumerate(_FORMATS.items()):
        write(folder, name, picture(number, kind))
    write(folder, b"deep/copy of a.jpg", picture(0, "JPEG"))
    write(folder, b"empty.jpg", b"")
    write(folder, b"text.jpg", b"This is no picture, whatever its name says.\n" * 20)
    write(folder, b"half.jpg", picture(99, "JPEG")[:1500])
    write(folder, b"vector.svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>')
    for name in OTHERS:
        write(folder, name, picture(98, "JPEG"))


def make_many(folder: Path, count: int) -> None:
    """Write ``count`` different JPEGs."""
    for number in range(count):
        write(folder, b"%04d.jpg" % number, picture(number, "JPEG"))


def write(folder: Path, name: bytes, data: bytes, age: float = AGE) -> None:
    """Write one file, last changed ``age`` seconds ago."""
    path = os.path.join(os.fsencode(folder), name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    moment = time.time() - age
    os.utime(path, (moment, moment))


def picture(seed: int, kind: str) -> bytes:
    """A picture of coloured noise, another one for each ``seed``."""
    noise = Image.frombytes("RGB", (8, 8), random.Random(seed).randbytes(8 * 8 * 3))
    file = io.BytesIO()
    noise.resize((_SIDE, _SIDE - _SIDE // 4), Image.Resampling.BICUBIC).save(file, kind)
    return file.getvalue()
