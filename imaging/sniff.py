"""What a file is by its first bytes, and whether its last bytes are there."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

from tagtray.imaging import tiff

#: Bytes of a file's beginning that decide what it is.
HEAD_BYTES = 512

#: Bytes of a file's end in which an end marker is looked for first: behind it phones append an edited copy's
#: data or a depth map.
TAIL_BYTES = 65_536

#: Bytes of the pieces in which it is looked for everywhere else: a motion photo has megabytes behind it.
PIECE_BYTES = 2**20

#: Bytes at a file's beginning, and before the end that it states, that are all zero where room was made for
#: it and nothing is written yet.
ZERO_BYTES = 512

#: What begins a GIF's blocks, and ends them.
_GIF_EXTENSION, _GIF_IMAGE, _GIF_TRAILER = 0x21, 0x2C, 0x3B

#: Segments before a JPEG's first scan, or boxes of a HEIF, that are followed; cameras write < 100.
MAX_STEPS = 1_000

#: Beginnings of raw camera files that are no TIFF at first sight: RAF, ORF, RW2, X3F, MRW.
RAW = (b"FUJIFILMCCD-RAW", b"IIRO", b"MMOR", b"IIRS", b"IIU\0", b"FOVb", b"\0MRM")
_JPEG_2000 = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
_JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")

#: Formats by how their files begin.
_MAGIC = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "TIFF": tiff.MAGIC,
    "PSD": (b"8BPS\0\1",),
    "JPEG2000": _JPEG_2000,
    "JXL": _JPEG_XL,
    "RAW": RAW,
}

_CR3_BRAND = b"crx "
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)

#: Largest DIB header that is known (BITMAPV5HEADER has 124 bytes); text that begins with "BM" has more there.
_BMP_MAX_HEADER = 255


def sniff(head: bytes) -> str | None:
    """Format of a file by its first ``HEAD_BYTES``, named as Pillow does; None if it is none of ours.

    One of JPEG, PNG, WEBP, GIF, BMP, TIFF, HEIF, AVIF, JPEG2000, PSD, JXL, RAW; many raw files are TIFFs too.
    """
    if found := next((kind for kind, magic in _MAGIC.items() if head.startswith(magic)), None):
        return "RAW" if found == "TIFF" and head[8:10] == tiff.CANON_RAW else found
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head.startswith(b"BM") and len(head) >= 18:
        return "BMP" if 0 < int.from_bytes(head[14:18], "little") <= _BMP_MAX_HEADER else None
    return _sniff_boxes(head) if head[4:8] == b"ftyp" else None


def _sniff_boxes(head: bytes) -> str | None:
    """CR3, AVIF or HEIF by the brands of the ``ftyp`` box (ISO/IEC 14496-12, 4.3), in whatever order."""
    major = head[8:12]
    brands = {major} | {head[at : at + 4] for at in range(16, int.from_bytes(head[:4], "big"), 4)[:64]}
    if major == _CR3_BRAND:
        return "RAW"
    if brands & _AVIF_BRANDS:
        return "AVIF"
    return "HEIF" if brands & _HEIF_BRANDS else None


def has_end_marker(file: int | str | bytes | os.PathLike[str]) -> bool | None:
    """Whether a file (an open descriptor or a path) holds its own end; None if its format is not one of ours.

    Reads only its head and tail, by pread. An empty file has no end. Raises OSError.
    """
    if isinstance(file, int):
        return _complete(lambda at, count: os.pread(file, count, at), os.fstat(file).st_size)
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        return has_end_marker(descriptor)
    finally:
        os.close(descriptor)


def data_has_end_marker(data: bytes) -> bool | None:
    """The same for a file that is in memory."""
    return _complete(lambda at, count: data[at : at + count], len(data))


def _complete(read: tiff.ReadAt, size: int) -> bool | None:
    head = read(0, HEAD_BYTES)
    if not head.strip(b"\0"):
        return False
    kind = sniff(head) or ""
    check = _CHECKS.get(kind)
    try:
        if end_of := _ENDS.get(kind):
            return _is_written(read, size, end_of(read, size))
        return check(read, size) if check else None
    except (struct.error, IndexError):
        return False


def _is_written(read: tiff.ReadAt, size: int, end: int) -> bool:
    """Whether a file reaches to the end that it states, and what stands there is not mere room."""
    start = max(0, end - ZERO_BYTES)
    return 0 < end <= size and bool(read(start, end - start).strip(b"\0"))


def _tail(read: tiff.ReadAt, size: int, start: int = 0) -> bytes:
    """The last ``TAIL_BYTES``, none of them before ``start``."""
    start = max(start, size - TAIL_BYTES)
    return read(start, size - start) if start < size else b""


def _holds(read: tiff.ReadAt, size: int, start: int, marker: bytes) -> bool:
    """Whether ``marker`` stands anywhere from ``start`` on."""
    if marker in _tail(read, size, start):
        return True
    step = PIECE_BYTES - len(marker) + 1
    return any(marker in read(at, PIECE_BYTES) for at in range(start, size, step))


def _jpeg(read: tiff.ReadAt, size: int) -> bool:
    """EOI after the first SOS: the one of an embedded thumbnail, which lies before, does not count."""
    at = 2
    for _ in range(MAX_STEPS):
        fill, marker, length = struct.unpack(">BBH", read(at, 4))
        if fill != 0xFF or marker == 0xDA:
            break
        at += 1 if marker == 0xFF else 2 + length
    return _holds(read, size, at, b"\xff\xd9")


def _jpeg_2000(read: tiff.ReadAt, size: int) -> bool:
    return _holds(read, size, 0, b"\xff\xd9")


def _png(read: tiff.ReadAt, size: int) -> bool:
    return _holds(read, size, 0, b"IEND\xaeB`\x82")


def _gif(read: tiff.ReadAt, _size: int) -> bool:
    """The trailer, where the blocks end (GIF89a, section 12); what stands behind it does not matter."""
    data = _Pieces(read)
    at = 13 + _colours(data[10])
    while (kind := data[at]) != _GIF_TRAILER:
        if kind == _GIF_EXTENSION:
            at += 2
        elif kind == _GIF_IMAGE:
            at += 11 + _colours(data[at + 9])
        else:
            return False
        while length := data[at]:
            at += 1 + length
        at += 1
    return True


def _colours(flags: int) -> int:
    """Bytes of the colour table that a GIF's flags announce."""
    return 3 << (flags % 8 + 1) if flags & 0x80 else 0


