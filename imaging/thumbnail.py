"""A small upright WebP of an image, for pages that show many."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

from PIL import Image

from tagtray.config import limits
from tagtray.config.errors import ImageError
from tagtray.imaging import bands, colour, exif, faults, formats, frames, raw, rescue

#: WebP's quality, and its effort from 0 to 6: a photo of 480 x 320 pixels has about 20 KB, made in 10 ms.
QUALITY, EFFORT = 75, 2
#: An image is first averaged down to this multiple of its thumbnail (Pillow's reducing_gap).
REDUCING_GAP = 2.0
#: Bytes of a colour profile that is kept; those of printers have hundreds of thousands.
PROFILE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels that a thumbnail fits into; a smaller image keeps its size."""

    width: int
    height: int

    @property
    def turned(self) -> Box:
        """The box for an image that is turned afterwards."""
        return Box(self.height, self.width)

    def fitted(self, width: int, height: int) -> tuple[int, int]:
        """The size of an image of ``width`` x ``height`` in the box."""
        scale = min(1.0, self.width / width, self.height / height)
        return max(1, round(width * scale)), max(1, round(height * scale))


def make(data: bytes, box: Box, max_pixels: int) -> bytes:
    """The thumbnail of the image ``data`` as WebP; raises ImageError alone, whatever the bytes are."""
    kind, data = formats.recognised(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that something was left out is no fault
        try:
            return _make(data, kind, box, max_pixels)
        except ImageError:
            raise
        except Exception as error:  # decoders raise almost anything
            fault = faults.image_error(kind, error, data, max_pixels)
        if rescued := _rescued(data, kind, box, max_pixels):
            return rescued
    raise fault


def _make(data: bytes, kind: str, box: Box, max_pixels: int) -> bytes:
    side = max(box.width, box.height)
    if kind == "RAW":
        shot = raw.opened(data, min(box.width, box.height), max_pixels)
        return _drawn(shot.image, shot.tags.orientation, box, max_pixels)
    with formats.opened(kind, data, max_pixels) as image:
        if kind == "TIFF" and image.width * image.height > max_pixels:
            found = bands.reduced(data, side, max_pixels)
            if found:
                return _webp(found[0], exif.read(image, data).orientation, box)
        return _drawn(image, None, box, max_pixels, data)


def _drawn(
    image: Image.Image, orientation: int | None, box: Box, max_pixels: int, data: bytes = b""
) -> bytes:
    _draft(image, box, max_pixels)
    image.load()
    if orientation is None:
        orientation = exif.read(image, data).orientation
    return _webp(image, orientation, box)


def _draft(image: Image.Image, box: Box, max_pixels: int) -> None:
    """Let the decoder scale where it can, to no less than the thumbnail has, whichever way up it is.

    Raises ImageError where more is left than may be held in memory.
    """
    draft = formats.drafted(image, max(min(fits.fitted(*image.size)) for fits in (box, box.turned)))
    if (pixels := formats.pixels_held(image, draft)) > max_pixels:
        raise limits.too_many_pixels(pixels, max_pixels)


def _webp(image: Image.Image, orientation: int, box: Box) -> bytes:
    profile = image.info.get("icc_profile") if image.mode == "RGB" else None
    stored = box.turned if orientation >= 5 else box

    def small() -> Image.Image:
        size = stored.fitted(*image.size)
        return colour.opaque(
            colour.plain(image).resize(size, Image.Resampling.BICUBIC, reducing_gap=REDUCING_GAP)
        )

    seen = frames.first_seen(image, small)
    if orientation in exif.TRANSPOSES:
        seen = seen.transpose(exif.TRANSPOSES[orientation])
    file = io.BytesIO()
    kept = {"icc_profile": profile} if profile and len(profile) <= PROFILE_BYTES else {}
    seen.save(file, "WEBP", quality=QUALITY, method=EFFORT, **kept)
    return file.getvalue()


def _rescued(data: bytes, kind: str, box: Box, max_pixels: int) -> bytes | None:
    """What can be seen of a damaged image; None where that is nothing."""
    try:
        rescued = rescue.load(kind, data, max_pixels, lambda image: _draft(image, box, max_pixels))
        if rescued is None:
            return None
        return _webp(rescued.image, exif.read(rescued.image, data).orientation, box)
    except Exception:  # as damaged as it seemed
        return None
