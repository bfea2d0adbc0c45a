"""The segments of a JPEG that its pixels need (ITU-T T.81, annex B: a marker and a length)."""

from __future__ import annotations

import itertools
import re
import struct

from tagtray.imaging.repair.parts import Parts

_SCAN = 0xDA
_METADATA = frozenset(range(0xE0, 0xF0)) | {0xFE}
#: Bytes of the headers of JFIF and Adobe, which say how colours are stored.
_COLORS = {0xE0: 14, 0xEE: 12}
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: Segments with which tables and frame may begin, and how many are tried where a length leads nowhere.
_TABLE, _MAX_TABLES = re.compile(rb"\xff[\xc0-\xc4\xdb\xdd]"), 1_000
#: Bytes that a segment holds at most.
_MAX_CONTENT = 65_533
_INFO = {b"Exif\0\0": "exif", b"http://ns.adobe.com/xap/1.0/\0": "xmp"}

_Segment = tuple[int, int, int]  # marker, start and end of what it holds


def parts(data: bytes) -> Parts | None:
    """The JPEG without metadata, but for what says how colours are stored; None where it has no scan."""
    segments, scan = _segments(data)
    if not scan:
        return None
    kept, info = [b"\xff\xd8"], dict[str, bytes]()
    for marker, start, end in segments:
        content = data[start:end]
        if marker not in _METADATA or len(content) >= _COLORS.get(marker, len(data)):
            kept += [struct.pack(">BBH", 0xFF, marker, len(content) + 2), content]
        elif name := next((n for magic, n in _INFO.items() if content.startswith(magic)), None):
            info.setdefault(name, content)
    return Parts(b"".join([*kept, data[scan:]]), info)


def _segments(data: bytes) -> tuple[list[_Segment], int]:
    """All before the first scan, and where that begins.

    Where a wrong length leads past the tables, those of the largest frame are looked for: a thumbnail has
    tables too. What lies before them ends where they begin.
    """
    found, scan = _walk(data, 2)
    if scan:
        return found, scan
    starts = (match.start() for match in itertools.islice(_TABLE.finditer(data), _MAX_TABLES))
    tables, scan = max(
        (_walk(data, at) for at in starts), key=lambda walk: _area(data, *walk), default=([], 0)
    )
    if not scan:
        return [], 0
    cut = tables[0][1] - 4
    before = [(marker, at, min(end, cut, at + _MAX_CONTENT)) for marker, at, end in found if at < cut]
    return before + tables, scan


def _walk(data: bytes, at: int) -> tuple[list[_Segment], int]:
    """The segments from ``at`` on, and where the scan of their frame begins: 0 where they lead to none."""
    found: list[_Segment] = []
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _SCAN:
            return found, at if _area(data, found, at) else 0
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        found.append((marker, at + 4, at + 2 + length))
        at += 2 + max(length, 2)
    return found, 0


def _area(data: bytes, segments: list[_Segment], scan: int) -> int:
    """Pixels of the frame among ``segments``; 0 without one, or without a scan."""
    frame = next((start for marker, start, _ in segments if marker in _FRAMES), 0)
    if not frame or not scan:
        return 0
    height, width = struct.unpack_from(">HH", data, frame + 1)
    return int(height * width)
