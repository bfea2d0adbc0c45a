"""Files that are none of the formats tagtray reads: what they are instead, in a sentence."""

from __future__ import annotations

import re

from tagtray.config.errors import ImageCode, ImageError

#: Pictures that are known and not read: (pattern at the beginning, name).
_PICTURES = (
    (rb"8BPS", "a large Photoshop (PSB) image"),
    (rb"\s*(?:<\?xml.{0,400})?(?:<!--.{0,400})?(?:<!DOCTYPE svg|<svg)", "an SVG drawing"),
    (rb"\x00\x00\x01\x00[^\x00]\x00", "an icon (ICO)"),
    (rb"icns", "an icon (ICNS)"),
    (rb"DDS ", "a DDS texture"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript drawing"),
    (rb"gimp xcf", "a GIMP (XCF) picture"),
    (rb"P[1-7]\s|P[Ff]\n", "a PNM picture"),
    (rb"/\* XPM", "an XPM picture"),
    (rb"qoif", "a QOI picture"),
    (rb"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (rb"#\?RADIANCE|#\?RGBE", "a Radiance HDR picture"),
    (rb"SIMPLE  =", "a FITS picture"),
    (rb"AT&TFORM", "a DjVu document"),
    (rb"\x0a[\x00-\x05]\x01[\x01\x02\x04\x08]", "a PCX picture"),
)

#: Everything else that often lies beside pictures.
_OTHERS = (
    (rb"%PDF-", "a PDF document"),
    (rb"\s*<(?:!doctype html|html)", "a web page"),
    (rb"....(?:ftyp|moov|mdat|wide|free)", "a video"),
    (rb"\x1a\x45\xdf\xa3|RIFF....AVI |FLV\x01|\x00\x00\x01[\xba\xb3]|0&\xb2u", "a video"),
    (rb"ID3|fLaC|OggS|RIFF....WAVE|FORM....AIF|\xff[\xfb\xf3\xf2\xf1\xf9]", "an audio file"),
    (rb"PK\x03\x04|PK\x05\x06", "a ZIP archive or an office document"),
    (rb"\x1f\x8b|7z\xbc\xaf|Rar!|\xfd7zXZ|\x28\xb5\x2f\xfd|BZh[1-9]|.{257}ustar", "an archive"),
    (rb"\xd0\xcf\x11\xe0", "an office document"),
    (rb"SQLite format 3\x00", "a database"),
    (rb"\x7fELF|MZ.{58}|\xcf\xfa\xed\xfe", "a program"),
    (rb"\x00\x05\x16\x07", "a macOS resource fork"),
    (rb"<\?xml|\{\s*\"", "a text file"),
    (rb"\x00+\Z", "nothing but zero bytes (an unfinished copy?)"),
    (rb"[\t\n\r\x20-\x7e]+\Z", "a text file"),
)


def _compiled(table: tuple[tuple[bytes, str], ...]) -> tuple[tuple[re.Pattern[bytes], str], ...]:
    return tuple((re.compile(pattern, re.DOTALL | re.IGNORECASE), name) for pattern, name in table)


_PICTURE_PATTERNS = _compiled(_PICTURES)
_OTHER_PATTERNS = _compiled(_OTHERS)


def refusal(head: bytes) -> ImageError:
    """The error for a file that begins with ``head`` and that ``sniff`` does not know.

    ``unsupported`` for a picture that tagtray does not read, else ``not_an_image``.
    """
    for pattern, name in _PICTURE_PATTERNS:
        if pattern.match(head):
            return ImageError(ImageCode.UNSUPPORTED, f"The file is {name}, which tagtray does not read.")
    for pattern, name in _OTHER_PATTERNS:
        if pattern.match(head):
            return ImageError(ImageCode.NOT_AN_IMAGE, f"The file is {name}, not a picture.")
    return ImageError(ImageCode.NOT_AN_IMAGE, "The file is not a picture in any known format.")
