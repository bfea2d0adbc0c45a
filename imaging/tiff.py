"""The first directory of a TIFF (TIFF 6.0, section 2; BigTIFF): is it complete, is it a picture."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

#: Reads ``count`` bytes at an offset; fewer where the file ends.
ReadAt = Callable[[int, int], bytes]

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

#: At offset 8 of a CR2 file.
CANON_RAW = b"CR"

_NEW_SUBFILE_TYPE, _SUB_IFDS, _DNG_VERSION = 254, 330, 50_706
#: Tags of the offsets and of the byte counts of strips and of tiles.
_EXTENTS = ((273, 279), (324, 325))
#: struct codes of SHORT, LONG and LONG8.
_CODES = {3: "H", 4: "I", 16: "Q"}

_Entry = tuple[int, int, int]  # type, count, where the value or its offset stands


def is_preview(tags: Mapping[int, object]) -> bool:
    """Whether the first picture is but a preview of raw data elsewhere in the file (DNG, NEF, ARW)."""
    kind = tags.get(_NEW_SUBFILE_TYPE)
    return isinstance(kind, int) and bool(kind & 1) and (_SUB_IFDS in tags or _DNG_VERSION in tags)


def is_complete(read: ReadAt, size: int) -> bool:
    """Whether the first directory and its last strip lie in the file; may raise struct.error if not."""
    head = read(0, 16)
    order = "<" if head.startswith(b"II") else ">"
    big = b"+" in head[2:4]
    entries = _entries(read, head, order, big)
    for offsets, counts in _EXTENTS:
        if offsets in entries and counts in entries:
            end = _last(read, entries[offsets], order, big) + _last(read, entries[counts], order, big)
            return end <= size
    return bool(entries)


def _entries(read: ReadAt, head: bytes, order: str, big: bool) -> dict[int, _Entry]:
    """The directory: tag to type, count and the position of its value; writers set its offset last."""
    pointer, counter, entry = ("Q", "Q", "HHQQ") if big else ("I", "H", "HHII")
    start: int = struct.unpack_from(order + pointer, head, 8 if big else 4)[0]
    if start < len(MAGIC[0]):
        return {}
    width = struct.calcsize(order + counter)
    length: int = struct.unpack(order + counter, read(start, width))[0]
    step = struct.calcsize(order + entry)
    table = read(start + width, min(length, 65_535) * step)
    value = step - struct.calcsize(order + pointer)
    found = {}
    for index in range(min(length, 65_535)):
        tag, kind, count, _ = struct.unpack_from(order + entry, table, index * step)
        found[tag] = (kind, count, start + width + index * step + value)
    return found


def _last(read: ReadAt, entry: _Entry, order: str, big: bool) -> int:
    """The last of an entry's numbers: strips are written in order, so that it ends the picture."""
    kind, count, at = entry
    code = order + _CODES.get(kind, "I")
    width = struct.calcsize(code)
    if count * width > (8 if big else 4):
        at = struct.unpack(order + ("Q" if big else "I"), read(at, 8 if big else 4))[0]
    last: int = struct.unpack(code, read(at + max(count - 1, 0) * width, width))[0]
    return last
