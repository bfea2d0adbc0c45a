"""The chunks of a PNG that its pixels need (W3C PNG 3, section 5: a length, a name and a CRC)."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from tagtray.imaging.repair.parts import Parts

_MAGIC = b"\x89PNG\r\n\x1a\n"
_PIXELS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
#: The same, where a length leads nowhere: the next of them with a right CRC is where the file goes on.
_RESUMED = re.compile(rb"PLTE|tRNS|IDAT|IEND")
#: Where the header says how colours are stored; bytes of a tRNS chunk for grey, for RGB and for a palette.
_COLOR_TYPE, _TRANSPARENCIES = 25, {0: (2,), 2: (6,), 3: range(1, 257)}
_NAME = re.compile(rb"[A-Za-z]{4}\Z")
_XMP = b"XML:com.adobe.xmp\0"


def parts(data: bytes) -> Parts:
    """The PNG without its ancillary chunks, but for a transparency whose CRC is right."""
    kept, info = [_MAGIC], dict[str, bytes]()
    for name, start, end in _chunks(data):
        if name in _PIXELS or (name == b"tRNS" and _is_transparency(data, start, end)):
            kept.append(data[start - 8 : end + 4])
        elif name == b"eXIf":
            info["exif"] = data[start:end]
        elif name == b"iTXt" and data.startswith(_XMP, start):
            info["xmp"] = data[start:end]
    return Parts(b"".join(kept), info)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of what each chunk holds."""
    at = len(_MAGIC)
    while at + 12 <= len(data):
        start, name = at + 8, data[at + 4 : at + 8]
        end = start + int.from_bytes(data[at : at + 4], "big")
        if name not in _PIXELS and not _NAME.match(data[end + 8 : end + 12]):
            end = _resumed(data, start) - 4
        yield name, start, end
        at = end + 4


def _resumed(data: bytes, after: int) -> int:
    for found in _RESUMED.finditer(data, after):
        start = found.end()
        if _has_crc(data, start, start + int.from_bytes(data[start - 8 : start - 4], "big")):
            return start - 8
    return len(data)


def _is_transparency(data: bytes, start: int, end: int) -> bool:
    """Whether a tRNS chunk holds what the colour type of the header asks for."""
    lengths = _TRANSPARENCIES.get(data[_COLOR_TYPE], range(0))
    return end - start in lengths and _has_crc(data, start, end)


def _has_crc(data: bytes, start: int, end: int) -> bool:
    return data[end : end + 4] == zlib.crc32(data[start - 4 : end]).to_bytes(4, "big")
