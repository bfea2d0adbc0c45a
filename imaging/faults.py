"""Whatever a decoder raises, as one ImageError with a code and one printable sentence."""

from __future__ import annotations

import re

from PIL import Image

from tagtray.config import limits
from tagtray.config.errors import ImageCode, ImageError
from tagtray.imaging import sniff

#: Characters of a decoder's own words that are kept in the sentence.
DETAIL_LENGTH = 120

_PIXELS = re.compile(r"\((\d+) pixels\)")
_TRUNCATED = re.compile(
    r"truncated|end of file|premature|not enough|unexpected end|no more data", re.IGNORECASE
)
_UNSUPPORTED = re.compile(
    r"unsupported|not supported|not implemented|unknown (?:compression|pixel|raw|bits|data)|cannot handle"
    r"|unrecognized image mode|unknown .*mode",
    re.IGNORECASE,
)
_MUTE = re.compile(
    r"not identified by this driver|requires a buffer|index out of range|unpack|subscriptable|argument|object"
    r"|^\W*(?:decoder error)?\W*\d*\W*$"
)
#: Errors that decoders raise on purpose, with words for people rather than programmers.
_SPOKEN = (OSError, SyntaxError, ValueError, RuntimeError, EOFError)
_ADDRESS = re.compile(r"<[^>]*>|0x[0-9a-f]+", re.IGNORECASE)


def image_error(kind: str, error: Exception, data: bytes, max_pixels: int) -> ImageError:
    """Judge ``error``, raised while ``data`` of format ``kind`` was decoded."""
    if isinstance(error, MemoryError):
        return ImageError(ImageCode.OUT_OF_MEMORY, f"There was not enough memory to decode the {kind} image.")
    if isinstance(error, Image.DecompressionBombError):
        return limits.too_many_pixels(int("".join(_PIXELS.findall(str(error))[:1]) or 0), max_pixels)
    words = str(error) if isinstance(error, _SPOKEN) else ""
    words = "" if _MUTE.search(words) else words
    if isinstance(error, NotImplementedError) or _UNSUPPORTED.search(words):
        return ImageError(ImageCode.UNSUPPORTED, f"This kind of {kind} image is not read{_detail(words)}.")
    ended = sniff.data_has_end_marker(data)
    if ended is False or isinstance(error, EOFError) or _TRUNCATED.search(words):
        return ImageError(ImageCode.TRUNCATED, f"The {kind} image ends too early{_detail(words)}.")
    return ImageError(ImageCode.CORRUPT, f"The {kind} image is damaged{_detail(words)}.")


def _detail(words: str) -> str:
    text = "".join(c if c.isprintable() else " " for c in _ADDRESS.sub("", words))
    text = " ".join(text.split())[:DETAIL_LENGTH].strip(" .")
    return f" ({text})" if text else ""