class _Pieces:
    """Single bytes of a file, read in pieces; IndexError behind its end."""

    def __init__(self, read: tiff.ReadAt) -> None:
        self._read = read
        self._start, self._piece = 0, b""

    def __getitem__(self, at: int) -> int:
        if not 0 <= at - self._start < len(self._piece):
            self._start, self._piece = at, self._read(at, PIECE_BYTES)
        return self._piece[at - self._start]


def _webp(read: tiff.ReadAt, _size: int) -> int:
    return int.from_bytes(read(4, 4), "little") + 8


def _bmp(read: tiff.ReadAt, size: int) -> int:
    return int.from_bytes(read(2, 4), "little") or size


def _boxes(read: tiff.ReadAt, size: int) -> int:
    """The end of the top-level boxes that a picture needs, whatever stands behind them.

    A box of size 0 reaches to the end of the file. Raises IndexError for what is no box.
    """
    at, wanted = 0, {b"meta", b"mdat"}
    for _ in range(MAX_STEPS):
        if not wanted or size - at < 8:
            break
        header = read(at, 16)
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:], "big")
        if not length:
            return size
        if length < 8:
            raise IndexError(length)
        wanted.discard(header[4:8])
        at += length
    return at


#: Formats that state their length in front, so that a file of this length is no proof; how it is found.
_ENDS: dict[str, Callable[[tiff.ReadAt, int], int]] = {
    "WEBP": _webp,
    "BMP": _bmp,
    "HEIF": _boxes,
    "AVIF": _boxes,
    "TIFF": tiff.stated_end,
}

_CHECKS: dict[str, Callable[[tiff.ReadAt, int], bool]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "GIF": _gif,
    "JPEG2000": _jpeg_2000,
}
