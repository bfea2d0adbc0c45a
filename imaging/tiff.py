"""The first directory of a TIFF (TIFF 6.0, section 2; BigTIFF): is it complete, is it a picture."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

#: Reads ``count`` bytes at an offset; fewer where the file ends.
ReadAt = Callable[[int, int], bytes]

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

#: At offset 8 of a CR2 file.
CANON_RAW = b"CR"

_NEW_SUBFILE_TYPE, _COMPRESSION, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 254, 259, 262, 330, 50_706
#: How Sony, Samsung, Nikon, Kodak, lossy DNGs and Pentax compress.
_RAW_COMPRESSIONS = frozenset({32_767, 32_770, 34_713, 65_000, 34_892, 65_535})
#: A colour filter array, and its linear successor.
_RAW_PHOTOMETRICS = frozenset({32_803, 34_892})
#: Directories within the first one that are looked at; cameras write 4 at most.
_MAX_INNER = 16
#: Tags of the offsets and of the byte counts of strips and of tiles.
_EXTENTS = ((273, 279), (324, 325))
#: struct codes of SHORT, LONG and LONG8.
_CODES = {3: "H", 4: "I", 16: "Q"}

#: Tags that pixels need, with the orientation, the camera and the date of the last change.
_PIXEL_TAGS = frozenset(
    {
        256,
        257,
        258,
        259,
        262,
        266,
        271,
        272,
        273,
        274,
        277,
        278,
        279,
        284,
        292,
        293,
        306,
        317,
        320,
        322,
        323,
        324,
    }
    | {325, 332, 338, 339, 347, *range(512, 522), 529, 530, 531, 532}
)

#: struct codes of all types whose values are whole numbers, and the bytes of the others.
_WHOLE = {1: "B", 3: "H", 4: "I", 7: "B", 16: "Q"}
_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8}

#: Bytes before everything else in a TIFF that is not big.
HEADER = 8

#: Type, count and the bytes of a tag's values.
Value = tuple[int, int, bytes]

_Entry = tuple[int, int, int]  # type, count, where the value or its offset stands


def is_raw(data: bytes) -> bool:
    """Whether a TIFF is a camera's raw file (DNG, NEF, ARW, PEF, SRW): by how its first image is stored.

    That is either the sensor's data or a preview of those that lie elsewhere in the file.
    """
    order, big = _form(data[:16])
    read = _reader(data)
    try:
        first = _entries(read, data[:16], order, big)
        if _is_sensor(read, first, order, big):
            return True
        if not _is_reduced(read, first, order, big):
            return False
    except struct.error:
        return False
    try:
        inner = _inner(read, first, order, big)
        return _DNG_VERSION in first or any(_is_sensor(read, entries, order, big) for entries in inner)
    except struct.error:  # what it leads to is not there: no picture either
        return True


def stated_end(read: ReadAt, size: int) -> int:
    """Where the first directory, those within it and their last strips end; ``size`` where that is not said.

    May raise struct.error where a directory lies behind the end of the file.
    """
    head = read(0, 16)
    order, big = _form(head)
    first = _entries(read, head, order, big)
    ends = [_end(read, entries, order, big) for entries in (first, *_inner(read, first, order, big))]
    return (max(ends) or size) if first else 0


def main_image(data: bytes) -> bytes:
    """The TIFF itself; where its first directory is a thumbnail of one within it, that one with its metadata.

    May raise struct.error on a damaged directory.
    """
    order, big = _form(data[:16])
    read = _reader(data)
    first = _entries(read, data[:16], order, big)
    if not _is_reduced(read, first, order, big):
        return data
    inner = (entries for entries in _inner(read, first, order, big) if entries)
    whole = next((entries for entries in inner if not _is_reduced(read, entries, order, big)), None)
    if whole is None:
        return data
    return _with_directory(data, {**first, **whole})


def pixels_alone(data: bytes) -> bytes:
    """The same TIFF with a directory of its own at the end that holds nothing but what the pixels need."""
    order, big = _form(data[:16])
    entries = _entries(_reader(data), data[:16], order, big)
    return _with_directory(data, {tag: entry for tag, entry in entries.items() if tag in _PIXEL_TAGS})


def _with_directory(data: bytes, entries: Mapping[int, _Entry]) -> bytes:
    """The same TIFF with these entries, wherever they stand, as its only directory, at its end."""
    order, big = _form(data[:16])
    code, pointer, width = (order + "Q", 8, 20) if big else (order + "I", 4, 12)
    # The value stands last in an entry.
    ends = [at + pointer for _, (_, _, at) in sorted(entries.items())]
    table = b"".join(data[end - width : end] for end in ends)
    start = 8 if big else 4
    at = len(data) + len(data) % 2
    moved = data[:start] + struct.pack(code, at) + data[start + pointer :] + b"\0" * (len(data) % 2)
    return moved + struct.pack(order + ("Q" if big else "H"), len(ends)) + table + bytes(pointer)


def pixel_tags(data: bytes) -> tuple[str, dict[int, Value]]:
    """The byte order, and the tags that the pixels need; raises struct.error on a damaged directory."""
    order, big = _form(data[:16])
    found = {}
    for tag, (kind, count, at) in _entries(_reader(data), data[:16], order, big).items():
        length = count * _WIDTHS.get(kind, 1)
        if length > (8 if big else 4):
            at = struct.unpack_from(order + ("Q" if big else "I"), data, at)[0]
        if tag in _PIXEL_TAGS:
            found[tag] = (kind, count, data[at : at + length])
    return order, found


def numbers(order: str, value: Value) -> list[int]:
    """A tag's values, where they are whole numbers; raises struct.error where they are cut off."""
    kind, count, content = value
    return list(struct.unpack(f"{order}{count}{_WHOLE[kind]}", content)) if kind in _WHOLE else []


