"""Input folders for the benchmarks, made from real photos: distinct bytes, the same images."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageOps
from pillow_heif import register_heif_opener

register_heif_opener()

#: Width and height of a 12-megapixel camera image.
CAMERA_SIZE = (4032, 3024)
#: JPEG quality that phone cameras write.
CAMERA_QUALITY = 92
#: Longer side of an ImageNet-sized image.
SMALL_SIDE = 500

#: Longer sides of the thumbnails in HEICs: of iPhones to 2023, of later ones, of Samsung's phones.
THUMBNAILS = (320, 416, 512)

#: Names of the images that are taken up.
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".heic")

#: Kinds and sizes of the mixed images.
_MIXED = {".heic": CAMERA_SIZE, ".png": (1179, 2556), ".webp": (1600, 1200), ".jpg": (500, 375)}

_MAKE, _MODEL, _TAKEN = 271, 272, 306


def small(sources: Sequence[Path], folder: Path, count: int) -> Path:
    """``count`` JPEGs of about 500 x 375, repeated from ``sources`` with distinct bytes."""
    return _write(folder, count, [_jpeg(_shrunk(path)) for path in sources])


def camera(sources: Sequence[Path], folder: Path, count: int) -> Path:
    """``count`` 12-megapixel JPEGs with EXIF, upscaled from ``sources``, distinct in their bytes."""
    return _write(folder, count, [_jpeg(_enlarged(path), CAMERA_QUALITY) for path in sources])


def mixed(sources: Sequence[Path], folder: Path, count: int) -> Path:
    """``count`` images in turns: HEIC of 12 megapixels, PNG of a phone's screen, WebP, small JPEG."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = itertools.cycle(_MIXED.items())
    for number, path, (suffix, size) in zip(range(count), itertools.cycle(sources), kinds, strict=False):
        image = ImageOps.fit(Image.open(path).convert("RGB"), size)
        image.putpixel((0, 0), (number % 256, number // 256, 0))
        image.save(folder / f"{number:06}{suffix}")
    return folder


def heic(sources: Sequence[Path], folder: Path) -> Path:
    """Each of ``sources`` as a HEIC of 12 megapixels with thumbnails, unless it is there already."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(sources):
        target = folder / f"{number:06}.heic"
        if not target.exists():
            whole = ImageOps.fit(Image.open(path).convert("RGB"), CAMERA_SIZE)
            whole.save(target, quality=60, thumbnails=list(THUMBNAILS), enc_params={"preset": "ultrafast"})
    return folder


def _write(folder: Path, count: int, images: Sequence[bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in zip(range(count), itertools.cycle(images), strict=False):
        (folder / f"{number:06}.jpg").write_bytes(_numbered(data, number))
    return folder


def _numbered(jpeg: bytes, number: int) -> bytes:
    """The same image with a comment segment behind SOI, so that its hash differs."""
    comment = f"{number:012}".encode()
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


def _shrunk(path: Path) -> Image.Image:
    image = Image.open(path).convert("RGB")
    image.thumbnail((SMALL_SIDE, SMALL_SIDE))
    return image


def _enlarged(path: Path) -> Image.Image:
    image = Image.open(path).convert("RGB")
    width, height = CAMERA_SIZE if image.width >= image.height else CAMERA_SIZE[::-1]
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _jpeg(image: Image.Image, quality: int = 90) -> bytes:
    exif = Image.Exif()
    exif.update({_MAKE: "Example", _MODEL: "Camera 12", _TAKEN: "2024:05:17 10:30:00"})
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, exif=exif)
    return buffer.getvalue()


def in_order(folder: Path) -> Iterator[Path]:
    """The images of a folder by name."""
    return iter(sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES))