def written(order: str, tags: Mapping[int, Value], pixels: bytes) -> bytes:
    """A TIFF of ``pixels``, which begin at ``HEADER``, and of one directory behind them."""
    pixels += b"\0" * (len(pixels) % 2)
    start = HEADER + len(pixels)
    end = start + 2 + 12 * len(tags) + 4
    table, values = [struct.pack(order + "H", len(tags))], b""
    for tag, (kind, count, content) in sorted(tags.items()):
        field = content.ljust(4, b"\0")
        if len(content) > 4:
            field = struct.pack(order + "I", end + len(values))
            values += content + b"\0" * (len(content) % 2)
        table.append(struct.pack(order + "HHI", tag, kind, count) + field)
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return b"".join([magic, struct.pack(order + "I", start), pixels, *table, bytes(4), values])


def _reader(data: bytes) -> ReadAt:
    return lambda at, count: data[at : at + count]


def _form(head: bytes) -> tuple[str, bool]:
    """The byte order as struct's character, and whether it is a BigTIFF."""
    return "<" if head.startswith(b"II") else ">", b"+" in head[2:4]


def _entries(read: ReadAt, head: bytes, order: str, big: bool) -> dict[int, _Entry]:
    """The first directory; writers set its offset last."""
    start: int = struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)[0]
    return _directory(read, start, order, big) if start >= len(MAGIC[0]) else {}


def _directory(read: ReadAt, start: int, order: str, big: bool) -> dict[int, _Entry]:
    """Tag to type, count and the position of its value."""
    pointer, counter, entry = ("Q", "Q", "HHQQ") if big else ("I", "H", "HHII")
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


def _inner(read: ReadAt, first: Mapping[int, _Entry], order: str, big: bool) -> list[dict[int, _Entry]]:
    """The directories that the first one leads to, and that may be its image in other sizes."""
    if _SUB_IFDS not in first:
        return []
    count = min(first[_SUB_IFDS][1], _MAX_INNER)
    starts = [_number(read, first[_SUB_IFDS], index, order, big) for index in range(count)]
    return [_directory(read, start, order, big) for start in starts]


def _is_sensor(read: ReadAt, entries: Mapping[int, _Entry], order: str, big: bool) -> bool:
    compression, photometric = (
        _last(read, entries[tag], order, big) if tag in entries else 0 for tag in (_COMPRESSION, _PHOTOMETRIC)
    )
    return compression in _RAW_COMPRESSIONS or photometric in _RAW_PHOTOMETRICS


def _is_reduced(read: ReadAt, entries: Mapping[int, _Entry], order: str, big: bool) -> bool:
    kind = entries.get(_NEW_SUBFILE_TYPE)
    return kind is not None and bool(_last(read, kind, order, big) & 1)


def _end(read: ReadAt, entries: Mapping[int, _Entry], order: str, big: bool) -> int:
    """Where a directory and its last strip end; 0 where that is not said."""
    for offsets, counts in _EXTENTS:
        if offsets in entries and counts in entries:
            strip = _last(read, entries[offsets], order, big) + _last(read, entries[counts], order, big)
            return max(strip, *(at + 4 for _, _, at in entries.values()))
    return 0


def _last(read: ReadAt, entry: _Entry, order: str, big: bool) -> int:
    """The last of an entry's numbers: strips are written in order, so that it ends the picture."""
    return _number(read, entry, max(entry[1] - 1, 0), order, big)


def _number(read: ReadAt, entry: _Entry, index: int, order: str, big: bool) -> int:
    kind, count, at = entry
    code = order + _CODES.get(kind, "I")
    width = struct.calcsize(code)
    if count * width > (8 if big else 4):
        at = struct.unpack(order + ("Q" if big else "I"), read(at, 8 if big else 4))[0]
    number: int = struct.unpack(code, read(at + index * width, width))[0]
    return number
